"""A node whose key is in a secure element, with the real gateway: enrolled, receipted, verified.

Then the element fails: the node goes on measuring, says so, and signs nothing.
"""

from __future__ import annotations

import time

import pytest

from raffinate_rig.brokers import MosquittoBroker
from raffinate_rig.plugin import requires_tool
from raffinate_wire import dsse, p256, statement
from spy import Spy
from system import Gateway, NodeSpec, RealNode, Site, until

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
NODE = NodeSpec("n01", ("e01",), "bat-ext", scan_ms=500, statement_s=5, element=True)
SPEED = 10
SILENT_S = 2.0


@pytest.fixture
def plant(tmp_path, node_firmware):
    requires_tool("mosquitto")
    with MosquittoBroker(tmp_path / "broker") as broker, Spy(broker) as spy:
        site = Site(tmp_path / "plant", broker.port, [NODE]).make()
        with (
            Gateway(site) as gateway,
            RealNode(site, NODE.id, node_firmware, speed=SPEED) as node,
        ):
            yield site, gateway, node, spy


def parsed(spy):
    """Statements in the order of seq, each verified by the key that `boot` states."""
    envelopes = [spy.statements[key] for key in sorted(spy.statements)]
    found = [statement.parse_statement(dsse.parse_envelope(data).payload) for data in envelopes]
    spki = next(one.body["spki"] for one in found if one.type == "boot")
    for data in envelopes:
        dsse.open_envelope(data, spki, dsse.PAYLOAD_STATEMENT)
    assert p256.keyid(spki) == found[0].keyid
    return found


def test_a_node_with_an_element_enrols_signs_and_is_receipted_until_the_element_fails(plant):
    site, gateway, node, spy = plant
    chip = node.bus.device("element")
    node.enrol()
    spy.wait_receipts(3)
    first = parsed(spy)
    assert [one.body["tier"] for one in first if one.type == "boot"] == [2]
    assert gateway.node_evidence("n01")["state"] == "enrolled"
    node.bus.inject("element", "no-answer")
    until(lambda: any("signer" in line for line in node.process.errors()), "the node says so")
    signed = chip.signatures
    frames = len(spy.frames)
    node.process.kill()
    node.start()
    time.sleep(SILENT_S)
    assert chip.signatures == signed
    spy.wait_frames(5)
    assert len(spy.frames) > frames
    assert {key for key, boot, _ in spy.frames if boot == 2} == {first[0].keyid[:16]}
    assert all(one.boot == 1 for one in parsed(spy))
    node.bus.clear("element")
    until(lambda: any(one.boot == 2 for one in parsed(spy)), "it signs again")
    until(lambda: any("signer" in (one.body.get("why") or "") for one in parsed(spy)), "and why")
    spy.wait_receipts(1)
    assert node.bus.misuses() == []
    result = site.verify(site.bundle())
    assert result["verdicts"]["authentic"] == "PASS"
