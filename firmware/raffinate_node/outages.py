"""Sensor buses that fall silent: seen scan by scan, kept until a signed gap has told of them."""

from raffinate_node import quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A bus is silent when no sensor that was asked on it was reached in so many scans in a row.
SCANS_MIN = 3
# What does not end is told of after this long, and again.
OPEN_MS_MAX = 3_600_000
# Outages that follow one another sooner are told of together.
AGAIN_MS = 60_000


class Outages:
    """`scan` after each scan; `due` gives what is to be signed, `told` says that it is stored."""

    def __init__(self, console: "Any") -> None:
        self._console = console
        # by bus: [silent scans, since, begin, end, outages, not before], times in ms of uptime
        self._buses: "dict[str, list[Any]]" = {}

    def scan(self, name: str, points: "list[Any]", up_ms: int) -> None:
        """Look at what a scan made of a bus's points."""
        is_silent = silent(points)
        bus = self._buses.get(name)
        if is_silent is None or (bus is None and not is_silent):
            return
        if bus is None:
            bus = self._buses[name] = [0, 0, 0, 0, 0, 0]
        if not is_silent:
            if bus[0] >= SCANS_MIN:
                bus[3] = up_ms
                self._console(f"raffinate notice {name} answers again")
            bus[0] = 0
            return
        if not bus[0]:
            bus[1] = up_ms
        bus[0] += 1
        if bus[0] == SCANS_MIN:
            if not bus[4]:
                bus[2] = bus[1]
            bus[4] += 1
            self._console(f"raffinate error {name} is silent")

    def due(self, up_ms: int) -> "tuple[str, int, int, int] | None":
        """Return (bus, begin, end, how many outages) to be signed now, or None."""
        for name in self._buses:
            scans, _, begin_ms, end_ms, count, due_ms = self._buses[name]
            is_open = scans >= SCANS_MIN
            if count and up_ms >= due_ms and not (is_open and up_ms - begin_ms < OPEN_MS_MAX):
                return name, begin_ms, up_ms if is_open else end_ms, count
        return None

    def told(self, name: str, end_ms: int, count: int, up_ms: int) -> None:
        """What due() gave is signed; what goes on, or came meanwhile, is told of later."""
        bus = self._buses[name]
        bus[4] -= count
        bus[5] = up_ms + AGAIN_MS
        bus[2] = max(end_ms, bus[1])
        if bus[0] >= SCANS_MIN:
            bus[4] = max(1, bus[4])


def silent(points: "list[Any]") -> "bool | None":
    """Return whether none of the points asked in a scan was reached; None where none was asked."""
    found = None
    for point in points:
        if point.result is None:
            continue
        if point.result not in (quality.ABSENT, quality.BUS):
            return False
        found = True
    return found
