"""The licence engine: what a licence says of facts at a time, condition by condition. Pure.

`decide` is total, deterministic and replayable: it reads no clock and keeps no state, so that the
same licence, regimes, facts and time give the same decision on any machine (docs/licences.md).
Not legal advice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.conditions.dates import dates
from raffinate.licence.conditions.rules import rules
from raffinate.licence.outcome import (
    EXPIRED_RULE,
    FAIL,
    INSUFFICIENT,
    PASS,
    ConditionResult,
    Decision,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Facts
    from raffinate.licence.regime import Regime

__all__ = [
    "EXPIRED_RULE",
    "FAIL",
    "INSUFFICIENT",
    "PASS",
    "ConditionResult",
    "Decision",
    "decide",
]


def decide(licence: Licence, regimes: Sequence[Regime], facts: Facts, at_ms: int) -> Decision:
    """What `licence` says of `facts` at `at_ms` (UTC ms); `regimes` are those its rules are in."""
    results = (
        *(result for family in _FAMILIES for result in family(licence, facts, at_ms)),
        *rules(licence, regimes, at_ms),
    )
    whole = worst(tuple(item.result for item in results))
    return Decision(whole, at_ms, licence.sha256, results)


_FAMILIES = (dates,)
