"""What holds of the engine for any licence, facts and time."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from licence_cases import (
    AT_MS,
    DAY_MS,
    FULL,
    GOOD,
    HOUR_MS,
    PAPERS,
    Day,
    approval,
    assay,
    certificate,
    licence_of,
    lot,
    ms,
    parameters,
    party,
    regime_of,
    report,
    screening,
    transfer,
)
from raffinate.licence.amounts import cross_checked, reo_by_assay, reo_by_base
from raffinate.licence.conditions.dates import in_force
from raffinate.licence.conditions.quotas import quota
from raffinate.licence.decide import FAIL, INSUFFICIENT, PASS, decide
from raffinate.licence.facts import Bounds, Facts, Used
from raffinate.licence.outcome import ORDER
from raffinate.licence.papers import Vouched
from raffinate.licence.parts import (
    BASE_UNITS,
    DischargeLimit,
    Duty,
    Product,
    Quota,
    Requirement,
    Terms,
    Waiver,
)

LICENCE = licence_of()
REGIMES = (regime_of(),)
TOTAL = -1, 0, AT_MS, LICENCE.from_ms, LICENCE.to_ms, 1 << 62, -(1 << 62)
AGAINST = (
    lot(name="LOT-DY", element="Dy"),
    lot(name="LOT-PURE", purity_percent=99.99),
    lot(name="LOT-SHARE", share_percent=0.1),
    lot(name="LOT-STRANGER", end_user="stranger", end_use="lasers"),
    transfer(),
    transfer(name="T-2", to="stranger"),
    screening(name="S-2", denied=["works"]),
    screening(name="S-3", scrutinised=["magnets"]),
    certificate(name="EUC-2", end_user="stranger", end_use="other"),
)
BESIDE = (
    *PAPERS,
    *AGAINST,
    assay(99.7, name="ASSAY-2"),
    assay(99.1, name="ASSAY-3", element="Dy", subject="LOT-DY"),
    approval(name="A-2", what="transfer"),
    approval(name="A-3", what="small amounts"),
    parameters(),
    party("works", aliases=["stranger"]),
    party("magnets", owners=["works"]),
    report("usage report", "2026-12-03"),
    certificate(name="EUC-3", to=Day("2026-12-01")),
)
amounts = st.builds(
    lambda low, more, agree: Used(low, low + more, agree),
    st.integers(0, 4_000 * HOUR_MS),
    st.integers(0, HOUR_MS),
    st.booleans(),
)
bounds = st.builds(
    lambda low, more: Bounds(Fraction(low, 10), Fraction(low + more, 10)),
    st.integers(0, 1000),
    st.integers(0, 50),
)
papers = st.lists(
    st.builds(
        lambda item, by: Vouched(item.paper, by),
        st.sampled_from(BESIDE),
        st.sampled_from([None, "list", "signature"]),
    ),
    max_size=12,
    unique_by=lambda item: item.paper.sha256,
).map(tuple)
VALUES = {
    "vouched": st.sampled_from(["list", "signature"]),
    "newest": st.booleans(),
    "clock": st.sampled_from("SIRU"),
    "serial": st.sampled_from(["SN-1", "SN-2", ""]),
    "site": st.sampled_from(["ndpr", "elsewhere"]),
    "sealed": st.booleans(),
    "activity": st.sampled_from(["idle", "operation", "maintenance", "upgrade", "?"]),
    "start": st.sampled_from(["none", "permitted", "hand", "bypass", "?"]),
    "stages": st.sets(st.sampled_from(["e01", "e02", "e03"])).map(sorted).map(tuple),
    "sections": st.sets(st.sampled_from(["extraction", "strip"])).map(sorted).map(tuple),
    "elements": st.sets(st.sampled_from(["Nd", "Pr", "Dy", "?"])).map(sorted).map(tuple),
    "plateau": st.sets(st.sampled_from(["Nd", "Pr", "Dy"])).map(sorted).map(tuple),
    "used": st.dictionaries(st.integers(0, 4), st.none() | amounts),
    "purity": st.dictionaries(st.sampled_from(["Nd", "Dy"]), bounds),
    "papers": papers,
    "acknowledged": st.booleans(),
    "discharge": st.dictionaries(
        st.sampled_from([("o01", "ph"), ("o01", "radiation"), ("o02", "ph")]), st.none() | bounds
    ),
    "reports": st.dictionaries(
        st.sampled_from(["usage report", "commissioning report", "?"]),
        st.lists(st.integers(ms("2026-10-01"), ms("2028-02-01")), max_size=4).map(tuple),
    ),
    "changed": st.sets(st.sampled_from(["firmware", "config"])).map(sorted).map(tuple),
}
EMPTY = {"used": {}, "discharge": {}, "papers": ()}
known_facts = st.builds(Facts, **VALUES)
good_or_not = st.builds(
    lambda changed: replace(GOOD, **changed),
    st.fixed_dictionaries({}, optional=VALUES),
)
any_facts = known_facts | good_or_not
times = st.integers(ms("2026-10-25"), ms("2027-12-01")) | st.sampled_from(TOTAL)
waivers = st.lists(
    st.builds(
        Waiver,
        st.sampled_from([item.code for item in decide(LICENCE, REGIMES, GOOD, AT_MS).conditions]),
        st.sampled_from([AT_MS - DAY_MS, AT_MS + DAY_MS, 1 << 50]),
        st.just("why"),
    ),
    max_size=3,
    unique_by=lambda item: item.condition,
).map(tuple)
licences = st.builds(
    lambda waived, regimes, stages: replace(
        LICENCE, waivers=waived, rests_on=regimes, stages=stages
    ),
    waivers,
    st.sampled_from([(), ("test/1",), ("test/1", "test/9")]),
    st.sampled_from([("e01",), ("e01", "e02", "e03")]),
)
RESTRICTIONS = {
    "a quota": lambda x: replace(x, quotas=(*x.quotas, Quota("run-h", Fraction(1), "year"))),
    "a lower quota": lambda x: replace(
        x, quotas=tuple(replace(item, limit=item.limit / 3) for item in x.quotas)
    ),
    "a document": lambda x: replace(x, requires=(*x.requires, Requirement("screening"))),
    "a document before a start": lambda x: replace(
        x, requires=(*x.requires, Requirement("parameters", "", before_start=True))
    ),
    "a discharge limit": lambda x: replace(
        x, discharge=(*x.discharge, DischargeLimit("o02", "ph", Fraction(6), None))
    ),
    "a duty": lambda x: replace(x, duties=(*x.duties, Duty("visit", "A", "", x.from_ms, 30))),
    "a product": lambda x: replace(
        x, products=(*x.products, Product("Dy", Fraction(99), Fraction(1)))
    ),
    "a lower purity": lambda x: replace(
        x, products=tuple(replace(item, purity_max_percent=Fraction(99)) for item in x.products)
    ),
    "a wider margin": lambda x: replace(
        x, products=tuple(replace(item, margin_percent=Fraction(9)) for item in x.products)
    ),
    "fewer stages": lambda x: replace(x, stages=x.stages[:1]),
    "fewer elements": lambda x: replace(x, use=replace(x.use, elements=("Nd",))),
    "fewer activities": lambda x: replace(x, use=replace(x.use, activities=("repair",))),
    "fewer sections": lambda x: replace(x, use=replace(x.use, sections=("wash",))),
    "another site": lambda x: replace(x, use=replace(x.use, site="other")),
    "another machine": lambda x: replace(x, serials=("SN-7",)),
    "an earlier end": lambda x: replace(x, to_ms=x.to_ms - 200 * DAY_MS),
    "no grace": lambda x: replace(x, grace_ms=0),
    "a revocation": lambda x: replace(x, revoked_ms=ms("2026-11-20")),
    "no waiver": lambda x: replace(x, waivers=()),
    "a rule": lambda x: replace(x, rests_on=(*x.rests_on, "test/2")),
    "a tighter limit": lambda x: replace(
        x, discharge=tuple(replace(item, high=Fraction(1)) for item in x.discharge)
    ),
    "a sooner report": lambda x: replace(
        x, duties=tuple(replace(item, within_days=1) for item in x.duties)
    ),
}
BARE = replace(
    LICENCE, quotas=(), products=(), requires=(), discharge=(), duties=(), rests_on=(),
    conditions=Terms(),
)  # fmt: skip


def results(licence, facts, at_ms):
    return {item.code: item.result for item in decide(licence, REGIMES, facts, at_ms).conditions}


def severity(result) -> int:
    return -ORDER.index(result)


@given(licences, any_facts, times)
def test_the_engine_answers_for_anything_and_the_whole_is_the_worst(licence, facts, at_ms):
    decision = decide(licence, REGIMES, facts, at_ms)
    codes = [item.code for item in decision.conditions]
    assert len(codes) == len(set(codes))
    assert decision.result == min((item.result for item in decision.conditions), key=ORDER.index)
    for item in decision.conditions:
        assert item.klass in "DIX"
        assert item.text
        assert all(isinstance(text, str) for pair in item.inputs for text in pair)


@given(licences, any_facts, times, st.randoms(use_true_random=False))
def test_the_same_facts_in_any_order_give_the_same_decision(licence, facts, at_ms, random):
    shuffled = list(facts.papers)
    random.shuffle(shuffled)
    again = replace(
        facts,
        papers=tuple(shuffled),
        used=dict(reversed(list(facts.used.items()))),
        discharge=dict(reversed(list(facts.discharge.items()))),
    )
    assert decide(licence, REGIMES, facts, at_ms) == decide(licence, REGIMES, again, at_ms)


@given(licences, any_facts, times, st.sampled_from([item.name for item in fields(Facts)]))
def test_what_becomes_unknown_never_looks_better(licence, facts, at_ms, name):
    if name == "papers":
        return
    before = results(licence, facts, at_ms)
    after = results(licence, replace(facts, **{name: EMPTY.get(name)}), at_ms)
    for code in before:
        if name == "plateau" and code == "element-group":
            assert code not in after
        elif name in ("vouched", "serial"):
            assert severity(after[code]) >= severity(min(before[code], PASS)) or (
                after[code] == INSUFFICIENT
            )
            assert after[code] != PASS or before[code] == PASS
        else:
            assert after[code] in (before[code], INSUFFICIENT)


@given(times)
def test_nothing_known_passes_nothing_that_needs_to_be_known(at_ms):
    nothing = results(LICENCE, Facts(), at_ms)
    passed = {code for code, result in nothing.items() if result == PASS}
    assert passed <= {"rule:test/1", "duty:usage report", "duty:commissioning report"}


@given(licences, any_facts, times)
def test_no_condition_that_sensors_cannot_see_passes_without_a_vouched_paper(licence, facts, at_ms):
    bare = replace(facts, papers=tuple(Vouched(item.paper, None) for item in facts.papers))
    for item in decide(licence, REGIMES, bare, at_ms).conditions:
        if item.klass == "X" and item.waived is None:
            assert item.result != PASS or item.code in ("vouched", "rule:test/1"), item
    for item in decide(licence, REGIMES, facts, at_ms).conditions:
        if item.klass == "X" and item.result == PASS and item.code != "rule:test/1":
            digests = {known.paper.sha256 for known in facts.papers if known.by}
            assert {licence.sha256, *digests} & {text for _, text in item.inputs}, item


@given(licences, any_facts, times, st.sampled_from(list(RESTRICTIONS)))
def test_a_further_restriction_makes_nothing_better(licence, facts, at_ms, name):
    ends = name in ("an earlier end", "a revocation")
    waived = () if ends else licence.waivers
    for base in (replace(licence, waivers=waived), replace(BARE, waivers=waived)):
        before = decide(base, REGIMES, facts, at_ms)
        after = decide(RESTRICTIONS[name](base), REGIMES, facts, at_ms)
        assert after.result == FAIL or before.result != FAIL
        found = {item.code: item.result for item in after.conditions}
        for item in before.conditions:
            # What ended asks for no report on later months; that it ended is a FAIL of its own.
            if not (ends and item.code.startswith("duty:")):
                assert severity(found[item.code]) >= severity(item.result), item


@given(any_facts, times, waivers, waivers)
def test_a_waiver_hides_no_other_condition(facts, at_ms, some, more):
    named = {item.condition for item in some}
    added = tuple(item for item in more if item.condition not in named)
    before = decide(replace(LICENCE, waivers=some), REGIMES, facts, at_ms)
    after = decide(replace(LICENCE, waivers=(*some, *added)), REGIMES, facts, at_ms)
    waived = {item.condition for item in added}
    assert [item for item in before.conditions if item.code not in waived] == [
        item for item in after.conditions if item.code not in waived
    ]
    for item in after.conditions:
        if item.waived is not None:
            assert facts.vouched is not None
            assert item.code in waived | named


@given(
    st.sampled_from(list(BASE_UNITS)),
    st.fractions(0, 10_000),
    st.fractions(0, 10_000),
    amounts,
    st.integers(0, HOUR_MS),
    st.integers(0, HOUR_MS),
)
def test_quotas_are_monotone_in_use_and_limit(quantity, limit, less, used, low, high):
    item = Quota(quantity, limit, "month", "hcl" if quantity == "reagent-kg" else "")
    tighter = replace(item, limit=min(limit, less))
    more = Used(used.low + low, used.high + max(low, high), used.agree)
    first = severity(quota(item, used).result)
    assert severity(quota(tighter, used).result) >= first
    assert severity(quota(item, more).result) >= first
    assert quota(item, None).result == INSUFFICIENT


@given(
    st.integers(ms("2026-10-01"), ms("2028-01-01")),
    st.integers(0, 400 * DAY_MS),
    st.integers(0, 400 * DAY_MS),
    st.integers(0, HOUR_MS),
    st.none() | st.integers(ms("2026-10-01"), ms("2028-01-01")),
    st.sampled_from("SU"),
)
def test_dates_are_monotone(at_ms, later, earlier, grace_ms, revoked_ms, clock):
    facts = replace(GOOD, clock=clock)
    narrow = replace(
        LICENCE,
        from_ms=LICENCE.from_ms + later,
        to_ms=LICENCE.to_ms - earlier,
        grace_ms=LICENCE.grace_ms - grace_ms,
        revoked_ms=revoked_ms,
    )
    before, after = (in_force(item, facts, at_ms).result for item in (LICENCE, narrow))
    assert severity(after) >= severity(before)


@given(st.lists(st.integers(ms("2026-10-01"), ms("2028-01-01")), max_size=5), times, times)
def test_a_report_that_is_late_stays_late(filed, one, other):
    first, second = sorted((one, other))
    facts = replace(GOOD, reports={"usage report": tuple(filed)})
    for code in ("duty:usage report", "duty:commissioning report"):
        before, after = (results(LICENCE, facts, at_ms)[code] for at_ms in (first, second))
        assert severity(after) >= severity(before)


volumes = st.builds(lambda a, b: Bounds(a, a + b), st.integers(0, 10**9), st.integers(0, 10**6))
shares = st.builds(
    lambda a, b: Bounds(Fraction(a, 10), Fraction(a + b, 10)),
    st.integers(0, 3000),
    st.integers(0, 100),
)


@given(volumes, shares, volumes)
def test_mass_by_two_ways_is_bounded_by_both_or_they_contradict(volume_ml, assay_g_l, base_mmol):
    assayed, based = reo_by_assay(volume_ml, assay_g_l), reo_by_base(base_mmol)
    found = cross_checked(assayed, based)
    assert found.low <= found.high
    if found.agree:
        assert found.low >= max(assayed.low, based.low)
        assert found.high <= min(assayed.high, based.high)
    else:
        assert assayed.high < based.low or based.high < assayed.low
        assert found.low == min(assayed.low, based.low)
        assert found.high == max(assayed.high, based.high)


def test_mass_of_a_known_feed():
    # 1,000 L at 100 g/L hold 100 kg; Nd2O3 weighs 336.481 g/mol, so 100 kg hold 594.387 mol Nd,
    # which three equivalents of base each carry: 1,783.161 mol.
    feed = reo_by_assay(Bounds(1_000_000, 1_000_000), Bounds(100, 100))
    assert feed == Used(100_000_000, 100_000_000)
    base = reo_by_base(Bounds(1_783_161, 1_783_162), ["Nd"])
    assert abs(base.low - 100_000_000) < 200
    assert base.low <= base.high
    assert cross_checked(feed, Used(90_000_000, 110_000_000)).agree
    assert not cross_checked(feed, Used(120_000_000, 130_000_000)).agree


def test_the_strategies_reach_every_result():
    seen = set()
    for change in ({}, {"serial": "SN-2"}, {"serial": None}):
        seen.add(decide(LICENCE, REGIMES, replace(GOOD, **change), AT_MS).result)
    assert seen == {PASS, FAIL, INSUFFICIENT}
    assert FULL.count("[[quotas]]") == len(LICENCE.quotas)
