"""Checks of the supervisor, on any Python, in real time scaled down."""

import asyncio

import raffinate_node.supervisor as module
from raffinate_node import aio
from raffinate_node.supervisor import Supervisor
from upy_hal import Hal


def _run(supervisor, until, ticks_max=2000):
    async def main():
        task = aio.spawn(supervisor.run())
        for _tick in range(ticks_max):
            if until():
                break
            await aio.sleep_ms(2)
        supervisor.stop()
        await task
        assert until()

    asyncio.run(main())


def _fast(_folder):
    hal = Hal()
    hal.quiet = True
    module.CHECK_MS = 5
    module.BACKOFF_MS_MIN = 10
    module._print_exception = lambda _: None
    return hal, Supervisor(hal)


def check_a_failing_task_is_named_and_started_again(folder):
    hal, supervisor = _fast(folder)
    starts = []

    async def fails(beat):
        beat()
        starts.append(1)
        raise RuntimeError("the reason")

    async def lives(beat):
        while True:
            beat()
            await aio.sleep_ms(2)

    supervisor.add("fails", fails, 1000)
    supervisor.add("lives", lives, 1000)
    _run(supervisor, lambda: len(starts) >= 3)
    assert hal.lines[0].startswith("raffinate error task fails: RuntimeError: the reason; again in")
    assert supervisor.restarts()["fails"] >= 2
    assert supervisor.restarts()["lives"] == 0


def check_the_backoff_doubles(folder):
    hal, supervisor = _fast(folder)

    async def fails(_beat):
        raise ValueError("x")

    supervisor.add("fails", fails, 1000)
    _run(supervisor, lambda: len(hal.lines) >= 4)
    waits = [int(line.rsplit(" ", 2)[1]) for line in hal.lines[:4]]
    assert waits == [10, 20, 40, 80]


def check_a_task_that_ends_is_started_again(folder):
    hal, supervisor = _fast(folder)

    async def ends(beat):
        beat()

    supervisor.add("ends", ends, 1000)
    _run(supervisor, lambda: len(hal.lines) >= 2)
    assert "ended by itself" in hal.lines[0]


def check_a_hung_task_stops_the_feeding_and_is_started_again(folder):
    hal, supervisor = _fast(folder)
    starts = []
    fed = []

    async def hangs(beat):
        starts.append(1)
        if len(starts) > 1:
            # As long as the second start stays silent too, nothing is fed.
            fed.append(hal.feeds)
            await aio.sleep_ms(60)
            fed.append(hal.feeds)
            beat()
            while True:
                beat()
                await aio.sleep_ms(2)
        beat()
        await aio.sleep_ms(100000)

    supervisor.add("hangs", hangs, 150)
    _run(supervisor, lambda: len(fed) == 2 and hal.feeds > fed[1] + 3)
    assert "no sign of life" in hal.lines[0]
    assert fed[0] == fed[1]


def check_the_watchdog_is_fed_while_all_report_in(folder):
    hal, supervisor = _fast(folder)

    async def lives(beat):
        while True:
            beat()
            await aio.sleep_ms(2)

    supervisor.add("one", lives, 1000)
    supervisor.add("two", lives, 1000)
    _run(supervisor, lambda: hal.feeds >= 5)
    assert hal.lines == []


def check_limits_are_kept(folder):
    _hal, supervisor = _fast(folder)
    supervisor.add("one", None, 1000)
    for name in ["one"] + ["task%d" % i for i in range(module.TASKS_MAX)]:
        try:
            supervisor.add(name, None, 1000)
        except ValueError:
            if name == "task%d" % (module.TASKS_MAX - 1):
                return
    raise AssertionError("one task too many")
