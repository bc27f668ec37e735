"""What the machine does: its start, stages and sections in use, activity, digests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.facts import IDLE
from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case

_STARTS: dict[str | None, tuple[Result, str]] = {
    "none": (PASS, "no start"),
    "permitted": (PASS, "started by leave of a permit"),
    "bypass": (INSUFFICIENT, "started by the keyed bypass, not by leave: see who and why"),
    "hand": (FAIL, "started without leave"),
}


def operation(case: Case) -> Iterator[ConditionResult]:
    """`start`, `stages`, `unchanged`, and `sections`, `activity` where the licence limits them."""
    licence, facts = case.licence, case.facts
    result, text = _STARTS.get(facts.start, (INSUFFICIENT, "how it was started is not known"))
    inputs = (("start", facts.start or "unknown"),)
    yield ConditionResult("start", result, "D", text, inputs)
    yield within("stages", facts.stages, licence.stages)
    if licence.use.sections:
        yield within("sections", facts.sections, licence.use.sections)
    if licence.use.activities:
        yield activity(facts.activity, licence.use.activities)
    yield unchanged(facts.changed)


def within(code: str, used: tuple[str, ...] | None, allowed: tuple[str, ...]) -> ConditionResult:
    """All that is in use is licensed."""
    licensed = ("licensed", ", ".join(allowed))
    if used is None:
        inputs = ((code, "unknown"), licensed)
        text = f"the {code} in use are not known"
        return ConditionResult(code, INSUFFICIENT, "D", text, inputs)
    inputs = ((code, ", ".join(used) or "none in use"), licensed)
    beyond = [name for name in used if name not in allowed]
    if beyond:
        text = f"{', '.join(beyond)} in use, not licensed"
        return ConditionResult(code, FAIL, "D", text, inputs, withholds=True)
    return ConditionResult(code, PASS, "D", f"all {code} in use are licensed", inputs)


def activity(found: str | None, allowed: tuple[str, ...]) -> ConditionResult:
    """What is done to or with the machine is licensed; idle always is."""
    inputs = (("activity", found or "unknown"), ("licensed", ", ".join(allowed)))
    if found is None:
        text = "what is done with the machine is not known"
        return ConditionResult("activity", INSUFFICIENT, "I", text, inputs)
    if found in (IDLE, *allowed):
        return ConditionResult("activity", PASS, "I", f"{found} is licensed", inputs)
    text = f"{found} is not licensed"
    return ConditionResult("activity", FAIL, "I", text, inputs, withholds=True)


def unchanged(changed: tuple[str, ...] | None) -> ConditionResult:
    """Digests of firmware, configuration and recipe change only by an activity on record."""
    if changed is None:
        text = "digests before and after are not known"
        return ConditionResult("unchanged", INSUFFICIENT, "D", text, (("changed", "unknown"),))
    inputs = (("changed", ", ".join(changed) or "nothing"),)
    if changed:
        text = f"{', '.join(changed)} changed without an activity on record"
        return ConditionResult("unchanged", FAIL, "D", text, inputs)
    text = "nothing changed without an activity on record"
    return ConditionResult("unchanged", PASS, "D", text, inputs)
