"""Documents that the licence asks for, prior approval among them, and its acknowledgement. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.outcome import INSUFFICIENT, PASS, ConditionResult
from raffinate.licence.papers import Acknowledgement, Approval, Lot, Report
from raffinate.licence.parts import NO_TERMS
from raffinate.licence.spelling import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case, Known
    from raffinate.licence.papers import Members
    from raffinate.licence.parts import Requirement

CONDITIONS = "conditions"
SMALL_AMOUNTS = "small amounts"


def documents(case: Case) -> Iterator[ConditionResult]:
    """One `document:…` a requirement; `acknowledgement` where the licence sets conditions.

    `small-amount` where a lot tells its share of controlled material.
    """
    for item in case.licence.requires:
        yield required(case, item)
    shares = [
        known
        for known, lot in case.papers(Lot)
        if lot.share_percent and lot.produced_ms >= case.licence.from_ms
    ]
    if shares:
        yield small_amounts(case, shares)
    if case.licence.conditions != NO_TERMS:
        yield acknowledged(case)


def recorded(case: Case) -> tuple[str, ...]:
    """Unobservable conditions for which no document is asked: shown, never evaluated."""
    answered = {item.shows for item in case.licence.requires}
    texts = enumerate(case.licence.conditions.unobservable, 1)
    return tuple(text for number, text in texts if number not in answered)


def required(case: Case, item: Requirement) -> ConditionResult:
    """A vouched document of the kind, in force; missing, it may withhold starts."""
    what = item.document
    if item.shows is not None:
        unobservable = case.licence.conditions.unobservable[item.shows - 1]
        what = f"{item.document} for {unobservable!r}"
    found = [
        known
        for known in case.of_kind(item.document)
        if item.name in ("", known.paper.id) and _is_for(case, known.paper.members)
    ]
    inputs = tuple(known.named for known in found)
    if any(known.proves for known in found):
        proving = tuple(known.named for known in found if known.proves)
        text = f"{what}: vouched and in force"
        return ConditionResult(item.code, PASS, "X", text, proving)
    text = f"{what}: {'nobody vouches for it, or it ended' if found else 'not there'}"
    return ConditionResult(item.code, INSUFFICIENT, "X", text, inputs, withholds=item.before_start)


def small_amounts(case: Case, shares: list[Known]) -> ConditionResult:
    """Goods with even a small share of controlled material need an approval each, or one of all.

    Its `what` is the lot's id, or `small amounts`.
    """
    approved = {
        fold(approval.what): known
        for known, approval in case.proofs(Approval)
        if _is_for(case, approval)
    }
    of_all = approved.get(SMALL_AMOUNTS)
    inputs = []
    for lot in shares:
        approval = approved.get(fold(lot.paper.id), of_all)
        if approval is None:
            text = f"no vouched approval of lot {lot.paper.id}, which has a share of it"
            return ConditionResult("small-amount", INSUFFICIENT, "X", text, (lot.named,))
        inputs += [lot.named, approval.named]
    text = f"{len(shares)} lots with a share of it, all approved"
    return ConditionResult("small-amount", PASS, "X", text, tuple(inputs))


def acknowledged(case: Case) -> ConditionResult:
    """A signed acknowledgement of exactly this version's conditions."""
    found: list[Known] = [
        known
        for known, members in case.proofs(Acknowledgement)
        if members.of == CONDITIONS and members.licence == case.licence.sha256
    ]
    inputs = (("licence", case.licence.sha256), *(known.named for known in found))
    if case.facts.acknowledged or found:
        text = "a signed acknowledgement of the conditions is on record"
        return ConditionResult("acknowledgement", PASS, "D", text, inputs)
    text = "no signed acknowledgement of the conditions is on record"
    return ConditionResult("acknowledgement", INSUFFICIENT, "D", text, inputs)


def _is_for(case: Case, members: Members) -> bool:
    """True unless the document says that it is for another licence."""
    if isinstance(members, Acknowledgement):
        return members.licence in (None, case.licence.sha256)
    if isinstance(members, Approval | Report):
        return members.licence in ("", case.licence.number)
    return True
