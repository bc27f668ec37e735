"""pytest plugin: real programs as fixtures, skipped with a reason where one is missing."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from raffinate_rig import processes
from raffinate_rig.brokers import BROKERS, Broker, MosquittoBroker, NatsBroker
from raffinate_rig.deploy import deploy
from raffinate_rig.influx_servers import INFLUX_SERVERS, Influx18, Influx27, InfluxServer
from raffinate_rig.node_rig import NodeRig
from raffinate_rig.processes import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    MakeNodeRig = Callable[..., NodeRig]

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


@pytest.fixture
def node_rig(broker: Broker, node_firmware: Path, tmp_path: Path) -> Iterator[MakeNodeRig]:
    """Make node rigs over each of the brokers in turn: `node_rig(config, speed=10)`."""
    with ExitStack() as rigs:

        def make(config: Mapping[str, Any], **options: Any) -> NodeRig:
            rig = NodeRig(config, broker, firmware=node_firmware, folder=tmp_path, **options)
            return rigs.enter_context(rig)

        yield make
