"""Wrong, repeated, late and forged messages against the real gateway, over both brokers.

Each test shows three things: what was acknowledged is in the archive, it is there once, and the
operator is told.
"""

from __future__ import annotations

import random

import pytest

from forged_plants import ForgedPlant
from forger import ForgedNode
from raffinate_rig.brokers import BROKERS
from raffinate_rig.plugin import requires_tool
from raffinate_rig.processes import find_tool
from raffinate_wire.dsse import parse_envelope
from raffinate_wire.frame import FRAME_BYTES_MAX
from raffinate_wire.resume import parse_resume
from system import entries_in, until

pytestmark = [pytest.mark.broker]


@pytest.fixture(scope="module")
def plants(tmp_path_factory):
    """Both plants, begun at once: the minute until holes are findings is waited for once."""
    found = {}
    for kind in BROKERS:
        try:
            find_tool(kind)
        except RuntimeError:
            continue
        found[kind] = ForgedPlant(tmp_path_factory.mktemp(kind), kind)
    yield found
    for plant in found.values():
        plant.close()


@pytest.fixture(params=sorted(BROKERS))
def plant(request, plants):
    requires_tool(request.param)
    return plants[request.param]


@pytest.fixture
def node(plant):
    return plant.enrolled_node()


def acked(node, upto):
    until(lambda: node.upto >= upto, f"an ack of frame {upto} for {node.node}, not {node.upto}")


def quarantined(plant, before, count):
    until(
        lambda: plant.gateway.metric("raffinate_quarantined_total") >= before + count,
        f"{count} messages in quarantine",
    )


def test_malformed_frames_are_set_aside_and_those_around_them_are_kept(plant, node):
    before = plant.gateway.metric("raffinate_quarantined_total")
    node.send("frame", node.frame(0.1))
    for junk in (b"", b"\x00\xff", b'[{"bn":', b"[" * 5000, node.frame(0.9, seq=1)[:-1]):
        node.send("frame", junk)
    spoilt = node.frame(0.2).replace(b'"v":0.2}', b'"v":0.20}')
    node.send("frame", spoilt)
    node.send("frame", node.frame(0.3))
    acked(node, 2)
    quarantined(plant, before, 6)
    # where the identity could be read, the node is told and sends it no more
    assert node.rejected == {(1, 1): "not-canonical"}
    assert plant.values(node) == [0.1, 0.3]
    health = plant.gateway.node_health(node.node)
    assert (health["frames"], health["rejected"]) == (2, 2)


def test_an_oversized_frame_is_rejected_and_shown(plant, node):
    node.send("frame", node.frame(0.1))
    large = node.frame(0.2)[:-1] + b" " * FRAME_BYTES_MAX + b"]"
    node.send("frame", large)
    node.send("frame", node.frame(0.3))
    acked(node, 2)
    assert node.rejected == {(1, 1): "too-long"}
    assert plant.values(node) == [0.1, 0.3]
    assert plant.gateway.metric('raffinate_rejected_total{reason="too-long"}') >= 1


def test_an_unknown_node_gets_no_answer_and_is_shown(plant):
    before = plant.gateway.metric("raffinate_quarantined_total")
    with ForgedNode(plant.broker, "nobody") as stranger:
        stranger.send("statement", stranger.boot_statement())
        stranger.send("frame", stranger.frame(0.7, point=plant.holes.point))
        quarantined(plant, before, 2)
        assert not stranger.heard["ack"]
        assert not stranger.heard["receipt"]
        shown = " ".join(plant.gateway.health["warnings"])
        assert "raffinate/1/ndpr/nobody/frame: unknown-node" in shown
    assert 0.7 not in plant.values(plant.holes)


def test_a_pending_key_is_answered_and_kept_waiting_until_it_is_enrolled(plant):
    node = plant.node()
    before = plant.gateway.metric("raffinate_pending_dropped_total")
    frames = [node.frame(number / 10) for number in range(3)]
    for data in frames:
        node.send("frame", data)
    until(
        lambda: plant.gateway.metric("raffinate_pending_dropped_total") >= before + 3,
        "the frames of a pending key counted",
    )
    assert not node.heard["ack"]
    assert plant.values(node) == []
    until(lambda: plant.gateway.node_evidence(node.node)["state"] == "pending", "the key pending")
    # the answer says what the gateway has of this key, so that a wiped board could go on
    assert parse_resume(node.say_online()).keyid == node.keyid
    plant.site.enrol(node.node, node.code)
    until(lambda: node.heard["ack"], "an ack with a new epoch")
    for data in frames:
        node.send("frame", data)
    acked(node, 2)
    assert plant.values(node) == [0.0, 0.1, 0.2]
    until(lambda: plant.gateway.node_evidence(node.node)["state"] == "enrolled", "the key enrolled")


def test_a_frame_of_another_site_or_point_is_rejected(plant, node):
    node.send("frame", node.frame(0.1))
    node.send("frame", node.frame(0.2, site="elsewhere"))
    node.send("frame", node.frame(0.3, point=plant.holes.point))
    node.send("frame", node.frame(0.4))
    acked(node, 3)
    assert node.rejected == {(1, 1): "wrong-site", (1, 2): "unknown-point"}
    assert plant.gateway.node_health(node.node)["rejected"] == 2
    assert plant.values(node) == [0.1, 0.4]


def test_replayed_frames_and_statements_change_nothing(plant, node):
    frames = [node.frame(number / 10) for number in range(4)]
    beat = node.heartbeat()
    node.send("statement", beat)
    for data in frames:
        node.send("frame", data)
    acked(node, 3)
    until(lambda: 2 in node.receipted, "a receipt")
    duplicates = plant.gateway.metric("raffinate_duplicates_total")
    receipts = len(node.heard["receipt"])
    for _ in range(3):
        for data in frames:
            node.send("frame", data)
        node.send("statement", beat)
    until(lambda: len(node.heard["receipt"]) >= receipts + 3, "the receipt again")
    until(
        lambda: plant.gateway.metric("raffinate_duplicates_total") >= duplicates + 12,
        "the duplicates counted",
    )
    assert plant.values(node) == [0.0, 0.1, 0.2, 0.3]
    entries = [data for _, data in entries_in(plant.site.bundle())]
    assert entries.count(beat) == 1


def test_another_frame_under_a_used_identity_is_rejected(plant, node):
    node.send("frame", node.frame(0.1))
    acked(node, 0)
    node.send("frame", node.frame(0.9, seq=0, prev=bytes(32)))
    until(lambda: node.rejected, "a rejection")
    assert node.rejected == {(1, 0): "conflict"}
    assert plant.gateway.node_health(node.node)["rejected"] == 1
    assert plant.values(node) == [0.1]


@pytest.mark.last
def test_a_hole_is_shown_after_a_minute_and_closed_by_a_late_frame_or_a_signed_gap(plant):
    node = plant.holes
    acked(node, 0)
    plant.await_holes()
    until(
        lambda: (
            plant.gateway.node_health(node.node)["findings"]
            == [
                "frames 1 to 1 of boot 1 have not come",
                "frames 3 to 4 of boot 1 have not come",
            ]
        ),
        "both holes shown",
        90,
    )
    # statement 4 waited for statement 3 and was then logged, with the finding
    until(lambda: 4 in node.receipted, "a receipt for what waited")
    assert 3 not in node.receipted
    assert plant.gateway.node_evidence(node.node)["chain"] == "MISSING"
    node.send("frame", plant.hole_frames[1])
    acked(node, 2)
    node.send("statement", node.gap(3, 4))
    acked(node, 5)
    until(lambda: plant.gateway.node_health(node.node)["findings"] == [], "no hole any more")
    node.send("statement", plant.hole_beats[1])
    until(lambda: 3 in node.receipted, "a receipt for the late statement")
    assert plant.values(node) == [0.0, 0.1, 0.2, 0.5]


def test_a_broken_chain_is_kept_and_shown(plant, node):
    node.send("frame", node.frame(0.1))
    node.send("frame", node.frame(0.2, prev=b"\x55" * 32))
    node.send("frame", node.frame(0.3))
    acked(node, 2)
    assert plant.values(node) == [0.1, 0.2, 0.3]
    until(
        lambda: any(
            "broken-chain" in text for text in plant.gateway.node_health(node.node)["findings"]
        ),
        "the broken chain shown",
    )


def test_a_broken_chain_of_statements_is_logged_with_the_finding(plant, node):
    node.statement_prev = b"\x55" * 32
    node.send("statement", node.heartbeat())
    until(lambda: 2 in node.receipted, "a receipt")
    until(
        lambda: plant.gateway.node_evidence(node.node)["chain"] == "CHAIN-BROKEN",
        "the broken chain shown",
    )


def test_a_forged_signature_gets_no_receipt_and_no_place_in_the_log(plant, node):
    with ForgedNode(plant.broker, "forger") as forger:
        before = plant.gateway.metric("raffinate_quarantined_total")
        true = node.heartbeat()
        forged = node.seal(parse_envelope(true).payload, forger.key)
        node.send("statement", forged)
        node.send("statement", true.replace(b'"payload":"', b'"payload":"e'))
        quarantined(plant, before, 2)
        assert 2 not in node.receipted
        # nor does it stand in the way of the true one
        node.send("statement", true)
        until(lambda: 2 in node.receipted, "a receipt for the true one")
    entries = [data for _, data in entries_in(plant.site.bundle())]
    assert entries.count(true) == 1
    assert forged not in entries
    assert plant.gateway.node_evidence(node.node)["chain"] == "ok"
    assert any("quarantine" in text for text in plant.gateway.health["warnings"])


def test_late_disordered_and_doubled_delivery_keeps_every_frame_once(plant, node):
    order = random.Random(7)
    frames = [node.frame(number / 100) for number in range(30)]
    beats = [node.heartbeat() for _ in range(10)]
    deliveries = [("frame", data) for data in frames * 2] + [("statement", data) for data in beats]
    order.shuffle(deliveries)
    for leaf, data in deliveries:
        node.send(leaf, data)
    acked(node, 29)
    until(lambda: node.receipted >= set(range(1, 12)), "all receipts")
    assert plant.values(node) == [number / 100 for number in range(30)]
    assert plant.gateway.node_health(node.node)["findings"] == []
    assert plant.gateway.node_evidence(node.node)["chain"] == "ok"


def test_a_clock_jump_is_kept_as_it_is_and_shown(plant, node):
    node.send("frame", node.frame(0.1))
    node.send("frame", node.frame(0.2))
    jumped_ms = node.start_ms - 3_600_000
    node.send("frame", node.frame(0.3, at_ms=jumped_ms))
    node.send("frame", node.frame(0.4, at_ms=jumped_ms + 1000))
    # and back again to times that are taken already
    node.send("frame", node.frame(0.5, at_ms=node.start_ms + 1000))
    acked(node, 4)
    assert plant.values(node) == [0.1, 0.2, 0.3, 0.4, 0.5]
    times = [row.time_ms - node.start_ms for row in plant.rows(node)]
    assert times == [1000, 2000, -3_600_000, -3_599_000, 1000]
    until(
        lambda: any(
            "clock-jump" in text for text in plant.gateway.node_health(node.node)["findings"]
        ),
        "the clock jump shown",
    )
