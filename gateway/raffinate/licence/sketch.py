"""Which keys a reader of tables asks for: it reads tables that hold nothing, and is watched. Pure.

Forms are made of what comes out, so that there is no second description of a document. A reader is
run often: with every choice of its words, once with and once without all that may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from raffinate.licence.table import NAME_CHARS_MAX, TEXT_CHARS_MAX, Table
from raffinate_wire import ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

Kind = Literal[
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
TURNS_MAX = 64


@dataclass(frozen=True, slots=True)
class Field:
    """One key. `many`: a list of them; `end`: a day alone is its last instant.

    `choices`: the words that it may be, or with `open` some of them. `fields`: of a table, and of
    each of `tables`; the keys of `pairs` are the user's own.
    """

    name: str
    kind: Kind
    needed: bool = False
    many: bool = False
    end: bool = False
    choices: tuple[str, ...] = ()
    open: bool = False
    chars_max: int | None = None
    low: int | None = None
    high: int | None = None
    fields: tuple[Field, ...] = ()


def sketch(read: Callable[[Table], object], **given: str) -> tuple[Field, ...]:
    """The keys that `read` asks a table for, in its order, but for words that are `given`."""
    sparse: list[_Watched] = []
    full: list[_Watched] = []
    turn, turns = 0, 1
    while turn < min(turns, TURNS_MAX):
        for found, complete in ((full, True), (sparse, False)):
            table = _Watched(_Run(complete, turn), given)
            read(table)
            found.append(table)
            turns = max(turns, table.run.choices)
        turn += 1
    return tuple(item for item in _merge(full, sparse) if item.name not in given)


@dataclass(slots=True)
class _Run:
    """`complete`: what may be left out is there. `turn`: which of its choices a word is."""

    complete: bool
    turn: int
    choices: int = 1


@dataclass(slots=True)
class _Noted:
    asked: Field
    tables: list[_Watched] = field(default_factory=list)


class _Watched(Table):
    """A table that has whatever is asked for, and remembers what was."""

    def __init__(self, run: _Run, given: Mapping[str, str]) -> None:
        super().__init__("form", {}, (), {})
        self.run = run
        self.given = given
        self.noted: dict[str, _Noted] = {}
        self.is_free = False

    def __contains__(self, name: str) -> bool:
        return self.run.complete

    def fail(self, name: str | int, message: str) -> None:  # type: ignore[override]
        """Go on: what is read here makes no sense."""

    def done(self) -> None:
        """There is nothing else."""

    def text(self, name: str, chars_max: int = TEXT_CHARS_MAX) -> str:
        self._note(Field(name, "text", needed=True, chars_max=chars_max))
        return "a"

    def text_or(self, name: str, default: str = "", chars_max: int = TEXT_CHARS_MAX) -> str:
        self._note(Field(name, "text", chars_max=chars_max))
        return "a" if self.run.complete else default

    def plain(self, name: str) -> str:
        return self.text(name, ids.TEXT_CHARS_MAX)

    def free(self, name: str, chars_max: int) -> str:
        return self.text_or(name, "", chars_max)

    def scalar(self, name: str) -> str:
        return self.text(name)

    def name(self, name: str) -> str:
        self._note(Field(name, "name", needed=True, chars_max=NAME_CHARS_MAX))
        return "a"

    def name_or(self, name: str, default: str = "") -> str:
        self._note(Field(name, "name", chars_max=NAME_CHARS_MAX))
        return "a" if self.run.complete else default

    def names(self, name: str, *, count_min: int = 0) -> tuple[str, ...]:
        return self._many(Field(name, "name", chars_max=NAME_CHARS_MAX), count_min, "a")

    def texts(
        self, name: str, *, count_min: int = 0, chars_max: int = TEXT_CHARS_MAX
    ) -> tuple[str, ...]:
        return self._many(Field(name, "text", chars_max=chars_max), count_min, "a")

    def word(self, name: str, known: Collection[str]) -> str:
        return self._choose(Field(name, "word", needed=True, choices=tuple(known)))

    def word_or(self, name: str, known: Collection[str], default: str = "") -> str:
        found = self._choose(Field(name, "word", choices=tuple(known)))
        return found if self.run.complete else default

    def words(self, name: str, known: Collection[str], *, count_min: int = 0) -> tuple[str, ...]:
        made = Field(name, "word", choices=tuple(known))
        return self._many(made, count_min, made.choices[0])

    def number(self, name: str, low: int, high: int) -> Fraction:
        self._note(Field(name, "number", needed=True, low=low, high=high))
        return Fraction(low)

    def number_or(self, name: str, low: int, high: int) -> Fraction | None:
        self._note(Field(name, "number", low=low, high=high))
        return Fraction(low) if self.run.complete else None

    def integer(self, name: str, low: int, high: int) -> int:
        self._note(Field(name, "integer", needed=True, low=low, high=high))
        return low

    def integer_or(self, name: str, low: int, high: int, default: int) -> int:
        self._note(Field(name, "integer", low=low, high=high))
        return low if self.run.complete else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        self._note(Field(name, "flag"))
        return self.run.complete or default

    def time_ms(self, name: str, *, end: bool = False) -> int:
        self._note(Field(name, "time", needed=True, end=end))
        return 0

    def instant_ms(self, name: str) -> int:
        self._note(Field(name, "instant", needed=True))
        return 0

    def time_ms_or(self, name: str, *, end: bool = False) -> int | None:
        self._note(Field(name, "time", end=end))
        return 0 if self.run.complete else None

    def day(self, name: str) -> date:
        self._note(Field(name, "day", needed=True))
        return date(1970, 1, 1)

    def day_or(self, name: str) -> date | None:
        self._note(Field(name, "day"))
        return date(1970, 1, 1) if self.run.complete else None

    def digest(self, name: str) -> str:
        self._note(Field(name, "digest", needed=True))
        return "0" * 64

    def digest_or(self, name: str) -> str | None:
        self._note(Field(name, "digest"))
        return "0" * 64 if self.run.complete else None

    def digests(self, name: str) -> tuple[str, ...]:
        return self._many(Field(name, "digest"), 0, "0" * 64)

    def tables(self, name: str, *, count_min: int = 0) -> list[Table]:
        return [self._inner(Field(name, "tables", needed=count_min > 0))]

    def table(self, name: str) -> Table | None:
        return self._inner(Field(name, "table"))

    def keys(self) -> list[str]:
        self.is_free = True
        return []

    def _note(self, found: Field) -> _Noted:
        noted = self.noted.setdefault(found.name, _Noted(found))
        if found.needed and not noted.asked.needed:
            noted.asked = replace(noted.asked, needed=True)
        return noted

    def _many(self, found: Field, count_min: int, value: str) -> tuple[str, ...]:
        self._note(replace(found, many=True, needed=count_min > 0))
        return (value,) if self.run.complete or count_min else ()

    def _choose(self, found: Field) -> str:
        self._note(found)
        if found.name in self.given:
            return self.given[found.name]
        self.run.choices = max(self.run.choices, len(found.choices))
        return found.choices[self.run.turn % len(found.choices)]

    def _inner(self, found: Field) -> _Watched:
        """A table inside is always there: else nobody would see what it needs."""
        made = _Watched(self.run, {})
        self._note(found).tables.append(made)
        return made


def _merge(full: Iterable[_Watched], sparse: Collection[_Watched]) -> tuple[Field, ...]:
    """Every key asked for; needed is what every run without the rest asked for as needed."""
    order: dict[str, list[_Noted]] = {}
    for table in (*full, *sparse):
        for name, noted in table.noted.items():
            order.setdefault(name, []).append(noted)
    found = []
    for name, notes in order.items():
        without = [table.noted.get(name) for table in sparse]
        needed = bool(without) and all(one is not None and one.asked.needed for one in without)
        found.append(replace(_with_inner(notes), needed=needed))
    return tuple(found)


def _with_inner(notes: Collection[_Noted]) -> Field:
    first = next(iter(notes)).asked
    tables = [table for noted in notes for table in noted.tables]
    if any(table.is_free for table in tables):
        return replace(first, kind="pairs")
    if tables:
        full = [table for table in tables if table.run.complete]
        sparse = [table for table in tables if not table.run.complete]
        return replace(first, fields=_merge(full, sparse))
    common: tuple[Any, ...] = tuple(
        word for word in first.choices if all(word in noted.asked.choices for noted in notes)
    )
    return replace(first, choices=common, open=len(common) < len(first.choices))
