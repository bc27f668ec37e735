"""A verification's outcome as text and as JSON-ready values."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from raffinate.audit.account_view import (
    acknowledgements,
    amount_text,
    condition_json,
    json_of,
    quota_text,
)
from raffinate.audit.findings import (
    CODES,
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    PASS,
    QUESTIONS,
    WORST_FIRST,
)
from raffinate.errors import printable

if TYPE_CHECKING:
    from raffinate.audit.result import Finding, Result
    from raffinate.audit.timeline import Timeline

NOT_LEGAL_ADVICE = "Not legal advice."
EXIT_PASS, EXIT_INSUFFICIENT, EXIT_FAIL, EXIT_EXPIRED_RULE = 0, 3, 4, 5
_EXITS = {
    FAIL: EXIT_FAIL,
    EXPIRED_RULE: EXIT_EXPIRED_RULE,
    INSUFFICIENT: EXIT_INSUFFICIENT,
    PASS: EXIT_PASS,
}
_SHOWN_MAX = 50
_QUOTAS_SHOWN_MAX = 12
_STATES = ("running", "idle", "gap", "unaccounted")


def exit_status(result: Result) -> int:
    """Of the worst verdict: 4 FAIL, 5 EXPIRED-RULE, 3 INSUFFICIENT, 0 all four PASS."""
    verdicts = {result.verdict(question) for question in QUESTIONS}
    return next(status for verdict, status in _EXITS.items() if verdict in verdicts)


def as_json(result: Result) -> dict[str, Any]:
    """Everything that was found, by name."""
    return {
        "v": 1,
        "origin": result.origin,
        "size": result.size,
        "root": b64encode(result.root).decode(),
        "lastAnchorMs": result.anchor_ms,
        "unwitnessed": result.size - result.anchored,
        "entries": result.entries,
        "statements": result.statements,
        "permits": result.permits,
        "verdicts": {question: result.verdict(question) for question in QUESTIONS},
        "first": {question: _one(result.first(question)) for question in QUESTIONS},
        "equipment": dict(sorted(result.machines.items())),
        "timelines": {serial: _timeline(line) for serial, line in sorted(result.timelines.items())},
        "registers": {
            serial: {
                "node": meter.node,
                "beginMs": meter.begin_ms,
                "begin": meter.begin,
                "endMs": meter.end_ms,
                "end": meter.end,
            }
            for serial, meter in sorted(result.meters.items())
        },
        "asOfMs": result.as_of_ms,
        **json_of(result),
        "licences": {digest: seen.vouched for digest, seen in sorted(result.licences.items())},
        "counts": dict(sorted(result.counts.items())),
        "findings": [_one(finding) for finding in result.findings],
        "notice": NOT_LEGAL_ADVICE,
    }


def as_text(result: Result) -> str:
    """For a person: verdicts, what keeps them from PASS, findings with meaning and remedy."""
    root = b64encode(result.root).decode() or "-"
    head = f"log {result.origin or '-'} size {result.size} root {root}"
    suffix = result.size - result.anchored
    lines = [
        f"{head}, last anchor {_time(result.anchor_ms)}, unwitnessed suffix {suffix}",
        f"{result.entries} entries: {result.statements} statements, {result.permits} permits",
        "",
    ]
    lines += [
        f"{question:<20} {result.verdict(question)}{_because(result, question)}"
        for question in QUESTIONS
    ]
    if result.machines:
        lines.append("")
        lines += [
            f"licence of {serial:<20} {verdict}"
            for serial, verdict in sorted(result.machines.items())
        ]
    lines += _accounts(result)
    for serial, line in sorted(result.timelines.items()):
        parts = zip(_STATES, line.totals(), strict=True)
        lines.append(f"time of {serial:<23} " + ", ".join(f"{n} {_hours(ms)}" for n, ms in parts))
    for code in sorted(result.counts, key=lambda name: (_rank(name), name)):
        known = CODES[code]
        lines += ["", f"{code} ({known.effect}, {result.counts[code]}): {known.meaning}"]
        found = [finding for finding in result.findings if finding.code == code]
        lines += [f"  {place(finding)}{finding.detail}" for finding in found[:_SHOWN_MAX]]
        if result.counts[code] > min(len(found), _SHOWN_MAX):
            lines.append(f"  and {result.counts[code] - min(len(found), _SHOWN_MAX)} more")
        lines.append(f"  -> {known.remedy}")
    return "\n".join(map(printable, [*lines, "", NOT_LEGAL_ADVICE])) + "\n"


def usage_text(result: Result, number: str) -> str:
    """Use under one licence in a few lines, with the verdicts."""
    lines = [f"{question:<20} {result.verdict(question)}" for question in QUESTIONS]
    serials = {serial for serial, found, _ in result.accounts if found == number}
    lines += [
        f"licence of {serial:<20} {result.machines.get(serial, '-')}" for serial in sorted(serials)
    ]
    lines += _accounts(result, number)
    return "\n".join(map(printable, [*lines, NOT_LEGAL_ADVICE])) + "\n"


def place(finding: Finding) -> str:
    """Where a finding is: entry, node and number, machine; ends with ": " unless empty."""
    parts = []
    if finding.index is not None:
        parts.append(f"entry {finding.index}")
    if finding.node is not None:
        parts.append(f"{finding.node}" + (f" #{finding.seq}" if finding.seq else ""))
    if finding.equipment is not None:
        parts.append(finding.equipment)
    return ", ".join(parts) + ": " if parts else ""


def _accounts(result: Result, only: str | None = None) -> list[str]:
    """What was used under which licence, quotas that bind, who took note of what."""
    lines = []
    for (serial, number, _), account in sorted(result.accounts.items()):
        if only not in (None, number):
            continue
        total = account.ledger.total()
        run = amount_text("run-h", total.run_ms, total.run_ms)
        volume = amount_text("volume-l", total.volume_ml, total.volume_ml)
        lines.append(f"use of {serial} under {number}: {run}, {total.starts} starts, {volume}")
        for seen in account.quotas[-_QUOTAS_SHOWN_MAX:]:
            what, used, limit = quota_text(seen)
            lines.append(f"  quota of {number}: {what}: {used} of {limit}")
    for noted in acknowledgements(result)[-_SHOWN_MAX:]:
        who = ", ".join(noted.serials) or "all machines"
        lines.append(
            f"entry {noted.index}, {who}: {noted.of} taken note of by {noted.by}, "
            f"{_time(noted.at_ms)}"
        )
    return lines


def _timeline(line: Timeline) -> dict[str, Any]:
    return {
        "binMs": line.bin_ms,
        "states": _STATES,
        "bins": [[number * line.bin_ms, *cell] for number, cell in sorted(line.bins.items())],
        "gaps": [[start_ms, end_ms, cause] for start_ms, end_ms, cause in line.gaps],
        "totalsMs": line.totals(),
    }


def _time(time_ms: int | None) -> str:
    if time_ms is None:
        return "none"
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hours(time_ms: int) -> str:
    return f"{time_ms / 3_600_000:.2f} h"


def _because(result: Result, question: str) -> str:
    first = result.first(question)
    return "" if first is None else f"  {first.code}: {place(first)}{first.detail}"


def _rank(code: str) -> int:
    return WORST_FIRST.index(CODES[code].effect)


def _one(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None:
        return None
    return {
        "code": finding.code,
        "effect": CODES[finding.code].effect,
        "detail": finding.detail,
        "index": finding.index,
        "file": finding.file,
        "node": finding.node,
        "seq": finding.seq,
        "equipment": finding.equipment,
        **({} if finding.condition is None else {"condition": condition_json(finding.condition)}),
    }
