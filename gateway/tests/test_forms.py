"""Forms of documents: what a reader asks for, and documents written from what was filled in."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate.errors import ConfigError
from raffinate.licence.document import parse_licence, read_licence
from raffinate.licence.papers import KINDS, parse_paper, read_paper
from raffinate.licence.sketch import Field, _Watched, sketch
from raffinate.licence.table import Table, TableError
from raffinate.licence.writing import ITEMS_MAX, KEYS_MAX, write_document

PAGE = Path(__file__).parents[2] / "docs/formats/papers.md"
DIGEST = "5e" * 32
LOT = {
    "id": "LOT-17",
    "element": "Nd",
    "purity_percent": "99.95",
    "mass": "12.5",
    "unit": "kg",
    "produced": "2026-11-02",
    "destination": "DE",
    "end_use": 'magnets "N52" \\ \u78c1',
    "equipment": ["SN-1", "SN-2"],
    "attachments": [{"name": "analysis.pdf", "sha256": DIGEST}],
}
LICENCE = {
    "number": "L-1",
    "issuer": "Authority",
    "equipment": ["SN-1"],
    "stages": ["e01", "e02"],
    "from": "2026-11-01T00:00:00Z",
    "to": "2027-11-01T00:00:00+08:00",
    "grace_s": "3600",
    "parties": {"exporter": "A", "consignee": "", "intermediaries": ["B"]},
    "use": {"elements": [], "end_use": ""},
    "items": [{"serial": "SN-1", "quantity": "1", "parameters": {"stages": "6"}}],
    "quotas": [{"quantity": "reagent-kg", "limit": "10", "period": "year", "reagent": "HCl"}],
    "conditions": {"no_retransfer": True, "sealed": False},
}


def fields_of(kind: str) -> tuple[Field, ...]:
    return sketch(lambda table: read_paper(table, ""), kind=kind)


LICENCE_FIELDS = sketch(lambda table: read_licence(table, ""))


def test_every_way_to_read_a_key_is_watched() -> None:
    """A reader that a sketch does not know would read nothing, and its keys would have no form."""
    built_on_others = {"span_ms"}
    for name, method in inspect.getmembers(Table, inspect.isfunction):
        if name.startswith("_") or name in built_on_others:
            continue
        assert getattr(_Watched, name) is not method, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_has_the_keys_that_the_documentation_names(kind: str) -> None:
    line = next(text for text in PAGE.read_text().splitlines() if text.startswith(f"| `{kind}` |"))
    words = set(re.findall(r"`([a-z_]+)\??`|`\[\[([a-z_]+)\]\]`", line))
    named = {left or right for left, right in words}
    common = {"id", "version", "replaces", "issuer", "issued", "attachments"}
    fields = {field.name for field in fields_of(kind)} - common
    assert fields <= named, f"docs/formats/papers.md does not name {fields - named}"
    optional = set(re.findall(r"`([a-z_]+)\?`", line))
    inner = {one.name for field in fields_of(kind) for one in field.fields}
    needed = {field.name for field in fields_of(kind) if field.needed} - common
    assert not needed & (optional - inner), needed & optional


def test_a_key_is_needed_only_where_no_choice_does_without_it() -> None:
    by_name = {field.name: field for field in LICENCE_FIELDS}
    quota = {field.name: field for field in by_name["quotas"].fields}
    assert (quota["quantity"].needed, quota["reagent"].needed) == (True, False)
    assert quota["quantity"].choices == ("run-h", "volume-l", "reo-kg", "reagent-kg")
    assert by_name["number"].needed
    assert not by_name["purpose"].needed
    assert not by_name["quotas"].needed
    items = {field.name: field.kind for field in by_name["items"].fields}
    assert items["parameters"] == "pairs"
    waived = {field.name: field for field in by_name["waivers"].fields}["condition"]
    assert waived.open, "a licence's own conditions cannot be listed before it is written"
    values = {one.name: one for one in fields_of("parameters")}["values"]
    assert {one.name for one in values.fields if one.needed} == {"name"}


def test_what_was_filled_in_is_read_back() -> None:
    text = write_document(fields_of("lot"), LOT, {"kind": "lot"})
    paper = parse_paper("form", text.encode())
    assert (paper.kind, paper.id, paper.attachments[0].name) == ("lot", "LOT-17", "analysis.pdf")
    assert tomllib.loads(text)["end_use"] == LOT["end_use"]
    licence = parse_licence("form", write_document(LICENCE_FIELDS, LICENCE, {}).encode())
    assert (licence.quotas[0].reagent, licence.parties.intermediaries) == ("HCl", ("B",))
    assert licence.items[0].parameters == (("stages", "6"),)
    assert licence.conditions.no_retransfer
    assert not licence.conditions.sealed


def test_the_text_is_plain_toml_in_the_readers_order() -> None:
    text = write_document(fields_of("lot"), LOT, {"kind": "lot"})
    assert text.splitlines()[:4] == [
        'kind = "lot"',
        'id = "LOT-17"',
        'element = "Nd"',
        "purity_percent = 99.95",
    ]
    assert text.endswith(f'\n[[attachments]]\nname = "analysis.pdf"\nsha256 = "{DIGEST}"\n')


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"mass": "12,5"}, ("mass",), "write a number"),
        ({"mass": "1e3"}, ("mass",), "write a number"),
        ({"produced": "2026-13-01"}, ("produced",), "write a date"),
        ({"produced": "2026-11-02T10:00:00"}, ("produced",), "write a date"),
        ({"element": "Fe"}, ("element",), "which is unknown"),
        ({"id": ""}, ("id",), "is missing"),
        ({"id": "a b"}, ("id",), "is 'a b'; write 1 to 64"),
        ({"colour": "red"}, ("colour",), "is no key here"),
        ({"end_use": "a\x07"}, ("end_use",), "U+0007"),
        ({"equipment": ["SN-1", "SN-1"]}, ("equipment",), "twice"),
        ({"attachments": [{"name": "a"}]}, ("attachments", 0, "sha256"), "is missing"),
        ({"attachments": [{}]}, ("attachments", 0, "name"), "is missing"),
    ],
)
def test_what_is_wrong_is_named_at_its_key(
    change: dict[str, Any], path: tuple[str | int, ...], words: str
) -> None:
    text = write_document(fields_of("lot"), {**LOT, **change}, {"kind": "lot"})
    with pytest.raises(TableError) as error:
        parse_paper("form", text.encode())
    assert error.value.path == path
    assert words in error.value.words


@pytest.mark.parametrize(
    "members",
    [
        {"mass": 12.5},
        {"attachments": {"name": "a"}},
        {"attachments": ["a"]},
        {"attachments": [{}] * (ITEMS_MAX + 1)},
        {"equipment": ["a"] * (ITEMS_MAX + 1)},
        {f"k{n}": "a" for n in range(KEYS_MAX + 1)},
        {"destination": {"deep": "er"}},
        {"kind": "assay"},
    ],
)
def test_what_no_form_can_hold_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        write_document(fields_of("lot"), members, {"kind": "lot"})


_KEYS = st.sampled_from(["kind", *sorted(LOT)]) | st.text(max_size=8)
_TEXTS = st.text(max_size=12) | st.sampled_from(["1", "2026-11-02", "Nd", "true", "99.95"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_any_members_make_toml_or_are_refused(members: dict[str, Any]) -> None:
    try:
        text = write_document(fields_of("lot"), members, {"kind": "lot"})
    except ConfigError:
        return
    found = tomllib.loads(text)
    assert found["kind"] == "lot"
    for name, value in members.items():
        if isinstance(value, str) and value and name not in LOT:
            assert found[name] == value
