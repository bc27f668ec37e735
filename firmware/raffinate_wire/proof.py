"""C2SP tlog-proof: an inclusion proof and the checkpoint it leads to, in one file.

`c2sp.org/tlog-proof@v1`, optional `extra <base64>`, `index N`, hash lines, an empty line, the note.
"""

from raffinate_wire import b64, merkle
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_uint
from raffinate_wire.lines import parse_hash, parse_size, take_line

HEAD_LINE = b"c2sp.org/tlog-proof@v1"
EXTRA_BYTES_MAX = 4096


class Proof:
    """The entry's index, its proof's hashes, the checkpoint's note (bytes), and extra or None."""

    def __init__(
        self,
        index: int,
        hashes: "list[bytes]",
        checkpoint_note: bytes,
        extra: "bytes | None" = None,
    ) -> None:
        self.index = index
        self.hashes = hashes
        self.checkpoint_note = checkpoint_note
        self.extra = extra


def format_proof(
    index: int, hashes: "list[bytes]", checkpoint_note: bytes, extra: "bytes | None" = None
) -> bytes:
    """Return a proof's bytes; raise WireError."""
    lines = [HEAD_LINE.decode()]
    if extra is not None:
        lines.append("extra " + b64.encode(extra))
    lines.append(f"index {check_uint(index, 'index')}")
    lines.extend(format_hashes(hashes))
    return "\n".join(lines).encode() + b"\n\n" + checkpoint_note


def parse_proof(data: bytes) -> Proof:
    """Return the proof, nothing in it verified; raise WireError."""
    line, at = take_line(data, 0)
    if line != HEAD_LINE:
        raise WireError("bad-proof-file", "the first line is not c2sp.org/tlog-proof@v1")
    line, at = take_line(data, at)
    extra = None
    if line[:6] == b"extra ":
        extra = b64.decode(_ascii(line[6:]))
        if len(extra) > EXTRA_BYTES_MAX:
            raise WireError("too-long", f"extra has more than {EXTRA_BYTES_MAX} bytes")
        line, at = take_line(data, at)
    if line[:6] != b"index ":
        raise WireError("bad-proof-file", "the line `index <number>` is missing")
    index = parse_size(line[6:])
    hashes, at = parse_hashes(data, at)
    return Proof(index, hashes, bytes(data[at:]), extra)


def format_hashes(hashes: "list[bytes]") -> "list[str]":
    """Return a proof's lines; raise `bad-proof`."""
    if len(hashes) > merkle.PROOF_HASHES_MAX:
        raise WireError("bad-proof", f"a proof has at most {merkle.PROOF_HASHES_MAX} hashes")
    for value in hashes:
        if len(value) != merkle.HASH_BYTES:
            raise WireError("bad-proof", "a hash has 32 bytes")
    return [b64.encode(value) for value in hashes]


def parse_hashes(data: bytes, at: int) -> "tuple[list[bytes], int]":
    """Return the hashes of the lines up to an empty one, and the place after it."""
    hashes: "list[bytes]" = []
    while True:
        line, at = take_line(data, at)
        if not line:
            return hashes, at
        if len(hashes) == merkle.PROOF_HASHES_MAX:
            raise WireError("bad-proof", f"a proof has at most {merkle.PROOF_HASHES_MAX} hashes")
        hashes.append(parse_hash(line))


def _ascii(line: bytes) -> str:
    try:
        return bytes(line).decode()
    except UnicodeError:
        raise WireError("bad-base64", "this is not base64") from None
