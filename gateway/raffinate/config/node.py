"""node.json: what a board is told, made from the plant and public keys (docs/architecture.md)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from raffinate.config.drivers import COUNTS
from raffinate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raffinate.config.settings import Config
    from raffinate.model import Equipment, Point

UNIX_I2C = [{"bus": 0, "scl": 22, "sda": 21, "hz": 100_000}]
UNIX_SPI = [{"bus": 0, "sck": 18, "mosi": 23, "miso": 19, "hz": 1_000_000}]
KEY_NAMES = ("log", "permit", "gateway", "authority")


def node_config(
    config: Config, node_id: str, log: str, keys: Mapping[str, str], broker_port: int | None = None
) -> dict[str, object]:
    """node.json as a dict; `log` is the log's origin, `keys` base64 SPKI DER by KEY_NAMES.

    `broker_port` replaces the configured port, for a broker that took a free one.
    """
    plant = config.plant
    node = plant.nodes.get(node_id)
    if node is None:
        raise ConfigError(
            f"{config.file} has no node {node_id!r}; its nodes are {', '.join(plant.nodes)}"
        )
    missing = [name for name in KEY_NAMES if not keys.get(name)]
    if missing:
        raise ConfigError(
            f"public keys {', '.join(missing)} are missing; run `raffinate keys init` first"
        )
    board = config.boards[node_id]
    machines = [machine for machine in plant.equipment.values() if machine.node == node_id]
    optional = {name: board[name] for name in ("wifi", "element") if board[name]}
    return {
        "v": 1,
        "site": plant.site,
        "node": node_id,
        "log": log,
        "broker": {
            "host": config.broker.host,
            "port": config.broker.port if broker_port is None else broker_port,
            "user": config.broker.user,
            "password": config.broker.password,
            "keepalive_s": config.broker.keepalive_s,
        },
        "keys": {name: keys[name] for name in KEY_NAMES},
        "scan_ms": node.scan_ms,
        "frame_scans": board["frame_scans"],
        "statement_s": node.statement_s,
        "outbox": board["outbox"],
        "i2c": board["i2c"] or UNIX_I2C,
        "spi": board["spi"] or UNIX_SPI,
        **optional,
        "stages": [
            {"id": stage, "points": [_point(point) for point in plant.stages[stage].points]}
            for stage in node.stages
        ],
        "equipment": [_machine(machine) for machine in machines],
        "calibration": {
            point: dict(values)
            for point, values in config.calibration.items()
            if plant.stages[point.partition("/")[0]].node == node_id
        },
    }


def format_node_config(content: Mapping[str, object]) -> bytes:
    """The file's bytes; their SHA-256 is the `config` digest of the node's statements."""
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _point(point: Point) -> dict[str, object]:
    wires = dict(point.driver)
    driver = wires.pop("driver")
    content: dict[str, object] = {"name": point.name, "driver": driver, **wires}
    if driver == "ads1115" or point.unit == COUNTS:
        content["unit"] = point.unit
    content["range"] = list(point.range)
    return content


def _machine(machine: Equipment) -> dict[str, object]:
    try:
        digest = hashlib.sha256(machine.descriptor.read_bytes()).hexdigest()
    except OSError as exc:
        raise ConfigError(f"{machine.descriptor} cannot be read: {exc.strerror}") from exc
    return {
        "id": machine.id,
        "descriptor": digest,
        **{f"{name}_pin": pin for name, pin in machine.pins.items()},
        "volume": machine.volume,
        "latching": machine.latching,
    }
