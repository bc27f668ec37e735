"""Reporting duties with due dates. Pure.

A report on a calendar period (UTC) is due `within_days` after its end; periods are those that the
licence's life touches and that ended. A report in time stands in the log or in a vouched paper.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult, day
from raffinate.licence.papers import Report
from raffinate.licence.parts import EVERY_MONTHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case
    from raffinate.licence.document import Licence
    from raffinate.licence.parts import Duty

DAY_MS = 24 * 3600 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = 12
_YEAR_MAX = 9999


class Due(NamedTuple):
    """One report: it can be filed from `from_ms` on and is late from `due_ms` on."""

    from_ms: int
    due_ms: int


def duties(case: Case) -> Iterator[ConditionResult]:
    """One condition a duty."""
    for item in case.licence.duties:
        yield duty(case, item)


def duty(case: Case, item: Duty) -> ConditionResult:
    """FAIL from the first report that was not filed in time."""
    papers = [
        (known, members)
        for known, members in case.papers(Report)
        if (members.licence, members.duty) == (case.licence.number, item.what)
    ]
    inputs = [("to", item.to), *(known.named for known, _ in papers)]
    logged = (case.facts.reports or {}).get(item.what, ())
    proved = sorted([*logged, *(members.filed_ms for known, members in papers if known.proves)])
    claimed = sorted(members.filed_ms for known, members in papers if not known.proves)
    unproved = False
    following = None
    for due in due_dates(case.licence, item):
        if _take(proved, due):
            continue
        if case.at_ms < due.due_ms:
            following = due
            break
        if case.facts.reports is None:
            unproved = True
            break
        if _take(claimed, due):
            unproved = True
            continue
        text = f"the report due by {day(due.due_ms)} was not filed in time"
        inputs.append(("due", day(due.due_ms)))
        return ConditionResult(item.code, FAIL, "D", text, tuple(inputs))
    if following is not None:
        inputs.append(("next due", day(following.due_ms)))
    if unproved:
        text = "whether the reports due were filed in time is not known, or nobody vouches for them"
        return ConditionResult(item.code, INSUFFICIENT, "D", text, tuple(inputs))
    text = "no report is late" if following is None else f"next due by {day(following.due_ms)}"
    return ConditionResult(item.code, PASS, "D", text, tuple(inputs))


def next_due_ms(licence: Licence, item: Duty, at_ms: int) -> int | None:
    """When the duty falls due next at or after `at_ms`; None when it never does again."""
    for due in due_dates(licence, item):
        if due.due_ms > at_ms:
            return due.due_ms
    return None


def due_dates(licence: Licence, item: Duty) -> Iterator[Due]:
    """Every report of a duty, earliest first."""
    if item.due_ms is not None:
        yield Due(min(licence.from_ms, item.due_ms - 1), item.due_ms)
        return
    months = EVERY_MONTHS[item.every]
    first = _EPOCH + timedelta(milliseconds=licence.from_ms)
    count = (first.year * _MONTHS + first.month - 1) // months * months
    while True:
        start_ms = _month_ms(count)
        count += months
        end_ms = _month_ms(count)
        if start_ms is None or end_ms is None or start_ms >= licence.ends_ms:
            return
        yield Due(end_ms, end_ms + item.within_days * DAY_MS)


def _take(filed: list[int], due: Due) -> bool:
    """Take the earliest report that is in time; each stands for one due date only."""
    for place, at_ms in enumerate(filed):
        if due.from_ms <= at_ms < due.due_ms:
            del filed[: place + 1]
            return True
    return False


def _month_ms(count: int) -> int | None:
    """Begin of the month so many months after year 0; None beyond the calendar."""
    year, month = divmod(count, _MONTHS)
    if year > _YEAR_MAX:
        return None
    return (datetime(year, month + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
