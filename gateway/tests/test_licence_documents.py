"""Bad licence files: an error with file, line, key and remedy each, and nothing is half-read."""

from __future__ import annotations

from datetime import UTC, datetime
from tomllib import TOMLDecodeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licence_cases import FULL, MINIMAL, licence_of, ms
from raffinate.errors import ConfigError
from raffinate.licence.document import (
    LICENCE_BYTES_MAX,
    Licence,
    check_set,
    format_licence,
    parse_licence,
)
from raffinate.licence.registrar import check_dates, parse_any
from raffinate.toml_lines import loads

BAD = {
    "missing serial": ('equipment = "SN-1"\n', "", r"licence\.toml: equipment is missing; add it"),
    "empty serial": ('"SN-1"\nst', '""\nst', "line 3: equipment has 0 characters"),
    "end before start": (
        "to = 2027-11-01T00:00:00Z",
        "to = 2026-10-31T23:59:59Z",
        "line 6: to is not after `from`; mend one of the two",
    ),
    "end without zone": ("to = 2027-11-01T00:00:00Z", "to = 2027-11-01", "line 6: to has no zone"),
    "unknown element": ('["Nd", "Pr"]', '["Nd", "Xx"]', r"use\.elements is 'Xx'.*known are Ce"),
    "element by its name": ('element = "Nd"', 'element = "neodymium"', r"products\[1\]\.element"),
    "unknown unit of a quota": ('"run-h"', '"run-d"', r"quotas\[1\]\.quantity .*mean run-h\?"),
    "unknown unit of a limit": ('unit = "pH"', 'unit = "mV"', r"discharge\[1\]\.unit .*unit pH"),
    "unknown period": ('"month"\n\n[[q', '"week"\n\n[[q', r"quotas\[1\]\.period is 'week'"),
    "quota twice": (
        'quantity = "volume-l"\nlimit = 1000\nperiod = "day"',
        'quantity = "run-h"\nlimit = 1000\nperiod = "month"',
        r"quotas\[2\]\.quantity makes a second quota:run-h/month",
    ),
    "negative limit": ("limit = 600", "limit = -1", r"quotas\[1\]\.limit is -1"),
    "limit that is no number": ("limit = 600", "limit = nan", r"quotas\[1\]\.limit"),
    "huge limit": ("limit = 600", "limit = 1e999999999", r"quotas\[1\]\.limit"),
    "limits that cross": ("low = 6", "low = 10", r"discharge\[1\]\.high is below low"),
    "no limit": ("low = 6\nhigh = 9.5\n", "", r"discharge\[1\]\.high is missing, and so is low"),
    "unknown section": ('"scrub"', '"scrubbing"', r"use\.sections .*did you mean scrub\?"),
    "unknown activity": ('"maintenance"]', '"mending"]', r"use\.activities is 'mending'"),
    "unknown document": ('"approval"', '"aproval"', r"requires\[1\].*did you mean approval\?"),
    "document twice": ('"visit"', '"approval"', "makes a second document:approval"),
    "no such condition": ("shows = 2", "shows = 3", r"requires\[2\]\.shows is 3"),
    "unknown key": ("no_retransfer", "no_resale", r"conditions\.no_resale is no key here"),
    "unknown table": ("[parties]", "[party]", "party is no key here; did you mean parties"),
    "duty without date": ('every = "month"\n', "", r"duties\[1\]\.every or due"),
    "duty with two dates": ("due = ", 'every = "year"\ndue = ', r"duties\[2\]\.every or due"),
    "rule without regime": ('"test/1"', '"1"', "rests_on has '1' at place 1; write regime/number"),
    "serial of no machine": ('serial = "SN-1"', 'serial = "SN-7"', r"items\[1\]\.serial is 'SN-7'"),
    "margin beyond limit": ("margin_percent = 0.4", "margin_percent = 99.95", "margin_percent"),
    "issued after the end": ("rests_on", "issued = 2028-01-01\nrests_on", "issued is not before"),
    "version without the one before": ("rests_on", "version = 2\nrests_on", "add replaces"),
    "first version replaces": (
        "rests_on",
        f'replaces = "{"ab" * 32}"\nrests_on',
        "stands in a first version",
    ),
    "revoked first version": (
        "rests_on",
        "revoked = 2026-12-01\nrests_on",
        "revoked ends a version before this one",
    ),
    "number in quotes of the log": ('"L-1"', "'L\"1'", "number cannot stand in the log"),
    "invisible character": ('"magnets"', '"mag\u200bnets"', r"U\+200B"),
    "too many stages": ('["e01", "e02"]', str([f"e{n}" for n in range(97)]), "at most 96"),
    "too many serials": ('"SN-1"\nst', f"{[f'S{n}' for n in range(65)]}\nst", "at most 64"),
    "too many duties": (
        "[conditions]",
        "".join(
            f'[[duties]]\nwhat = "r{n}"\nevery = "year"\nto = "A"\n' for n in range(256)
        )
        + "[conditions]",
        "has 258 tables",
    ),
    "waiver of nothing": (
        "[conditions]",
        '[[waivers]]\ncondition = "quota:run-h/day"\nuntil = 2027-01-01\nwhy = "x"\n[conditions]',
        r"waivers\[1\]\.condition .*did you mean quota:run-h/month\?",
    ),
    "waiver of who vouches": (
        "[conditions]",
        '[[waivers]]\ncondition = "vouched"\nuntil = 2027-01-01\nwhy = "x"\n[conditions]',
        r"waivers\[1\]\.condition is 'vouched', which is unknown",
    ),
    "waiver twice": (
        "[conditions]",
        '[[waivers]]\ncondition = "dates"\nuntil = 2027-01-01\nwhy = "x"\n' * 2 + "[conditions]",
        r"waivers\[2\]\.condition waives dates twice",
    ),
    "not TOML": ("grace_s = 3600", "grace_s 3600", "not TOML: .*line 7"),
    "deep brackets": ("grace_s = 3600", f"grace_s = {'[' * 3000}", "not TOML"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_licence_file_is_refused_whole(name):
    old, new, said = BAD[name]
    assert old in FULL
    with pytest.raises(ConfigError, match=said) as caught:
        licence_of(FULL.replace(old, new, 1))
    assert str(caught.value).startswith("licence.toml")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (FULL.encode("utf-16"), "line 1: it is UTF-16 or no text; save it as UTF-8"),
        (FULL.encode("utf-16-le"), "UTF-16"),
        (FULL.encode("utf-16-be"), "UTF-16"),
        (b"\xef\xbb\xbf" + FULL.encode(), "line 1: it begins with a byte order mark"),
        (FULL.replace("magnets", "Aimants égaux").encode("latin-1"), "line 14: not UTF-8"),
        (FULL.replace("magnets", "磁铁").encode("gbk"), "line 14: not UTF-8 .GBK"),
        (FULL.encode() + b"#" * LICENCE_BYTES_MAX, "at most 65536 are read"),
        (b"", "number is missing"),
        (b"\0", "UTF-16 or no text"),
    ],
)
def test_other_encodings_and_sizes_are_told_apart(data, said):
    with pytest.raises(ConfigError, match=said):
        parse_licence("licence.toml", data)


def test_names_in_any_script_are_read():
    licence = licence_of(FULL.replace('end_user = "magnets"', 'end_user = "包头磁铁有限公司"'))
    assert licence.parties.end_user == "包头磁铁有限公司"


def test_the_full_licence_is_read_whole():
    licence = licence_of()
    assert licence.covers("SN-1")
    assert not licence.covers(None)
    assert [item.code for item in licence.quotas] == [
        "quota:run-h/month",
        "quota:volume-l/day",
        "quota:reo-kg/year",
        "quota:reagent-kg:hcl/licence",
    ]
    assert licence.quotas[3].limit_base == 12_500_000
    assert licence.parties.all() == ("exporter", "works", "magnets", "forwarder")
    assert licence.items[0].parameters == (("stages", "12"), ("seal", "double"))


def test_debugging_is_commissioning():
    text = FULL.replace('"maintenance"]', '"debugging", "commissioning"]')
    assert licence_of(text).use.activities == ("operation", "commissioning")


def test_one_licence_may_cover_several_machines():
    licence = licence_of(MINIMAL.replace('"SN-1"', '["SN-1", "SN-2"]'))
    assert licence.serials == ("SN-1", "SN-2")
    assert licence.covers("SN-2")
    assert licence.equipment == "SN-1, SN-2"


def test_what_is_written_is_read_again():
    data = format_licence(
        "L-9", "Authority", "SN-1", ("e01",), datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2027, 11, 1, tzinfo=UTC), 60, "test",
    )  # fmt: skip
    licence = parse_licence("a.toml", data)
    assert (licence.number, licence.from_ms, licence.purpose) == ("L-9", ms("2026-11-01"), "test")


def test_a_licence_issued_in_the_future_is_refused():
    licence = licence_of(MINIMAL + "issued = 2026-11-23\n")
    assert check_dates(licence, ms("2026-11-22")) is licence
    with pytest.raises(ConfigError, match=r"issued is 2026-11-23, in the future .today is 2026-11"):
        check_dates(licence, ms("2026-11-22") - 1)


def test_an_imported_licence_without_serial_is_told_so():
    for text in (MINIMAL, FULL, 'kind = "single"\n' + MINIMAL):
        with pytest.raises(ConfigError, match=r"equipment is missing; add it"):
            parse_any("a.toml", text.replace('equipment = "SN-1"\n', "").encode())
    with pytest.raises(ConfigError, match=r"number is missing; add it"):
        parse_any("a.toml", MINIMAL.replace('number = "L-1"\n', "").encode())


def named(file: str, text: str) -> Licence:
    return parse_licence(file, text.encode())


def amended(before: Licence, extra: str = "") -> str:
    return MINIMAL + f'version = {before.version + 1}\nreplaces = "{before.sha256}"\n{extra}'


def test_versions_that_name_each_other_stand_together():
    first = named("a.toml", MINIMAL)
    second = named("b.toml", amended(first, "issued = 2026-11-02\n"))
    third = named("c.toml", amended(second, "issued = 2026-11-03\nrevoked = 2026-12-01\n"))
    check_set([third, first, second])
    check_set([first, first])
    assert third.in_force(ms("2026-12-01") - 1)
    assert not third.in_force(ms("2026-12-01"))


FIRST = named("a.toml", MINIMAL + "issued = 2026-10-20\n")


APART = {
    "number of another issuer": (
        [MINIMAL.replace("Authority", "Other authority")],
        "b0.toml: number L-1 of Other authority is a number of Authority too .a.toml",
    ),
    "overlapping versions": (
        [MINIMAL.replace("2027-11-01", "2027-12-01")],
        "b0.toml: version 1 of licence L-1 is in a.toml too, with other bytes, and the two",
    ),
    "two second versions": (
        [amended(FIRST), amended(FIRST, 'purpose = "other"\n')],
        "version 2 of licence L-1 is in b0.toml too",
    ),
    "predecessor missing": (
        [MINIMAL + f'version = 3\nreplaces = "{"ab" * 32}"\n'],
        "version 2 of licence L-1, which it replaces, is not known here; give its file too",
    ),
    "predecessor of other bytes": (
        [MINIMAL + f'version = 2\nreplaces = "{"ab" * 32}"\n'],
        "replaces is not the SHA-256 of version 1 of licence L-1, which is " + FIRST.sha256,
    ),
    "issued before its predecessor": (
        [amended(FIRST, "issued = 2026-10-01\n")],
        "it is issued before version 1 of licence L-1",
    ),
}


@pytest.mark.parametrize("name", APART)
def test_licences_that_cannot_stand_together_are_named(name):
    others, said = APART[name]
    found = [FIRST, *(named(f"b{place}.toml", text) for place, text in enumerate(others))]
    with pytest.raises(ConfigError, match=said):
        check_set(found)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_licence_or_the_one_error(data):
    with pytest.raises(ConfigError):
        parse_licence("a.toml", data)


@given(st.data())
def test_a_damaged_licence_gives_a_licence_or_the_one_error(data):
    text = bytearray(FULL.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=3))
    try:
        found = parse_licence("a.toml", bytes(text))
    except ConfigError as error:
        assert "a.toml" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert found.from_ms < found.to_ms
        assert found.serials


def test_a_key_of_thousands_of_dots_is_refused_in_small_memory():
    with pytest.raises(ConfigError):
        licence_of("a" + ".a" * 30_000 + " = 1\n")


def test_one_long_word_is_read_in_a_step_and_not_in_one_for_each_letter():
    text = 'x = """' + "9" * 500_000 + '\\"' * 250_000 + '"""'
    assert loads(text)["x"].startswith("99")  # sought from every letter, this took an hour
    for key in ("{}", "[{}]", "[[ {} ]]", "x = {{b = 1, {} = 1}}", "x = {{{} = 1}}"):
        with pytest.raises(TOMLDecodeError, match="dots"):
            loads(key.format("a" + ' . "b"' * 32))


@pytest.mark.parametrize("day", ["3000-01-01", "9999-12-31", "9999-12-31T23:59:59.999999Z"])
def test_a_year_to_which_nothing_can_be_added_is_refused(day):
    with pytest.raises(ConfigError, match="write a date of 1970 to 2999"):
        licence_of(f"{MINIMAL}revoked = {day}\n")
