"""C2SP signed-note: `text`, an empty line, then `— <name> <base64(key id || signature)>` lines.

https://c2sp.org/signed-note. Types: 01 Ed25519, 02 ECDSA P-256 over SHA-256 (DER), 04 Ed25519
cosignature, 06 ML-DSA-44 cosignature; this module makes and checks 01 and 02 and carries the rest.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from raffinate.tlog.p256 import SignatureError, check_der, low_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOTE_BYTES_MAX = 65536
SIGNATURES_MAX = 100
ED25519 = 0x01
ECDSA = 0x02
_KEY_ID_BYTES = 4
_DASH = "\u2014 "
_SHA256 = ec.ECDSA(hashes.SHA256())


class NoteError(ValueError):
    """A signed note is malformed, or no known key signed it, or a known key's signature fails."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, 4-byte key id, signature bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; `text` ends in a newline."""

    text: bytes
    signatures: tuple[Signature, ...]


class Verifier(Protocol):
    """A known key: verifies note text, raises NoteError."""

    name: str
    key_id: bytes

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this key's over `text`."""


class Signer(Protocol):
    """Makes one signature line's parts."""

    name: str
    key_id: bytes

    def sign(self, text: bytes) -> bytes:
        """Signature over `text`, without the key id."""


class Ed25519Verifier:
    """Type 01; `public` is the raw 32-byte key."""

    def __init__(self, name: str, public: bytes) -> None:
        self.name = check_name(name)
        self.key_id = sha256(name.encode() + b"\n\x01" + public).digest()[:_KEY_ID_BYTES]
        self.public = public
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this key's over `text`."""
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            raise NoteError(f"the Ed25519 signature of {self.name} does not verify") from None

    def vkey(self) -> str:
        """`name+hex8(key id)+base64(type || key)`."""
        return _vkey(self.name, self.key_id, b"\x01" + self.public)


class EcdsaVerifier:
    """Type 02; key id is the first 4 bytes of SHA-256 of the SPKI DER alone."""

    def __init__(self, name: str, spki: bytes) -> None:
        self.name = check_name(name)
        self.key_id = sha256(spki).digest()[:_KEY_ID_BYTES]
        self.spki = spki
        self._key = load_p256(spki)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this key's over `text`, with s at most n/2."""
        try:
            check_der(signature)
            self._key.verify(signature, text, _SHA256)
        except (InvalidSignature, SignatureError):
            raise NoteError(f"the ECDSA signature of {self.name} does not verify") from None

    def vkey(self) -> str:
        """`name+hex8(key id)+base64(type || SPKI DER)`."""
        return _vkey(self.name, self.key_id, b"\x02" + self.spki)


class Ed25519Signer:
    """Type 01 signatures with a private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = Ed25519Verifier(name, raw)
        self.name, self.key_id = name, self.verifier.key_id
        self._key = key

    def sign(self, text: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(text)


class EcdsaSigner:
    """Type 02 signatures with a private P-256 key; s is brought into the lower half."""

    def __init__(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.verifier = EcdsaVerifier(name, spki)
        self.name, self.key_id = name, self.verifier.key_id
        self._key = key

    def sign(self, text: bytes) -> bytes:
        """DER ECDSA over SHA-256 of the text."""
        return low_s(self._key.sign(text, _SHA256))


def sign_note(text: bytes, signers: Iterable[Signer]) -> bytes:
    """The note of `text` with one line a signer, in their order."""
    check_text(text)
    lines = [
        f"{_DASH}{signer.name} {b64encode(signer.key_id + signer.sign(text)).decode()}\n"
        for signer in signers
    ]
    return text + b"\n" + "".join(lines).encode()


def parse_note(data: bytes) -> Note:
    """Strictly parse a note. Raises NoteError."""
    if len(data) > NOTE_BYTES_MAX:
        raise NoteError(f"a note has at most {NOTE_BYTES_MAX} bytes")
    cut = data.rfind(b"\n\n")
    if cut < 0 or not data.endswith(b"\n") or cut + 2 == len(data):
        raise NoteError("a note is text, an empty line and signature lines")
    text = data[: cut + 1]
    check_text(text)
    try:
        lines = data[cut + 2 : -1].decode().split("\n")
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8") from None
    if len(lines) > SIGNATURES_MAX:
        raise NoteError(f"a note has at most {SIGNATURES_MAX} signatures here")
    return Note(text, tuple(_parse_line(line) for line in lines))


def verify_note(note: Note, verifiers: Iterable[Verifier]) -> list[Verifier]:
    """The known keys that signed, in the note's order.

    Raises NoteError when none did, or when a known key's line fails or stands twice.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    found: list[Verifier] = []
    for line in note.signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            continue
        if verifier in found:
            raise NoteError(f"{line.name} signed twice with one key")
        verifier.verify(note.text, line.signature)
        found.append(verifier)
    if not found:
        raise NoteError("no known key signed this note")
    return found


def parse_vkey(text: str) -> Ed25519Verifier | EcdsaVerifier:
    """A verifier key line. Raises NoteError, also when the key id does not belong to the key."""
    parts = text.split("+", 2)
    try:
        name, data = parts[0], b64decode(parts[2], validate=True)
    except (IndexError, ValueError):
        raise NoteError("a verifier key is name+hex8+base64") from None
    verifier: Ed25519Verifier | EcdsaVerifier
    try:
        if data[:1] == b"\x01":
            verifier = Ed25519Verifier(name, data[1:])
        elif data[:1] == b"\x02":
            verifier = EcdsaVerifier(name, data[1:])
        else:
            raise NoteError(f"unknown key type in the verifier key of {name}")
    except ValueError as error:
        raise NoteError(f"unreadable verifier key of {name}: {error}") from None
    if verifier.vkey() != text:
        raise NoteError(f"the key id in the verifier key of {name} is not that of its key")
    return verifier


def load_p256(spki: bytes) -> ec.EllipticCurvePublicKey:
    """A P-256 public key from SPKI DER. Raises NoteError for anything else."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise NoteError("not a public key in SPKI DER") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NoteError("the public key is not on P-256")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
        raise NoteError("the public key's DER is not canonical")
    return key


def check_name(name: str) -> str:
    """`name` if it may name a key: not empty, no white space, no `+`. Raises NoteError."""
    if not name or "+" in name or any(char.isspace() for char in name):
        raise NoteError(f"not a key name: {name!r}")
    return name


def check_text(text: bytes) -> None:
    """Raise NoteError unless `text` is UTF-8 without control characters and ends in a newline."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8") from None
    if not decoded.endswith("\n") or any(char < " " and char != "\n" for char in decoded):
        raise NoteError("note text ends in a newline and has no other control characters")


def _vkey(name: str, key_id: bytes, data: bytes) -> str:
    return f"{name}+{key_id.hex()}+{b64encode(data).decode()}"


def _parse_line(line: str) -> Signature:
    name, space, value = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("a signature line is: em dash, space, name, space, base64")
    check_name(name)
    try:
        data = b64decode(value, validate=True)
    except (Base64Error, ValueError):
        raise NoteError(f"the signature of {name} is not base64") from None
    if b64encode(data).decode() != value or len(data) <= _KEY_ID_BYTES:
        raise NoteError(f"the signature of {name} is not canonical base64 of a key id and more")
    return Signature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])
