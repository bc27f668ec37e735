"""How machines were used under one licence: one page for an inspector to file, made for A4. Pure.

Like the auditor's report it has no script and nothing from elsewhere, and can be made again from
bundle and policy. What has no room on the page is counted there and stands in the CSV.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from raffinate.audit import licence_blocks as blocks
from raffinate.audit.findings import PASS, QUESTIONS
from raffinate.audit.licence_blocks import badge
from raffinate.audit.markup import text, utc
from raffinate.audit.report import NOT_LEGAL_ADVICE
from raffinate.errors import ConfigError

if TYPE_CHECKING:
    from raffinate.audit.accounts import Account
    from raffinate.audit.html_report import About
    from raffinate.audit.result import Result

QUOTAS_MAX = 4
FINDINGS_MAX = 8
DENIALS_MAX = 6
GAPS_MAX = 4
NOTED_MAX = 3
_STYLE = """
:root{color-scheme:light}
body{font:12px/1.35 system-ui,"Segoe UI","Liberation Sans",Arial,sans-serif;color:#111;
background:#fff;max-width:190mm;margin:0 auto;padding:6mm 4mm}
h1{font-size:17px;margin:0 0 3px}h2{font-size:13px;margin:9px 0 2px;border-bottom:1px solid #999;
break-after:avoid}
p{margin:2px 0;overflow-wrap:anywhere}code{font:10px ui-monospace,"Liberation Mono",Consolas,
monospace;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:3px 0;font-size:11px}
caption{text-align:left;font-weight:600}
th,td{border:1px solid #aaa;padding:1px 4px;text-align:left;vertical-align:top;
overflow-wrap:anywhere}
thead th{background:#eee;overflow-wrap:normal}tbody th{font-weight:600;min-width:10em}
tbody td:last-child{min-width:4.8em}tr{break-inside:avoid}
thead{display:table-header-group}
.pairs thead{display:none}.pairs tbody th{width:24%}
.verdict{font-weight:700;white-space:nowrap;padding:0 4px;border:1.5px solid #444;
display:inline-block}
.PASS{color:#11512a;border-color:#11512a}
.FAIL{color:#fff;background:#9d1c1c;border-color:#9d1c1c}
.INSUFFICIENT,.EXPIRED-RULE{color:#5c3c00;border-color:#5c3c00;border-style:dashed}
footer{margin-top:8px;border-top:1px solid #999;padding-top:3px;color:#333}
.scroll{overflow-x:auto}td code{white-space:normal}
@page{size:A4;margin:10mm 11mm}
@media print{body{max-width:none;padding:0;font-size:7.5pt;line-height:1.25;
-webkit-print-color-adjust:exact;print-color-adjust:exact}
h1{font-size:12pt}h2{font-size:9pt;margin:5px 0 1px}
table{font-size:6.8pt;margin:2px 0}code{font-size:6.5pt}.scroll{overflow:visible}}
"""


def accounts_of(result: Result, number: str) -> list[Account]:
    """The accounts of a licence, by machine. Raises ConfigError when the bundle has none."""
    found = [one for _, one in sorted(result.accounts.items()) if one.number == number]
    if not found:
        known = ", ".join(sorted({one.number for one in result.accounts.values()})) or "none"
        raise ConfigError(
            f"--licence {number}: no permit and no use under it is in the bundle; it has {known}"
        )
    return found


def as_usage_html(result: Result, about: About, number: str) -> str:
    """The whole page. Raises ConfigError."""
    accounts = accounts_of(result, number)
    verdicts = " ".join(f"{question} {badge(result.verdict(question))}" for question in QUESTIONS)
    root = b64encode(result.root).decode() or "-"
    policy = "no policy" if about.policy is None else about.policy.file_sha256
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        (
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'\">"
        ),
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Use under licence {text(number)}</title><style>{_STYLE}</style></head><body>",
        f"<header><h1>Use of licensed equipment under {text(number)}</h1>",
        (
            f"<p>Log <b>{text(result.origin or '-')}</b>, size {result.size}, root "
            f"<code>{text(root)}</code>, last anchor {utc(result.anchor_ms)}, unwitnessed suffix "
            f"{result.size - result.anchored} entries. Bundle <code>{text(about.bundle)}</code>, "
            f"newest statement {utc(result.as_of_ms)}.</p>"
        ),
        f"<p>{verdicts}</p></header><main>",
        *(_machine(result, account) for account in accounts),
        (
            f"</main><footer><p>{NOT_LEGAL_ADVICE} Verdicts as of {utc(about.made_ms)}, by the "
            f"policy with SHA-256 <code>{text(policy)}</code>; another date, policy or bundle can "
            "give others. Derived from the bundle alone, without the gateway: "
            "<code>raffinate-verify usage</code> makes this page again.</p></footer>"
        ),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _machine(result: Result, account: Account) -> str:
    serial = account.serial
    rows = [*blocks.machine_rows(result, account), *blocks.licence_rows(result, account)]
    return "\n".join(
        [
            f"<section><h2>{text(serial)}: {badge(result.machines.get(serial, PASS))}</h2>",
            f'<div class="pairs">{blocks.pairs("Machine, use, licence", rows)}</div>',
            blocks.findings(result, serial, FINDINGS_MAX),
            blocks.quotas(account, QUOTAS_MAX),
            blocks.conditions(account, brief=True),
            blocks.denials(result, serial, DENIALS_MAX),
            blocks.gaps(result, serial, GAPS_MAX),
            blocks.noted(result, serial, NOTED_MAX),
            "</section>",
        ]
    )
