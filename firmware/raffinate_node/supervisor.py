"""Owns every task of the node: starts it, starts it again when it ends, and feeds the watchdog.

On MicroPython a task's unhandled exception leaves the task silently dead; here no task is left to
itself. A task that ends or hangs is named on the console and started again with backoff, and the
watchdog is fed only while every task reports in, so that what cannot be restarted resets the board.
"""

import sys

from raffinate_node import aio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TASKS_MAX = 16
CHECK_MS = 500
BACKOFF_MS_MIN = 500
BACKOFF_MS_MAX = 30000
STEADY_MS = 60000


class _Owned:
    def __init__(self, name: str, make: "Callable[[Any], Any]", silent_ms_max: int) -> None:
        self.name = name
        self.make = make
        self.silent_ms_max = silent_ms_max
        self.restarts = 0
        self.failures_running = 0
        self.beat_ticks = 0
        self.hung = False  # from the missed beat until the next beat


class Supervisor:
    """add() the tasks, then await run() for ever.

    A task is hung when it has not called its beat for silent_ms_max; it is cancelled and started
    again, and until it beats the watchdog goes unfed.
    """

    def __init__(self, hal: "Any") -> None:
        self._hal = hal
        self._owned: list[_Owned] = []
        self._stopping = False

    def add(self, name: str, make: "Callable[[Any], Any]", silent_ms_max: int) -> None:
        """Own one more task; `make(beat)` returns its coroutine, at first and at each restart."""
        if len(self._owned) >= TASKS_MAX:
            raise ValueError(f"more than {TASKS_MAX} tasks")
        if any(owned.name == name for owned in self._owned):
            raise ValueError(f"two tasks are named {name}")
        self._owned.append(_Owned(name, make, silent_ms_max))

    def restarts(self) -> "dict[str, int]":
        """How often each task was started again."""
        return {owned.name: owned.restarts for owned in self._owned}

    def stop(self) -> None:
        """Make run() end all tasks and return (an orderly reset, a test)."""
        self._stopping = True

    async def run(self) -> None:
        """Run all tasks until stop(); the watchdog is fed only while all report in."""
        keepers = [aio.spawn(self._keep(owned)) for owned in self._owned]
        try:
            while not self._stopping:
                if all(self._is_well(owned) for owned in self._owned):
                    self._hal.watchdog_feed()
                await aio.sleep_ms(CHECK_MS)
        finally:
            for keeper in keepers:
                await aio.cancel(keeper)

    def _is_well(self, owned: _Owned) -> bool:
        if self._silent_ms(owned) > owned.silent_ms_max:
            owned.hung = True
        return not owned.hung

    def _silent_ms(self, owned: _Owned) -> int:
        passed: int = self._hal.ticks_diff(self._hal.ticks_ms(), owned.beat_ticks)
        return passed

    async def _keep(self, owned: _Owned) -> None:
        while True:
            started = self._hal.ticks_ms()
            reason = await self._run_once(owned)
            lived_ms = self._hal.ticks_diff(self._hal.ticks_ms(), started)
            owned.failures_running = 1 if lived_ms >= STEADY_MS else owned.failures_running + 1
            owned.restarts += 1
            wait_ms = min(BACKOFF_MS_MAX, BACKOFF_MS_MIN << min(owned.failures_running - 1, 10))
            self._hal.console(f"raffinate error task {owned.name}: {reason}; again in {wait_ms} ms")
            # A task in its backoff is in hand: the watchdog is for what nobody restarts.
            owned.beat_ticks = self._hal.ticks_ms()
            while wait_ms > 0:
                await aio.sleep_ms(min(wait_ms, CHECK_MS))
                wait_ms -= CHECK_MS
                owned.beat_ticks = self._hal.ticks_ms()

    async def _run_once(self, owned: _Owned) -> str:
        """Run the task until it ends or hangs; return why."""
        owned.beat_ticks = self._hal.ticks_ms()
        ended: list[str] = []

        def beat() -> None:
            owned.beat_ticks = self._hal.ticks_ms()
            owned.hung = False

        async def guarded() -> None:
            try:
                await owned.make(beat)
                ended.append("ended by itself")
            except Exception as error:  # noqa: BLE001 - this is the place that owns every failure
                ended.append(f"{type(error).__name__}: {error}")
                _print_exception(error)

        task = aio.spawn(guarded())
        try:
            while not ended:
                await aio.sleep_ms(CHECK_MS)
                if self._silent_ms(owned) > owned.silent_ms_max:
                    owned.hung = True
                    return f"no sign of life for {owned.silent_ms_max} ms"
        finally:
            await aio.cancel(task)
        return ended[0]


def _print_exception(error: Exception) -> None:
    show = getattr(sys, "print_exception", None)
    if show is not None:
        show(error, sys.stderr)
