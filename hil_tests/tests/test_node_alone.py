"""The real gateway gives a permit and is killed: the node goes on alone to the permit's end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from raffinate.licence.document import format_licence
from raffinate_rig.brokers import MosquittoBroker
from raffinate_rig.plugin import requires_tool
from raffinate_wire import dsse, statement
from spy import Spy
from system import SERIAL, Gateway, NodeSpec, RealNode, Site, until

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
NODE = NodeSpec("n01", ("e01",), "bat-ext")
# Long enough for the permit to come; a scan, and the host's clock against the node's.
LIFE_S, GRACE_S = 10, 3
SLACK_MS = 2000


@pytest.fixture
def plant(tmp_path, node_firmware):
    requires_tool("mosquitto")
    with MosquittoBroker(tmp_path / "broker") as broker, Spy(broker) as spy:
        site = Site(tmp_path / "plant", broker.port, [NODE]).make()
        (site.folder / "licences" / "bat-ext.toml").unlink()
        with Gateway(site) as gateway, RealNode(site, NODE.id, node_firmware) as node:
            node.set_running(0)
            node.enrol()
            spy.wait_receipts(2)
            yield site, gateway, node, spy


def bodies(spy, *kinds):
    found = [
        statement.parse_statement(dsse.parse_envelope(spy.statements[key]).payload)
        for key in sorted(spy.statements)
    ]
    return [one for one in found if one.type in kinds]


def test_with_the_gateway_killed_a_node_permits_until_end_and_grace_and_then_no_start(plant):
    site, gateway, node, spy = plant
    (pins,) = node.config["equipment"]
    # whole seconds, as licence files have them
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LIFE_S)
    span = (end - timedelta(days=1), end)
    licence = format_licence("TEST-2", "Testing authority", SERIAL, ("e01",), *span, GRACE_S)
    (site.folder / "licences" / "bat-ext.toml").write_bytes(licence)
    until(lambda: node.bus.output(pins["permissive_pin"]), "the permit")
    gateway.kill()
    node.set_running()
    until(lambda: not node.bus.output(pins["permissive_pin"]), "the contact opens")
    over_ms = time.time_ns() // 1_000_000 - round(end.timestamp() * 1000) - 1000 * GRACE_S
    assert -SLACK_MS <= over_ms <= SLACK_MS
    node.set_running(0)
    spy.wait_frames(3)
    node.bus.set_input(pins["start_pin"], 1)
    until(lambda: bodies(spy, "denial"), "the refusal")
    assert [one.body["reason"] for one in bodies(spy, "denial")] == ["permit-ended"]
    uses = [one.body["equipment"][0] for one in bodies(spy, "usage", "heartbeat")]
    assert {"compliant", "start-inhibit"} <= {use["state"] for use in uses}
    # what was used alone was counted, and is in the log once there is a gateway again
    assert bodies(spy, "usage")[-1].registers[0]["runMs"] >= 1000 * GRACE_S // 2
    refused = bodies(spy, "denial")[0]
    gateway.start()
    until(lambda: (refused.keyid, refused.seq) in spy.receipts, "the receipt of the refusal")
