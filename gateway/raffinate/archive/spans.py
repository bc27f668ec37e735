"""Sets of whole numbers kept as ascending, disjoint, closed spans; pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Spans:
    """A set of frame numbers; small when there are few holes, however many numbers it has."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in spans:
            self.add(first, last)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __len__(self) -> int:
        """How many spans there are."""
        return len(self._firsts)

    def add(self, first: int, last: int) -> None:
        """Put first..last in."""
        lasts = self._lasts
        if lasts and self._firsts[-1] <= first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
            return
        start = bisect_right(self._firsts, first)
        if start and lasts[start - 1] >= first - 1:
            start -= 1
            first = self._firsts[start]
        end = bisect_right(self._firsts, last + 1)
        if end > start:
            last = max(last, lasts[end - 1])
        self._firsts[start:end] = [first]
        lasts[start:end] = [last]

    def stands_alone(self, number: int) -> bool:
        """Whether adding `number` would make one span more."""
        at = bisect_right(self._firsts, number + 1) - 1
        return at < 0 or number > self._lasts[at] + 1

    def upto(self) -> int:
        """The highest number such that it and every lower one from 0 is in; -1 without 0."""
        return self._lasts[0] if self._firsts and self._firsts[0] == 0 else -1

    def holes(self) -> list[tuple[int, int]]:
        """What is missing below the highest number, from 0 on."""
        found = []
        expected = 0
        for first, last in zip(self._firsts, self._lasts, strict=True):
            if first > expected:
                found.append((expected, first - 1))
            expected = last + 1
        return found

    def pairs(self) -> list[tuple[int, int]]:
        """The spans."""
        return list(zip(self._firsts, self._lasts, strict=True))
