"""What a finding's code is made of, and remedies that many share. Pure."""

from __future__ import annotations

from dataclasses import dataclass

AUTHENTIC, COMPLETE, TIME, LICENCE = (
    "authentic",
    "complete",
    "time-trustworthy",
    "licence-conformant",
)
QUESTIONS = (AUTHENTIC, COMPLETE, TIME, LICENCE)
PASS, FAIL, INSUFFICIENT, NOTICE = "PASS", "FAIL", "INSUFFICIENT", "NOTICE"
EXPIRED_RULE = "EXPIRED-RULE"

RESTORE = "Take a new export from the gateway; if it shows the same, the stored log was changed."
ASK = "Ask the operator for the board and its console log; treat the period as not attested."
KEYS = "Compare with the enrolment records of the authority."


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding; `effect` on the verdict of `question` (None: on all four)."""

    question: str | None
    effect: str
    meaning: str
    remedy: str
