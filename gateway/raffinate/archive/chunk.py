"""Frames of one commit as one compressed block; pure.

A block is zstd over: a line of JSON, `[[length, received_ms, estimate_ms, steps, findings], ...]`
with one element a frame (`steps` a number, or one for each scan), then the frames' exact bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson
import zstandard

from raffinate.model import StoredFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from raffinate.model import Frame, Scan

LEVEL = 1
BLOCK_BYTES_MAX = 1 << 28


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame's exact bytes as they lie in a block; `steps` one for all scans, or one each."""

    position: int
    data: bytes
    received_ms: int
    estimate_ms: int | None
    steps: int | list[int]
    findings: tuple[str, ...]


def encode_block(frames: Sequence[StoredFrame]) -> bytes:
    """The block of frames in their order."""
    head = orjson.dumps(
        [
            (
                len(stored.frame.data),
                stored.received_ms,
                stored.estimate_ms,
                _steps(stored.frame.scans),
                stored.findings,
            )
            for stored in frames
        ]
    )
    parts = [head, b"\n", *(stored.frame.data for stored in frames)]
    return zstandard.ZstdCompressor(level=LEVEL).compress(b"".join(parts))


def decode_block(
    block: bytes, first: int, after: int, read: Callable[[bytes], Frame]
) -> list[StoredFrame]:
    """The frames of a block whose first has position `first`, those past `after` alone."""
    found = []
    for raw in split_block(block, first, after):
        frame = with_times(read(raw.data), raw.estimate_ms, raw.steps)
        stored = StoredFrame(raw.position, frame, raw.received_ms, raw.estimate_ms, raw.findings)
        found.append(stored)
    return found


def split_block(block: bytes, first: int, after: int) -> Iterator[RawFrame]:
    """The frames of a block as bytes; see decode_block."""
    raw = zstandard.ZstdDecompressor().decompress(block, max_output_size=BLOCK_BYTES_MAX)
    at = raw.index(b"\n") + 1
    for position, record in enumerate(orjson.loads(raw[: at - 1]), first):
        length, received_ms, estimate_ms, steps, findings = record
        if position > after:
            data = raw[at : at + length]
            yield RawFrame(position, data, received_ms, estimate_ms, steps, tuple(findings))
        at += length


def join_blocks(blocks: Sequence[bytes]) -> bytes:
    """One block of the frames of several, in their order."""
    heads, parts = [], []
    for block in blocks:
        raw = zstandard.ZstdDecompressor().decompress(block, max_output_size=BLOCK_BYTES_MAX)
        at = raw.index(b"\n")
        heads += orjson.loads(raw[:at])
        parts.append(raw[at + 1 :])
    whole = b"".join([orjson.dumps(heads), b"\n", *parts])
    return zstandard.ZstdCompressor(level=LEVEL).compress(whole)


def with_times(frame: Frame, estimate_ms: int | None, steps: int | Sequence[int] = 0) -> Frame:
    """The frame with its steps, and under clock U with the times that follow from the estimate.

    `estimate_ms` is the time of the first scan; uptime tells how far the others are from it.
    """
    if estimate_ms is None and steps == 0:
        return frame
    scans = frame.scans
    start_up_ms = scans[0].up_ms
    numbers = [steps] * len(scans) if isinstance(steps, int) else steps
    return replace(
        frame,
        scans=tuple(
            replace(
                scan,
                step=step,
                time_ms=scan.time_ms
                if estimate_ms is None
                else estimate_ms + scan.up_ms - start_up_ms,
            )
            for scan, step in zip(scans, numbers, strict=True)
        ),
    )


def _steps(scans: tuple[Scan, ...]) -> int | list[int]:
    first = scans[0].step
    if scans[-1].step == first:
        return first
    return [scan.step for scan in scans]
