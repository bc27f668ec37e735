"""A bundle's file of frames (docs/formats/bundle.md): gzip over one line a frame. Pure.

`frames/<node>/<key16>/<boot>-<first seq>.gz`, both numbers of 16 digits. A line is the frame's
exact bytes, then, only where they are needed, a tab and the archive's estimate in ms (clock U), a
tab and the steps of its scans (where the clock stepped back), and a newline.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate_wire.frame import FRAME_BYTES_MAX, SCANS_MAX
from raffinate_wire.ids import U53_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FRAME_FILE_BYTES_MAX = 2 * 1024 * 1024
LINE_BYTES_MAX = FRAME_BYTES_MAX + 32 + 17 * SCANS_MAX
LEVEL = 5
_PIECE_BYTES = 64 * 1024
_GZIP = 31
_PATH = re.compile(
    r"frames/([a-z0-9][a-z0-9-]{0,31})/([0-9a-f]{16})/([0-9]{16})-([0-9]{16})\.gz"
).fullmatch
_UINT = rb"(0|[1-9][0-9]{0,15})"
_LINE = re.compile(
    rb'(\[\{"bn":"([a-z0-9][a-z0-9-]{0,31})/([a-z0-9][a-z0-9-]{0,31})/",(?:"bt":[0-9.]+,)?'
    rb'"n":"key","vs":"([0-9a-f]{16})"\},\{"n":"boot","v":' + _UINT + rb'\},\{"n":"seq","v":'
    + _UINT
    + rb'\},\{"n":"prev","vd":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\},'
    rb'\{"n":"clock","vs":"([USIR])"\},[ !-~]*\}\])'
    rb"(?:\t" + _UINT + rb"?(?:\t((?:0|[1-9][0-9]{0,15})(?:,(?:0|[1-9][0-9]{0,15}))*))?)?"
).fullmatch  # fmt: skip


class FrameFileError(ValueError):
    """Bytes that are no file of frames."""


@dataclass(frozen=True, slots=True)
class FramePath:
    """What a file's path says of the frames in it."""

    node: str
    key: str
    boot: int
    first: int


@dataclass(frozen=True, slots=True)
class FrameLine:
    """A frame's exact bytes and what its header says; `prev` is base64url without padding.

    `estimate_ms` is the archive's time of its first scan under clock U, `steps` the steps of its
    scans: one for all, or one each.
    """

    data: bytes
    site: str
    node: str
    key: str
    boot: int
    seq: int
    prev: bytes
    clock: str
    estimate_ms: int | None = None
    steps: tuple[int, ...] = (0,)

    def digest(self) -> bytes:
        """SHA-256 of the frame's bytes: what the next frame's `prev` and a `head` name."""
        return sha256(self.data).digest()


def format_path(path: FramePath) -> str:
    """Where in the bundle a file stands."""
    return f"frames/{path.node}/{path.key}/{path.boot:016d}-{path.first:016d}.gz"


def parse_path(text: str) -> FramePath:
    """What a path says. Raises FrameFileError."""
    found = _PATH(text)
    if found is None:
        raise FrameFileError(f"{text[:200]!r} is no name of a file of frames")
    return FramePath(found[1], found[2], int(found[3]), int(found[4]))


def format_line(data: bytes, estimate_ms: int | None, steps: Sequence[int]) -> bytes:
    """One frame's line with its newline."""
    if any(steps):
        estimate = b"" if estimate_ms is None else b"%d" % estimate_ms
        return b"%b\t%b\t%b\n" % (data, estimate, ",".join(map(str, steps)).encode())
    if estimate_ms is not None:
        return b"%b\t%d\n" % (data, estimate_ms)
    return data + b"\n"


def parse_line(line: bytes) -> FrameLine:
    """A line without its newline. Raises FrameFileError; the frame's scans are not looked at."""
    found = _LINE(line) if len(line) <= LINE_BYTES_MAX else None
    if found is None:
        raise FrameFileError("a line that is no frame in its one form")
    data, site, node, key, boot, seq, prev, clock, estimate, steps = found.groups()
    numbers = (0,) if steps is None else tuple(map(int, steps.split(b",")))
    if max(int(boot), int(seq), int(estimate or 0), *numbers) > U53_MAX:
        raise FrameFileError("a number above 2^53 - 1")
    if (clock == b"U") != (estimate is not None):
        raise FrameFileError("an estimate belongs to a frame under clock U, and only there")
    if len(data) > FRAME_BYTES_MAX or len(numbers) > SCANS_MAX:
        raise FrameFileError("a frame that is too long")
    if len(line) > len(data) and (estimate is None or steps is not None) and not any(numbers):
        raise FrameFileError("steps that are all 0 are not written")
    return FrameLine(
        data,
        site.decode(),
        node.decode(),
        key.decode(),
        int(boot),
        int(seq),
        prev,
        clock.decode(),
        None if estimate is None else int(estimate),
        numbers,
    )


def pack_lines(lines: Iterable[bytes]) -> bytes:
    """The file of lines that end in newlines; the caller keeps to FRAME_FILE_BYTES_MAX."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(b"".join(lines)) + packer.flush()


def read_lines(data: bytes) -> Iterator[FrameLine]:
    """A file's frames, unpacked piece by piece. Raises FrameFileError where it is wrong."""
    unpacker = zlib.decompressobj(_GZIP)
    rest, size = b"", 0
    while not unpacker.eof:
        try:
            piece = unpacker.decompress(data, _PIECE_BYTES)
        except zlib.error as error:
            raise FrameFileError(f"not gzip: {error}") from None
        data = unpacker.unconsumed_tail
        size += len(piece)
        if size > FRAME_FILE_BYTES_MAX:
            raise FrameFileError(f"it unpacks to more than {FRAME_FILE_BYTES_MAX} bytes")
        if not piece and not data and not unpacker.eof:
            raise FrameFileError("it is cut short")
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise FrameFileError("a line is too long")
        for line in lines:
            yield parse_line(line)
    if unpacker.unused_data:
        raise FrameFileError("bytes after its end")
    if rest:
        raise FrameFileError("its last line has no newline")
