"""What node.json may say about a point: its driver and the driver's own members."""

from raffinate_node.drivers.ads1115 import LOOP_DELAY_MS
from raffinate_node.drivers.pulse import WINDOW_MS
from raffinate_node.settings import PointConfig
from raffinate_wire import frame
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from raffinate_node.members import Members

PIN_MAX = 255
ANY = 1e9
NAME_CHARS_MAX = 32


def read_point(members: "Members") -> PointConfig:
    """Return the point an object of node.json describes; raise ConfigError."""
    name = members.text("name", chars_max=NAME_CHARS_MAX)
    try:
        frame.check_name("stage/" + name)
    except WireError as error:
        raise members.error("name", str(error), "Use letters, digits and _") from None
    driver = members.text("driver")
    if driver not in _READERS:
        known = ", ".join(sorted(_READERS))
        raise members.error("driver", f"there is no driver {driver}", f"There are {known}")
    unit, decimals, options = _READERS[driver](members)
    limits = members.pair("range", -ANY, ANY)
    members.done()
    return PointConfig(name, driver, unit, decimals, limits, options)


def _i2c(members: "Members", default_address: int) -> "dict[str, Any]":
    options = {
        "bus": members.integer("bus", 0, 7, 0),
        "address": members.integer("address", 8, 119, default_address),
        "mux": None,
    }
    path = members.raw("mux", None)
    if path is not None:
        remedy = "Write [address of the TCA9548A (112 to 119), channel (0 to 7)]"
        if not isinstance(path, list) or len(path) != 2:
            raise members.error("mux", "two integers are expected", remedy)
        for number, low, high in ((path[0], 112, 119), (path[1], 0, 7)):
            if not isinstance(number, int) or not low <= number <= high:
                raise members.error("mux", f"{number} is not possible", remedy)
        options["mux"] = (path[0], path[1])
    return options


def _temp(members: "Members") -> "Any":
    value = members.raw("temp", None)
    if value is None:
        return None
    return members.text("temp") if isinstance(value, str) else members.number("temp", -20, 150)


def _ezo_ph(members: "Members") -> "Any":
    options = _i2c(members, 99)
    options["temp"] = _temp(members)
    return "pH", 3, options


def _ezo_ec(members: "Members") -> "Any":
    options = _i2c(members, 100)
    options["temp"] = _temp(members)
    options["alpha_pct_k"] = members.number("alpha_pct_k", 0, 10)
    options["k_per_cm"] = members.number("k_per_cm", 0.01, 10, None)
    return "S/m", 5, options


def _ads1115(members: "Members") -> "Any":
    options = _i2c(members, 72)
    options["channel"] = members.integer("channel", 0, 3)
    # 22 mA must stay below the converter's 4.096 V
    options["shunt_ohm"] = members.number("shunt_ohm", 10, 186)
    options["low"] = members.number("low", -ANY, ANY)
    options["high"] = members.number("high", -ANY, ANY)
    options["delay_ms"] = members.integer("delay_ms", 0, 60_000, LOOP_DELAY_MS)
    unit = members.text("unit")
    try:
        frame.check_unit(unit)
    except WireError as error:
        raise members.error("unit", str(error), "Write the SenML unit") from None
    if options["low"] == options["high"]:
        raise members.error("high", "low and high are equal", "Write the values at 4 and 20 mA")
    return unit, 4, options


def _max31865(members: "Members") -> "Any":
    options = {
        "bus": members.integer("bus", 0, 7, 0),
        "cs": members.integer("cs", 0, PIN_MAX),
        "r0_ohm": members.number("r0_ohm", 10, 10_000, 1000.0),
        "rref_ohm": members.number("rref_ohm", 10, 100_000, 4300.0),
        "wires": members.integer("wires", 2, 4, 3),
    }
    return "Cel", 2, options


def _pulse(members: "Members") -> "Any":
    unit = members.text("unit", "l/s")
    if unit not in ("l/s", "1/s"):
        raise members.error("unit", f"pulses measure no {unit}", "Write l/s, or 1/s for a counter")
    # A counter's events are its pulses.
    counts = unit == "1/s"
    options = {
        "pin": members.integer("pin", 0, PIN_MAX),
        "pulses_per_l": 1.0 if counts else members.number("pulses_per_l", 0.001, 10_000_000),
        "window_ms": members.integer("window_ms", 0, 60_000, WINDOW_MS),
    }
    return unit, 3 if counts else 7, options


def _digital(members: "Members") -> "Any":
    options = {
        "pin": members.integer("pin", 0, PIN_MAX),
        "invert": members.flag("invert", False),
    }
    return "/", 0, options


_READERS = {
    "ezo-ph": _ezo_ph,
    "ezo-ec": _ezo_ec,
    "ads1115": _ads1115,
    "max31865": _max31865,
    "pulse": _pulse,
    "digital": _digital,
}
