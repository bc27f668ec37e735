"""What the reports show of one machine under one licence, as markup. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.audit.account_view import (
    acknowledgements,
    amount_text,
    quota_text,
)
from raffinate.audit.findings import (
    CODES,
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    LICENCE,
    NOTICE,
    PASS,
    WORST_FIRST,
)
from raffinate.audit.markup import span, table, text, utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from raffinate.audit.accounts import Account, ConditionSeen
    from raffinate.audit.result import Finding, KeySeen, LicenceSeen, Result

MARKS = {PASS: "&#10003;", EXPIRED_RULE: "!", INSUFFICIENT: "?", FAIL: "&#10007;", NOTICE: "i"}
VOUCHES = {
    "list": "the policy lists its SHA-256",
    "signature": "an issuer of the policy signed it",
    None: "nobody whom the policy trusts",
}
DIGITS, SHA256_DIGITS = 16, 64
CLASSES = "Class D: direct from telemetry; I: inferred; X: by documents alone, no sensor shows it."


def badge(verdict: str) -> str:
    """A verdict that is told apart without colour."""
    return f'<span class="verdict {text(verdict)}">{MARKS[verdict]} {text(verdict)}</span>'


def versions_of(result: Result, account: Account) -> list[LicenceSeen]:
    """The versions that its permits and use fell under, as read."""
    return [result.licences[digest] for digest in account.versions if digest in result.licences]


def licence_rows(result: Result, account: Account) -> list[tuple[str, str]]:
    """Which licence and version, who vouches, who and what it is for."""
    seen = versions_of(result, account)
    rows = [("Licence", f"{text(account.number)}, issued by {text(account.issuer)}")]
    for one in seen:
        licence = one.licence
        if licence is None:
            continue
        rows.append(
            (
                f"Version {licence.version}",
                f"{utc(licence.from_ms, seconds=False)} to {utc(licence.ends_ms, seconds=False)}, "
                f"grace {span(licence.grace_ms)}"
                + ("" if licence.revoked_ms is None else ", <b>revoked</b>")
                + f"; {VOUCHES[one.vouched]}; <code>{text(one.sha256[:DIGITS])}</code>",
            )
        )
    newest = seen[-1].licence if seen else None
    if newest is not None:
        rows.append(("Stages", text(", ".join(newest.stages))))
        purpose = [newest.purpose, newest.use.end_use]
        rows.append(("Purpose, end use", text("; ".join(p for p in purpose if p) or "none stated")))
        parties = newest.parties
        named = [
            (f"{name} {text(value)}")
            for name, value in (
                ("exporter", parties.exporter),
                ("consignee", parties.consignee),
                ("end user", parties.end_user),
                ("through", ", ".join(parties.intermediaries)),
            )
            if value
        ]
        if named:
            rows.append(("Parties", ", ".join(named)))
        if newest.rests_on:
            rows.append(("Rests on", text(", ".join(newest.rests_on))))
    return rows


def machine_rows(result: Result, account: Account) -> list[tuple[str, str]]:
    """Which machine, what was used from when to when, by whose clock, firmware and keys."""
    serial, ledger = account.serial, account.ledger
    total = ledger.total()
    said = result.descriptors.get(serial)
    rows = [("Machine", text(serial))]
    if said is not None:
        maker = ", ".join(text(part) for part in (said.maker, said.model) if part)
        rows[0] = ("Machine", f"{text(serial)}{', ' if maker else ''}{maker}")
        if said.stages:
            rows.append(("Its stages", text(", ".join(said.stages))))
    used = [
        amount_text("run-h", total.run_ms, total.run_ms),
        _count(total.starts, "start"),
        amount_text("volume-l", total.volume_ml, total.volume_ml),
        _count(account.permits, "permit"),
    ]
    if ledger.from_ms is not None:
        used.append(f"{utc(ledger.from_ms, seconds=False)} to {utc(ledger.to_ms, seconds=False)}")
    rows.append(("Used under it", ", ".join(used)))
    keys = keys_of(result, serial)
    rows += [
        ("Keys of its node", "<br>".join(_key(key) for key in keys) or "none"),
        ("Clock", _clock(keys)),
    ]
    newest = keys[-1] if keys else None
    if newest is not None:
        rows.append(
            ("Firmware in force", f"<code>{text((newest.firmware or '-')[:DIGITS])}</code>")
        )
        calibration = text((newest.calibration or "-")[:DIGITS])
        rows.append(("Calibration in force", f"<code>{calibration}</code>"))
    return rows


def keys_of(result: Result, serial: str) -> list[KeySeen]:
    """The key history of the machine's metering node, oldest first."""
    meter = result.meters.get(serial)
    found = [key for key in result.keys if meter is not None and key.name == meter.node]
    return sorted((key for key in found if key.role == "node"), key=lambda key: key.index)


def quotas(account: Account, most: int) -> str:
    """Quantity against quota, the newest periods last."""
    rows = []
    for seen in account.quotas[-most:]:
        what, used, limit = quota_text(seen)
        part = ""
        if seen.used is not None and seen.quota.limit_base:
            part = f"{float(100 * seen.used.high / seen.quota.limit_base):.1f} %"
        rows.append((text(what), text(used), text(limit), part))
    if not rows:
        return "<p>The licence sets no quota, or nothing was used under it.</p>"
    heads = ("Quota", "Used", "Limit", "At most")
    return table("Quantity against quota", heads, rows) + _more(len(account.quotas), most)


def denials(result: Result, serial: str, most: int) -> str:
    """Every refused start and every start without leave, as far as there is room."""
    found = [item for item in result.denials if item.serial == serial]
    rows = [
        (
            utc(item.time_ms),
            "refused" if item.kind == "REFUSED" else "<b>started anyway</b>",
            text(item.reason),
            str(item.count),
            f"entry {item.index}, {text(item.node)}",
        )
        for item in found[:most]
    ]
    if not rows:
        return "<p>No start was denied.</p>"
    heads = ("Time", "What", "Reason", "Times", "Where")
    return table("Denials", heads, rows) + _more(len(found), most)


def gaps(result: Result, serial: str, most: int) -> str:
    """Signed gaps with their causes, and the time that nobody accounts for."""
    line = result.timelines.get(serial)
    if line is None:
        return "<p>No statement accounts for its time.</p>"
    running, idle, gap, missing = (span(ms) for ms in line.totals())
    said = (
        f"<p>Its time: running {running}, idle {idle}, gaps with stated cause {gap}, "
        f"unaccounted {missing}.</p>"
    )
    rows = [
        (utc(start), utc(end), span(end - start), text(cause))
        for start, end, cause in line.gaps[:most]
    ]
    if not rows:
        return f"{said}<p>No gap was stated.</p>"
    heads = ("From", "To", "Length", "Cause")
    return said + table("Gaps", heads, rows) + _more(len(line.gaps), most)


def conditions(account: Account, *, brief: bool = False) -> str:
    """Every condition with class, result, evidence level; what was found once stays found.

    In brief, those that pass and rest on neither rule nor document stand in a line.
    """
    every = sorted(account.conditions.values(), key=_worst_first)
    told = [
        seen
        for seen in every
        if not brief or seen.worst != PASS or seen.last.rule is not None or _documents(seen)
    ]
    rows = [
        (text(seen.last.code), badge(seen.worst), seen.last.klass, _condition_text(seen))
        for seen in told
    ]
    rows += [("recorded", "never evaluated", "X", text(words)) for words in account.recorded]
    parts = []
    if rows:
        caption = f"Conditions, as of {utc(account.as_of_ms)}"
        parts.append(table(caption, ("Condition", "Result", "Class", "Why"), rows))
    others = [seen for seen in every if seen not in told]
    if others:
        listed = ", ".join(f"{text(seen.last.code)} ({seen.last.klass})" for seen in others)
        parts.append(f"<p>{badge(PASS)} {listed}, as of {utc(account.as_of_ms)}.</p>")
    if not every:
        return "<p>Nothing was decided under this licence.</p>"
    return "".join(parts) + f"<p>{CLASSES}</p>"


def noted(result: Result, serial: str, most: int) -> str:
    """Who took note of what."""
    found = acknowledgements(result, serial)
    if not found:
        return "<p>No acknowledgement of an operator stands in the log.</p>"
    rows = [
        (utc(one.at_ms), text(one.of), text(one.by), f"entry {one.index}") for one in found[-most:]
    ]
    return table("Taken note of by operators", ("Time", "What", "By", "Where"), rows) + _more(
        len(found), most
    )


def findings_of(result: Result, serial: str) -> list[Finding]:
    """What was found of the licence question about a machine, the worst first."""
    found = [
        item
        for item in result.findings
        if item.equipment == serial and CODES[item.code].question == LICENCE
    ]
    return sorted(found, key=lambda item: WORST_FIRST.index(CODES[item.code].effect))


def findings(result: Result, serial: str, most: int) -> str:
    """The same as a table."""
    found = findings_of(result, serial)
    rows = [
        (
            text(item.code),
            badge(CODES[item.code].effect),
            text(item.detail),
            "" if item.index is None else f"entry {item.index}",
        )
        for item in found[:most]
    ]
    if not rows:
        return "<p>Nothing was found against its use.</p>"
    heads = ("Finding", "Effect", "Detail", "Where")
    return table("Findings about licences", heads, rows) + _more(len(found), most)


def codes_of(result: Result, serial: str) -> list[str]:
    """Codes of the licence question that concern the machine, the worst first."""
    return list(dict.fromkeys(item.code for item in findings_of(result, serial)))


def pairs(caption: str, rows: Iterable[Sequence[str]]) -> str:
    """A table of names and values."""
    return table(caption, ("What", "Value"), rows)


def _condition_text(seen: ConditionSeen) -> str:
    parts = [text(seen.last.text)]
    parts += _documents(seen)
    if seen.last.waived is not None:
        parts.append(f"waived: {text(seen.last.waived)}")
    if seen.last.rule is not None:
        name, _, digest = seen.last.rule.rpartition(", ")
        rule = f"{name}, {digest[:DIGITS]}" if name else digest
        parts.append(f"rule {text(rule)}; evidence: {text(seen.last.evidence or 'unknown')}")
    if seen.worst not in (PASS, seen.last.result):
        parts.append(f"{text(seen.worst)} at {utc(seen.first_ms)}")
    if seen.against:
        parts.append(f"in {seen.against} of {seen.decisions} decisions")
    return "; ".join(parts)


def _documents(seen: ConditionSeen) -> list[str]:
    """The documents that a condition of class X rests on."""
    if seen.last.klass != "X" or seen.last.rule is not None or seen.last.code == "vouched":
        return []
    return [
        f"{text(name)} <code>{text(value[:DIGITS])}</code>"
        for name, value in seen.last.inputs
        if len(value) == SHA256_DIGITS and not value.strip("0123456789abcdef")
    ]


def _worst_first(seen: ConditionSeen) -> tuple[int, str]:
    return WORST_FIRST.index(seen.worst), seen.last.code


def _key(key: KeySeen) -> str:
    return (
        f"<code>{text(key.keyid[:DIGITS])}</code> enrolled at entry {key.index}, "
        f"{text(key.state)}, {key.seq} statements, newest {utc(key.last_ms)}"
    )


def _clock(keys: Iterable[KeySeen]) -> str:
    other = sorted({state for key in keys for state in key.clocks})
    if not other:
        return "synchronised (S) in every statement"
    return f"also in state {text(', '.join(other))}: not synchronised then"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _more(count: int, most: int) -> str:
    return f"<p>and {count - most} more in the log</p>" if count > most else ""
