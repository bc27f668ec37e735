"""pytest plugin: real programs as fixtures, skipped with a reason where one is missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from raffinate_rig import processes
from raffinate_rig.brokers import BROKERS, Broker, MosquittoBroker, NatsBroker
from raffinate_rig.deploy import deploy
from raffinate_rig.influx_servers import INFLUX_SERVERS, Influx18, Influx27, InfluxServer
from raffinate_rig.processes import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUIRE_ALL = "RAFFINATE_REQUIRE_ALL"


def requires_tool(name: str) -> Path:
    """The program's path; without it the test skips, or fails where RAFFINATE_REQUIRE_ALL=1."""
    try:
        return processes.find_tool(name)
    except MissingToolError as error:
        if os.environ.get(REQUIRE_ALL) == "1":
            pytest.fail(f"{error} ({REQUIRE_ALL}=1 forbids skipping)", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    return processes.free_port()


@pytest.fixture
def nats_broker(tmp_path: Path) -> Iterator[NatsBroker]:
    """A running nats-server with MQTT on JetStream."""
    requires_tool("nats-server")
    with NatsBroker(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture
def mosquitto_broker(tmp_path: Path) -> Iterator[MosquittoBroker]:
    """A running mosquitto."""
    requires_tool("mosquitto")
    with MosquittoBroker(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture(params=sorted(BROKERS))
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Each of the brokers in turn, running."""
    requires_tool(request.param)
    with BROKERS[request.param](tmp_path / request.param) as broker:
        yield broker


@pytest.fixture
def influx18(tmp_path: Path) -> Iterator[Influx18]:
    """A running InfluxDB 1.8."""
    requires_tool("influxd-1.8")
    with Influx18(tmp_path / "influxd18") as server:
        yield server


@pytest.fixture
def influx27(tmp_path: Path) -> Iterator[Influx27]:
    """A running InfluxDB 2.7."""
    requires_tool("influxd-2.7")
    with Influx27(tmp_path / "influxd27") as server:
        yield server


@pytest.fixture(params=sorted(INFLUX_SERVERS))
def influx_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InfluxServer]:
    """Each InfluxDB in turn, running."""
    requires_tool(f"influxd-{request.param}")
    with INFLUX_SERVERS[request.param](tmp_path / f"influxd{request.param}") as server:
        yield server


@pytest.fixture(scope="session")
def node_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware compiled to .mpy, as a board gets it."""
    requires_tool("mpy-cross")
    requires_tool("micropython")
    return deploy(tmp_path_factory.mktemp("firmware"))
