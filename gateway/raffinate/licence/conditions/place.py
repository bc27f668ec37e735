"""The right machine, whole, at the right site. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case


def place(case: Case) -> Iterator[ConditionResult]:
    """`serial`, and `seal` and `site` where the licence asks for them."""
    licence, facts = case.licence, case.facts
    yield _is_among("serial", facts.serial, licence.serials)
    if licence.conditions.sealed:
        yield seal(facts.sealed)
    if licence.use.site:
        yield _is_among("site", facts.site, (licence.use.site,))


def seal(sealed: bool | None) -> ConditionResult:
    """The machine's tamper input was not opened."""
    inputs = (("seal", {True: "whole", False: "opened", None: "unknown"}[sealed]),)
    if sealed is None:
        text = "no tamper input tells whether the machine was opened"
        return ConditionResult("seal", INSUFFICIENT, "D", text, inputs)
    if sealed:
        return ConditionResult("seal", PASS, "D", "the seal is whole", inputs)
    return ConditionResult("seal", FAIL, "D", "the machine was opened", inputs, withholds=True)


def _is_among(code: str, found: str | None, allowed: tuple[str, ...]) -> ConditionResult:
    inputs = ((code, found or "unknown"), ("licensed", ", ".join(allowed)))
    if found is None:
        return ConditionResult(code, INSUFFICIENT, "D", f"the {code} is not known", inputs)
    if found in allowed:
        return ConditionResult(code, PASS, "D", f"{code} {found} is licensed", inputs)
    text = f"{code} {found} is not licensed"
    return ConditionResult(code, FAIL, "D", text, inputs, withholds=True)
