"""The few asyncio calls whose names differ between MicroPython and CPython."""

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from typing import Any

_sleep_ms = getattr(asyncio, "sleep_ms", None)
_wait_for_ms = getattr(asyncio, "wait_for_ms", None)
TimeoutError = asyncio.TimeoutError  # noqa: A001 - MicroPython has it under asyncio alone


async def sleep_ms(ms: int) -> None:
    """Let the other tasks run for ms."""
    if _sleep_ms is not None:
        await _sleep_ms(ms)
    else:
        await asyncio.sleep(ms / 1000)


async def wait_for_ms(awaitable: "Awaitable[Any]", ms: int) -> "Any":
    """Return the awaitable's result; raise TimeoutError after ms."""
    if _wait_for_ms is not None:
        return await _wait_for_ms(awaitable, ms)
    return await asyncio.wait_for(awaitable, ms / 1000)


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
