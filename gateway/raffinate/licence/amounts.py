"""Mass of rare-earth oxides from flow and assay, bounded by the base used. Pure.

Assay: mass = volume of feed x g/L of oxides, each with its bounds. Base: three equivalents of base
carry one mole of rare earth into the organic phase (RE3+ + 3 NH4A, process.md), so that so many
moles of base bound the mass of oxide from above and below by the lightest and heaviest element.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from raffinate.licence.elements import ELEMENTS
from raffinate.licence.facts import Bounds, Used

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.licence.paper_kinds import Reagent

EQUIVALENTS_PER_MOLE = 3


def reo_by_assay(volume_ml: Bounds, reo_g_per_l: Bounds) -> Used:
    """Bounds of the mass of oxides in the feed, mg: 1 ml at 1 g/L holds 1 mg."""
    return _used(volume_ml.low * reo_g_per_l.low, volume_ml.high * reo_g_per_l.high)


def reo_by_base(base_mmol: Bounds, elements: Iterable[str] = ()) -> Used:
    """Bounds of the mass of oxides that this much base can have carried, mg.

    `elements` are those in the feed; unknown ones count as any rare earth.
    """
    known = [ELEMENTS[symbol] for symbol in elements if symbol in ELEMENTS]
    weights = [item.oxide_mg_mol for item in known or ELEMENTS.values()]
    # mmol x mg/mol = ug
    low = Fraction(base_mmol.low) * min(weights) / (1000 * EQUIVALENTS_PER_MOLE)
    high = Fraction(base_mmol.high) * max(weights) / (1000 * EQUIVALENTS_PER_MOLE)
    return _used(low, high)


def base_used(reagents: Iterable[Reagent], from_ms: int, to_ms: int) -> Bounds | None:
    """Bounds of the base used in [from_ms, to_ms), mmol, by papers; None unless they cover it all.

    A paper that lies partly within counts to the most and not to the least.
    """
    found = [
        (item.from_ms, item.to_ms, 1000 * item.base_mol)
        for item in reagents
        if item.flow == "used"
        and item.base_mol is not None
        and item.from_ms < to_ms
        and item.to_ms > from_ms
    ]
    covered_ms, low, high = from_ms, Fraction(0), Fraction(0)
    for begin_ms, end_ms, base_mmol in sorted(found):
        if begin_ms <= covered_ms:
            covered_ms = max(covered_ms, end_ms)
        high += base_mmol
        if begin_ms >= from_ms and end_ms <= to_ms:
            low += base_mmol
    return Bounds(low, high) if found and covered_ms >= to_ms else None


def cross_checked(assay: Used, base: Used) -> Used:
    """Bounds by both ways: where they overlap, or all of both when they contradict."""
    low, high = max(assay.low, base.low), min(assay.high, base.high)
    if low <= high:
        return Used(low, high, assay.agree and base.agree)
    return Used(min(assay.low, base.low), max(assay.high, base.high), agree=False)


def _used(low: int | Fraction, high: int | Fraction) -> Used:
    return Used(floor(low), ceil(high))
