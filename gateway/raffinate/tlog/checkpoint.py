"""C2SP tlog-checkpoint: origin line, decimal size, base64 root; extension lines are carried.

https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.tlog.hashing import HASH_BYTES
from raffinate.tlog.note import NoteError, check_name, parse_note, verify_note
from raffinate.tlog.proof import ProofError, parse_decimal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.tlog.note import Verifier

ORIGIN_CHARACTERS_MAX = 100
_LINES_MIN = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head: `size` entries under `root`."""

    origin: str
    size: int
    root: bytes


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Note text of a checkpoint without extensions."""
    check_origin(checkpoint.origin)
    root = b64encode(checkpoint.root).decode()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Strictly parse note text. Raises NoteError."""
    lines = text.decode().split("\n")
    if len(lines) <= _LINES_MIN or lines[-1] or any(not line for line in lines[:-1]):
        raise NoteError("a checkpoint has origin, size and root, and no empty line")
    try:
        size = parse_decimal(lines[1])
        root = b64decode(lines[2], validate=True)
    except (ProofError, ValueError) as error:
        raise NoteError(f"unreadable checkpoint: {error}") from None
    if len(root) != HASH_BYTES or b64encode(root).decode() != lines[2]:
        raise NoteError("a checkpoint's root is 32 bytes in canonical base64")
    return Checkpoint(check_origin(lines[0]), size, root)


def open_checkpoint(data: bytes, origin: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of a signed note of log `origin`. Raises NoteError."""
    note = parse_note(data)
    verify_note(note, verifiers)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise NoteError(f"the checkpoint is of log {checkpoint.origin}, not of {origin}")
    return checkpoint


def check_origin(origin: str) -> str:
    """`origin` if it may name a log of ours (protocol 1). Raises NoteError."""
    if len(origin) > ORIGIN_CHARACTERS_MAX or not origin.isascii() or not origin.isprintable():
        raise NoteError(f"an origin has at most {ORIGIN_CHARACTERS_MAX} printable ASCII characters")
    return check_name(origin)
