"""C2SP tlog-witness, the exchange itself: what is asked and what is answered. No I/O.

https://c2sp.org/tlog-witness. A request is `old <size>`, at most 63 base64 lines of a consistency
proof, an empty line, and the checkpoint; over HTTP and in a file on a stick it is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.tlog.note import NOTE_BYTES_MAX
from raffinate.tlog.proof import ProofError, format_hashes, parse_decimal, parse_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
HEAD_BYTES_MAX = 4096
"""`old` line, 63 hashes of 45 bytes and the empty line, with room."""
REQUEST_BYTES_MAX = HEAD_BYTES_MAX + NOTE_BYTES_MAX
SIZE_BYTES_MAX = 20
OK, BAD, FORBIDDEN, UNKNOWN, CONFLICT, FORK, BROKEN = 200, 400, 403, 404, 409, 422, 503


class RequestError(ValueError):
    """A request or an answer is malformed; says how."""


@dataclass(frozen=True, slots=True)
class Request:
    """Cosign the checkpoint `note`, which extends the witness's tree of `old` by `proof`."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status, body and content type; 200 has signature lines, 409 a size."""

    status: int
    body: bytes
    content_type: str = TEXT_TYPE


def format_request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of `add-checkpoint`, and the file on a stick."""
    return f"old {old}\n{format_hashes(proof)}\n".encode() + note


def parse_request(data: bytes) -> Request:
    """Strictly parse a request; the checkpoint in it is not looked at. Raises RequestError."""
    if len(data) > REQUEST_BYTES_MAX:
        raise RequestError(f"a request has at most {REQUEST_BYTES_MAX} bytes")
    head, found, note = data.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise RequestError("the lines before the checkpoint are ASCII") from None
    if not found or not note or not first.startswith("old "):
        raise RequestError("a request is `old <size>`, proof lines, an empty line, a checkpoint")
    try:
        return Request(parse_decimal(first[4:]), parse_hashes(lines), note)
    except ProofError as error:
        raise RequestError(str(error)) from None


def parse_size(data: bytes) -> int:
    """The size in a 409's body. Raises RequestError."""
    if len(data) > SIZE_BYTES_MAX or not data.endswith(b"\n"):
        raise RequestError("a witness's size is one decimal line")
    try:
        return parse_decimal(data[:-1].decode("ascii"))
    except (ProofError, UnicodeDecodeError):
        raise RequestError("a witness's size is one decimal line") from None
