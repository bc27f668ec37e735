"""Statements: in-toto Statement v1 payloads with the predicates of protocol 4.

Every predicate begins with the common members and goes on with its own. Members are given as dict
or Obj by wire name; one that may be null may be left out. docs/formats/statement.md explains them.
"""

import hashlib

from raffinate_wire import ids, jsonc, predicates_node, record
from raffinate_wire.errors import WireError
from raffinate_wire.predicates_node import COMMON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
TYPE_PREFIX = "urn:raffinate:"
TYPE_SUFFIX = ":v1"
VERSION = 1
PAYLOAD_BYTES_MAX = 4416
SUBJECTS_MAX = 16
EQUIPMENT_MAX = 4
DEPTH_MAX = 6
ZERO_PREV = "0" * 64
EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TYPES = (
    "boot",
    "usage",
    "heartbeat",
    "gap",
    "denial",
    "activity",
    "licence",
    "admin",
    "period-close",
    "time-anchor",
    "fork",
    "enrol",
    "rotate",
    "revoke",
    "retire",
)

# What a board fills in, and what has no meaning for the others.
_OF_NODE = (
    "boot",
    "upMs",
    "clock",
    "firmware",
    "config",
    "calibration",
    "unreceipted",
    "seen",
    "registers",
)
_OF_ALL = ("firmware", "config")


class Statement:
    """A statement's short type, subject [(name, SHA-256 hex)], common members and body.

    seen is an Obj (size, root) or None; registers a list of Obj (id, runMs, starts, volumeMl) or
    None; body an Obj of the predicate's own members; prev and the digests are hex.
    """

    def __init__(
        self,
        predicate_type: str,
        subject: "list[tuple[str, str]]",
        common: jsonc.Obj,
        body: jsonc.Obj,
    ) -> None:
        self.type = predicate_type
        self.subject = subject
        self.common = common
        self.body = body
        self.log: str = common["log"]
        self.site: str = common["site"]
        self.node: str = common["node"]
        self.keyid: str = common["keyid"]
        self.seq: int = common["seq"]
        self.prev: str = common["prev"]
        self.boot: "int | None" = common["boot"]
        self.up_ms: "int | None" = common["upMs"]
        self.time_ms: "int | None" = common["timeMs"]
        self.clock: "str | None" = common["clock"]
        self.firmware: "str | None" = common["firmware"]
        self.config: "str | None" = common["config"]
        self.calibration: "str | None" = common["calibration"]
        self.unreceipted: "int | None" = common["unreceipted"]
        self.seen: "jsonc.Obj | None" = common["seen"]
        self.registers: "list[jsonc.Obj] | None" = common["registers"]


def format_statement(
    subject: "list[tuple[str, str]]", predicate_type: str, common: "Any", specific: "Any"
) -> bytes:
    """Return the payload; predicate_type is the short type, and `v` is left out of common.

    Raises WireError.
    """
    return bytes(build_statement(subject, predicate_type, common, specific))


def build_statement(
    subject: "list[tuple[str, str]]", predicate_type: str, common: "Any", specific: "Any"
) -> bytearray:
    """Do format_statement in one buffer, for a small heap."""
    book = _book(predicate_type)
    members: "dict[str, Any]" = {"v": VERSION}
    for name, value in common.items():
        members[name] = value
    head = record.write(COMMON, members, predicates_node.RECORDS)
    _check_common(book.SIGNERS[predicate_type], members)
    body = record.write(book.PREDICATES[predicate_type], specific, _records(book))
    _check_actor(members["node"], book.PREDICATES[predicate_type], specific)
    kind = TYPE_PREFIX + predicate_type + TYPE_SUFFIX
    start = f'{{"_type":"{STATEMENT_TYPE}","subject":{_format_subject(subject)},'
    start += f'"predicateType":"{kind}","predicate":'
    parts = (start.encode(), head.encode(), body.encode())
    del start, head, body
    payload_bytes = sum([len(part) for part in parts])
    if payload_bytes > PAYLOAD_BYTES_MAX:
        raise WireError("too-long", f"a statement has at most {PAYLOAD_BYTES_MAX} bytes")
    # One object of two: the comma stands for the first one's end and the second one's start.
    payload = bytearray(payload_bytes)
    head_at, body_at = len(parts[0]), len(parts[0]) + len(parts[1]) - 1
    payload[:head_at] = parts[0]
    payload[head_at : body_at + 1] = parts[1]
    payload[body_at : payload_bytes - 1] = parts[2]
    payload[body_at] = 44
    payload[payload_bytes - 1] = 125
    return payload


def parse_statement(payload: bytes) -> Statement:
    """Return the statement of a payload whose signature was verified; raise WireError."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireError("too-long", f"a statement has at most {PAYLOAD_BYTES_MAX} bytes")
    value = jsonc.parse(payload, DEPTH_MAX)
    if not isinstance(value, jsonc.Obj):
        raise WireError("wrong-type", "a statement is an object")
    record.check_names(["_type", "subject", "predicateType", "predicate"], value)
    if value["_type"] != STATEMENT_TYPE:
        raise WireError("unknown-type", f"{value['_type']!r} is no in-toto statement type")
    predicate_type = _short_type(value["predicateType"])
    book = _book(predicate_type)
    own = book.PREDICATES[predicate_type]
    members = record.read(COMMON + " " + own, value["predicate"], _records(book))
    count = len(COMMON.split())
    common = jsonc.Obj(members.pairs[:count])
    body = jsonc.Obj(members.pairs[count:])
    subject = _parse_subject(value["subject"])
    _check_common(book.SIGNERS[predicate_type], common)
    _check_actor(common["node"], own, body)
    return Statement(predicate_type, subject, common, body)


def signer_of(predicate_type: str) -> "tuple[str, ...]":
    """Return the roles that may sign it, of node, gateway, authority; raise `unknown-type`."""
    signers: "tuple[str, ...]" = _book(predicate_type).SIGNERS[predicate_type]
    return signers


def role_of(node: str) -> str:
    """Return the role that a statement's `node` claims: gateway, authority or node."""
    return node if node in ids.RESERVED_NODES else "node"


def envelope_hash(envelope: "bytes | bytearray") -> bytes:
    """Return SHA-256(0x00 || envelope): the next statement's prev and the log's leaf hash."""
    digest = hashlib.sha256(b"\x00")
    digest.update(envelope)
    return digest.digest()


def _book(predicate_type: str) -> "Any":
    # The module that holds a type's predicate.
    if predicate_type in predicates_node.PREDICATES:
        return predicates_node
    from raffinate_wire import predicates_rest  # noqa: PLC0415 - boards do without it

    if predicate_type not in predicates_rest.PREDICATES:
        raise WireError("unknown-type", f"there is no statement type {predicate_type!r}")
    return predicates_rest


def _records(book: "Any") -> "dict[str, str]":
    if book is predicates_node:
        return predicates_node.RECORDS
    records = dict(predicates_node.RECORDS)
    records.update(book.RECORDS)
    return records


def _short_type(text: "Any") -> str:
    if not isinstance(text, str) or not (
        text.startswith(TYPE_PREFIX) and text.endswith(TYPE_SUFFIX)
    ):
        raise WireError("unknown-type", f"{text!r} is no predicate of this profile")
    return text[len(TYPE_PREFIX) : -len(TYPE_SUFFIX)]


def _check_common(signers: "tuple[str, ...]", common: "Any") -> None:
    # What depends on who signs: a node fills in everything, the others nothing of a board's.
    role = role_of(common["node"])
    if common["v"] != VERSION:
        raise WireError("unknown-version", f"version {common['v']} is not {VERSION}")
    if role not in signers:
        raise WireError("wrong-signer", f"a {role} makes no statement of this type")
    for name in _OF_NODE:
        missing = common.get(name) is None
        if role == "node" and missing:
            raise WireError("wrong-type", f"{name} is not null in a statement of a node")
        if role != "node" and not missing and name not in _OF_ALL:
            raise WireError("wrong-type", f"{name} is null in a statement of the {role}")
    if (common.get("timeMs") is None) != (common.get("clock") == "U"):
        raise WireError("bad-time", "timeMs is null under clock U, and only there")


def _check_actor(node: str, schema: str, body: "Any") -> None:
    # The gateway says who acted, and whose gap or denial it tells of; a node speaks of itself.
    by_node = role_of(node) == "node"
    for member in ("about:About?", "actor:Actor"):
        name = member.split(":")[0]
        if " " + member in schema and (body.get(name) is None) != by_node:
            raise WireError("wrong-type", f"{name} is what the gateway's statements carry alone")


def _format_subject(subject: "list[tuple[str, str]]") -> str:
    _check_subject_count(subject)
    return (
        "["
        + ",".join(
            [
                f'{{"name":"{ids.check_text(name)}","digest":{{"sha256":"{ids.check_keyid(digest)}"}}}}'
                for name, digest in subject
            ]
        )
        + "]"
    )


def _parse_subject(value: "Any") -> "list[tuple[str, str]]":
    if not isinstance(value, list):
        raise WireError("wrong-type", "subject is a list")
    _check_subject_count(value)
    subject = []
    for item in value:
        entry = record.read("name:text digest:Digest", item, {"Digest": "sha256:digest"})
        subject.append((entry["name"], entry["digest"]["sha256"]))
    return subject


def _check_subject_count(subject: "list[Any]") -> None:
    if not 0 < len(subject) <= SUBJECTS_MAX:
        raise WireError("bad-subject", f"a statement has 1 to {SUBJECTS_MAX} subjects")
