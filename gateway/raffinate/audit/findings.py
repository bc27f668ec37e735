"""Every finding of intake and verifier: what it means, and what to do (docs/findings.md)."""

from __future__ import annotations

from raffinate.audit.findings_authentic import ABOUT_AUTHENTIC, ALL_FOUR
from raffinate.audit.findings_code import (
    AUTHENTIC,
    COMPLETE,
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    LICENCE,
    NOTICE,
    PASS,
    QUESTIONS,
    TIME,
    Code,
)
from raffinate.audit.findings_complete import ABOUT_COMPLETE, ABOUT_TIME
from raffinate.audit.findings_licence import ABOUT_LICENCE

__all__ = [
    "AUTHENTIC",
    "CODES",
    "COMPLETE",
    "EXPIRED_RULE",
    "FAIL",
    "INSUFFICIENT",
    "LICENCE",
    "NOTICE",
    "PASS",
    "QUESTIONS",
    "TIME",
    "WORST_FIRST",
    "Code",
]

WORST_FIRST = (FAIL, EXPIRED_RULE, INSUFFICIENT, NOTICE, PASS)

CODES: dict[str, Code] = {
    **ALL_FOUR,
    **ABOUT_AUTHENTIC,
    **ABOUT_COMPLETE,
    **ABOUT_TIME,
    **ABOUT_LICENCE,
}
