"""Flow meters with a pulse output, counted by hardware."""

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


class PulseFlow:
    """A flow in l/s: pulses over time since a count window_ms ago, or longer ago where few came.

    `total` is the newest count, None where it could not be read; k (`pulses_per_l`) is configured.
    """

    phase = AT_ONCE
    needs_temp = False

    def __init__(
        self, counter: "Any", up_ms: "Any", pulses_per_l: float, window_ms: int = WINDOW_MS
    ) -> None:
        self._counter = counter
        self._up_ms = up_ms
        self._pulses_per_l = pulses_per_l
        self._window_ms = window_ms
        self._counts: "list[int]" = []
        self._times: "list[int]" = []
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
        if self._counts and total < self._counts[-1]:
            self._forget()
            self._remember(total, now_ms)
            raise Fault(quality.RESTARTED)
        self._remember(total, now_ms)
        since = self._since(total, now_ms)
        elapsed_ms = now_ms - self._times[since]
        if elapsed_ms <= 0:
            return NOTHING
        return conversion.pulse_flow(total - self._counts[since], elapsed_ms, self._pulses_per_l)

    def _since(self, total: int, now_ms: int) -> int:
        for at in range(len(self._times) - 2, 0, -1):
            if (
                now_ms - self._times[at] >= self._window_ms
                and total - self._counts[at] >= PULSES_ENOUGH
            ):
                return at
        return 0

    def _forget(self) -> None:
        self._counts.clear()
        self._times.clear()

    def _remember(self, total: int, now_ms: int) -> None:
        # One count older than the longest window stays, so that the window is covered whole.
        times = self._times
        longest_ms = WINDOWS_MAX * self._window_ms
        while len(times) > 1 and (now_ms - times[1] >= longest_ms or len(times) >= SCANS_MAX):
            times.pop(0)
            self._counts.pop(0)
        times.append(now_ms)
        self._counts.append(total)
