"""End use, end user, screening, and what was promised about transfers, arms and parties. Pure.

No sensor sees any of it: these pass only by vouched papers, which their inputs name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from raffinate.licence.conditions.names import Names
from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult
from raffinate.licence.papers import Approval, EndUserCertificate, Lot, Screening, Transfer
from raffinate.licence.spelling import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case, Known

SCREENING = "screening"
TRANSFER = "transfer"


class Named(NamedTuple):
    """A party that a paper names, and the paper."""

    name: str
    known: Known


def parties(case: Case) -> Iterator[ConditionResult]:
    """The conditions on parties that the licence has."""
    licence, terms = case.licence, case.licence.conditions
    names = Names(case)
    if licence.use.end_use:
        yield end_use(case)
    if licence.parties.end_user:
        yield end_user(case, names)
    if licence.parties.all() and _is_screened(case):
        yield screening(case, names)
    if terms.no_retransfer:
        yield no_retransfer(case)
    if terms.no_military_use:
        yield _promised(case, "no-military-use", ())
    if terms.no_unlisted_parties:
        yield no_unlisted_parties(case, names)


def end_use(case: Case) -> ConditionResult:
    """A vouched certificate states the licence's end use, and no lot states another.

    Words are compared, not meanings, so that other words ask for a person and fail nothing.
    """
    wanted = fold(case.licence.use.end_use)
    stated = [(known, paper.end_use) for known, paper in case.papers(EndUserCertificate)]
    stated += [(known, lot.end_use) for known, lot in _lots(case)]
    inputs = (("licensed", case.licence.use.end_use), *(known.named for known, _ in stated))
    other = [text for _, text in stated if fold(text) != wanted]
    if other:
        text = f"stated is {other[0]!r}; whether that is licensed is for a person to judge"
        return ConditionResult("end-use", INSUFFICIENT, "X", text, inputs)
    certificates = [known.named for known, _ in case.proofs(EndUserCertificate)]
    if not certificates:
        text = "no vouched end-user certificate states it"
        return ConditionResult("end-use", INSUFFICIENT, "X", text, inputs)
    return ConditionResult("end-use", PASS, "X", "stated by a vouched certificate", inputs)


def end_user(case: Case, names: Names) -> ConditionResult:
    """A vouched certificate names the licence's end user, and no lot goes to another."""
    wanted = case.licence.parties.end_user
    named = [Named(paper.end_user, known) for known, paper in case.papers(EndUserCertificate)]
    named += [Named(lot.end_user, known) for known, lot in _lots(case) if lot.end_user]
    inputs = (("licensed", wanted), *(item.known.named for item in named))
    for item in named:
        if names.same(item.name, wanted) is False:
            text = f"{item.known.paper.kind} {item.known.paper.id} names {item.name}"
            return ConditionResult("end-user", FAIL, "X", text, inputs)
    doubtful = [item.name for item in named if names.same(item.name, wanted) is None]
    if doubtful:
        text = f"whether {doubtful[0]!r} is {wanted!r} is not known: no vouched party paper tells"
        return ConditionResult("end-user", INSUFFICIENT, "X", text, inputs)
    if not case.proofs(EndUserCertificate):
        text = "no vouched end-user certificate names the end user"
        return ConditionResult("end-user", INSUFFICIENT, "X", text, inputs)
    return ConditionResult("end-user", PASS, "X", "named by a vouched certificate", inputs)


def screening(case: Case, names: Names) -> ConditionResult:
    """Everybody named is cleared by a vouched screening in date; who is denied fails."""
    inputs = tuple(known.named for known, _ in case.papers(Screening))
    concerned = tuple(dict.fromkeys((*case.licence.parties.all(), *_receivers(case))))
    doubts = []
    for name in concerned:
        doubt, denied = _screened(case, names, name)
        if denied:
            return ConditionResult("screening", FAIL, "X", denied, inputs, withholds=True)
        doubts += [doubt] if doubt else []
    if doubts:
        return ConditionResult("screening", INSUFFICIENT, "X", doubts[0], inputs)
    text = f"{len(concerned)} parties cleared by vouched screenings"
    return ConditionResult("screening", PASS, "X", text, inputs)


def no_retransfer(case: Case) -> ConditionResult:
    """No paper tells of a transfer of the machine without a vouched approval of it."""
    machines = (case.facts.serial,) if case.facts.serial else case.licence.serials
    approvals = [
        approval
        for known, approval in case.papers(Approval)
        if known.proves and approval.licence == case.licence.number
        and fold(approval.what) == TRANSFER
    ]  # fmt: skip
    for known, transfer in case.papers(Transfer):
        if transfer.at_ms < case.licence.from_ms or not set(machines) & set(transfer.equipment):
            continue
        if any(
            item.from_ms <= transfer.at_ms and (item.to_ms is None or transfer.at_ms < item.to_ms)
            for item in approvals
        ):
            continue
        text = f"{known.paper.id}: transferred to {transfer.to} without approval"
        inputs = (known.named,)
        return ConditionResult("no-retransfer", FAIL, "X", text, inputs, withholds=True)
    return _promised(case, "no-retransfer", ())


def no_unlisted_parties(case: Case, names: Names) -> ConditionResult:
    """Whoever receives lots or machines is named in the licence."""
    listed = case.licence.parties.all()
    doubts = []
    for name in _receivers(case):
        answers = [names.same(name, party) for party in listed]
        if True in answers:
            continue
        if None not in answers:
            text = f"{name} receives goods and is not named in the licence"
            return ConditionResult("no-unlisted-parties", FAIL, "X", text, _receivers_named(case))
        doubts.append(f"whether {name!r} is named in the licence is not known")
    return _promised(case, "no-unlisted-parties", tuple(doubts))


def _promised(case: Case, commitment: str, doubts: tuple[str, ...]) -> ConditionResult:
    """PASS by a vouched certificate with the commitment, if there is no doubt."""
    found = tuple(
        known.named
        for known, paper in case.proofs(EndUserCertificate)
        if commitment in paper.commitments
    )
    if doubts:
        return ConditionResult(commitment, INSUFFICIENT, "X", doubts[0], found)
    if not found:
        text = "no vouched end-user certificate commits to it"
        return ConditionResult(commitment, INSUFFICIENT, "X", text)
    text = "committed to in a vouched certificate; nothing on record contradicts"
    return ConditionResult(commitment, PASS, "X", text, found)


def _screened(case: Case, names: Names, name: str) -> tuple[str, str]:
    """(what is doubtful, why it is denied) of one party; both empty when it is cleared."""
    cleared = False
    doubt = f"{name!r} is on no vouched screening in date"
    for known, found in _newest_screenings(case):
        if _is_in(names, name, found.denied):
            return "", f"{name!r} is denied by {found.list}"
        owner = next((own for own in names.owners(name) if _is_in(names, own, found.denied)), None)
        like = next((text for text in found.denied if names.alike(text, name)), None)
        if owner is not None:
            return f"{name!r} belongs to {owner!r}, which {found.list} denies", ""
        if like is not None and not _is_in(names, name, found.cleared):
            return f"{name!r} looks like {like!r}, which {found.list} denies", ""
        if _is_in(names, name, found.scrutinised):
            return f"{name!r} is under scrutiny by {found.list}", ""
        cleared = cleared or (known.proves and _is_in(names, name, found.cleared))
    return ("" if cleared else doubt), ""


def _newest_screenings(case: Case) -> list[tuple[Known, Screening]]:
    """All but those whose list a vouched screening in date has looked at again since."""
    again: dict[str, int] = {}
    for _, found in case.proofs(Screening):
        again[fold(found.list)] = max(found.at_ms, again.get(fold(found.list), found.at_ms))
    return [
        (known, found)
        for known, found in case.papers(Screening)
        if found.at_ms >= again.get(fold(found.list), found.at_ms)
    ]


def _is_in(names: Names, name: str, listed: tuple[str, ...]) -> bool:
    return any(names.same(name, text) for text in listed)


def _is_screened(case: Case) -> bool:
    """True where the licence asks for a screening, or there is one."""
    return bool(case.papers(Screening)) or any(
        item.document == SCREENING for item in case.licence.requires
    )


def _lots(case: Case) -> list[tuple[Known, Lot]]:
    return [item for item in case.papers(Lot) if item[1].produced_ms >= case.licence.from_ms]


def _receivers(case: Case) -> tuple[str, ...]:
    lots = [name for _, lot in _lots(case) for name in (lot.consignee, lot.end_user) if name]
    transfers = [
        transfer.to
        for _, transfer in case.papers(Transfer)
        if transfer.at_ms >= case.licence.from_ms
    ]
    return tuple(dict.fromkeys((*lots, *transfers)))


def _receivers_named(case: Case) -> tuple[tuple[str, str], ...]:
    lots = tuple(known.named for known, _ in _lots(case))
    return (*lots, *(known.named for known, _ in case.papers(Transfer)))
