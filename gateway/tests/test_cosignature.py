"""Cosignatures (type 04): round trip, the one error, and what a verifier must refuse."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint
from raffinate.tlog.cosignature import (
    CosignatureSigner,
    cosigned_s,
    format_signatures,
    parse_cosignatures,
    parse_witness_key,
)
from raffinate.tlog.note import Ed25519Signer, NoteError, Signature, parse_note, sign_note

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = CosignatureSigner("witness.example/w1", KEY)
TEXT = format_checkpoint(Checkpoint("demo.invalid/raffinate/ndpr", 812, bytes(32)))


def cosigned(time_s=1_795_255_201, text=TEXT, name="demo.invalid/raffinate/ndpr"):
    note = sign_note(text, [Ed25519Signer(name, KEY)])
    return note + format_signatures([SIGNER.cosign(text, time_s)])


def test_example_of_the_specification_has_its_time():
    line = (
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZC"
        "B9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    text = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    (found,) = parse_cosignatures(text, line.encode())
    assert cosigned_s(found.signature) == 1_679_315_147


@given(st.integers(0, 2**63 - 1))
def test_cosignature_verifies_with_its_time(time_s):
    note = parse_note(cosigned(time_s))
    assert SIGNER.verifier.time_s(note) == time_s


def test_message_is_the_one_of_the_specification():
    line = SIGNER.cosign(TEXT, 1_679_315_147)
    KEY.public_key().verify(line.signature[8:], b"cosignature/v1\ntime 1679315147\n" + TEXT)


def test_changed_time_text_or_signature_does_not_verify():
    line = SIGNER.cosign(TEXT, 1000)
    for place in (0, 7, 8, 71):
        broken = bytearray(line.signature)
        broken[place] ^= 1
        with pytest.raises(NoteError):
            SIGNER.verifier.verify(TEXT, bytes(broken))
    with pytest.raises(NoteError):
        SIGNER.verifier.verify(TEXT.replace(b"812", b"813"), line.signature)


def test_plain_ed25519_signature_is_no_cosignature():
    note = parse_note(sign_note(TEXT, [Ed25519Signer(SIGNER.verifier.name, KEY)]))
    with pytest.raises(NoteError, match="no cosignature"):
        SIGNER.verifier.time_s(note)


def test_one_failing_line_of_a_known_key_rejects_the_note():
    good, bad = SIGNER.cosign(TEXT, 1000), SIGNER.cosign(TEXT.replace(b"812", b"9"), 2000)
    note = parse_note(TEXT + b"\n" + format_signatures([good, bad]))
    with pytest.raises(NoteError, match="does not verify"):
        SIGNER.verifier.time_s(note)


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_times_beyond_the_format_are_not_signed(time_s):
    with pytest.raises(NoteError):
        SIGNER.cosign(TEXT, time_s)


def test_verifier_key_comes_back():
    assert parse_witness_key(SIGNER.verifier.vkey()).public == SIGNER.verifier.public


def test_verifier_keys_of_other_types_and_ids_are_refused():
    own = SIGNER.verifier.vkey()
    name, key_id, data = own.split("+", 2)
    for bad in (
        Ed25519Signer("witness.example/w1", KEY).verifier.vkey(),
        own[:-4],
        f"{name}+{'0' * 8}+{data}",
        f"other{own}",
        f"{name}+{key_id.upper()}+{data}",
        name,
        "",
    ):
        with pytest.raises(NoteError):
            parse_witness_key(bad)


@given(st.binary(max_size=200))
def test_any_bytes_are_signatures_or_the_one_error(data):
    try:
        found = parse_cosignatures(TEXT, data)
    except NoteError:
        return
    assert format_signatures(found) == data


@given(st.text(max_size=120))
def test_any_text_is_a_key_or_the_one_error(text):
    try:
        found = parse_witness_key(text)
    except NoteError:
        return
    assert found.vkey() == text


@given(st.binary(max_size=80))
def test_any_signature_bytes_have_a_time_or_the_one_error(data):
    try:
        SIGNER.verifier.verify(TEXT, data)
    except NoteError:
        return
    pytest.fail("arbitrary bytes verified")


def test_lines_are_written_as_notes_have_them():
    line = Signature("n", b"\0\1\2\3", b"x")
    assert format_signatures([line]) == "— n AAECA3g=\n".encode()
