"""Quotas by run hours, volume, mass of oxides and reagents. Pure.

Amounts come as bounds: over the limit for certain is FAIL, perhaps over it INSUFFICIENT, and so
is an amount of which two ways to know it contradict. Mass is bounded in `licence.amounts`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult, plain
from raffinate.licence.parts import BASE_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case
    from raffinate.licence.facts import Used
    from raffinate.licence.outcome import Class
    from raffinate.licence.parts import Quota

_INFERRED = "reo-kg"
_UNITS = {"run-h": "h", "volume-l": "L", "reo-kg": "kg", "reagent-kg": "kg"}


def quotas(case: Case) -> Iterator[ConditionResult]:
    """One condition a quota."""
    for index, item in enumerate(case.licence.quotas):
        yield quota(item, case.facts.used.get(index))


def quota(item: Quota, used: Used | None) -> ConditionResult:
    """Bounds of the amount used in the period so far against the limit."""
    klass: Class = "I" if item.quantity == _INFERRED else "D"
    unit, scale = _UNITS[item.quantity], BASE_UNITS[item.quantity]
    limit = ("limit", f"{plain(item.limit)} {unit} a {item.period}")
    if used is None:
        inputs = (("used", "unknown"), limit)
        return ConditionResult(item.code, INSUFFICIENT, klass, "the use is not known", inputs)
    low, high = (plain(Fraction(amount, scale)) for amount in (used.low, used.high))
    told = f"{low} {unit}" if used.low == used.high else f"{low} to {high} {unit}"
    inputs = (("used", told), limit)
    if used.low > item.limit_base:
        text = f"{told} used, more than the limit"
        return ConditionResult(item.code, FAIL, klass, text, inputs, withholds=True)
    if not used.agree:
        text = f"{told} used; two ways to know it contradict"
        return ConditionResult(item.code, INSUFFICIENT, klass, text, inputs)
    if used.high > item.limit_base:
        text = f"{told} used, which may be more than the limit"
        return ConditionResult(item.code, INSUFFICIENT, klass, text, inputs)
    return ConditionResult(item.code, PASS, klass, f"{told} used", inputs)
