"""The embedded series store: chunks of samples in SQLite behind a tail in memory.

Whoever can write this file can change what the page and an export show; the archive of frames,
and the statements that cover them, are what an auditor checks it against. Losing it loses
nothing: it is rebuilt from the archive. Samples since `resume_position` are in memory only and
are read again from the archive after a crash; chunks carry the position they reach, so that
reading again stores nothing twice.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from raffinate.errors import StorageFullError
from raffinate.model import Bucket, Sample
from raffinate.series.codec import Columns, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from raffinate.model import StoredFrame

SPAN_MS_MAX: Final = 6 * 3600 * 1000
CHUNK_SAMPLES_MIN: Final = 240
CHUNK_SAMPLES_SPREAD: Final = 121
CHUNK_SAMPLES_MAX: Final = 1024
TAIL_AGE_MS_MAX: Final = 15 * 60 * 1000
BUCKETS_MAX: Final = 5000
_DROP_SHARE: Final = 50
_SCHEMA = """
CREATE TABLE IF NOT EXISTS point(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL,
  time_ms INTEGER, value REAL, quality TEXT);
CREATE TABLE IF NOT EXISTS chunk(
  point INTEGER NOT NULL, start_ms INTEGER NOT NULL, position INTEGER NOT NULL,
  part INTEGER NOT NULL, end_ms INTEGER NOT NULL, count INTEGER NOT NULL, good INTEGER NOT NULL,
  low REAL, high REAL, total REAL, data BLOB NOT NULL,
  PRIMARY KEY(point, start_ms, position, part)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_OVERLAPPING = (
    "FROM chunk WHERE point = ? AND start_ms >= ? AND start_ms < ? AND end_ms >= ? "
    "ORDER BY start_ms, position, part"
)


class _Tail:
    """Samples of one point that are not in a chunk yet."""

    __slots__ = (
        "first", "flushed", "id", "last", "latest", "name", "quality", "room", "steps", "times",
        "values",
    )  # fmt: skip

    def __init__(self, point_id: int, name: str, flushed: int, latest: Sample | None) -> None:
        self.id = point_id
        self.name = name
        self.flushed = flushed
        self.latest = latest
        # Sizes differ from point to point, so that points that start together fill up one by one.
        self.room = CHUNK_SAMPLES_MIN + point_id * 37 % CHUNK_SAMPLES_SPREAD
        self.clear()

    def clear(self) -> None:
        self.times: list[int] = []
        self.values: list[float] = []
        self.quality: dict[int, str] = {}
        self.steps: dict[int, int] = {}
        self.first = 0
        self.last = 0

    def newest(self) -> Sample | None:
        """The newest sample by time, in the tail or before it."""
        if not self.times:
            return self.latest
        columns = self.columns()
        value = float(columns.values[-1])
        sample = Sample(
            self.name,
            None if np.isnan(value) else value,
            "good" if columns.quality is None else columns.quality[-1],
            int(columns.times[-1]),
        )
        if self.latest is not None and self.latest.time_ms > sample.time_ms:
            return self.latest
        return sample

    def columns(self) -> Columns:
        """Sort the tail by time; samples of one time keep the order in which they came."""
        times = np.array(self.times, np.int64)
        values = np.array(self.values, np.float64)
        quality = None
        steps = None
        if self.quality:
            quality = [self.quality.get(i, "good") for i in range(len(times))]
        if self.steps:
            steps = np.zeros(len(times), np.int32)
            steps[list(self.steps)] = list(self.steps.values())
        if len(times) > 1 and (np.diff(times) < 0).any():
            order = np.argsort(times, kind="stable")
            times, values = times[order], values[order]
            quality = None if quality is None else [quality[i] for i in order]
            steps = None if steps is None else steps[order]
        return Columns(times, values, quality, steps)


class EmbeddedSeries:
    """`ports.SeriesStore` in one SQLite file of at most `bytes_max` bytes.

    At its limit it drops its oldest chunks and says from when it holds data (`dropped_before_ms`).
    One thread writes; any thread reads.
    """

    def __init__(self, path: Path, bytes_max: int) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._local = threading.local()
        self._tails: dict[str, _Tail] = {}
        self._db = self._connect()
        self._db.executescript(_SCHEMA)
        for row in self._db.execute(
            "SELECT id, name, position, time_ms, value, quality FROM point"
        ):
            point_id, name, position, time_ms, value, quality = row
            latest = None if time_ms is None else Sample(name, value, quality, time_ms)
            self._tails[name] = _Tail(point_id, name, position, latest)
        self._next_id = max((tail.id for tail in self._tails.values()), default=0) + 1
        self._position = self._meta("position")
        self._stored_position = self._position
        self._newest_ms = 0
        self._swept_ms = 0
        self.dropped_before_ms = self._meta("dropped_before_ms")

    def resume_position(self) -> int:
        """The archive position after which frames must be read again after a restart."""
        return self._stored_position

    def position(self) -> int:
        """The archive position up to which samples are visible to readers."""
        return self._position

    def write(self, frames: Sequence[StoredFrame]) -> None:
        """Take frames in archive order. Raises StorageFullError; nothing taken is forgotten."""
        full: list[_Tail] = []
        with self._lock:
            for stored in frames:
                if stored.position <= self._position:
                    continue
                self._take(stored, full)
                self._position = stored.position
            if self._newest_ms - self._swept_ms > TAIL_AGE_MS_MAX:
                self._swept_ms = self._newest_ms
                horizon = self._newest_ms - TAIL_AGE_MS_MAX
                full += [t for t in self._tails.values() if t.times and t.times[0] < horizon]
            if full:
                self._commit(full)

    def flush(self) -> None:
        """Write every tail to disk. Raises StorageFullError."""
        with self._lock:
            self._commit([tail for tail in self._tails.values() if tail.times])
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Flush and let go of the file."""
        self.flush()
        with self._lock:
            self._db.close()

    def latest(self) -> Mapping[str, Sample]:
        """Return the newest sample of each point by sample time."""
        with self._lock:
            newest = {name: tail.newest() for name, tail in self._tails.items()}
        return {name: sample for name, sample in newest.items() if sample is not None}

    def bytes_used(self) -> int:
        """Bytes of the pages in use."""
        return self._pages(self._reader())

    def history(self, point: str, from_ms: int, to_ms: int, buckets: int) -> list[Bucket]:
        """See `ports.SeriesStore`; raises ValueError for an empty span or too many buckets."""
        if to_ms <= from_ms:
            raise ValueError("`to` must be later than `from`")
        if not 0 < buckets <= BUCKETS_MAX:
            raise ValueError(f"buckets must be 1 to {BUCKETS_MAX}")
        width = -((from_ms - to_ms) // buckets)
        fold = _Fold(from_ms, width, buckets)
        db, point_id, tail = self._view(point)
        if point_id is None:
            return fold.buckets()
        try:
            rows = db.execute(
                "SELECT start_ms, end_ms, good, low, high, total, data " + _OVERLAPPING,
                (point_id, from_ms - SPAN_MS_MAX, to_ms, from_ms),
            )
            for start, end, good, low, high, total, data in rows:
                if not good:
                    continue
                whole = start >= from_ms and end < to_ms
                if whole and (start - from_ms) // width == (end - from_ms) // width:
                    fold.add_summary((start - from_ms) // width, good, low, high, total)
                else:
                    fold.add_columns(decode(data), to_ms)
        finally:
            db.rollback()
        if tail is not None:
            fold.add_columns(tail, to_ms)
        return fold.buckets()

    def samples(self, point: str, from_ms: int, to_ms: int) -> Iterable[Sample]:
        """Every sample of [from, to), exact; in time order within overlapping chunks."""
        db, point_id, tail = self._view(point)
        if point_id is None:
            return
        try:
            rows = db.execute(
                "SELECT start_ms, data " + _OVERLAPPING,
                (point_id, from_ms - SPAN_MS_MAX, to_ms, from_ms),
            ).fetchall()
        finally:
            db.rollback()
        pending: list[Sample] = []
        for start, data in rows:
            # What lies before this chunk's start can no longer be overtaken.
            ready = [s for s in pending if s.time_ms < start]
            pending = [s for s in pending if s.time_ms >= start]
            yield from ready
            pending += _within(point, decode(data), from_ms, to_ms)
            pending.sort(key=_time)
        if tail is not None:
            pending += _within(point, tail, from_ms, to_ms)
            pending.sort(key=_time)
        yield from pending

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        # A commit lost in a power cut takes its position with it; the archive is read again.
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = self._connect()
        return db

    def _view(self, point: str) -> tuple[sqlite3.Connection, int | None, Columns | None]:
        """Take one consistent view: an open read transaction and a copy of the tail."""
        db = self._reader()
        with self._lock:
            tail = self._tails.get(point)
            if tail is None:
                return db, None, None
            columns = tail.columns() if tail.times else None
            db.execute("BEGIN")
            db.execute("SELECT 1 FROM chunk LIMIT 1").fetchone()
        return db, tail.id, columns

    def _meta(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return 0 if row is None else int(row[0])

    def _take(self, stored: StoredFrame, full: list[_Tail]) -> None:
        position = stored.position
        tails = self._tails
        for scan in stored.frame.scans:
            time_ms = scan.time_ms
            step = scan.step
            self._newest_ms = max(self._newest_ms, time_ms)
            for name, value, quality in scan.values:
                tail = tails.get(name)
                if tail is None:
                    tail = tails[name] = _Tail(self._next_id, name, 0, None)
                    self._next_id += 1
                elif position <= tail.flushed:
                    continue
                times = tail.times
                if not times:
                    tail.first = position
                tail.last = position
                if value is None:
                    tail.quality[len(times)] = quality
                    value = np.nan  # noqa: PLW2901 - the column's word for "no value"
                if step:
                    tail.steps[len(times)] = step
                times.append(time_ms)
                tail.values.append(value)
                if len(times) == tail.room:
                    full.append(tail)

    def _commit(self, tails: list[_Tail]) -> None:
        """Write these tails as chunks in one transaction; on any failure keep them as they are."""
        done: list[tuple[_Tail, Sample]] = []
        tails = list(dict.fromkeys(tails))
        for tail in tails:
            tail.room = max(tail.room, len(tail.times) + CHUNK_SAMPLES_MIN)
        try:
            while self._pages(self._db) > self._bytes_max and self._drop_oldest():
                pass
            self._db.execute("BEGIN IMMEDIATE")
            done.extend((tail, self._insert(tail)) for tail in tails)
            going = {tail.id for tail in tails}
            waiting = [t.first for t in self._tails.values() if t.times and t.id not in going]
            position = min(waiting, default=self._position + 1) - 1
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('position', ?)", (position,))
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StorageFullError(f"{self._path}: {error}") from error
        self._stored_position = position
        for tail, latest in done:
            tail.flushed = tail.last
            tail.latest = latest
            tail.clear()
            tail.room = CHUNK_SAMPLES_MIN + tail.id * 37 % CHUNK_SAMPLES_SPREAD

    def _insert(self, tail: _Tail) -> Sample:
        columns = tail.columns()
        start = 0
        times = columns.times
        part = 0
        while start < len(times):
            end = int(np.searchsorted(times, times[start] + SPAN_MS_MAX))
            end = min(end, start + CHUNK_SAMPLES_MAX)
            self._db.execute(
                "INSERT OR REPLACE INTO chunk VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (tail.id, *_summary(_slice(columns, start, end), tail.first, part)),
            )
            start = end
            part += 1
        newest = tail.newest()
        if newest is None:
            raise ValueError("an empty tail has nothing to insert")
        self._db.execute(
            "INSERT INTO point VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET "
            "position = excluded.position, time_ms = excluded.time_ms, "
            "value = excluded.value, quality = excluded.quality",
            (tail.id, tail.name, tail.last, newest.time_ms, newest.value, newest.quality),
        )
        return newest

    def _drop_oldest(self) -> bool:
        """Free a fiftieth of the time span held, oldest first; False when nothing is held."""
        row = self._db.execute("SELECT min(start_ms), max(end_ms) FROM chunk").fetchone()
        if row[0] is None:
            return False
        before = row[0] + max(1, (row[1] - row[0]) // _DROP_SHARE)
        self._db.execute("BEGIN IMMEDIATE")
        last = "SELECT max(end_ms) + 1 FROM chunk WHERE start_ms < ?"
        (held_from,) = self._db.execute(last, (before,)).fetchone()
        self._db.execute("DELETE FROM chunk WHERE start_ms < ?", (before,))
        self._db.execute("INSERT OR REPLACE INTO meta VALUES('dropped_before_ms', ?)", (held_from,))
        self._db.execute("COMMIT")
        self.dropped_before_ms = held_from
        return True

    @staticmethod
    def _pages(db: sqlite3.Connection) -> int:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)


class _Fold:
    """Buckets being filled: count, min, max and sum of the good values of each."""

    def __init__(self, from_ms: int, width: int, buckets: int) -> None:
        self._from = from_ms
        self._width = width
        self._count = np.zeros(buckets, np.int64)
        self._low = np.full(buckets, np.inf)
        self._high = np.full(buckets, -np.inf)
        self._total = np.zeros(buckets)

    def add_summary(self, bucket: int, count: int, low: float, high: float, total: float) -> None:
        self._count[bucket] += count
        self._low[bucket] = min(self._low[bucket], low)
        self._high[bucket] = max(self._high[bucket], high)
        self._total[bucket] += total

    def add_columns(self, columns: Columns, to_ms: int) -> None:
        keep = (columns.times >= self._from) & (columns.times < to_ms) & ~np.isnan(columns.values)
        values = columns.values[keep]
        if not len(values):
            return
        places = (columns.times[keep] - self._from) // self._width
        edges = np.flatnonzero(np.diff(places, prepend=-1))
        at = places[edges]
        self._count[at] += np.diff(edges, append=len(values))
        self._low[at] = np.minimum(self._low[at], np.minimum.reduceat(values, edges))
        self._high[at] = np.maximum(self._high[at], np.maximum.reduceat(values, edges))
        self._total[at] += np.add.reduceat(values, edges)

    def buckets(self) -> list[Bucket]:
        result = []
        start = self._from
        rows = zip(
            self._count.tolist(), self._low.tolist(), self._high.tolist(), self._total.tolist(),
            strict=True,
        )  # fmt: skip
        for count, low, high, total in rows:
            if count:
                result.append(Bucket(start, count, low, high, total / count))
            else:
                result.append(Bucket(start, 0, None, None, None))
            start += self._width
        return result


def _slice(columns: Columns, start: int, end: int) -> Columns:
    quality = None if columns.quality is None else columns.quality[start:end]
    steps = None if columns.steps is None else columns.steps[start:end]
    return Columns(columns.times[start:end], columns.values[start:end], quality, steps)


def _summary(
    columns: Columns, position: int, part: int
) -> tuple[int, int, int, int, int, int, float | None, float | None, float | None, bytes]:
    good = columns.values[~np.isnan(columns.values)]
    low = high = total = None
    if len(good):
        low, high, total = float(good.min()), float(good.max()), float(good.sum())
    ends = int(columns.times[0]), position, part, int(columns.times[-1])
    return (*ends, len(columns), len(good), low, high, total, encode(columns))


def _within(point: str, columns: Columns, from_ms: int, to_ms: int) -> Iterator[Sample]:
    rows = zip(columns.times.tolist(), columns.values.tolist(), strict=True)
    for place, (time_ms, value) in enumerate(rows):
        if from_ms <= time_ms < to_ms:
            quality = "good" if columns.quality is None else columns.quality[place]
            yield Sample(point, None if value != value else value, quality, time_ms)  # noqa: PLR0124


def _time(sample: Sample) -> int:
    return sample.time_ms
