"""Vectors of envelope, statement, note, checkpoint, proof and receipt."""

from vector_tools import (
    DASH,
    Case,
    Signer,
    b64,
    bad,
    consistency_proof,
    defects,
    good,
    inclusion_proof,
    leaf_hash,
    sha256,
    tree_root,
)
from vectors_predicates import bad_statements, good_statements, usage

Files = dict[str, tuple[str, list[Case]]]
STATEMENT = "application/vnd.in-toto+json"
PERMIT = "application/vnd.raffinate.permit+json"
ORIGIN = "example.org/raffinate/ndpr"
NODE = Signer(0x1F2E3D4C5B6A)
OTHER = Signer(0xABCDEF)
LOG = Signer(0x10F)


def files() -> Files:
    """The cases of every file, by its name."""
    return {
        "envelope": ("DSSE envelopes, verified by the SPKI given", _envelopes()),
        "statement": ("statement payloads of protocol 4", good_statements() + bad_statements()),
        "note": ("C2SP signed notes, split and written again", _notes()),
        "checkpoint": ("texts of C2SP checkpoints", _checkpoints()),
        "signed-note": ("notes with a type 02 signature", _signed_notes()),
        "proof": ("C2SP tlog-proof files, split and written again", _proofs()),
        "receipt": ("receipts checked from what a node has seen", _receipts()),
    }


def _envelopes() -> list[Case]:
    spki = NODE.spki.hex()
    payload = usage().encode()
    text = NODE.envelope(STATEMENT, payload)
    accents = "\u00e9\u20ac".encode()
    pae_of_characters = b"DSSEv1 28 application/vnd.in-toto+json 2 " + accents
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    high = b64(NODE.sign(pae, high_s=True))
    shown: Case = {"payload_type": STATEMENT, "payload": b64(payload), "keyid": NODE.keyid}
    big = NODE.envelope(STATEMENT, b"x" * 4416)
    cases = [
        good("statement", text, shown, spki=spki, payloadType=STATEMENT),
        good("permit", NODE.envelope(PERMIT, b"{}"), spki=spki, payloadType=PERMIT),
        good("any type", NODE.envelope("text/plain", b""), {"payload": ""}, spki=spki),
        good("bytes and characters differ", NODE.envelope(STATEMENT, accents), spki=spki),
        good("largest statement", big, spki=spki),
        bad("other type than asked for", text, "wrong-payload-type", spki=spki, payloadType=PERMIT),
        bad("other key", text, "wrong-key", spki=OTHER.spki.hex()),
        bad("other key under this keyid", _forged(payload), "bad-signature", spki=spki),
        bad("high s", NODE.envelope(STATEMENT, payload, sig=high), "high-s", spki=spki),
        bad(
            "PAE counts characters",
            NODE.envelope(STATEMENT, accents, sig=b64(NODE.sign(pae_of_characters))),
            "bad-signature",
            spki=spki,
        ),
        bad(
            "payload signed without PAE",
            NODE.envelope(STATEMENT, payload, sig=b64(NODE.sign(payload))),
            "bad-signature",
            spki=spki,
        ),
        bad("6 KiB and more", NODE.envelope(STATEMENT, b"x" * 4600), "too-long", spki=spki),
        bad("a list", "[]", "wrong-type", spki=spki),
        bad("newline at the end", text + "\n", "trailing-data", spki=spki),
        bad("cut short", text[:-1], "truncated", spki=spki),
    ]
    payload_text, sig_text = b64(payload), text.split('"sig":"')[1].split('"')[0]
    entry = text.split("[")[1].split("]")[0]
    rows = [
        ("white space", '","payloadType', '", "payloadType', "not-canonical"),
        ("type relabelled", STATEMENT, PERMIT, "bad-signature"),
        ("payload altered", payload_text[:40], _flip(payload_text[:40]), "bad-signature"),
        ("no padding", payload_text, payload_text.rstrip("="), "bad-base64"),
        ("payload with newline", payload_text[:40], payload_text[:40] + "\\n", "bad-base64"),
        ("url alphabet", sig_text, "-_-_" + sig_text[4:], "bad-base64"),
        ("empty sig", sig_text, "", "bad-der"),
        ("sig of 73 bytes", sig_text, b64(bytes(73)), "bad-der"),
        ("sig is no DER", sig_text, b64(bytes(64)), "bad-der"),
        ("no signature", entry, "", "signature-count"),
        ("two signatures", entry, entry + "," + entry, "signature-count"),
        ("signatures is no list", "[" + entry + "]", entry, "signature-count"),
        ("no keyid", f'"keyid":"{NODE.keyid}",', "", "missing-member"),
        ("extra member", '"signatures":', '"extra":1,"signatures":', "unknown-member"),
        ("duplicate payload", '{"payload":"', '{"payload":"","payload":"', "duplicate-member"),
        ("capital keyid", NODE.keyid, NODE.keyid.upper(), "bad-keyid"),
        ("escaped letter", '"payloadType":"a', '"payloadType":"\\u0061', "not-canonical"),
        ("escaped slash", "application/", "application\\/", "not-canonical"),
        (
            "blank in payload",
            payload_text[:40],
            payload_text[:20] + " " + payload_text[20:40],
            "bad-base64",
        ),
        ("blank after colon", '"signatures":[', '"signatures": [', "not-canonical"),
        ("newline between members", ',"signatures"', ',\n"signatures"', "not-canonical"),
        ("blank before", '{"payload":"', ' {"payload":"', "not-canonical"),
        ("byte order mark", '{"payload":"', '\ufeff{"payload":"', "not-canonical"),
        ("extra member at the end", "}]}", '}],"extra":1}', "unknown-member"),
        ("extra member in the signature", '"}]}', '","cert":""}]}', "unknown-member"),
        ("duplicate sig", '"sig":"', '"sig":"","sig":"', "duplicate-member"),
        ("capital member", '"payload":', '"Payload":', "missing-member"),
        ("comma at the end", '"}]}', '"}],}', "not-canonical"),
        (
            "sig in the keyid's place",
            f'"keyid":"{NODE.keyid}"',
            f'"keyid":"{sig_text}"',
            "bad-keyid",
        ),
    ]
    return cases + defects(text, rows, spki=spki) + _malleable(payload, spki)


def _malleable(payload: bytes, spki: str) -> list[Case]:
    """Other texts of envelopes whose signature holds for a reader that takes them."""
    parts = NODE.envelope(STATEMENT, payload)[1:-1].split(",")
    head, kind = parts[:2]
    keyid, sig = ",".join(parts[2:])[len('"signatures":[{') : -2].split(",")
    short = NODE.envelope(STATEMENT, b"a")
    loose_sig = next(
        text
        for text in (NODE.envelope(STATEMENT, b"%d" % number) for number in range(99))
        if '=="}]}' in text
    )
    signed = f'"signatures":[{{{keyid},{sig}}}]'
    turned = f'"signatures":[{{{sig},{keyid}}}]'
    rows = [
        ("members reordered", f"{{{kind},{head},{signed}}}", "member-order"),
        ("signature first", f"{{{signed},{head},{kind}}}", "member-order"),
        ("sig before keyid", f"{{{head},{kind},{turned}}}", "member-order"),
        ("loose bits in payload", short.replace("YQ==", "YR=="), "bad-base64"),
        ("loose bits in sig", _loosened(loose_sig), "bad-base64"),
        ("padding of payload left out", short.replace("YQ==", "YQ"), "bad-base64"),
        ("padding of sig left out", loose_sig.replace('=="}]}', '"}]}'), "bad-base64"),
        ("padding too long", short.replace("YQ==", "YQ===="), "bad-base64"),
    ]
    return [bad(name, text, code, spki=spki) for name, text, code in rows]


def _loosened(text: str) -> str:
    """The last letter before the padding with another bit that means nothing."""
    at = text.index('=="}]}') - 1
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:at] + letters[letters.index(text[at]) ^ 1] + text[at + 1 :]


def _forged(payload: bytes) -> str:
    return OTHER.envelope(STATEMENT, payload, keyid=NODE.keyid)


def _flip(text: str) -> str:
    return text[:-1] + ("A" if text[-1] != "A" else "B")


def _line(name: str, blob: bytes) -> str:
    return f"{DASH} {name} {b64(blob)}\n"


def _notes() -> list[Case]:
    line = _line("example.org/log", b"\x01\x02\x03\x04sig")
    inner = f"first\n\n{line}"
    signature = ["example.org/log", b64(b"\x01\x02\x03\x04"), b64(b"sig")]
    cases = [
        good("one line", f"text\n\n{line}", {"text": b64(b"text\n"), "signatures": [signature]}),
        good("split at the last empty line", f"{inner}\n{line}", {"text": b64(inner.encode())}),
        good("empty lines in text", f"a\n\nb\n\n{line}", {"text": b64(b"a\n\nb\n")}),
        good("32 signatures", "text\n\n" + line * 32, {"signatures": [signature] * 32}),
        good("text of other scripts", f"\u65e5\u672c\n\n{line}"),
    ]
    for name, text, code in [
        ("33 signatures", "text\n\n" + line * 33, "too-long"),
        ("16 KiB and more", "x" * 16384 + "\n\n" + line, "too-long"),
        ("no signature", "text\n\n", "bad-note"),
        ("no empty line", "text\n" + line, "bad-note"),
        ("empty", "", "bad-note"),
        ("no newline at the end", "text\n\n" + line[:-1], "bad-note"),
        ("line after the signatures", f"text\n\n{line}x\n", "bad-note"),
        ("hyphen for the dash", "text\n\n" + line.replace(DASH, "-"), "bad-note"),
        ("two blanks", "text\n\n" + line.replace(f"{DASH} ", f"{DASH}  "), "bad-note"),
        ("plus in the name", "text\n\n" + line.replace("/log", "+log"), "bad-note"),
        ("no-break space in the name", "text\n\n" + line.replace("/log", "\u00a0log"), "bad-note"),
        ("no name", "text\n\n" + line.replace("example.org/log", ""), "bad-note"),
        ("carriage return", f"text\r\n\n{line}", "bad-note"),
        ("tab", f"te\txt\n\n{line}", "bad-note"),
        ("key id alone", "text\n\n" + _line("n", b"\x01\x02\x03\x04"), "bad-note"),
        ("url base64", f"text\n\n{DASH} n AQIDBP-_\n", "bad-base64"),
        ("no padding", f"text\n\n{DASH} n AQIDBHNpZ2c\n", "bad-base64"),
        ("trailing bits", f"text\n\n{DASH} n AQIDBHNpZ2d=\n", "bad-base64"),
    ]:
        cases.append(bad(name, text, code))
    cases.append(bad("surrogate", b"te\xed\xa0\x80xt\n\n" + line.encode(), "bad-utf8"))
    cases.append(
        bad("overlong dash", f"text\n\n{line}".encode().replace(b"\xe2", b"\xf0\x82"), "bad-utf8")
    )
    return cases


def _checkpoint(size: int | str, root: bytes) -> str:
    return f"{ORIGIN}\n{size}\n{b64(root)}\n"


def _checkpoints() -> list[Case]:
    root = sha256(b"root")
    text = _checkpoint(70000, root)
    shown: Case = {"origin": ORIGIN, "size": 70000, "root": b64(root), "extensions": []}
    cases = [
        good("plain", text, shown),
        good("empty tree", _checkpoint(0, sha256(b"")), {"size": 0}),
        good("extension line", text + "ext 1\n", {"extensions": ["ext 1"]}),
        good("largest", _checkpoint(9007199254740991, root), {"size": 9007199254740991}),
    ]
    odd = ("+15", "1_5", " 15", "15 ", "015", "00", "-1", "0x10", "1e3", "\u0661\u0665")
    above = ("9007199254740992", "18446744073709551616")
    cases += [bad(f"size {s!r}", _checkpoint(s, root), "bad-size") for s in odd + above]
    for name, broken, code in [
        ("no size", _checkpoint("", root), "bad-checkpoint"),
        ("no root", f"{ORIGIN}\n15\n", "bad-checkpoint"),
        ("empty origin", "\n15\n" + text.split("\n")[2] + "\n", "bad-checkpoint"),
        ("no newline at the end", text[:-1], "bad-checkpoint"),
        ("empty extension", text + "\n", "bad-checkpoint"),
        ("root of 31 bytes", _checkpoint(15, root[:31]), "bad-base64"),
        ("root in hex", f"{ORIGIN}\n15\n{root.hex()}\n", "bad-base64"),
        ("root without padding", text.replace("=", ""), "bad-base64"),
        ("carriage return", text.replace("\n", "\r\n"), "bad-note"),
    ]:
        cases.append(bad(name, broken, code))
    return cases


def _signed_notes() -> list[Case]:
    text = _checkpoint(15, sha256(b"root"))
    line = LOG.note_line(ORIGIN, text)
    key: Case = {"spki": LOG.spki.hex(), "signer": ORIGIN}
    ed25519 = _line(ORIGIN, bytes(68))
    same_id = LOG.note_line("other.example/log", text)
    lied = _line(ORIGIN, sha256(LOG.spki)[:4] + OTHER.sign(text.encode()))
    high = _line(ORIGIN, sha256(LOG.spki)[:4] + LOG.sign(text.encode(), high_s=True))
    return [
        good("P-256 alone", f"{text}\n{line}", **key),
        good("beside others", f"{text}\n{ed25519}{same_id}{line}{_line('w', bytes(80))}", **key),
        bad("no such key", f"{text}\n{ed25519}", "no-signature", **key),
        bad("other name with this key id", f"{text}\n{same_id}", "no-signature", **key),
        bad(
            "other log's key",
            f"{text}\n{line}",
            "no-signature",
            spki=OTHER.spki.hex(),
            signer=ORIGIN,
        ),
        bad("known key that fails", f"{text}\n{lied}", "bad-signature", **key),
        bad("good and bad of one key", f"{text}\n{line}{lied}", "duplicate-signature", **key),
        bad("size altered", f"{text}\n{line}".replace("\n15\n", "\n16\n"), "bad-signature", **key),
        bad("high s", f"{text}\n{high}", "high-s", **key),
        bad(
            "raw signature",
            f"{text}\n" + _line(ORIGIN, sha256(LOG.spki)[:4] + bytes(64)),
            "bad-der",
            **key,
        ),
    ]


def _proofs() -> list[Case]:
    note = f"{ORIGIN}\n\n{DASH} n AQIDBAU=\n"
    hashes = [sha256(b"a"), sha256(b"b")]
    lines = "".join(b64(node) + "\n" for node in hashes)
    text = f"c2sp.org/tlog-proof@v1\nindex 4\n{lines}\n{note}"
    shown: Case = {"index": 4, "hashes": [b64(node) for node in hashes], "extra": None}
    extra = text.replace("index", "extra aGVsbG8=\nindex")
    cases = [
        good("two hashes", text, {**shown, "checkpoint_note": b64(note.encode())}),
        good("no hash", f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}", {"index": 0, "hashes": []}),
        good("extra", extra, {"extra": "aGVsbG8="}),
        bad("64 hashes", text.replace(lines, lines * 32), "bad-proof"),
        bad("empty", "", "truncated"),
        bad("head alone", "c2sp.org/tlog-proof@v1\n", "truncated"),
    ]
    return cases + defects(
        text,
        [
            ("version 2", "@v1", "@v2", "bad-proof-file"),
            ("index with zero", "index 4", "index 04", "bad-size"),
            ("index signed", "index 4", "index +4", "bad-size"),
            ("no index", "index 4\n", "", "bad-proof-file"),
            ("hash of 31 bytes", b64(hashes[0]), b64(hashes[0][:31]), "bad-base64"),
            ("hash not ASCII", b64(hashes[0])[:4], "\u00e9\u00e9\u00e9\u00e9", "bad-base64"),
        ],
    )


def _receipts() -> list[Case]:
    envelope = NODE.envelope(STATEMENT, usage().encode()).encode()
    leaves = [leaf_hash(b"entry %d" % i) for i in range(7)]
    leaves[4] = leaf_hash(envelope)
    text = _receipt(leaves, 3, 4)
    more: Case = {
        "envelope": b64(envelope),
        "origin": ORIGIN,
        "spki": LOG.spki.hex(),
        "seenSize": 3,
        "seenRoot": tree_root(leaves[:3]).hex(),
    }
    first: Case = {**more, "seenSize": 0, "seenRoot": tree_root([]).hex()}
    same: Case = {**more, "seenSize": 7, "seenRoot": tree_root(leaves).hex()}
    shown: Case = {"keyid": NODE.keyid, "seq": 7, "size": 7, "root": tree_root(leaves).hex()}
    fork = [leaf_hash(b"fork"), *leaves[1:]]
    ahead: Case = {**more, "seenSize": 9, "seenRoot": sha256(b"x").hex()}
    cases = [
        good("from 3 to 7", text, shown, **more),
        good("from nothing", _receipt(leaves, 0, 4), shown, **first),
        good("at the same size", _receipt(leaves, 7, 4), shown, **same),
        good("one entry", _receipt([leaves[4]], 0, 0), {"size": 1}, **first),
        bad("other old", _receipt(leaves, 2, 4), "wrong-old", **more),
        bad("log shrank", _receipt(leaves, 9, 4), "bad-proof", **ahead),
        bad("rewritten log", _receipt(fork, 3, 4), "bad-proof", **more),
        bad("other root at the same size", _receipt(fork, 7, 4), "bad-proof", **same),
        bad("other entry", text, "bad-proof", **{**more, "envelope": b64(envelope + b" ")}),
        bad("other origin", text, "wrong-origin", **{**more, "origin": "example.net/raffinate/x"}),
        bad("other log key", text, "no-signature", **{**more, "spki": OTHER.spki.hex()}),
        bad("8 KiB and more", text + "x" * 8192, "too-long", **more),
        bad("empty", "", "truncated", **more),
    ]
    node = b64(inclusion_proof(4, leaves)[0])
    rows = [
        ("other index", "index 4", "index 5", "bad-proof"),
        ("index beyond the tree", "index 4", "index 7", "bad-proof"),
        ("no seq", f"statement {NODE.keyid} 7", f"statement {NODE.keyid}", "bad-receipt"),
        ("seq with zero", f"{NODE.keyid} 7", f"{NODE.keyid} 07", "bad-size"),
        ("capital keyid", NODE.keyid, NODE.keyid.upper(), "bad-keyid"),
        ("keyid not ASCII", NODE.keyid, "\u00e9" + NODE.keyid[2:], "bad-keyid"),
        ("no old", "old 3\n", "", "bad-receipt"),
        ("old with plus", "old 3", "old +3", "bad-size"),
        ("extra line", "index 4", "extra aGVsbG8=\nindex 4", "bad-receipt"),
        ("hash left out", node + "\n", "", "bad-proof"),
        ("hash without padding", node, node.rstrip("="), "bad-base64"),
        ("carriage returns", "old 3\n", "old 3\r\n", "bad-size"),
    ]
    return cases + defects(text, rows, **more)


def _receipt(leaves: list[bytes], old: int, index: int) -> str:
    text = _checkpoint(len(leaves), tree_root(leaves))
    consistency = consistency_proof(old, leaves) if 0 < old < len(leaves) else []
    lines = [f"statement {NODE.keyid} 7", f"old {old}", *map(b64, consistency), ""]
    lines += ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64, inclusion_proof(index, leaves))]
    return "\n".join(lines) + f"\n\n{text}\n{LOG.note_line(ORIGIN, text)}"
