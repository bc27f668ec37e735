"""The archive against a list that keeps everything, with restarts and full disks in between."""

from __future__ import annotations

import sqlite3
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import plants
from raffinate.archive import Batch, FrameArchive, Incoming, Quarantined, Rejected
from raffinate.archive.chunk import with_times
from raffinate.archive.ledger import SPANS_MAX
from raffinate.archive.spans import Spans
from raffinate.errors import RaffinateError, StorageFullError
from raffinate.ingest.validate import FrameReader
from raffinate.model import GapCover
from raffinate_wire.frame import format_frame

BIG = 1 << 40
FRAMES = plants.chain(40)


def open_archive(folder: Path, **limits: int) -> FrameArchive:
    limits = {"bytes_max": BIG, "quarantine_bytes_max": BIG, **limits}
    return FrameArchive(folder / "archive.sqlite", FrameReader().read, **limits)


def incoming(data: bytes, received_ms: int = 1, estimate_ms: int | None = None) -> Incoming:
    frame = with_times(FrameReader().read(data), estimate_ms)
    return Incoming(frame, received_ms, estimate_ms, (), "topic")


def bytes_of(archive: FrameArchive, after: int = 0) -> list[bytes]:
    return [stored.frame.data for stored in archive.read(after, 10_000)]


class ArchiveMachine(RuleBasedStateMachine):
    """Frames come in any order, again, and between restarts; the list is what must be there."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.archive = open_archive(self.folder)
        self.kept: list[bytes] = []
        self.seqs: set[int] = set()

    @rule(seqs=st.lists(st.integers(0, len(FRAMES) - 1), max_size=6))
    def commit(self, seqs):
        result = self.archive.commit(Batch(frames=[incoming(FRAMES[seq]) for seq in seqs]))
        new = [FRAMES[seq] for seq in dict.fromkeys(seqs) if FRAMES[seq] not in self.kept]
        assert [stored.frame.data for stored in result.stored] == new
        assert result.duplicates == len(seqs) - len(new)
        assert not any(stored.findings for stored in result.stored)
        self.kept += new
        self.seqs.update(seqs)
        if seqs:
            self.check_upto(result.upto[plants.KEY, 1], result.holes[plants.KEY, 1])

    @rule(seq=st.integers(0, 3))
    def cover(self, seq):
        gap = GapCover(plants.KEY, 1, seq, seq + 2)
        self.archive.commit(Batch(covers=[("n01", gap)]))
        self.seqs.update((seq, seq + 1, seq + 2))

    @rule()
    def restart(self):
        self.archive.close()
        self.archive = open_archive(self.folder)

    @rule()
    def kill(self):
        """What a killed process leaves: its files as they are, without a close."""
        copy = Path(tempfile.mkdtemp())
        for file in self.folder.iterdir():
            if not file.name.endswith("-shm"):
                (copy / file.name).write_bytes(file.read_bytes())
        self.archive.close()
        self.folder, self.archive = copy, open_archive(copy)

    @rule(after=st.integers(0, 45))
    def read(self, after):
        assert bytes_of(self.archive, after) == self.kept[after:]

    @invariant()
    def nothing_lost_nothing_doubled(self):
        assert bytes_of(self.archive) == self.kept
        assert self.archive.last_position() == len(self.kept)

    def check_upto(self, upto, holes):
        missing = [seq for seq in range(len(FRAMES) + 10) if seq not in self.seqs]
        assert upto == missing[0] - 1
        in_holes = {seq for first, last in holes for seq in range(first, last + 1)}
        assert in_holes == {seq for seq in missing if seq < max(self.seqs)}

    def teardown(self):
        self.archive.close()


TestArchive = ArchiveMachine.TestCase
TestArchive.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


class SpansMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.spans = Spans()
        self.numbers: set[int] = set()

    @rule(first=st.integers(0, 40), length=st.integers(0, 8))
    def add(self, first, length):
        alone = self.spans.stands_alone(first)
        assert alone == self.numbers.isdisjoint((first - 1, first, first + 1))
        self.spans.add(first, first + length)
        self.numbers.update(range(first, first + length + 1))

    @invariant()
    def same(self):
        assert [n for n in range(60) if n in self.spans] == sorted(self.numbers)
        pairs = self.spans.pairs()
        assert all(a[1] + 1 < b[0] for a, b in pairwise(pairs))
        assert Spans(pairs).pairs() == pairs


TestSpans = SpansMachine.TestCase


@pytest.fixture
def archive(tmp_path):
    archive = open_archive(tmp_path)
    yield archive
    archive.close()


def test_the_same_identity_with_other_bytes_is_a_conflict_and_stays_in_quarantine(archive):
    archive.commit(Batch(frames=[incoming(FRAMES[0])]))
    other = plants.make_frame(0, values=[("e01/ph", "pH", 5, 0)])
    for _ in range(2):
        result = archive.commit(Batch(frames=[incoming(other)]))
        assert result.stored == ()
        assert result.conflicts == (Rejected("n01", plants.KEY, 1, 0, "conflict"),)
    assert bytes_of(archive) == [FRAMES[0]]
    assert archive.rejected(plants.KEY, 10) == [(1, 0, "conflict")]
    assert [item.data for item in archive.quarantined()] == [other, other]


def test_a_conflict_within_one_batch_is_seen(archive):
    other = plants.make_frame(0, values=[("e01/ph", "pH", 5, 0)])
    result = archive.commit(Batch(frames=[incoming(FRAMES[0]), incoming(other)]))
    assert len(result.stored) == len(result.conflicts) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize("one_batch", [True, False])
def test_a_broken_link_is_found_whatever_the_order(archive, order, one_batch):
    frames = plants.chain(3)
    frames[2] = plants.make_frame(2, prev=b"x" * 32)
    batch = [incoming(frames[seq]) for seq in order]
    for part in [batch] if one_batch else [[item] for item in batch]:
        archive.commit(Batch(frames=part))
    found = [(item["seq"], item["code"]) for item in archive.findings()]
    assert found == [(2, "broken-chain")]
    assert len(bytes_of(archive)) == 3


def test_the_first_frame_of_a_boot_links_to_zeros(archive):
    archive.commit(Batch(frames=[incoming(plants.make_frame(0, prev=b"x" * 32))]))
    assert archive.findings()[0]["code"] == "broken-chain"


def timed(seq: int, time_ms: int, up_ms: int) -> Incoming:
    return incoming(plants.make_frame(seq, time_ms=time_ms, up_ms=up_ms))


def steps(archive) -> dict[int, int]:
    return {stored.frame.seq: stored.frame.scans[0].step for stored in archive.read(0, 1000)}


def test_a_clock_that_steps_back_begins_a_step(archive):
    times = [1000, 2000, 3000, 1500, 2500, 3500, 500, 9000]
    for seq, time_ms in enumerate(times):
        archive.commit(Batch(frames=[timed(seq, time_ms, 1000 * seq)]))
    assert list(steps(archive).values()) == [0, 0, 0, 1, 1, 1, 2, 2]
    codes = [item["code"] for item in archive.findings() if item["seq"] == 3]
    assert sorted(codes) == ["broken-chain", "clock-jump", "clock-step"]


def test_an_estimated_time_that_proves_late_is_no_step_of_the_clock(archive):
    scans = [(None, 0, [("e01/ph", "pH", 1, 0)])]
    data = format_frame(plants.SITE, "n01", plants.KEY, 1, 0, bytes(32), "U", scans)
    archive.commit(Batch(frames=[incoming(data, received_ms=7000, estimate_ms=7000)]))
    archive.commit(Batch(frames=[timed(1, 1000, 1000)]))
    assert steps(archive) == {0: 0, 1: 1}
    assert "clock-step" not in {item["code"] for item in archive.findings()}


def test_late_frames_get_the_step_of_their_place(archive):
    times = [1000, 2000, 3000, 1500, 2500, 3500]
    for seq in (0, 5, 2, 4, 1, 3):
        archive.commit(Batch(frames=[timed(seq, times[seq], 1000 * seq)]))
    found = steps(archive)
    rows = {(times[seq], step) for seq, step in found.items()}
    assert len(rows) == len(times)


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
    batch_size=st.integers(1, 5),
)
def test_no_row_overwrites_another_however_clock_and_order_jump(times, order, batch_size):
    archive = open_archive(Path(tempfile.mkdtemp()))
    frames = [timed(seq, 1000 * time_ms, 1000 * seq) for seq, time_ms in enumerate(times)]
    order.shuffle(frames)
    for start in range(0, len(frames), batch_size):
        archive.commit(Batch(frames=frames[start : start + batch_size]))
    found = steps(archive)
    archive.close()
    assert len({(times[seq], step) for seq, step in found.items()}) == len(times)


def test_scans_that_step_back_inside_one_frame_get_steps_of_their_own(archive):
    value = [("e01/ph", "pH", 1, 0)]
    scans = [(5000, 1000, value), (6000, 2000, value), (5000, 3000, value), (6000, 4000, value)]
    data = format_frame(plants.SITE, "n01", plants.KEY, 1, 0, bytes(32), "S", scans)
    archive.commit(Batch(frames=[incoming(data)]))
    scans = archive.read(0, 1)[0].frame.scans
    rows = {(scan.time_ms, scan.step) for scan in scans}
    assert len(rows) == 4
    assert [item["code"] for item in archive.findings()] == ["clock-step"]


def test_parts_of_one_scan_share_its_step(archive):
    for seq, point in enumerate(("e01/ph", "e02/ph")):
        data = plants.make_frame(seq, time_ms=5000, up_ms=1000, values=[(point, "pH", 1, 0)])
        archive.commit(Batch(frames=[incoming(data)]))
    assert set(steps(archive).values()) == {0}


def test_an_estimate_is_kept_and_moves_all_scans(tmp_path):
    value = [("e01/ph", "pH", 1, 0)]
    scans = [(None, 1000, value), (None, 3500, value)]
    data = format_frame(plants.SITE, "n01", plants.KEY, 1, 0, bytes(32), "U", scans)
    archive = open_archive(tmp_path)
    archive.commit(Batch(frames=[incoming(data, estimate_ms=70_000)]))
    archive.close()
    archive = open_archive(tmp_path)
    stored = archive.read(0, 1)[0]
    archive.close()
    assert stored.estimate_ms == 70_000
    assert [scan.time_ms for scan in stored.frame.scans] == [70_000, 72_500]


def test_at_its_limit_the_archive_takes_nothing_and_goes_on_when_it_may_grow(tmp_path):
    archive = open_archive(tmp_path, bytes_max=1)
    with pytest.raises(StorageFullError, match="archive_bytes_max"):
        archive.commit(Batch(frames=[incoming(FRAMES[0])]))
    archive.close()
    archive = open_archive(tmp_path)
    assert archive.commit(Batch(frames=[incoming(FRAMES[0])])).duplicates == 0
    archive.close()


def test_a_disk_that_fills_in_the_middle_of_a_commit_leaves_nothing_of_it(archive):
    archive.commit(Batch(frames=[incoming(FRAMES[0])]))
    pages = archive._db.execute("PRAGMA page_count").fetchone()[0]
    archive._db.execute(f"PRAGMA max_page_count={pages}")
    refused = Quarantined(1, "topic", "too-long", b"x" * 100_000)
    with pytest.raises(StorageFullError, match="disk"):
        archive.commit(Batch(frames=[incoming(FRAMES[1])], quarantined=[refused]))
    assert bytes_of(archive) == [FRAMES[0]]
    archive._db.execute("PRAGMA max_page_count=1000000")
    result = archive.commit(Batch(frames=[incoming(data) for data in FRAMES[:3]]))
    assert (len(result.stored), result.duplicates) == (2, 1)
    assert result.upto == {(plants.KEY, 1): 2}
    assert archive.findings() == []


def test_too_little_free_space_stops_the_archive_before_the_disk_is_full(tmp_path):
    archive = open_archive(tmp_path, disk_free_bytes_min=1 << 62)
    with pytest.raises(StorageFullError, match="disk_free_bytes_min"):
        archive.commit(Batch(frames=[incoming(FRAMES[0])]))
    archive.close()


def test_quarantine_keeps_the_newest_and_counts_all(tmp_path):
    archive = open_archive(tmp_path, quarantine_bytes_max=3000)
    for number in range(10):
        item = Quarantined(number, "topic", "too-long", bytes(800))
        archive.commit(Batch(quarantined=[item]))
    assert [item.received_ms for item in archive.quarantined()] == [9, 8, 7]
    assert archive.count("quarantined") == 10
    assert archive.count("quarantine-dropped") == 7
    archive.close()


def test_cursors_survive(tmp_path):
    archive = open_archive(tmp_path)
    assert archive.cursor("influx") == 0
    archive.advance("influx", 7)
    archive.close()
    archive = open_archive(tmp_path)
    assert archive.cursor("influx") == 7
    archive.close()


def test_every_start_has_an_epoch_of_its_own(archive):
    assert archive.next_epoch(1000) == 1000
    assert archive.next_epoch(900) == 1001
    assert archive.next_epoch(5000) == 5000


def test_holes_have_a_limit(archive):
    frames = [incoming(plants.make_frame(2 * number)) for number in range(SPANS_MAX + 1)]
    result = archive.commit(Batch(frames=frames))
    assert [item.reason for item in result.conflicts] == ["too-many-holes"]
    assert len(result.stored) == SPANS_MAX


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "archive.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RaffinateError, match="restore it from a backup"):
        open_archive(tmp_path)


def test_a_newer_format_is_named(tmp_path):
    open_archive(tmp_path).close()
    db = sqlite3.connect(tmp_path / "archive.sqlite")
    db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(RaffinateError, match="format 9"):
        open_archive(tmp_path)
