"""Chunks of one point's samples as bytes. Pure: what goes in comes back exactly.

A chunk holds up to 65,535 samples in time order. Columns are times (ms), values (float64, NaN
where the quality is not good), qualities and steps. Values that are decimal fractions of a
common scale, as everything from a frame is, are kept as scaled integers: m / 10**d with both
exactly representable rounds to the same float as reading the decimal text did.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
import zstandard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DECIMALS_MAX = 12
SAMPLES_MAX = 65_535
INTEGER_MAX = 2**53
_RAW = 255
_HEAD = struct.Struct("<BBHqI")
_compressor = zstandard.ZstdCompressor(level=3, write_checksum=False, write_content_size=True)
_decompressor = zstandard.ZstdDecompressor()


class ChunkError(ValueError):
    """Bytes that are not a chunk."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One chunk's samples; `quality[i]` is "good" or a NE 107 letter with its reason."""

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    quality: list[str] | None
    steps: NDArray[np.int32] | None

    def __len__(self) -> int:
        return len(self.times)


def encode(columns: Columns) -> bytes:
    """Pack columns; raises ValueError when empty or longer than SAMPLES_MAX."""
    count = len(columns)
    if not 0 < count <= SAMPLES_MAX:
        raise ValueError(f"a chunk has 1 to {SAMPLES_MAX} samples, not {count}")
    decimals, integers = _scaled(columns.values)
    body = [_planes(np.diff(columns.times, prepend=columns.times[:1]))]
    if integers is None:
        body.append(_floats(columns.values))
    else:
        body.append(_planes(np.diff(integers, prepend=np.int64(0))))
    flags = 0
    if columns.quality is not None:
        flags |= 1
        text = orjson.dumps(_runs(columns.quality))
        body.append(struct.pack("<I", len(text)) + text)
    if columns.steps is not None:
        flags |= 2
        body.append(_planes(columns.steps.astype(np.int64)))
    head = _HEAD.pack(flags, decimals, count, int(columns.times[0]), 0)
    return head + _compressor.compress(b"".join(body))


def decode(data: bytes) -> Columns:
    """Unpack what `encode` packed; raises ChunkError for anything else."""
    try:
        flags, decimals, count, first, zero = _HEAD.unpack_from(data)
        if flags > 3 or zero or not count:  # noqa: PLR2004 - two flag bits
            raise ChunkError("not a chunk header")
        body = memoryview(_decompressor.decompress(data[_HEAD.size :], max_output_size=1 << 24))
        deltas, at = _unplanes(body, 0, count)
        times = np.cumsum(deltas) + first
        if decimals == _RAW:
            values, at = _unfloats(body, at, count)
        else:
            steps_of_value, at = _unplanes(body, at, count)
            integers = np.cumsum(steps_of_value)
            values = integers / float(10**decimals)
        quality = None
        if flags & 1:
            (length,) = struct.unpack_from("<I", body, at)
            quality = _unruns(orjson.loads(body[at + 4 : at + 4 + length]), count)
            at += 4 + length
            values = np.where([q == "good" for q in quality], values, np.nan)
        steps = None
        if flags & 2:
            wide, at = _unplanes(body, at, count)
            steps = wide.astype(np.int32)
    except (struct.error, zstandard.ZstdError, orjson.JSONDecodeError, IndexError) as error:
        raise ChunkError(str(error)) from error
    if at != len(body):
        raise ChunkError("bytes after the last column")
    return Columns(times, values, quality, steps)


def _scaled(values: NDArray[np.float64]) -> tuple[int, NDArray[np.int64] | None]:
    """Find the smallest scale 10**d that makes all values integers; NaN repeats its neighbour."""
    known = np.isfinite(values)
    if not known.all():
        if np.isinf(values).any():
            return _RAW, None
        last = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
        values = np.where(known[last], values[last], 0.0)
    if (np.signbit(values) & (values == 0)).any():
        return _RAW, None
    for decimals in range(DECIMALS_MAX + 1):
        scaled = np.rint(values * 10.0**decimals)
        if np.abs(scaled).max() >= INTEGER_MAX:
            break
        if np.array_equal(scaled / 10.0**decimals, values):
            return decimals, scaled.astype(np.int64)
    return _RAW, None


def _planes(numbers: NDArray[np.int64]) -> bytes:
    """Zigzag the numbers, take the narrowest width that holds them, and split it in byte planes."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).astype(np.uint64)
    top = int(zigzag.max())
    width = 1 if top < 1 << 8 else 2 if top < 1 << 16 else 4 if top < 1 << 32 else 8
    narrow = zigzag.astype(f"<u{width}").view(np.uint8).reshape(-1, width)
    return bytes([width]) + narrow.T.tobytes()


def _unplanes(body: memoryview, at: int, count: int) -> tuple[NDArray[np.int64], int]:
    width = body[at]
    if width not in (1, 2, 4, 8):
        raise ChunkError("unknown column width")
    end = at + 1 + width * count
    if end > len(body):
        raise ChunkError("a column is cut short")
    planes = np.frombuffer(body[at + 1 : end], np.uint8).reshape(width, count)
    zigzag = np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(-1).astype(np.uint64)
    numbers = (zigzag >> np.uint64(1)).astype(np.int64) ^ -(zigzag & np.uint64(1)).astype(np.int64)
    return numbers, end


def _floats(values: NDArray[np.float64]) -> bytes:
    return values.astype("<f8").view(np.uint8).reshape(-1, 8).T.tobytes()


def _unfloats(body: memoryview, at: int, count: int) -> tuple[NDArray[np.float64], int]:
    end = at + 8 * count
    if end > len(body):
        raise ChunkError("a column is cut short")
    planes = np.frombuffer(body[at:end], np.uint8).reshape(8, count)
    return np.ascontiguousarray(planes.T).view("<f8").reshape(-1), end


def _runs(quality: Sequence[str]) -> list[tuple[str, int]]:
    runs: list[tuple[str, int]] = []
    for text in quality:
        if runs and runs[-1][0] == text:
            runs[-1] = (text, runs[-1][1] + 1)
        else:
            runs.append((text, 1))
    return runs


def _unruns(runs: object, count: int) -> list[str]:
    quality: list[str] = []
    if not isinstance(runs, list):
        raise ChunkError("the quality column is no list")
    for run in runs:
        match run:
            case [str(text), int(times)] if 0 < times <= count - len(quality):
                quality += [text] * times
            case _:
                raise ChunkError("a quality run is malformed")
    if len(quality) != count:
        raise ChunkError("the quality column is cut short")
    return quality
