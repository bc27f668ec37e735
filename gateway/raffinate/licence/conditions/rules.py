"""The rules that a licence rests on, as they stand at the time. Pure.

A rule that does not hold at the time asks for no licence then, which breaks nothing: PASS, with the
state in words. Past its review day nobody has said that it is still so: EXPIRED-RULE. What is
only rumoured, or contradicted by another rule, decides nothing: INSUFFICIENT, with both shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from raffinate.licence.outcome import EXPIRED_RULE, INSUFFICIENT, PASS, ConditionResult, Result
from raffinate.licence.regime import UNKNOWN, find, standings, weakest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from raffinate.licence.document import Licence
    from raffinate.licence.regime import Instrument, Regime, Standing


KEPT_MAX = 64
_Asked = tuple[tuple[tuple[str, tuple[str, ...]], ...], "list[Regime]"]
_KEPT: dict[tuple[tuple[int, ...], tuple[str, ...]], tuple[object, _Asked]] = {}


def rules(licence: Licence, regimes: Sequence[Regime], at_ms: int) -> Iterator[ConditionResult]:
    """One `rule:regime/number` for each rule of `rests_on`."""
    if not licence.rests_on:
        return
    wanted, near = _asked(tuple(regimes), licence.rests_on)
    found = {item.instrument.ref: item for item in standings(near, at_ms)}
    for ref, limb_refs in wanted:
        limbs = [found[limb] for limb in limb_refs]
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
    text = ", ".join(dict.fromkeys(item.state for item in limbs))
    if result == EXPIRED_RULE:
        text += f"; its review was due by {min(item.review_by.date for item in limbs)}"
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


def _asked(regimes: tuple[Regime, ...], refs: tuple[str, ...]) -> _Asked:
    """The wanted instruments by reference, and the regimes with only these and what contradicts.

    Kept by the regimes' identity, which the kept answer holds alive: a replay asks often.
    """
    key = (tuple(map(id, regimes)), refs)
    kept = _KEPT.get(key)
    if kept is None:
        if len(_KEPT) >= KEPT_MAX:
            _KEPT.clear()
        wanted = {ref: find(regimes, ref) for ref in refs}
        limbs = tuple((ref, tuple(item.ref for item in found)) for ref, found in wanted.items())
        kept = _KEPT[key] = (regimes, (limbs, _near(regimes, wanted)))
    return kept[1]


def _near(regimes: Sequence[Regime], wanted: Mapping[str, tuple[Instrument, ...]]) -> list[Regime]:
    """The regimes with no more than the wanted instruments and those in conflict with them."""
    named = {item.ref for found in wanted.values() for item in found}
    against = {ref for found in wanted.values() for item in found for ref in item.conflicts_with}
    near = []
    for regime in regimes:
        kept = tuple(
            item
            for item in regime.instruments
            if item.ref in named or item.ref in against or not named.isdisjoint(item.conflicts_with)
        )
        if kept:
            near.append(replace(regime, instruments=kept))
    return near


def _absent(ref: str) -> ConditionResult:
    text = "no regime file that somebody vouches for has this rule"
    return ConditionResult(f"rule:{ref}", INSUFFICIENT, "X", text, rule=ref)
