"""The registry's API: forms, previews, documents sent to the log, what is kept."""

from __future__ import annotations

import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import TypeAdapter

from page_licences import ASSAY, HOSTILE, LOT, REFUSED_ACTOR, fill
from page_server import START_MS, Fixture, served
from raffinate.licence.papers import KINDS
from raffinate.web.registry_shape import (
    DocumentTextJson,
    KindJson,
    PartyJson,
    PreviewJson,
    RegistryJson,
    TakenJson,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PREVIEW = "/api/v1/registry/preview"
DOCUMENTS = "/api/v1/registry/documents"
MEMBERS = {
    "id": "LOT-18",
    "element": "Nd",
    "purity_percent": "99.95",
    "mass": "12.5",
    "unit": "kg",
    "produced": "2026-11-02",
    "destination": "DE",
    "end_use": "magnets",
}
LICENCE = {
    "number": "L-1",
    "issuer": "Authority",
    "equipment": ["MS6-2041"],
    "stages": ["e01"],
    "from": "2026-11-01T00:00:00Z",
    "to": "2027-11-01T00:00:00Z",
    "grace_s": "3600",
}


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture("licences")


@pytest.fixture(scope="module")
def api(fixture: Fixture) -> Iterator[httpx.Client]:
    with served(fixture.app()) as address:
        headers = {"Origin": address, "Content-Type": "application/json"}
        with httpx.Client(base_url=address, headers=headers) as client:
            yield client


@pytest.fixture(autouse=True)
def _as_before(fixture: Fixture) -> Iterator[None]:
    yield
    fixture.entries.documents.clear()
    fill(fixture.entries)


def preview(api: httpx.Client, body: Any) -> Any:
    answer = api.post(PREVIEW, json=body).raise_for_status()
    return TypeAdapter(PreviewJson).validate_json(answer.content, strict=True)


def test_every_kind_has_a_form(api: httpx.Client) -> None:
    answer = api.get("/api/v1/registry/forms").raise_for_status()
    forms = TypeAdapter(list[KindJson]).validate_json(answer.content, strict=True)
    assert [form["kind"] for form in forms] == ["licence", *KINDS]
    assert all(any(field["needed"] for field in form["fields"]) for form in forms)
    assert "kind" not in [field["name"] for field in forms[1]["fields"]]


def test_a_filled_in_form_becomes_the_bytes_that_are_sent(
    api: httpx.Client, fixture: Fixture
) -> None:
    found = preview(api, {"kind": "lot", "members": MEMBERS})
    assert (found["kind"], found["name"], found["version"]) == ("lot", "LOT-18", 1)
    assert found["sha256"] == sha256(found["toml"].encode()).hexdigest()
    assert found["bytes"] == len(found["toml"].encode())
    body = {"toml": found["toml"], "sha256": found["sha256"], "actor": "op-7"}
    taken = TypeAdapter(TakenJson).validate_json(api.post(DOCUMENTS, json=body).content)
    assert (taken["index"], taken["known"]) == (2003, False)
    assert fixture.entries.documents[-1][0] == found["toml"].encode()
    assert api.post(DOCUMENTS, json=body).json()["known"] is True


def test_a_licence_has_a_form_too(api: httpx.Client) -> None:
    found = preview(api, {"kind": "licence", "members": LICENCE})
    assert (found["kind"], found["name"]) == ("licence", "L-1")
    assert found["toml"].startswith('number = "L-1"\n')


def test_a_preview_says_what_to_know_before_it_is_sent(api: httpx.Client) -> None:
    found = preview(api, {"kind": "lot", "members": MEMBERS})
    assert found["notes"] == [f"document: party {HOSTILE} is not in the registry"]
    answer = api.post(PREVIEW, json={"kind": "lot", "members": {**MEMBERS, "id": "LOT-17"}})
    assert (answer.status_code, answer.json()["detail"]) == (409, "lot LOT-17 version 1 is there")


def test_a_name_finds_parties_and_merges_nothing(api: httpx.Client) -> None:
    answer = api.get("/api/v1/registry/parties", params={"name": "Magnet Wks"})
    found = TypeAdapter(list[PartyJson]).validate_json(answer.content, strict=True)
    assert [one["party"] for one in found] == ["magnet-works"]
    assert api.get("/api/v1/registry/parties", params={"name": "Else"}).json() == []
    for params in ({}, {"name": " "}, {"name": "x" * 257}, {"name": "a", "x": "b"}):
        assert api.get("/api/v1/registry/parties", params=params).status_code == 400


def test_a_files_bytes_are_not_changed(api: httpx.Client) -> None:
    text = LOT.decode().replace("LOT-17", "LOT-21").replace("\n", "\r\n")
    found = preview(api, {"toml": text})
    assert found["toml"] == text
    assert found["sha256"] == sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "kind", "kind: known are licence, "),
        ({"kind": "lot"}, "members", "members: give an object"),
        ({"kind": "lot", "members": {**MEMBERS, "mass": "x"}}, "mass", "is 'x'; write a number"),
        ({"kind": "lot", "members": {**MEMBERS, "id": ""}}, "id", "is missing"),
        ({"kind": "lot", "members": {**MEMBERS, "mass": 1}}, "members", "mass: give it as text"),
        ({"kind": "lot", "members": {**MEMBERS, "hue": "red"}}, "hue", "is no key here"),
        (
            {"kind": "assay", "members": {"id": "A", "of": "lot", "contents": [{}]}},
            "contents.0.element",
            "is missing; add it",
        ),
        ({"kind": "lot", "members": {**MEMBERS, "produced": "2030-01-01"}}, "", "in the future"),
        ({"toml": ""}, "toml", "give the text of one file"),
        ({"toml": "x", "kind": "lot"}, "toml", "and nothing beside it"),
        ({"toml": "\ufeffkind = 'lot'"}, "", "byte order mark"),
        ({"toml": "kind = 'lot'\nid = 3\n"}, "id", "document line 2: id is 3"),
        ({"toml": "colour = 'red'"}, "", "this is no licence, paper or regime"),
        ({"toml": "x = ["}, "", "not TOML"),
        ({"toml": "[" * 100_000}, "", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_at_its_field(
    api: httpx.Client, body: Any, field: str, words: str
) -> None:
    answer = api.post(PREVIEW, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (400, "Bad Request")
    assert words in problem["detail"]
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"sha256": "0" * 64}, 400, "sha256: these bytes have "),
        ({"sha256": None}, 400, "sha256: these bytes have "),
        ({"actor": ""}, 400, "actor: give a text"),
        ({"actor": 'a"b'}, 400, "actor: the character"),
        ({"actor": "\u78c1"}, 400, "actor: the character"),
        ({"toml": "x" * 250_001}, 400, "toml: give the document's text"),
        ({"toml": 7}, 400, "toml: give the document's text"),
        ({"actor": REFUSED_ACTOR}, 409, "the gateway refused it"),
    ],
)
def test_what_was_not_looked_at_is_not_sent(
    api: httpx.Client, fixture: Fixture, change: dict[str, Any], status: int, words: str
) -> None:
    text = LOT.decode().replace("LOT-17", "LOT-19")
    body = {"toml": text, "sha256": sha256(text.encode()).hexdigest(), "actor": "op-7"}
    answer = api.post(DOCUMENTS, json={**body, **change})
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True)
    assert len(fixture.entries.documents) == 3


def test_the_list_has_the_newest_first_and_says_what_was_replaced(
    api: httpx.Client, fixture: Fixture
) -> None:
    before = sha256(LOT).hexdigest()
    fixture.entries.add(LOT + f'version = 2\nreplaces = "{before}"\n'.encode(), "op-7")
    answer = api.get("/api/v1/registry").raise_for_status()
    registry = TypeAdapter(RegistryJson).validate_json(answer.content, strict=True)
    lots = [row for row in registry["documents"] if row["kind"] == "lot"]
    assert [(row["version"], row["newest"]) for row in lots] == [(2, True), (1, False)]
    assert registry["total"] == 4
    assert registry["documents"][-1]["time_ms"] >= START_MS


def test_a_kept_document_is_read_back_with_its_keys(api: httpx.Client) -> None:
    digest = sha256(ASSAY).hexdigest()
    answer = api.get(f"{DOCUMENTS}/{digest}").raise_for_status()
    found = TypeAdapter(DocumentTextJson).validate_json(answer.content, strict=True)
    assert found["toml"] == ASSAY.decode()
    again = {name: value for name, value in found["members"].items() if name != "kind"}
    assert again["contents"] == [{"element": "Nd", "mass_fraction": "0.857"}]
    assert again["sampled"] == "2026-11-03"
    again |= {"version": "2", "replaces": digest}
    text = preview(api, {"kind": "assay", "members": again})["toml"]
    assert "mass_fraction = 0.857" in text


@pytest.mark.parametrize("digest", ["0" * 64, "x", "%2e%2e%2fkeys", "5E" * 32, "0" * 65])
def test_what_is_not_kept_is_not_found(api: httpx.Client, digest: str) -> None:
    assert api.get(f"{DOCUMENTS}/{digest}").status_code == 404


def test_text_of_every_script_stands_as_it_was_typed(api: httpx.Client) -> None:
    words = '\u91d5\u78c1\u94c1 \u041c\u0430\u0433\u043d\u0438\u0442 <b>&amp;</b> \\ "'
    found = preview(api, {"kind": "lot", "members": {**MEMBERS, "end_use": words}})
    assert unicodedata.normalize("NFC", words) in found["toml"].replace('\\"', '"').replace(
        "\\\\", "\\"
    )


@pytest.mark.parametrize("kind", [[], {}, None, 1, "nothing"])
def test_a_kind_that_is_none_is_a_bad_request(api: httpx.Client, kind: Any) -> None:
    answer = api.post(PREVIEW, json={"kind": kind, "members": {}})
    assert answer.status_code == 400
    assert "known are licence" in answer.json()["detail"]
