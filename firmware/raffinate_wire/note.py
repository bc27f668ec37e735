"""C2SP signed notes and checkpoints (signed-note 1.0.0, tlog-checkpoint 1.0.0).

A note is its text, an empty line, and signature lines `— <name> <base64 of key id and signature>`.
"""

import hashlib

from raffinate_wire import b64, p256
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_uint
from raffinate_wire.lines import parse_hash, parse_size
from raffinate_wire.utf8 import decode_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

NOTE_BYTES_MAX = 16384
SIGNATURES_MAX = 32
NAME_CHARS_MAX = 256
TYPE_ED25519 = 1
TYPE_ECDSA = 2
TYPE_COSIGNATURE = 4
TYPE_COSIGNATURE_ML_DSA = 6

_DASH = "\u2014 "
# The code points of Unicode's White_Space property.
_SPACES = (0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)


class Note:
    """A note's text (bytes that end in a newline) and signatures [(name, 4-byte key id, bytes)]."""

    def __init__(self, text: bytes, signatures: "list[tuple[str, bytes, bytes]]") -> None:
        self.text = text
        self.signatures = signatures


class Checkpoint:
    """A log's head: origin, size, root (32 bytes), and extension lines."""

    def __init__(
        self, origin: str, size: int, root: bytes, extensions: "list[str] | None" = None
    ) -> None:
        self.origin = origin
        self.size = size
        self.root = root
        self.extensions = extensions or []


def parse_note(data: bytes) -> Note:
    """Return the note, split at its last empty line, nothing in it verified; raise WireError."""
    if len(data) > NOTE_BYTES_MAX:
        raise WireError("too-long", f"a note has at most {NOTE_BYTES_MAX} bytes")
    content = decode_utf8(data)
    _check_controls(content)
    split = content.rfind("\n\n")
    if split < 0:
        raise WireError("bad-note", "an empty line between text and signatures is missing")
    text, tail = content[: split + 1], content[split + 2 :]
    if not tail.endswith("\n"):
        raise WireError("bad-note", "the note does not end in a signature line")
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise WireError("too-long", f"a note has at most {SIGNATURES_MAX} signatures")
    return Note(text.encode(), [_parse_signature(line) for line in lines])


def format_note(text: bytes, signatures: "list[tuple[str, bytes, bytes]]") -> bytes:
    """Return a note's bytes; raise WireError."""
    lines = [
        f"{_DASH}{_check_name(name)} {b64.encode(key_id4 + signature)}\n"
        for name, key_id4, signature in signatures
    ]
    data = text + b"\n" + "".join(lines).encode()
    parse_note(data)
    return data


def key_id(name: str, key_type: int, public_key: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name || 0x0A || type || public key)."""
    material = _check_name(name).encode() + bytes((0x0A, key_type)) + public_key
    return hashlib.sha256(material).digest()[:4]


def key_id_ecdsa(spki: bytes) -> bytes:
    """Return the key id of a type 02 key: the first 4 bytes of SHA-256 of its SPKI DER."""
    return hashlib.sha256(spki).digest()[:4]


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return the checkpoint that a note's text is; raise WireError."""
    content = decode_utf8(text)
    _check_controls(content)
    lines = content.split("\n")
    if len(lines) < 4 or lines[-1] or "" in lines[:-1]:
        raise WireError("bad-checkpoint", "a checkpoint has an origin, a size and a root line")
    size = parse_size(lines[1].encode())
    return Checkpoint(lines[0], size, parse_hash(lines[2].encode()), lines[3:-1])


def format_checkpoint(origin: str, size: int, root: bytes) -> bytes:
    """Return a checkpoint's text, to be signed; raise WireError."""
    text = f"{origin}\n{check_uint(size, 'size')}\n{b64.encode(root)}\n".encode()
    parse_checkpoint(text)
    return text


def verify_note_p256(data: bytes, name: str, key: "Any") -> Note:
    """Return the note that `name` signed by this P-256 key (type 02).

    `key` is an SPKI, a point or a p256.Key. Raises `no-signature`, or what p256.verify raises: a
    known key whose signature fails rejects the note.
    """
    note: Note = p256.run(verify_note_p256_steps(data, name, key))
    return note


def verify_note_p256_steps(data: bytes, name: str, key: "Any") -> "Generator[None, None, Note]":
    """Do verify_note_p256 in slices."""
    note = parse_note(data)
    key = p256.as_key(key)
    x, y = p256.point_of(key)
    wanted = (name, key_id_ecdsa(p256.spki(x, y)))
    found = [sig for signer, key_id4, sig in note.signatures if (signer, key_id4) == wanted]
    if len(found) != 1:
        code = "duplicate-signature" if found else "no-signature"
        raise WireError(code, f"{len(found)} signatures by the P-256 key of {name}, not 1")
    yield
    yield from p256.verify_steps(key, hashlib.sha256(note.text).digest(), found[0])
    return note


def _parse_signature(line: str) -> "tuple[str, bytes, bytes]":
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] + " " != _DASH:
        raise WireError("bad-note", f"{line!r} is no signature line")
    blob = b64.decode(parts[2])
    if len(blob) < 5:
        raise WireError("bad-note", "a signature holds 4 bytes of key id and more")
    return _check_name(parts[1]), blob[:4], blob[4:]


def _check_name(name: str) -> str:
    if not 0 < len(name) <= NAME_CHARS_MAX or "+" in name:
        raise WireError("bad-note", f"{name!r} is no key name")
    for char in name:
        code = ord(char)
        if code < 0x20 or code in _SPACES or 0x2000 <= code <= 0x200A:
            raise WireError("bad-note", "a key name has no white space")
    return name


def _check_controls(content: str) -> None:
    for char in content:
        if char < " " and char != "\n":
            raise WireError("bad-note", "a note has no control characters but newlines")
