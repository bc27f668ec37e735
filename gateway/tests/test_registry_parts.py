"""The registry's pure parts: names that may be one party, JSON as TOML, how long papers stay."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.errors import ConfigError
from raffinate.licence.document import parse_licence
from raffinate.licence.papers import KINDS, parse_paper
from raffinate.licence.registrar import AHEAD_MS_MAX, check_dates, listed, parse_any
from raffinate.licence.retention import events_of, retained_until
from raffinate.licence.shipped import shipped_files, shipped_regimes
from raffinate.registry.json_toml import DATE_KEYS, json_to_toml
from raffinate.registry.names import SCORE_MIN, Name, suggest
from raffinate.registry.shown import visible
from registry_papers import LICENCE, party
from test_papers import GOOD


def ms(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def score(asked, known):
    found = suggest(asked, [Name(known, "p", "party")])
    return found[0].score if found else 0


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("MAGNET WORKS GMBH", "Magnet Works Ltd."),
        ("Magnet-Works G.m.b.H.", "Magnet Works"),
        ("Müller Magnete AG", "Mueller Magnete"),
        ("Muller Magnete", "Müller Magnete AG"),
        ("Société Générale d'Aimants S.A.", "societe generale d aimants"),
        ("Ｍａｇｎｅｔ　Ｗｏｒｋｓ", "magnet works"),  # noqa: RUF001
        ("磁铁制造有限公司", "磁铁制造股份有限公司"),
        ("株式会社磁石", "磁石"),
        ("Straße Söhne", "Strasse Soehne KG"),
        ("Aimants S.p.A.", "Aimants"),
    ],
)
def test_forms_case_accents_and_width_do_not_tell_names_apart(asked, known):
    assert score(asked, known) == 100


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("Works Magnet", "Magnet Works"),
        ("Magnet Wroks", "Magnet Works"),
        ("Northern Magnet Works", "Magnet Works"),
        ("磁铁制造厂", "磁铁制造"),
        ("General Admin. of Customs of the PRC", "General Administration of Customs"),
    ],
)
def test_likely_names_are_suggested_below_100(asked, known):
    assert SCORE_MIN <= score(asked, known) < 100


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("Alpha Ltd", "Beta Ltd"),
        ("有限公司", "磁铁制造有限公司"),
        ("!!!", "Magnet Works"),
        ("", "a"),
    ],
)
def test_others_are_not(asked, known):
    assert score(asked, known) == 0


def test_suggestions_are_few_ordered_and_one_a_party():
    names = [Name(f"Magnet Works {n}", f"p{n}", "party") for n in range(30)]
    names += [Name("Magnet Works", "mw", "party"), Name("Magnet Wrks", "mw", "party")]
    found = suggest("Magnet Works", names)
    assert len(found) == 10
    assert (found[0].name.party, found[0].score) == ("mw", 100)
    assert [item.name.party for item in found].count("mw") == 1
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=5))
def test_any_names_give_scores_between_the_least_and_100(asked, known):
    found = suggest(asked, [Name(text, str(at), "party") for at, text in enumerate(known)])
    assert all(SCORE_MIN <= item.score <= 100 for item in found)


def as_json_value(value):
    if isinstance(value, (date, datetime)):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: as_json_value(item) for name, item in value.items()}
    return [as_json_value(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_paper_can_come_as_json(kind):
    value = tomllib.loads(GOOD[kind])
    text = json.dumps(as_json_value(value))
    data = json_to_toml("p.json", text.encode())
    assert tomllib.loads(data.decode()) == value
    assert parse_paper("p", data).members == parse_paper("p", GOOD[kind].encode()).members
    assert json_to_toml("p.json", text.encode()) == data


def test_a_date_is_one_only_under_the_key_of_a_date():
    data = json_to_toml("p.json", b'{"at": "2026-11-01", "contract": "2026-11-01", "to": "mw"}')
    assert data == b'at = 2026-11-01\ncontract = "2026-11-01"\nto = "mw"\n'
    assert json_to_toml("p", b'{"at": "2026-13-01"}') == b'at = "2026-13-01"\n'
    assert b"1970" not in json_to_toml("p", b"{}")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": null}', "a is null; leave the key out"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1, "a": 2}', "a stands twice"),
        (b"[1]", "no object"),
        (b'{"a": [[1]]}', "a list has values"),
        (b'{"a": "\\ud800"}', "half of a character"),
        (b'{"a": ', "no document in JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a":' * 5000, "no document in JSON"),
        (b'{"a":' * 20 + b"1" + b"}" * 20, "tables are over 16 deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no document in JSON"),
        (b" " * 300_000, "at most 262144"),
    ],
)
def test_json_that_makes_no_document_is_refused_in_words(data, said):
    with pytest.raises(ConfigError, match=said) as caught:
        json_to_toml("p.json", data)
    assert str(caught.value).startswith("p.json: ")
    assert len(str(caught.value)) < 500


KEYS = st.text(max_size=6) | st.sampled_from(sorted(DATE_KEYS))
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    SCALARS | TEXTS | st.lists(SCALARS | TEXTS, max_size=3),
    lambda inner: (
        st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(st.dictionaries(KEYS, inner, max_size=2), min_size=1, max_size=2)
    ),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_json_says_its_toml_says_too(value):
    data = json_to_toml("p", json.dumps(value).encode())
    assert as_json_value(tomllib.loads(data.decode())) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_toml_or_the_one_error(data):
    try:
        tomllib.loads(json_to_toml("p", data).decode())
    except ConfigError as error:
        assert str(error).startswith("p: ")  # noqa: PT017


def test_papers_stay_until_the_latest_event_and_the_longest_rule():
    licence = parse_licence("l", LICENCE.format(number="L-1").encode())
    other = parse_licence(
        "o", LICENCE.format(number="L-2").replace("SN-0", "SN-9").replace("2026-12", "2040-12")
        .encode(),
    )  # fmt: skip
    paper = parse_paper("p", GOOD["work-order"].replace("SN-1001", "SN-0").encode())
    added_ms = ms("2026-11-05")
    events = events_of(paper, added_ms, [licence, other])
    assert events["licensed-activity-end"] == ms("2026-12-01")
    assert events["transaction-end"] == added_ms
    assert events_of(None, added_ms, [licence, other])["licensed-activity-end"] == ms("2040-12-01")
    until_ms, rule = retained_until(events, shipped_regimes())
    assert until_ms == max(
        retained_until(events, [regime])[0]
        for regime in shipped_regimes()
        if retained_until(events, [regime])[0] is not None
    )
    assert until_ms >= ms("2031-12-01")
    assert "keeps it 5 years, until 2031-12-31" in rule
    assert retained_until(events, [])[0] is None


def test_a_later_event_never_shortens_retention():
    short = events_of(parse_paper("p", party()), ms("2026-11-05"), [])
    long = events_of(parse_paper("p", party()), ms("2029-11-05"), [])
    regimes = shipped_regimes()
    assert retained_until(long, regimes)[0] > retained_until(short, regimes)[0]


def test_nothing_of_a_document_moves_the_cursor_or_turns_the_writing():
    assert visible("# 磁铁\t\x9b2J\u202egnitirw\r\n") == "# 磁铁\t\\u009b2J\\u202egnitirw\\u000d\n"


def test_files_are_told_apart_by_what_they_are():
    regime = next(iter(shipped_files().values()))
    assert listed(parse_any("r", regime)).kind == "regime"
    assert listed(parse_any("l", LICENCE.format(number="L-1").encode()))[:3] == (
        "licence",
        "L-1",
        1,
    )
    assert listed(parse_any("p", party()))[:3] == ("party", "mw", 1)


@pytest.mark.parametrize("kind", ["acknowledgement", "visit", "report", "assay", "lot"])
def test_what_happens_in_the_future_is_refused(kind):
    document = parse_any("p", GOOD[kind].encode())
    happened = {"acknowledgement": "at", "visit": "at", "report": "filed", "assay": "sampled"}
    at_ms = getattr(document.members, f"{happened.get(kind, 'produced')}_ms")
    assert check_dates(document, at_ms - AHEAD_MS_MAX) is document
    with pytest.raises(ConfigError, match="in the future"):
        check_dates(document, at_ms - AHEAD_MS_MAX - 1)


def test_a_signature_of_the_future_is_refused():
    text = GOOD["end-user-certificate"].replace("issued = 2026-11-01\n", "")
    document = parse_any("p.toml", text.encode())
    assert check_dates(document, ms("2026-10-30")) is document
    with pytest.raises(ConfigError, match=r"signed is 2026-10-30, in the future"):
        check_dates(document, ms("2026-10-28"))
