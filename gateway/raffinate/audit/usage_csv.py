"""Use under one licence as CSV (RFC 4180): a table of typed rows, with units in the heads. Pure.

`record` says what a row is: `use` of one machine and UTC day (or between two, for intervals that
reach over midnight), `quota` in a period, `condition`, `finding`, `denial`, `gap`,
`acknowledgement`. A cell that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from raffinate.audit.account_view import UNITS, acknowledgements, number_text, quota_text
from raffinate.audit.findings import CODES, PASS
from raffinate.audit.ledger import DAY_MS
from raffinate.audit.licence_blocks import findings_of
from raffinate.audit.usage_report import accounts_of
from raffinate.licence.parts import BASE_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.audit.accounts import Account
    from raffinate.audit.ledger import Amount
    from raffinate.audit.result import Result

    Row = dict[str, str]

HEADS = (
    "record",
    "from_utc",
    "to_utc",
    "machine_serial",
    "licence_number",
    "licence_sha256",
    "run_h",
    "starts",
    "volume_l",
    "quota_used_low",
    "quota_used_high",
    "quota_limit",
    "quota_unit",
    "condition",
    "result",
    "class",
    "evidence",
    "count",
    "detail",
    "log_entry",
)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_SPLITS = ";\t\r\n"
_SKIPPED = r'\s"\x00-\x1f\u200b\ufeff'
_BEGINS = re.compile(rf"(^[;{_SKIPPED}]*|[;{_SKIPPED}]+)([=+\-@\uff1d\uff0b\uff0d\uff20]?)")
_H_DIGITS, _L_DIGITS = 4, 3


def as_usage_csv(result: Result, number: str) -> str:
    """The whole file. Raises ConfigError when the bundle has nothing of the licence."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS)
    for account in accounts_of(result, number):
        common = {
            "machine_serial": account.serial,
            "licence_number": account.number,
            "licence_sha256": account.versions[-1] if account.versions else "",
        }
        for row in _rows(result, account):
            whole = {**common, **row}
            writer.writerow([plain(whole.get(name, "")) for name in HEADS])
    return out.getvalue()


def plain(cell: str) -> str:
    """The cell so that no spreadsheet takes it, or what it splits off, for a formula.

    Some split at `;`, tab or newline whatever the quotes say, skip spaces, or know full-width
    signs. A number stays one.
    """
    if _NUMBER.fullmatch(cell):
        return cell
    shown = _BEGINS.sub(_defused, cell)
    return f"'{shown}" if shown.startswith(("\t", "\r", "\n")) else shown


def _defused(found: re.Match[str]) -> str:
    """An apostrophe where a cell begins that a sign of formulas follows."""
    skipped, sign = found.groups()
    at = max(skipped.rfind(mark) for mark in _SPLITS) + 1
    if not sign or (at == 0 and found.start() > 0):
        return found[0]
    return f"{skipped[:at]}'{skipped[at:]}{sign}"


def _rows(result: Result, account: Account) -> Iterator[Row]:
    ledger, serial = account.ledger, account.serial
    spans = [(day, day + 1, amount) for day, amount in ledger.days.items()]
    spans += [(first, last + 1, amount) for (first, last), amount in ledger.between.items()]
    for first, last, amount in sorted(spans, key=lambda item: item[:2]):
        yield {"from_utc": _day(first), "to_utc": _day(last), **_use(amount)}
    if ledger.lost.run_ms or ledger.lost.starts or ledger.lost.volume_ml:
        yield {**_use(ledger.lost), "detail": "time unknown"}
    for seen in account.quotas:
        what, _, _ = quota_text(seen)
        quota, scale = seen.quota, BASE_UNITS[seen.quota.quantity]
        row = {"record": "quota", "condition": quota.code, "detail": what}
        row |= {"quota_limit": number_text(quota.limit), "quota_unit": UNITS[quota.quantity]}
        if seen.used is not None:
            row["quota_used_low"] = number_text(Fraction(seen.used.low, scale))
            row["quota_used_high"] = number_text(Fraction(seen.used.high, scale))
        yield row
    for _, shown in sorted(account.conditions.items()):
        newest = PASS if shown.last.waived is not None else shown.last.result
        healed = "" if shown.worst in {PASS, newest} else f"; {newest} by now"
        yield {
            "record": "condition",
            "from_utc": _time(shown.first_ms),
            "to_utc": _time(shown.at_ms),
            "condition": shown.last.code,
            "result": shown.worst,
            "class": shown.last.klass,
            "evidence": shown.last.evidence or "",
            "count": str(shown.against),
            "detail": shown.last.text + healed,
            "licence_sha256": shown.licence_sha256,
        }
    yield from _found(result, serial)
    line = result.timelines.get(serial)
    for start_ms, end_ms, cause in () if line is None else line.gaps:
        times = {"from_utc": _time(start_ms), "to_utc": _time(end_ms)}
        yield {"record": "gap", **times, "detail": cause}
    for noted in acknowledgements(result, serial):
        yield {
            "record": "acknowledgement",
            "from_utc": _time(noted.at_ms),
            "detail": f"{noted.of} by {noted.by}",
            "log_entry": str(noted.index),
        }


def _found(result: Result, serial: str) -> Iterator[Row]:
    """Findings and denials."""
    for found in findings_of(result, serial):
        yield {
            "record": "finding",
            "condition": found.code,
            "result": CODES[found.code].effect,
            "detail": found.detail,
            "log_entry": "" if found.index is None else str(found.index),
        }
    for item in result.denials:
        if item.serial == serial:
            yield {
                "record": "denial",
                "from_utc": _time(item.time_ms),
                "result": item.kind,
                "count": str(item.count),
                "detail": item.reason,
                "log_entry": str(item.index),
            }


def _use(amount: Amount) -> Row:
    return {
        "record": "use",
        "run_h": f"{amount.run_ms / BASE_UNITS['run-h']:.{_H_DIGITS}f}",
        "starts": str(amount.starts),
        "volume_l": f"{amount.volume_ml / BASE_UNITS['volume-l']:.{_L_DIGITS}f}",
    }


def _day(number: int) -> str:
    return _time(number * DAY_MS)[:10]


def _time(time_ms: int | None) -> str:
    if time_ms is None:
        return ""
    try:
        found = datetime.fromtimestamp(time_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")
