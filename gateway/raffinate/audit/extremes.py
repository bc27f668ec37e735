"""The least and the most of watched points in the frames of a bundle, by UTC day. Pure.

A licence's discharge limits name an outfall and a point; its frames have the record
`<outfall>/<point>`. A scan without a good value has no number and counts for nothing.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING

from raffinate.audit.ledger import DAY_MS, DAYS_MAX
from raffinate.licence.facts import Bounds

if TYPE_CHECKING:
    from raffinate.audit.facts import Interval
    from raffinate.audit.framefile import FrameLine
    from raffinate.licence.document import Licence

POINTS_MAX = 1000
_NUMBER = rb"(-?[0-9.]{1,32})"


class Extremes:
    """A `frames.Watcher`: what is watched is told by `watch`, before or while frames pass."""

    def __init__(self) -> None:
        self._days: dict[bytes, dict[int, list[Fraction]]] = {}
        self._records: re.Pattern[bytes] | None = None

    def watch(self, outfall: str, point: str) -> None:
        """One point more."""
        name = f"{outfall}/{point}".encode()
        if name not in self._days and len(self._days) < POINTS_MAX:
            self._days[name] = {}
            names = b"|".join(re.escape(one) for one in sorted(self._days))
            self._records = re.compile(
                rb'"n":"(' + names + rb')"(?:,"u":"[^"]{1,16}")?,"v":' + _NUMBER + rb"\}"
            )

    def gauge(self, interval: Interval) -> _Gauge | None:
        """What takes an interval's frames; None where nothing is watched or no time is known."""
        if self._records is None or interval.to_ms is None:
            return None
        return _Gauge(self._records, self._days, interval.to_ms // DAY_MS)

    def of(self, licence: Licence, at_ms: int) -> dict[tuple[str, str], Bounds | None]:
        """The bounds of each discharge limit over the licence's days up to `at_ms`."""
        found: dict[tuple[str, str], Bounds | None] = {}
        first = licence.from_ms // DAY_MS
        for limit in licence.discharge:
            days = self._days.get(f"{limit.outfall}/{limit.point}".encode(), {})
            values = [
                value
                for day, pair in days.items()
                if first <= day <= at_ms // DAY_MS
                for value in pair
            ]
            bounds = Bounds(min(values), max(values)) if values else None
            found[limit.outfall, limit.point] = bounds
        return found


class _Gauge:
    """Takes the frames of one interval."""

    def __init__(
        self, records: re.Pattern[bytes], days: dict[bytes, dict[int, list[Fraction]]], day: int
    ) -> None:
        self._records = records
        self._days = days
        self._day = day
        self._found: dict[bytes, list[Fraction]] = {}

    def take(self, frame: FrameLine) -> None:
        """One frame more."""
        for name, text in self._records.findall(frame.data):
            try:
                value = Fraction(Decimal(text.decode()))
            except (InvalidOperation, ValueError):
                continue
            pair = self._found.setdefault(name, [value, value])
            pair[0], pair[1] = min(pair[0], value), max(pair[1], value)

    def done(self, *, whole: bool) -> None:
        """All have passed; what passed was measured, whole or not."""
        del whole
        for name, pair in self._found.items():
            days = self._days[name]
            known = days.get(self._day)
            if known is None:
                if len(days) < DAYS_MAX:
                    days[self._day] = pair
            else:
                known[0], known[1] = min(known[0], pair[0]), max(known[1], pair[1])
