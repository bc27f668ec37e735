"""The node's time: uptime from ticks, accepted time with its state, and the floor under it.

A board has no trusted clock of its own. Uptime is all it knows until the gateway answers its
nonce; how good an accepted time still is, is the clock state that every record carries.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

INFORMATIVE_MS = 2 * 3600 * 1000
RELATIVE_MS = 24 * 3600 * 1000
STEP_MS = 2000
FLOOR_SAVE_MS = 60000
# Soon after a start it is saved sooner: who cuts the power again and again stops no clock.
FLOOR_SAVE_MS_MIN = 5000
TIME_MS_MAX = 253402300799999


class Clock:
    """Uptime, time and time floor in ms, from hal.ticks_ms and hal.ticks_diff alone.

    `save_floor(ms)` makes the floor durable; tick() calls it each minute. `on_step(kind, old, new)`
    hears "back-refused" (a time over 2 s before what was believed) and "forward" (over 2 s ahead).
    up_ms() must be called at least once in half a tick period (2^29 ms, six days, on boards).
    """

    def __init__(
        self,
        hal: "Any",
        floor_ms: "int | None",
        save_floor: "Callable[[int], None] | None" = None,
    ) -> None:
        self._hal = hal
        self._ticks = hal.ticks_ms()
        self._up_ms = 0
        self._offset_ms: int | None = None
        self._accepted_up_ms = 0
        self.known_up_ms = 0  # when the time was accepted for the first time
        self._floor_ms = floor_ms
        self._floor_up_ms = 0
        self._save_floor = save_floor
        self._saved_up_ms = 0
        self.on_step: Callable[[str, int, int], None] | None = None

    def up_ms(self) -> int:
        """Milliseconds since boot; never falls."""
        ticks = self._hal.ticks_ms()
        passed = self._hal.ticks_diff(ticks, self._ticks)
        if passed > 0:
            self._up_ms += passed
            self._ticks = ticks
        return self._up_ms

    def time_ms(self) -> "int | None":
        """UTC in ms since 1970; None under clock state U."""
        return None if self._offset_ms is None else self._offset_ms + self.up_ms()

    def state(self) -> str:
        """U unknown, S synchronised, I informative (2 h without a new time), R relative (24 h)."""
        if self._offset_ms is None:
            return "U"
        age_ms = self.up_ms() - self._accepted_up_ms
        if age_ms >= RELATIVE_MS:
            return "R"
        return "I" if age_ms >= INFORMATIVE_MS else "S"

    def accept(self, time_ms: int, up_ms_asked: int) -> bool:
        """Take the gateway's time, asked for at up_ms_asked; return False when it was refused.

        The answer was made between the question and now, so it is set at the middle of the two.
        """
        up_ms = self.up_ms()
        if not 0 < time_ms <= TIME_MS_MAX or not 0 <= up_ms_asked <= up_ms:
            return False
        new_ms = time_ms + (up_ms - up_ms_asked) // 2
        believed_ms = self.guard_ms()
        own_ms = self.time_ms()
        if believed_ms is not None and new_ms < believed_ms - STEP_MS:
            self._report_step("back-refused", believed_ms, new_ms)
            return False
        if own_ms is None:
            self.known_up_ms = up_ms
        self._offset_ms = new_ms - up_ms
        self._accepted_up_ms = up_ms
        self.raise_floor(new_ms)
        if own_ms is not None and new_ms > own_ms + STEP_MS:
            self._report_step("forward", own_ms, new_ms)
        return True

    def floor_ms(self) -> "int | None":
        """The largest time this node has lived or been told, to be persisted; None without any."""
        return self.guard_ms()

    def guard_ms(self) -> "int | None":
        """The time permits are judged by: never falls, None while the node knows no time at all."""
        up_ms = self.up_ms()
        if self._offset_ms is not None:
            own_ms = self._offset_ms + up_ms
            if self._floor_ms is None or own_ms >= self._floor_ms:
                self._floor_ms = own_ms
        elif self._floor_ms is not None:
            self._floor_ms += up_ms - self._floor_up_ms
        self._floor_up_ms = up_ms
        return self._floor_ms

    def raise_floor(self, ms: int) -> None:
        """Lift the floor to ms where that is higher (a permit's issuedMs, an accepted time)."""
        floor_ms = self.guard_ms()
        if 0 < ms <= TIME_MS_MAX and (floor_ms is None or ms > floor_ms):
            self._floor_ms = ms

    def tick(self) -> None:
        """Persist the floor each minute, and after 5, 10, 20 and 40 s of uptime."""
        up_ms = self.up_ms()
        if up_ms - self._saved_up_ms >= save_pace_ms(up_ms):
            self.save_floor()

    def save_floor(self) -> None:
        """Persist the floor now; raise what save_floor raises."""
        self._saved_up_ms = self.up_ms()  # also when flash refuses: the next try is later
        floor_ms = self.guard_ms()
        if floor_ms is not None and self._save_floor is not None:
            self._save_floor(floor_ms)

    def _report_step(self, kind: str, old_ms: int, new_ms: int) -> None:
        if self.on_step is not None:
            self.on_step(kind, old_ms, new_ms)


def save_pace_ms(up_ms: int) -> int:
    """How long after the last time what grows with the uptime is made durable again."""
    return min(FLOOR_SAVE_MS, max(FLOOR_SAVE_MS_MIN, up_ms // 2))
