"""Holds the frames of a bundle against what the nodes' statements say of them. Pure.

A usage or heartbeat names frames first..last of a boot and SHA-256 of the last; each frame names
the one before. Files are read once, in order, as intervals come; what is kept does not grow with
the log. An interval is due when it lies within the period asked for; of others, what is there is
checked.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from raffinate.audit.facts import Booted, FrameRange, Gap, Interval
from raffinate.audit.framefile import FrameFileError, FrameLine, parse_path, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from raffinate.audit.facts import Context, Fact, Origin

HELD_MAX = 1000
MISSING_KEPT_MAX = 10_000
COVERS_MAX = 10_000
KEY_DIGITS = 16
_NO_END = 1 << 60
_FIRST_PREV = bytes(32)


class Gauge(Protocol):
    """Takes the frames of one interval, in order."""

    def take(self, frame: FrameLine) -> None:
        """One frame more."""

    def done(self, *, whole: bool) -> None:
        """All have passed; `whole`: none was missing, and all are what was signed."""


class Watcher(Protocol):
    """Looks at the frames while they pass: the cross-checks."""

    def gauge(self, interval: Interval) -> Gauge | None:
        """What to show the frames of this interval to."""


class Watchers:
    """Several watchers as one."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def gauge(self, interval: Interval) -> Gauge | None:
        """Those who want to see the interval's frames."""
        gauges = [found for one in self._watchers if (found := one.gauge(interval)) is not None]
        if len(gauges) == 1:
            return gauges[0]
        return _Gauges(gauges) if gauges else None


class _Gauges:
    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = gauges

    def take(self, frame: FrameLine) -> None:
        for one in self._gauges:
            one.take(frame)

    def done(self, *, whole: bool) -> None:
        for one in self._gauges:
            one.done(whole=whole)


@dataclass(frozen=True, slots=True)
class Missing:
    """Frames first..last that a statement covers and the bundle has not."""

    origin: Origin
    boot: int
    first: int
    last: int
    ms_each: float


@dataclass(slots=True)
class _Key:
    """What is known of one key's frames; `covers` are (boot, first, last) that a node explains."""

    node: str
    keyid: str
    boots: dict[int, _Reader] = field(default_factory=dict)
    ends: dict[int, FrameRange] = field(default_factory=dict)
    held: list[Interval] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    covers: list[tuple[int, int, int]] = field(default_factory=list)
    after_gap: dict[tuple[int, int], str] = field(default_factory=dict)
    wanted: bool = False
    newest: tuple[int, int] = (-1, -1)
    reading: int = -1


class FrameChecker:
    """`facts.Checker` of frames; a `Watcher` sees them pass."""

    def __init__(self, context: Context, watcher: Watcher | None = None) -> None:
        self._context = context
        self._result = context.result
        self._watcher = watcher
        self._keys: dict[str, _Key] = {}
        self._clock_ms: int | None = None
        self._files: dict[tuple[str, str], dict[int, list[str]]] = {}
        for path in context.frames:
            try:
                found = parse_path(path)
            except FrameFileError as error:
                self._result.add("FRAME-FILE", str(error), file=path)
                continue
            boots = self._files.setdefault((found.node, found.key), {})
            boots.setdefault(found.boot, []).append(path)

    def take(self, fact: Fact) -> None:
        """One fact more, in the order of the log."""
        if isinstance(fact, Interval):
            self._interval(fact)
        elif isinstance(fact, Gap) and fact.frames is not None:
            key = self._key(fact.origin)
            span = fact.frames
            if len(key.covers) < COVERS_MAX:
                key.covers.append((span.boot, span.first, span.last))
                key.after_gap[span.boot, span.last + 1] = span.head
        elif isinstance(fact, Booted):
            key = self._key(fact.origin)
            if fact.lost is not None and len(key.covers) < COVERS_MAX:
                boot, seq, _ = fact.lost
                key.covers.append((boot, seq, _NO_END))
                key.covers += [(between, 0, _NO_END) for between in key.ends
                               if boot < between < fact.boot]  # fmt: skip

    def finish(self) -> None:
        """Late intervals, explained holes, and frames that no statement covers."""
        for key in self._keys.values():
            for interval in sorted(key.held, key=_place):
                self._check(key, interval)
            self._explain(key)
            self._finish_readers(key)
        known = {(key.node, key.keyid[:KEY_DIGITS]) for key in self._keys.values()}
        for node, key16 in sorted(self._files.keys() - known):
            self._result.add(
                "FRAME-EXTRA", f"frames of key {key16}, which has no statement", node=node
            )
        self._tell_absent()

    def _key(self, origin: Origin) -> _Key:
        found = self._keys.get(origin.keyid)
        if found is None:
            found = self._keys[origin.keyid] = _Key(origin.node, origin.keyid)
            files = self._files.get((origin.node, origin.keyid[:KEY_DIGITS]), {})
            found.boots = {
                boot: _Reader(self._context, found.node, origin.keyid[:KEY_DIGITS], boot, paths)
                for boot, paths in files.items()
            }
        return found

    def _interval(self, interval: Interval) -> None:
        key = self._key(interval.origin)
        serials = self._context.policy.serials
        key.wanted |= not serials or any(use.serial in serials for use in interval.uses)
        if interval.to_ms is not None:
            self._clock_ms = max(self._clock_ms or 0, interval.to_ms)
        span = interval.frames
        if span is None:
            return
        end = key.ends.get(span.boot)
        if span.first > (0 if end is None else end.last + 1) and len(key.held) < HELD_MAX:
            key.held.append(interval)  # its predecessor is missing, or LATE
            return
        self._check(key, interval)
        while key.held and (after := self._follower(key)) is not None:
            key.held.remove(after)
            self._check(key, after)

    @staticmethod
    def _follower(key: _Key) -> Interval | None:
        for held in key.held:
            span = held.frames
            if span is None:
                continue
            end = key.ends.get(span.boot)
            if end is not None and span.first == end.last + 1:
                return held
        return None

    def _check(self, key: _Key, interval: Interval) -> None:
        span = interval.frames
        if span is None:
            return
        end = key.ends.get(span.boot)
        covered = -1 if end is None else end.last
        due = self._is_due(interval)
        if span.first <= covered:
            detail = f"frames {span.first} to {span.last}; an earlier one went to {covered}"
            self._add("FRAME-RANGE", interval, detail)
            if span.last <= covered:
                return
            span = replace(span, first=covered + 1)
        elif span.first > covered + 1 and due:
            detail = f"none covers frames {covered + 1} to {span.first - 1} before it"
            self._add("FRAME-RANGE", interval, detail)
        key.ends[span.boot] = span
        if self._files:
            walk = self._walk(key, interval, span, self._link(key, span, end))
            for seq, detail in walk.changed:
                self._add("FRAME-CHANGED", interval, detail, seq=seq)
            if due or walk.found:
                self._note_missing(key, interval, walk)

    def _walk(self, key: _Key, interval: Interval, span: FrameRange, link: bytes | None) -> _Walk:
        """Let the interval's frames pass."""
        if key.reading != span.boot:
            for reader in key.boots.values():
                reader.rest()
            key.reading = span.boot
        gauge = None if self._watcher is None else self._watcher.gauge(interval)
        walk = _Walk(span, link)
        reading = key.boots.get(span.boot)
        for frame in () if reading is None else reading.upto(span.last):
            walk.take(frame, key.after_gap.get((span.boot, frame.seq)))
            if gauge is not None and frame.seq >= span.first:
                gauge.take(frame)
        walk.end()
        if walk.found:
            key.newest = max(key.newest, (span.boot, walk.newest))
        if gauge is not None:
            gauge.done(whole=not walk.missing and not walk.changed)
        return walk

    @staticmethod
    def _link(key: _Key, span: FrameRange, end: FrameRange | None) -> bytes | None:
        """What frame `first` must name as the one before it; None where that is not known."""
        if span.first == 0:
            return _FIRST_PREV
        if end is not None and end.last + 1 == span.first:
            return bytes.fromhex(end.head)
        head = key.after_gap.get((span.boot, span.first))
        return None if head is None else bytes.fromhex(head)

    def _note_missing(self, key: _Key, interval: Interval, walk: _Walk) -> None:
        span = walk.span
        each = (interval.to_up_ms - interval.from_up_ms) / (span.last - span.first + 1)
        for first, last in walk.missing:
            if len(key.missing) >= MISSING_KEPT_MAX:
                self._tell(Missing(interval.origin, span.boot, first, last, each), "FRAME-MISSING")
                continue
            before = key.missing[-1] if key.missing else None
            if (
                before is not None
                and (before.boot, before.last + 1) == (span.boot, first)
                and before.ms_each == each
            ):
                key.missing[-1] = Missing(before.origin, span.boot, before.first, last, each)
            else:
                key.missing.append(Missing(interval.origin, span.boot, first, last, each))

    def _is_due(self, interval: Interval) -> bool:
        """Whether the interval lies in the period; without a time, by the log's newest before."""
        from_ms, to_ms = self._context.from_ms, self._context.to_ms
        begin = interval.from_ms if interval.from_ms is not None else self._clock_ms
        finish = interval.to_ms if interval.to_ms is not None else self._clock_ms
        return (from_ms is None or (begin is not None and begin >= from_ms)) and (
            to_ms is None or (finish is not None and finish <= to_ms)
        )

    def _explain(self, key: _Key) -> None:
        """Missing frames less what gaps and power cuts explain; explained time adds up."""
        gap_ms = 0.0
        if not key.boots and self._files:
            return  # told as FRAMES-ABSENT
        for hole in key.missing:
            left = _without(hole.first, hole.last, hole.boot, key.covers)
            told = sum(last - first + 1 for first, last in left)
            gap_ms += (hole.last - hole.first + 1 - told) * hole.ms_each
            for first, last in left:
                found = Missing(hole.origin, hole.boot, first, last, hole.ms_each)
                pending = (hole.boot, first) > key.newest
                self._tell(found, "FRAME-PENDING" if pending else "FRAME-MISSING")
        if gap_ms:
            detail = f"{gap_ms / 1000:.0f} s of {key.node} have no frames; gaps explain them"
            long = gap_ms > 1000 * self._context.policy.gap_s_max
            self._result.add("FRAME-GAP-LONG" if long else "FRAME-GAP", detail, node=key.node)

    def _tell(self, hole: Missing, code: str) -> None:
        self._result.add(
            code,
            f"frames {hole.first} to {hole.last} of boot {hole.boot}",
            index=hole.origin.index,
            node=hole.origin.node,
            seq=hole.origin.seq,
        )

    def _finish_readers(self, key: _Key) -> None:
        """Frames after the last one covered: their links are looked at, no statement vouches."""
        for boot, reader in sorted(key.boots.items()):
            end = key.ends.get(boot)
            link = None if end is None else bytes.fromhex(end.head)
            uncovered, first = 0, None
            expected = None if end is None else end.last + 1
            for frame in reader.upto(_NO_END):
                first = frame.seq if first is None else first
                uncovered += 1
                if link is not None and frame.seq == expected and _prev(frame) != link:
                    self._result.add(
                        "FRAME-CHANGED",
                        f"frame {frame.seq} of boot {boot} does not follow the one before",
                        node=key.node,
                    )
                link, expected = frame.digest(), frame.seq + 1
            if uncovered:
                self._result.add(
                    "FRAME-UNCOVERED",
                    f"{uncovered} frames of boot {boot} from {first} on",
                    node=key.node,
                )

    def _tell_absent(self) -> None:
        if not self._files:
            self._result.add("FRAMES-ABSENT", "no frames in this bundle")
            return
        for key in self._keys.values():
            if key.boots or not key.ends:
                continue
            code = "FRAMES-ABSENT" if key.wanted else "FRAMES-LEFT-OUT"
            self._result.add(code, f"no frames of {key.node} in this bundle", node=key.node)

    def _add(self, code: str, interval: Interval, detail: str, seq: int | None = None) -> None:
        origin = interval.origin
        if seq is not None and interval.frames is not None:
            detail = f"frame {seq} of boot {interval.frames.boot}: {detail}"
        self._result.add(code, detail, index=origin.index, node=origin.node, seq=origin.seq)


class _Walk:
    """The frames of one statement as they pass: what is missing, and whose bytes are not right."""

    def __init__(self, span: FrameRange, link: bytes | None) -> None:
        self.span = span
        self.missing: list[tuple[int, int]] = []
        self.changed: list[tuple[int, str]] = []
        self.found = 0
        self.newest = -1
        self._expected = span.first
        self._link = link
        self._digest = b""

    def take(self, frame: FrameLine, gap_head: str | None) -> None:
        """The next frame with seq <= last."""
        seq = frame.seq
        if seq < self.span.first:
            return  # its statement is missing; told as FRAME-RANGE
        if seq > self._expected:
            self.missing.append((self._expected, seq - 1))
            self._link = None if gap_head is None else bytes.fromhex(gap_head)
        if self._link is not None and _prev(frame) != self._link:
            before = seq - 1 if self.found and seq == self._expected else seq
            self.changed.append((before, f"frame {seq} does not follow frame {seq - 1}"))
        self._digest = self._link = frame.digest()
        self._expected = seq + 1
        self.found += 1
        self.newest = seq

    def end(self) -> None:
        """All have passed."""
        span = self.span
        if self._expected <= span.last:
            self.missing.append((self._expected, span.last))
        elif self._digest.hex() != span.head:
            self.changed.append((span.last, "it has not the SHA-256 that the node signed"))


class _Reader:
    """The frames of one boot, file after file, in growing order of seq."""

    def __init__(
        self, context: Context, node: str, key: str, boot: int, paths: list[str]
    ) -> None:  # fmt: skip
        self._context = context
        self._identity = (node, key, boot)
        self._paths = paths
        self._file = 0
        self._line = 0
        self._seq = -1
        self._lines: Iterator[FrameLine] | None = None
        self._ahead: FrameLine | None = None

    def upto(self, last: int) -> Iterator[FrameLine]:
        """Frames not read before with seq <= `last`."""
        while True:
            frame = self._ahead or self._next()
            self._ahead = None
            if frame is None:
                return
            if frame.seq > last:
                self._ahead = frame
                return
            yield frame

    def rest(self) -> None:
        """Another boot's turn: keep nothing in memory but the place."""
        self._lines = None

    def _next(self) -> FrameLine | None:
        while self._file < len(self._paths):
            path = self._paths[self._file]
            try:
                if self._lines is None:
                    self._lines = self._open(path)
                for frame in self._lines:
                    self._line += 1
                    self._check(path, frame)
                    return frame
            except FrameFileError as error:
                self._context.result.add("FRAME-FILE", str(error), file=path)
            self._lines = None
            self._file += 1
            self._line = 0
        return None

    def _open(self, path: str) -> Iterator[FrameLine]:
        data = self._context.read(path)
        lines = iter(()) if data is None else read_lines(data)
        for _ in range(self._line):
            next(lines, None)
        return lines

    def _check(self, path: str, frame: FrameLine) -> None:
        if (frame.node, frame.key, frame.boot) != self._identity:
            raise FrameFileError(f"frame {frame.seq} is not of this node, key and boot")
        if frame.seq <= self._seq:
            raise FrameFileError(f"frame {frame.seq} comes after frame {self._seq}")
        if self._line == 1 and frame.seq != parse_path(path).first:
            raise FrameFileError(f"its first frame is {frame.seq}, not the one of its name")
        self._seq = frame.seq


def _prev(frame: FrameLine) -> bytes:
    return urlsafe_b64decode(frame.prev + b"=")


def _place(interval: Interval) -> tuple[int, int]:
    span = interval.frames
    return (interval.boot, 0) if span is None else (span.boot, span.first)


def _without(
    first: int, last: int, boot: int, covers: list[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """What of first..last no cover of that boot has."""
    left = [(first, last)]
    for of, low, high in covers:
        if of != boot or high < first or low > last:
            continue
        left = [
            (start, end)
            for a, b in left
            for start, end in ((a, min(b, low - 1)), (max(a, high + 1), b))
            if start <= end
        ]
    return left
