"""Runs docs/formats/vectors, on CPython and on MicroPython: run_vectors.py <folder> [name...].

Prints one line a file, `frame 31 cases`, and one line a failure, `FAIL frame/<case>: ...`.
"""

import hashlib
import json
import sys

from raffinate_wire import (
    ack,
    b64,
    dsse,
    frame,
    ids,
    jsonc,
    merkle,
    note,
    p256,
    permit,
    proof,
    receipt,
    resume,
    statement,
    status,
    topics,
)
from raffinate_wire.errors import WireError
from raffinate_wire.p256_der import split_signature

NAMES = (
    "names",
    "base64",
    "json",
    "numbers",
    "topics",
    "frame",
    "ack",
    "status",
    "resume",
    "envelope",
    "statement",
    "permit",
    "p256-sign",
    "p256-verify",
    "p256-key",
    "tree",
    "consistency",
    "merkle_inclusion",
    "note",
    "checkpoint",
    "signed-note",
    "proof",
    "receipt",
)


def plain(value):
    """A parsed value as JSON would show it: members as lists of pairs, so that order counts."""
    if isinstance(value, jsonc.Obj):
        return {"members": [[name, plain(member)] for name, member in value.items()]}
    if isinstance(value, jsonc.Num):
        return {"mantissa": value.mantissa, "decimals": value.decimals}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return b64.encode(value)
    return value


def fields(thing, names):
    return {name: plain(getattr(thing, name)) for name in names.split()}


def frame_case(data, _):
    it = frame.parse_frame(data)
    again = frame.format_frame(
        it.site, it.node, it.key16, it.boot, it.seq, it.prev, it.clock, it.scans
    )
    shown = fields(it, "site node key16 boot seq prev clock scans")
    shown["hash"] = ids.to_hex(frame.frame_hash(data))
    return shown, again


def ack_case(data, _):
    it = ack.parse_ack(data)
    again = ack.format_ack(it.key, it.epoch, it.boots, it.rejected, it.refused)
    return fields(it, "key epoch boots rejected refused"), again


def status_case(data, _):
    it = status.parse_status(data)
    if it.online:
        again = status.format_online(it.boot, it.keyid, it.nonce, it.seen_size)
    else:
        again = status.format_will(it.boot, it.keyid)
    return fields(it, "online boot keyid nonce seen_size"), again


def resume_case(data, _):
    it = resume.parse_resume(data)
    again = resume.format_resume(it.keyid, it.boot, it.nonce, it.time_ms, it.envelope)
    return fields(it, "keyid boot nonce time_ms envelope"), again


def envelope_case(data, case):
    it = dsse.open_envelope(data, ids.hex_bytes(case["spki"]), case.get("payloadType"))
    again = dsse.format_envelope(it.payload_type, it.payload, it.keyid, it.sig)
    return fields(it, "payload_type payload keyid sig"), again


def statement_case(data, _):
    it = statement.parse_statement(data)
    shown = fields(it, "type subject common body")
    return shown, statement.format_statement(it.subject, it.type, it.common, it.body)


def permit_case(data, _):
    it = permit.parse_permit(data)
    names = (
        "serial site node keyid equipment licence licence_sha256 purpose stages issued_ms "
        "not_before_ms not_after_ms grace_ms run_ms_limit volume_ml_limit mode"
    )
    values = fields(it, names)
    return values, permit.format_permit(**values)


def note_case(data, _):
    it = note.parse_note(data)
    return fields(it, "text signatures"), note.format_note(it.text, it.signatures)


def checkpoint_case(data, _):
    it = note.parse_checkpoint(data)
    again = data if it.extensions else note.format_checkpoint(it.origin, it.size, it.root)
    return fields(it, "origin size root extensions"), again


def signed_note_case(data, case):
    it = note.verify_note_p256(data, case["signer"], ids.hex_bytes(case["spki"]))
    return {"text": plain(it.text)}, data


def proof_case(data, _):
    it = proof.parse_proof(data)
    again = proof.format_proof(it.index, it.hashes, it.checkpoint_note, it.extra)
    return fields(it, "index hashes checkpoint_note extra"), again


def receipt_case(data, case):
    it = receipt.parse_receipt(data)
    size, root = receipt.check_receipt(
        it,
        b64.decode(case["envelope"]),
        case["origin"],
        ids.hex_bytes(case["spki"]),
        case["seenSize"],
        ids.hex_bytes(case["seenRoot"]),
    )
    again = receipt.format_receipt(
        it.keyid, it.seq, it.old, it.consistency, it.index, it.inclusion, it.checkpoint_note
    )
    return {"keyid": it.keyid, "seq": it.seq, "size": size, "root": ids.to_hex(root)}, again


def json_case(data, _):
    return {"is": plain(jsonc.parse(data))}, None


def numbers_case(_, case):
    return {"is": jsonc.number(case["mantissa"], case["decimals"], case["digitsMax"])}, None


def topics_case(data, _):
    site, node, leaf, equipment = topics.parse_topic(data.decode())
    if equipment is None:
        again = topics.topic(site, node, leaf)
    else:
        again = topics.permit_topic(site, node, equipment)
    return {"is": [site, node, leaf, equipment]}, again.encode()


def names_case(data, case):
    checks = {
        "id": ids.check_id,
        "node": ids.check_node,
        "keyid": ids.check_keyid,
        "origin": ids.check_origin,
        "text": ids.check_text,
        "code": ids.check_code,
        "hex": ids.hex_bytes,
        "value-name": frame.check_name,
        "quality": frame.check_quality,
        "unit": frame.check_unit,
    }
    checks[case["kind"]](data.decode())
    return {}, None


def base64_case(data, case):
    if case["alphabet"] == "url":
        value = b64.decode_url(data.decode())
        return {"hex": ids.to_hex(value)}, b64.encode_url(value).encode()
    value = b64.decode(data.decode())
    return {"hex": ids.to_hex(value)}, b64.encode(value).encode()


def sign_case(_, case):
    d = int(case["d"], 16)
    x, y = p256.public_key(d)
    digest = hashlib.sha256(case["message"].encode()).digest()
    sig = p256.sign(d, digest)
    p256.verify((x, y), digest, sig)
    r, s = split_signature(sig)
    return {"x": hex64(x), "y": hex64(y), "r": hex64(r), "s": hex64(s)}, None


def verify_case(_, case):
    digest = hashlib.sha256(case["message"].encode()).digest()
    p256.verify(ids.hex_bytes(case["spki"]), digest, ids.hex_bytes(case["sig"]))
    return {}, None


def key_case(data, _):
    x, y = p256.parse_spki(data)
    return {"x": hex64(x), "y": hex64(y), "keyid": p256.keyid(data)}, p256.spki(x, y)


def tree_case(_, case):
    leaves = [merkle.leaf_hash(ids.hex_bytes(entry)) for entry in case["entries"]]
    return {"root": ids.to_hex(merkle.root_of(leaves))}, None


def consistency_case(_, case):
    merkle.verify_consistency(
        case["oldSize"],
        case["newSize"],
        ids.hex_bytes(case["oldRoot"]),
        ids.hex_bytes(case["newRoot"]),
        [ids.hex_bytes(node) for node in case["proof"]],
    )
    return {}, None


def merkle_inclusion_case(_, case):
    hashes = [b64.decode(node) for node in case["proof"] or []]
    leaf, root = b64.decode(case["leafHash"]), b64.decode(case["root"])
    merkle.verify_inclusion(leaf, case["leafIdx"], case["treeSize"], hashes, root)
    return {}, None


def hex64(number):
    return ids.to_hex(number.to_bytes(32, "big"))


def run_case(check, case):
    """What is wrong with one case, or None."""
    data = case["text"].encode() if "text" in case else b64.decode(case.get("base64", ""))
    expected = case.get("code")
    if case.get("wantErr"):
        expected = "bad-proof"
    try:
        shown, again = check(data, case)
    except WireError as error:
        if error.code == expected:
            return None
        return f"{error.code} ({error.args[0]}) instead of {expected or 'a value'}"
    if expected:
        return f"accepted instead of {expected}"
    if again is not None and again != data:
        return f"written again it reads {again}"
    for name, value in case.get("value", {}).items():
        if name not in shown or shown[name] != value:
            return f"{name} is {shown.get(name)!r}, not {value!r}"
    return None


def main(folder, names):
    """Run the named files, or all; the number of failures."""
    failures = 0
    for name in names or NAMES:
        with open(folder + "/" + name + ".json") as file:
            cases = json.load(file)["cases"]
        check = globals()[name.replace("p256-", "").replace("-", "_") + "_case"]
        for case in cases:
            problem = run_case(check, case)
            if problem:
                failures += 1
                print(f"FAIL {name}/{case['name']}: {problem}")
        print(name, len(cases), "cases")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[2:]) else 0)
