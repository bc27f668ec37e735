"""What was used of a licence's quotas by registers and papers, and what they leave. Pure.

Amounts are in the base units of `parts.BASE_UNITS`. Bounds are wide rather than wrong: what cannot
be told apart counts to the most and not to the least.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING

from raffinate.licence.amounts import base_used, cross_checked, reo_by_assay, reo_by_base
from raffinate.licence.facts import Bounds, Used
from raffinate.licence.papers import Assay, Reagent
from raffinate.licence.permit import Rest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.licence.document import Licence, Quota
    from raffinate.licence.papers import Paper

UNKNOWN = 1 << 62
"""An upper bound where nothing bounds it."""


@dataclass(frozen=True, slots=True)
class Metered:
    """Bounds of run time and volume of all machines of a licence in a period."""

    run_low_ms: int = 0
    run_high_ms: int = 0
    volume_low_ml: int = 0
    volume_high_ml: int = 0


def period_ms(licence: Licence, quota: Quota, at_ms: int) -> tuple[int, int]:
    """[from, to) of the quota's period at `at_ms` by UTC, within the licence's life."""
    if quota.period == "licence":
        return licence.from_ms, licence.ends_ms
    begin = datetime.fromtimestamp(at_ms // 1000, UTC).replace(hour=0, minute=0, second=0)
    if quota.period == "day":
        end = begin + timedelta(days=1)
    elif quota.period == "month":
        begin = begin.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    else:
        begin = begin.replace(month=1, day=1)
        end = begin.replace(year=begin.year + 1)
    from_ms, to_ms = (round(time.timestamp()) * 1000 for time in (begin, end))
    return max(from_ms, licence.from_ms), min(to_ms, licence.ends_ms)


def used(
    quota: Quota, metered: Metered, papers: Sequence[Paper], from_ms: int, at_ms: int
) -> Used | None:
    """What was used of a quota in [from_ms, at_ms]; None where nothing shows it.

    Oxide is volume times the least and the most `reo_g_per_l` of stream assays in force within it,
    held against the base used where papers tell that of the whole time.
    A reagent is what papers say was used; one that lies partly within the period counts to the
    most, and what no paper covers has no upper bound.
    """
    if quota.quantity == "run-h":
        return Used(metered.run_low_ms, metered.run_high_ms)
    if quota.quantity == "volume-l":
        return Used(metered.volume_low_ml, metered.volume_high_ml)
    if quota.quantity == "reagent-kg":
        return _reagent(quota, papers, from_ms, at_ms)
    found = strength(papers, from_ms, at_ms)
    if found is None:
        return Used(0, 0) if metered.volume_high_ml == 0 else None
    by_assay = reo_by_assay(Bounds(metered.volume_low_ml, metered.volume_high_ml), found)
    reagents = [item for item in (paper.members for paper in papers) if isinstance(item, Reagent)]
    base = base_used(reagents, from_ms, at_ms)
    return by_assay if base is None else cross_checked(by_assay, reo_by_base(base))


def strength(papers: Sequence[Paper], from_ms: int, at_ms: int) -> Bounds | None:
    """Least and most grams of oxide a litre by the stream assays in force in [from_ms, at_ms]."""
    values = [
        assay.reo_g_per_l
        for assay in (paper.members for paper in papers)
        if isinstance(assay, Assay)
        and assay.of == "stream"
        and assay.reo_g_per_l is not None
        and (assay.sampled_ms if assay.from_ms is None else assay.from_ms) <= at_ms
        and (assay.to_ms is None or assay.to_ms > from_ms)
    ]
    return Bounds(min(values), max(values)) if values else None


def rest(
    licence: Licence,
    amounts: Mapping[int, Used | None],
    papers: Sequence[Paper],
    machines: int,
    at_ms: int,
) -> Rest:
    """What the quotas leave one of `machines` that share the licence: equal parts of the rest."""
    runs: list[int] = []
    volumes: list[int] = []
    for place, quota in enumerate(licence.quotas):
        amount = amounts.get(place)
        if amount is None or not binds(quota):
            continue
        most = amount.low if amount.high >= UNKNOWN else amount.high
        left = max(0, floor(quota.limit_base) - most) // max(1, machines)
        if quota.quantity == "run-h":
            runs.append(left)
        elif quota.quantity == "volume-l":
            volumes.append(left)
        else:
            found = strength(papers, period_ms(licence, quota, at_ms)[0], at_ms)
            if found is not None and found.high > 0:
                volumes.append(floor(left / found.high))
    return Rest(min(runs, default=None), min(volumes, default=None))


def told(quota: Quota, amount: Used | None) -> Used | None:
    """The amount as a fact: one with no upper bound tells something only beyond the limit."""
    if amount is None or amount.high < UNKNOWN:
        return amount
    return Used(amount.low, amount.low) if amount.low > quota.limit_base else None


def binds(quota: Quota) -> bool:
    """True for a quota that a permit's limits hold; the others bind the auditor's verdict alone."""
    return quota.quantity != "reagent-kg"


def _reagent(quota: Quota, papers: Sequence[Paper], from_ms: int, at_ms: int) -> Used | None:
    found = [
        item
        for item in (paper.members for paper in papers)
        if isinstance(item, Reagent)
        and item.flow == "used"
        and item.name == quota.reagent
        and item.from_ms <= at_ms
        and item.to_ms > from_ms
    ]
    if not found or any(not item.quantity.is_mass for item in found):
        return None
    within = [item for item in found if item.from_ms >= from_ms and item.to_ms <= at_ms]
    low, high = (sum(1000 * item.quantity.base for item in some) for some in (within, found))
    covered_ms = from_ms
    for item in sorted(found, key=lambda one: one.from_ms):
        if item.from_ms <= covered_ms:
            covered_ms = max(covered_ms, item.to_ms)
    return Used(floor(low), ceil(high) if covered_ms >= at_ms else UNKNOWN)
