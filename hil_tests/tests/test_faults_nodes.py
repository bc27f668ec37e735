"""Real nodes, the real gateway, both brokers: each of them killed, away or wiped.

After each fault everything that was sent is in the archive once, every promise was kept, and what
is missing is covered by a signed statement (`ledger.judge`); the operator was told meanwhile.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack

import pytest

from ledger import judge
from raffinate_rig.brokers import BROKERS
from raffinate_rig.plugin import requires_tool
from spy import Spy
from system import Gateway, NodeSpec, RealNode, Site, until

pytestmark = [pytest.mark.broker, pytest.mark.micropython]

NODES = (
    NodeSpec("n01", ("e01", "e02"), "bat-ext", outbox={"group_ms": 1000}),
    # its outbox holds a few seconds of its frames; on only where that is the matter
    NodeSpec(
        "n02",
        ("e03", "e04"),
        scan_ms=1000,
        statement_s=20,
        outbox={"ram_bytes_max": 16384, "flash_bytes_max": 16384, "group_ms": 4000},
    ),
)
SPEED = 10
SETTLE_S = 90.0
# At SPEED more than twice what n02's outbox holds; at the most.
OUTAGE_S = 9.0
OUTAGE_S_MAX = 60.0


class Plant:
    """Nodes over one broker, everything they say heard by a spy."""

    def __init__(self, folder, kind, firmware):
        self._stack = ExitStack()
        enter = self._stack.enter_context
        try:
            self.broker = enter(BROKERS[kind](folder / "broker"))
            self.site = Site(folder / "plant", self.broker.port, NODES).make()
            self.spy = enter(Spy(self.broker))
            self.gateway = enter(Gateway(self.site))
            self.n01 = self.switch_on("n01", firmware)
            self.spy.wait_receipts(2)
        except BaseException:
            self._stack.close()
            raise

    def switch_on(self, name, firmware, speed=1):
        """Enrol a node; it stays until the plant is closed."""
        node = self._stack.enter_context(RealNode(self.site, name, firmware, speed=speed))
        node.enrol()
        return node

    def close(self):
        self._stack.close()

    def unsettled(self):
        """What was heard of enrolled keys and is not acked or receipted.

        mosquitto forgets at kill -9 that the spy listens; what it then misses of the receipts is
        asked of the gateway.
        """
        evidence = self.gateway.evidence["nodes"]
        known = {node["keyid"] for node in evidence if node["state"] == "enrolled"}
        logged = {node["keyid"]: (node["last_receipt"] or {"seq": 0})["seq"] for node in evidence}
        deaf = not self.broker.KEEPS_AT_KILL
        return {
            *(frame for frame in self.spy.unacked() if any(one[:16] == frame[0] for one in known)),
            *(
                (keyid, seq)
                for keyid, seq in self.spy.unreceipted()
                if keyid in known and not (deaf and seq <= logged[keyid])
            ),
        }

    def settle(self):
        """What was heard until now is acked and receipted, and more comes."""
        self.spy.wait_frames(3)
        before = self.unsettled()
        until(lambda: not before & self.unsettled(), "what was sent is settled", SETTLE_S)

    def judged(self):
        """Everything stands still, and is compared."""
        self.settle()
        self.n01.process.kill()
        try:
            until(lambda: not self.unsettled(), "the rest settled", SETTLE_S)
            found = judge(self.site, self.spy, deaf=not self.broker.KEEPS_AT_KILL)
        finally:
            self.n01.start()
        assert found.failures == {}
        assert found.frames > 20
        return found


@pytest.fixture(scope="module", params=sorted(BROKERS))
def plant(request, tmp_path_factory, node_firmware):
    requires_tool(request.param)
    requires_tool("micropython")
    plant = Plant(tmp_path_factory.mktemp("faults"), request.param, node_firmware)
    yield plant
    plant.close()


def test_a_broker_that_goes_down_costs_nothing_and_is_shown(plant):
    plant.broker.kill()
    until(lambda: plant.gateway.health["broker"]["state"] == "connecting", "the loss shown")
    assert plant.gateway.get("healthz")["status"] == "degraded"
    assert str(plant.broker.port) in plant.gateway.health["broker"]["detail"]
    time.sleep(3.0)
    plant.broker.start()
    until(lambda: plant.gateway.get("healthz")["status"] == "ok", "the session back")
    plant.judged()


def test_a_gateway_killed_at_any_instant_loses_nothing_it_acknowledged(plant):
    instants = random.Random(11)
    for _ in range(3):
        time.sleep(instants.uniform(0.0, 1.5))
        plant.gateway.kill()
        time.sleep(instants.uniform(0.0, 1.0))
        plant.gateway.start()
    plant.judged()
    assert plant.gateway.health["ingest"]["state"] == "ok"


def test_a_gateway_that_is_away_while_the_broker_accepts_is_caught_up_with(plant):
    plant.gateway.stop()
    acked = dict(plant.spy.upto)
    plant.spy.wait_frames(8)
    assert plant.spy.upto == acked  # the broker's PUBACK was no ack
    # a node that dies meanwhile has its frames with the broker or in flash
    plant.n01.process.kill()
    plant.n01.start()
    plant.spy.wait_frames(6)
    plant.gateway.start()
    newest = {sample["point"]: sample["time"] for sample in plant.gateway.get("api/v1/latest")}
    plant.settle()
    after = {sample["point"]: sample["time"] for sample in plant.gateway.get("api/v1/latest")}
    assert all(after[point] >= newest[point] for point in newest)
    plant.judged()


def test_a_killed_node_states_what_it_may_have_lost(plant):
    for _ in range(3):
        plant.n01.process.kill()
        until(lambda: plant.gateway.node_health("n01")["online"] is False, "the node shown as gone")
        plant.n01.start()
        until(lambda: plant.gateway.node_health("n01")["online"] is True, "the node back")
        plant.spy.wait_frames(4)
    found = plant.judged()
    assert found.boots >= 4
    assert found.codes["LOST"] >= 3


def test_an_overflowing_outbox_drops_the_oldest_under_a_signed_gap(plant, node_firmware):
    node = plant.switch_on("n02", node_firmware, SPEED)
    until(lambda: plant.gateway.node_evidence("n02")["last_receipt"], "a receipt for n02")
    key = plant.gateway.node_evidence("n02")["keyid"][:16]
    outage_s = OUTAGE_S
    while not _missing(plant.spy, key):
        # a node that gets little of the machine fills its outbox slower
        assert outage_s < OUTAGE_S_MAX, "the outbox does not overflow"
        plant.broker.kill()
        time.sleep(outage_s)
        plant.broker.start()
        plant.spy.wait_frames(20)
        outage_s *= 2
    # the gap is signed at the latest a minute of the node's time after the one before
    plant.settle()
    plant.settle()
    node.process.kill()
    found = plant.judged()
    assert len(_missing(plant.spy, key)) > 10
    assert found.codes["GAP"] > found.codes.get("LOST", 0)
    # the gap closes the hole for the operator too
    until(
        lambda: (
            not any("not come" in text for text in plant.gateway.node_health("n02")["findings"])
        ),
        "no open hole",
    )


def _missing(spy, key):
    """Frames below the newest heard of each boot that were not heard."""
    newest = {}
    for of, boot, seq in list(spy.frames):
        if of == key:
            newest[boot] = max(seq, newest.get(boot, -1))
    return [
        (key, boot, seq)
        for boot, end in newest.items()
        for seq in range(end)
        if (key, boot, seq) not in spy.frames
    ]


def test_a_wiped_node_has_a_new_key_that_waits_for_enrolment(plant):
    before = plant.gateway.node_evidence("n01")["keyid"]
    plant.settle()
    plant.n01.process.kill()
    plant.n01.process.wipe()
    plant.n01.start()
    until(
        lambda: (
            plant.gateway.node_evidence("n01")["state"] == "pending"
            and plant.gateway.node_evidence("n01")["keyid"] != before
        ),
        "the new key shown as pending",
    )
    kept = len(plant.site.rows())
    plant.spy.wait_frames(6)
    key = plant.gateway.node_evidence("n01")["keyid"][:16]
    assert not any(of == key for of, _ in plant.spy.upto)
    plant.n01.enrol()
    until(lambda: any(of == key for of, _ in plant.spy.upto), "frames of the new key acked")
    found = plant.judged()
    assert found.rows > kept
