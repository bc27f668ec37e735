"""Acknowledgements: an operator takes note of a state, and the gateway states it in the log.

The paper is made here, of kind `acknowledgement` (docs/formats/papers.md), and stated as every
document is; whoever asks gives a pseudonym alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.errors import RejectedError
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raffinate.evidence.work import Work
    from raffinate.model import Equipment

STATES = ("grace", "orderly-stop", "conditions", "bypass")
"""What can be taken note of; a paper's `of`."""
KEPT_MAX = 16
_OF_STATE = {"grace": "grace", "orderly-stop-requested": "orderly-stop", "bypass": "bypass"}


def acknowledgeable(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """What can be taken note of now, of an equipment as the snapshot shows it."""
    found = [_OF_STATE[shown["state"]]] if shown["state"] in _OF_STATE else []
    if shown.get("bypass") is not None and "bypass" not in found:
        found.append("bypass")
    licence = shown["licence"]
    decision = None if licence is None else licence["decision"]
    if decision is not None and any(
        item["code"] == "acknowledgement" for item in decision["conditions"]
    ):
        found.append("conditions")
    return tuple(found)


def make(
    item: Equipment, state: str, who: str, licence: str | None, now_ms: int
) -> tuple[str, bytes]:
    """(id, bytes) of the paper; `licence` is the SHA-256 of the one in force. RejectedError."""
    try:
        by = check_text(who)
    except WireError as error:
        raise RejectedError("actor", f"--actor {who!r}: {error}") from None
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    name = f"ack-{item.id}-{state}-{at:%Y%m%dt%H%M%S}{now_ms % 1000:03d}z"[:64]
    lines = [
        'kind = "acknowledgement"',
        f'id = "{name}"',
        f'of = "{state}"',
        f'by = "{by}"',
        f"at = {at:%Y-%m-%dT%H:%M:%S}Z",
        f'equipment = ["{item.serial}"]',
    ]
    if licence is not None:
        lines.append(f'licence = "{licence}"')
    return name, ("\n".join(lines) + "\n").encode()


def statement_of(name: str, data: bytes, actor: Mapping[str, str]) -> dict[str, Any]:
    """What the `document` statement says of the paper."""
    return {
        "kind": "acknowledgement",
        "name": name,
        "version": 1,
        "sha256": sha256(data).hexdigest(),
        "replaces": None,
        "action": "add",
        "actor": dict(actor),
    }


def remember(state: dict[str, Any], equipment: str, shown: Mapping[str, Any], work: Work) -> None:
    """Keep an acknowledgement for the page; newest first, in the gateway's memory."""
    known: dict[str, Any] = dict(state.get("acknowledged", {}))
    known[equipment] = [dict(shown), *known.get(equipment, [])][:KEPT_MAX]
    state["acknowledged"] = work.state["acknowledged"] = known
