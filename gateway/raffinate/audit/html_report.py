"""A verification's outcome as one HTML file: no script, nothing from elsewhere, made for A4. Pure.

Everything in it can be derived again from bundle and policy, without the gateway.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.audit import licence_blocks as blocks
from raffinate.audit.findings import CODES, NOTICE, PASS, QUESTIONS, WORST_FIRST
from raffinate.audit.licence_blocks import VOUCHES, badge
from raffinate.audit.markup import span, table, text, utc
from raffinate.audit.picture import GAPS_NUMBERED_MAX, NAMES, legend, patterns, picture
from raffinate.audit.report import NOT_LEGAL_ADVICE, place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.audit.accounts import Account
    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Finding, Result

SHOWN_MAX = 20
MACHINES_MAX = 200
ROWS_MAX = 500
QUOTAS_MAX = 60
_ASKS = {
    "authentic": "Is every entry signed by a key that the authority enrolled, and unchanged?",
    "complete": "Is anything missing between the first entry and the last?",
    "time-trustworthy": "Do outside times bound when it was written?",
    "licence-conformant": "Were the machines used as their licences and permits say?",
}
_NOT_CHECKED = (
    (
        "What no sensor can show: end user, end use, military use, re-transfer, ownership, the "
        "elements that were separated, their purity. They rest on documents alone, and on who "
        "vouches for these."
    ),
    "Whether a licence was needed, and what it is worth in law. Rules count as their files say.",
    (
        "Whether sensors and the run contact are wired to the machine that the files name. "
        "Seals and an inspection show that."
    ),
    "That a board ran the firmware whose digest it states. The digest is the board's own word.",
    "What no board metered: machines that are not listed here.",
    "Keys that were stolen and used before anyone noticed. Who holds a key can sign with it.",
)
_STYLE = """
:root{color-scheme:light}
body{font:14px/1.45 system-ui,"Segoe UI","Liberation Sans",Arial,sans-serif;color:#111;
background:#fff;max-width:190mm;margin:0 auto;padding:8mm 5mm}
h1{font-size:21px;margin:0 0 4px}h2{font-size:17px;margin:26px 0 6px;border-bottom:1px solid #999;
break-after:avoid}h3{font-size:14px;margin:16px 0 4px;break-after:avoid}
p{margin:4px 0}code,.mono{font:12px/1.4 ui-monospace,"Liberation Mono",Consolas,monospace;
overflow-wrap:anywhere}
.head{border:1px solid #999;padding:6px 9px;margin:8px 0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:6px 0;font-size:13px}
caption{text-align:left;font-weight:600;padding:2px 0}
th,td{border:1px solid #aaa;padding:3px 6px;text-align:left;vertical-align:top;
overflow-wrap:anywhere}
thead th{background:#eee;overflow-wrap:normal}
tbody th{font-weight:600}tr{break-inside:avoid}
thead{display:table-header-group}
.verdict{font-weight:700;white-space:nowrap;padding:0 6px;border:2px solid #444;
display:inline-block}
.PASS{color:#11512a;border-color:#11512a}
.FAIL{color:#fff;background:#9d1c1c;border-color:#9d1c1c}
.INSUFFICIENT,.EXPIRED-RULE{color:#5c3c00;border-color:#5c3c00;border-style:dashed}
.NOTICE{color:#333;border-width:1px;font-weight:400}
.finding{border-left:4px solid #777;padding:2px 0 2px 10px;margin:12px 0}
.finding.FAIL{border-style:none none none solid;background:none;color:inherit;border-color:#9d1c1c}
.finding.INSUFFICIENT,.finding.EXPIRED-RULE{color:inherit;border-color:#5c3c00;
border-style:none none none solid}
.finding.NOTICE{color:inherit;border-width:0 0 0 4px;border-color:#999}
.finding h3{margin-top:0}.finding ul{margin:3px 0;padding-left:20px}li{overflow-wrap:anywhere}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:6px 0}
.legend svg{vertical-align:-2px}
.machine{break-inside:avoid}svg.line{width:100%;height:auto;display:block;margin:4px 0}
svg.line text{font-family:system-ui,"Liberation Sans",Arial,sans-serif;fill:#111}
.note{color:#444;font-weight:400}
footer{margin-top:26px;border-top:1px solid #999;padding-top:6px;color:#333}
.scroll{overflow-x:auto}
@page{size:A4;margin:14mm 12mm}
@media print{body{max-width:none;padding:0;font-size:10.5pt;-webkit-print-color-adjust:exact;
print-color-adjust:exact}table{font-size:9pt}.scroll{overflow:visible}}
"""


@dataclass(frozen=True, slots=True)
class About:
    """What was verified, by what, and when (UTC ms)."""

    bundle: str
    policy_file: str | None
    policy: Policy | None
    start: str | None
    end: str | None
    pin: str | None
    made_ms: int


def as_html(result: Result, about: About) -> str:
    """The whole page."""
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        (
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'\">"
        ),
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Audit of {text(result.origin or '-')}</title><style>{_STYLE}</style></head>",
        "<body>",
        patterns(),
        f"<header>{_head(result, about)}</header><main>",
        _verdicts(result),
        _findings(result),
        _coverage(result),
        _registers(result),
        _licences(result),
        _vouching(result, about),
        _not_checked(result, about),
        (
            f"</main><footer><p>{NOT_LEGAL_ADVICE} Made by the verifier of Raffinate on "
            f"{utc(about.made_ms)}; its exit status and the text say the same.</p></footer>"
        ),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(result: Result, about: About) -> str:
    root = b64encode(result.root).decode() or "-"
    period = ""
    if about.start is not None or about.end is not None:
        period = f", asked for {text(about.start or 'begin')} to {text(about.end or 'end')}"
    return (
        f"<h1>Audit of licensed equipment use</h1>"
        f'<p class="head">Log <b>{text(result.origin or "-")}</b>, size {result.size}, root '
        f"<code>{text(root)}</code>, last anchor {utc(result.anchor_ms)}, unwitnessed suffix "
        f"{result.size - result.anchored} entries</p>"
        f"<p>Bundle <code>{text(about.bundle)}</code>{period}: {result.entries} entries, "
        f"{result.statements} statements, {result.permits} permits. As of "
        f"{utc(about.made_ms)}.</p>"
    )


def _verdicts(result: Result) -> str:
    rows = []
    for question in QUESTIONS:
        first = result.first(question)
        because = "Nothing was found against it."
        if first is not None:
            codes = [
                code
                for code in _codes(result)
                if CODES[code].question in (None, question) and CODES[code].effect != NOTICE
            ]
            because = (
                f'First: <a href="#{text(first.code)}">{text(first.code)}</a>, {_place(first)}'
                f"{text(first.detail)}"
            )
            if len(codes) > 1:
                others = (
                    f'<a href="#{text(code)}">{text(code)}</a>'
                    for code in codes
                    if code != first.code
                )
                because += ". Also: " + ", ".join(others)
        asked = f'{text(question)}<br><span class="note">{_ASKS[question]}</span>'
        rows.append((asked, badge(result.verdict(question)), because))
    parts = [
        "<section><h2>Verdicts</h2>",
        table("Four questions", ("Question", "Verdict", "What keeps it from PASS"), rows),
    ]
    if result.machines:
        machines = [
            (text(name), badge(verdict))
            for name, verdict in sorted(result.machines.items())[:MACHINES_MAX]
        ]
        parts.append(table("Licence verdict per machine", ("Serial", "Verdict"), machines))
    return "".join(parts) + "</section>"


def _findings(result: Result) -> str:
    parts = ["<section><h2>Findings</h2>"]
    if not result.counts:
        parts.append("<p>None.</p>")
    for code in _codes(result):
        known, count = CODES[code], result.counts[code]
        found = [finding for finding in result.findings if finding.code == code]
        items = "".join(
            f"<li>{'First: ' if first else ''}{_place(finding)}{text(finding.detail)}"
            f"{_file(finding)}</li>"
            for first, finding in zip([True, *[False] * SHOWN_MAX], found[:SHOWN_MAX], strict=False)
        )
        more = count - min(len(found), SHOWN_MAX)
        rest = f"<li>and {more} more</li>" if more else ""
        verdict = known.question or "all four"
        parts.append(
            f'<div class="finding {known.effect}" id="{text(code)}"><h3>{badge(known.effect)} '
            f"{text(code)}, {count} time{'s' if count != 1 else ''} ({text(verdict)})</h3>"
            f"<p>{text(known.meaning)}</p><ul>{items}{rest}</ul>"
            f"<p><b>What to do:</b> {text(known.remedy)}</p></div>"
        )
    return "\n".join(parts) + "</section>"


def _coverage(result: Result) -> str:
    parts = [
        "<section><h2>Coverage of each machine</h2>",
        (
            "<p>How the time of each machine is accounted for by its node's signed statements. "
            "Times are UTC. A gap's cause explains it and does not cover it.</p>"
        ),
        legend(),
    ]
    if not result.timelines:
        parts.append("<p>No statement accounts for any machine's time.</p>")
    for number, (serial, line) in enumerate(sorted(result.timelines.items())[:MACHINES_MAX]):
        totals = line.totals()
        whole = max(1, sum(totals))
        cells = [f"{span(ms)} ({100 * ms / whole:.1f} %)" for ms in totals]
        parts += [
            f'<div class="machine"><h3>{text(serial)}</h3>',
            f"<p>{utc(line.low)} to {utc(line.high)}; a column is {span(line.bin_ms)}</p>",
            picture(serial, line, number),
            table(
                f"Time of {text(serial)}",
                ("", *(name.capitalize() for name in NAMES.values())),
                [("total", *cells)],
            ),
            "</div>",
        ]
        if line.gaps:
            rows = [
                (str(at), utc(start), utc(end), span(end - start), text(cause))
                for at, (start, end, cause) in enumerate(line.gaps[:GAPS_NUMBERED_MAX], 1)
            ]
            parts.append(
                table(
                    f"Signed gaps of {text(serial)}",
                    ("No.", "From", "To", "Length", "Cause"),
                    rows,
                )
            )
            if len(line.gaps) > GAPS_NUMBERED_MAX:
                parts.append(f"<p>and {len(line.gaps) - GAPS_NUMBERED_MAX} more</p>")
    return "\n".join(parts) + "</section>"


def _registers(result: Result) -> str:
    rows = []
    for serial, meter in sorted(result.meters.items())[:MACHINES_MAX]:
        grown = [last - first for first, last in zip(meter.begin, meter.end, strict=True)]
        rows.append(
            (
                text(serial),
                text(meter.node),
                f"{utc(meter.begin_ms)}<br>{_register(meter.begin)}",
                f"{utc(meter.end_ms)}<br>{_register(meter.end)}",
                _register(grown),
            )
        )
    heads = ("Serial", "Node", "First statement", "Newest statement", "Difference")
    return (
        "<section><h2>Registers</h2>"
        + (
            table("Run time, starts and volume as the nodes stated them", heads, rows)
            if rows
            else ""
        )
        + ("" if rows else "<p>No node stated any register.</p>")
        + "</section>"
    )


def _licences(result: Result) -> str:
    rows = []
    for digest, seen in sorted(result.licences.items())[:ROWS_MAX]:
        word = VOUCHES[seen.vouched]
        licence = seen.licence
        if licence is None:
            rows.append(("not in the bundle", f"<code>{text(digest)}</code>", "", "", word))
            continue
        rows.append(
            (
                f"{text(licence.number)}<br>version {licence.version}",
                f"{text(licence.equipment)}<br>stages {text(', '.join(licence.stages))}",
                f"{utc(licence.from_ms)} to {utc(licence.to_ms)}<br>grace {span(licence.grace_ms)}",
                f"{text(licence.issuer)}<br>{text(licence.purpose or 'no purpose stated')}",
                f"{word}<br><code>{text(digest)}</code>",
            )
        )
    heads = ("Number", "Machine", "In force", "Issuer, purpose", "Who vouches")
    found = table("Licences that the log names", heads, rows) if rows else ""
    return (
        f"<section><h2>Licences</h2>{found}"
        + ("" if rows else "<p>The log names no licence.</p>")
        + "".join(
            _account(result, one) for _, one in sorted(result.accounts.items())[:MACHINES_MAX]
        )
        + _papers(result)
        + "</section>"
    )


def _account(result: Result, account: Account) -> str:
    """One machine under one licence: who may, what was done, what was decided."""
    serial = account.serial
    codes = ", ".join(
        f'<a href="#{text(code)}">{text(code)}</a>' for code in blocks.codes_of(result, serial)
    )
    parts = [
        f"<h3>{text(serial)} under {text(account.number)}</h3>",
        (
            f"<p>Licence verdict of the machine: {badge(result.machines.get(serial, PASS))} "
            f"{codes}. As of {utc(account.as_of_ms)}. {NOT_LEGAL_ADVICE}</p>"
        ),
        blocks.pairs("Licence", blocks.licence_rows(result, account)),
        blocks.pairs("Machine and use", blocks.machine_rows(result, account)),
        blocks.quotas(account, QUOTAS_MAX),
        blocks.conditions(account),
        blocks.denials(result, serial, ROWS_MAX),
        blocks.gaps(result, serial, GAPS_NUMBERED_MAX),
        blocks.noted(result, serial, ROWS_MAX),
    ]
    return "\n".join(parts)


def _papers(result: Result) -> str:
    """Documents that the log states, and who vouches for each."""
    rows = [
        (
            f"{text(seen.kind)} {text(seen.name)}",
            str(seen.version),
            VOUCHES[seen.vouched] if seen.kind != "acknowledgement" else "the operator's own word",
            f"<code>{text(seen.sha256)}</code>" + ("" if seen.readable else " (not in the bundle)"),
            f"entry {seen.index}",
        )
        for seen in result.papers[:ROWS_MAX]
    ]
    if not rows:
        return "<p>The log states no other document.</p>"
    heads = ("Document", "Version", "Who vouches", "SHA-256", "Stated")
    rest = len(result.papers) - len(rows)
    return table("Documents that the log states", heads, rows) + (
        f"<p>and {rest} more</p>" if rest else ""
    )


def _vouching(result: Result, about: About) -> str:
    policy = about.policy
    parts = ["<section><h2>Who vouches</h2>"]
    if policy is None:
        parts.append(
            "<p><b>Nobody outside the bundle:</b> no policy was given, so the keys below come from "
            "the bundle itself.</p>"
        )
    else:
        witnesses = ", ".join(text(one.name) for one in policy.witnesses) or "none"
        rows = [
            ("Policy file", f"<code>{text(about.policy_file)}</code>"),
            ("SHA-256 of the policy", f"<code>{text(policy.file_sha256)}</code>"),
            (
                "Keys of the log",
                "<br>".join(f"<code>{text(k.vkey())}</code>" for k in policy.log_keys),
            ),
            ("Witnesses", f"{witnesses} (quorum {policy.quorum})"),
            ("Timestamp authorities", f"{len(policy.timestamps)} certificates"),
            ("Licences listed", str(len(policy.licences))),
            ("Licence issuers", f"{len(policy.issuers)} keys"),
            ("Uncovered time allowed", f"{policy.gap_s_max} s a node"),
            ("Outside times apart at most", f"{policy.anchor_lag_s_max} s"),
            ("Pinned head", "none" if policy.pin is None else f"size {policy.pin[0]}"),
        ]
        parts.append(table("The auditor's policy", ("Part", "Contents"), rows))
    rows_keys = [
        (
            f"{text(key.role)} {text(key.name)}" if key.role != key.name else text(key.name),
            f"<code>{text(key.keyid)}</code>",
            "the policy"
            if key.index < 0 and policy
            else f"entry {key.index}"
            if key.index >= 0
            else "the bundle",
            text(key.state),
            _said(key.seq, key.last_ms, key.clocks, key.firmware, key.calibration),
        )
        for key in result.keys[:ROWS_MAX]
    ]
    if rows_keys:
        heads = ("Signer", "Key (SHA-256)", "Brought in by", "State", "Said")
        parts.append(table("Keys of the log's roster", heads, rows_keys))
    if len(result.keys) > ROWS_MAX:
        parts.append(f"<p>and {len(result.keys) - ROWS_MAX} more</p>")
    return "\n".join(parts) + "</section>"


def _not_checked(result: Result, about: About) -> str:
    items = list(_NOT_CHECKED)
    policy = about.policy
    if policy is None:
        items.append("Whether the keys are the right ones: no policy was given.")
    elif not policy.witnesses and not policy.timestamps:
        items.append("Outside times: the policy trusts no witness and no timestamp authority.")
    if about.pin is None and (policy is None or policy.pin is None):
        items.append(
            "Whether others were shown another log: no earlier checkpoint was pinned (--pin)."
        )
    if "FRAMES-ABSENT" in result.counts:
        items.append("Frames, and with them the cross-checks of flow, run time and volume.")
    if result.counts.total() > len(result.findings):
        items.append(
            f"Details of {result.counts.total() - len(result.findings)} findings: only the first "
            "are kept, all are counted."
        )
    listed = "".join(f"<li>{text(item)}</li>" for item in items)
    return (
        f"<section><h2>What was not checked</h2><p>{NOT_LEGAL_ADVICE} The verdicts are as of "
        f"{utc(about.made_ms)}, by "
        + (
            f"the policy with SHA-256 <code>{text(policy.file_sha256)}</code>"
            if policy is not None
            else "no policy"
        )
        + f"; another date, policy or bundle can give others.</p><ul>{listed}</ul></section>"
    )


def _codes(result: Result) -> list[str]:
    return sorted(result.counts, key=lambda code: (WORST_FIRST.index(CODES[code].effect), code))


def _place(finding: Finding) -> str:
    return text(place(finding))


def _file(finding: Finding) -> str:
    return "" if finding.file is None else f" <code>{text(finding.file)}</code>"


def _register(values: Iterable[int]) -> str:
    run_ms, starts, volume_ml = values
    return f"{run_ms / 3_600_000:.2f} h, {starts} starts, {volume_ml / 1000:.1f} L"


def _said(
    seq: int,
    last_ms: int | None,
    clocks: tuple[str, ...],
    firmware: str | None,
    calibration: str | None,
) -> str:
    parts = [f"{seq} statements"] if seq else []
    if last_ms is not None:
        parts.append(f"newest {utc(last_ms)}")
    if clocks:
        parts.append(f"clock also in state {text(', '.join(clocks))}")
    for name, digest in (("firmware", firmware), ("calibration", calibration)):
        if digest is not None:
            parts.append(f"{name} <code>{text(digest[:16])}</code>")
    return "<br>".join(parts)
