"""How long a document is kept: the latest of the events that regimes list, and their years. Pure.

What the registry knows of the events of a document: its own dates, the day it was added, and the
ends of the licences of the machines that it names (of all licences where it names none).
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from raffinate.licence.papers import Transfer, WorkOrder
from raffinate.licence.regime import kept_until_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.licence.document import Licence
    from raffinate.licence.papers import Paper
    from raffinate.licence.regime import Regime

ACTIVITY_END, TRANSACTION_END = "licensed-activity-end", "transaction-end"


def events_of(paper: Paper | None, added_ms: int, licences: Iterable[Licence]) -> dict[str, int]:
    """Events by the names that regimes use, UTC ms; `paper` is None for an attachment."""
    serials = set(_serials(paper))
    ends = [
        licence.ends_ms
        for licence in licences
        if not serials or serials.intersection(licence.serials)
    ]
    own_ms = max([added_ms, *_dates(paper)])
    events = {ACTIVITY_END: max([own_ms, *ends]), TRANSACTION_END: own_ms}
    if paper is not None and isinstance(paper.members, Transfer):
        events["export"] = paper.members.at_ms
    if paper is not None and isinstance(paper.members, WorkOrder):
        events["technical-assistance"] = own_ms
    return events


def retained_until(events: dict[str, int], regimes: Iterable[Regime]) -> tuple[int | None, str]:
    """(instant before which nothing is deleted, the rule that says so); None: no rule says when."""
    found = []
    for regime in regimes:
        for item in regime.instruments:
            until_ms = None if item.retention is None else kept_until_ms(item.retention, events)
            if until_ms is not None and item.retention is not None:
                found.append((until_ms, item.ref, item.retention.years))
    if not found:
        return None, "no regime in use says how long records are kept; import one that does"
    until_ms, ref, years = max(found)
    day = datetime.fromtimestamp(until_ms / 1000, UTC).date()
    return until_ms, f"{ref} keeps it {years} years, until {day}"


def _serials(paper: Paper | None) -> tuple[str, ...]:
    found = () if paper is None else getattr(paper.members, "equipment", ())
    return tuple(found)


def _dates(paper: Paper | None) -> list[int]:
    """Every date of a paper."""
    if paper is None:
        return []
    values = [
        getattr(paper.members, item.name)
        for item in fields(paper.members)
        if item.name.endswith("_ms")
    ]
    return [value for value in [paper.issued_ms, *values] if isinstance(value, int)]
