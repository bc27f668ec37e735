"""InfluxDB away for an hour of data: nodes get acks, the operator is told, nothing is lost."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from forger import ForgedNode
from raffinate_rig.influx_servers import ORG, TOKEN
from system import Gateway, NodeSpec, Site, until

pytestmark = [pytest.mark.broker, pytest.mark.influx]
HOUR = 3600
FEW = 60


class Logged:
    """A gateway that logs to an InfluxDB besides, and one node of one stage."""

    def __init__(self, folder, broker, influx):
        self._stack = ExitStack()
        self.influx = influx
        self.values = []
        try:
            self._begin(folder, broker, influx)
        except BaseException:
            self.close()
            raise

    def _begin(self, folder, broker, influx):
        self.site = Site(folder, broker.port, [NodeSpec("f00", ("f00",))])
        self.site.extra = (
            f'[influx]\nurl = "{influx.url}"\nversion = "2"\norg = "{ORG}"\n'
            f'bucket = "{influx.bucket}"\ntoken = "{TOKEN}"\n'
        )
        self.gateway = self._stack.enter_context(Gateway(self.site.make()))
        until(lambda: self.gateway.health["broker"]["state"] == "connected", "the broker session")
        self.node = self._stack.enter_context(ForgedNode(broker, "f00"))
        self.node.say_online()
        self.node.send("statement", self.node.boot_statement())
        self.site.enrol("f00", self.node.code)
        until(lambda: self.node.heard["ack"], "an ack with a new epoch")

    def close(self):
        self._stack.close()

    def send(self, count):
        """So many frames, one a second of the node's time; until all are acked."""
        fresh = [number / 100_000 for number in range(len(self.values), len(self.values) + count)]
        self.values += fresh
        self.node.send_all("frame", [self.node.frame(value) for value in fresh])
        until(lambda: self.node.upto == len(self.values) - 1, "acks of all frames")

    def written(self):
        """Values in InfluxDB, in the order of their times."""
        query = 'SELECT "level" FROM "stage" WHERE "stage" = \'f00\''
        return [row[1] for series in self.influx.query(query) for row in series["values"]]

    def state(self):
        return self.gateway.health["influx"]


@pytest.fixture
def logged(tmp_path, nats_broker, influx_server):
    logged = Logged(tmp_path / "plant", nats_broker, influx_server)
    yield logged
    logged.close()


def test_an_hour_of_data_waits_for_influxdb_and_comes_there_once(logged):
    logged.send(FEW)
    until(lambda: len(logged.written()) == FEW, "the first samples in InfluxDB")
    logged.influx.kill()
    logged.send(HOUR)
    until(lambda: logged.state()["state"] == "down", "the outage shown")
    assert "samples wait in the archive" in logged.state()["detail"]
    assert logged.state()["lag"] >= HOUR
    assert logged.gateway.get("healthz") == {"status": "degraded", "reasons": ["influx: down"]}
    # the page goes on, and a killed gateway knows where InfluxDB is
    latest = {sample["point"]: sample["value"] for sample in logged.gateway.get("api/v1/latest")}
    assert latest["f00/level"] == logged.values[-1]
    logged.gateway.kill()
    logged.gateway.start()
    until(lambda: logged.state()["state"] == "down", "the outage shown again")
    logged.influx.start()
    until(lambda: logged.state()["state"] == "ok" and logged.state()["lag"] == 0, "catching up")
    assert logged.gateway.get("healthz")["status"] == "ok"
    assert logged.written() == logged.values
    assert [row.value for row in logged.site.rows()] == logged.values
    assert logged.state()["quarantined"] == 0
