"""How much a machine was used under a licence, by UTC day, with bounds where a day cuts. Pure.

An interval within one day counts there exactly. One that reaches into the next is kept as what
lies between the two: exact in a period that has both, somewhere from nothing to all of it in a
period that has one. Memory is bounded by the days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from raffinate.licence.amounts import base_used, cross_checked, reo_by_assay, reo_by_base
from raffinate.licence.facts import Bounds, Used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from raffinate.licence.document import Quota
    from raffinate.licence.papers import Assay, Reagent

DAY_MS = 86_400_000
DAYS_MAX = 4096
DAY_MAX = 2_932_896
"""The last day that a calendar date can have, counted from 1970."""
_ALL = (0, DAY_MAX)


@dataclass(slots=True)
class Amount:
    """Run time, starts, volume."""

    run_ms: int = 0
    starts: int = 0
    volume_ml: int = 0

    def add(self, other: Amount) -> None:
        """Add another up."""
        self.run_ms += other.run_ms
        self.starts += other.starts
        self.volume_ml += other.volume_ml


@dataclass(slots=True)
class Ledger:
    """Use by day (days since 1970), and between days; `lost`: use whose day is not known."""

    days: dict[int, Amount] = field(default_factory=dict)
    between: dict[tuple[int, int], Amount] = field(default_factory=dict)
    lost: Amount = field(default_factory=Amount)
    from_ms: int | None = None
    to_ms: int | None = None

    def add(self, from_ms: int | None, to_ms: int | None, amount: Amount) -> None:
        """Use over an interval; its starts are told at its begin."""
        if from_ms is None or to_ms is None or not 0 <= from_ms <= to_ms < DAY_MS * DAY_MAX:
            self.lost.add(amount)
            return
        first, last = from_ms // DAY_MS, max(from_ms, to_ms - 1) // DAY_MS
        if first == last:
            known = self.days.get(first)
            if known is None and len(self.days) < DAYS_MAX:
                known = self.days[first] = Amount()
        else:
            known = self.between.get((first, last))
            if known is None and len(self.between) < DAYS_MAX:
                known = self.between[first, last] = Amount()
        (self.lost if known is None else known).add(amount)
        self.from_ms = from_ms if self.from_ms is None else min(self.from_ms, from_ms)
        self.to_ms = to_ms if self.to_ms is None else max(self.to_ms, to_ms)

    def total(self) -> Amount:
        """All of it."""
        found = Amount()
        for one in (*self.days.values(), *self.between.values(), self.lost):
            found.add(one)
        return found

    def bounds(self, span: tuple[int, int] = _ALL) -> tuple[Amount, Amount]:
        """(least, most) in the days first..last."""
        low, high = Amount(), Amount()
        for day, amount in self.days.items():
            if span[0] <= day <= span[1]:
                low.add(amount)
                high.add(amount)
        for (first, last), amount in self.between.items():
            if span[0] <= first and last <= span[1]:
                low.add(amount)
                high.add(amount)
            elif first <= span[1] and last >= span[0]:
                high.add(amount)
        if span == _ALL:
            low.add(self.lost)
        high.add(self.lost)
        return low, high

    def used(
        self, quota: Quota, at_ms: int, assays: Iterable[Assay], reagents: Iterable[Reagent]
    ) -> Used | None:
        """The amount of a quota in its period at `at_ms`; None where nothing shows it.

        Rare-earth oxide: volume times `reo_g_per_l` of the assays in force, held against the base
        used where papers tell that of the whole period. Reagents: what papers say was used.
        """
        span = period(quota.period, at_ms)
        if span is None:
            return None
        if quota.quantity == "run-h":
            low, high = self.bounds(span)
            return Used(low.run_ms, high.run_ms)
        if quota.quantity == "volume-l":
            low, high = self.bounds(span)
            return Used(low.volume_ml, high.volume_ml)
        if quota.quantity == "reo-kg":
            by_assay = self._oxide(span, tuple(assays))
            base = base_used(reagents, *self._times(span))
            if by_assay is None or base is None:
                return by_assay
            return cross_checked(by_assay, reo_by_base(base))
        named = [item for item in reagents if item.name == quota.reagent]
        return _reagent(quota, span, named, self.from_ms or 0, self.to_ms or 0)

    def times(self, quota: Quota) -> Iterator[int]:
        """The end of the last day with use in each period of a quota, UTC ms."""
        found: dict[tuple[int, int] | None, int] = {}
        days = {*self.days, *(day for pair in self.between for day in pair)}
        for day in sorted(days):
            found[period(quota.period, day * DAY_MS)] = (day + 1) * DAY_MS - 1
        yield from found.values()

    def _times(self, span: tuple[int, int]) -> tuple[int, int]:
        """The part of a period, UTC ms, that lies between the first and the last use."""
        begin_ms, end_ms = span[0] * DAY_MS, (span[1] + 1) * DAY_MS
        return max(begin_ms, self.from_ms or 0), min(end_ms, self.to_ms or 0)

    def _oxide(self, span: tuple[int, int], assays: tuple[Assay, ...]) -> Used | None:
        """Oxide in what was metered, mg."""
        low = high = 0
        if self.lost.volume_ml:
            return None
        parts = [(day, day, amount) for day, amount in self.days.items()]
        parts += [(first, last, amount) for (first, last), amount in self.between.items()]
        for first, last, amount in parts:
            if not amount.volume_ml or first > span[1] or last < span[0]:
                continue
            strength = _strength(assays, first * DAY_MS, (last + 1) * DAY_MS)
            if strength is None:
                return None
            volume = Bounds(amount.volume_ml, amount.volume_ml)
            high += reo_by_assay(volume, strength).high
            if span[0] <= first and last <= span[1]:
                low += reo_by_assay(volume, strength).low
        return Used(low, high)


def period(name: str, at_ms: int) -> tuple[int, int] | None:
    """First and last day (since 1970) of a quota's period that has `at_ms`, by the UTC calendar."""
    if name == "licence":
        return _ALL
    try:
        today = datetime.fromtimestamp(at_ms / 1000, UTC).date()
        if name == "year":
            return _number(date(today.year, 1, 1)), _number(date(today.year, 12, 31))
        if name == "month":
            following = today.replace(day=28) + timedelta(days=4)
            last = following - timedelta(days=following.day)
            return _number(today.replace(day=1)), _number(last)
    except (ValueError, OverflowError, OSError):
        return None
    return _number(today), _number(today)


def _number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _strength(assays: Iterable[Assay], from_ms: int, to_ms: int) -> Bounds | None:
    """Least and most g/l of the assays in force in [from, to); None when a part of it has none."""
    found = [
        (_begin(item), item.to_ms, item.reo_g_per_l)
        for item in assays
        if item.of == "stream"
        and item.reo_g_per_l is not None
        and _begin(item) < to_ms
        and (item.to_ms is None or item.to_ms > from_ms)
    ]
    covered_ms = from_ms
    for begin_ms, end_ms, _ in sorted(found, key=lambda item: item[0]):
        if begin_ms > covered_ms:
            return None
        covered_ms = to_ms if end_ms is None else max(covered_ms, end_ms)
    if covered_ms < to_ms or not found:
        return None
    values = [value for _, _, value in found]
    return Bounds(min(values), max(values))


def _begin(assay: Assay) -> int:
    return assay.sampled_ms if assay.from_ms is None else assay.from_ms


def _reagent(
    quota: Quota, span: tuple[int, int], papers: list[Reagent], from_ms: int, to_ms: int
) -> Used | None:
    """Reagent used, mg, as papers say; one whose time is not within the period bounds it above.

    Where papers leave some of [from, to) open, only what is over the limit already is known.
    """
    used = [item for item in papers if item.flow == "used"]
    if not used or not all(item.quantity.is_mass for item in used):
        return None
    begin_ms, end_ms = span[0] * DAY_MS, (span[1] + 1) * DAY_MS
    low = high = Fraction(0)
    covered_ms = max(begin_ms, from_ms)
    for item in sorted(used, key=lambda one: one.from_ms):
        mass_mg = 1000 * item.quantity.base
        if begin_ms <= item.from_ms and item.to_ms <= end_ms:
            low += mass_mg
        if item.from_ms < end_ms and item.to_ms > begin_ms:
            high += mass_mg
        if item.from_ms <= covered_ms:
            covered_ms = max(covered_ms, item.to_ms)
    if covered_ms >= min(end_ms, to_ms):
        return Used(floor(low), ceil(high))
    return Used(floor(low), floor(low)) if low > quota.limit_base else None
