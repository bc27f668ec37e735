"""Purity of products by signed assays, with a margin below the limit. Pure.

Within the margin, where a product approaches the threshold, its technical parameters must be given
in a paper of kind `parameters`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.outcome import FAIL, INSUFFICIENT, PASS, ConditionResult, plain
from raffinate.licence.papers import Assay, Lot, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from raffinate.licence.conditions.case import Case
    from raffinate.licence.parts import Product


def purity(case: Case) -> Iterator[ConditionResult]:
    """One condition a product."""
    for product in case.licence.products:
        yield product_purity(case, product)


def product_purity(case: Case, product: Product) -> ConditionResult:
    """The purest that anything says of the product; a vouched assay for each of its lots."""
    since_ms, element = case.licence.from_ms, product.element
    inputs = [("limit", f"{plain(product.purity_max_percent)} %")]
    stated: list[int | Fraction] = []
    lots = [
        (known, lot)
        for known, lot in case.papers(Lot)
        if lot.element == element and lot.produced_ms >= since_ms
    ]
    for known, lot in lots:
        stated.append(lot.purity_percent)
        inputs.append(known.named)
    assayed = set()
    for known, assay in case.papers(Assay):
        for content in assay.contents:
            if (content.element, content.purity_percent is None) == (element, False):
                if assay.sampled_ms < since_ms:
                    continue
                stated.append(content.purity_percent or 0)
                inputs.append(known.named)
                if known.proves:
                    assayed.add(assay.subject)
    said = case.facts.purity
    bounds = None if said is None else said.get(element)
    if bounds is not None:
        stated.append(bounds.high)
    most = max(stated, default=None)
    inputs.append(("purest", "unknown" if most is None else f"{plain(most)} %"))
    bare = [known.paper.id for known, _ in lots if known.paper.id not in assayed]
    proved = bool(assayed) and not bare and said is not None
    return _judged(case, product, most, proved, bare, inputs)


def _judged(
    case: Case,
    product: Product,
    most: int | Fraction | None,
    proved: bool,
    bare: list[str],
    inputs: list[tuple[str, str]],
) -> ConditionResult:
    limit = product.purity_max_percent
    if most is not None and most > limit:
        text = f"{plain(most)} % {product.element}, purer than licensed"
        return ConditionResult(product.code, FAIL, "X", text, tuple(inputs))
    if most is None or not proved:
        text = f"no vouched assay of {product.element}, or not known whether more is said of it"
        if bare:
            text = f"no vouched assay of lot {', '.join(bare)}"
        return ConditionResult(product.code, INSUFFICIENT, "X", text, tuple(inputs))
    text = f"{plain(most)} % {product.element} by vouched assay"
    if most > limit - product.margin_percent:
        given = [
            known.named
            for known, parameters in case.proofs(Parameters)
            if parameters.element == product.element
        ]
        if not given:
            text = f"{text}, approaching the limit: give technical parameters"
            return ConditionResult(product.code, INSUFFICIENT, "X", text, tuple(inputs))
        inputs += given
        text = f"{text}, approaching the limit, technical parameters given"
    return ConditionResult(product.code, PASS, "X", text, tuple(inputs))
