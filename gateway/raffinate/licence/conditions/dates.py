"""Who vouches for the licence, whether it is the newest version, whether it is in force. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.facts import TRUSTED_CLOCKS
from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult, day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case
    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Facts

ISSUE_DAY_MS = 24 * 3600 * 1000
"""An issue date is a day somewhere: it may begin so much earlier than in UTC."""

_VOUCHES = {
    "list": (PASS, "the auditor's policy lists its SHA-256"),
    "signature": (PASS, "an issuer key of the policy signed it"),
    None: (INSUFFICIENT, "nobody whom the policy trusts vouches for it"),
}


def dates(case: Case) -> Iterator[ConditionResult]:
    """`vouched`, `version`, `dates`."""
    licence, facts, at_ms = case.licence, case.facts, case.at_ms
    result, text = _VOUCHES[facts.vouched]
    inputs = (("licence", licence.sha256),)
    yield ConditionResult("vouched", result, "X", text, inputs)
    yield version(licence, facts)
    yield in_force(licence, facts, at_ms)


def version(licence: Licence, facts: Facts) -> ConditionResult:
    """A later version ends the ones before it."""
    inputs = (("version", str(licence.version)),)
    if facts.newest is None:
        text = "whether a later version exists is not known"
        return ConditionResult("version", INSUFFICIENT, "D", text, inputs)
    if facts.newest:
        return ConditionResult("version", PASS, "D", "no later version is known", inputs)
    text = "a later version replaces it"
    return ConditionResult("version", FAIL, "D", text, inputs, withholds=True)


def in_force(licence: Licence, facts: Facts, at_ms: int) -> ConditionResult:
    """[from, to or revoked) and its grace after that, by a clock that can be trusted."""
    inputs = (
        ("at", day(at_ms)),
        ("from", day(licence.from_ms)),
        ("to", day(licence.ends_ms)),
        ("clock", facts.clock or "unknown"),
    )
    result, text = FAIL, f"it ended at {day(licence.ends_ms)}"
    if licence.revoked_ms is not None and at_ms >= licence.revoked_ms:
        text = f"it was revoked at {day(licence.revoked_ms)}"
    elif licence.issued_ms is not None and at_ms + ISSUE_DAY_MS < licence.issued_ms:
        text = f"it was issued only at {day(licence.issued_ms)}"
    elif at_ms < licence.from_ms:
        text = f"it begins at {day(licence.from_ms)}"
    elif at_ms < licence.ends_ms:
        result, text = PASS, f"in force until {day(licence.ends_ms)}"
    elif at_ms < licence.ends_ms + licence.grace_ms:
        result, text = PASS, f"in its grace until {day(licence.ends_ms + licence.grace_ms)}"
    if result == PASS and facts.clock not in TRUSTED_CLOCKS:
        result, text = INSUFFICIENT, f"{text}, by a clock that cannot be trusted"
    return ConditionResult("dates", result, "D", text, inputs, withholds=result == FAIL)
