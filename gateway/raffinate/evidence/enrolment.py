"""Enrolment of a board's key, beside a running gateway (docs/formats/enrolment.md).

The code is read from the board itself: 16 base32 characters, the first 80 bits of the keyid. The
gateway only says which keys wait; a key whose id does not begin with the code is never enrolled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.evidence.codes import EnrolmentError, format_code, parse_code
from raffinate.evidence.handover import HandoverError, await_value, check_running, read_only
from raffinate.evidence.ordering import enrol_order, read_roster, sign_and_submit

if TYPE_CHECKING:
    from pathlib import Path

    from raffinate.evidence.handover import Sleep
    from raffinate.evidence.orders import Order
    from raffinate.keyfile import Ask

__all__ = ["Enrolled", "EnrolmentError", "enrol", "find_waiting", "format_code", "parse_code"]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A node's key in the roster, by the log entry `index`; `anew` is False if it was before."""

    node: str
    keyid: str
    index: int
    anew: bool


def enrol(
    keys: Path,
    data: Path,
    node: str,
    code: str,
    wait_s: float,
    now_ms: int,
    *,
    replaces: str | None = None,
    ask: Ask | None = None,
    sleep: Sleep = time.sleep,
) -> Enrolled:
    """Sign the enrolment of a waiting key and await the gateway's answer. Raises RaffinateError.

    Waits up to `wait_s` for the key to appear, and as long again for the answer. `replaces` begins
    the id of the key whose place it takes.
    """
    found = find_waiting(data, node, code, wait_s, replaces=replaces, sleep=sleep)
    if isinstance(found, Enrolled):
        return found
    try:
        said = sign_and_submit(keys, data, [found], wait_s, now_ms, ask=ask, sleep=sleep)[0]
    except HandoverError as error:
        raise EnrolmentError(f"enrolment of {node}: {error}") from None
    return Enrolled(node, said["keyid"], said["index"], True)


def find_waiting(
    data: Path,
    node: str,
    code: str,
    wait_s: float,
    *,
    replaces: str | None = None,
    sleep: Sleep = time.sleep,
) -> Order | Enrolled:
    """The order that enrols the key of `code`, or what it is already. Raises RaffinateError."""
    start = parse_code(code)
    try:
        check_running(data)
    except HandoverError as error:
        raise EnrolmentError(str(error)) from None
    known = await_value(lambda: _find(data, node, start), wait_s, sleep)
    if known is None:
        raise EnrolmentError(
            f"node {node} waits with no key of code {code}: {_seen(data, node)}. Is the board "
            "on and connected, and was the code read from this board?"
        )
    if known.enrolled is not None:
        return known.enrolled
    spki = known.spki
    return enrol_order(read_roster(data), node, spki, sha256(spki).hexdigest(), replaces)


@dataclass(frozen=True, slots=True)
class _Known:
    spki: bytes
    enrolled: Enrolled | None


def _find(data: Path, node: str, start: str) -> _Known | None:
    """The waiting or enrolled key of a node whose id begins with `start`."""
    with read_only(data) as connection:
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
    with read_only(data) as connection:
        count = connection.execute(
            "SELECT count(*) FROM pending WHERE node = ?", (node,)
        ).fetchone()[0]
    return "no key of that node waits" if count == 0 else f"{count} other key(s) of it wait"
