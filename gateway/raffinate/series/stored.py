"""Every sample that a store of series holds, one by one, as `raffinate audit reconcile` asks."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from raffinate.errors import RaffinateError
from raffinate.series.codec import ChunkError, Columns, decode
from raffinate.series.embedded import SPAN_MS_MAX
from raffinate.series.targets import InfluxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from raffinate.series.influx import InfluxReader

NS_PER_MS = 1_000_000
GOOD = "good"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored sample; `node` None where the store does not keep it.

    A good sample has a value and no quality; what has both, or is of another kind, was not
    written by raffinate.
    """

    point: str
    time_ns: int
    step: str
    node: str | None
    value: float | str | None
    quality: str | None


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of the store that contradicts itself."""

    where: str
    what: str


class Stored(Protocol):
    """A store to be held against the frames."""

    name: str

    def rows(self, from_ms: int, to_ms: int) -> Iterator[Row | Broken]:
        """Every sample of [from, to), in any order. Raises RaffinateError."""

    def begins_ms(self) -> int:
        """From when on the store has all: what is older it dropped at its limit."""

    def position(self) -> int | None:
        """The archive's position up to which all samples are in it; None: ask the archive."""

    def close(self) -> None:
        """Let go of it."""


class StoredInflux:
    """Rows of the measurement `stage` of one site."""

    name = "InfluxDB"

    def __init__(self, reader: InfluxReader) -> None:
        self._reader = reader

    def rows(self, from_ms: int, to_ms: int) -> Iterator[Row | Broken]:
        """See Stored."""
        try:
            for tags, time_ns, fields in self._reader.rows(from_ms, to_ms):
                stage, node = tags.get("stage", ""), tags.get("node", "")
                step = tags.get("step") or "0"
                names = {name.removesuffix("_q") for name in fields}
                for name in sorted(names):
                    quality = fields.get(f"{name}_q")
                    yield Row(
                        f"{stage}/{name}",
                        time_ns,
                        step,
                        node,
                        fields.get(name),
                        None if quality is None else str(quality),
                    )
        except InfluxUnavailableError as error:
            raise RaffinateError(f"{error}; {error.remedy}") from error

    def begins_ms(self) -> int:
        """Not known: a bucket's retention is the server's matter."""
        return 0

    def position(self) -> int | None:
        """See Stored."""
        return None

    def close(self) -> None:
        """See Stored."""
        self._reader.close()


class StoredEmbedded:
    """The chunks of `series.sqlite`, read beside the gateway that writes them."""

    name = "embedded store"

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            raise RaffinateError(f"{path} is not there: no gateway has run on this plant yet")
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def rows(self, from_ms: int, to_ms: int) -> Iterator[Row | Broken]:
        """See Stored; a chunk whose bytes or summary are wrong is Broken."""
        for point_id, point in self._ask("SELECT id, name FROM point"):
            chunks = self._ask(
                "SELECT start_ms, end_ms, count, good, low, high, total, data FROM chunk "
                "WHERE point = ? AND start_ms >= ? AND start_ms < ? AND end_ms >= ?",
                point_id,
                from_ms - SPAN_MS_MAX,
                to_ms,
                from_ms,
            )
            for start_ms, *summary, data in chunks:
                try:
                    columns = decode(data)
                except ChunkError as error:
                    yield Broken(f"{point} chunk of {start_ms} ms", f"unreadable: {error}")
                    continue
                if start_ms >= from_ms and not _fits(columns, summary):
                    yield Broken(f"{point} chunk of {start_ms} ms", "its summary is not its own")
                yield from _rows(point, columns, from_ms, to_ms)

    def begins_ms(self) -> int:
        """See Stored."""
        return self._meta("dropped_before_ms")

    def position(self) -> int | None:
        """See Stored."""
        return self._meta("position")

    def close(self) -> None:
        """See Stored."""
        self._db.close()

    def _meta(self, key: str) -> int:
        rows = self._ask("SELECT value FROM meta WHERE key = ?", key)
        return int(rows[0][0]) if rows else 0

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise RaffinateError(
                f"{self._path} cannot be read: {error}; it can be made again from the archive"
            ) from error


def _rows(point: str, columns: Columns, from_ms: int, to_ms: int) -> Iterator[Row]:
    samples = zip(columns.times.tolist(), columns.values.tolist(), strict=True)
    for at, (time_ms, value) in enumerate(samples):
        if from_ms <= time_ms < to_ms:
            quality = GOOD if columns.quality is None else columns.quality[at]
            step = 0 if columns.steps is None else int(columns.steps[at])
            yield Row(
                point,
                time_ms * NS_PER_MS,
                str(step),
                None,
                None if math.isnan(value) else value,
                None if quality == GOOD else quality,
            )


def _fits(columns: Columns, summary: list[object]) -> bool:
    """Whether end, count, good, low, high and total are those of the samples."""
    good = columns.values[~np.isnan(columns.values)]
    low = high = total = None
    if len(good):
        low, high, total = float(good.min()), float(good.max()), float(good.sum())
    return summary == [int(columns.times[-1]), len(columns), len(good), low, high, total]
