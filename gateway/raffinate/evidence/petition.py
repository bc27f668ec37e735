"""A command's side of a request: signed with the gateway's key, handed over, answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from raffinate.errors import RaffinateError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.handover import check_running, hand_over
from raffinate.evidence.ordering import read_roster
from raffinate.evidence.requests import REQUEST_BYTES_MAX, format_request
from raffinate.evidence.statement import Statement, parse_statement
from raffinate.keys import load_gateway_keys
from raffinate.tlog.hashing import leaf_hash
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from raffinate.evidence.handover import Sleep


def operator(name: str) -> dict[str, str]:
    """The `actor` of a command: a pseudonym, and how it was authenticated."""
    try:
        return {"id": check_text(name), "role": "operator", "auth": "gateway key file"}
    except WireError as error:
        raise RaffinateError(f"--as {name!r}: {error}") from None


def ask_gateway(
    keys: Path,
    data: Path,
    kind: str,
    actor: Mapping[str, str],
    body: Mapping[str, Any],
    documents: Sequence[bytes],
    wait_s: float,
    now_ms: int,
    *,
    sleep: Sleep = time.sleep,
) -> dict[str, Any]:
    """The running gateway's answer to a request. Raises RaffinateError."""
    check_running(data)
    content = format_request(load_gateway_keys(keys), kind, actor, body, documents, now_ms)
    if len(content) > REQUEST_BYTES_MAX:
        raise RaffinateError(f"the files are over {REQUEST_BYTES_MAX >> 20} MiB together")
    name = f"request-{now_ms:015d}-{leaf_hash(content).hex()[:16]}"
    return hand_over(data, name, content, wait_s, sleep)


def acknowledge(
    keys: Path,
    data: Path,
    equipment: str,
    state: str,
    actor: Mapping[str, str],
    wait_s: float,
    now_ms: int,
    *,
    sleep: Sleep = time.sleep,
) -> dict[str, Any]:
    """`index` and `sha256` of an acknowledgement that the running gateway states.

    `state` is one of `acknowledging.STATES`. Raises RaffinateError, also for a state that the
    machine is not in.
    """
    body = {"equipment": equipment, "state": state}
    return ask_gateway(keys, data, "acknowledge", actor, body, (), wait_s, now_ms, sleep=sleep)


def read_entry(data: Path, index: int) -> Statement:
    """A statement of the published log. Raises RaffinateError."""
    try:
        envelope = dsse.decode_envelope(read_roster(data).entry(index))
        return parse_statement(envelope.payload)
    except RejectedError:
        raise RaffinateError(f"log entry {index} is no statement") from None
