"""The wire formats' vectors (docs/formats/vectors) under the gateway's and the verifier's code.

The same list as `firmware/tests/run_vectors.py` runs on boards. What counts is whether a case is
taken or refused, and what is read; codes are the wire library's.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.ingest.validate import FrameReader
from raffinate.tlog.checkpoint import parse_checkpoint
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.note import EcdsaVerifier, NoteError, check_text, parse_note, verify_note
from raffinate.tlog.p256 import low_s
from raffinate.tlog.proof import ProofError, parse_proof, verify_consistency, verify_inclusion
from raffinate.tlog.tree import Tree

FOLDER = Path(__file__).parents[2] / "docs" / "formats" / "vectors"
REFUSALS = (RejectedError, NoteError, ProofError)
# Formats that the gateway reads with raffinate_wire itself, or does not read at all.
OTHERS = {
    "ack",
    "json",
    "names",
    "numbers",
    "permit",
    "receipt",
    "resume",
    "status",
    "topics",
}
# Of a note the gateway takes more than a board has room for.
WIDER = {("note", "33 signatures"), ("note", "16 KiB and more")}


def frame(data, _):
    # Twice: the second time by the template of the first.
    reader = FrameReader()
    found = [reader.read(data) for _ in range(2)]
    assert found[0] == found[1]
    return {
        "site": found[0].site,
        "node": found[0].node,
        "boot": found[0].boot,
        "seq": found[0].seq,
    }


def envelope(data, case):
    spki = bytes.fromhex(case["spki"])
    found = dsse.decode_envelope(data)
    if found.payload_type.decode() != case.get("payloadType", found.payload_type.decode()):
        raise RejectedError("wrong-payload-type", "another payload type than asked for")
    if sha256(spki).hexdigest() != found.keyid:
        raise RejectedError("wrong-key", "another key")
    dsse.verify(found, dsse.public_key(spki))
    again = dsse.encode_envelope(found.payload, found.payload_type, found.keyid, found.signature)
    assert again == data
    return {
        "payload_type": found.payload_type.decode(),
        "payload": found.payload,
        "keyid": found.keyid,
    }


def p256_verify(_, case):
    """A bare signature, by way of the envelope's check and of a note's."""
    spki, sig = bytes.fromhex(case["spki"]), bytes.fromhex(case["sig"])
    message = case["message"].encode()
    dsse.check_form(dsse.Envelope(b"", b"", "", sig))
    EcdsaVerifier("name", spki).verify(message, sig)


def p256_sign(_, case):
    """OpenSSL's signature of RFC 6979, turned as the gateway turns what it signs."""
    key = ec.derive_private_key(int(case["d"], 16), ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    sig = low_s(key.sign(case["message"].encode(), algorithm))
    dsse.check_form(dsse.Envelope(b"", b"", "", sig))
    r, s = decode_dss_signature(sig)
    point = key.public_key().public_numbers()
    return {name: f"{n:064x}" for name, n in (("x", point.x), ("y", point.y), ("r", r), ("s", s))}


def p256_key(data, _):
    numbers = dsse.public_key(data).public_numbers()
    return {
        "x": f"{numbers.x:064x}",
        "y": f"{numbers.y:064x}",
        "keyid": sha256(data).hexdigest(),
    }


def base64(data, _):
    return {"hex": dsse._base64(data).hex()}


def statement(data, _):
    found = parse_statement(data)
    return {"type": found.type, "subject": [list(item) for item in found.subjects().items()]}


def note(data, _):
    return {"text": parse_note(data).text}


def checkpoint(data, _):
    check_text(data)
    found = parse_checkpoint(data)
    return {"origin": found.origin, "size": found.size, "root": found.root}


def signed_note(data, case):
    verifier = EcdsaVerifier(case["signer"], bytes.fromhex(case["spki"]))
    found = parse_note(data)
    verify_note(found, [verifier])
    return {"text": found.text}


def proof(data, _):
    found = parse_proof(data)
    return {"index": found.index, "hashes": list(found.path), "checkpoint_note": found.note}


def tree(_, case):
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in case["entries"]]
    return {"root": Tree(lambda _: b"").extend(leaves).tree.root().hex()}


def consistency(_, case):
    roots = [bytes.fromhex(case[name]) for name in ("oldRoot", "newRoot")]
    path = [bytes.fromhex(item) for item in case["proof"]]
    verify_consistency(case["oldSize"], roots[0], case["newSize"], roots[1], path)


def merkle_inclusion(_, case):
    path = [b64decode(item) for item in case["proof"] or []]
    leaf, root = b64decode(case["leafHash"]), b64decode(case["root"])
    verify_inclusion(leaf, case["leafIdx"], case["treeSize"], path, root)


CHECKS = {
    "frame": frame,
    "envelope": envelope,
    "p256-verify": p256_verify,
    "p256-sign": p256_sign,
    "p256-key": p256_key,
    "base64": base64,
    "statement": statement,
    "note": note,
    "checkpoint": checkpoint,
    "signed-note": signed_note,
    "proof": proof,
    "tree": tree,
    "consistency": consistency,
    "merkle_inclusion": merkle_inclusion,
}


def test_every_file_is_run_here_or_named_as_anothers():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CHECKS) | OTHERS


@pytest.mark.parametrize("name", CHECKS)
def test_every_case_of_the_file_is_taken_or_refused_as_it_says(name):
    cases = json.loads((FOLDER / f"{name}.json").read_text())["cases"]
    # Base64's URL alphabet is read as part of frames alone.
    cases = [case for case in cases if case.get("alphabet") != "url"]
    problems = {case["name"]: problem for case in cases if (problem := run(name, case))}
    assert problems == {}


def run(name, case):
    """What is wrong with one case, or None."""
    data = case["text"].encode() if "text" in case else b64decode(case.get("base64", ""))
    refused = "code" in case or case.get("wantErr", False)
    try:
        shown = CHECKS[name](data, case) or {}
    except REFUSALS as error:
        return None if refused and (name, case["name"]) not in WIDER else f"refused: {error}"
    if refused and (name, case["name"]) not in WIDER:
        return "taken"
    wanted = case.get("value", {})
    both = shown.keys() & wanted.keys()
    return next((f"{m} is {shown[m]}" for m in both if plain(shown[m]) != wanted[m]), None)


def plain(value):
    """As the files show it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return [plain(item) for item in value] if isinstance(value, list) else value
