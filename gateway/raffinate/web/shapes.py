"""The JSON of the API's own answers, and how they are made from the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

# pydantic, which describes these in OpenAPI, needs typing_extensions before Python 3.12.
from typing_extensions import TypedDict

from raffinate.web.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from raffinate.model import Bucket, Plant, Sample
    from raffinate.web.query import HistoryQuery


class PointJson(TypedDict):
    """A point; `range` and `normal` in `unit`, a SenML wire unit (pH, S/m, l/s, Cel, /)."""

    id: str
    name: str
    unit: str
    range: tuple[float, float]
    normal: tuple[float, float] | None


class StageJson(TypedDict):
    """A stage, served by `node`."""

    id: str
    node: str
    points: list[PointJson]


class SectionJson(TypedDict):
    """A section; its stages in flow order."""

    id: str
    kind: str
    name: str
    stages: list[StageJson]


class NodeJson(TypedDict):
    """A board and how often it scans."""

    id: str
    board: str
    stages: list[str]
    scan_ms: int
    statement_s: int


class EquipmentJson(TypedDict):
    """A licensed machine and the stages it makes up."""

    id: str
    name: str
    maker: str
    model: str
    serial: str
    node: str
    stages: list[str]
    volume: str | None


class PlantJson(TypedDict):
    """The site; sections in flow order."""

    site: str
    name: str
    note: str
    sections: list[SectionJson]
    nodes: list[NodeJson]
    equipment: list[EquipmentJson]


class SampleJson(TypedDict):
    """One value; null where `quality` is not "good" but a NE 107 letter, a colon and a reason."""

    point: str
    value: float | None
    quality: str
    time: str


# Written as a call because "from" is a keyword of Python.
HistoryJson = TypedDict(
    "HistoryJson",
    {
        "point": str,
        "unit": str,
        "from": str,
        "to": str,
        "width_ms": int,
        "count": list[int],
        "min": list[float | None],
        "max": list[float | None],
        "mean": list[float | None],
    },
)
HistoryJson.__doc__ = (
    "Buckets as columns; the k-th covers [from + k*width_ms, from + (k+1)*width_ms), cut at to; "
    "min, max and mean are null where it holds no good value."
)


class AcknowledgedJson(TypedDict):
    """An acknowledgement in the log: its entry, and the digest of the document it is."""

    index: int
    sha256: str


def plant_json(plant: Plant) -> PlantJson:
    """The tree of sections, stages and points, the nodes and the equipment."""
    return {
        "site": plant.site,
        "name": plant.name,
        "note": plant.note,
        "sections": [
            {
                "id": section.id,
                "kind": section.kind,
                "name": section.name,
                "stages": [
                    {
                        "id": stage.id,
                        "node": stage.node,
                        "points": [
                            {
                                "id": point.id,
                                "name": point.name,
                                "unit": point.unit,
                                "range": point.range,
                                "normal": point.normal,
                            }
                            for point in stage.points
                        ],
                    }
                    for stage in section.stages
                ],
            }
            for section in plant.sections
        ],
        "nodes": [
            {
                "id": node.id,
                "board": node.board,
                "stages": list(node.stages),
                "scan_ms": node.scan_ms,
                "statement_s": node.statement_s,
            }
            for node in plant.nodes.values()
        ],
        "equipment": [
            {
                "id": item.id,
                "name": item.name,
                "maker": item.maker,
                "model": item.model,
                "serial": item.serial,
                "node": item.node,
                "stages": list(item.stages),
                "volume": item.volume,
            }
            for item in plant.equipment.values()
        ],
    }


def samples_json(samples: Iterable[Sample]) -> list[SampleJson]:
    """Samples as `/api/v1/latest` and the stream give them."""
    # The points of a scan share its time, so that few texts serve many samples.
    times: dict[int, str] = {}
    return [
        {
            "point": sample.point,
            "value": sample.value,
            "quality": sample.quality,
            "time": times.get(sample.time_ms)
            or times.setdefault(sample.time_ms, format_time(sample.time_ms)),
        }
        for sample in samples
    ]


def history_json(query: HistoryQuery, unit: str, buckets: Sequence[Bucket]) -> HistoryJson:
    """Buckets as columns."""
    return {
        "point": query.point,
        "unit": unit,
        "from": format_time(query.from_ms),
        "to": format_time(query.to_ms),
        "width_ms": query.width_ms,
        "count": [bucket.count for bucket in buckets],
        "min": [bucket.min for bucket in buckets],
        "max": [bucket.max for bucket in buckets],
        "mean": [bucket.mean for bucket in buckets],
    }


def encode(value: Any) -> bytes:
    """UTF-8 JSON without white space."""
    return orjson.dumps(value)
