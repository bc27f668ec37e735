"""Statements at full speed: the rules of `raffinate_wire.statement`, over what orjson parsed.

Canonical form is checked by writing again and comparing; members, order and kinds by checks
compiled from the same schemas. What fails here is read again by `raffinate_wire` for its reason.
"""

from __future__ import annotations

from typing import Any

import orjson

from raffinate.errors import RejectedError
from raffinate.evidence.schema import compile_schema
from raffinate_wire import predicates_node, predicates_rest
from raffinate_wire import statement as wire
from raffinate_wire.errors import WireError
from raffinate_wire.ids import RESERVED_NODES

_TOP = ("_type", "subject", "predicateType", "predicate")
_OF_BOARD = ("boot", "upMs", "clock", "unreceipted", "seen", "registers", "calibration")
_OF_NODE = (*_OF_BOARD, "firmware", "config")
_SUBJECT = compile_schema(
    f"subject:Subject*{wire.SUBJECTS_MAX}",
    {"Subject": "name:text digest:Digest", "Digest": "sha256:digest"},
)


def _compile() -> dict[str, tuple[str, Any, frozenset[str], bool]]:
    found = {}
    for book in (predicates_node, predicates_rest):
        records = {**predicates_node.RECORDS, **book.RECORDS}
        for name, own in book.PREDICATES.items():
            check = compile_schema(f"{predicates_node.COMMON} {own}", records)
            kind = f"{wire.TYPE_PREFIX}{name}{wire.TYPE_SUFFIX}"
            found[kind] = (name, check, frozenset(book.SIGNERS[name]), " actor:" in own)
    return found


_KINDS = _compile()


class Statement:
    """A statement's short `type`, subjects, and `body`: its whole predicate by wire name."""

    __slots__ = ("body", "keyid", "node", "prev", "seq", "subject", "type")

    def __init__(self, kind: str, subject: list[dict[str, Any]], body: dict[str, Any]) -> None:
        self.type = kind
        self.subject = subject
        self.body = body
        self.node: str = body["node"]
        self.keyid: str = body["keyid"]
        self.seq: int = body["seq"]
        self.prev: bytes = bytes.fromhex(body["prev"])

    def subjects(self) -> dict[str, str]:
        """SHA-256 by name."""
        return {item["name"]: item["digest"]["sha256"] for item in self.subject}

    def registers(self) -> dict[str, tuple[int, int, int]]:
        """(run_ms, starts, volume_ml) by equipment; empty where the signer has none."""
        return {
            item["id"]: (item["runMs"], item["starts"], item["volumeMl"])
            for item in self.body["registers"] or ()
        }


def parse_statement(payload: bytes) -> Statement:
    """The statement of a verified payload. Raises RejectedError with the wire error's code."""
    found = _parse_fast(payload)
    if found is not None:
        return found
    try:
        wire.parse_statement(payload)
    except WireError as error:
        raise RejectedError(error.code, str(error)) from None
    raise RejectedError("not-canonical", "the payload is not in its one canonical form")


def role_of(node: str) -> str:
    """The role that a statement's `node` claims: gateway, authority or node."""
    return node if node in RESERVED_NODES else "node"


def _parse_fast(payload: bytes) -> Statement | None:
    if len(payload) > wire.PAYLOAD_BYTES_MAX:
        return None
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict or tuple(value) != _TOP or value["_type"] != wire.STATEMENT_TYPE:
        return None
    kind, subject, body = value["predicateType"], value["subject"], value["predicate"]
    known = _KINDS.get(kind) if type(kind) is str else None
    if known is None or not _check_parts(known, subject, body) or orjson.dumps(value) != payload:
        return None
    return Statement(known[0], subject, body)


def _check_parts(known: tuple[str, Any, frozenset[str], bool], subject: Any, body: Any) -> bool:
    _, check, signers, has_actor = known
    return (
        bool(subject)
        and _SUBJECT({"subject": subject})
        and check(body)
        and _check_signer(body, signers, has_actor)
    )


def _check_signer(body: dict[str, Any], signers: frozenset[str], has_actor: bool) -> bool:
    role = role_of(body["node"])
    if role not in signers or body["v"] != wire.VERSION:
        return False
    if role == "node":
        if any(body[name] is None for name in _OF_NODE):
            return False
    elif any(body[name] is not None for name in _OF_BOARD):
        return False
    if (body["timeMs"] is None) != (body["clock"] == "U"):
        return False
    return not has_actor or (body["actor"] is None) == (role == "node")
