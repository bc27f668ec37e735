"""Discharge limits: the outfall's measured bounds against the licence's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case
    from raffinate.licence.facts import Bounds
    from raffinate.licence.outcome import Class
    from raffinate.licence.parts import DischargeLimit

DIRECT = ("ph", "cond", "flow", "temp")
"""Points that are what is limited; a radiation count only stands for an activity."""


def outfalls(case: Case) -> Iterator[ConditionResult]:
    """One condition a discharge limit."""
    for item in case.licence.discharge:
        yield outfall(item, case.facts.discharge.get((item.outfall, item.point)))


def outfall(item: DischargeLimit, found: Bounds | None) -> ConditionResult:
    """Least and most in wire units; both limits are allowed values."""
    klass: Class = "D" if item.point in DIRECT else "I"
    low = "" if item.low is None else f"from {plain(item.low)} "
    high = "" if item.high is None else f"to {plain(item.high)}"
    limit = ("limit", f"{low}{high}".strip())
    if found is None:
        inputs = (("measured", "unknown"), limit)
        return ConditionResult(item.code, INSUFFICIENT, klass, "it is not measured", inputs)
    told = f"{plain(found.low)} to {plain(found.high)}"
    inputs = (("measured", told), limit)
    below = item.low is not None and found.low < item.low
    above = item.high is not None and found.high > item.high
    if below or above:
        text = f"measured {told}, outside the limit"
        return ConditionResult(item.code, FAIL, klass, text, inputs)
    return ConditionResult(item.code, PASS, klass, f"measured {told}", inputs)
