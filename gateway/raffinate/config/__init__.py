"""The plant folder: plant.toml, equipment descriptors, and node.json made from them."""

from raffinate.config.load import LOOPBACK, load_config
from raffinate.config.node import KEY_NAMES, format_node_config, node_config
from raffinate.config.settings import (
    Anchors,
    Broker,
    Config,
    Influx,
    Listen,
    Storage,
    Timestamps,
    Witness,
)

__all__ = [
    "KEY_NAMES",
    "LOOPBACK",
    "Anchors",
    "Broker",
    "Config",
    "Influx",
    "Listen",
    "Storage",
    "Timestamps",
    "Witness",
    "format_node_config",
    "load_config",
    "node_config",
]
