"""What was measured at outfalls in a licence's life so far, from the series store.

The auditor takes it from frames; this is what the plant sees of it meanwhile.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from raffinate.licence.facts import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from raffinate.licence.document import Licence
    from raffinate.model import Bucket

    History = Callable[[str, int, int, int], Sequence[Bucket]]
    """As `ports.SeriesStore.history`; may be called from any thread."""

REFRESH_MS = 60_000
LATE_MS = 3_600_000
"""What comes later than this is not looked for again."""
KEPT_MAX = 4096


class Outfalls:
    """Least and most of each point that a licence limits; the past is asked for once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[tuple[str, str], tuple[int, float | None, float | None]] = {}

    def bounds(self, licence: Licence, now_ms: int) -> dict[tuple[str, str], Bounds | None]:
        """By (outfall, point); None where nothing good was measured."""
        found: dict[tuple[str, str], Bounds | None] = {}
        for limit in licence.discharge:
            low, high = self._extremes(licence, f"{limit.outfall}/{limit.point}", now_ms)
            known = low is not None and high is not None
            found[limit.outfall, limit.point] = (
                Bounds(Fraction(repr(low)), Fraction(repr(high))) if known else None
            )
        return found

    def _extremes(
        self, licence: Licence, point: str, now_ms: int
    ) -> tuple[float | None, float | None]:
        key = (licence.sha256, point)
        until_ms, low, high = self._known.get(key, (licence.from_ms, None, None))
        if key in self._known and 0 <= now_ms - until_ms < REFRESH_MS:
            return low, high
        from_ms = max(licence.from_ms, until_ms - LATE_MS)
        if from_ms < now_ms:
            for bucket in self._history(point, from_ms, now_ms, 1):
                if bucket.min is not None and bucket.max is not None:
                    low = bucket.min if low is None else min(low, bucket.min)
                    high = bucket.max if high is None else max(high, bucket.max)
        if len(self._known) >= KEPT_MAX:
            self._known.clear()
        self._known[key] = (max(until_ms, now_ms), low, high)
        return low, high
