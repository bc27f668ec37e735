"""Statements at full speed: the rules of `raffinate_wire.statement`, compiled into expressions.

One match says that the text is canonical JSON with the right members, order and kinds. What fails
here is read again by `raffinate_wire` for its reason.
"""

from __future__ import annotations

import re
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from raffinate.errors import RejectedError
from raffinate.evidence import schema
from raffinate_wire import predicates_node, predicates_rest
from raffinate_wire import statement as wire
from raffinate_wire.errors import WireError
from raffinate_wire.ids import RESERVED_NODES

if TYPE_CHECKING:
    from collections.abc import Callable

    Match = Callable[[str], re.Match[str] | None]
    MatchBytes = Callable[[bytes], re.Match[bytes] | None]

loads: Callable[[str | bytes], Any]
try:  # what is read was matched before, so that both readers give the same
    from orjson import loads
except ImportError:  # the verifier alone is installed
    from json import loads

_OF_BOARD = ("boot", "upMs", "clock", "unreceipted", "seen", "registers", "calibration")
_of_node = itemgetter(*_OF_BOARD, "firmware", "config")
_PREDICATE_TYPE = f'],"predicateType":"{wire.TYPE_PREFIX}'
_SUBJECT = schema.pattern("name:text digest:Digest", {"Digest": "sha256:digest"})


class _Kind:
    """What a predicate's statements must be; its expressions are compiled when first asked for."""

    def __init__(self, name: str, book: Any) -> None:
        own: str = book.PREDICATES[name]
        self._records = {**predicates_node.RECORDS, **book.RECORDS}
        self._type = re.escape(f"{wire.TYPE_PREFIX}{name}{wire.TYPE_SUFFIX}")
        self._members = f"{predicates_node.COMMON} {own}"
        self.signers = frozenset(book.SIGNERS[name])
        self.members = tuple(member for member, mark in _OF_GATEWAY.items() if mark in own)

    @cached_property
    def whole(self) -> Match:
        """What matches the whole text."""
        subject = rf"{_SUBJECT}(?:,{_SUBJECT}){{0,{wire.SUBJECTS_MAX - 1}}}"
        body = schema.pattern(self._members, self._records)
        return re.compile(
            rf'\{{"_type":"{re.escape(wire.STATEMENT_TYPE)}","subject":\[{subject}\],'
            rf'"predicateType":"{self._type}","predicate":{body}\}}',
            re.ASCII,
        ).fullmatch

    @cached_property
    def tail(self) -> MatchBytes:
        """What matches it from the seq on, as an object of its own."""
        tail = schema.pattern(self._members[self._members.index(" seq:") :], self._records)
        return re.compile((tail + r"\}").encode()).fullmatch


# What the gateway fills in and a node leaves null, by how the schemas say it.
_OF_GATEWAY = {"about": " about:About?", "actor": " actor:Actor"}
_KINDS = {
    name: _Kind(name, book)
    for book in (predicates_node, predicates_rest)
    for name in book.PREDICATES
}
# No quote can stand inside a string, so what is before the first of these is a statement's head.
_SEQ = b',"seq":'
_BEGIN = ("v", "log", "site", "node", "keyid")
_HEADS: dict[bytes, tuple[str, list[dict[str, Any]], dict[str, Any]]] = {}
_HEADS_KEPT = 1024
_HEAD_BYTES_KEPT = 2048


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
    if len(payload) > wire.PAYLOAD_BYTES_MAX or not payload.isascii():
        return None
    head, mark, rest = payload.partition(_SEQ)
    known = _HEADS.get(head)
    if known is None:
        return _parse_new(payload, head)
    kind, subject, begin = known
    rules, tail = _KINDS[kind], b'{"seq":' + rest
    if not mark or rules.tail(tail) is None:
        return None
    body = {**begin, **loads(tail[:-1])}
    return Statement(kind, subject, body) if _check_members(body, rules) else None


def _parse_new(payload: bytes, head: bytes) -> Statement | None:
    """Read all of a statement; what its signer repeats in each is remembered."""
    text = payload.decode()
    kind = text.partition(_PREDICATE_TYPE)[2].partition(wire.TYPE_SUFFIX)[0]
    known = _KINDS.get(kind)
    if known is None or known.whole(text) is None:
        return None
    value = loads(text)
    body, subject = value["predicate"], value["subject"]
    if not _check_signer(body, known):
        return None
    if len(head) <= _HEAD_BYTES_KEPT:
        if len(_HEADS) >= _HEADS_KEPT:
            _HEADS.clear()
        _HEADS[head] = kind, subject, {name: body[name] for name in _BEGIN}
    return Statement(kind, subject, body)


def _check_signer(body: dict[str, Any], kind: _Kind) -> bool:
    """Whether who the head names may sign it; a head that is remembered was checked before."""
    role = role_of(body["node"])
    return role in kind.signers and body["v"] == wire.VERSION and _check_members(body, kind)


def _check_members(body: dict[str, Any], kind: _Kind) -> bool:
    """Whether what is null is what this signer leaves null."""
    is_node = body["node"] not in RESERVED_NODES
    if is_node:
        if None in _of_node(body):
            return False
    elif any(body[name] is not None for name in _OF_BOARD):
        return False
    if (body["timeMs"] is None) != (body["clock"] == "U"):
        return False
    for member in kind.members:  # noqa: SIM110 - mostly there are none
        if (body[member] is None) != is_node:
            return False
    return True
