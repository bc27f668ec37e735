"""The licence engine: what a licence says of facts at a time, condition by condition. Pure.

`decide` is total, deterministic and replayable: it reads no clock and keeps no state, so that the
same licence, regimes, facts and time give the same decision on any machine (docs/licences.md).
Not legal advice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from raffinate.licence.conditions.case import Case
from raffinate.licence.conditions.dates import dates
from raffinate.licence.conditions.documents import documents, recorded
from raffinate.licence.conditions.duties import duties
from raffinate.licence.conditions.elements import elements
from raffinate.licence.conditions.operation import operation
from raffinate.licence.conditions.outfalls import outfalls
from raffinate.licence.conditions.parties import parties
from raffinate.licence.conditions.place import place
from raffinate.licence.conditions.purity import purity
from raffinate.licence.conditions.quotas import quotas
from raffinate.licence.conditions.rules import rules
from raffinate.licence.outcome import (
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    NOT_LEGAL_ADVICE,
    PASS,
    ConditionResult,
    Decision,
    day,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Facts
    from raffinate.licence.parts import Waiver
    from raffinate.licence.regime import Regime

__all__ = [
    "EXPIRED_RULE",
    "FAIL",
    "INSUFFICIENT",
    "NOT_LEGAL_ADVICE",
    "PASS",
    "ConditionResult",
    "Decision",
    "decide",
]

FAMILIES = (
    dates,
    place,
    operation,
    elements,
    purity,
    quotas,
    parties,
    documents,
    outfalls,
    duties,
)


def decide(licence: Licence, regimes: Sequence[Regime], facts: Facts, at_ms: int) -> Decision:
    """What `licence` says of `facts` at `at_ms` (UTC ms); `regimes` are those its rules are in."""
    case = Case(licence, facts, at_ms)
    found = [result for family in FAMILIES for result in family(case)]
    waivers = {item.condition: item for item in licence.waivers if at_ms < item.until_ms}
    if waivers:
        found = [_waived(item, waivers.get(item.code), case) for item in found]
    found += rules(licence, regimes, at_ms)
    whole = worst(tuple(item.result for item in found))
    return Decision(whole, at_ms, licence.sha256, tuple(found), recorded(case))


def _waived(found: ConditionResult, waiver: Waiver | None, case: Case) -> ConditionResult:
    """The result of a condition under the waiver in date that names it, if one does.

    Only a licence that somebody vouches for turns it green. No start is withheld either way: a
    gateway that cannot tell who vouches must not be stricter than the licence it has.
    """
    if waiver is None or found.result == PASS:
        return found
    inputs = (*found.inputs, ("waiver in licence", case.licence.sha256))
    if case.facts.vouched is None:
        text = f"{found.text}; the waiver does not count, for nobody vouches for the licence"
        return replace(found, text=text, inputs=inputs, withholds=False)
    text = f"waived until {day(waiver.until_ms)}: {waiver.why}; else {found.result}: {found.text}"
    return replace(found, result=PASS, text=text, inputs=inputs, waived=waiver.why, withholds=False)
