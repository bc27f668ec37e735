"""The ingest worker: what it archives, acknowledges, rejects, and survives."""

from __future__ import annotations

import hashlib

import pytest

import plants
from evidence_fake import PlainEvidence
from raffinate.archive import FrameArchive
from raffinate.errors import StorageFullError
from raffinate.ingest.estimate import estimates
from raffinate.ingest.inbox import Inbox
from raffinate.ingest.validate import FrameReader
from raffinate.ingest.worker import HELD_MESSAGES_MAX, RETRY_S, IngestWorker
from raffinate.model import GapCover, Inbound
from raffinate_wire.ack import parse_ack
from raffinate_wire.frame import FRAME_BYTES_MAX
from raffinate_wire.status import format_online, format_will

KEYID = plants.KEY + "0" * 48
NOW_MS = plants.START_MS + 100_000


class Uplink:
    """Remembers what the worker acknowledges and publishes."""

    def __init__(self):
        self.acked = []
        self.published = []
        self.reconnects = 0

    def ack(self, mids):
        self.acked += mids

    def publish(self, messages):
        self.published += messages

    def reconnect(self):
        self.reconnects += 1

    def acks(self):
        found = [parse_ack(item.payload) for item in self.published if item.topic.endswith("/ack")]
        self.published = []
        return found


class Bench:
    """A worker with an archive on disk, a clock of its own, and hands to feed it."""

    def __init__(self, folder):
        self.folder = folder
        self.evidence = PlainEvidence()
        self.now_ms = NOW_MS
        self.seconds = 0.0
        self.mid = 0
        self.stored = []
        self.limits = {"bytes_max": 1 << 40}
        self.start()

    def start(self):
        self.archive = FrameArchive(
            self.folder / "archive.sqlite",
            FrameReader().read,
            quarantine_bytes_max=1 << 30,
            **self.limits,
        )
        self.uplink, self.inbox = Uplink(), Inbox()
        self.worker = IngestWorker(
            plants.demo_plant(),
            self.inbox,
            self.uplink,
            self.archive,
            self.evidence,
            self.stored.extend,
            lambda: self.now_ms,
            lambda: self.seconds,
        )

    def restart(self):
        self.archive.close()
        self.start()

    def put(self, data, node="n01", leaf="frame", site=plants.SITE, topic=None):
        self.mid += 1
        topic = topic or f"raffinate/1/{site}/{node}/{leaf}"
        self.inbox.put(Inbound(topic, data, self.mid, self.now_ms))
        return self.mid

    def step(self, *frames):
        for data in frames:
            self.put(data)
        self.worker.step(0.0)

    def later(self, seconds):
        self.seconds += seconds
        self.now_ms += int(1000 * seconds)
        self.worker.step(0.0)

    def bytes(self):
        return [stored.frame.data for stored in self.archive.read(0, 10_000)]

    def reasons(self):
        return sorted(item.reason for item in self.archive.quarantined())


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.archive.close()


def test_frames_are_archived_acknowledged_and_shown(bench):
    frames = plants.chain(3)
    bench.step(*frames)
    assert bench.bytes() == frames
    assert bench.uplink.acked == [1, 2, 3]
    [ack] = bench.uplink.acks()
    assert (ack.key, ack.boots, ack.rejected) == (plants.KEY, [(1, 2)], [])
    assert [stored.frame.data for stored in bench.stored] == frames


def test_a_duplicate_is_stored_once_and_acknowledged_again(bench):
    frames = plants.chain(2)
    bench.step(*frames)
    bench.uplink.acks()
    bench.step(frames[0])
    assert bench.bytes() == frames
    assert bench.uplink.acks()[0].boots == [(1, 1)]
    assert bench.worker.state.duplicates == 1


def test_late_frames_are_archived_as_they_come_and_acknowledged_as_a_whole(bench):
    frames = plants.chain(4)
    bench.step(frames[0], frames[2], frames[3])
    assert bench.uplink.acks()[0].boots == [(1, 0)]
    bench.step(frames[1])
    assert bench.uplink.acks()[0].boots == [(1, 3)]
    assert bench.archive.findings() == []


def test_a_hole_is_a_finding_only_after_a_minute(bench):
    frames = plants.chain(4)
    bench.step(frames[0], frames[3])
    bench.later(59)
    assert bench.archive.findings() == []
    bench.later(2)
    [finding] = bench.archive.findings()
    assert (finding["code"], finding["seq"]) == ("hole", 1)
    bench.later(2)
    assert bench.worker.state.nodes["n01"].findings == ["frames 1 to 2 of boot 1 have not come"]
    bench.step(frames[1], frames[2])
    bench.later(2)
    assert bench.worker.state.nodes["n01"].findings == []
    assert len(bench.archive.findings()) == 1


def test_a_verified_gap_lets_the_ack_pass_and_a_later_frame_fills_it(bench):
    frames = plants.chain(4)
    bench.step(frames[0], frames[3])
    bench.uplink.acks()
    bench.evidence.gaps = [GapCover(plants.KEY, 1, 1, 2)]
    bench.put(b"statement", leaf="statement")
    bench.worker.step(0.0)
    assert bench.uplink.acks()[0].boots == [(1, 3)]
    bench.evidence.gaps = ()
    bench.step(frames[2])
    assert frames[2] in bench.bytes()


def test_after_a_kill_the_acks_are_as_before(bench):
    frames = plants.chain(6)
    other = plants.make_frame(1, values=[("e01/ph", "pH", 3, 0)])
    bench.step(frames[0], frames[1], frames[4])
    bench.step(other)
    bench.evidence.gaps = [GapCover(plants.KEY, 1, 2, 2)]
    bench.put(b"statement", leaf="statement")
    bench.worker.step(0.0)
    first_epoch = bench.uplink.acks()[0].epoch
    bench.evidence.gaps = ()
    bench.restart()
    bench.put(format_online(1, KEYID, "0" * 32, 0), leaf="status")
    bench.worker.step(0.0)
    [ack] = bench.uplink.acks()
    assert ack.boots == [(1, 2)]
    assert ack.rejected == [(1, 1, "conflict")]
    assert ack.epoch > first_epoch
    bench.step(frames[3], frames[5])
    assert bench.uplink.acks()[0].boots == [(1, 5)]
    assert bench.archive.findings() == []


@pytest.mark.parametrize(
    ("topic", "data", "reason", "told"),
    [
        ("n01/frame", b"junk", "not-canonical", False),
        ("n01/frame", plants.make_frame(5)[:-1], "truncated", True),
        ("n01/frame", plants.make_frame(5) + b" " * FRAME_BYTES_MAX, "too-long", True),
        ("n99/frame", plants.make_frame(5, node="n99"), "unknown-node", False),
        ("n01/frame", plants.make_frame(5, site="other"), "wrong-site", True),
        ("n01/frame", plants.make_frame(5, values=[("x01/ph", "pH", 1, 0)]), "unknown-point", True),
        ("n01/frame", plants.make_frame(5, values=[("e01/dp", "Pa", 1, 0)]), "unknown-point", True),
        ("n01/status", b"junk", "not-canonical", False),
        ("n99/status", format_will(1, KEYID), "unknown-node", False),
    ],
)
def test_what_is_rejected_is_kept_in_quarantine_and_named_to_the_node(
    bench, topic, data, reason, told
):
    mid = bench.put(data, topic=f"raffinate/1/{plants.SITE}/{topic}")
    bench.worker.step(0.0)
    assert bench.bytes() == []
    assert bench.reasons() == [reason]
    assert bench.archive.quarantined()[0].data == data
    assert bench.uplink.acked == [mid]
    rejected = [item for ack in bench.uplink.acks() for item in ack.rejected]
    assert rejected == ([(1, 5, reason)] if told else [])


def test_a_foreign_topic_is_put_aside(bench):
    bench.put(b"x", topic="raffinate/1/ndpr/n01/no/such")
    bench.worker.step(0.0)
    assert bench.reasons() == ["bad-topic"]
    assert bench.uplink.acked == [1]


def test_a_rejected_frame_is_passed_over(bench):
    frames = plants.chain(3)
    bad = frames[1].replace(b'"pH"', b'"p H"')
    bench.step(frames[0], bad, frames[2])
    [ack] = bench.uplink.acks()
    assert ack.boots == [(1, 2)]
    assert ack.rejected == [(1, 1, "bad-unit")]


def test_the_same_identity_with_other_bytes_is_rejected(bench):
    frame, other = plants.make_frame(0), plants.make_frame(0, values=[("e01/ph", "pH", 9, 0)])
    bench.step(frame)
    bench.step(other)
    assert bench.bytes() == [frame]
    assert bench.uplink.acks()[-1].rejected == [(1, 0, "conflict")]
    assert bench.reasons() == ["conflict"]


def test_a_pending_key_s_frames_are_neither_stored_nor_answered_until_it_is_enrolled(bench):
    bench.evidence.states[plants.KEY] = "pending"
    frames = plants.chain(2)
    bench.step(*frames)
    bench.put(format_online(1, KEYID, "0" * 32, 0), leaf="status")
    bench.later(2)
    assert bench.bytes() == bench.reasons() == []
    assert bench.uplink.acked == [1, 2, 3]
    assert bench.uplink.acks() == []
    assert bench.evidence.statuses[0][0] == "n01"
    bench.evidence.states[plants.KEY] = "enrolled"
    bench.evidence.enrolled = [("n01", KEYID)]
    bench.later(2)
    [ack] = bench.uplink.acks()
    assert (ack.key, ack.boots) == (plants.KEY, [])
    bench.step(*frames)
    assert bench.bytes() == frames
    assert bench.uplink.acks()[0].epoch == ack.epoch


def test_frames_under_a_revoked_key_are_rejected(bench):
    bench.evidence.states[plants.KEY] = "revoked"
    bench.step(plants.make_frame(0))
    assert bench.reasons() == ["key-revoked"]
    assert bench.uplink.acks()[0].rejected == [(1, 0, "key-revoked")]


def test_a_refused_statement_is_named_to_its_node_also_on_later_sessions(bench):
    bench.evidence.refused = {KEYID: ((9, "wrong-log"),)}
    bench.put(b"statement", leaf="statement")
    bench.worker.step(0.0)
    assert bench.uplink.acks()[0].refused == [(9, "wrong-log")]
    bench.put(format_online(1, KEYID, "0" * 32, 0), leaf="status")
    bench.worker.step(0.0)
    assert bench.uplink.acks()[0].refused == [(9, "wrong-log")]


def test_while_a_store_is_full_nothing_is_acknowledged_and_then_all_of_it(bench):
    bench.archive._bytes_max = 1
    frames = plants.chain(3)
    bench.step(*frames)
    bench.put(b"statement", leaf="statement")
    bench.put(format_online(1, KEYID, "0" * 32, 0), leaf="status")
    bench.later(0.1)
    assert bench.uplink.acked == []
    assert bench.worker.state.full
    assert "archive_bytes_max" in bench.worker.state.detail
    assert bench.evidence.statuses, "a node's question for the time is answered all the same"
    bench.archive._bytes_max = 1 << 40
    bench.later(RETRY_S)
    assert bench.bytes() == frames
    assert sorted(bench.uplink.acked) == [1, 2, 3, 4, 5]
    assert not bench.worker.state.full
    assert bench.uplink.acks()[-1].boots == [(1, 2)]


def test_junk_that_comes_while_a_store_is_full_takes_a_bounded_room(bench, monkeypatch):
    """Refused bytes are held too until they can be kept; without QoS no broker slows them down."""
    monkeypatch.setattr("raffinate.ingest.worker.HELD_MESSAGES_MAX", 10)
    bench.archive._bytes_max = 1
    for number in range(30):
        bench.put(b"junk %d" % number, node="stranger")
        bench.put(b"junk", leaf="status")
        bench.step()
    assert len(bench.worker._quarantine) == 10
    assert bench.uplink.acked == []
    bench.archive._bytes_max = 1 << 40
    bench.later(RETRY_S)
    assert len(bench.uplink.acked) == len(bench.reasons()) == 10
    assert bench.uplink.reconnects == 1


def test_a_full_evidence_store_holds_statements_back(bench):
    bench.evidence.fail = StorageFullError("no room")
    bench.put(b"statement", leaf="statement")
    bench.worker.step(0.0)
    assert bench.uplink.acked == []
    bench.evidence.fail = None
    bench.later(RETRY_S)
    assert [message.payload for message in bench.evidence.statements] == [b"statement"]
    assert bench.uplink.acked == [1]


def test_what_does_not_fit_into_memory_is_asked_for_again(bench):
    bench.archive._bytes_max = 1
    frame = plants.make_frame(0)
    for _ in range(HELD_MESSAGES_MAX // 1000 + 1):
        for _ in range(1000):
            bench.put(frame)
        bench.worker.step(0.0)
    assert bench.worker.state.queue == HELD_MESSAGES_MAX
    bench.archive._bytes_max = 1 << 40
    bench.later(RETRY_S)
    assert bench.uplink.reconnects == 1
    assert len(bench.uplink.acked) == HELD_MESSAGES_MAX
    assert bench.bytes() == [frame]


def test_a_clock_unknown_is_estimated_once(bench):
    first = plants.make_frame(0, clock="U")
    second = plants.make_frame(1, hashlib.sha256(first).digest(), clock="U")
    bench.step(first, second)
    times = [stored.frame.scans[0].time_ms for stored in bench.archive.read(0, 9)]
    assert times == [NOW_MS - 1000, NOW_MS]
    bench.later(10)
    bench.step(first)
    bench.restart()
    assert [stored.estimate_ms for stored in bench.archive.read(0, 9)] == times
    third = plants.make_frame(2, hashlib.sha256(second).digest(), clock="U")
    bench.step(third)
    assert bench.archive.read(2, 9)[0].estimate_ms == NOW_MS + 1000


def reader_frame(*args, **members):
    return FrameReader().read(plants.make_frame(*args, **members))


def test_an_estimate_follows_a_known_time_of_the_same_boot():
    unknown = reader_frame(0, clock="U", up_ms=5000)
    known = reader_frame(1, up_ms=9000, time_ms=1_000_009_000)
    frames = [(unknown, 2_000_000_000), (known, 2_000_000_000)]
    assert estimates(frames, lambda _key, _boot: None) == [1_000_005_000, None]
    archived = estimates(frames[:1], lambda _key, _boot: (7000, True))
    assert archived == [12_000]
    lowest = estimates(frames[:1], lambda _key, _boot: (7000, False))
    assert lowest == [12_000]


def test_a_status_says_who_is_there(bench):
    bench.put(format_online(1, KEYID, "0" * 32, 0), leaf="status")
    bench.worker.step(0.0)
    assert bench.worker.state.nodes["n01"].online is True
    bench.put(format_will(1, KEYID), leaf="status")
    bench.worker.step(0.0)
    assert bench.worker.state.nodes["n01"].online is False
