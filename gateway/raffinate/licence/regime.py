"""Regimes: files of dated, sourced rules, and how each stands at a time (docs/formats/regime.md).

A file's exact bytes count, by their SHA-256. Dates are whole days in the zone that the regime
names; a last day is included. Nothing here knows a rule: how one stands is a function of file and
time. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from raffinate.licence.elements import ELEMENTS
from raffinate.licence.instrument import (
    DAY_MS,
    EVIDENCE,
    Day,
    Instrument,
    Regime,
    Retention,
    Suspension,
    start_ms,
)
from raffinate.licence.regime_file import read_regime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "ENDED",
    "EVIDENCE",
    "EXPIRED_RULE",
    "IN_FORCE",
    "NOT_YET",
    "STATES",
    "SUSPENDED",
    "UNKNOWN",
    "Day",
    "Instrument",
    "Regime",
    "Retention",
    "Standing",
    "Suspension",
    "find",
    "kept_until_ms",
    "listed_elements",
    "parse_regime",
    "standing",
    "standings",
    "weakest",
]

NOT_YET, IN_FORCE, SUSPENDED, ENDED, UNKNOWN = (
    "not-yet",
    "in-force",
    "suspended",
    "ended",
    "unknown",
)
STATES = (NOT_YET, IN_FORCE, SUSPENDED, ENDED, UNKNOWN)
EXPIRED_RULE = "EXPIRED-RULE"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an instrument stands at a time, what that rests on, and what speaks against it.

    `evidence` is the weakest level that the state rests on; `until_ms` the end of the state as far
    as the file knows. With `expired_rule` no verdict may rest on it.
    """

    instrument: Instrument
    at_ms: int
    state: str
    expired_rule: bool
    why: tuple[str, ...]
    evidence: str
    as_of: Day
    review_by: Day
    sources: tuple[str, ...]
    conflicts: tuple[str, ...] = ()
    until_ms: int | None = None

    @property
    def binds(self) -> bool:
        """True where a rule, not a report of one, is in force and its file is not out of date."""
        return self.state == IN_FORCE and self.instrument.kind == "rule" and not self.expired_rule

    @property
    def word(self) -> str:
        """EXPIRED-RULE, or the state."""
        return EXPIRED_RULE if self.expired_rule else self.state


def parse_regime(file: str, data: bytes) -> Regime:
    """The regime of a file's bytes. Raises ConfigError that names file, line, key and remedy."""
    return read_regime(file, data)


def standing(instrument: Instrument, at_ms: int) -> Standing:
    """How one instrument stands at `at_ms`; conflicts with others are found by `standings`.

    A rumour decides nothing: where one would, the state is unknown.
    """
    found = _state(instrument, at_ms)
    expired = at_ms >= instrument.review_by.end_ms
    why = found.why
    if expired:
        due = f"its review was due by {instrument.review_by.date}"
        why = (*why, f"{due}: nobody has said since then that this is still so")
    return Standing(
        instrument,
        at_ms,
        found.state,
        expired,
        why,
        found.evidence,
        instrument.as_of,
        instrument.review_by,
        found.sources,
        until_ms=found.until_ms,
    )


def standings(regimes: Iterable[Regime], at_ms: int) -> tuple[Standing, ...]:
    """Every instrument of the regimes in their order, with the conflicts between them.

    Both sides of a conflict stay, and each names the other, unless either has ended or not begun.
    """
    found = [standing(item, at_ms) for regime in regimes for item in regime.instruments]
    live = {item.instrument.ref for item in found if item.state not in (NOT_YET, ENDED)}
    against: dict[str, list[str]] = {item.instrument.ref: [] for item in found}
    for item in found:
        ref = item.instrument.ref
        for other in item.instrument.conflicts_with:
            if ref in live and other in live:
                against[ref].append(other)
                against[other].append(ref)
    return tuple(
        replace(item, conflicts=tuple(dict.fromkeys(against[item.instrument.ref])))
        for item in found
    )


def find(regimes: Iterable[Regime], ref: str) -> tuple[Instrument, ...]:
    """The instruments that `rests_on` names: one, or with `regime/number` all limbs of it.

    A template has no rule that anything could rest on.
    """
    return tuple(
        item
        for regime in regimes
        if not regime.template
        for item in regime.instruments
        if ref in (item.ref, f"{item.regime}/{item.number}")
    )


def listed_elements(found: Iterable[Standing]) -> Mapping[str, tuple[str, ...]]:
    """Elements that instruments in force list, each with the references of these."""
    listed: dict[str, list[str]] = {}
    for item in found:
        if item.state == IN_FORCE:
            for element in item.instrument.elements:
                listed.setdefault(element, []).append(item.instrument.ref)
    return {symbol: tuple(listed[symbol]) for symbol in ELEMENTS if symbol in listed}


def kept_until_ms(retention: Retention, events: Mapping[str, int]) -> int | None:
    """The instant before which records may not be deleted; None as long as no event is known.

    `events` has UTC ms by name; the latest of those that the rule lists counts.
    """
    known = [at_ms for name, at_ms in events.items() if name in retention.events]
    if not known:
        return None
    shift = timedelta(minutes=retention.offset_minutes)
    last = (datetime.fromtimestamp(max(known) / 1000, UTC) + shift).date()
    year = last.year + retention.years
    if retention.counted_from == "calendar-year-end":
        final = date(year, 12, 31)
    elif (last.month, last.day) == (2, 29) and not _is_leap(year):
        final = date(year, 3, 1)
    else:
        final = date(year, last.month, last.day)
    return start_ms(final, retention.offset_minutes) + DAY_MS


def weakest(levels: Sequence[str]) -> str:
    """The weakest of evidence levels."""
    return max(levels, key=EVIDENCE.index)


class _Found(NamedTuple):
    state: str
    evidence: str
    why: tuple[str, ...]
    sources: tuple[str, ...]
    until_ms: int | None


def _state(item: Instrument, at_ms: int) -> _Found:
    """The state by the instrument's own days, else by its suspensions."""
    own, evidence = item.sources, item.evidence
    claimed = f"{item.kind} by {item.issuer}, {evidence}"
    if evidence == "rumoured":
        return _Found(UNKNOWN, evidence, (f"{claimed}: a rumour decides nothing",), own, None)
    why = f"{claimed}: {_span(item)}"
    if item.valid_to is not None and at_ms >= item.valid_to.end_ms:
        return _Found(ENDED, evidence, (why,), own, None)
    first = item.announced if item.valid_from is None else item.valid_from
    if first is not None and at_ms < first.start_ms:
        covering = [pause for pause in item.suspensions if pause.covers(at_ms)]
        told = tuple(_paused(pause) for pause in covering)
        return _Found(NOT_YET, evidence, (why, *told), own, first.start_ms)
    if item.valid_from is None:
        return _Found(UNKNOWN, evidence, (why,), own, None)
    return _begun(item, at_ms, why)


def _begun(item: Instrument, at_ms: int, why: str) -> _Found:
    """The state of an instrument that has begun and not ended."""
    firm = [pause for pause in item.suspensions if pause.evidence != "rumoured"]
    covering = [pause for pause in item.suspensions if pause.covers(at_ms)]
    sure = [pause for pause in covering if pause in firm]
    if sure:
        pause = max(sure, key=lambda found: _end_ms(found.until))
        evidence = weakest((item.evidence, pause.evidence))
        end_ms = None if pause.until is None else pause.until.end_ms
        sources = _joined(item.sources, pause.sources)
        return _Found(SUSPENDED, evidence, (why, _paused(pause)), sources, end_ms)
    past = tuple(_paused(pause) for pause in firm if _end_ms(pause.until) <= at_ms)
    if covering:
        told = tuple(_paused(pause) for pause in covering)
        sources = _joined(item.sources, *(pause.sources for pause in covering))
        return _Found(UNKNOWN, "rumoured", (why, *past, *told), sources, None)
    ends = [pause.start.start_ms for pause in item.suspensions if pause.start.start_ms > at_ms]
    if item.valid_to is not None:
        ends.append(item.valid_to.end_ms)
    return _Found(IN_FORCE, item.evidence, (why, *past), item.sources, min(ends, default=None))


def _span(item: Instrument) -> str:
    if item.valid_from is not None:
        text = f"from {item.valid_from.date}"
    elif item.announced is not None:
        text = f"claimed since {item.announced.date}, but no day is known from which it holds"
    else:
        text = "no day is known from which it holds"
    return text if item.valid_to is None else f"{text}, to {item.valid_to.date}"


def _joined(*lists: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))


def _paused(pause: Suspension) -> str:
    until = "with no end known" if pause.until is None else f"until {pause.until.date}"
    by = f" by {pause.instrument}" if pause.instrument else ""
    return f"suspended{by} from {pause.start.date} {until} ({pause.evidence})"


def _end_ms(day: Day | None) -> int:
    return 1 << 62 if day is None else day.end_ms


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
