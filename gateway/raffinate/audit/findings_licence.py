"""Findings about licences: permits, starts, use, papers and rules (docs/findings.md)."""

from __future__ import annotations

from raffinate.audit.findings_code import (
    ASK,
    FAIL,
    INSUFFICIENT,
    KEYS,
    LICENCE,
    NOTICE,
    Code,
)

ABOUT_LICENCE: dict[str, Code] = {
    "FLOW-WITHOUT-RUN": Code(
        LICENCE,
        INSUFFICIENT,
        "A machine had flow for 5 min and more without any run time (class I).",
        "Inspect run contact and seals; ask what was pumped: flushing a standing machine is one.",
    ),
    "RUN-WITHOUT-FLOW": Code(
        LICENCE,
        INSUFFICIENT,
        "A machine ran for 10 min and more without any flow (class I).",
        "Inspect run contact and flow meter; a machine that idles is one.",
    ),
    "REFUSED": Code(
        LICENCE,
        NOTICE,
        "A start was asked for without a permit and was refused: the permissive did its work.",
        "None; ask why it was tried.",
    ),
    "STARTED-ANYWAY": Code(
        LICENCE,
        FAIL,
        "Equipment started without a permit: its contact was bridged, or started by hand.",
        "Inspect contact and seals; ask for the reason.",
    ),
    "FOUND-RUNNING": Code(
        LICENCE,
        NOTICE,
        "Equipment was running when its node's key began.",
        "Compare with the machine's own hour meter.",
    ),
    "RAN-ON": Code(
        LICENCE,
        NOTICE,
        "Equipment ran on after permit and grace had ended; running equipment is never stopped.",
        "Ask when it was stopped.",
    ),
    "USE-WITHOUT-LICENCE": Code(
        LICENCE, FAIL, "Equipment was used, and no licence for its serial is in the bundle.", ASK
    ),
    "START-OUTSIDE-LICENCE": Code(
        LICENCE, FAIL, "Equipment started at a time when no licence for it was in force.", ASK
    ),
    "USE-TIME-UNKNOWN": Code(
        LICENCE,
        INSUFFICIENT,
        "Equipment was used while its node knew no time.",
        "Judge by the neighbours in the log.",
    ),
    "LICENCE-UNAUTHENTICATED": Code(
        LICENCE,
        INSUFFICIENT,
        "A licence that permits rest on is neither listed in the policy nor signed by its issuers.",
        "Compare the file with what the authority issued; if it is the same, list its SHA-256.",
    ),
    "LICENCE-ABSENT": Code(
        LICENCE,
        INSUFFICIENT,
        "The licence file that permits name by digest is not in the bundle, or cannot be read.",
        "Ask for the licence file of that SHA-256.",
    ),
    "PERMIT-BEYOND-LICENCE": Code(
        LICENCE,
        FAIL,
        "A permit goes beyond its licence: machine, stages, dates, grace, or over 7 days.",
        "The permit key's holder gave leave that the licence does not: ask him.",
    ),
    "PERMIT-LIMIT": Code(
        LICENCE,
        FAIL,
        "A permit's run limit is above register + life + grace at its issue.",
        "The permit key's holder gave leave that protocol 5 does not: ask him.",
    ),
    "PERMIT-SERIAL": Code(
        LICENCE, FAIL, "A permit's serial did not grow for its key and equipment.", KEYS
    ),
    "PERMIT-UNKNOWN": Code(
        LICENCE,
        FAIL,
        "A statement names a permit that is not in the log before it.",
        "The permit key was used outside the gateway: replace it.",
    ),
}
