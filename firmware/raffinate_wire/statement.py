"""Statements: in-toto Statement v1 payloads with the predicates of protocol 4.

Every predicate begins with the common members and goes on with its own. Members are given as dict
or Obj by wire name; one that may be null may be left out. docs/formats/statement.md explains them.
"""

import hashlib

from raffinate_wire import ids, jsonc, record
from raffinate_wire.errors import WireError

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
CLOCKS = ("U", "S", "I", "R")

# Members in their order; record.py explains the notation.
COMMON = (
    "v:uint log:origin site:id node:signer keyid:keyid seq:positive prev:digest boot:uint? "
    "upMs:uint? timeMs:uint? clock:U|S|I|R? firmware:digest? config:digest? calibration:digest? "
    "unreceipted:uint? seen:Seen? registers:Registers*4?"
)
_NO_NODE = ("boot", "upMs", "clock", "calibration", "unreceipted", "seen", "registers")
_NODE = ("boot", "upMs", "clock", "firmware", "config", "calibration", "unreceipted", "seen")
_USE = "interval:Interval frames:Frames? equipment:Use*4 why:text?"
_TAIL = " about:About? actor:Actor?"
PREDICATES = {
    "boot": (
        "spki:b64 resetCause:text lost:Lost? restored:Restored? foundRunning:id*4 claims:Claims "
        "tier:uint"
    ),
    "usage": _USE,
    "heartbeat": _USE,
    "gap": (
        "what:frames|statements|metering|sensors|clock frames:Frames? fromMs:uint? toMs:uint? "
        "fromUpMs:uint? toUpMs:uint? cause:text registersFrom:Registers*4? "
        "registersTo:Registers*4? statements:Range?" + _TAIL
    ),
    "denial": (
        "kind:REFUSED|STARTED-ANYWAY equipment:id reason:code permit:uint? count:positive "
        "fromMs:uint? toMs:uint?" + _TAIL
    ),
    "activity": (
        "kind:assembly|commissioning|maintenance|repair|upgrade|calibration equipment:id "
        "workOrder:digest? fromMs:uint toMs:uint? details:digest? actor:Actor"
    ),
    "licence": "licence:text sha256:digest replaces:digest? actor:Actor",
    "admin": (
        "action:time-set|user|role|configuration|deletion|export|outage-begin|outage-end "
        "object:digest? before:digest? after:digest? fromMs:uint? toMs:uint? actor:Actor"
    ),
    "period-close": (
        "from:uint to:uint fromMs:uint toMs:uint part:positive parts:positive nodes:Close*8 "
        "late:uint*64 actor:Actor"
    ),
    "time-anchor": (
        "kind:cosignature|rfc3161 source:text size:uint root:digest anchorMs:uint token:digest "
        "actor:Actor"
    ),
    "fork": "about:About forkSeq:positive index:uint second:digest actor:Actor",
    "enrol": "role:node|gateway|permit name:signer key:keyid spki:b64 opening:Opening?",
    "rotate": (
        "role:authority|gateway|permit|log name:signer key:keyid spki:b64 predecessor:Predecessor"
    ),
    "revoke": (
        "role:authority|node|gateway|permit|log name:signer key:keyid lastSeq:uint reason:text "
        "trusted:digest*32"
    ),
    "retire": (
        "role:authority|node|gateway|permit|log name:signer key:keyid lastSeq:uint head:digest "
        "reason:text"
    ),
}
RECORDS = {
    "Seen": "size:uint root:digest",
    "Registers": "id:id runMs:uint starts:uint volumeMl:uint",
    "Lost": "boot:uint frameSeq:uint atMostMs:uint",
    "Restored": "seq:positive head:digest",
    "Claims": (
        "ueid:text? hwmodel:text? hwversion:text? swname:text? swversion:text? oemboot:bool? "
        "dbgstat:text?"
    ),
    "Interval": "fromUpMs:uint toUpMs:uint fromMs:uint? toMs:uint?",
    "Frames": "boot:uint first:uint last:uint head:digest",
    "Use": (
        "id:id state:text run:bool runMs:uint starts:uint volumeMl:uint permit:uint? "
        "startRequests:uint"
    ),
    "Range": "first:positive last:positive",
    "About": "node:signer keyid:keyid",
    "Actor": "id:text role:text auth:text",
    "Close": (
        "node:signer keyid:keyid firstSeq:positive lastSeq:positive head:digest "
        "registers:Registers*4 gaps:uint*16 hourMeters:Meter*4"
    ),
    "Meter": "id:id minutes:uint?",
    "Opening": "keyid:keyid seq:uint head:digest registers:Registers*4",
    "Predecessor": "keyid:keyid seq:uint head:digest",
}
SIGNERS = {
    "boot": ("node",),
    "usage": ("node",),
    "heartbeat": ("node",),
    "gap": ("node", "gateway"),
    "denial": ("node", "gateway"),
    "activity": ("gateway",),
    "licence": ("gateway",),
    "admin": ("gateway",),
    "period-close": ("gateway",),
    "time-anchor": ("gateway",),
    "fork": ("gateway",),
    "enrol": ("authority",),
    "rotate": ("authority",),
    "revoke": ("authority",),
    "retire": ("authority",),
}


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
    schema = _schema(predicate_type)
    members = {"v": VERSION}
    for name, value in common.items():
        members[name] = value
    head = record.write(COMMON, members, RECORDS)
    _check_common(predicate_type, members)
    body = record.write(schema, specific, RECORDS)
    _check_body(members["node"], specific)
    kind = TYPE_PREFIX + predicate_type + TYPE_SUFFIX
    payload = (
        f'{{"_type":"{STATEMENT_TYPE}","subject":{_format_subject(subject)},'
        f'"predicateType":"{kind}","predicate":{head[:-1]},{body[1:]}}}'
    ).encode()
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireError("too-long", f"a statement has at most {PAYLOAD_BYTES_MAX} bytes")
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
    schema = COMMON + " " + _schema(predicate_type)
    members = record.read(schema, value["predicate"], RECORDS)
    count = len(COMMON.split())
    common = jsonc.Obj(members.pairs[:count])
    body = jsonc.Obj(members.pairs[count:])
    subject = _parse_subject(value["subject"])
    _check_common(predicate_type, common)
    _check_body(common["node"], body)
    return Statement(predicate_type, subject, common, body)


def signer_of(predicate_type: str) -> "tuple[str, ...]":
    """Return the roles that may sign it, of node, gateway, authority; raise `unknown-type`."""
    if predicate_type not in SIGNERS:
        raise WireError("unknown-type", f"there is no statement type {predicate_type!r}")
    return SIGNERS[predicate_type]


def role_of(node: str) -> str:
    """Return the role that a statement's `node` claims: gateway, authority or node."""
    return node if node in ids.RESERVED_NODES else "node"


def envelope_hash(envelope: bytes) -> bytes:
    """Return SHA-256(0x00 || envelope): the next statement's prev and the log's leaf hash."""
    digest = hashlib.sha256(b"\x00")
    digest.update(envelope)
    return digest.digest()


def _schema(predicate_type: str) -> str:
    if predicate_type not in PREDICATES:
        raise WireError("unknown-type", f"there is no statement type {predicate_type!r}")
    return PREDICATES[predicate_type]


def _short_type(text: "Any") -> str:
    if not isinstance(text, str) or not (
        text.startswith(TYPE_PREFIX) and text.endswith(TYPE_SUFFIX)
    ):
        raise WireError("unknown-type", f"{text!r} is no predicate of this profile")
    return text[len(TYPE_PREFIX) : -len(TYPE_SUFFIX)]


def _check_common(predicate_type: str, common: "Any") -> None:
    # What depends on who signs: a node fills in everything, the others nothing of a board's.
    role = role_of(common["node"])
    if common["v"] != VERSION:
        raise WireError("unknown-version", f"version {common['v']} is not {VERSION}")
    if role not in SIGNERS[predicate_type]:
        raise WireError("wrong-signer", f"a {role} makes no statement of type {predicate_type}")
    if role != "node":
        for name in _NO_NODE:
            if common.get(name) is not None:
                raise WireError("wrong-type", f"{name} is null in a statement of the {role}")
    else:
        for name in _NODE:
            if common.get(name) is None:
                raise WireError("wrong-type", f"{name} is not null in a statement of a node")
        if common.get("registers") is None:
            raise WireError("wrong-type", "registers is a list in a statement of a node")
    if (common.get("timeMs") is None) != (common.get("clock") == "U"):
        raise WireError("bad-time", "timeMs is null under clock U, and only there")
    if common["seq"] == 1 and common["prev"] != ZERO_PREV:
        raise WireError("bad-prev", "the first statement's prev is 64 zeros")


def _check_body(node: str, body: "Any") -> None:
    # The gateway names who acted; `about` says whose gap or denial it tells of.
    if "actor" in body and (body["actor"] is None) != (role_of(node) == "node"):
        raise WireError("wrong-type", "actor is what the gateway's statements carry, and only they")


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
