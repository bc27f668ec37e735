"""Accounts, denials and acknowledgements in words and as JSON-ready values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from raffinate.audit.ledger import DAY_MS, period
from raffinate.audit.weighing import worst_of
from raffinate.licence.papers import Acknowledgement
from raffinate.licence.parts import BASE_UNITS

if TYPE_CHECKING:
    from raffinate.audit.accounts import Account, ConditionSeen, QuotaSeen
    from raffinate.audit.result import Result
    from raffinate.licence.outcome import ConditionResult

UNITS = {"run-h": "h", "volume-l": "L", "reo-kg": "kg REO", "reagent-kg": "kg"}
QUANTITIES = {
    "run-h": "run time",
    "volume-l": "volume",
    "reo-kg": "rare-earth oxide",
    "reagent-kg": "reagent",
}
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Noted:
    """An acknowledgement: who took note of what and when, and the entry that states it."""

    of: str
    by: str
    at_ms: int
    serials: tuple[str, ...]
    licence: str | None
    sha256: str
    index: int


def acknowledgements(result: Result, serial: str | None = None) -> list[Noted]:
    """Those in the log, or those that name a machine or none."""
    found = []
    for seen in result.papers:
        if seen.paper is None or not isinstance(seen.paper.members, Acknowledgement):
            continue
        said = seen.paper.members
        if serial is None or not said.equipment or serial in said.equipment:
            noted = Noted(
                said.of, said.by, said.at_ms, said.equipment, said.licence, seen.sha256, seen.index
            )
            found.append(noted)
    return found


def amount_text(quantity: str, low: int, high: int) -> str:
    """`12.5 h`, or `12 to 13 h` where only bounds are known."""
    scale, unit = BASE_UNITS[quantity], UNITS[quantity]
    first, last = (number_text(Fraction(value, scale)) for value in (low, high))
    return f"{first} {unit}" if first == last else f"{first} to {last} {unit}"


def number_text(value: Fraction) -> str:
    """A decimal with at most three digits after the point."""
    text = f"{float(value):.{_DIGITS}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quota_text(seen: QuotaSeen) -> tuple[str, str, str]:
    """(what and in which period, the amount, the limit)."""
    quota = seen.quota
    what = quota.reagent or QUANTITIES[quota.quantity]
    limit = f"{number_text(quota.limit)} {UNITS[quota.quantity]}"
    used = "not known"
    if seen.used is not None:
        used = amount_text(quota.quantity, seen.used.low, seen.used.high)
    return f"{what}, {period_text(quota.period, seen.at_ms)}", used, limit


def period_text(name: str, at_ms: int) -> str:
    """`2026`, `2026-11`, `2026-11-22`, or the licence's whole life."""
    span = period(name, at_ms)
    if name == "licence" or span is None:
        return "whole licence"
    day = datetime.fromtimestamp(span[0] * DAY_MS / 1000, UTC)
    return day.strftime({"year": "%Y", "month": "%Y-%m"}.get(name, "%Y-%m-%d"))


def json_of(result: Result) -> dict[str, Any]:
    """`accounts`, `denials`, `documents`, `acknowledgements` of a result."""
    return {
        "accounts": [_account(account) for _, account in sorted(result.accounts.items())],
        "denials": [
            {
                "serial": item.serial,
                "kind": item.kind,
                "reason": item.reason,
                "count": item.count,
                "index": item.index,
                "node": item.node,
                "timeMs": item.time_ms,
            }
            for item in result.denials
        ],
        "documents": [
            {
                "kind": item.kind,
                "name": item.name,
                "version": item.version,
                "sha256": item.sha256,
                "index": item.index,
                "vouched": item.vouched,
                "readable": item.readable,
            }
            for item in result.papers
        ],
        "acknowledgements": [
            {
                "of": item.of,
                "by": item.by,
                "atMs": item.at_ms,
                "serials": item.serials,
                "licence": item.licence,
                "sha256": item.sha256,
                "index": item.index,
            }
            for item in acknowledgements(result)
        ],
    }


def condition_json(condition: ConditionResult) -> dict[str, Any]:
    """A condition as decided."""
    return {
        "code": condition.code,
        "result": condition.result,
        "class": condition.klass,
        "text": condition.text,
        "inputs": condition.inputs,
        "rule": condition.rule,
        "evidence": condition.evidence,
        "waived": condition.waived,
    }


def _account(account: Account) -> dict[str, Any]:
    total = account.ledger.total()
    return {
        "serial": account.serial,
        "licence": account.number,
        "issuer": account.issuer,
        "versions": account.versions,
        "permits": account.permits,
        "runMs": total.run_ms,
        "starts": total.starts,
        "volumeMl": total.volume_ml,
        "fromMs": account.ledger.from_ms,
        "toMs": account.ledger.to_ms,
        "asOfMs": account.as_of_ms,
        "conditionsVerdict": worst_of(account.conditions.values()),
        "conditions": [_seen(item) for _, item in sorted(account.conditions.items())],
        "recorded": account.recorded,
        "quotas": [_quota(item) for item in account.quotas],
    }


def _seen(item: ConditionSeen) -> dict[str, Any]:
    return {
        **condition_json(item.last),
        "worst": item.worst,
        "atMs": item.at_ms,
        "firstMs": item.first_ms,
        "licenceSha256": item.licence_sha256,
        "decisions": item.decisions,
        "against": item.against,
    }


def _quota(item: QuotaSeen) -> dict[str, Any]:
    quota, used = item.quota, item.used
    return {
        "quantity": quota.quantity,
        "reagent": quota.reagent,
        "period": quota.period,
        "in": period_text(quota.period, item.at_ms),
        "limit": str(quota.limit_base),
        "low": None if used is None else used.low,
        "high": None if used is None else used.high,
    }
