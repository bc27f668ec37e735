"""Vectors of statement payloads: one of every predicate, and what is wrong with others."""

from vector_tools import Case, Signer, b64, bad, compact, defects, good, sha256

NODE = Signer(0x1F2E3D4C5B6A)
GATEWAY = Signer(0x6A7E)
AUTHORITY = Signer(0xA07)
U53 = 9007199254740991
REGISTERS = [{"id": "bat-ext", "runMs": 7200000, "starts": 3, "volumeMl": 1500}]
FRAMES = {"boot": 17, "first": 60, "last": 119, "head": sha256(b"frame 119").hex()}
ACTOR = {"id": "p-7f3a", "role": "operator", "auth": "password"}
ABOUT = {"node": "n01", "keyid": NODE.keyid}


def _digest(text: str) -> str:
    return sha256(text.encode()).hex()


def _common(**changed: object) -> Case:
    common: Case = {
        "v": 1,
        "log": "example.org/raffinate/ndpr",
        "site": "ndpr",
        "node": "n01",
        "keyid": NODE.keyid,
        "seq": 7,
        "prev": _digest("prev"),
        "boot": 17,
        "upMs": 3600125,
        "timeMs": 1795255200125,
        "clock": "S",
        "firmware": _digest("firmware"),
        "config": _digest("config"),
        "calibration": _digest("calibration"),
        "unreceipted": 0,
        "seen": {"size": 3, "root": _digest("root")},
        "registers": REGISTERS,
    }
    return {**common, **changed}


def _by(node: str, signer: Signer) -> Case:
    absent = dict.fromkeys(("boot", "upMs", "clock", "calibration", "unreceipted", "seen"))
    return _common(node=node, keyid=signer.keyid, **absent, registers=None, firmware=None)


def _payload(kind: str, common: Case, body: Case) -> str:
    return compact(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {"name": "equipment/bat-ext.toml", "digest": {"sha256": _digest("bat-ext")}}
            ],
            "predicateType": f"urn:raffinate:{kind}:v1",
            "predicate": {**common, **body},
        }
    )


def _use(**changed: object) -> Case:
    use: Case = {
        "id": "bat-ext",
        "state": "compliant",
        "run": True,
        "runMs": 60000,
        "starts": 0,
        "volumeMl": 25,
        "permit": 12,
        "startRequests": 0,
    }
    return {**use, **changed}


def _usage_body(**changed: object) -> Case:
    interval = {
        "fromUpMs": 3540125,
        "toUpMs": 3600125,
        "fromMs": 1795255140125,
        "toMs": 1795255200125,
    }
    body: Case = {"interval": interval, "frames": FRAMES, "equipment": [_use()], "why": None}
    return {**body, **changed}


def usage() -> str:
    """A usage statement's payload."""
    return _payload("usage", _common(), _usage_body())


def good_statements() -> list[Case]:
    """One of every type by every signer, and the ends of the ranges."""
    node, gateway, authority = _common(), _by("gateway", GATEWAY), _by("authority", AUTHORITY)
    unknown = _common(timeMs=None, clock="U", seq=1, prev="0" * 64, unreceipted=1)
    blind = {"fromUpMs": 0, "toUpMs": 60000, "fromMs": None, "toMs": None}
    idle = _use(state="start-inhibit", run=False, runMs=0, volumeMl=0, permit=None, startRequests=2)
    rows: list[tuple[str, str, Case, Case]] = [
        ("boot", "boot", node, _BOOT),
        (
            "first boot",
            "boot",
            unknown,
            {**_BOOT, "lost": None, "restored": None, "foundRunning": []},
        ),
        ("usage", "usage", node, _usage_body()),
        (
            "usage of four",
            "usage",
            node,
            _usage_body(equipment=[_use(id=f"m{i}") for i in range(4)]),
        ),
        ("usage without clock", "usage", unknown, _usage_body(interval=blind, why="store full")),
        ("heartbeat", "heartbeat", node, _usage_body(equipment=[idle], frames=None)),
        (
            "heartbeat without equipment",
            "heartbeat",
            _common(registers=[]),
            _usage_body(equipment=[]),
        ),
        ("gap of a node", "gap", node, _GAP),
        ("gap by the gateway", "gap", gateway, _GATEWAY_GAP),
        ("denial of a node", "denial", node, _DENIAL),
        ("denial by the gateway", "denial", gateway, {**_DENIAL, "about": ABOUT, "actor": ACTOR}),
    ]
    rows += [(kind, kind, gateway, body) for kind, body in _BY_GATEWAY.items()]
    rows += [(kind, kind, authority, body) for kind, body in _BY_AUTHORITY.items()]
    first = {**_BY_GATEWAY["document"], "version": 1, "replaces": None}
    rows += [
        (f"document: {action}", "document", gateway, {**first, "action": action})
        for action in ("hold", "release", "delete")
    ]
    rows.append(
        ("enrol of a first key", "enrol", authority, {**_BY_AUTHORITY["enrol"], "opening": None})
    )
    rows.append(
        (
            "largest numbers",
            "denial",
            _common(seq=U53, boot=U53, upMs=U53),
            {**_DENIAL, "count": U53},
        )
    )
    cases = []
    for name, kind, common, body in rows:
        shown: Case = {"type": kind, "body": _members(body), "common": _members(common)}
        cases.append(good(name, _payload(kind, common, body), shown))
    return cases


def bad_statements() -> list[Case]:
    """What is wrong, by its name."""
    node, gateway, authority = _common(), _by("gateway", GATEWAY), _by("authority", AUTHORITY)
    five = [_use(id=f"m{i}") for i in range(5)]
    rows: list[tuple[str, str, Case, Case, str]] = [
        ("usage by the gateway", "usage", gateway, _usage_body(), "wrong-signer"),
        ("boot by the authority", "boot", authority, _BOOT, "wrong-signer"),
        ("enrol by the gateway", "enrol", gateway, _BY_AUTHORITY["enrol"], "wrong-signer"),
        ("enrol by a node", "enrol", node, _BY_AUTHORITY["enrol"], "wrong-signer"),
        ("licence by the authority", "licence", authority, _BY_GATEWAY["licence"], "wrong-signer"),
        ("document by a node", "document", node, _BY_GATEWAY["document"], "wrong-signer"),
        (
            "document edited",
            "document",
            gateway,
            {**_BY_GATEWAY["document"], "action": "edit"},
            "bad-word",
        ),
        (
            "document version 0",
            "document",
            gateway,
            {**_BY_GATEWAY["document"], "version": 0},
            "bad-integer",
        ),
        ("unknown type", "audit", node, {}, "unknown-type"),
        ("five equipment", "usage", node, _usage_body(equipment=five), "too-long"),
        ("five registers", "usage", _common(registers=REGISTERS * 5), _usage_body(), "too-long"),
        ("no registers", "usage", _common(registers=None), _usage_body(), "wrong-type"),
        ("no calibration", "usage", _common(calibration=None), _usage_body(), "wrong-type"),
        ("no seen", "usage", _common(seen=None), _usage_body(), "wrong-type"),
        (
            "gateway with boot",
            "licence",
            {**gateway, "boot": 1},
            _BY_GATEWAY["licence"],
            "wrong-type",
        ),
        (
            "gateway with clock",
            "licence",
            {**gateway, "clock": "S"},
            _BY_GATEWAY["licence"],
            "wrong-type",
        ),
        (
            "gateway without time",
            "licence",
            {**gateway, "timeMs": None},
            _BY_GATEWAY["licence"],
            "bad-time",
        ),
        ("time under clock U", "usage", _common(clock="U"), _usage_body(), "bad-time"),
        ("no time under clock S", "usage", _common(timeMs=None), _usage_body(), "bad-time"),
        ("actor of a node", "denial", node, {**_DENIAL, "actor": ACTOR}, "wrong-type"),
        ("no actor of the gateway", "denial", gateway, {**_DENIAL, "about": ABOUT}, "wrong-type"),
        ("about by a node", "gap", node, {**_GAP, "about": ABOUT}, "wrong-type"),
        ("no about by the gateway", "gap", gateway, {**_GATEWAY_GAP, "about": None}, "wrong-type"),
        ("unknown gap", "gap", node, {**_GAP, "what": "sleep"}, "bad-word"),
        ("unknown denial", "denial", node, {**_DENIAL, "kind": "ALLOWED"}, "bad-word"),
        ("count 0", "denial", node, {**_DENIAL, "count": 0}, "bad-integer"),
        ("clock X", "usage", _common(clock="X"), _usage_body(), "bad-word"),
        ("4.4 KB and more", "usage", node, _usage_body(why="x" * 4500), "too-long"),
    ]
    cases = [
        bad(name, _payload(kind, common, body), code) for name, kind, common, body, code in rows
    ]
    return cases + defects(usage(), _DEFECTS)


def _members(value: object) -> object:
    if isinstance(value, dict):
        return {"members": [[name, _shown(name, member)] for name, member in value.items()]}
    return [_members(item) for item in value] if isinstance(value, list) else value


def _shown(name: str, value: object) -> object:
    return value if name == "spki" else _members(value)


_BOOT: Case = {
    "spki": b64(NODE.spki),
    "resetCause": "watchdog",
    "lost": {"boot": 16, "frameSeq": 4711, "atMostMs": 15000},
    "restored": {"seq": 6, "head": _digest("statement 6")},
    "foundRunning": ["bat-ext"],
    "claims": {
        "ueid": "AQIDBAUGBwg",
        "hwmodel": "pico-w",
        "hwversion": None,
        "swname": "raffinate",
        "swversion": "0.1.0",
        "oemboot": False,
        "dbgstat": "enabled",
    },
    "tier": 0,
}
_GAP: Case = {
    "what": "frames",
    "frames": FRAMES,
    "fromMs": 1795255140125,
    "toMs": 1795255200125,
    "fromUpMs": 3540125,
    "toUpMs": 3600125,
    "cause": "outbox overflow",
    "registersFrom": REGISTERS,
    "registersTo": REGISTERS,
    "statements": None,
    "about": None,
    "actor": None,
}
_GATEWAY_GAP: Case = {
    **_GAP,
    "what": "statements",
    "frames": None,
    "fromUpMs": None,
    "toUpMs": None,
    "cause": "heartbeat missed",
    "registersFrom": None,
    "registersTo": None,
    "statements": {"first": 8, "last": 9},
    "about": ABOUT,
    "actor": ACTOR,
}
_DENIAL: Case = {
    "kind": "REFUSED",
    "equipment": "bat-ext",
    "reason": "PERMIT-ENDED",
    "permit": 12,
    "count": 2,
    "fromMs": 1795255190125,
    "toMs": 1795255195125,
    "about": None,
    "actor": None,
}
_BY_GATEWAY: dict[str, Case] = {
    "activity": {
        "kind": "maintenance",
        "equipment": "bat-ext",
        "workOrder": _digest("WO 12"),
        "fromMs": 1795255190125,
        "toMs": None,
        "details": None,
        "actor": ACTOR,
    },
    "licence": {
        "licence": "LIC-2026-014",
        "sha256": _digest("licence"),
        "replaces": None,
        "actor": ACTOR,
    },
    "document": {
        "kind": "end-user-certificate",
        "name": "EUC-2026-7",
        "version": 2,
        "sha256": _digest("certificate 2"),
        "replaces": _digest("certificate 1"),
        "action": "add",
        "actor": ACTOR,
    },
    "admin": {
        "action": "time-set",
        "object": None,
        "before": None,
        "after": _digest("time"),
        "fromMs": 1795255190125,
        "toMs": 1795255200125,
        "actor": ACTOR,
    },
    "period-close": {
        "from": 0,
        "to": 812,
        "fromMs": 1795168800000,
        "toMs": 1795255200000,
        "part": 1,
        "parts": 1,
        "nodes": [
            {
                "node": "n01",
                "keyid": NODE.keyid,
                "firstSeq": 1,
                "lastSeq": 7,
                "head": _digest("statement 7"),
                "registers": REGISTERS,
                "gaps": [411],
                "hourMeters": [{"id": "bat-ext", "minutes": 120}],
            }
        ],
        "late": [3, 5],
        "actor": ACTOR,
    },
    "time-anchor": {
        "kind": "cosignature",
        "source": "witness.example/w1",
        "size": 812,
        "root": _digest("root 812"),
        "anchorMs": 1795255201000,
        "token": _digest("cosigned checkpoint"),
        "actor": ACTOR,
    },
    "fork": {
        "about": ABOUT,
        "forkSeq": 7,
        "index": 640,
        "second": _digest("second envelope"),
        "actor": ACTOR,
    },
}
_BY_AUTHORITY: dict[str, Case] = {
    "enrol": {
        "role": "node",
        "name": "n01",
        "key": NODE.keyid,
        "spki": b64(NODE.spki),
        "opening": {
            "keyid": _digest("old key"),
            "seq": 99,
            "head": _digest("statement 99"),
            "registers": REGISTERS,
        },
    },
    "rotate": {
        "role": "gateway",
        "name": "gateway",
        "key": GATEWAY.keyid,
        "spki": b64(GATEWAY.spki),
        "predecessor": {"keyid": _digest("old"), "seq": 12, "head": _digest("head")},
    },
    "revoke": {
        "role": "node",
        "name": "n01",
        "key": NODE.keyid,
        "lastSeq": 6,
        "reason": "key copied",
        "trusted": [_digest("leaf")],
    },
    "retire": {
        "role": "node",
        "name": "n01",
        "key": NODE.keyid,
        "lastSeq": 7,
        "head": _digest("statement 7"),
        "reason": "board replaced",
    },
}
_SUBJECT = usage().split('"subject":')[1].split(',"predicateType"')[0]
_DEFECTS = [
    ("white space", '"seq":7', '"seq": 7', "not-canonical"),
    (
        "other statement type",
        "in-toto.io/Statement/v1",
        "in-toto.io/Statement/v0.1",
        "unknown-type",
    ),
    (
        "predicate of another scheme",
        "urn:raffinate:usage:v1",
        "https://slsa.dev/v1",
        "unknown-type",
    ),
    ("predicate version 2", "usage:v1", "usage:v2", "unknown-type"),
    ("version 2", '"v":1', '"v":2', "unknown-version"),
    ("no subject", _SUBJECT, "[]", "bad-subject"),
    ("17 subjects", _SUBJECT, "[" + ",".join([_SUBJECT[1:-1]] * 17) + "]", "bad-subject"),
    ("subject is no list", _SUBJECT, _SUBJECT[1:-1], "wrong-type"),
    ("subject by sha1", '"sha256":', '"sha1":', "missing-member"),
    ("seq 0", '"seq":7', '"seq":0', "bad-integer"),
    ("seq decimal", '"seq":7', '"seq":7.5', "bad-integer"),
    ("seq with exponent", '"seq":7', '"seq":7e0', "not-canonical"),
    ("seq 2^53", '"seq":7', '"seq":9007199254740992', "bad-number"),
    ("seq twice", '"seq":7', '"seq":7,"seq":7', "duplicate-member"),
    (
        "member order",
        '"v":1,"log":"example.org/raffinate/ndpr"',
        '"log":"example.org/raffinate/ndpr","v":1',
        "member-order",
    ),
    ("member missing", '"unreceipted":0,', "", "missing-member"),
    ("member unknown", '"unreceipted":0', '"unreceipted":0,"note":1', "unknown-member"),
    ("run as number", '"run":true', '"run":1', "wrong-type"),
    ("negative register", '"runMs":7200000', '"runMs":-1', "bad-integer"),
    ("text not ASCII", '"compliant"', '"\u00e9"', "bad-text"),
    ("text escaped", '"compliant"', '"a\\\\b"', "bad-text"),
    (
        "prev in capitals",
        f'"prev":"{_digest("prev")}"',
        f'"prev":"{_digest("prev").upper()}"',
        "bad-keyid",
    ),
    ("frames head cut", FRAMES["head"], "00", "bad-keyid"),
    ("log without site", "example.org/raffinate/ndpr", "example.org/raffinate", "bad-origin"),
    ("seen is a number", '"seen":{"size":3', '"seen":3,"x":{"size":3', "unknown-member"),
    ("cut short", '"why":null}}', '"why":null}', "truncated"),
]
