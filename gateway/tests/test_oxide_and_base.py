"""Oxide by flow and assay is held against the base used, alike in the gateway and the verifier."""

from __future__ import annotations

from fractions import Fraction

import pytest

from raffinate.audit.ledger import DAY_MS, Amount, Ledger
from raffinate.licence.amounts import base_used
from raffinate.licence.balance import Metered, used
from raffinate.licence.conditions.quotas import quota as condition
from raffinate.licence.facts import Bounds, Used
from raffinate.licence.papers import parse_paper
from raffinate.licence.parts import Quota

FIRST_MS = 20_758 * DAY_MS  # 2026-11-01
END_MS = FIRST_MS + 30 * DAY_MS
VOLUME_ML = 1_000_000
QUOTA = Quota("reo-kg", Fraction(3), "month")
# 2 kg of oxide need 35.7 mol of base as Nd (11.9 mol), 87 mol as the lightest, Sc (29 mol).
ENOUGH_MOL, LITTLE_MOL = 36, 5

ASSAY = parse_paper(
    "a.toml",
    b'kind = "assay"\nid = "F-1"\nof = "stream"\nsubject = "feed"\nlaboratory = "L"\n'
    b"reo_g_per_l = 2\nsampled = 2026-10-30\n"
    b'[[contents]]\nelement = "Nd"\nmass_fraction = 0.5\n',
)


def base(mol, begin="2026-11-01", end="2026-11-30", flow="used"):
    text = f'kind = "reagent"\nid = "B-{begin}"\nname = "ammonia"\nquantity = 9\nunit = "kg"\n'
    text += f'flow = "{flow}"\nbase_mol = {mol}\nfrom = {begin}\nto = {end}\n'
    return parse_paper("b.toml", text.encode())


def by_gateway(*papers):
    metered = Metered(0, 0, VOLUME_ML, VOLUME_ML)
    return used(QUOTA, metered, [ASSAY, *papers], FIRST_MS, END_MS - 1)


def by_verifier(*papers):
    ledger = Ledger()
    for day in (0, 29):
        ledger.add(FIRST_MS + day * DAY_MS, FIRST_MS + (day + 1) * DAY_MS, Amount(0, 0, 500_000))
    reagents = [paper.members for paper in papers]
    return ledger.used(QUOTA, END_MS - 1, [ASSAY.members], reagents)


@pytest.mark.parametrize("amount", [by_gateway, by_verifier])
def test_what_base_and_assay_agree_on_passes_and_what_they_contradict_is_unclear(amount):
    assert amount() == Used(2_000_000, 2_000_000)
    assert condition(QUOTA, amount(base(ENOUGH_MOL))).result == "PASS"
    little = amount(base(LITTLE_MOL))
    assert not little.agree
    assert little.high == 2_000_000
    found = condition(QUOTA, little)
    assert (found.result, found.klass) == ("INSUFFICIENT", "I")
    assert "contradict" in found.text


@pytest.mark.parametrize("amount", [by_gateway, by_verifier])
def test_base_whose_papers_leave_a_day_open_or_was_not_used_tells_nothing(amount):
    whole = Used(2_000_000, 2_000_000)
    assert amount(base(LITTLE_MOL, end="2026-11-29")) == whole
    assert amount(base(LITTLE_MOL, flow="stock")) == whole
    halves = base(LITTLE_MOL / 2, end="2026-11-14"), base(LITTLE_MOL / 2, begin="2026-11-15")
    assert not amount(*halves).agree


def test_a_paper_partly_within_counts_to_the_most_alone():
    papers = [base(4, "2026-10-20", "2026-11-10").members, base(6, "2026-11-11").members]
    assert base_used(papers, FIRST_MS, END_MS) == Bounds(6000, 10_000)
    assert base_used(papers[1:], FIRST_MS, END_MS) is None
    assert base_used([], FIRST_MS, END_MS) is None
