"""Holds a store of series against the frames that statements cover, window by window of time.

Frames come from a bundle folder, in whose files each boot's frames stand in order. A clock that
stepped back begins another stretch of the boot, so that times grow within each stretch; the
stretches that touch a window are read side by side. Memory is bounded by a window's samples.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raffinate.archive.chunk import with_times
from raffinate.audit.framefile import FrameFileError, parse_path, read_lines
from raffinate.errors import RaffinateError, RejectedError
from raffinate.series.stored import NS_PER_MS, Broken, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from raffinate.audit.framefile import FrameLine
    from raffinate.model import Frame
    from raffinate.series.stored import Stored

EDITED, MISSING, ADDED, BROKEN = "edited", "missing", "added", "broken"
WINDOW_MS_MAX = 3_600_000
WINDOW_MS_MIN = 1000
WINDOW_SAMPLES = 200_000
BYTES_PER_SAMPLE = 25
STRETCHES_MAX = 10_000
EXIT_SAME, EXIT_UNATTESTED, EXIT_DIFFERENT = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Difference:
    """One sample or chunk that is not what the frames give; `frame` is (node, key, boot, seq).

    `attested`: a statement covers the frame; None for what no frame has.
    """

    kind: str
    time_ms: float | None
    point: str
    stored: str | float | None
    expected: str | float | None
    frame: tuple[str, str, int, int] | None
    attested: bool | None
    note: str = ""


@dataclass(slots=True)
class Outcome:
    """Totals, and the first differences up to the limit."""

    store: str
    from_ms: int
    to_ms: int
    limit: int
    frames: int = 0
    samples: int = 0
    provisional_frames: int = 0
    unattested_frames: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count it, keep it while there is room."""
        self.totals[difference.kind] += 1
        self.points[difference.point] += 1
        if len(self.differences) < self.limit:
            self.differences.append(difference)

    def exit_status(self) -> int:
        """4 with a difference, 3 where a frame is not attested and not the newest, 0 otherwise."""
        if self.totals:
            return EXIT_DIFFERENT
        return EXIT_UNATTESTED if self.unattested_frames else EXIT_SAME


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames of one boot whose times grow: `count` from line `line` of file `file` on."""

    paths: tuple[Path, ...]
    file: int
    line: int
    count: int
    first_ms: int
    last_ms: int


@dataclass(slots=True)
class _Boot:
    """A boot's files, heads by last seq, and the spans of seq that are bound to a head."""

    node: str
    key: str
    boot: int
    paths: list[Path] = field(default_factory=list)
    attested: list[tuple[int, int]] = field(default_factory=list)
    last: int = -1

    def is_provisional(self, seq: int) -> bool:
        """Whether the frame is newer than what the boot's statements cover."""
        return 0 <= self.last < seq

    def has(self, seq: int) -> bool:
        """Whether a statement covers this frame, and it is the one that was signed."""
        return any(first <= seq <= last for first, last in self.attested)


@dataclass(frozen=True, slots=True)
class _Sample:
    node: str
    value: float | None
    quality: str
    frame: tuple[str, str, int, int]
    attested: bool


class Reconciliation:
    """`run` compares a store with a bundle folder's frames. Raises RaffinateError.

    `heads` are (key of 16 digits, boot, last seq, SHA-256 in hex) of the statements' ranges; `read`
    decodes a frame.
    """

    def __init__(
        self,
        bundle: Path,
        heads: Iterable[tuple[str, int, int, str]],
        read: Callable[[bytes], Frame],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._read = read
        self._progress = progress
        self._boots: dict[tuple[str, str, int], _Boot] = {}
        self._stretches: list[tuple[_Boot, _Stretch]] = []
        self._bytes = 0
        for path in sorted((bundle / "frames").rglob("*.gz")):
            try:
                found = parse_path(path.relative_to(bundle).as_posix())
            except FrameFileError as error:
                raise RaffinateError(f"{path}: {error}") from error
            place = (found.node, found.key, found.boot)
            self._boots.setdefault(place, _Boot(*place)).paths.append(path)
        by_boot: dict[tuple[str, int], dict[int, str]] = {}
        for key, number, last, head in heads:
            by_boot.setdefault((key, number), {})[last] = head
        for boot in self._boots.values():
            self._survey(boot, by_boot.get((boot.key, boot.boot), {}))

    def span(self) -> tuple[int, int] | None:
        """First and last time of the frames, ms; None without any."""
        if not self._stretches:
            return None
        return (
            min(stretch.first_ms for _, stretch in self._stretches),
            max(stretch.last_ms for _, stretch in self._stretches),
        )

    def run(
        self, store: Stored, from_ms: int, to_ms: int, limit: int, *, from_start: bool = False
    ) -> Outcome:
        """Compare all samples of [from, to); `from_start`: no frame is older, so no sample is."""
        outcome = Outcome(store.name, from_ms, to_ms, limit)
        width = self._width(from_ms, to_ms)
        readers = [_Cursor(self, boot, stretch) for boot, stretch in self._stretches]
        for row in store.rows(0, from_ms) if from_start else ():
            outcome.add(_broken(row) if isinstance(row, Broken) else _added(row))
        start = from_ms
        while start < to_ms:
            end = min(start + width, to_ms)
            expected: dict[tuple[str, str, int], _Sample] = {}
            for cursor in readers:
                cursor.fill(start, end, expected, outcome)
            outcome.samples += len(expected)
            _compare(store.rows(start, end), expected, outcome)
            start = end
            if self._progress is not None:
                self._progress(start - from_ms, to_ms - from_ms)
        return outcome

    def decode(self, line: FrameLine) -> Frame:
        """A frame with its scans' times and steps. Raises RaffinateError."""
        steps = line.steps[0] if len(line.steps) == 1 else line.steps
        try:
            return with_times(self._read(line.data), line.estimate_ms, steps)
        except (RejectedError, ValueError) as error:
            raise RaffinateError(
                f"frame {line.seq} of boot {line.boot} of {line.node}: {error}; verify the bundle"
            ) from error

    def _width(self, from_ms: int, to_ms: int) -> int:
        """An hour, or less where an hour has more than WINDOW_SAMPLES samples."""
        whole = self.span()
        span_ms = to_ms - from_ms if whole is None else max(1000, whole[1] - whole[0])
        per_ms = self._bytes / BYTES_PER_SAMPLE / span_ms
        return max(WINDOW_MS_MIN, min(WINDOW_MS_MAX, int(WINDOW_SAMPLES / max(per_ms, 1e-9))))

    def _survey(self, boot: _Boot, heads: dict[int, str]) -> None:
        """Find a boot's stretches of growing times, and what is bound to a signed head."""
        paths = tuple(boot.paths)
        boot.last = max(heads, default=-1)
        begin: tuple[int, int, int] | None = None
        count = first_ms = last_ms = 0
        link, run_first, expected = b"", 0, -1
        for file, line, frame in _frames(paths, 0, 0):
            self._bytes += len(frame.data)
            if frame.seq != expected or urlsafe_b64decode(frame.prev + b"=") != link:
                run_first = frame.seq
            link, expected = frame.digest(), frame.seq + 1
            if heads.get(frame.seq) == link.hex():
                _attest(boot.attested, run_first, frame.seq)
            times = [scan.time_ms for scan in self.decode(frame).scans]
            if begin is None or times[0] < last_ms or min(times) < times[0]:
                if begin is not None:
                    self._stretch(boot, paths, begin, count, first_ms, last_ms)
                begin, count, first_ms = (file, line, frame.seq), 0, min(times)
            count += 1
            last_ms = max(times)
        if begin is not None:
            self._stretch(boot, paths, begin, count, first_ms, last_ms)

    def _stretch(
        self,
        boot: _Boot,
        paths: tuple[Path, ...],
        begin: tuple[int, int, int],
        count: int,
        first_ms: int,
        last_ms: int,
    ) -> None:
        if len(self._stretches) >= STRETCHES_MAX:
            raise RaffinateError(
                f"clocks stepped back more than {STRETCHES_MAX} times; take a shorter period"
            )
        found = _Stretch(paths, begin[0], begin[1], count, first_ms, last_ms)
        self._stretches.append((boot, found))


class _Cursor:
    """Reads one stretch as windows pass over it."""

    def __init__(self, owner: Reconciliation, boot: _Boot, stretch: _Stretch) -> None:
        self._owner = owner
        self._boot = boot
        self._stretch = stretch
        self._frames: Iterator[tuple[int, int, FrameLine]] | None = None
        self._left = stretch.count
        self._ahead: list[Frame] = []

    def fill(
        self,
        start: int,
        end: int,
        expected: dict[tuple[str, str, int], _Sample],
        outcome: Outcome,
    ) -> None:
        """Put the samples of [start, end) in; a frame over the end stays for the next window."""
        stretch = self._stretch
        if stretch.first_ms >= end or stretch.last_ms < start:
            return
        if self._frames is None:
            self._frames = _frames(stretch.paths, stretch.file, stretch.line)
        kept = []
        for frame in self._take(end):
            self._put(frame, start, end, expected, outcome)
            if max(scan.time_ms for scan in frame.scans) >= end:
                kept.append(frame)
        self._ahead = kept

    def _take(self, end: int) -> Iterator[Frame]:
        yield from self._ahead
        if self._ahead and self._ahead[-1].scans[0].time_ms >= end:
            return
        while self._left and self._frames is not None:
            self._left -= 1
            frame = self._owner.decode(next(self._frames)[2])
            yield frame
            if min(scan.time_ms for scan in frame.scans) >= end:
                return
        self._frames = None if not self._left else self._frames

    def _put(
        self,
        frame: Frame,
        start: int,
        end: int,
        expected: dict[tuple[str, str, int], _Sample],
        outcome: Outcome,
    ) -> None:
        within = [scan for scan in frame.scans if start <= scan.time_ms < end]
        if not within:
            return
        attested = self._boot.has(frame.seq)
        if within[0] is frame.scans[0]:
            outcome.frames += 1
            provisional = not attested and self._boot.is_provisional(frame.seq)
            outcome.provisional_frames += provisional
            outcome.unattested_frames += not attested and not provisional
        identity = (frame.node, frame.key, frame.boot, frame.seq)
        for scan in within:
            for name, value, quality in scan.values:
                place = (name, str(scan.step), scan.time_ms)
                expected[place] = _Sample(frame.node, value, quality, identity, attested)


def _compare(
    rows: Iterable[Row | Broken],
    expected: dict[tuple[str, str, int], _Sample],
    outcome: Outcome,
) -> None:
    """Take what is stored out of what is expected; tell what does not fit, and what is left."""
    done: set[tuple[str, str, int]] = set()
    for row in rows:
        if isinstance(row, Broken):
            outcome.add(_broken(row))
            continue
        time_ms, rest = divmod(row.time_ns, NS_PER_MS)
        place = (row.point, row.step, time_ms)
        sample = expected.get(place)
        if rest or sample is None or place in done or row.node not in (None, sample.node):
            outcome.add(_added(row))
            continue
        done.add(place)
        if not _is_same(row, sample):
            outcome.add(_difference(EDITED, place, sample, row))
    for place, sample in expected.items():
        if place not in done:
            outcome.add(_difference(MISSING, place, sample, None))


def _is_same(row: Row, sample: _Sample) -> bool:
    if sample.value is None:
        return row.value is None and row.quality == sample.quality
    good = isinstance(row.value, int | float) and not isinstance(row.value, bool)
    return row.quality is None and good and row.value == sample.value


def _broken(part: Broken) -> Difference:
    return Difference(BROKEN, None, part.where, None, None, None, None, part.what)


def _added(row: Row) -> Difference:
    note = "" if row.step == "0" else f"step {row.step}"
    if row.node is not None:
        note = f"node {row.node}" + (f", {note}" if note else "")
    time_ms = row.time_ns / NS_PER_MS
    return Difference(ADDED, time_ms, row.point, _stored(row), None, None, None, note)


def _difference(
    kind: str, place: tuple[str, str, int], sample: _Sample, row: Row | None
) -> Difference:
    point, step, time_ms = place
    note = "" if step == "0" else f"step {step}"
    expected = sample.quality if sample.value is None else sample.value
    stored = None if row is None else _stored(row)
    return Difference(kind, time_ms, point, stored, expected, sample.frame, sample.attested, note)


def _stored(row: Row) -> str | float | None:
    if row.value is None or row.quality is None:
        return row.quality if row.value is None else row.value
    return f"{row.value} and {row.quality}"


def _frames(paths: tuple[Path, ...], file: int, line: int) -> Iterator[tuple[int, int, FrameLine]]:
    """(file, line, frame) from a place on. Raises RaffinateError."""
    for number in range(file, len(paths)):
        try:
            lines = read_lines(paths[number].read_bytes())
            for at, frame in enumerate(lines):
                if number > file or at >= line:
                    yield number, at, frame
        except (FrameFileError, OSError) as error:
            raise RaffinateError(f"{paths[number]}: {error}; verify the bundle") from error


def _attest(spans: list[tuple[int, int]], first: int, last: int) -> None:
    if spans and spans[-1][1] + 1 >= first:
        spans[-1] = (min(spans[-1][0], first), last)
    else:
        spans.append((first, last))
