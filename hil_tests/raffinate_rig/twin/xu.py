"""Xu Guangxian's design of a counter-current cascade for two rare earths."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class XuDesign:
    """Extraction ratios and stage numbers (not rounded) of a two-component separation.

    `extraction_ratio` and `scrub_ratio` are E_M and E_M'; `product_a` and `product_b` the shares
    of all metal that leave in the organic (f_A') and the aqueous (f_B').
    """

    yield_a: float
    product_a: float
    product_b: float
    extraction_ratio: float
    scrub_ratio: float
    extraction_stages: float
    scrub_stages: float
    stages_min: float


def design(beta: float, feed_a: float, purity_a: float, purity_b: float) -> XuDesign:
    """Design for separation factor `beta` = D_A/D_B, A the more extractable, from an aqueous feed.

    All but beta are fractions of 1. Raises ValueError outside 0..1, at beta up to 1, or where a
    product need be no purer than the feed.
    """
    feed_b = 1.0 - feed_a
    if not beta > 1.0:
        raise ValueError(f"a separation needs beta above 1, not {beta}")
    for name, value in (("feed_a", feed_a), ("purity_a", purity_a), ("purity_b", purity_b)):
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} is a fraction between 0 and 1, not {value}")
    if purity_a <= feed_a or purity_b <= feed_b:
        raise ValueError("both products must be purer than the feed")
    a = purity_a / (1.0 - purity_a) / (feed_a / feed_b)
    b = purity_b / (1.0 - purity_b) / (feed_b / feed_a)
    yield_a = a * (b - 1.0) / (a * b - 1.0)
    product_a = feed_a * yield_a / purity_a
    product_b = 1.0 - product_a
    root = math.sqrt(beta)
    if product_b > root / (1.0 + root):
        extraction = 1.0 / root
        scrub = extraction * product_b / (extraction - product_a)
    else:
        scrub = root
        extraction = scrub * product_a / (scrub - product_b)
    return XuDesign(
        yield_a=yield_a,
        product_a=product_a,
        product_b=product_b,
        extraction_ratio=extraction,
        scrub_ratio=scrub,
        extraction_stages=math.log(b) / math.log(beta * extraction),
        scrub_stages=math.log(a) / math.log(beta / scrub) - 1.0,
        stages_min=math.log(a * b) / math.log(beta),
    )
