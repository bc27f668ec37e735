"""`raffinate node enrol`, beside a running gateway (docs/formats/enrolment.md).

The code is read from the board itself: 16 base32 characters, the first 80 bits of the keyid. The
gateway only says which keys wait; a key whose id does not begin with the code is never enrolled.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from base64 import b32decode, b32encode
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import orjson

from raffinate.errors import RaffinateError
from raffinate.evidence.authority import open_authority
from raffinate.tlog.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CODE_CHARACTERS = 16
_CODE_BYTES = 10
_GROUP = 4
_POLL_S = 0.1
T = TypeVar("T")


class EnrolmentError(RaffinateError):
    """The enrolment did not happen; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A node's key in the roster, by the log entry `index`; `anew` is False if it was before."""

    node: str
    keyid: str
    index: int
    anew: bool


def format_code(keyid: str) -> str:
    """XXXX-XXXX-XXXX-XXXX of a keyid, as the board shows it."""
    code = b32encode(bytes.fromhex(keyid)[:_CODE_BYTES]).decode()
    return "-".join(code[at : at + _GROUP] for at in range(0, CODE_CHARACTERS, _GROUP))


def parse_code(text: str) -> str:
    """First 20 hex digits of the keyid that a code stands for. Raises EnrolmentError."""
    plain = text.replace("-", "").replace(" ", "").upper()
    try:
        code = b32decode(plain)
    except ValueError:
        code = b""
    if len(code) != _CODE_BYTES:
        raise EnrolmentError(
            f"{text!r} is no enrolment code: XXXX-XXXX-XXXX-XXXX of letters and digits 2 to 7, "
            "as the board shows it on its console or label"
        )
    return code.hex()


def enrol(
    keys: Path,
    data: Path,
    node: str,
    code: str,
    wait_s: float,
    now_ms: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Enrolled:
    """Sign the enrolment of a waiting key and await the gateway's answer. Raises RaffinateError.

    Waits up to `wait_s` for the key to appear, and as long again for the answer.
    """
    start = parse_code(code)
    _check_running(data)
    known = _await(lambda: _find(data, node, start), wait_s, sleep)
    if known is None:
        raise EnrolmentError(
            f"node {node} waits with no key of code {code}: {_seen(data, node)}. Is the board "
            "on and connected, and was the code read from this board?"
        )
    if known.enrolled is not None:
        return known.enrolled
    with open_authority(keys) as authority:
        envelope = authority.enrol("node", node, known.spki, now_ms)
        name = f"enrol-{authority.seq:010d}-{node}"
        answer = data / "outbox" / f"{name}.json"
        answer.unlink(missing_ok=True)
        replace_file(data / "inbox" / f"{name}.dsse", envelope)
    said = _await(lambda: answer.read_bytes() if answer.exists() else None, wait_s, sleep)
    if said is None:
        raise EnrolmentError(
            f"the enrolment is signed and lies in {data / 'inbox'}, but the gateway did not answer "
            f"within {wait_s:g} s; it will take it up as soon as it runs"
        )
    answer.unlink(missing_ok=True)
    found = orjson.loads(said)
    if not found["ok"]:
        raise EnrolmentError(f"the gateway refused the enrolment: {found['error']}")
    return Enrolled(node, found["keyid"], found["index"], True)


@dataclass(frozen=True, slots=True)
class _Known:
    spki: bytes
    enrolled: Enrolled | None


def _check_running(data: Path) -> None:
    """A gateway holds `<data>/lock`."""
    try:
        with (data / "lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except FileNotFoundError:
        pass
    raise EnrolmentError(
        f"no gateway runs on {data}; start it with `raffinate gateway`, then enrol the node"
    )


def _find(data: Path, node: str, start: str) -> _Known | None:
    """The waiting or enrolled key of a node whose id begins with `start`."""
    with _read_only(data) as connection:
        row = connection.execute(
            "SELECT name, keyid, enrol_index, spki FROM keys WHERE role = 'node' AND keyid LIKE ?",
            (f"{start}%",),
        ).fetchone()
        if row is not None and row[0] == node:
            return _Known(bytes(row[3]), Enrolled(row[0], row[1], row[2], False))
        if row is not None:
            raise EnrolmentError(f"the key of that code is enrolled as node {row[0]}, not {node}")
        row = connection.execute(
            "SELECT spki FROM pending WHERE node = ? AND keyid LIKE ?", (node, f"{start}%")
        ).fetchone()
        return None if row is None else _Known(bytes(row[0]), None)


def _seen(data: Path, node: str) -> str:
    with _read_only(data) as connection:
        count = connection.execute(
            "SELECT count(*) FROM pending WHERE node = ?", (node,)
        ).fetchone()[0]
    return "no key of that node waits" if count == 0 else f"{count} other key(s) of it wait"


@contextmanager
def _read_only(data: Path) -> Iterator[sqlite3.Connection]:
    """The gateway's database, opened for reading; only the gateway writes it."""
    path = data / "evidence.sqlite"
    if not path.exists():
        raise EnrolmentError(f"{path} is missing; `raffinate keys init` starts a log")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _await(ask: Callable[[], T | None], wait_s: float, sleep: Callable[[float], None]) -> T | None:
    waited = 0.0
    while True:
        found = ask()
        if found is not None or waited >= wait_s:
            return found
        sleep(_POLL_S)
        waited += _POLL_S
