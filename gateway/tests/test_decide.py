"""Every condition of a licence, by table: what makes it PASS, FAIL, INSUFFICIENT, EXPIRED-RULE."""

from __future__ import annotations

from dataclasses import replace

import pytest

from condition_rows import STATED, facts, used
from licence_cases import (
    AT_MS,
    FULL,
    GOOD,
    HOUR_MS,
    MINIMAL,
    REGIME,
    Day,
    certificate,
    licence_of,
    ms,
    outcome,
    paper,
    regime_of,
    report,
    with_papers,
)
from raffinate.licence.decide import EXPIRED_RULE, FAIL, INSUFFICIENT, PASS, decide

ENDS_MS = ms("2027-11-01")
REVOKED = MINIMAL.replace(
    'number = "L-1"',
    f'number = "L-1"\nversion = 2\nreplaces = "{"ab" * 32}"\nrevoked = 2026-12-01T00:00:00Z',
)


@pytest.mark.parametrize(
    ("code", "given", "expected"),
    STATED,
    ids=[f"{number}-{row[0]}-{row[2]}" for number, row in enumerate(STATED)],
)
def test_each_condition_by_table(code, given, expected):
    found = outcome(code, facts=given)
    assert found.result == expected, found
    assert found.text


def test_every_condition_of_the_full_licence_stands_in_the_table_with_pass_and_not_pass():
    decision = decide(licence_of(), (regime_of(),), GOOD, AT_MS)
    assert decision.result == PASS
    codes = [item.code for item in decision.conditions]
    assert len(codes) == len(set(codes))
    shown = {}
    for code, _, result in STATED:
        shown.setdefault(code, set()).add(result)
    others = {"duty:usage report", "rule:test/1", "duty:commissioning report"}
    for code in set(codes) - others:
        assert PASS in shown[code], code
        assert shown[code] & {FAIL, INSUFFICIENT}, code


@pytest.mark.parametrize(
    ("at_ms", "text", "expected", "said"),
    [
        (ms("2026-11-01") - 1, MINIMAL, FAIL, "begins at"),
        (ms("2026-11-01"), MINIMAL, PASS, "in force"),
        (ENDS_MS - 1, MINIMAL, PASS, "in force"),
        (ENDS_MS, MINIMAL, PASS, "in its grace"),
        (ENDS_MS + HOUR_MS - 1, MINIMAL, PASS, "in its grace"),
        (ENDS_MS + HOUR_MS, MINIMAL, FAIL, "it ended"),
        (ms("2026-12-01") - 1, REVOKED, PASS, "in force until 2026-12-01"),
        (ms("2026-12-01"), REVOKED, FAIL, "revoked"),
        (ms("2026-12-04"), MINIMAL + "issued = 2026-12-05\n", PASS, "in force"),
        (ms("2026-12-04") - 1, MINIMAL + "issued = 2026-12-05\n", FAIL, "issued only at"),
        (1 << 62, MINIMAL, FAIL, "it ended"),
        (-(1 << 62), MINIMAL, FAIL, "begins at"),
    ],
)
def test_dates_to_the_millisecond(at_ms, text, expected, said):
    found = outcome("dates", licence_of(text), GOOD, at_ms)
    assert (found.result, found.withholds) == (expected, expected == FAIL)
    assert said in found.text


@pytest.mark.parametrize(
    ("at", "reports", "papers", "expected"),
    [
        ("2026-12-30T23:59", {}, (), PASS),
        ("2026-12-31", {}, (), FAIL),
        ("2026-12-31", None, (), INSUFFICIENT),
        ("2026-12-30", None, (), PASS),
        ("2026-12-31", {"usage report": (ms("2026-12-30T23:59"),)}, (), PASS),
        ("2027-01-15", {"usage report": (ms("2026-12-31"),)}, (), FAIL),
        ("2027-01-15", {"usage report": (ms("2026-11-30"),)}, (), FAIL),
        ("2027-02-01", {"usage report": (ms("2026-12-05"),)}, (), FAIL),
        ("2027-02-01", {"usage report": (ms("2026-12-05"), ms("2027-01-05"))}, (), PASS),
        ("2026-12-31", {}, (report("usage report", "2026-12-05"),), PASS),
        ("2026-12-31", {}, (report("usage report", "2026-12-05", vouched=None),), INSUFFICIENT),
        ("2026-12-31", {}, (report("usage report", "2026-12-05", licence="L-9"),), FAIL),
        ("2026-12-31", {}, (report("another report", "2026-12-05"),), FAIL),
    ],
)
def test_monthly_reports_fall_due_thirty_days_after_each_month(at, reports, papers, expected):
    given = replace(with_papers(*papers), reports=reports)
    found = outcome("duty:usage report", facts=given, at_ms=ms(at))
    assert found.result == expected, found


@pytest.mark.parametrize(
    ("at", "reports", "expected"),
    [
        ("2026-12-15T23:59", {}, PASS),
        ("2026-12-16", {}, FAIL),
        ("2026-12-16", None, INSUFFICIENT),
        ("2026-12-16", {"commissioning report": (ms("2026-12-15T20:00"),)}, PASS),
        ("2027-03-01", {"commissioning report": (ms("2026-12-16"),)}, FAIL),
    ],
)
def test_a_single_report_is_due_by_the_end_of_its_day(at, reports, expected):
    given = facts(reports=reports)
    found = outcome("duty:commissioning report", facts=given, at_ms=ms(at))
    assert found.result == expected, found


def test_one_report_does_not_answer_two_due_dates():
    every = FULL.replace('every = "month"', 'every = "month"\nwithin_days = 90')
    at_ms = ms("2027-04-02")
    once, twice = (ms("2027-01-02"),), (ms("2027-01-02"), ms("2027-01-03"))
    for filed, expected in ((once, FAIL), (twice, PASS)):
        given = facts(reports={"usage report": filed})
        assert outcome("duty:usage report", licence_of(every), given, at_ms).result == expected


@pytest.mark.parametrize(
    ("every", "last_good"), [("month", "2026-12-30"), ("quarter", "2027-01-30"),
                             ("year", "2027-01-30")],
)  # fmt: skip
def test_periods_of_reports_are_calendar_periods(every, last_good):
    licence = licence_of(FULL.replace('every = "month"', f'every = "{every}"'))
    given = facts(reports={})
    late_ms = ms(last_good) + 24 * HOUR_MS
    assert outcome("duty:usage report", licence, given, late_ms - 1).result == PASS
    assert outcome("duty:usage report", licence, given, late_ms).result == FAIL


RULES = {
    "in force": (REGIME, PASS, "in-force"),
    "not yet": (REGIME.replace("2026-01-01", "2027-01-01"), PASS, "not-yet"),
    "ended": (REGIME + "valid_to = 2026-11-30\n", PASS, "ended"),
    "suspended": (
        REGIME
        + '[[instruments.suspensions]]\nfrom = 2026-11-07\nuntil = 2027-11-10\ninstrument = "2"\n'
        'evidence = "announced"\nas_of = 2026-10-01\nsources = ["text"]\n',
        PASS,
        "suspended",
    ),
    "past its review": (
        REGIME.replace("review_by = 2027-10-01", "review_by = 2026-12-09"),
        EXPIRED_RULE,
        "its review was due by 2026-12-09",
    ),
    "only rumoured": (REGIME.replace('"legal"', '"rumoured"'), INSUFFICIENT, "unknown"),
    "absent": (REGIME.replace('number = "1"', 'number = "9"'), INSUFFICIENT, "no regime"),
}
OTHER = """
[[instruments]]
number = "ban"
title = "It is banned"
kind = "report"
evidence = "reported"
effect = "ban"
valid_from = 2026-01-01
conflicts_with = ["1"]
sources = ["text"]
"""


@pytest.mark.parametrize("name", RULES)
def test_the_state_of_a_rule_on_the_day(name):
    text, expected, said = RULES[name]
    found = outcome("rule:test/1", regimes=(regime_of(text),))
    assert found.result == expected, found
    assert said in found.text
    assert found.klass == "X"


def test_a_conflict_of_sources_shows_both_and_decides_nothing():
    found = outcome("rule:test/1", regimes=(regime_of(REGIME + OTHER),))
    assert found.result == INSUFFICIENT
    assert ("conflicts with", "test/ban") in found.inputs


def test_a_rules_result_names_version_as_of_and_evidence_level():
    regime = regime_of()
    found = outcome("rule:test/1", regimes=(regime,))
    assert found.rule == f"test/1 as of 2026-10-01, {regime.sha256}"
    assert found.evidence == "legal"


def test_an_expired_rule_makes_the_whole_expired_and_a_fail_is_worse():
    late = (regime_of(RULES["past its review"][0]),)
    licence = licence_of()
    assert decide(licence, late, GOOD, AT_MS).result == EXPIRED_RULE
    assert decide(licence, late, facts(vouched=None), AT_MS).result == EXPIRED_RULE
    assert decide(licence, late, facts(serial="SN-2"), AT_MS).result == FAIL


def test_an_acknowledgement_is_of_one_version_of_one_licence():
    licence = licence_of()
    for digest, of, expected in (
        (licence.sha256, "conditions", PASS),
        ("ab" * 32, "conditions", INSUFFICIENT),
        (licence.sha256, "grace", INSUFFICIENT),
    ):
        taken = paper(
            "acknowledgement", "N-1", of=of, by="operator 7", at=Day("2026-11-02"), licence=digest
        )
        given = replace(with_papers(taken), acknowledged=None)
        assert outcome("acknowledgement", licence, given).result == expected


WAIVER = '\n[[waivers]]\ncondition = "quota:run-h/month"\nuntil = 2026-12-31\nwhy = "trial runs"\n'


def test_a_waiver_in_date_turns_its_condition_green_and_says_so():
    over = used(0, 601 * HOUR_MS, 601 * HOUR_MS)
    licence = licence_of(FULL + WAIVER)
    found = outcome("quota:run-h/month", licence, over)
    assert (found.result, found.waived, found.withholds) == (PASS, "trial runs", False)
    assert "601 h used, more than the limit" in found.text
    assert ("waiver in licence", licence.sha256) in found.inputs
    assert outcome("quota:run-h/month", licence).waived is None
    after = outcome("quota:run-h/month", licence, over, ms("2027-01-01"))
    assert (after.result, after.waived, after.withholds) == (FAIL, None, True)


def test_a_waiver_in_a_licence_that_nobody_vouches_for_turns_nothing_green():
    over = replace(used(0, 601 * HOUR_MS, 601 * HOUR_MS), vouched=None)
    found = outcome("quota:run-h/month", licence_of(FULL + WAIVER), over)
    assert (found.result, found.waived) == (FAIL, None)
    assert "nobody vouches" in found.text


def test_unobservable_conditions_are_recorded_and_those_with_a_document_are_decided():
    decision = decide(licence_of(), (), GOOD, AT_MS)
    assert decision.recorded == ("the end user stays politically aligned",)
    assert "staff are trained" in outcome("document:visit").text


def test_what_withholds_a_start_permit():
    for given, code in (
        (facts(serial="SN-2"), "serial"),
        (facts(newest=False), "version"),
        (facts(stages=("e09",)), "stages"),
        (facts(activity="upgrade"), "activity"),
        (used(0, 601 * HOUR_MS, 601 * HOUR_MS), "quota:run-h/month"),
        (with_papers(without=("approval",)), "document:approval"),
    ):
        withheld = decide(licence_of(), (), given, AT_MS).withheld()
        assert code in [item.code for item in withheld]
    for given in (GOOD, facts(vouched=None), facts(changed=("config",)), facts(reports={})):
        assert not decide(licence_of(), (), given, AT_MS).withheld()


def test_an_x_condition_that_passes_names_the_paper_it_passes_by():
    decision = decide(licence_of(), (regime_of(),), GOOD, AT_MS)
    digests = {item.paper.sha256 for item in GOOD.papers}
    for found in decision.conditions:
        if found.klass == "X" and found.code not in ("vouched", "rule:test/1"):
            assert digests & {value for _, value in found.inputs}, found


def test_classes_are_those_of_the_design():
    direct = ("version", "dates", "serial", "seal", "site", "start", "stages", "sections")
    expected = {
        **dict.fromkeys((*direct, "unchanged", "discharge:o01/ph"), "D"),
        **dict.fromkeys(("quota:run-h/month", "quota:volume-l/day"), "D"),
        "quota:reagent-kg:hcl/licence": "D",
        **dict.fromkeys(("quota:reo-kg/year", "element-group", "activity"), "I"),
        "discharge:o01/radiation": "I",
        **dict.fromkeys(("elements", "purity:Nd", "end-use", "end-user", "screening"), "X"),
        **dict.fromkeys(("no-retransfer", "no-military-use", "no-unlisted-parties"), "X"),
        **dict.fromkeys(("document:approval", "document:visit", "vouched", "rule:test/1"), "X"),
        **dict.fromkeys(("acknowledgement", "duty:usage report"), "D"),
        "duty:commissioning report": "D",
    }
    decision = decide(licence_of(), (regime_of(),), GOOD, AT_MS)
    assert {item.code: item.klass for item in decision.conditions} == expected


def test_a_newer_version_of_a_paper_takes_the_place_of_the_old():
    first = certificate()
    second = certificate(
        name="EUC-1", version=2, replaces=first.paper.sha256, commitments=["no-military-use"]
    )
    given = replace(with_papers(), papers=(*GOOD.papers, second))
    assert outcome("no-retransfer", facts=given).result == INSUFFICIENT


def test_a_version_that_nobody_vouches_for_takes_no_vouched_ones_place():
    forged = certificate(
        version=2, replaces=certificate().paper.sha256, commitments=["site-visits"], vouched=None
    )
    given = replace(GOOD, papers=(*GOOD.papers, forged))
    assert outcome("no-retransfer", facts=given).result == PASS


def test_an_old_licence_of_one_machine_and_its_stages_passes_without_papers():
    decision = decide(licence_of(MINIMAL), (), replace(GOOD, papers=()), AT_MS)
    assert decision.result == PASS
    assert [item.code for item in decision.conditions] == [
        "vouched",
        "version",
        "dates",
        "serial",
        "start",
        "stages",
        "unchanged",
    ]
