"""The rules that a licence rests on, as they stand at the time. Pure.

A rule that does not hold at the time asks for no licence then, which breaks nothing: PASS, with the
state in words. Past its review day nobody has said that it is still so: EXPIRED-RULE. What is
only rumoured, or contradicted by another rule, decides nothing: INSUFFICIENT, with both shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.outcome import EXPIRED_RULE, INSUFFICIENT, PASS, ConditionResult, Result
from raffinate.licence.regime import UNKNOWN, find, standings, weakest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from raffinate.licence.document import Licence
    from raffinate.licence.regime import Regime, Standing


def rules(licence: Licence, regimes: Sequence[Regime], at_ms: int) -> Iterator[ConditionResult]:
    """One `rule:regime/number` for each rule of `rests_on`."""
    if not licence.rests_on:
        return
    found = {item.instrument.ref: item for item in standings(regimes, at_ms)}
    for ref in licence.rests_on:
        limbs = [found[item.ref] for item in find(regimes, ref)]
        yield rule(ref, limbs) if limbs else _absent(ref)


def rule(ref: str, limbs: Sequence[Standing]) -> ConditionResult:
    """The worst of a rule's limbs counts; every limb's state is told."""
    result: Result = PASS
    if any(item.state == UNKNOWN or item.conflicts for item in limbs):
        result = INSUFFICIENT
    if any(item.expired_rule for item in limbs):
        result = EXPIRED_RULE
    inputs: list[tuple[str, str]] = []
    for item in limbs:
        inputs.append((item.instrument.ref, f"{item.state}: {'; '.join(item.why)}"))
        inputs += [("conflicts with", other) for other in item.conflicts]
        inputs += [("source", source) for source in item.sources]
    text = ", ".join(dict.fromkeys(item.word for item in limbs))
    if any(item.conflicts for item in limbs):
        text += "; sources conflict"
    first = limbs[0]
    return ConditionResult(
        f"rule:{ref}",
        result,
        "X",
        text,
        tuple(inputs),
        rule=f"{ref} as of {first.as_of.date}, {first.instrument.regime_sha256}",
        evidence=weakest([item.evidence for item in limbs]),
    )


def _absent(ref: str) -> ConditionResult:
    text = "no regime given has this rule"
    return ConditionResult(f"rule:{ref}", INSUFFICIENT, "X", text, rule=ref)
