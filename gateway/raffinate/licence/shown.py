"""A licence, its decision and its dates as the API shows them (`web.licence_shape`). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raffinate.licence.balance import binds, period_ms
from raffinate.licence.conditions.duties import due_dates
from raffinate.licence.parts import BASE_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from raffinate.licence.document import Duty, Licence
    from raffinate.licence.facts import Used
    from raffinate.licence.outcome import ConditionResult, Decision
    from raffinate.licence.regime import Regime

    Entry = tuple[int, str, str | None, str | None, str]

CALENDAR_MAX = 64
_UNITS = {"run-h": "h", "volume-l": "l", "reo-kg": "kg", "reagent-kg": "kg"}
_DIGITS = 6


def show_licence(
    licence: Licence,
    decision: Decision | None,
    used: Mapping[int, Used | None],
    reports: Mapping[str, Sequence[int]],
    now_ms: int,
) -> dict[str, Any]:
    """`LicenceShown`."""
    return {
        "number": licence.number,
        "version": licence.version,
        "sha256": licence.sha256,
        "issuer": licence.issuer,
        "kind": licence.kind,
        "from_ms": licence.from_ms,
        "to_ms": licence.to_ms,
        "in_force": licence.in_force(now_ms),
        "revoked_ms": licence.revoked_ms,
        "rests_on": list(licence.rests_on),
        "decision": None if decision is None else show_decision(decision),
        "quotas": [_quota(licence, place, used.get(place), now_ms)
                   for place in range(len(licence.quotas))],
        "next_duty": _next_duty(licence, reports),
    }  # fmt: skip


def show_decision(decision: Decision) -> dict[str, Any]:
    """`DecisionShown`."""
    return {
        "result": decision.result,
        "at_ms": decision.at_ms,
        "conditions": [_condition(item) for item in decision.conditions],
        "recorded": list(decision.recorded),
    }


def calendar(
    found: Sequence[tuple[str, Licence, Mapping[str, Sequence[int]]]],
    permits: Mapping[str, int],
    regimes: Iterable[Regime],
    now_ms: int,
) -> list[dict[str, Any]]:
    """`CalendarEntry` of what is to come, soonest first: licences by equipment, ends of permits.

    Of a machine whose licences have all ended, the end of the last one stays.
    """
    entries: list[Entry] = _lapsed(found, now_ms)
    rules: dict[str, set[str]] = {}
    for equipment, licence, reports in found:
        entries += _dates(equipment, licence, now_ms) + _quota_ends(equipment, licence, now_ms)
        for ref in licence.rests_on:
            rules.setdefault(ref.partition("/")[0], set()).add(licence.number)
        for duty, due_ms in duties_due(licence, reports):
            text = f"{duty.what}, to {duty.to}" if duty.to else duty.what
            entries.append((due_ms, "duty", equipment, licence.number, text))
    text = "the permit ends, if it is not renewed"
    entries += [
        (end_ms, "permit-ends", equipment, None, text)
        for equipment, end_ms in permits.items()
        if end_ms > now_ms
    ]
    for regime in regimes:
        text = f"{regime.id} is to be reviewed: after this no verdict may rest on it"
        entries += [
            (regime.review_by.end_ms, "review", None, number, text)
            for number in sorted(rules.get(regime.id, ()))
        ]
    names = ("at_ms", "what", "equipment", "licence", "text")
    entries.sort(key=lambda one: (one[0], one[1], one[2] or "", one[4]))
    return [dict(zip(names, entry, strict=True)) for entry in entries[:CALENDAR_MAX]]


def duties_due(licence: Licence, reports: Mapping[str, Sequence[int]]) -> list[tuple[Duty, int]]:
    """Each duty not yet done with the time by which it must be, soonest first."""
    found = []
    for duty in licence.duties:
        due_ms = _due_ms(licence, duty, reports.get(duty.what, ()))
        if due_ms is not None:
            found.append((duty, due_ms))
    return sorted(found, key=lambda pair: pair[1])


def _lapsed(
    found: Sequence[tuple[str, Licence, Mapping[str, Sequence[int]]]], now_ms: int
) -> list[Entry]:
    covered = {equipment for equipment, licence, _ in found if licence.ends_ms > now_ms}
    last: dict[str, Licence] = {}
    for equipment, licence, _ in found:
        if equipment not in covered:
            known = last.get(equipment, licence)
            last[equipment] = licence if licence.ends_ms > known.ends_ms else known
    return [
        (
            licence.ends_ms,
            "licence-ends",
            equipment,
            licence.number,
            f"licence {licence.number} has ended, and no other is there",
        )
        for equipment, licence in last.items()
    ]


def _dates(equipment: str, licence: Licence, now_ms: int) -> list[Entry]:
    number = licence.number
    times = ((licence.from_ms, "begins"), (licence.ends_ms, "ends"))
    return [
        (at_ms, f"licence-{word}", equipment, number, f"licence {number} {word}")
        for at_ms, word in times
        if at_ms > now_ms
    ]


def _quota_ends(equipment: str, licence: Licence, now_ms: int) -> list[Entry]:
    if not licence.in_force(now_ms):
        return []
    ends = [
        (period_ms(licence, quota, now_ms)[1], quota)
        for quota in licence.quotas
        if quota.period != "licence"
    ]
    return [
        (at_ms, "quota-period", equipment, licence.number, f"a {quota.period} of {quota.code} ends")
        for at_ms, quota in ends
        if at_ms > now_ms
    ]


def _due_ms(licence: Licence, duty: Duty, done: Sequence[int]) -> int | None:
    """When the first report that was not filed in its time is or was due."""
    for due in due_dates(licence, duty):
        if not any(due.from_ms <= at_ms < due.due_ms for at_ms in done):
            return due.due_ms
    return None


def _next_duty(licence: Licence, reports: Mapping[str, Sequence[int]]) -> dict[str, Any] | None:
    due = duties_due(licence, reports)
    if due:
        duty, due_ms = due[0]
        return {"what": duty.what, "to": duty.to, "due_ms": due_ms}
    return None


def _quota(licence: Licence, place: int, used: Used | None, now_ms: int) -> dict[str, Any]:
    quota = licence.quotas[place]
    base = BASE_UNITS[quota.quantity]
    from_ms, to_ms = period_ms(licence, quota, now_ms)
    return {
        "quantity": quota.quantity,
        "reagent": quota.reagent or None,
        "unit": _UNITS[quota.quantity],
        "limit": round(float(quota.limit), _DIGITS),
        "used_low": None if used is None else round(used.low / base, _DIGITS),
        "used_high": None if used is None else round(used.high / base, _DIGITS),
        "period": quota.period,
        "period_start_ms": from_ms,
        "period_end_ms": to_ms,
        "binds": "permit" if binds(quota) else "verdict",
    }


def _condition(item: ConditionResult) -> dict[str, Any]:
    return {
        "code": item.code,
        "result": item.result,
        "class": item.klass,
        "text": item.text,
        "inputs": [list(pair) for pair in item.inputs],
        "rule": item.rule,
        "evidence": item.evidence,
        "waived": item.waived,
        "withholds": item.withholds,
    }
