"""Frames of a period out of the archive into a bundle, in the order of each boot's numbers.

The archive has frames in the order of arrival. One pass over its blocks sorts them into runs of
growing numbers in a scratch folder; merging a boot's runs, usually one, gives its files. Memory
does not grow with the period.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from dataclasses import dataclass, field
from heapq import merge
from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from raffinate.audit.framefile import (
    FRAME_FILE_BYTES_MAX,
    FramePath,
    format_line,
    format_path,
    pack_lines,
    parse_line,
)
from raffinate.errors import RaffinateError
from raffinate.tlog.tiles import bundles_of, decode_bundle, entries_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from raffinate.archive.scan import ArchiveScan, KnownBoot

WINDOW_BYTES_MAX = 32 * 1024 * 1024
CHUNK_BYTES_MAX = 512 * 1024
RUNS_MERGED_MAX = 32
RECEIVED_EARLY_MS_MAX = 3_600_000
_RECORD = struct.Struct("<QI")
_SIZE = struct.Struct("<I")


@dataclass(slots=True)
class Exported:
    """What was written."""

    frames: int = 0
    boots: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Wanted:
    """Frames low..high of a boot; the window's lines not spilled yet, and the runs on disk."""

    known: KnownBoot
    low: int
    high: int
    lines: list[tuple[int, bytes]] = field(default_factory=list)
    runs: list[_Run] = field(default_factory=list)


class FrameExport:
    """Writes `frames/` of a bundle folder. `nodes` None: all. Raises RaffinateError, OSError."""

    def __init__(
        self,
        archive: ArchiveScan,
        target: Path,
        scratch: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._archive = archive
        self._target = target
        self._scratch = scratch
        self._progress = progress
        self._total = 0
        self._done = 0
        self._number = 0

    def write(
        self, nodes: frozenset[str] | None, from_ms: int | None, to_ms: int | None, size: int
    ) -> Exported:
        """Write the frames of [from, to), and those that share a statement with one of them.

        `size` is of the log, which lies in the bundle folder already.
        """
        wanted = {
            (known.key, known.boot): _Wanted(known, *span)
            for known in self._archive.boots()
            if nodes is None or known.node in nodes
            if (span := self._archive.seqs(known, from_ms, to_ms)) is not None
        }
        if from_ms is not None or to_ms is not None:
            self._widen(wanted, size)
        expected = sum(self._archive.count(one.known, one.low, one.high) for one in wanted.values())
        self._total = 2 * expected
        self._scratch.mkdir(parents=True)
        start = 0
        if from_ms is not None:
            start = self._archive.received_after(from_ms - RECEIVED_EARLY_MS_MAX)
        found = self._sort(wanted, start, expected)
        if found < expected and start > 0:  # the gateway's clock was set back
            for one in wanted.values():
                one.lines, one.runs = [], []
            self._done = 0
            found = self._sort(wanted, 0, expected)
        if found < expected:
            raise RaffinateError(
                f"the archive lists {expected} frames of the period and has {found}; restore it "
                "from a backup"
            )
        done = Exported()
        for one in wanted.values():
            self._merge(one, done)
        return done

    def _widen(self, wanted: dict[tuple[str, int], _Wanted], size: int) -> None:
        """Take in whole the statements' ranges that a boot's span cuts."""
        spans = {place: (one.low, one.high) for place, one in wanted.items()}
        for key, boot, first, last, _ in read_ranges(self._target, size):
            low, high = spans.get((key, boot), (0, -1))
            if first <= high and last >= low:
                one = wanted[key, boot]
                one.low, one.high = min(one.low, first), max(one.high, last)

    def _sort(self, wanted: dict[tuple[str, int], _Wanted], start: int, expected: int) -> int:
        """Spill the wanted frames after position `start` as runs; how many there were."""
        found = held = 0
        for block in self._archive.blocks(start):
            for raw in block:
                steps = (raw.steps,) if isinstance(raw.steps, int) else tuple(raw.steps)
                line = format_line(raw.data, raw.estimate_ms, steps)
                frame = parse_line(line[:-1])
                one = wanted.get((frame.key, frame.boot))
                if one is not None and one.low <= frame.seq <= one.high:
                    one.lines.append((frame.seq, line))
                    found += 1
                    held += len(line)
            if held >= WINDOW_BYTES_MAX:
                self._spill(wanted.values())
                held = 0
            self._advance(found)
            if found == expected:
                break
        self._spill(wanted.values())
        return found

    def _spill(self, boots: Iterable[_Wanted]) -> None:
        for one in boots:
            if not one.lines:
                continue
            one.lines.sort()
            first = one.lines[0][0]
            fitting = [run for run in one.runs if run.last < first]
            run = max(fitting, key=lambda run: run.last) if fitting else self._new_run(one.runs)
            run.append(one.lines)
            one.lines = []

    def _new_run(self, runs: list[_Run]) -> _Run:
        self._number += 1
        runs.append(_Run(self._scratch / f"{self._number}"))
        return runs[-1]

    def _merge(self, one: _Wanted, done: Exported) -> None:
        """A boot's runs into its files."""
        while len(one.runs) > RUNS_MERGED_MAX:
            some, one.runs = one.runs[:RUNS_MERGED_MAX], one.runs[RUNS_MERGED_MAX:]
            joined = self._new_run(one.runs)
            batch: list[tuple[int, bytes]] = []
            for record in merge(*(run.records() for run in some)):
                batch.append(record)
                if len(batch) == 512:  # noqa: PLR2004 - some
                    joined.append(batch)
                    batch = []
            joined.append(batch)
            for run in some:
                run.path.unlink()
        lines: list[bytes] = []
        first = size = 0
        for seq, line in merge(*(run.records() for run in one.runs)):
            if lines and size + len(line) > FRAME_FILE_BYTES_MAX:
                self._write(one.known, first, lines, done)
                lines, size = [], 0
            if not lines:
                first = seq
            lines.append(line)
            size += len(line)
        if lines:
            self._write(one.known, first, lines, done)
            done.boots += 1
        for run in one.runs:
            run.path.unlink()

    def _write(self, known: KnownBoot, first: int, lines: list[bytes], done: Exported) -> None:
        path = self._target / format_path(FramePath(known.node, known.key, known.boot, first))
        path.parent.mkdir(parents=True, exist_ok=True)
        data = pack_lines(lines)
        path.write_bytes(data)
        done.frames += len(lines)
        done.files += 1
        done.bytes += len(data)
        self._advance(self._total // 2 + done.frames)

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._total)


class _Run:
    """Lines in growing order of seq on disk, as compressed chunks one after another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = -1

    def append(self, lines: list[tuple[int, bytes]]) -> None:
        """Add lines that are sorted and beyond the last one."""
        packer = zstandard.ZstdCompressor(level=1)
        with self.path.open("ab") as file:
            parts: list[bytes] = []
            size = 0
            for seq, line in lines:
                parts += (_RECORD.pack(seq, len(line)), line)
                size += len(line)
                if size >= CHUNK_BYTES_MAX:
                    _write_chunk(file, packer.compress(b"".join(parts)))
                    parts.clear()
                    size = 0
            if parts:
                _write_chunk(file, packer.compress(b"".join(parts)))
        if lines:
            self.last = lines[-1][0]

    def records(self) -> Iterator[tuple[int, bytes]]:
        """(seq, line) in order."""
        unpacker = zstandard.ZstdDecompressor()
        with self.path.open("rb") as file:
            while head := file.read(_SIZE.size):
                chunk = unpacker.decompress(file.read(_SIZE.unpack(head)[0]))
                at = 0
                while at < len(chunk):
                    seq, length = _RECORD.unpack_from(chunk, at)
                    at += _RECORD.size
                    yield seq, chunk[at : at + length]
                    at += length


def _write_chunk(file: Any, chunk: bytes) -> None:
    file.write(_SIZE.pack(len(chunk)) + chunk)


def read_ranges(bundle: Path, size: int) -> Iterator[tuple[str, int, int, int, str]]:
    """(key, boot, first, last, head) of what statements in the bundle's log say of frames.

    Neither log nor signatures are checked: that is `raffinate audit verify`. Raises RaffinateError.
    """
    try:
        for number, width in bundles_of(size):
            data = (bundle / "log" / entries_path(number, width)).read_bytes()
            for entry in decode_bundle(data, width):
                envelope = orjson.loads(entry)
                if envelope["payloadType"] != "application/vnd.in-toto+json":
                    continue
                body = orjson.loads(b64decode(envelope["payload"]))["predicate"]
                frames = body.get("frames")
                if frames is not None and "interval" in body:
                    key = body["keyid"][:16]
                    yield key, frames["boot"], frames["first"], frames["last"], frames["head"]
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise RaffinateError(f"the log in {bundle} cannot be read: {error}; verify it") from error
