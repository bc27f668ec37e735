"""The few asyncio calls whose names differ between MicroPython and CPython."""

import asyncio
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from typing import Any

TimeoutError = asyncio.TimeoutError  # noqa: A001 - MicroPython has it under asyncio alone


async def sleep_ms(ms: int) -> None:
    """Let the other tasks run for ms."""
    if sys.implementation.name != "micropython":
        await asyncio.sleep(ms / 1000)
    else:
        await asyncio.sleep_ms(ms)


async def wait_for_ms(awaitable: "Awaitable[Any]", ms: int) -> "Any":
    """Return the awaitable's result; raise TimeoutError after ms."""
    if sys.implementation.name != "micropython":
        return await asyncio.wait_for(awaitable, ms / 1000)
    return await asyncio.wait_for_ms(awaitable, ms)


async def cancel(task: "asyncio.Task[Any]") -> None:
    """End a task of ours and wait until it has ended, whatever it raises."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception:  # noqa: BLE001, S110 - the task's owner has its reason already
        pass


def spawn(coroutine: "Coroutine[Any, Any, Any]") -> "asyncio.Task[Any]":
    """Start a task; the caller keeps it."""
    return asyncio.create_task(coroutine)
