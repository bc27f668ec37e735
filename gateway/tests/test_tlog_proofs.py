"""Trees, proofs and notes against an independent, naive RFC 6962."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from raffinate.tlog.checkpoint import (
    Checkpoint,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
)
from raffinate.tlog.hashing import EMPTY_ROOT, leaf_hash, range_hash
from raffinate.tlog.note import (
    EcdsaSigner,
    Ed25519Signer,
    NoteError,
    parse_note,
    parse_vkey,
    sign_note,
    verify_note,
)
from raffinate.tlog.p256 import HALF, ORDER, SignatureError, check_der, low_s
from raffinate.tlog.proof import (
    InclusionProver,
    ProofError,
    consistency,
    format_proof,
    parse_decimal,
    parse_proof,
    verify_consistency,
    verify_inclusion,
)

ORIGIN = "demo.example/raffinate/ndpr"


def leaves(count):
    return [leaf_hash(str(number).encode()) for number in range(count)]


def mth(values):
    if not values:
        return sha256(b"").digest()
    if len(values) == 1:
        return values[0]
    split = 1 << ((len(values) - 1).bit_length() - 1)
    return sha256(b"\x01" + mth(values[:split]) + mth(values[split:])).digest()


def path(index, values):
    if len(values) == 1:
        return []
    split = 1 << ((len(values) - 1).bit_length() - 1)
    if index < split:
        return [*path(index, values[:split]), mth(values[split:])]
    return [*path(index - split, values[split:]), mth(values[:split])]


def proof(old, values, known=True):
    if old == len(values):
        return [] if known else [mth(values)]
    split = 1 << ((len(values) - 1).bit_length() - 1)
    if old <= split:
        return [*proof(old, values[:split], known), mth(values[split:])]
    return [*proof(old - split, values[split:], False), mth(values[:split])]


def reader(values):
    return lambda level, index: mth(values[index << level : (index + 1) << level])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33])
def test_roots_and_inclusion_are_those_of_rfc6962(size):
    values = leaves(size)
    prover = InclusionProver(reader(values), size)
    assert prover.root == mth(values) == range_hash(reader(values), 0, size)
    for index in range(size):
        found = prover.path(index)
        assert found == path(index, values)
        verify_inclusion(values[index], index, size, found, prover.root)
        for other in (found[:-1], [*found, EMPTY_ROOT]):
            if other != found:
                with pytest.raises(ProofError):
                    verify_inclusion(values[index], index, size, other, prover.root)
        with pytest.raises(ProofError):
            verify_inclusion(EMPTY_ROOT, index, size, found, prover.root)
    with pytest.raises(ProofError):
        prover.path(size)


@pytest.mark.parametrize("new", [1, 2, 3, 6, 7, 8, 9, 20, 33])
def test_consistency_is_that_of_rfc6962(new):
    values = leaves(new)
    for old in range(new + 1):
        found = consistency(reader(values), old, new)
        assert found == ([] if old == 0 else proof(old, values))
        verify_consistency(old, mth(values[:old]), new, mth(values), found)
        with pytest.raises(ProofError):
            verify_consistency(old, EMPTY_ROOT[::-1], new, mth(values), found)
        if 0 < old < new:
            with pytest.raises(ProofError):
                verify_consistency(old, mth(values[:old]), new, EMPTY_ROOT, found)
            with pytest.raises(ProofError):
                verify_consistency(old, mth(values[:old]), new, mth(values), found[:-1])
            with pytest.raises(ProofError):
                verify_consistency(old, mth(values[:old]), new, mth(values), [*found, EMPTY_ROOT])
    with pytest.raises(ProofError):
        consistency(reader(values), new + 1, new)


@given(st.integers(1, 300), st.data())
def test_any_proof_changed_in_one_hash_is_refused(size, data):
    values = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    found = path(index, values)
    root = mth(values)
    verify_inclusion(values[index], index, size, found, root)
    if found:
        place = data.draw(st.integers(0, len(found) - 1))
        found[place] = leaf_hash(found[place])
        with pytest.raises(ProofError):
            verify_inclusion(values[index], index, size, found, root)


@pytest.mark.parametrize(
    "text",
    ["", "+15", "1_5", " 15", "15 ", "015", "\uff11\uff15", "-1", "1" * 20],
)
def test_what_int_takes_and_a_size_is_not(text):
    with pytest.raises(ProofError):
        parse_decimal(text)


def signers():
    return (
        Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
        EcdsaSigner(ORIGIN, ec.derive_private_key(7, ec.SECP256R1())),
    )


def test_a_checkpoint_is_opened_by_each_of_its_keys_alone_and_by_both():
    ed25519, ecdsa = signers()
    head = Checkpoint(ORIGIN, 5, leaf_hash(b"x"))
    note = sign_note(format_checkpoint(head), (ed25519, ecdsa))
    for known in ([ed25519.verifier], [ecdsa.verifier], [ed25519.verifier, ecdsa.verifier]):
        assert open_checkpoint(note, ORIGIN, known) == head
        assert len(verify_note(parse_note(note), known)) == len(known)
    with pytest.raises(NoteError, match="not of other"):
        open_checkpoint(note, "other", [ecdsa.verifier])
    with pytest.raises(NoteError, match="no known key"):
        verify_note(parse_note(note), [])


def test_a_known_key_that_fails_rejects_the_note_and_an_unknown_one_does_not():
    ed25519, ecdsa = signers()
    note = sign_note(format_checkpoint(Checkpoint(ORIGIN, 5, leaf_hash(b"x"))), (ed25519, ecdsa))
    bad = bytearray(note)
    line = note.index(b"\xe2\x80\x94")
    place = note.index(b" ", line + 4) + 12
    bad[place] = ord("A") if bad[place] != ord("A") else ord("B")
    with pytest.raises(NoteError, match="does not verify"):
        verify_note(parse_note(bytes(bad)), [ed25519.verifier, ecdsa.verifier])
    assert verify_note(parse_note(bytes(bad)), [ecdsa.verifier]) == [ecdsa.verifier]


def test_a_note_splits_at_its_last_empty_line():
    ed25519, _ = signers()
    text = b"a\n\nb\n"
    assert parse_note(sign_note(text, [ed25519])).text == text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a\n",
        b"a\n\n",
        b"a\n\nb\n",
        b"a\n\n\xe2\x80\x94 n AAAAAQ==",
        b"a\n\n\xe2\x80\x94 n AAAAAQ==\n",
        b"a\n\n\xe2\x80\x94 n+ AAAAAQI=\n",
        b"a\n\n\xe2\x80\x94  AAAAAQI=\n",
        b"a\n\n\xe2\x80\x94 n AAAAAQJ=\n",
        b"a\tb\n\n\xe2\x80\x94 n AAAAAQI=\n",
        b"\xff\n\n\xe2\x80\x94 n AAAAAQI=\n",
        b"a\n\n- n AAAAAQI=\n",
        b"x" * 70000,
    ],
)
def test_malformed_notes_are_refused(data):
    with pytest.raises(NoteError):
        parse_note(data)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_give_a_note_or_the_one_error(data):
    try:
        note = parse_note(data)
    except NoteError:
        return
    assert data.startswith(note.text)


@pytest.mark.parametrize(
    "text",
    [
        b"o\n5\n",
        b"o\n05\n" + b64encode(EMPTY_ROOT) + b"\n",
        b"o\n5\nAAAA\n",
        b"o\n5\n" + b64encode(EMPTY_ROOT) + b"\n\next\n",
        b"o p\n5\n" + b64encode(EMPTY_ROOT) + b"\n",
        b"\n5\n" + b64encode(EMPTY_ROOT) + b"\n",
    ],
)
def test_malformed_checkpoints_are_refused(text):
    with pytest.raises(NoteError):
        parse_checkpoint(text)


def test_extension_lines_are_carried():
    text = b"o\n5\n" + b64encode(EMPTY_ROOT) + b"\nextension\n"
    assert parse_checkpoint(text) == Checkpoint("o", 5, EMPTY_ROOT)


def test_verifier_keys_come_back_and_a_foreign_key_id_is_refused():
    for signer in signers():
        text = signer.verifier.vkey()
        assert parse_vkey(text).key_id == signer.key_id
        name, key_id, key = text.split("+", 2)
        with pytest.raises(NoteError):
            parse_vkey(f"{name}+{key_id[::-1]}+{key}")


def test_a_tlog_proof_comes_back():
    values = leaves(5)
    note = sign_note(format_checkpoint(Checkpoint(ORIGIN, 5, mth(values))), signers())
    data = format_proof(3, path(3, values), note)
    found = parse_proof(data)
    assert (found.index, list(found.path), found.note) == (3, path(3, values), note)
    for bad in (data[1:], data.replace(b"index 3", b"index 03"), data.partition(b"\n\n")[0]):
        with pytest.raises(ProofError):
            parse_proof(bad)


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_signatures_are_brought_to_low_s_and_only_those_pass(r, s):
    made = encode_dss_signature(r, s)
    check_der(low_s(made))
    assert decode_dss_signature(low_s(made))[1] <= HALF
    if s > HALF:
        with pytest.raises(SignatureError):
            check_der(made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3006020101020101ff",
        "30070202000102010100"[:18],
        "3006020181020101",
        "3006020100020101",
        "3006020101020100",
        "30810602010102010100"[:18],
        "3106020101020101",
        "3006030101020101",
        "3006020101030101",
        "3005020101020101",
    ],
)
def test_signatures_in_loose_der_are_refused(text):
    with pytest.raises(SignatureError):
        check_der(bytes.fromhex(text))
