"""One scan after another at a fixed rate; a bad channel never stops another.

A scan reads what is there at once, starts every slow conversion, and collects them together. Each
point then has a number in its wire unit, an NE 107 state, or nothing (a command took its turn).
"""

import gc

from raffinate_node import aio, quality
from raffinate_node.drivers import AT_ONCE, IN_TURN, NOT_YET, NOTHING, TOGETHER
from raffinate_node.quality import Fault
from raffinate_wire.errors import WireError
from raffinate_wire.frame import scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# A tick that cannot be met within this is missed: the scan waits for the next one.
LATE_MS_MAX = 200
RETRY_MS = 10
READY_MS_MAX = 250
# For those that others wait for.
TURN_MS_MAX = 30
# A temperature so old still corrects another measurement; liquors change slowly.
TEMP_HOLD_MS = 60_000


class Point:
    """A point with its driver and what the last scan made of it.

    `temp` is the Point that corrects this one, a fixed temperature, or None. `result` is a float,
    an NE 107 text, or None where the scan has no measurement.
    """

    # Few points have these; so the others' instances need no room for them.
    limits: "tuple[float, float] | None" = None
    temp: "Any" = None

    def __init__(
        self,
        name: str,
        unit: str,
        decimals: int,
        limits: "tuple[float, float] | None",
        driver: "Any",
        temp: "Any" = None,
    ) -> None:
        self.name = name
        self.unit = unit
        self.driver = driver
        if temp is not None:
            self.temp = temp
        if limits is not None:
            self.limits = limits
        self.result: "float | str | None" = None
        self._decimals = decimals
        self._last_good: "float | None" = None
        self._last_good_ms = 0
        self._uncorrected = False
        # How long the sensor takes, and from begun() on when it is ready.
        self._ready_ms = 0

    def begin(self, up_ms: int) -> bool:
        """Start the measurement; False where it failed, with the state as result."""
        self.result = None
        self._ready_ms = 0
        temp_c = self._correction(up_ms)
        try:
            self._ready_ms = self.driver.begin(temp_c)
        except OSError as error:
            self.result = quality.bus_state(error)
            return False
        except Fault as fault:
            self.result = fault.state
            return False
        return True

    def begun(self, up_ms: int) -> None:
        """The last transaction of begin() is over: from now the sensor needs its time."""
        self._ready_ms += up_ms

    def wait_ms(self, up_ms: int) -> int:
        """How long until collect() may be called."""
        return self._ready_ms - up_ms

    def collect(self, up_ms: int) -> bool:
        """Take the measurement; False where the sensor is still busy."""
        try:
            value = self.driver.collect()
        except OSError as error:
            self.result = quality.bus_state(error)
            return True
        except Fault as fault:
            self.result = fault.state
            return True
        if value is NOT_YET:
            return False
        if value is not NOTHING:
            self.result = self._judged(value, up_ms)
        return True

    def give_up(self) -> None:
        """The sensor stayed busy for too long."""
        self.driver.give_up()
        self.result = quality.NOT_READY

    def good_temp_c(self, up_ms: int) -> "float | None":
        """This point's last good value, where it is not too old to correct another."""
        if self._last_good is None or up_ms - self._last_good_ms > TEMP_HOLD_MS:
            return None
        return self._last_good

    def record(self, stage: str) -> "tuple[str, str | None, Any, int]":
        """The frame's value for a result that is there."""
        name = f"{stage}/{self.name}"
        if isinstance(self.result, str):
            return name, None, self.result, 0
        try:
            mantissa, decimals = scaled(self.result, self._decimals)  # type: ignore[arg-type]
        except WireError:
            return name, None, quality.GARBLED, 0
        return name, self.unit, mantissa, decimals

    def _correction(self, up_ms: int) -> "float | None":
        self._uncorrected = self.temp is None and self.driver.needs_temp
        if self.temp is None or isinstance(self.temp, float):
            return self.temp
        temp_c: "float | None" = self.temp.good_temp_c(up_ms)
        self._uncorrected = temp_c is None
        return temp_c

    def _judged(self, value: float, up_ms: int) -> "float | str":
        state = quality.of_value(value, self.limits)
        if state is None and self._uncorrected:
            state = quality.NO_TEMP
        if state is not None:
            return state
        self._last_good = value
        self._last_good_ms = up_ms
        return value


class Stage:
    """A stage's id and points, in the order of their records in the frame."""

    def __init__(self, stage_id: str, points: "list[Point]") -> None:
        self.id = stage_id
        self.points = points


class Sampler:
    """Scans the stages every scan_ms and hands each scan on.

    `begin_buses()` readies the buses for a scan. `on_start(up_ms)` runs with the scan's digital
    inputs and counters just read: meter and guard. `on_scan(stages, bt_ms, clock, up_ms)` makes the
    frame. `sleep_ms` is a coroutine function, `tidy` collects the scan's garbage.
    """

    def __init__(
        self,
        clock: "Any",
        stages: "list[Stage]",
        scan_ms: int,
        begin_buses: "Callable[[], None]",
        on_start: "Callable[[int], None]",
        on_scan: "Callable[[list[Stage], int | None, str, int], None]",
        console: "Callable[[str], None]",
        sleep_ms: "Any" = aio.sleep_ms,
        tidy: "Callable[[], Any]" = gc.collect,
    ) -> None:
        self.scans = 0
        self.missed = 0
        self.late_ms_max = 0
        self._clock = clock
        self._stages = stages
        self._scan_ms = scan_ms
        self._begin_buses = begin_buses
        self._on_start = on_start
        self._on_scan = on_scan
        self._console = console
        self._sleep_ms = sleep_ms
        self._tidy = tidy
        self._together = _of_phase(stages, TOGETHER)
        self._in_turn = _of_phase(stages, IN_TURN)
        self._at_once = _of_phase(stages, AT_ONCE)
        self._pending: "list[Point]" = []
        self._broken: "set[str]" = set()

    async def run(self, beat: "Callable[[], None]") -> None:
        """Scan for ever, each scan within LATE_MS_MAX of its tick; missed ticks are stated."""
        tick_ms = self._clock.up_ms()
        while True:
            # In slices, so that a long scan interval still reports in.
            while True:
                beat()
                left_ms = tick_ms - self._clock.up_ms()
                if left_ms <= 0:
                    break
                await self._sleep_ms(min(left_ms, 1000))
            if -left_ms > LATE_MS_MAX:
                tick_ms = self._skip(tick_ms, -left_ms)
                continue
            self.late_ms_max = max(self.late_ms_max, -left_ms)
            await self.scan()
            tick_ms += self._scan_ms

    async def scan(self) -> None:
        """One pass over all points."""
        up_ms = self._clock.up_ms()
        bt_ms = self._clock.time_ms()
        state = self._clock.state()
        self._begin_buses()
        for point in self._at_once:
            if self._guarded_begin(point, up_ms):
                self._guarded_collect(point, up_ms)
        self._on_start(up_ms)
        await self._start_together()
        await self._read_in_turn()
        await self._collect_together()
        self._on_scan(self._stages, bt_ms, state, up_ms)
        self.scans += 1
        self._tidy()

    async def _start_together(self) -> None:
        self._pending.clear()
        for point in self._together:
            if self._guarded_begin(point, self._clock.up_ms()):
                self._pending.append(point)
            await self._sleep_ms(0)

    async def _read_in_turn(self) -> None:
        for point in self._in_turn:
            if not self._guarded_begin(point, self._clock.up_ms()):
                continue
            await self._sleep_ms(max(0, point.wait_ms(self._clock.up_ms())))
            deadline_ms = self._clock.up_ms() + TURN_MS_MAX
            while not self._guarded_collect(point, self._clock.up_ms()):
                if self._clock.up_ms() >= deadline_ms:
                    point.give_up()
                    break
                await self._sleep_ms(RETRY_MS)

    async def _collect_together(self) -> None:
        pending = self._pending
        deadline_ms: "int | None" = None
        while pending:
            for _ in range(len(pending)):
                point = pending.pop(0)
                left_ms = point.wait_ms(self._clock.up_ms())
                if left_ms > 0:
                    await self._sleep_ms(left_ms)
                if not self._guarded_collect(point, self._clock.up_ms()):
                    pending.append(point)
                await self._sleep_ms(0)
            now_ms = self._clock.up_ms()
            if deadline_ms is None:
                deadline_ms = now_ms + READY_MS_MAX
            if pending and now_ms >= deadline_ms:
                for point in pending:
                    point.give_up()
                pending.clear()
            elif pending:
                await self._sleep_ms(RETRY_MS)

    def _guarded_begin(self, point: Point, up_ms: int) -> bool:
        try:
            started = point.begin(up_ms)
        except Exception as error:  # noqa: BLE001 - one driver's defect never stops another point
            self._defect(point, error)
            return False
        point.begun(self._clock.up_ms())
        return started

    def _guarded_collect(self, point: Point, up_ms: int) -> bool:
        try:
            return point.collect(up_ms)
        except Exception as error:  # noqa: BLE001 - the same
            self._defect(point, error)
            return True

    def _defect(self, point: Point, error: Exception) -> None:
        point.result = quality.DRIVER
        if point.name not in self._broken:
            self._broken.add(point.name)
            self._console(f"raffinate error driver of {point.name}: {error!r}")

    def _skip(self, tick_ms: int, late_ms: int) -> int:
        ticks = (late_ms + self._scan_ms - 1) // self._scan_ms
        self.missed += ticks
        if self.missed == ticks or self.missed // 100 != (self.missed - ticks) // 100:
            self._console(
                f"raffinate warning {self.missed} scans missed since start,"
                f" the last one {late_ms} ms late"
            )
        return tick_ms + ticks * self._scan_ms


def _of_phase(stages: "list[Stage]", phase: int) -> "list[Point]":
    return [point for stage in stages for point in stage.points if point.driver.phase == phase]
