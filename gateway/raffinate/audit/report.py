"""A verification's outcome as text and as JSON-ready values."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from raffinate.audit.findings import CODES, FAIL, INSUFFICIENT, NOTICE, QUESTIONS

if TYPE_CHECKING:
    from raffinate.audit.result import Finding, Result

NOT_LEGAL_ADVICE = "Not legal advice."
EXIT_PASS, EXIT_INSUFFICIENT, EXIT_FAIL = 0, 3, 4
_SHOWN_MAX = 50


def exit_status(result: Result) -> int:
    """0 all four PASS; 4 any FAIL; 3 otherwise."""
    verdicts = {result.verdict(question) for question in QUESTIONS}
    if FAIL in verdicts:
        return EXIT_FAIL
    return EXIT_INSUFFICIENT if INSUFFICIENT in verdicts else EXIT_PASS


def as_json(result: Result) -> dict[str, Any]:
    """Everything that was found, by name."""
    return {
        "v": 1,
        "origin": result.origin,
        "size": result.size,
        "root": b64encode(result.root).decode(),
        "lastAnchor": None,
        "unwitnessed": result.size,
        "entries": result.entries,
        "statements": result.statements,
        "permits": result.permits,
        "verdicts": {question: result.verdict(question) for question in QUESTIONS},
        "first": {question: _one(result.first(question)) for question in QUESTIONS},
        "equipment": dict(sorted(result.machines.items())),
        "counts": dict(sorted(result.counts.items())),
        "findings": [_one(finding) for finding in result.findings],
        "notice": NOT_LEGAL_ADVICE,
    }


def as_text(result: Result) -> str:
    """For a person: verdicts, what keeps them from PASS, findings with meaning and remedy."""
    root = b64encode(result.root).decode() or "-"
    head = f"log {result.origin or '-'} size {result.size} root {root}"
    lines = [
        f"{head}, last anchor none, unwitnessed suffix {result.size}",
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
    for code in sorted(result.counts, key=lambda name: (_rank(name), name)):
        known = CODES[code]
        lines += ["", f"{code} ({known.effect}, {result.counts[code]}): {known.meaning}"]
        found = [finding for finding in result.findings if finding.code == code]
        lines += [f"  {_place(finding)}{finding.detail}" for finding in found[:_SHOWN_MAX]]
        if result.counts[code] > min(len(found), _SHOWN_MAX):
            lines.append(f"  and {result.counts[code] - min(len(found), _SHOWN_MAX)} more")
        lines.append(f"  -> {known.remedy}")
    return "\n".join([*lines, "", NOT_LEGAL_ADVICE]) + "\n"


def _because(result: Result, question: str) -> str:
    first = result.first(question)
    return "" if first is None else f"  {first.code}: {_place(first)}{first.detail}"


def _rank(code: str) -> int:
    return (FAIL, INSUFFICIENT, NOTICE).index(CODES[code].effect)


def _place(finding: Finding) -> str:
    parts = []
    if finding.index is not None:
        parts.append(f"entry {finding.index}")
    if finding.node is not None:
        parts.append(f"{finding.node}" + (f" #{finding.seq}" if finding.seq else ""))
    if finding.equipment is not None:
        parts.append(finding.equipment)
    return ", ".join(parts) + ": " if parts else ""


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
    }
