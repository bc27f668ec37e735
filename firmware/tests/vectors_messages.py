"""Vectors of frame, ack, status, resume and permit."""

import base64

from vector_tools import Case, bad, compact, defects, good, sha256

Files = dict[str, tuple[str, list[Case]]]
KEYID = "3f9ac0d1e2b34455" + "0" * 48
NONCE = "00112233445566778899aabbccddeeff"
PREV = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
U53 = 9007199254740991


def files() -> Files:
    """The cases of every file, by its name."""
    return {
        "frame": ("SenML frames of protocol 3", _frames()),
        "ack": ("acks of protocol 2", _acks()),
        "status": ("status and will of protocol 2", _statuses()),
        "resume": ("resumes of protocol 2", _resumes()),
        "permit": ("permit payloads of protocol 5", _permits()),
    }


def _header(bt: object, clock: str, seq: int = 123456) -> list[Case]:
    first: Case = {"bn": "ndpr/n07/"}
    if bt is not None:
        first["bt"] = bt
    first.update({"n": "key", "vs": "3f9ac0d1e2b34455"})
    return [
        first,
        {"n": "boot", "v": 17},
        {"n": "seq", "v": seq},
        {"n": "prev", "vd": PREV},
        {"n": "clock", "vs": clock},
    ]


def _up(seconds: object, bt: object = None) -> Case:
    record: Case = {} if bt is None else {"bt": bt}
    return {**record, "n": "up", "u": "s", "v": seconds}


def _values(count: int, stages: int = 64) -> list[Case]:
    return [{"n": f"e{i % stages:02}/p{i // stages}", "v": i} for i in range(count)]


def _frames() -> list[Case]:
    synced = compact(
        [
            *_header(1795255200.125, "S"),
            _up(86412.125),
            {"n": "e01/ph", "u": "pH", "v": 1.851},
            {"n": "e01/cond", "u": "S/m", "v": 9.62},
            {"n": "e02/ph", "vs": "F:open"},
        ]
    )
    scans = [
        [
            1795255200125,
            86412125,
            [
                ["e01/ph", "pH", 1851, 3],
                ["e01/cond", "S/m", 962, 2],
                ["e02/ph", None, "F:open", 0],
            ],
        ]
    ]
    shown: Case = {
        "site": "ndpr",
        "node": "n07",
        "key16": "3f9ac0d1e2b34455",
        "boot": 17,
        "seq": 123456,
        "prev": base64.b64encode(bytes(range(32))).decode(),
        "clock": "S",
        "scans": scans,
        "hash": sha256(synced.encode()).hex(),
    }
    two = compact(
        [
            *_header(1795255200, "R"),
            _up(1),
            {"n": "e01/run", "v": 1},
            _up(2.5, 1795255201.5),
            {"n": "e01/run", "v": 0},
        ]
    )
    unknown = compact([*_header(None, "U", 0), _up(0), {"n": "e01/temp", "u": "Cel", "v": -0.25}])
    full = compact([*_header(1795255200, "I"), _up(1), *_values(512)])
    cases = [
        good("one scan", synced, shown),
        good("two scans", two, {"scans": _TWO_SCANS}),
        good("clock unknown", unknown, {"clock": "U", "scans": _UNKNOWN_SCANS}),
        good("no values", compact([*_header(1, "S"), _up(1)]), {"scans": [[1000, 1000, []]]}),
        good("512 values", full),
        bad("513 values", compact([*_header(1795255200, "I"), _up(1), *_values(513)]), "too-long"),
        bad("16 KiB and more", synced[:-1] + "," * 16384 + "]", "too-long"),
        bad("no scan", compact(_header(1, "S")), "bad-frame"),
        bad("an object", "{}", "bad-frame"),
        bad("records are no objects", "[1,2,3,4,5,6]", "wrong-type"),
        bad("scan record is no object", compact([*_header(1, "S"), 1]), "wrong-type"),
        bad("values before up", compact([*_header(1, "S"), *_values(2)]), "bad-frame"),
        bad("bt under U", compact([*_header(1, "U"), _up(1)]), "bad-frame"),
        bad("no bt under S", compact([*_header(None, "S"), _up(1)]), "bad-frame"),
        bad("no bt in second scan", compact([*_header(1, "S"), _up(1), _up(2)]), "missing-member"),
        bad("bt in second under U", compact([*_header(None, "U"), _up(1), _up(2, 3)]), _UNKNOWN),
        bad("257 scans", compact([*_header(1, "S"), _up(1), *[_up(2, 2)] * 256]), "too-long"),
    ]
    return cases + defects(synced, _FRAME_DEFECTS)


_UNKNOWN = "unknown-member"
_TWO_SCANS = [
    [1795255200000, 1000, [["e01/run", "", 1, 0]]],
    [1795255201500, 2500, [["e01/run", "", 0, 0]]],
]
_UNKNOWN_SCANS = [[None, 0, [["e01/temp", "Cel", -25, 2]]]]
_FRAME_DEFECTS = [
    ("white space", '"n":"boot"', '"n": "boot"', "not-canonical"),
    ("newline between records", '{"n":"boot"', '\n{"n":"boot"', "not-canonical"),
    ("cut short", "}]", "}", "truncated"),
    ("member order", '"n":"boot","v":17', '"v":17,"n":"boot"', "member-order"),
    (
        "record order",
        '{"n":"boot","v":17},{"n":"seq"',
        '{"n":"seq","v":17},{"n":"boot"',
        "bad-frame",
    ),
    ("base name without slash", "ndpr/n07/", "ndpr/n07", "bad-frame"),
    ("base name of three", "ndpr/n07/", "ndpr/n07/x/", "bad-frame"),
    ("reserved node", "ndpr/n07/", "ndpr/gateway/", "bad-id"),
    ("capital in key", "3f9ac0", "3F9ac0", "bad-keyid"),
    ("boot as text", '"v":17}', '"v":"17"}', "bad-integer"),
    ("negative seq", '"v":123456', '"v":-1', "bad-integer"),
    ("decimal seq", '"v":123456', '"v":0.5', "bad-integer"),
    ("seq 2^53", '"v":123456', '"v":9007199254740992', "bad-number"),
    ("prev of 31 bytes", PREV, PREV[:-1], "bad-base64"),
    ("prev with trailing bits", PREV, PREV[:-1] + "9", "bad-base64"),
    ("prev too short", PREV, "AAAA", "bad-frame"),
    ("prev padded", PREV, PREV + "=", "bad-base64"),
    ("unknown clock", '"vs":"S"', '"vs":"X"', "bad-frame"),
    ("bt with 4 decimals", "1795255200.125", "1795255200.1255", "bad-number"),
    ("bt negative", "1795255200.125", "-1795255200.125", "bad-integer"),
    ("up in ms", '"u":"s"', '"u":"ms"', "bad-unit"),
    ("up without unit", '"u":"s",', "", "missing-member"),
    ("eight digits", "1.851", "1.8512345", "bad-number"),
    ("trailing zero", "9.62", "9.620", "not-canonical"),
    ("MicroPython's number", "9.62", "9.619999999999999", "not-canonical"),
    ("exponent", "9.62", "962e-2", "not-canonical"),
    ("minus zero", "9.62", "-0", "bad-number"),
    ("value as text", "9.62", '"9.62"', "bad-integer"),
    ("value null", "9.62", "null", "bad-integer"),
    ("value true", "9.62", "true", "bad-integer"),
    ("text and value", '"vs":"F:open"', '"v":1,"vs":"F:open"', _UNKNOWN),
    ("sum instead of value", '"v":9.62', '"s":9.62', "missing-member"),
    ("own time", '"v":9.62', '"v":9.62,"t":1', _UNKNOWN),
    ("unknown quality", "F:open", "G:open", "bad-quality"),
    ("name without stage", "e01/cond", "cond", "bad-name"),
    ("name twice in a scan", "e01/cond", "e01/ph", "duplicate-name"),
    ("unit not ASCII", "S/m", "\u00b5S", "bad-unit"),
]


def _acks() -> list[Case]:
    head: Case = {"key": "3f9ac0d1e2b34455", "epoch": 7}
    reason = [16, 4, "unknown-point"]
    text = compact(
        {
            **head,
            "boots": [[16, 9], [17, 0]],
            "rejected": [reason],
            "refused": [[5, "bad-signature"]],
        }
    )
    full: Case = {
        **head,
        "boots": [[i, U53] for i in range(16)],
        "rejected": [[U53, U53, "x" * 48]] * 64,
        "refused": [[U53, "y" * 48]] * 64,
    }
    nothing: Case = {**head, "boots": [], "rejected": [], "refused": []}
    cases = [
        good("one of each", text, {"epoch": 7, "boots": [[16, 9], [17, 0]], "rejected": [reason]}),
        good("nothing", compact(nothing)),
        good("all lists full", compact(full)),
        bad("17 boots", compact({**nothing, "boots": [[i, 0] for i in range(17)]}), "too-long"),
        bad("65 rejected", compact({**nothing, "rejected": [reason] * 65}), "too-long"),
        bad("65 refused", compact({**nothing, "refused": [[1, "x"]] * 65}), "too-long"),
        bad("a list", "[]", "wrong-type"),
        bad("12 KiB and more", compact(nothing) + " " * 12288, "too-long"),
    ]
    return cases + defects(
        text,
        [
            ("whole key id", "3f9ac0d1e2b34455", KEYID, "bad-keyid"),
            ("epoch as text", '"epoch":7', '"epoch":"7"', "bad-integer"),
            ("epoch missing", '"epoch":7,', "", "missing-member"),
            ("another member", '"epoch":7,', '"epoch":7,"time":1,', "unknown-member"),
            ("boots descending", "[16,9],[17,0]", "[17,0],[16,9]", "not-canonical"),
            ("boot twice", "[16,9],[17,0]", "[16,9],[16,10]", "not-canonical"),
            ("upto negative", "[16,9]", "[16,-1]", "bad-integer"),
            ("boots of three", "[16,9]", "[16,9,1]", "wrong-type"),
            ("reason missing", '[16,4,"unknown-point"]', "[16,4]", "wrong-type"),
            ("reason with blank", "unknown-point", "unknown point", "bad-code"),
            ("reason is a number", '"bad-signature"', "1", "bad-code"),
            ("boots null", "[[16,9],[17,0]]", "null", "too-long"),
        ],
    )


def _statuses() -> list[Case]:
    online = compact({"online": True, "boot": 17, "keyid": KEYID, "nonce": NONCE, "seen": 42})
    will = compact({"online": False, "boot": 17, "keyid": KEYID})
    cases = [
        good("online", online, {"online": True, "boot": 17, "nonce": NONCE, "seen_size": 42}),
        good("will", will, {"online": False, "boot": 17, "nonce": None, "seen_size": None}),
        bad("empty", "", "truncated"),
        bad("text", '"online"', "wrong-type"),
        bad("512 bytes and more", will + " " * 512, "too-long"),
    ]
    cases += defects(
        online,
        [
            ("offline with nonce", "true", "false", "unknown-member"),
            ("online as number", "true", "1", "unknown-member"),
            ("nonce of 15 bytes", NONCE, NONCE[2:], "bad-nonce"),
            ("nonce in capitals", NONCE, NONCE.upper(), "bad-nonce"),
            ("seen negative", ":42", ":-1", "bad-integer"),
            ("key id cut", KEYID, KEYID[:16], "bad-keyid"),
            ("boot true", ":17", ":true", "bad-integer"),
        ],
    )
    return cases + defects(will, [("online without nonce", "false", "true", "missing-member")])


def _resumes() -> list[Case]:
    head = compact({"keyid": KEYID, "boot": 17, "nonce": NONCE, "timeMs": 1795255200125})
    envelope = '{"any":"bytes"}\n'
    shown: Case = {"keyid": KEYID, "boot": 17, "nonce": NONCE, "time_ms": 1795255200125}
    with_envelope: Case = {**shown, "envelope": base64.b64encode(envelope.encode()).decode()}
    cases = [
        good("with envelope", f"{head}\n{envelope}", with_envelope),
        good("without", head + "\n", {**shown, "envelope": ""}),
        bad("no newline", head, "truncated"),
        bad("empty", "", "truncated"),
        bad("newline alone", "\n", "truncated"),
        bad("carriage return", head + "\r\n", "trailing-data"),
        bad("6 KiB envelope and more", head + "\n" + "x" * 6145, "truncated"),
        bad("too long", head + "\n" + "x" * 7000, "too-long"),
        bad("head too long", "x" * 513 + "\n", "truncated"),
    ]
    return cases + defects(
        head + "\n",
        [
            ("time null", "1795255200125", "null", "wrong-type"),
            ("time decimal", "1795255200125", "1795255200.125", "bad-integer"),
            ("nonce missing", f'"nonce":"{NONCE}",', "", "missing-member"),
        ],
    )


def _permits() -> list[Case]:
    permit: Case = {
        "v": 1,
        "serial": 12,
        "site": "ndpr",
        "node": "n01",
        "keyid": KEYID,
        "equipment": "bat-ext",
        "licence": "LIC-2026-014",
        "licenceSha256": "ab" * 32,
        "purpose": "\u00e9tude \u201cNd\u201d\n",
        "stages": ["e01", "e02"],
        "issuedMs": 1795255200000,
        "notBeforeMs": 1795255200000,
        "notAfterMs": 1795341600000,
        "graceMs": 900000,
        "runMsLimit": 87300000,
        "volumeMlLimit": None,
        "mode": "start",
    }
    text = compact(permit)
    limited = {**permit, "volumeMlLimit": 5000000, "purpose": ""}
    stages = [f"e{i:02}" for i in range(96)]
    cases = [
        good("no volume limit", text, {"serial": 12, "purpose": permit["purpose"]}),
        good("volume limit", compact(limited), {"volume_ml_limit": 5000000, "purpose": ""}),
        good("96 stages", compact({**permit, "stages": stages}), {"stages": stages}),
        bad("97 stages", compact({**permit, "stages": [*stages, "x"]}), "too-long"),
        bad("free text too long", compact({**permit, "purpose": "x" * 257}), "too-long"),
        bad("a list", "[]", "wrong-type"),
    ]
    return cases + defects(text, _PERMIT_DEFECTS)


_PERMIT_DEFECTS = [
    ("version 2", '"v":1', '"v":2', "unknown-version"),
    ("serial 0", ":12,", ":0,", "bad-integer"),
    ("reserved node", '"n01"', '"gateway"', "bad-id"),
    ("no stages", '["e01","e02"]', "[]", "bad-permit"),
    ("stages as text", '["e01","e02"]', '"e01"', "wrong-type"),
    ("ends before it begins", "1795341600000", "1795255199999", "bad-permit"),
    ("ends as it begins", "1795341600000", "1795255200000", "bad-permit"),
    ("longer than 7 days", "1795341600000", "1795860000001", "bad-permit"),
    ("grace above 7 days", "900000", "604800001", "bad-permit"),
    ("no run limit", "87300000", "null", "wrong-type"),
    ("run limit left out", '"runMsLimit":87300000,', "", "missing-member"),
    ("unlimited mode", '"start"', '"run"', "bad-word"),
    ("mode stop", '"start"', '"stop"', "bad-word"),
    ("member order", '"v":1,"serial":12', '"serial":12,"v":1', "member-order"),
    ("duplicate member", '"v":1', '"v":1,"v":1', "duplicate-member"),
    ("escaped letter", "tude", "\\u0074ude", "not-canonical"),
    ("time as decimal", "87300000", "87300000.5", "bad-integer"),
]
