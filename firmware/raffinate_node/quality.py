"""NAMUR NE 107 states of a point: letter, colon, reason. A good point has none.

F failure, C function check, S out of specification, M maintenance; docs/node.md lists the reasons.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENODEV = 19

ABSENT = "F:absent"
BUS = "F:bus"
DRIVER = "F:driver"
NOT_READY = "F:not-ready"
REFUSED = "F:refused"
GARBLED = "F:garbled"
RESTARTED = "F:restarted"
OPEN = "F:open"
SHORT = "F:short"
SUPPLY = "F:supply"
NO_TEMP = "S:no-temp"
LIMIT = "S:limit"
RANGE = "S:range"


class Fault(Exception):  # noqa: N818 - it reports a sensor's state, not a program's error
    """A point that cannot be measured; `state` is its NE 107 text."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def bus_state(error: OSError) -> str:
    """Return the state behind a bus error: nobody answers, or the bus itself fails."""
    return ABSENT if error.args and error.args[0] == ENODEV else BUS


def of_value(value: float, limits: "tuple[Any, Any] | None") -> "str | None":
    """Return None for a number inside its range, S:range outside, F:garbled for NaN."""
    if value != value:  # noqa: PLR0124 - NaN differs from itself; boards may lack math.isnan
        return GARBLED
    if limits is not None and not limits[0] <= value <= limits[1]:
        return RANGE
    return None
