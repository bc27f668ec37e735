"""A command's side of the inbox: files to the running gateway, its answers; its stores read only.

Only the gateway writes its stores. Without one nothing is handed over, and the command says so.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from raffinate.errors import RaffinateError
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Sleep = Callable[[float], None]

POLL_S = 0.1
T = TypeVar("T")


class HandoverError(RaffinateError):
    """Nothing came of handing a file to the gateway."""


class NoGatewayError(HandoverError):
    """Nobody holds the data folder's lock, so that nothing would be answered."""


class UnansweredError(HandoverError):
    """The file lies in the inbox and was not answered in time."""


class RefusedError(HandoverError):
    """The gateway's answer is no."""


def check_running(data: Path) -> None:
    """Raise NoGatewayError unless a gateway holds `<data>/lock`."""
    try:
        with (data / "lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except FileNotFoundError:
        pass
    raise NoGatewayError(
        f"no gateway runs on {data}; start it with `raffinate gateway`, then give the command again"
    )


def hand_over(
    data: Path,
    name: str,
    content: bytes,
    wait_s: float,
    sleep: Sleep = time.sleep,
    *,
    suffix: str = ".dsse",
) -> dict[str, Any]:
    """Put `<name>.dsse` into the inbox and await the answer. Raises RaffinateError."""
    answer = data / "outbox" / f"{name}.json"
    answer.unlink(missing_ok=True)
    replace_file(data / "inbox" / f"{name}{suffix}", content)
    said = await_value(lambda: answer.read_bytes() if answer.exists() else None, wait_s, sleep)
    if said is None:
        raise UnansweredError(
            f"it is signed and lies in {data / 'inbox'}, but the gateway did not answer within "
            f"{wait_s:g} s; it will take it up as soon as it runs"
        )
    answer.unlink(missing_ok=True)
    found: dict[str, Any] = orjson.loads(said)
    if not found["ok"]:
        raise RefusedError(f"the gateway refused it: {found['error']}")
    return found


@contextmanager
def read_only(data: Path) -> Iterator[sqlite3.Connection]:
    """The gateway's database, opened for reading. Raises RaffinateError."""
    path = data / "evidence.sqlite"
    if not path.exists():
        raise RaffinateError(f"{path} is missing; `raffinate keys init` starts a log")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def await_value(ask: Callable[[], T | None], wait_s: float, sleep: Sleep) -> T | None:
    """What `ask` gives first that is not None, within about `wait_s`."""
    waited = 0.0
    while True:
        found = ask()
        if found is not None or waited >= wait_s:
            return found
        sleep(POLL_S)
        waited += POLL_S
