"""A node of real MicroPython signs what its contacts did, and goes on with it after a kill -9."""

from __future__ import annotations

from itertools import pairwise

import pytest

from raffinate.evidence.enrolment import format_code
from raffinate_rig.processes import wait_until
from raffinate_wire import dsse, statement
from rig_configs import node_config

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
SPEED = 4
RUN, START, PERMISSIVE = 100, 101, 103


@pytest.fixture
def rig(node_rig):
    config = node_config(equipment_ids=("bat-ext",), statement_s=10)
    rig = node_rig(config, speed=SPEED)
    rig.bus.set_input(RUN, 1)
    rig.start()
    return rig


def statements(rig) -> list[statement.Statement]:
    """All that came, once each, in the order of seq; every signature verified."""
    envelopes = set(rig.listener.statements)
    opened = {}
    spki = None
    for data in envelopes:
        found = statement.parse_statement(dsse.parse_envelope(data).payload)
        assert found.seq not in opened, "one number for two statements"
        opened[found.seq] = (found, data)
        if found.type == "boot":
            spki = found.body["spki"]
    for _, data in opened.values():
        dsse.open_envelope(data, spki, dsse.PAYLOAD_STATEMENT)
    for (_, before), (found, _) in pairwise(opened[seq] for seq in sorted(opened)):
        assert found.prev == statement.envelope_hash(before).hex()
    return [opened[seq][0] for seq in sorted(opened)]


def wait_for(rig, kind: str, count: int = 1) -> statement.Statement:
    """The `count`-th statement of a kind."""

    def come() -> bool:
        return sum(found.type == kind for found in statements(rig)) >= count

    wait_until(come, f"{count} {kind}", 60)
    return [found for found in statements(rig) if found.type == kind][count - 1]


def test_a_node_signs_its_key_its_use_and_a_start_that_was_refused(rig):
    boot = wait_for(rig, "boot")
    assert boot.body["foundRunning"] == ["bat-ext"]
    assert boot.clock == "S"
    assert rig.node.enrol_code() == format_code(boot.keyid)
    usage = wait_for(rig, "usage")
    assert usage.body["frames"]["first"] == 0
    assert usage.body["equipment"][0]["state"] == "start-inhibit"
    assert usage.registers[0]["runMs"] == usage.body["equipment"][0]["runMs"] > 0
    assert rig.bus.output(PERMISSIVE) == 0
    rig.bus.set_input(START, 1)
    refused = wait_for(rig, "denial")
    assert (refused.body["kind"], refused.body["reason"]) == ("REFUSED", "no-permit")
    rig.bus.set_input(RUN, 0)
    wait_for(rig, "heartbeat")
    rig.bus.set_input(RUN, 1)
    bridged = wait_for(rig, "denial", 2)
    assert bridged.body["kind"] == "STARTED-ANYWAY"
    assert rig.node.errors() == []


def test_a_killed_node_goes_on_with_its_chain_and_states_the_gap(rig):
    before = wait_for(rig, "usage", 2)
    rig.node.kill()
    rig.start()
    boot = wait_for(rig, "boot", 2)
    assert boot.keyid == before.keyid
    assert boot.body["foundRunning"] == []
    assert boot.boot == before.boot + 1
    gap = wait_for(rig, "gap")
    assert gap.body["what"] == "metering"
    after = wait_for(rig, "usage", 3)
    assert after.boot == boot.boot
    assert after.registers[0]["runMs"] > before.registers[0]["runMs"]
    assert after.registers[0]["starts"] == 0
    deltas = [found for found in statements(rig) if found.type == "usage"]
    total_ms = sum(found.body["equipment"][0]["runMs"] for found in deltas)
    assert total_ms == deltas[-1].registers[0]["runMs"]
