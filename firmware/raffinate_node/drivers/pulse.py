"""Flow meters with a pulse output, counted by hardware."""

from array import array

from raffinate_node import conversion, quality
from raffinate_node.drivers import AT_ONCE, NOTHING
from raffinate_node.quality import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WINDOW_MS = 4000
# A slow flow is averaged over up to this many windows, until it gives enough pulses.
WINDOWS_MAX = 4
PULSES_ENOUGH = 50
SCANS_MAX = 32
# Counts and times are kept in 32 bits; what they differ by is far below.
_MASK = 0xFFFFFFFF


class PulseFlow:
    """A flow in l/s: pulses over time since a count window_ms ago, or longer ago where few came.

    `total` is the newest count, None where it could not be read; k (`pulses_per_l`) is configured.
    `scan_ms` is how often it is collected, so that no more counts are kept than the windows need.
    """

    phase = AT_ONCE
    needs_temp = False

    def __init__(
        self,
        counter: "Any",
        up_ms: "Any",
        pulses_per_l: float,
        window_ms: int = WINDOW_MS,
        scan_ms: int = 0,
    ) -> None:
        self._counter = counter
        self._up_ms = up_ms
        self._pulses_per_l = pulses_per_l
        self._window_ms = window_ms
        scans = WINDOWS_MAX * window_ms // scan_ms + 2 if scan_ms else SCANS_MAX
        self._places = min(SCANS_MAX, scans)
        # The counts, then their times.
        self._ring = array("I", [0] * (2 * self._places))
        # How many are kept, and where the newest is.
        self._kept = 0
        self._newest = 0
        self._last_total = 0
        self.total: "int | None" = None

    def begin(self, temp_c: "float | None") -> int:  # noqa: ARG002 - one face for all drivers
        """Nothing to start; the counter runs all the time."""
        return 0

    def collect(self) -> "Any":
        """Return the flow; NOTHING at the first count, Fault where the counter fell."""
        self.total = None
        total = self._counter.value()
        now_ms = self._up_ms()
        self.total = total
        fell = self._kept and total < self._last_total
        if fell:
            self._kept = 0
        self._remember(total, now_ms)
        if fell:
            raise Fault(quality.RESTARTED)
        place = self._since(total, now_ms)
        elapsed_ms = self._age_ms(place, now_ms)
        if elapsed_ms <= 0:
            return NOTHING
        return conversion.pulse_flow(self._gain(place, total), elapsed_ms, self._pulses_per_l)

    def _since(self, total: int, now_ms: int) -> int:
        for place in range(1, self._kept - 1):
            if (
                self._age_ms(place, now_ms) >= self._window_ms
                and self._gain(place, total) >= PULSES_ENOUGH
            ):
                return place
        return self._kept - 1

    def _remember(self, total: int, now_ms: int) -> None:
        # One count older than the longest window stays, so that the window is covered whole.
        longest_ms = WINDOWS_MAX * self._window_ms
        while self._kept > 1 and (
            self._kept >= self._places or self._age_ms(self._kept - 2, now_ms) >= longest_ms
        ):
            self._kept -= 1
        self._newest = (self._newest + 1) % self._places
        self._ring[self._newest] = total & _MASK
        self._ring[self._places + self._newest] = now_ms & _MASK
        self._last_total = total
        self._kept += 1

    def _age_ms(self, place: int, now_ms: int) -> int:
        """How long ago the count at a place was, 0 the newest."""
        at = self._places + (self._newest - place) % self._places
        return (now_ms - self._ring[at]) & _MASK

    def _gain(self, place: int, total: int) -> int:
        """Pulses since the count at a place."""
        return (total - self._ring[(self._newest - place) % self._places]) & _MASK
