"""The JSON of the registry: forms, previews, what was taken, and the list of documents.

Times are UTC milliseconds.
"""

from __future__ import annotations

from typing import Literal

# pydantic, which describes these in OpenAPI, needs typing_extensions before Python 3.12.
from typing_extensions import TypedDict


class FieldJson(TypedDict):
    """One key of a document. `many`: a list; `end`: a day alone is its last instant.

    `choices`: the words that it may be, or with `open` some of them. `fields`: of a `table`, and
    of each of `tables`; the keys of `pairs` are the writer's own.
    """

    name: str
    kind: Literal[
        "text",
        "name",
        "word",
        "number",
        "integer",
        "flag",
        "time",
        "instant",
        "day",
        "digest",
        "table",
        "tables",
        "pairs",
    ]
    needed: bool
    many: bool
    end: bool
    choices: list[str]
    open: bool
    chars_max: int | None
    low: int | None
    high: int | None
    fields: list[FieldJson]


class KindJson(TypedDict):
    """A kind of document and its form."""

    kind: str
    fields: list[FieldJson]


class PreviewJson(TypedDict):
    """A document that its parser takes: the text whose UTF-8 bytes count, and their SHA-256."""

    kind: str
    name: str
    version: int
    replaces: str | None
    sha256: str
    bytes: int
    toml: str


class TakenJson(TypedDict):
    """A document in the log at `index`; `known`: it was there before."""

    kind: str
    name: str
    version: int
    sha256: str
    index: int | None
    known: bool


class DocumentJson(TypedDict):
    """One version of a document, a regime, a licence, an attachment or a hold.

    `index`, `time_ms` of the statement that brought it; `state`: kept, deleted, held, released;
    `changed`: index of its newest statement. `newest`: no later version is known. `signed_by`:
    key ids of the signatures that are kept with it, which nobody has judged here. `title`: what
    people call it, for a party its first name.
    """

    kind: str
    name: str
    version: int
    sha256: str
    replaces: str | None
    index: int
    time_ms: int
    state: Literal["kept", "deleted", "held", "released"]
    changed: int
    newest: bool
    signed_by: list[str]
    title: str


class SuggestionJson(TypedDict):
    """Two names that may be one party's: `of` and `like` are documents; `why` in words."""

    name: str
    of: str
    like: str
    why: str


class RegistryJson(TypedDict):
    """The newest documents first; `total` is how many there are."""

    documents: list[DocumentJson]
    total: int
    suggestions: list[SuggestionJson]


class DocumentTextJson(TypedDict):
    """A kept document: its text, and its keys as a form holds them."""

    sha256: str
    kind: str
    toml: str
    members: dict[str, object]
