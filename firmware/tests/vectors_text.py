"""Vectors of names, base64, canonical JSON, numbers and topics."""

import base64

from vector_tools import Case, bad, good

Files = dict[str, tuple[str, list[Case]]]


def files() -> Files:
    """The cases of every file, by its name."""
    return {
        "names": ("names, texts and codes; kind says which check", _names()),
        "base64": ("RFC 4648, one text for every byte string", _base64()),
        "json": ("canonical JSON of protocol 1", _json()),
        "numbers": ("mantissa and decimals to text", _numbers()),
        "topics": ("MQTT topics, parsed and written again", _topics()),
    }


def _names() -> list[Case]:
    long = "a" * 33
    rows = [
        ("id", "a", None),
        ("id", "9-lives", None),
        ("id", "a" * 32, None),
        ("id", "gateway", None),
        ("id", "", "bad-id"),
        ("id", long, "bad-id"),
        ("id", "-a", "bad-id"),
        ("id", "E01", "bad-id"),
        ("id", "e_1", "bad-id"),
        ("id", "e/1", "bad-id"),
        ("id", "e01\n", "bad-id"),
        ("id", "\u0665", "bad-id"),
        ("node", "n07", None),
        ("node", "gateway", "bad-id"),
        ("node", "authority", "bad-id"),
        ("keyid", "0123456789abcdef" * 4, None),
        ("keyid", "0123456789ABCDEF" * 4, "bad-keyid"),
        ("keyid", "0123456789abcdef" * 3, "bad-keyid"),
        ("keyid", "0123456789abcdeg" * 4, "bad-keyid"),
        ("origin", "example.org/raffinate/ndpr", None),
        ("origin", "localhost/raffinate/n", None),
        ("origin", "example.org/ndpr", "bad-origin"),
        ("origin", "example.org/tessera/ndpr", "bad-origin"),
        ("origin", "https://example.org/raffinate/ndpr", "bad-origin"),
        ("origin", "example..org/raffinate/ndpr", "bad-origin"),
        ("origin", "Example.org/raffinate/ndpr", "bad-origin"),
        ("origin", "example.org/raffinate/", "bad-id"),
        ("origin", "a" * 90 + "/raffinate/ndpr", "bad-origin"),
        ("text", "power-on, ~!", None),
        ("text", "", None),
        ("text", "x" * 129, "bad-text"),
        ("text", 'a"b', "bad-text"),
        ("text", "a\\b", "bad-text"),
        ("text", "a\tb", "bad-text"),
        ("text", "\u00e9", "bad-text"),
        ("text", "\x7f", "bad-text"),
        ("code", "STARTED-ANYWAY", None),
        ("code", "bad_unit", "bad-code"),
        ("code", "x" * 49, "bad-code"),
        ("hex", "", None),
        ("hex", "00ff", None),
        ("hex", "0", "bad-hex"),
        ("hex", "0F", "bad-hex"),
        ("value-name", "e01/flow_aq", None),
        ("value-name", "e01", "bad-name"),
        ("value-name", "e01/ph/x", "bad-name"),
        ("value-name", "e01/", "bad-name"),
        ("value-name", "e01/pH", "bad-name"),
        ("value-name", "/ph", "bad-id"),
        ("quality", "F:open", None),
        ("quality", "M:cal-due", None),
        ("quality", "X:open", "bad-quality"),
        ("quality", "F", "bad-quality"),
        ("quality", "", "bad-quality"),
        ("quality", "F:", "bad-code"),
        ("quality", "F:wire open", "bad-code"),
        ("unit", "S/m", None),
        ("unit", "%RH", None),
        ("unit", "", "bad-unit"),
        ("unit", "\u00b0C", "bad-unit"),
        ("unit", "x" * 17, "bad-unit"),
    ]
    cases = []
    for kind, text, code in rows:
        name = f"{kind} {text[:40]!r}"
        cases.append(bad(name, text, code, kind=kind) if code else good(name, text, kind=kind))
    return cases


def _base64() -> list[Case]:
    cases = []
    for data in (b"", b"\x00", b"\xff\xff", b"abc", bytes(range(256)), b"\xfb\xef\xbe\xff"):
        standard = base64.b64encode(data).decode()
        url = base64.urlsafe_b64encode(data).decode().rstrip("=")
        shown: Case = {"hex": data.hex()}
        cases.append(good(f"standard {len(data)} bytes", standard, shown, alphabet="standard"))
        cases.append(good(f"url {len(data)} bytes", url, shown, alphabet="url"))
    for name, text, alphabet in [
        ("no padding", "YQ", "standard"),
        ("short padding", "YQ=", "standard"),
        ("long padding", "YQ===", "standard"),
        ("trailing bits", "YR==", "standard"),
        ("trailing bits of two", "YWJ=", "standard"),
        ("newline at the end", "YWJj\n", "standard"),
        ("newline inside", "YW\nJj", "standard"),
        ("blank inside", "YW Jj", "standard"),
        ("junk inside", "YW!Jj", "standard"),
        ("url alphabet", "-_-_", "standard"),
        ("data after padding", "YQ==YQ==", "standard"),
        ("one digit", "Y", "standard"),
        ("padding alone", "====", "standard"),
        ("not ASCII", "YWJ\u00e9", "standard"),
        ("padded", "YQ==", "url"),
        ("standard alphabet", "+/+/", "url"),
        ("trailing bits of url", "YR", "url"),
        ("one digit of url", "Y", "url"),
        ("five digits of url", "YWJjY", "url"),
    ]:
        cases.append(bad(name, text, "bad-base64", alphabet=alphabet))
    return cases


def _json() -> list[Case]:
    goods: list[tuple[str, str, object]] = [
        ("null", "null", None),
        ("true", "true", True),
        ("zero", "0", 0),
        ("largest", "9007199254740991", 9007199254740991),
        ("smallest", "-9007199254740991", -9007199254740991),
        ("decimal", "1.851", {"mantissa": 1851, "decimals": 3}),
        ("negative decimal", "-0.5", {"mantissa": -5, "decimals": 1}),
        ("smallest decimal", "0.00001", {"mantissa": 1, "decimals": 5}),
        ("time", "1795255200.125", {"mantissa": 1795255200125, "decimals": 3}),
        ("empty text", '""', ""),
        ("escapes", '"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f"', '\b\t\n\f\r"\\\x00\x1f'),
        ("two to four bytes", '"\u00e9\u20ac\U0001f9ea"', "\u00e9\u20ac\U0001f9ea"),
        ("delete is literal", '"\x7f/"', "\x7f/"),
        ("empty list", "[]", []),
        ("list", '[1,"a",[true]]', [1, "a", [True]]),
        ("empty object", "{}", {"members": []}),
        ("order kept", '{"b":1,"a":{"c":null}}', _members(b=1, a=_members(c=None))),
        ("eight deep", "[[[[[[[[]]]]]]]]", [[[[[[[[]]]]]]]]),
    ]
    cases = [good(name, text, {"is": value}) for name, text, value in goods]
    cases += [bad(name, text, code) for name, text, code in _BAD_JSON]
    return cases


def _members(**members: object) -> Case:
    return {"members": [[name, value] for name, value in members.items()]}


_BAD_JSON: list[tuple[str, str | bytes, str]] = [
    ("nothing", "", "truncated"),
    ("blank before", " 1", "not-canonical"),
    ("blank after", "1 ", "trailing-data"),
    ("newline after", "{}\n", "trailing-data"),
    ("second value", "{}{}", "trailing-data"),
    ("blank in list", "[1, 2]", "not-canonical"),
    ("blank in object", '{"a": 1}', "not-canonical"),
    ("byte order mark", "\ufeff1", "not-canonical"),
    ("trailing comma", "[1,]", "not-canonical"),
    ("leading comma", "[,1]", "not-canonical"),
    ("comma alone", "{,}", "not-canonical"),
    ("member comma", '{"a":1,}', "not-canonical"),
    ("missing comma", "[1 2]", "not-canonical"),
    ("missing colon", '{"a"1}', "not-canonical"),
    ("number as name", "{1:2}", "not-canonical"),
    ("single quotes", "{'a':1}", "not-canonical"),
    ("duplicate member", '{"a":1,"b":2,"a":1}', "duplicate-member"),
    ("duplicate by escape", '{"\\u0001":1,"\\u0001":2}', "duplicate-member"),
    ("unclosed list", "[1", "truncated"),
    ("unclosed object", '{"a":1', "truncated"),
    ("unclosed text", '"abc', "truncated"),
    ("wrong bracket", "[1}", "not-canonical"),
    ("nine deep", "[" * 9 + "]" * 9, "too-deep"),
    ("leading zero", "01", "not-canonical"),
    ("minus zero", "-0", "bad-number"),
    ("plus", "+1", "not-canonical"),
    ("point without digits", "1.", "bad-number"),
    ("point first", ".5", "not-canonical"),
    ("trailing zero", "1.50", "not-canonical"),
    ("zero decimals", "1.0", "not-canonical"),
    ("minus zero decimal", "-0.0", "not-canonical"),
    ("exponent", "1e5", "not-canonical"),
    ("capital exponent", "1E5", "not-canonical"),
    ("decimal exponent", "1.5e-7", "not-canonical"),
    ("too small", "0.000009", "bad-number"),
    ("12 decimals", "0.123456789012", "not-canonical"),
    ("2^53", "9007199254740992", "bad-number"),
    ("17 digits", "10000000000000000", "bad-number"),
    ("NaN", "NaN", "not-canonical"),
    ("Infinity", "Infinity", "not-canonical"),
    ("hexadecimal", "0x10", "trailing-data"),
    ("Arabic digit", "\u0661", "not-canonical"),
    ("capital word", "True", "not-canonical"),
    ("half a word", "tru", "not-canonical"),
    ("nil", "nil", "not-canonical"),
    ("escaped slash", '"\\/"', "not-canonical"),
    ("escaped letter", '"\\u0061"', "not-canonical"),
    ("escaped euro", '"\\u20ac"', "not-canonical"),
    ("long escape of newline", '"\\u000a"', "not-canonical"),
    ("capital hex", '"\\u001F"', "not-canonical"),
    ("short escape", '"\\u1"', "not-canonical"),
    ("unknown escape", '"\\x"', "not-canonical"),
    ("raw newline", '"\n"', "not-canonical"),
    ("raw tab after an escape", '"\\n\t"', "not-canonical"),
    ("raw nul", '"\x00"', "not-canonical"),
    ("overlong slash", b'"\xc0\xaf"', "bad-utf8"),
    ("overlong nul", b'"\xc0\x80"', "bad-utf8"),
    ("overlong of three", b'"\xe0\x80\xaf"', "bad-utf8"),
    ("surrogate", b'"\xed\xa0\x80"', "bad-utf8"),
    ("above 10FFFF", b'"\xf4\x90\x80\x80"', "bad-utf8"),
    ("lone continuation", b'"\x80"', "bad-utf8"),
    ("cut character", b'"\xe2\x82"', "bad-utf8"),
    ("broken third byte", b'"\xe2\x82A"', "bad-utf8"),
    ("latin-1", b'"\xe9"', "bad-utf8"),
]


def _numbers() -> list[Case]:
    rows: list[tuple[int, int, int, str]] = [
        (0, 0, 7, "0"),
        (0, 5, 7, "0"),
        (1851, 3, 7, "1.851"),
        (1850, 3, 7, "1.85"),
        (2000, 3, 7, "2"),
        (-5, 3, 7, "-0.005"),
        (962, 2, 7, "9.62"),
        (1, 5, 7, "0.00001"),
        (1234567, 11, 7, "0.00001234567"),
        (9999999, 0, 7, "9999999"),
        (12345670, 0, 7, "12345670"),
        (-9999999, 6, 7, "-9.999999"),
        (1795255200125, 3, 16, "1795255200.125"),
        (1795255200000, 3, 16, "1795255200"),
        (10000000, 7, 7, "1"),
    ]
    cases: list[Case] = [
        {"name": f"{m} / 10^{d}", "mantissa": m, "decimals": d, "digitsMax": x, "value": {"is": t}}
        for m, d, x, t in rows
    ]
    for name, mantissa, decimals, code in [
        ("eight digits", 12345678, 0, "bad-number"),
        ("eight digits with a point", 12345678, 3, "bad-number"),
        ("below 0.00001", 9, 6, "bad-number"),
        ("12 decimals", 1234567, 12, "bad-number"),
        ("negative decimals", 1, -1, "bad-number"),
        ("2^53", 1 << 53, 0, "bad-integer"),
    ]:
        case: Case = {"name": name, "mantissa": mantissa, "decimals": decimals, "digitsMax": 7}
        cases.append({**case, "code": code})
    return cases


def _topics() -> list[Case]:
    cases = [
        good(leaf, f"raffinate/1/ndpr/n07/{leaf}", {"is": ["ndpr", "n07", leaf, None]})
        for leaf in ("frame", "statement", "status", "resume", "ack", "receipt", "cmd")
    ]
    permit = "raffinate/1/ndpr/n07/permit/bat-ext"
    cases.append(good("permit", permit, {"is": ["ndpr", "n07", "permit", "bat-ext"]}))
    for name, text, code in [
        ("other root", "sparkplug/1/ndpr/n07/frame", "bad-topic"),
        ("other version", "raffinate/2/ndpr/n07/frame", "bad-topic"),
        ("unknown leaf", "raffinate/1/ndpr/n07/frames", "bad-topic"),
        ("no leaf", "raffinate/1/ndpr/n07", "bad-topic"),
        ("leading slash", "/raffinate/1/ndpr/n07/frame", "bad-topic"),
        ("trailing slash", "raffinate/1/ndpr/n07/frame/", "bad-topic"),
        ("permit without equipment", "raffinate/1/ndpr/n07/permit", "bad-topic"),
        ("empty equipment", "raffinate/1/ndpr/n07/permit/", "bad-id"),
        ("frame with equipment", "raffinate/1/ndpr/n07/frame/bat-ext", "bad-topic"),
        ("empty node", "raffinate/1/ndpr//frame", "bad-id"),
        ("wildcard", "raffinate/1/ndpr/+/frame", "bad-id"),
        ("reserved node", "raffinate/1/ndpr/gateway/frame", "bad-id"),
        ("capital site", "raffinate/1/NDPR/n07/frame", "bad-id"),
    ]:
        cases.append(bad(name, text, code))
    return cases
