"""Which finding a licence's condition becomes when it does not pass. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.audit.findings import EXPIRED_RULE, FAIL

if TYPE_CHECKING:
    from raffinate.licence.outcome import ConditionResult

_FAILED = {
    "version": "LICENCE-SUPERSEDED",
    "quota": "QUOTA-EXCEEDED",
    "seal": "SCOPE-EXCEEDED",
    "site": "SCOPE-EXCEEDED",
    "stages": "SCOPE-EXCEEDED",
    "sections": "SCOPE-EXCEEDED",
    "activity": "SCOPE-EXCEEDED",
    "elements": "PRODUCT-EXCEEDED",
    "element-group": "PRODUCT-EXCEEDED",
    "purity": "PRODUCT-EXCEEDED",
    "end-use": "END-USE",
    "end-user": "END-USE",
    "screening": "END-USE",
    "no-retransfer": "END-USE",
    "no-military-use": "END-USE",
    "no-unlisted-parties": "END-USE",
    "duty": "DUTY-LATE",
    "discharge": "DISCHARGE",
    "unchanged": "CHANGED-UNDECLARED",
}
# Told from permits and starts themselves.
_TOLD_ELSEWHERE = ("vouched", "dates", "serial", "start")


def family_of(condition: ConditionResult) -> str:
    """What stands before the colon of its code."""
    return condition.code.partition(":")[0]


def code_of(condition: ConditionResult) -> str | None:
    """The finding's code; None where another finding says it."""
    family = family_of(condition)
    if family in _TOLD_ELSEWHERE:
        return None
    if condition.result == EXPIRED_RULE:
        return "EXPIRED-RULE"
    if condition.result == FAIL:
        return _FAILED.get(family, "CONDITION-FAILED")
    if family == "rule":
        return "RULE-UNKNOWN"
    return "X-WITHOUT-PAPER" if condition.klass == "X" else "CONDITION-UNKNOWN"
