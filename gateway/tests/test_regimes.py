"""Regimes: what the shipped files say on each day that counts, and what is said of bad files."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raffinate.errors import ConfigError
from raffinate.licence.elements import ELEMENTS, GROUPS
from raffinate.licence.regime import (
    ENDED,
    EVIDENCE,
    EXPIRED_RULE,
    IN_FORCE,
    NOT_YET,
    STATES,
    SUSPENDED,
    UNKNOWN,
    find,
    kept_until_ms,
    listed_elements,
    parse_regime,
    standing,
    standings,
    weakest,
)
from raffinate.licence.regime_file import REGIME_BYTES_MAX
from raffinate.licence.shipped import shipped_files, shipped_regimes

FILES = shipped_files()
CHINA = parse_regime("cn-mofcom-2025.toml", FILES["cn-mofcom-2025"])
OCTOBER = ("55", "56", "57", "58", "61/1-1", "61/1-2", "61/1-3", "62")
SHIPPED = shipped_regimes()
DAY_MS = 86_400_000


def on(day, regime=CHINA):
    """Standings on a day, by the part of the reference after the regime's id."""
    at_ms = regime.day_ms(date.fromisoformat(day))
    return {found.instrument.ref.partition("/")[2]: found for found in standings([regime], at_ms)}


def states(day, names=("18", *OCTOBER)):
    found = on(day)
    return [found[name].word for name in names]


def small(**changes):
    """A regime file of one rule; a change to None removes its line."""
    lines = {
        "v": "1",
        "id": '"r"',
        "title": '"T"',
        "issuer": '"I"',
        "utc_offset": '"+08:00"',
        "as_of": "2026-01-01",
        "review_by": "2026-12-31",
        "sources": '{ s = { title = "S", kind = "primary" } }',
    }
    entry = {
        "number": '"1"',
        "title": '"Rule"',
        "kind": '"rule"',
        "evidence": '"legal"',
        "effect": '"licence"',
        "valid_from": "2026-02-01",
        "sources": '["s"]',
    }
    for name, value in changes.items():
        table = lines if name.startswith("root_") else entry
        table[name.removeprefix("root_")] = value
    text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)
    text += "[[instruments]]\n"
    return text + "".join(f"{key} = {value}\n" for key, value in entry.items() if value is not None)


def parse(text):
    return parse_regime("r.toml", text.encode())


# The Chinese pack, day by day (docs/regimes.md has the same list).


def test_before_4_april_2025_nothing_is_in_force():
    assert set(states("2025-04-03")) == {NOT_YET}
    assert listed_elements(on("2025-04-03").values()) == {}


def test_on_4_april_2025_seven_elements_need_a_licence():
    found = on("2025-04-04")
    assert found["18"].state == IN_FORCE
    assert found["18"].binds
    assert set(listed_elements(found.values())) == {"Sm", "Gd", "Tb", "Dy", "Lu", "Sc", "Y"}
    assert {found[name].state for name in OCTOBER} == {NOT_YET}


def test_a_day_begins_in_the_zone_of_the_issuer():
    begin_ms = CHINA.day_ms(date(2025, 4, 4))
    assert begin_ms == 1_743_696_000_000  # 2025-04-03T16:00:00Z
    (rule,) = find([CHINA], "cn-mofcom-2025/18")
    assert standing(rule, begin_ms - 1).state == NOT_YET
    assert standing(rule, begin_ms).state == IN_FORCE


def test_on_9_october_2025_technology_is_controlled_and_the_rest_announced():
    found = on("2025-10-09")
    assert found["62"].state == found["61/1-3"].state == IN_FORCE
    assert {found[name].state for name in ("55", "56", "57", "58", "61/1-1")} == {NOT_YET}
    assert set(found["62"].instrument.activities) >= {
        "assembly",
        "commissioning",
        "maintenance",
        "repair",
        "upgrade",
    }
    assert on("2025-10-08")["62"].state == NOT_YET


def test_on_7_november_2025_what_had_begun_is_suspended():
    found = on("2025-11-07")
    assert found["62"].state == found["61/1-3"].state == SUSPENDED
    assert found["56"].state == NOT_YET
    assert any("No. 70" in why for why in found["56"].why)
    assert on("2025-11-06")["62"].state == IN_FORCE


def test_on_8_november_2025_the_equipment_rule_begins_suspended():
    found = on("2025-11-08")
    assert {found[name].state for name in ("55", "56", "57", "58", "61/1-3", "62")} == {SUSPENDED}
    assert found["18"].state == IN_FORCE
    assert not found["56"].binds
    assert found["56"].evidence == "announced"
    assert found["56"].until_ms == CHINA.day_ms(date(2026, 11, 11))
    assert set(found["56"].sources) > {"chemradar-70"}


def test_through_the_suspension_april_stays_and_october_rests():
    for day in ("2025-12-01", "2026-03-01", "2026-11-10"):
        found = on(day)
        assert found["18"].state == IN_FORCE
        assert {found[name].state for name in OCTOBER} == {SUSPENDED}
        assert not any(item.expired_rule for item in found.values())


def test_from_11_november_2026_nobody_knows_and_no_verdict_may_rest_on_it():
    found = on("2026-11-11")
    for name in OCTOBER:
        assert (found[name].state, found[name].evidence) == (UNKNOWN, "rumoured")
        assert any("extension" in why and "rumoured" in why for why in found[name].why)
        assert any("No. 70" in why for why in found[name].why)
    assert {item.word for item in found.values()} == {EXPIRED_RULE}
    assert not any(item.binds for item in found.values())


def test_today_the_chinese_files_are_past_their_review():
    found = on("2026-11-22")
    assert found["18"].state == IN_FORCE
    assert found["18"].word == EXPIRED_RULE
    assert any("review was due by 2026-11-10" in why for why in found["18"].why)


def test_a_reviewed_extension_makes_it_suspended_again():
    text = FILES["cn-mofcom-2025"].decode().replace('"rumoured"', '"announced"')
    text = text.replace("review_by = 2026-11-10", "review_by = 2027-11-10")
    found = on("2026-11-22", parse(text))
    assert {found[name].word for name in OCTOBER} == {SUSPENDED}
    assert found["18"].word == IN_FORCE


# The fifteen points of what rules must be able to say.


def point(name):
    (found,) = find([CHINA], f"cn-mofcom-2025/{name}")
    return found


def test_points_1_to_4_dates_acts_scope_and_activities():
    assert on("2025-11-10")["truce"].state == UNKNOWN
    assert on("2025-11-11")["truce"].state == ENDED
    obtaining = point("news-obtaining")
    assert obtaining.effect == "licence"
    assert "overseas producers" in obtaining.who
    assert "obtaining" in obtaining.activities
    assert {"technology", "machinery", "equipment", "reagent", "auxiliary-material"} <= set(
        obtaining.items
    )
    assert {"mining", "processing", "magnet-making", "recycling"} <= set(obtaining.steps)
    assert {"assembly", "maintenance", "repair", "commissioning", "upgrade"} <= set(
        obtaining.activities
    )


def test_points_5_and_6_methods_and_growing_element_lists():
    assert point("news-obtaining").methods == ("solvent-extraction", "ion-exchange")
    april, october = set(point("18").elements), set(point("57").elements)
    assert len(april) == 7
    assert len(april | october) == 12


def test_point_7_ban_and_licence_are_both_kept_and_each_names_the_other():
    found = on("2025-12-01")
    assert found["news-ban"].instrument.effect == "ban"
    assert found["news-ban"].conflicts == ("cn-mofcom-2025/18", "cn-mofcom-2025/57")
    assert found["18"].conflicts == ("cn-mofcom-2025/news-ban",)
    assert found["18"].state == IN_FORCE
    assert (found["news-ban"].state, found["news-ban"].binds) == (UNKNOWN, False)
    assert on("2025-09-30")["18"].conflicts == ()


def test_points_8_to_10_goods_thresholds_and_small_amounts():
    assert "synthetic-diamond" in point("55").items
    assert {"lithium-battery", "graphite"} <= set(point("58").items)
    (purity,) = point("news-dual-use").thresholds
    assert (purity.quantity, purity.relation, purity.limit) == (
        "purity-percent",
        "approaching",
        Fraction(999, 10),
    )
    assert purity.requires == ("technical-parameters",)
    (share,) = point("61/1-1").thresholds
    assert (share.quantity, share.limit) == ("value-share-percent", Fraction(1, 10))
    (small_amount,) = point("news-small-amounts").thresholds
    assert (small_amount.quantity, small_amount.limit) == ("any", None)
    assert point("news-small-amounts").requires == ("intended-use",)


def test_points_11_and_12_denials_and_waivers():
    who = {item.who: item.presumption for item in point("news-denial").denials}
    assert who["overseas defence makers"] == "likely-denied"
    assert who["some chip companies"] == "likely-denied"
    assert "prior-approval" in who.values()
    assert {item.kind for item in point("news-waivers").exemptions} == {"exception", "waiver"}


def test_points_13_to_15_environment_names_and_what_no_machine_can_check():
    (duty,) = point("news-environment").duties
    assert duty.concerns == ("toxic-waste", "radioactive-by-product", "discharge")
    assert "商务部" in CHINA.parties[0].aliases
    assert point("news-places").places
    assert point("news-alignment").kind == "opinion"
    assert point("news-alignment").unobservable


def test_technology_has_its_carriers_and_equipment_its_kinds():
    assert {"drawings", "process-parameters", "simulation-data"} <= set(point("62").items)
    assert {"centrifugal-extraction-equipment", "extraction-tank", "roasting-kiln"} <= set(
        point("56").items
    )


def test_every_claim_of_the_chinese_pack_is_of_secondary_sources_and_none_is_called_legal():
    assert {source.kind for source in CHINA.sources.values()} == {"secondary"}
    for item in CHINA.instruments:
        assert item.sources
        assert item.evidence != "legal"


# The other files.


def test_all_shipped_files_are_read_and_the_template_is_no_rule():
    assert set(FILES) == {"cn-mofcom-2025", "us-ear-762", "eu-2021-821", "template"}
    assert {regime.id for regime in SHIPPED} == set(FILES) - {"template"}
    template = parse_regime("template.toml", FILES["template"])
    assert template.template
    assert find([template], "my-regime/1") == ()
    first = template.instruments[0]
    for name in first.__slots__:
        assert getattr(first, name), name


def test_five_years_from_the_latest_event_in_the_united_states():
    (rule,) = find(SHIPPED, "us-ear-762/762.6")
    events = {"export": 1_709_251_200_000, "unlisted": 1_900_000_000_000}  # 2024-03-01T00:00Z
    end_ms = kept_until_ms(rule.retention, events)
    # In Washington that is still 29 February, and 2029 has none: the day after is the later one.
    assert end_ms == 1_867_122_000_000  # 2029-03-02T05:00:00Z
    events["reexport"] = events["export"] + 400 * DAY_MS
    assert kept_until_ms(rule.retention, events) > end_ms
    assert kept_until_ms(rule.retention, {"unlisted": 0}) is None


def test_five_years_from_the_end_of_the_year_in_the_union():
    (rule,) = find(SHIPPED, "eu-2021-821/27")
    assert rule.retention.hold
    end_ms = kept_until_ms(rule.retention, {"export": 1_709_251_200_000})
    assert end_ms == 1_893_452_400_000  # 2029-12-31T23:00:00Z: the year 2030 begins at +01:00


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000_000), st.integers(0, 4_000_000_000_000))
def test_a_further_event_never_shortens_retention(first_ms, second_ms):
    for ref in ("us-ear-762/762.6", "eu-2021-821/27"):
        (rule,) = find(SHIPPED, ref)
        one = kept_until_ms(rule.retention, {"export": first_ms})
        both = kept_until_ms(
            rule.retention, {"export": first_ms, "licensed-activity-end": second_ms}
        )
        assert both >= one >= first_ms + 5 * 365 * DAY_MS


# Standing as a function of data and time.


def test_a_rumour_decides_nothing():
    rumoured = parse(small(evidence='"rumoured"')).instruments[0]
    assert standing(rumoured, CHINA.day_ms(date(2026, 6, 1))).state == UNKNOWN
    text = small() + (
        "[[instruments.suspensions]]\nfrom = 2026-03-01\nuntil = 2026-03-31\n"
        'evidence = "rumoured"\nsources = ["s"]\n'
    )
    regime = parse(text)
    (rule,) = regime.instruments
    days = {day: regime.day_ms(date.fromisoformat(day)) for day in ("2026-02-28", "2026-03-01")}
    assert [standing(rule, at_ms).state for at_ms in days.values()] == [IN_FORCE, UNKNOWN]
    assert standing(rule, regime.day_ms(date(2026, 4, 1))).state == IN_FORCE
    assert standing(rule, days["2026-02-28"]).until_ms == days["2026-03-01"]


def test_the_last_day_counts_whole():
    regime = parse(small(valid_to="2026-03-31"))
    (rule,) = regime.instruments
    end_ms = regime.day_ms(date(2026, 4, 1))
    assert standing(rule, end_ms - 1).state == IN_FORCE
    assert standing(rule, end_ms - 1).until_ms == end_ms
    assert standing(rule, end_ms).state == ENDED


def test_the_review_day_counts_whole_and_an_entry_may_have_its_own():
    regime = parse(small(review_by="2026-06-30"))
    (rule,) = regime.instruments
    end_ms = regime.day_ms(date(2026, 7, 1))
    assert not standing(rule, end_ms - 1).expired_rule
    assert standing(rule, end_ms).expired_rule
    assert standing(rule, end_ms).word == EXPIRED_RULE


def test_evidence_is_the_weakest_that_the_state_rests_on():
    text = small() + (
        '[[instruments.suspensions]]\nfrom = 2026-03-01\nevidence = "reported"\nsources = ["s"]\n'
    )
    regime = parse(text)
    found = standing(regime.instruments[0], regime.day_ms(date(2026, 5, 1)))
    assert (found.state, found.evidence, found.until_ms) == (SUSPENDED, "reported", None)
    assert weakest(("legal", "rumoured", "announced")) == "rumoured"


def test_conflicts_reach_across_files():
    one = parse(small(conflicts_with='["other/1"]'))
    other = parse(small(root_id='"other"'))
    at_ms = one.day_ms(date(2026, 5, 1))
    assert [item.conflicts for item in standings([one, other], at_ms)] == [("other/1",), ("r/1",)]
    assert standings([one], at_ms)[0].conflicts == ()


def test_a_number_without_its_limb_names_all_limbs():
    refs = [item.ref for item in find([CHINA], "cn-mofcom-2025/61")]
    assert refs == [f"cn-mofcom-2025/61/1-{limb}" for limb in (1, 2, 3)]
    assert find([CHINA], "cn-mofcom-2025/6") == ()


@settings(deadline=None)
@given(st.integers(-(10**14), 10**14))
def test_every_time_has_one_state_for_every_entry(at_ms):
    for found in standings([CHINA], at_ms):
        assert found.state in STATES
        assert found.why
        assert found.evidence in EVIDENCE
        assert found.until_ms is None or found.until_ms > at_ms
        assert found == standings([CHINA], at_ms)[CHINA.instruments.index(found.instrument)]


def test_a_state_holds_until_the_end_it_names():
    for item in CHINA.instruments:
        at_ms = CHINA.day_ms(date(2025, 4, 1))
        for _ in range(10):
            found = standing(item, at_ms)
            if found.until_ms is None:
                break
            assert standing(item, found.until_ms - 1).state == found.state
            assert standing(item, found.until_ms).state != found.state
            at_ms = found.until_ms
        else:
            pytest.fail("more than ten states")


# Bad files.

BAD = [
    (small(elements='["Nd", "Xx"]'), "line 17: instruments[1].elements is 'Xx', which is unknown"),
    (small(elements='["nd"]'), "is 'nd', which is unknown; known are Ce"),
    (small(valid_to="2026-01-31"), "valid_to is 2026-01-31, before valid_from, 2026-02-01"),
    (small(valid_form="2026-02-01", valid_from=None), "valid_from is missing"),
    (small(colour='"red"'), "instruments[1].colour is no key here"),
    (small(activites='["repair"]'), "did you mean activities?"),
    (small(root_colour='"red"'), "line 9: colour is no key here"),
    (small(activities='["debugging"]'), "is 'debugging', which is unknown; known are assembly"),
    (small(evidence='"sure"'), "evidence is 'sure'"),
    (small(kind='"law"'), "kind is 'law'"),
    (small(valid_from='"2026-02-01"'), "write a day as 2026-11-01, without quotes"),
    (small(valid_from="2026-02-01T00:00:00Z"), "write a day as 2026-11-01, without quotes or time"),
    (small(valid_from="0001-01-01"), "write a day of the years 1971 to 2200"),
    (small(valid_from="9999-12-31"), "write a day of the years 1971 to 2200"),
    (small(valid_from="2026-02-30"), "not TOML"),
    (small(sources='["t"]'), "sources is 't', which is unknown"),
    (small(sources="[]"), "sources has 0 items"),
    (small(root_sources=None), "sources is missing"),
    (
        small(root_sources='{ "a\\u001b[2J" = { title = "S", kind = "primary" } }'),
        "is no name; write 1 to 64",
    ),
    (small(root_sources="{ s = 1 }"), "sources.s must be a table"),
    (small(root_as_of=None), "as_of is missing"),
    (small(root_review_by=None), "review_by is missing"),
    (small(root_review_by="2025-12-31"), "review_by is 2025-12-31, before as_of, 2026-01-01"),
    (small(review_by="2025-12-31"), "before as_of"),
    (small(root_utc_offset='"Asia/Shanghai"'), 'write the issuer\'s zone as "+08:00"'),
    (small(root_utc_offset='"+15:00"'), "utc_offset is '+15:00'"),
    (small(root_v="2"), "v is 2"),
    (small(root_id='"a/b"'), "write it without /"),
    (small(number='"1/2"'), "write it without /"),
    (small(conflicts_with='["9"]'), "names 'r/9', which is not in this file"),
    (small(conflicts_with='["1"]'), "names the entry itself"),
    (small(title='"a\\u202eb"'), "U+202E"),
    (
        small() + small().partition("[[instruments]]")[2].join(("[[instruments]]", "")),
        "second time",
    ),
    (small(thresholds='[{ quantity = "purity-percent", relation = "above" }]'), "limit is missing"),
    (small(thresholds='[{ quantity = "any", relation = "above", limit = inf }]'), "limit is"),
    (
        small(thresholds='[{ quantity = "mass-kg", relation = "above", limit = 1e999999 }]'),
        "limit is",
    ),
    (
        small(exemptions='[{ what = "w", kind = "waiver", evidence = "legal", limit = 1 }]'),
        "limit and quantity belong together",
    ),
    (
        small(suspensions='[{ until = 2026-03-01, evidence = "legal", sources = ["s"] }]'),
        "suspensions[1].from is missing",
    ),
    (
        small(
            suspensions='[{ from = 2026-03-02, until = 2026-03-01, evidence = "legal", '
            'sources = ["s"] }]'
        ),
        "until is 2026-03-01, before from",
    ),
    (small(retention='{ years = 0, counted_from = "event", events = ["e"] }'), "years is 0"),
    (small(retention='{ years = 5, counted_from = "event", events = [] }'), "events has 0 items"),
    (small().partition("[[instruments]]")[0], "instruments is missing"),
    ("", "v is missing"),
    ("a = " + "[" * 3000, "r.toml"),
    ("v = 1" + "0" * 5000, "r.toml"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_bad_file_is_told_in_words(text, said):
    with pytest.raises(ConfigError) as told:
        parse(text)
    assert str(told.value).startswith("r.toml")
    assert said in str(told.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "gbk", "utf-32"])
def test_other_encodings_are_named(encoding):
    data = small(title='"商务部"').encode(encoding)
    with pytest.raises(ConfigError, match="save it"):
        parse_regime("r.toml", data)


def test_a_file_too_long_is_not_read():
    with pytest.raises(ConfigError, match="at most"):
        parse_regime("r.toml", b"#" * (REGIME_BYTES_MAX + 1))


def test_line_ends_of_windows_are_read_and_are_another_file():
    unix, windows = small().encode(), small().replace("\n", "\r\n").encode()
    one, other = parse_regime("r.toml", unix), parse_regime("r.toml", windows)
    assert one.sha256 != other.sha256
    assert one.instruments[0].title == other.instruments[0].title


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_regime_or_a_config_error(data):
    with pytest.raises(ConfigError):
        parse_regime("r.toml", data)


PIECES = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 40), st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(FILES)), PIECES)
def test_a_damaged_file_is_a_regime_or_a_config_error(name, pieces):
    data = FILES[name]
    for at, length, put in pieces:
        place = at % len(data)
        data = data[:place] + put + data[place + length :]
    try:
        found = parse_regime("r.toml", data)
    except ConfigError:
        return
    assert len(standings([found], CHINA.day_ms(date(2026, 1, 1)))) == len(found.instruments) > 0


DAYS = st.dates(date(2024, 1, 1), date(2028, 1, 1))


@settings(deadline=None)
@given(DAYS, st.integers(0, 900), DAYS, st.integers(0, 400), DAYS)
def test_any_dates_give_the_state_that_they_say(start, length, pause, pause_length, day):
    end, pause_end = start + timedelta(length), pause + timedelta(pause_length)
    text = small(valid_from=start, valid_to=end, root_review_by="2199-01-01") + (
        f"[[instruments.suspensions]]\nfrom = {pause}\nuntil = {pause_end}\n"
        'evidence = "legal"\nsources = ["s"]\n'
    )
    regime = parse(text)
    for at_ms in (regime.day_ms(day), regime.day_ms(day) + DAY_MS - 1):
        expected = IN_FORCE
        if day < start:
            expected = NOT_YET
        elif day > end:
            expected = ENDED
        elif pause <= day <= pause_end:
            expected = SUSPENDED
        assert standing(regime.instruments[0], at_ms).state == expected


# Elements.


def test_the_table_of_elements_is_the_seventeen():
    assert len(ELEMENTS) == 17
    numbers = [item.number for item in ELEMENTS.values()]
    assert numbers == [21, 39, *range(57, 72)]
    assert {item.group for item in ELEMENTS.values()} == set(GROUPS)
    masses = [ELEMENTS[symbol].metal_mg_mol for symbol in list(ELEMENTS)[2:]]
    assert all(low < high for low, high in itertools.pairwise(masses))


@pytest.mark.parametrize(
    ("symbol", "oxide", "factor"),
    # Factors from element to oxide as geochemical laboratories print them, to four decimals.
    [
        ("Sc", "Sc2O3", "1.5338"),
        ("Y", "Y2O3", "1.2699"),
        ("La", "La2O3", "1.1728"),
        ("Ce", "CeO2", "1.2284"),
        ("Pr", "Pr6O11", "1.2082"),
        ("Nd", "Nd2O3", "1.1664"),
        ("Sm", "Sm2O3", "1.1596"),
        ("Eu", "Eu2O3", "1.1579"),
        ("Gd", "Gd2O3", "1.1526"),
        ("Tb", "Tb4O7", "1.1762"),
        ("Dy", "Dy2O3", "1.1477"),
        ("Ho", "Ho2O3", "1.1455"),
        ("Er", "Er2O3", "1.1435"),
        ("Tm", "Tm2O3", "1.1421"),
        ("Yb", "Yb2O3", "1.1387"),
        ("Lu", "Lu2O3", "1.1372"),
    ],
)
def test_metal_becomes_oxide_by_the_known_factor(symbol, oxide, factor):
    found = ELEMENTS[symbol]
    assert found.oxide == oxide
    assert abs(found.reo_per_metal - Fraction(factor)) < Fraction(1, 10_000)
