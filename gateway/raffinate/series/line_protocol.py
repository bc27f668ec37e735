"""Frames as InfluxDB line protocol, one line a stage and scan, times in ms. Pure.

Measurement `stage`; tags node, section, site, stage, and `step` where the clock stepped back;
float fields named as points; `<point>_q` string fields where a value is not good. Site, node,
section, stage and point names need no escaping: their alphabet has nothing to escape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raffinate.model import Plant, StoredFrame

MEASUREMENT = "stage"


class LineFormatter:
    """Formats frames of one plant; what is constant of a line is formatted once."""

    def __init__(self, plant: Plant) -> None:
        self._site = plant.site
        self._sections: Mapping[str, str] = {s.id: s.section for s in plant.stages.values()}
        self._prefixes: dict[tuple[str, str, int], str] = {}
        self._points: dict[str, tuple[str, str]] = {
            point.id: (point.stage, point.name) for point in plant.points.values()
        }

    def lines(self, stored: StoredFrame) -> list[str]:
        """Return the lines of a frame; a stage that is no longer in the plant has section `-`."""
        result: list[str] = []
        node = stored.frame.node
        points = self._points
        for scan in stored.frame.scans:
            current = ""
            prefix = ""
            fields: list[str] = []
            for name, value, quality in scan.values:
                known = points.get(name)
                if known is None:
                    stage, _, point = name.partition("/")
                    known = points[name] = (stage, point)
                stage, point = known
                if stage != current:
                    if fields:
                        result.append(f"{prefix}{','.join(fields)} {scan.time_ms}")
                        fields = []
                    current = stage
                    prefix = self._prefix(node, stage, scan.step)
                if value is not None:
                    fields.append(f"{point}={value!r}")
                else:
                    fields.append(f'{point}_q="{_escape(quality)}"')
            if fields:
                result.append(f"{prefix}{','.join(fields)} {scan.time_ms}")
        return result

    def _prefix(self, node: str, stage: str, step: int) -> str:
        key = (node, stage, step)
        prefix = self._prefixes.get(key)
        if prefix is None:
            section = self._sections.get(stage, "-")
            tags = f"{MEASUREMENT},node={node},section={section},site={self._site},stage={stage}"
            prefix = tags + (f",step={step} " if step else " ")
            if len(self._prefixes) < 100_000:  # noqa: PLR2004 - a bound, not a tuning value
                self._prefixes[key] = prefix
        return prefix


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
