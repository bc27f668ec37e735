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
    """A document that its parser takes: the text whose UTF-8 bytes count, and their SHA-256.

    `notes`: sentences to read before it is sent.
    """

    kind: str
    name: str
    version: int
    replaces: str | None
    sha256: str
    bytes: int
    toml: str
    notes: list[str]


class TakenJson(TypedDict):
    """A document in the log at `index`; `known`: it was there before."""

    kind: str
    name: str
    version: int
    sha256: str
    index: int | None
    known: bool


class DocumentJson(TypedDict):
    """One version of a paper, a licence, a regime, an attachment or a hold.

    `index`, `time_ms` of the statement that brought it, null where the log began before there was
    a register; `state`: kept, deleted, held, released; `changed`: index of its newest statement.
    `newest`: kept, and no later version is. `vouched`: by the copy of the auditor's policy that
    this gateway was given; null: by nobody whom it names, or no copy was given. `signed_by`: key
    id of the signature that is kept with it. `title`: a few words that tell people which it is.
    """

    kind: str
    name: str
    version: int
    sha256: str
    replaces: str | None
    index: int | None
    time_ms: int | None
    state: Literal["kept", "deleted", "held", "released"]
    changed: int | None
    newest: bool
    vouched: Literal["list", "signature"] | None
    signed_by: str | None
    title: str


class PartyJson(TypedDict):
    """A known name: of `party` (its id, or the list it is on), `what` its part there.

    `score` 0 to 100: how like it is to the name asked for. A suggestion, never more.
    """

    name: str
    party: str
    what: str
    score: int


class SuggestionJson(TypedDict):
    """`name` stands in `where`; `like` is like it, a name of `party`, `what` there."""

    name: str
    where: str
    like: str
    party: str
    what: str
    score: int


class RegistryJson(TypedDict):
    """The newest documents first, 2,000 at most; `total` is how many there are.

    `policy`: the gateway was given a copy of the auditor's policy; `problem`: why it cannot be
    used, or "".
    """

    documents: list[DocumentJson]
    total: int
    policy: bool
    problem: str
    suggestions: list[SuggestionJson]


class DocumentTextJson(TypedDict):
    """A kept document: its text, and its keys as a form holds them."""

    sha256: str
    kind: str
    toml: str
    members: dict[str, object]
