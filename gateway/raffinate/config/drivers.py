"""What each sensor driver of the firmware needs to be told, and its default wiring.

Default wiring is computed from a stage's place on its node (docs/architecture.md, node.json).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EZO_PH_ADDRESS = 99
EZO_EC_ADDRESS = 100
MUX_ADDRESS = 112
MUX_CHANNELS = 8
ADS1115_ADDRESS = 72
ADS1115_CHANNELS = 4
MAX31865_CS = 10
PULSE_PIN = 20
EQUIPMENT_PIN = 100
EQUIPMENT_PINS = ("run", "start", "bypass", "permissive")

COUNTS = "1/s"
"""Unit of a counter of events: each is a pulse, so it has no pulses a litre."""
UNITS = ("pH", "S/m", "l/s", "Cel", "/", "Pa", "m", COUNTS)
"""SenML units a point may have; pages convert them for people."""


@dataclass(frozen=True, slots=True)
class Driver:
    """Keys a point of this driver may carry beside unit, range and normal; `required` of them."""

    keys: tuple[str, ...]
    required: tuple[str, ...] = ()
    units: tuple[str, ...] = UNITS
    board_keys: tuple[str, ...] = ()
    """Keys without a default off the Unix port: a board's own pins."""


DRIVERS: Mapping[str, Driver] = {
    "ezo-ph": Driver(("bus", "address", "mux", "temp"), units=("pH",)),
    "ezo-ec": Driver(("bus", "address", "mux", "temp", "alpha_pct_k", "k_per_cm"), units=("S/m",)),
    "max31865": Driver(
        ("bus", "cs", "r0_ohm", "rref_ohm", "wires"), units=("Cel",), board_keys=("cs",)
    ),
    "pulse": Driver(
        ("pin", "pulses_per_l", "window_ms"), ("pulses_per_l",), ("l/s", COUNTS), ("pin",)
    ),
    "ads1115": Driver(
        ("bus", "address", "mux", "channel", "shunt_ohm", "low", "high", "delay_ms"),
        ("low", "high"),
    ),
    "digital": Driver(("pin", "invert"), ("pin",), ("/",)),
}
EZO = ("ezo-ph", "ezo-ec")


def wiring(driver: str, name: str, place: int) -> dict[str, object]:
    """Default wiring of a point called `name` in the stage at `place` (from 0) on its node."""
    mux = [MUX_ADDRESS + place // MUX_CHANNELS, place % MUX_CHANNELS]
    match driver:
        case "ezo-ph":
            return {"bus": 0, "address": EZO_PH_ADDRESS, "mux": mux}
        case "ezo-ec":
            return {"bus": 0, "address": EZO_EC_ADDRESS, "mux": mux, "alpha_pct_k": 1.56}
        case "max31865":
            return {"bus": 0, "cs": MAX31865_CS + place, "r0_ohm": 1000, "rref_ohm": 4300}
        case "pulse":
            return {"pin": PULSE_PIN + 2 * place + (1 if name == "flow_org" else 0)}
        case "digital":
            return {}
        case _:
            address = ADS1115_ADDRESS + place // ADS1115_CHANNELS
            channel = place % ADS1115_CHANNELS
            return {"bus": 0, "address": address, "channel": channel, "shunt_ohm": 150}


def equipment_pins(place: int) -> dict[str, int]:
    """Default pins of the equipment at `place` (from 0) among those its node meters."""
    return {name: EQUIPMENT_PIN + 4 * place + k for k, name in enumerate(EQUIPMENT_PINS)}


def occupies(driver: str, wires: Mapping[str, object]) -> tuple[object, ...]:
    """What only one point of a node can have: a pin, a chip select, or a channel on a bus."""
    match driver:
        case "max31865":
            return ("spi", wires["bus"], "cs", wires["cs"])
        case "pulse" | "digital":
            return ("pin", wires.get("pin"))
        case _:
            mux = wires.get("mux")
            behind = tuple(mux) if isinstance(mux, (list, tuple)) else ("none",)
            place = ("i2c", wires["bus"], "multiplexer", *behind, "address", wires["address"])
            return (*place, "channel", wires["channel"]) if "channel" in wires else place


def scan_ms_min(circuits: int) -> int:
    """The shortest scan of a node with so many EZO circuits, 0 without any.

    They convert together for 900 ms; each needs two transactions of the bus, the frame some more.
    """
    return 900 + 4 * circuits + 40 if circuits else 0
