"""Between which outside times each statement was signed (protocol 7, question 3). Pure.

Above: an anchor over a log that has the entry. Below: an anchor that the signer knew: a node by
the log it has `seen`, the gateway by its own chain. What a node signed before it had seen any
anchor is bounded below by the first statement of that boot that had, less the uptime between.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE_MS = 10_000
WAITING_MAX = 4096
FLOATING_MAX = 64


@dataclass(slots=True)
class Span:
    """Statements of one signer: entries first..last, times as stated, lower bound, uptime.

    `count` is how many of a node's they are; the gateway's own are not counted.
    """

    first: int
    last: int
    node: str
    seq: int
    keyid: str
    boot: int
    up_ms: int
    low_ms: int | None
    time_from_ms: int | None
    time_to_ms: int | None
    count: int = 0


class Bounds:
    """`anchor` and `add` in the order of the log, `finish` at its end.

    `tell(code, detail, span)` is called for each span that is out of bounds.
    """

    def __init__(self, lag_s_max: int, tell: Callable[[str, str, Span], None]) -> None:
        self._lag_ms_max = 1000 * lag_s_max
        self._tell = tell
        self._sizes: list[int] = []
        self._lows: list[int] = []
        self._waiting: list[Span] = []
        self._floating: dict[str, list[tuple[Span, int]]] = {}
        self.size = 0
        self.time_ms: int | None = None
        self.unbounded = 0

    def anchor(self, index: int | None, size: int, low_ms: int, high_ms: int) -> None:
        """Entries below `size` were there at `high_ms`; what knows entry `index` is after `low_ms`.

        `index` is None for the bundle's own checkpoint.
        """
        if index is not None and (not self._lows or low_ms > self._lows[-1]):
            self._sizes.append(index)
            self._lows.append(low_ms)
            if len(self._sizes) > WAITING_MAX:
                del self._sizes[: WAITING_MAX // 2], self._lows[: WAITING_MAX // 2]
        if size > self.size:
            self.size, self.time_ms = size, high_ms
        waiting, self._waiting = self._waiting, []
        for span in waiting:
            if span.last < size:
                self._above(span, high_ms)
            else:
                self._waiting.append(span)

    def low_of_seen(self, size: int) -> int | None:
        """The newest anchor in a log of `size`, ms."""
        place = bisect_right(self._sizes, size - 1)
        return self._lows[place - 1] if place else None

    def add(self, span: Span) -> None:
        """A statement, or several that go on plainly."""
        if span.low_ms is not None:
            for other, high_ms in self._floating.pop(span.keyid, ()):
                if other.boot == span.boot:
                    low_ms = span.low_ms - max(0, span.up_ms - other.up_ms)
                    self._judge(other, low_ms, high_ms)
                else:
                    self._judge(other, None, high_ms)
            for other in self._waiting:
                if (other.keyid, other.boot, other.low_ms) == (span.keyid, span.boot, None):
                    other.low_ms = span.low_ms - max(0, span.up_ms - other.up_ms)
        self._waiting.append(span)
        if len(self._waiting) > WAITING_MAX:
            self._waiting = _coarser(self._waiting)

    def finish(self) -> None:
        """No anchor follows."""
        for spans in self._floating.values():
            for span, high_ms in spans:
                self._judge(span, None, high_ms)
        for span in self._waiting:
            self.unbounded += span.count
            self._check_low(span, span.low_ms)
        self._floating, self._waiting = {}, []

    def _above(self, span: Span, high_ms: int) -> None:
        if span.low_ms is None:
            spans = self._floating.setdefault(span.keyid, [])
            if len(spans) < FLOATING_MAX:
                spans.append((span, high_ms))
                return
        self._judge(span, span.low_ms, high_ms)

    def _judge(self, span: Span, low_ms: int | None, high_ms: int) -> None:
        if low_ms is None:
            self._tell("TIME-BOUND", "no outside time is known to come before it", span)
        elif high_ms - low_ms > self._lag_ms_max:
            width_s = (high_ms - low_ms) // 1000
            self._tell("TIME-BOUND", f"outside times leave {width_s} s", span)
        self._check_low(span, low_ms)
        if span.time_to_ms is not None and span.time_to_ms > high_ms + TOLERANCE_MS:
            ahead_ms = span.time_to_ms - high_ms
            self._tell("POSTDATED", f"its time is {ahead_ms} ms after an outside one", span)

    def _check_low(self, span: Span, low_ms: int | None) -> None:
        if low_ms is not None and span.time_from_ms is not None:
            back_ms = low_ms - span.time_from_ms
            if back_ms > TOLERANCE_MS:
                self._tell("BACKDATED", f"its time is {back_ms} ms before an outside one", span)


def _coarser(spans: list[Span]) -> list[Span]:
    """Half as many spans, each with the weakest bounds of the two it joins."""
    found = []
    for one, two in zip(spans[::2], spans[1::2], strict=False):
        lows = (one.low_ms, two.low_ms)
        one.low_ms = None if None in lows else min(low for low in lows if low is not None)
        one.last, one.count = max(one.last, two.last), one.count + two.count
        froms = [time for time in (one.time_from_ms, two.time_from_ms) if time is not None]
        tos = [time for time in (one.time_to_ms, two.time_to_ms) if time is not None]
        one.time_from_ms, one.time_to_ms = min(froms, default=None), max(tos, default=None)
        found.append(one)
    return found + (spans[-1:] if len(spans) % 2 else [])
