r"""C2SP cosignature/v1 (type 04): a witness's Ed25519 word on a checkpoint at a time.

https://c2sp.org/tlog-cosignature. The signature is 8 bytes of big-endian POSIX seconds and 64 of
Ed25519 over `cosignature/v1\ntime <seconds>\n` followed by the whole note body.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from raffinate.tlog.note import NoteError, Signature, check_name, check_text, parse_note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from raffinate.tlog.note import Note

COSIGNATURE = 0x04
_TYPE = bytes((COSIGNATURE,))
_KEY_BYTES = 32
_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_SIGNATURE_BYTES = _TIME_BYTES + 64
_TIME_S_END = 1 << 63


class CosignatureVerifier:
    """A witness's key; `public` is the raw 32-byte Ed25519 key."""

    def __init__(self, name: str, public: bytes) -> None:
        self.name = check_name(name)
        self.key_id = sha256(name.encode() + b"\n" + _TYPE + public).digest()[:_KEY_ID_BYTES]
        self.public = public
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this witness's over the checkpoint `text`."""
        time_s = cosigned_s(signature)
        try:
            self._key.verify(signature[_TIME_BYTES:], _message(text, time_s))
        except InvalidSignature:
            raise NoteError(f"the cosignature of {self.name} does not verify") from None

    def time_s(self, note: Note) -> int:
        """When this witness cosigned `note`, POSIX seconds; its last line if it has several.

        Raises NoteError when it did not, or when one of its lines does not verify.
        """
        lines = [line for line in note.signatures if self.made(line)]
        if not lines:
            raise NoteError(f"the checkpoint has no cosignature of {self.name}")
        for line in lines:
            self.verify(note.text, line.signature)
        return max(cosigned_s(line.signature) for line in lines)

    def made(self, line: Signature) -> bool:
        """True when name and key id of the line are this key's; nothing is verified."""
        return (line.name, line.key_id) == (self.name, self.key_id)

    def vkey(self) -> str:
        """`name+hex8(key id)+base64(04 || key)`."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_TYPE + self.public).decode()}"


class CosignatureSigner:
    """Type 04 signatures with a private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = CosignatureVerifier(name, raw)
        self._key = key

    def cosign(self, text: bytes, time_s: int) -> Signature:
        """The signature line of checkpoint `text` at `time_s` (POSIX seconds)."""
        check_text(text)
        if not 0 <= time_s < _TIME_S_END:
            raise NoteError("a cosignature's time is 0 to 2^63 - 1 seconds")
        signed = self._key.sign(_message(text, time_s))
        data = time_s.to_bytes(_TIME_BYTES, "big") + signed
        return Signature(self.verifier.name, self.verifier.key_id, data)


def cosigned_s(signature: bytes) -> int:
    """The time in a type 04 signature, POSIX seconds; nothing is verified. Raises NoteError."""
    time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _SIGNATURE_BYTES or time_s >= _TIME_S_END:
        raise NoteError("a cosignature is 8 bytes of time and 64 of Ed25519")
    return time_s


def parse_witness_key(text: str) -> CosignatureVerifier:
    """A witness's verifier key line. Raises NoteError, also for a key of another type."""
    parts = text.split("+", 2)
    try:
        name, data = parts[0], b64decode(parts[2], validate=True)
    except (IndexError, ValueError):
        raise NoteError("a verifier key is name+hex8+base64") from None
    if data[:1] != _TYPE or len(data) != 1 + _KEY_BYTES:
        raise NoteError(f"the verifier key of {name} is no Ed25519 cosignature key (type 04)")
    verifier = CosignatureVerifier(name, data[1:])
    if verifier.vkey() != text:
        raise NoteError(f"the key id in the verifier key of {name} is not that of its key")
    return verifier


def parse_cosignatures(text: bytes, lines: bytes) -> tuple[Signature, ...]:
    """What a witness answered: signature lines for checkpoint `text`. Raises NoteError."""
    return parse_note(text + b"\n" + lines).signatures


def format_signatures(signatures: Iterable[Signature]) -> bytes:
    """Signature lines of a note."""
    return b"".join(
        f"\u2014 {line.name} {b64encode(line.key_id + line.signature).decode()}\n".encode()
        for line in signatures
    )


def _message(text: bytes, time_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time_s + text
