"""The embedded series store against a list that keeps everything."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from raffinate.errors import StorageFullError
from raffinate.series.embedded import EmbeddedSeries
from series_frames import stored

if TYPE_CHECKING:
    from pathlib import Path

    from raffinate.model import StoredFrame

START = 1_795_255_200_000


def _fill(store: EmbeddedSeries, count: int, first: int = 1) -> list[StoredFrame]:
    chance = random.Random(3)
    frames = [
        stored(
            position,
            START + position * 1000,
            [("e01/ph", round(1.8 + chance.random() / 10, 3), "good"), ("e01/cond", 9.62, "good")],
        )
        for position in range(first, first + count)
    ]
    store.write(frames)
    return frames


def _expected(frames: list[StoredFrame], point: str) -> list[tuple[int, float | None, str]]:
    return [
        (scan.time_ms, value, quality)
        for frame in frames
        for scan in frame.frame.scans
        for name, value, quality in scan.values
        if name == point
    ]


def _rows(store: EmbeddedSeries, point: str) -> list[tuple[int, float | None, str]]:
    return [(s.time_ms, s.value, s.quality) for s in store.samples(point, 0, 2**42)]


def test_every_sample_comes_back_exactly_across_chunks_and_tail(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    frames = _fill(store, 1000)
    assert _rows(store, "e01/ph") == _expected(frames, "e01/ph")
    store.close()
    again = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    assert _rows(again, "e01/ph") == _expected(frames, "e01/ph")
    assert again.resume_position() == 1000
    again.close()


def test_a_crash_loses_only_what_the_archive_gives_again(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    frames = [frame for first in range(1, 700, 10) for frame in _fill(store, 10, first)]
    crashed = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    resume = crashed.resume_position()
    assert 0 < resume < 700
    crashed.write([frame for frame in frames if frame.position > resume])
    for point in ("e01/ph", "e01/cond"):
        assert _rows(crashed, point) == _expected(frames, point)
    crashed.close()
    store._db.close()


def test_history_buckets_begin_at_from_and_leave_out_to(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    frames = _fill(store, 900)
    rows = _expected(frames, "e01/ph")
    for start, end, buckets in ((START + 1500, START + 800_000, 7), (START, START + 10_000, 4)):
        width = math.ceil((end - start) / buckets)
        result = store.history("e01/ph", start, end, buckets)
        assert len(result) == buckets
        for i, bucket in enumerate(result):
            low = start + i * width
            inside = [v for t, v, _ in rows if low <= t < min(low + width, end)]
            assert bucket.start_ms == low
            assert bucket.count == len(inside)
            if inside:
                assert bucket.min == min(inside)
                assert bucket.max == max(inside)
                assert bucket.mean == pytest.approx(math.fsum(inside) / len(inside), abs=1e-12)
            else:
                assert bucket.mean is None
    store.close()


def test_an_unknown_point_has_empty_buckets(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    assert [b.count for b in store.history("x/ph", 0, 10, 3)] == [0, 0, 0]
    with pytest.raises(ValueError, match="later"):
        store.history("x/ph", 10, 10, 3)
    with pytest.raises(ValueError, match="buckets"):
        store.history("x/ph", 0, 10, 0)
    store.close()


def test_bad_samples_are_kept_with_their_quality_and_not_averaged(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    values = [(1.0, "good"), (None, "F:open"), (3.0, "good")]
    store.write([stored(i + 1, START + i, [("e01/ph", *v)]) for i, v in enumerate(values)])
    store.flush()
    assert [(s.value, s.quality) for s in store.samples("e01/ph", 0, 2**42)] == values
    (bucket,) = store.history("e01/ph", START, START + 10, 1)
    assert (bucket.count, bucket.min, bucket.max, bucket.mean) == (2, 1.0, 3.0, 2.0)
    store.close()


def test_latest_is_by_sample_time_not_by_arrival(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    store.write([stored(1, START + 5000, [("e01/ph", 2.0, "good")])])
    store.flush()
    store.write([stored(2, START, [("e01/ph", 1.0, "good")])])
    assert store.latest()["e01/ph"].value == 2.0
    store.close()
    again = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    assert again.latest()["e01/ph"].value == 2.0
    again.close()


def test_at_its_limit_it_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 120_000)
    for first in range(1, 120_000, 2000):
        _fill(store, 2000, first)
    assert store.dropped_before_ms > START
    assert store.bytes_used() < 200_000
    rows = _rows(store, "e01/ph")
    assert rows[-1][0] == START + 120_000 * 1000
    assert rows[0][0] >= store.dropped_before_ms
    store.close()


def test_a_full_disk_keeps_the_tail_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    store = EmbeddedSeries(tmp_path / "s.sqlite", 1 << 30)
    store._db.execute("PRAGMA max_page_count = 1")  # SQLite takes it as "no page more than now"
    written = 0
    with pytest.raises(StorageFullError):  # noqa: PT012 - how many fit is SQLite's own affair
        while written < 100_000:
            written += 400
            _fill(store, 400, written - 399)
    with pytest.raises(StorageFullError):
        store.flush()
    store._db.execute("PRAGMA max_page_count = 100000")
    store.flush()
    assert [time_ms for time_ms, _, _ in _rows(store, "e01/ph")] == [
        START + position * 1000 for position in range(1, written + 1)
    ]
    store.close()


class StoreMachine(RuleBasedStateMachine):
    """Writes, flushes, crashes and restarts in any order: nothing lost, nothing twice."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile  # noqa: PLC0415 - one folder a run
        from pathlib import Path  # noqa: PLC0415

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "s.sqlite"
        self.store = EmbeddedSeries(self.path, 1 << 30)
        self.frames: list[StoredFrame] = []

    @rule(count=st.integers(1, 400), back=st.integers(0, 50_000), bad=st.booleans())
    def write(self, count: int, back: int, bad: bool) -> None:
        frames = []
        for i in range(count):
            position = len(self.frames) + len(frames) + 1
            value = (None, "F:open") if bad and i % 7 == 0 else (position / 1000, "good")
            time_ms = START + position * 1000 - back
            frames.append(stored(position, time_ms, [(f"e0{position % 3}/ph", *value)]))
        self.store.write(frames)
        self.frames += frames

    @rule()
    def flush(self) -> None:
        self.store.flush()

    @rule()
    def crash(self) -> None:
        old = self.store
        self.store = EmbeddedSeries(self.path, 1 << 30)
        old._db.close()
        self.store.write([f for f in self.frames if f.position > self.store.resume_position()])

    @invariant()
    def holds_everything_once(self) -> None:
        for point in ("e00/ph", "e01/ph", "e02/ph"):
            expected = sorted(_expected(self.frames, point), key=lambda row: row[0])
            assert sorted(_rows(self.store, point), key=str) == sorted(expected, key=str)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
