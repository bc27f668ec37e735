"""Use by day: exact where an interval is within one, bounds where it is not, bounded in number."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.audit.ledger import DAY_MS, DAYS_MAX, Amount, Ledger, period
from raffinate.licence.facts import Used
from raffinate.licence.papers import parse_paper
from raffinate.licence.parts import Quota

NOON_MS = 20_778 * DAY_MS + DAY_MS // 2  # 2026-11-21
HOUR_MS = 3_600_000
DAY = Quota("run-h", Fraction(1), "day")
MONTH = Quota("run-h", Fraction(1), "month")


def use(ledger, from_ms, hours, volume_ml=0):
    ledger.add(from_ms, from_ms + HOUR_MS, Amount(round(hours * HOUR_MS), 0, volume_ml))


def used(ledger, quota, at_ms, papers=()):
    assays = [item for item in papers if hasattr(item, "reo_g_per_l")]
    reagents = [item for item in papers if hasattr(item, "flow")]
    return ledger.used(quota, at_ms, assays, reagents)


def test_what_reaches_over_midnight_is_bounded_in_each_day_and_exact_in_the_month():
    ledger = Ledger()
    use(ledger, NOON_MS, 1)
    use(ledger, NOON_MS + 12 * HOUR_MS - HOUR_MS // 2, 0.5)
    assert used(ledger, DAY, NOON_MS) == Used(HOUR_MS, 3 * HOUR_MS // 2)
    assert used(ledger, DAY, NOON_MS + DAY_MS) == Used(0, HOUR_MS // 2)
    assert used(ledger, MONTH, NOON_MS) == Used(3 * HOUR_MS // 2, 3 * HOUR_MS // 2)
    assert list(ledger.times(DAY)) == [20_779 * DAY_MS - 1, 20_780 * DAY_MS - 1]
    assert list(ledger.times(MONTH)) == [20_780 * DAY_MS - 1]


def test_an_interval_that_ends_at_midnight_is_of_its_day():
    ledger = Ledger()
    ledger.add(NOON_MS, 20_779 * DAY_MS, Amount(HOUR_MS))
    assert (sorted(ledger.days), ledger.between) == ([20_778], {})


def test_use_of_unknown_time_bounds_every_calendar_period_from_above_alone():
    ledger = Ledger()
    ledger.add(None, None, Amount(HOUR_MS))
    assert used(ledger, MONTH, NOON_MS) == Used(0, HOUR_MS)
    whole = Quota("run-h", Fraction(1), "licence")
    assert used(ledger, whole, NOON_MS) == Used(HOUR_MS, HOUR_MS)


def test_days_are_bounded_and_what_is_beyond_is_not_lost():
    ledger = Ledger()
    for day in range(DAYS_MAX + 5):
        use(ledger, day * DAY_MS, 1)
    assert len(ledger.days) == DAYS_MAX
    assert (ledger.total().run_ms, ledger.lost.run_ms) == ((DAYS_MAX + 5) * HOUR_MS, 5 * HOUR_MS)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("year", 20_454, 20_818), ("month", 20_758, 20_787), ("day", 20_778, 20_778)],
)
def test_periods_are_of_the_utc_calendar(name, first, last):
    assert period(name, NOON_MS) == (first, last)


@given(st.integers(), st.sampled_from(["licence", "year", "month", "day"]))
def test_any_time_has_a_period_or_none(at_ms, name):
    found = period(name, at_ms)
    if found is not None and name != "licence":
        assert found[0] <= at_ms // DAY_MS <= found[1]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40 * DAY_MS), st.integers(0, 3 * DAY_MS), st.integers(0, 10**6)
        ),
        max_size=30,
    ),
    st.integers(0, 43),
)  # fmt: skip
def test_bounds_hold_whatever_part_of_an_interval_was_run(intervals, day):
    ledger, least, most = Ledger(), 0, 0
    for from_ms, length_ms, run_ms in intervals:
        ledger.add(from_ms, from_ms + length_ms, Amount(run_ms))
        first, last = from_ms // DAY_MS, max(from_ms, from_ms + length_ms - 1) // DAY_MS
        least += run_ms if first == last == day else 0
        most += run_ms if first <= day <= last else 0
    found = used(ledger, DAY, day * DAY_MS)
    assert (found.low, found.high) == (least, most)


def assay(text):
    head = 'kind = "assay"\nid = "F-1"\nof = "stream"\nsubject = "feed"\nlaboratory = "L"\n'
    tail = '[[contents]]\nelement = "Nd"\nmass_fraction = 0.5\n'
    return parse_paper("a.toml", (head + text + "\n" + tail).encode()).members


def test_oxide_takes_the_assays_of_the_day_and_a_day_without_any_is_unknown():
    quota = Quota("reo-kg", Fraction(1), "month")
    ledger = Ledger()
    use(ledger, NOON_MS, 1, 1000)
    use(ledger, NOON_MS + DAY_MS, 1, 1000)
    one = assay("reo_g_per_l = 1.5\nsampled = 2026-11-01\nto = 2026-11-21")
    two = assay("reo_g_per_l = 2.5\nsampled = 2026-11-22")
    assert used(ledger, quota, NOON_MS, [one]) is None
    assert used(ledger, quota, NOON_MS, [one, two]) == Used(4000, 4000)
    wide = assay("reo_g_per_l = 3\nsampled = 2026-11-01")
    assert used(ledger, quota, NOON_MS, [one, two, wide]) == Used(4000, 6000)


def reagent(kg, begin, end):
    text = f'kind = "reagent"\nid = "R-{begin}"\nname = "hcl"\nquantity = {kg}\nunit = "kg"\n'
    return parse_paper("r.toml", f"{text}from = {begin}\nto = {end}\n".encode()).members


def test_a_reagent_is_known_where_papers_leave_no_use_open():
    quota = Quota("reagent-kg", Fraction(10), "month", "hcl")
    ledger = Ledger()
    use(ledger, NOON_MS, 1)
    use(ledger, NOON_MS + DAY_MS, 1)
    first, second = reagent(3, "2026-11-21", "2026-11-21"), reagent(4, "2026-11-22", "2026-11-22")
    assert used(ledger, quota, NOON_MS, []) is None
    assert used(ledger, quota, NOON_MS, [first]) is None
    assert used(ledger, quota, NOON_MS, [first, second]) == Used(7_000_000, 7_000_000)
    much = reagent(11, "2026-11-21", "2026-11-21")
    assert used(ledger, quota, NOON_MS, [much]) == Used(11_000_000, 11_000_000)
    longer = reagent(3, "2026-10-20", "2026-11-22")
    assert used(ledger, quota, NOON_MS, [longer]) == Used(0, 3_000_000)
