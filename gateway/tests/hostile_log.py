"""Hostile logs and bundles: what their keys' holders and carriers do."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from hostile_story import Framed, body_of, is_by, public_of
from hostile_threats import ADMIN, DISK, FLOOD, FORKS, MAKER, PARSER, hostile
from raffinate.evidence import dsse
from raffinate.tlog.p256 import ORDER
from verify_story import make

# What the bundle's maker chooses


@hostile(MAKER, "CHECKPOINT")
def self_made_trust_root(plant):
    private = make.Ed25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
    p256 = make.ec.derive_private_key(77, make.ec.SECP256R1())
    plant.maker.signers = (
        make.Ed25519Signer(make.ORIGIN, private),
        make.EcdsaSigner(make.ORIGIN, p256),
    )


@hostile(MAKER, "UNENROLLED")
def self_made_authority(plant):
    plant.trust(authority_spki=plant.pair_of("authority", 78).spki)


@hostile(MAKER, "UNTRUSTED-ROOT")
def bundle_judged_by_its_own_keys(plant):
    plant.log.write("keys.json", public_of(plant.maker))
    plant.trusted = None


@hostile(MAKER, "BUNDLE-OLD")
def old_bundle(plant):
    with plant.unlogged():
        plant.rounds(2)
        plant.pin()


@hostile(MAKER, "MISSING")
def hidden_revocation(plant):
    with plant.unlogged():
        plant.revoke(plant.one, plant.one.seq)
    plant.maker.enrol("node", plant.pair_of("n09", 79))


@hostile(MAKER, "SEEN-MISMATCH")
def hidden_newest_revocation(plant):
    plant.revoke(plant.one, plant.one.seq)
    hidden = plant.log.size - 1
    plant.maker.see()
    plant.rounds(2)
    entries = list(plant.log.entries)
    del entries[hidden]
    plant.rewrite(entries)


@hostile(MAKER, "MANIFEST")
def manifest_signed_by_a_node(plant):
    plant.maker.gateway = plant.one


@hostile(MAKER, "FILE-EXTRA")
def smuggled_file(plant):
    return lambda: (plant.folder / "blobs" / "extra").write_bytes(b"x")


# The administrator, with every key of the gateway and of the log


@hostile(ADMIN, "SIGNATURE")
def edited_statement(plant):
    entries = list(plant.log.entries)
    found = dsse.decode_envelope(entries[-1])
    payload = found.payload.replace(b'"volumeMl":60000', b'"volumeMl":10000')
    entries[-1] = dsse.encode_envelope(payload, found.payload_type, found.keyid, found.signature)
    plant.rewrite(entries)


@hostile(ADMIN, "MISSING")
def deleted_statement(plant):
    entries = list(plant.log.entries)
    del entries[-3]
    plant.rewrite(entries)


@hostile(ADMIN, "FRAME-CHANGED", Framed)
def edited_frame(plant):
    plant.frames[8] = plant.frames[8].replace(b'"l/s","v":1}', b'"l/s","v":2}')


@hostile(ADMIN, "FILE-CHANGED")
def edited_document(plant):
    (path,) = (plant.folder / "blobs").iterdir()
    return lambda: plant.edit(f"blobs/{path.name}", lambda data: data + b"\n")


@hostile(ADMIN, "ADMIN")
def stated_deletion(plant):
    times = {"fromMs": None, "toMs": None}
    plant.gateway("admin", action="deletion", object=None, before=None, after=None, **times)


@hostile(ADMIN, "FILE-MISSING")
def removed_tile(plant):
    return (plant.folder / plant.tile_file()).unlink


@hostile(ADMIN, "ENTRIES")
def junk_appended_to_an_entry_bundle(plant):
    return lambda: plant.edit(plant.entry_file(), lambda data: data + b"\0\1x")


@hostile(ADMIN, "ENTRIES")
def short_bundle(plant):
    return lambda: plant.edit(plant.entry_file(), lambda data: data[:-1])


@hostile(ADMIN, "TILE")
def rewritten_tile(plant):
    return lambda: plant.edit(plant.tile_file(), lambda data: bytes(32) + data[32:])


@hostile(ADMIN, "ROOT")
def entries_and_tiles_rewritten_under_the_old_head(plant):
    head = plant.maker.cosigned()
    entries = list(plant.log.entries)
    entries[-1], entries[-2] = entries[-2], entries[-1]
    plant.rewrite(entries)
    plant.maker.cosigned = lambda: head


@hostile(FORKS, "PIN-MISMATCH")
def forked_log(plant):
    kept = plant.keep()
    plant.rounds(1)
    plant.pin()
    plant.restore(kept)
    plant.maker.nodes.reverse()
    plant.rounds(2)
    plant.forge_head()


@hostile(FORKS, "SEEN-MISMATCH")
def re_signed_history(plant):
    place = [body_of(entry).get("predicateType") for entry in plant.log.entries].index(
        "urn:raffinate:licence:v1"
    )
    entries = list(plant.log.entries)
    found = dsse.decode_envelope(entries[place])
    entries[place] = dsse.sign(
        found.payload.replace(b'"operator"', b'"engineer"'), dsse.STATEMENT, plant.maker.gateway
    )
    plant.rewrite(entries)


@hostile(FORKS, "BUNDLE-OLD")
def truncated_log(plant):
    plant.pin()
    plant.rewrite(plant.log.entries[:-4])


@hostile(FORKS, "COSIGNATURE")
def cosignature_of_another_head(plant):
    maker = plant.maker
    line = maker.witness.cosign(b"another\n1\n\n", 1)
    plant.forge_head()
    signed = maker.cosigned
    maker.cosigned = lambda: signed() + make.format_signatures([line])


@hostile(FORKS, "ANCHOR")
def made_up_anchor(plant):
    anchor = {"kind": "cosignature", "source": "witness.example", "size": 3, "root": "ab" * 32}
    plant.gateway("time-anchor", **anchor, anchorMs=1000, token="cd" * 32)


@hostile(FORKS, "UNWITNESSED")
def fork_that_no_witness_signs(plant):
    plant.rounds(1)
    plant.forge_head()


@hostile(DISK, "SEEN-AHEAD")
def rolled_back_gateway_disk(plant):
    kept = plant.keep()
    plant.rounds(2)
    plant.restore(kept)
    plant.usage()


# Forms that parsers read differently; strangers


@hostile(PARSER, "SIGNATURE")
def malleable_signature(plant):
    found = dsse.decode_envelope(plant.log.entries[-1])
    r, s = decode_dss_signature(found.signature)
    high = encode_dss_signature(r, ORDER - s)
    entries = plant.log.entries[:-1]
    entry = dsse.encode_envelope(found.payload, found.payload_type, found.keyid, high)
    plant.rewrite([*entries, entry])


@hostile(PARSER, "ENTRY")
def envelope_with_white_space(plant):
    entries = list(plant.log.entries)
    entries[-1] = entries[-1].replace(b',"payloadType"', b', "payloadType"')
    plant.rewrite(entries)


@hostile(PARSER, "ENTRY")
def statement_with_a_member_twice(plant):
    found = dsse.decode_envelope(plant.log.entries[-1])
    payload = found.payload.replace(b'"v":1,', b'"v":1,"v":1,')
    plant.log.append(dsse.sign(payload, dsse.STATEMENT, plant.maker.nodes[1]))


@hostile(PARSER, "CHECKPOINT")
def checkpoint_with_a_signed_size(plant):
    size = plant.log.size
    text = plant.maker.cosigned().partition(b"\n\n")[0] + b"\n"
    text = text.replace(b"\n%d\n" % size, b"\n+%d\n" % size)
    plant.maker.cosigned = lambda: make.sign_note(text, plant.maker.signers)


@hostile(PARSER, "WRONG-SIGNER")
def wrong_signer(plant):
    entry = next(e for e in plant.log.entries if is_by(e, plant.maker.permit))
    plant.log.append(
        dsse.sign(dsse.decode_envelope(entry).payload, dsse.PERMIT, plant.maker.gateway)
    )


@hostile(FLOOD, "UNENROLLED")
def strangers_statements(plant):
    stranger = plant.pair_of("n01", 80)
    plant.maker.subjects["n01"] = plant.maker.subjects[plant.one.node]
    for _ in range(20):
        plant.usage(stranger)
