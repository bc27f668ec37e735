"""Papers: every kind, what each refuses and in which words, sets of them, any bytes."""

from __future__ import annotations

import re
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.errors import ConfigError
from raffinate.licence.papers import (
    KINDS,
    PAPER_BYTES_MAX,
    Amount,
    Content,
    Paper,
    check_set,
    parse_paper,
)

DAY_MS = 86_400_000
NOV_1_MS = 1_793_491_200_000
CERTIFICATE = """
kind = "end-user-certificate"
id = "EUC-2026-7"
issued = 2026-11-01
end_user = "magnet-works"
signed_by = "A. Buyer, director"
signed = 2026-10-30
contract = "C-88"
end_use = "sintered magnets for wind turbines"
commitments = ["no-retransfer", "no-military-use"]
equipment = ["SN-1001"]
elements = ["Nd", "Pr"]
from = 2026-11-01
to = 2027-10-31
"""
PARTY = """
kind = "party"
id = "magnet-works"
names = ["Magnet Works GmbH", "磁铁制造有限公司"]
aliases = ["MWG"]
country = "DE"
addresses = ["Ringstr. 1, Examplestadt"]
"""
LOT = """
kind = "lot"
id = "LOT-17"
element = "Nd"
compound = "Nd2O3"
purity_percent = 99.95
mass = 12.5
unit = "kg"
produced = 2026-11-02
destination = "DE"
end_user = "magnet-works"
end_use = "magnets"
share_percent = 0.1
"""
ASSAY = """
kind = "assay"
id = "A-3"
of = "stream"
subject = "e01/feed"
laboratory = "Lab of examples"
sampled = 2026-11-01T06:00:00+08:00
reo_g_per_l = 210.5
[[contents]]
element = "Nd"
mass_fraction = 0.72
purity_percent = 99.5
[[contents]]
element = "Pr"
mass_fraction = 0.28
"""
OTHERS = {
    "work-order": 'equipment = "SN-1001"\nactivity = "repair"\nwho = "crew 2"\nfrom = 2026-11-03',
    "reagent": 'name = "HCl"\nquantity = 3\nunit = "m3"\nfrom = 2026-11-01\nto = 2026-11-30',
    "approval": 'what = "line upgrade"\nby = "Ministry"\nfrom = 2026-11-01\nto = 2026-12-31',
    "acknowledgement": 'of = "grace"\nby = "shift lead"\nat = 2026-11-01T10:00:00Z',
    "parameters": (
        'subject = "SN-1001"\nelement = "Dy"\npurity_percent = 99.99\n'
        '[[values]]\nname = "rotor"\nnumber = 2800\nunit = "rpm"\n'
        '[[values]]\nname = "material"\ntext = "PVDF"'
    ),
    "screening": 'list = "Examples list"\nat = 2026-11-01\ndenied = ["Foo Ltd"]\ncleared = "mw"',
    "transfer": 'to = "magnet-works"\nat = 2026-11-09\nlots = ["LOT-17"]',
    "visit": 'by = "Ministry"\nat = 2026-11-20\nresult = "no remark"',
    "report": 'licence = "EX-1"\nduty = "monthly use"\nto_whom = "Ministry"\nfiled = 2026-12-05',
}
GOOD = {
    "end-user-certificate": CERTIFICATE,
    "party": PARTY,
    "lot": LOT,
    "assay": ASSAY,
    **{kind: f'kind = "{kind}"\nid = "x-1"\n{text}\n' for kind, text in OTHERS.items()},
}


def parse(text, file="p.toml"):
    return parse_paper(file, text.encode())


def refused(text):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


def test_every_kind_has_an_example_here_and_is_read():
    assert set(GOOD) == set(KINDS)
    for kind, text in GOOD.items():
        paper = parse(text)
        assert (paper.kind, paper.version, paper.replaces) == (kind, 1, None)
        assert paper.sha256 == sha256(text.encode()).hexdigest()


def test_members_are_exact_and_days_are_whole():
    lot = parse(LOT).members
    assert (lot.purity_percent, lot.share_percent) == (Fraction(1999, 20), Fraction(1, 10))
    assert lot.mass == Amount(Fraction(25, 2), "kg")
    assert lot.mass.base == 12_500
    certificate = parse(CERTIFICATE)
    assert certificate.issued_ms == NOV_1_MS
    assert certificate.members.from_ms == NOV_1_MS
    assert certificate.members.to_ms == NOV_1_MS + 365 * DAY_MS
    assay = parse(ASSAY).members
    assert assay.sampled_ms == NOV_1_MS - 2 * 3_600_000
    assert assay.contents[0] == Content("Nd", Fraction(18, 25), Fraction(199, 2))
    assert parse(GOOD["reagent"]).members.quantity.base == 3_000_000
    assert not parse(GOOD["reagent"]).members.quantity.is_mass
    assert parse(GOOD["parameters"]).members.values[1].value == "PVDF"


@pytest.mark.parametrize(
    ("text", "change", "line", "said"),
    [
        (CERTIFICATE, ("elements = [", 'elements = ["Xx", '), 12, "did you mean|known are"),
        (CERTIFICATE, ("2027-10-31", "2026-10-31"), 14, "not after from"),
        (CERTIFICATE, ('["SN-1001"]', '["SN-1001", "SN-1001"]'), 11, "twice; remove one"),
        (CERTIFICATE, ("no-retransfer", "no-retransfers"), 10, "did you mean no-retransfer"),
        (CERTIFICATE, ("signed = 2026-10-30\n", ""), None, "signed is missing"),
        (CERTIFICATE, ("end_use =", "enduse ="), None, "is enduse meant"),
        (CERTIFICATE, ("2026-10-30", "2026-10-30T10:00:00"), 7, "has no zone"),
        (CERTIFICATE, ("2026-10-30", '"30.10.2026"'), 7, "without quotes"),
        (PARTY, ('"DE"', '"Germany"'), 6, "1 to 2"),
        (PARTY, ('"DE"', '"de"'), 6, "capital letters"),
        (PARTY, ("Magnet Works", "Magnet\u202eskroW"), 4, "U\\+202E, which nobody sees"),
        (PARTY, ("Magnet Works", "Magnet\u3000Works"), 4, "a plain space"),
        (LOT, ('unit = "kg"', 'unit = "lb"'), 8, "lb.* unknown; known are g, kg, t"),
        (LOT, ("99.95", "100.5"), 6, "from 0 to 100"),
        (LOT, ("99.95", "nan"), 6, "out of range|NaN"),
        (LOT, ("99.95", "1e-999999999"), 6, "from 0 to 100"),
        (LOT, ("99.95", '"99.95"'), 6, "no quotes"),
        (LOT, ('id = "LOT-17"\n', ""), None, "id is missing; add it"),
        (LOT, ('id = "LOT-17"', 'id = "Lot 17"'), 3, "A-Z, a-z, 0-9"),
        (LOT, ('id = "LOT-17"', 'id = "x"\nversion = 2'), 4, "SHA-256 of the one before"),
        (ASSAY, ("mass_fraction = 0.28", "mass_fraction = 0.29"), 9, "more than 1 together"),
        (ASSAY, ('"Pr"', '"Nd"'), 14, "stands here twice"),
        (PARTY, ("country", "attachments = 3\ncountry"), 6, "tables under"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_key_and_remedy(text, change, line, said):
    assert change[0] in text
    message = refused(text.replace(*change, 1) if change[0] != '"Pr"' else text.replace(*change))
    place = "p.toml: " if line is None else f"p.toml line {line}: "
    assert message.startswith(place), message
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PARTY.encode("utf-16"), "UTF-16"),
        (PARTY.encode("utf-16-le"), "UTF-16"),
        (PARTY.encode("gbk"), "line 4: not UTF-8"),
        (b"\xef\xbb\xbf" + PARTY.encode(), "byte order mark"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (b"a = " + b"9" * 5000, "out of range"),
        (b"kind = 0x" + b"f" * 5000, "kind"),
        (b"x" * (PAPER_BYTES_MAX + 1), "at most 65536"),
        (b"", "kind is missing"),
        (b"a" + b".a" * 32_000 + b" = 1", "dots"),
        (b"kind = 'party'\nkind = 'lot'\n", "not TOML"),
        (b'kind = "tax"\n', "unknown; known are"),
    ],
)
def test_other_encodings_and_floods_get_words(data, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_paper("p.toml", data)
    assert str(caught.value).startswith("p.toml")
    assert len(str(caught.value)) < 1000


def test_a_set_refuses_one_number_twice_and_broken_successions():
    first = parse(LOT, "one.toml")
    check_set([first, parse(LOT, "again.toml"), parse(PARTY)])
    other = parse(LOT.replace("12.5", "13"), "two.toml")
    with pytest.raises(ConfigError, match=r"two.toml: lot LOT-17 version 1 is in one.toml too"):
        check_set([first, other])
    second = parse(f'{LOT}version = 2\nreplaces = "{first.sha256}"\n', "two.toml")
    check_set([second, first])
    with pytest.raises(ConfigError, match="version 1 of lot LOT-17 is missing"):
        check_set([second])
    with pytest.raises(ConfigError, match=f"which is {first.sha256}"):
        check_set([first, parse(f'{LOT}version = 2\nreplaces = "{"0" * 64}"\n', "two.toml")])
    later = parse(f"{LOT}issued = 2026-11-05\n", "one.toml")
    early = f'{LOT}issued = 2026-11-04\nversion = 2\nreplaces = "{later.sha256}"\n'
    with pytest.raises(ConfigError, match="issued before version 1"):
        check_set([later, parse(early, "two.toml")])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_paper_or_the_one_error(data):
    try:
        assert isinstance(parse_paper("p", data), Paper)
    except ConfigError as error:
        assert str(error).startswith("p")  # noqa: PT017


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_a_good_paper_with_any_cut_or_change_is_a_paper_or_the_one_error(kind, data):
    text = GOOD[kind].encode()
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 8))
    changed = text[:at] + data.draw(st.binary(max_size=6)) + text[at + cut :]
    try:
        assert parse_paper("p", changed).sha256 == sha256(changed).hexdigest()
    except ConfigError as error:
        assert str(error).startswith("p")  # noqa: PT017


@given(
    st.dictionaries(
        st.sampled_from(("id", "names", "country", "aliases", "zz", "version", "attachments")),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3),
        ),
        max_size=5,
    )
)
def test_a_party_of_any_values_is_a_paper_or_the_one_error(values):
    lines = ['kind = "party"']
    for name, value in values.items():
        lines.append(f"{name} = {_toml(value)}")
    try:
        parse("\n".join(lines))
    except ConfigError as error:
        assert str(error).startswith("p.toml")  # noqa: PT017


def _toml(value):
    if isinstance(value, bool) or value is None:
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "").replace("\n", "").replace("\r", "") + "'"
