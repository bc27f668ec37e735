"""Which elements are separated: by documents alone; the plateau's pH may only raise a doubt. Pure.

No sensor here names an element (process.md: plateau pH weakly fingerprints a group and cannot tell
Pr from Nd), so a pH that fits proves nothing and one that does not fit asks for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult
from raffinate.licence.papers import Assay, Lot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.licence.conditions.case import Case


def elements(case: Case) -> Iterator[ConditionResult]:
    """`elements` where the licence limits them, `element-group` where the facts have a plateau."""
    if not case.licence.use.elements:
        return
    yield named(case)
    if case.facts.plateau is not None:
        yield group(case.facts.plateau, case.licence.use.elements)


def named(case: Case) -> ConditionResult:
    """Every lot, and every assay of a lot by its main element, names a licensed element."""
    allowed = case.licence.use.elements
    inputs = [("licensed", ", ".join(allowed))]
    found: dict[str, None] = dict.fromkeys(case.facts.elements or ())
    proofs = 0
    lots = [(known, lot.element, lot.produced_ms) for known, lot in case.papers(Lot)]
    assays = [
        (known, main_element(assay), assay.sampled_ms)
        for known, assay in case.papers(Assay)
        if assay.of == "lot"
    ]
    for known, element, since_ms in (*lots, *assays):
        if since_ms >= case.licence.from_ms:
            found[element] = None
            proofs += known.proves
            inputs.append(known.named)
    inputs.append(("named", ", ".join(found) or "none"))
    beyond = [element for element in found if element not in allowed]
    if beyond:
        text = f"{', '.join(beyond)} named, not licensed"
        return ConditionResult("elements", FAIL, "X", text, tuple(inputs), withholds=True)
    if not proofs:
        text = "no vouched lot or assay says which elements are separated"
        return ConditionResult("elements", INSUFFICIENT, "X", text, tuple(inputs))
    if case.facts.elements is None:
        text = "whether other elements are separated is not known"
        return ConditionResult("elements", INSUFFICIENT, "X", text, tuple(inputs))
    text = f"{', '.join(found)} by vouched documents"
    return ConditionResult("elements", PASS, "X", text, tuple(inputs))


def group(plateau: tuple[str, ...], allowed: tuple[str, ...]) -> ConditionResult:
    """The pH of the extraction plateau fits a licensed element."""
    inputs = (("fits", ", ".join(plateau) or "none"), ("licensed", ", ".join(allowed)))
    if any(element in allowed for element in plateau):
        text = "the plateau's pH fits a licensed element; that is weak"
        return ConditionResult("element-group", PASS, "I", text, inputs)
    text = "the plateau's pH fits no licensed element; that is weak, and asks for a look"
    return ConditionResult("element-group", INSUFFICIENT, "I", text, inputs)


def main_element(assay: Assay) -> str:
    """The element with the largest part of an assay; of equal ones the first."""
    return max(assay.contents, key=lambda content: content.mass_fraction).element
