"""Small blocks of the archive become one, and nothing that is read changes by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_site import FramingNode, open_archive
from node_simulator import SimulatedNode
from raffinate.archive import joining
from raffinate.archive.scan import ArchiveScan
from raffinate.errors import StorageFullError
from raffinate.ingest.validate import FrameReader

RECEIVED_MS = 1_795_255_200_000


def rows(count):
    read = FrameReader().read
    made = FramingNode(SimulatedNode()).scans(count)
    return [(read(data), RECEIVED_MS + at, None, ()) for at, data in enumerate(made)]


def blocks(data):
    with closing(sqlite3.connect(data / "archive.sqlite")) as db:
        return db.execute("SELECT first, count, length(data) FROM blocks ORDER BY first").fetchall()


def test_frames_that_come_one_by_one_take_a_third_of_the_room(tmp_path):
    frames = rows(600)
    with closing(open_archive(tmp_path)) as archive:
        for at, row in enumerate(frames[:300]):
            assert archive.append([row]) == at + 1
    apart = sum(size for _, _, size in blocks(tmp_path)[-44:]) / 44
    with closing(open_archive(tmp_path)) as archive:
        for row in frames[300:]:
            archive.append([row])
        assert [one.frame for one in archive.read(0, 1000)] == [row[0] for row in frames]
    found = blocks(tmp_path)
    assert [(first, count) for first, count, _ in found[:2]] == [(1, 256), (257, 256)]
    assert len(found) == 2 + 88
    assert found[0][2] / 256 < apart / 2.5


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 11), min_size=1, max_size=40), reopen=st.integers(0, 40))
def test_what_is_read_is_the_same_from_every_position(tmp_path_factory, sizes, reopen):
    folder = tmp_path_factory.mktemp("joined")
    frames = rows(sum(sizes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "FRAMES_JOINED", 8)
        archive = open_archive(folder)
        at = 0
        for number, size in enumerate(sizes):
            if number == reopen:
                archive.close()
                archive = open_archive(folder)
            archive.append(frames[at : at + size])
            at += size
        archive.close()
    assert sum(count for _, count, _ in blocks(folder)) == at
    with closing(open_archive(folder)) as archive:
        assert archive.last_position() == at
        for after in range(at + 1):
            found = archive.read(after, 5)
            assert [one.position for one in found] == list(range(after + 1, at + 1))[:5]
            assert [one.frame for one in found] == [row[0] for row in frames[after : after + 5]]
    with closing(ArchiveScan(folder / "archive.sqlite")) as scan:
        raw = [one for block in scan.blocks(0) for one in block]
        assert [(one.data, one.received_ms) for one in raw] == [
            (row[0].data, row[1]) for row in frames
        ]


def test_a_commit_that_fails_while_it_joins_leaves_the_small_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "FRAMES_JOINED", 4)
    frames = rows(6)
    with closing(open_archive(tmp_path)) as archive:
        for row in frames[:3]:
            archive.append([row])
        (pages,) = archive._db.execute("PRAGMA page_count").fetchone()
        with monkeypatch.context() as patch:

            def full(_):
                archive._db.execute(f"PRAGMA max_page_count={pages}")
                archive._db.execute("CREATE TABLE filler AS SELECT zeroblob(100000)")

            patch.setattr(joining, "join_blocks", full)
            with pytest.raises(StorageFullError):
                archive.append([frames[3]])
        archive._db.execute("PRAGMA max_page_count=1000000")
        assert [count for _, count, _ in blocks(tmp_path)] == [1, 1, 1]
        for row in frames[3:]:
            archive.append([row])
        assert [count for _, count, _ in blocks(tmp_path)] == [4, 1, 1]
        assert [one.frame for one in archive.read(0, 10)] == [row[0] for row in frames]
