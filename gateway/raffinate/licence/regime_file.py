"""Parses a regime file into the values of instrument.py (docs/formats/regime.md). Pure."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.licence import instrument as nouns
from raffinate.licence.elements import ELEMENTS
from raffinate.licence.instrument import Day, start_ms
from raffinate.licence.table import open_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from raffinate.licence.table import Table

REGIME_BYTES_MAX = 262_144
OFFSET_MINUTES_MAX = 14 * 60
RETENTION_YEARS_MAX = 100
LIMIT_MAX = 10**9
URL_CHARS_MAX = 300
NOTE_CHARS_MAX = 1000
DAY_YEARS = (1971, 2200)
_SOURCE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])")


def read_regime(file: str, data: bytes) -> nouns.Regime:
    """The regime of a file's bytes. Raises ConfigError that names file, line, key and remedy."""
    root = open_table(file, data, REGIME_BYTES_MAX)
    root.integer("v", 1, 1)
    return _Parser(root, sha256(data).hexdigest()).regime()


class _Parser:
    def __init__(self, root: Table, digest: str) -> None:
        self._root = root
        self._sha256 = digest
        self._id = _part(root, "id")
        self._issuer = root.text("issuer")
        self._offset_minutes = _offset_minutes(root)
        self._as_of = self._day(root, "as_of")
        self._review_by = self._review(root, self._as_of)
        self._sources: Mapping[str, nouns.Source] = self._read_sources()

    def regime(self) -> nouns.Regime:
        root = self._root
        found = nouns.Regime(
            root.file,
            self._sha256,
            self._id,
            root.text("title"),
            self._issuer,
            self._offset_minutes,
            self._as_of,
            self._review_by,
            root.text_or("note", "", NOTE_CHARS_MAX),
            root.flag("template"),
            self._sources,
            tuple(_party(table) for table in root.tables("parties")),
            self._instruments(),
        )
        root.done()
        return found

    def _instruments(self) -> tuple[nouns.Instrument, ...]:
        tables = self._root.tables("instruments", count_min=1)
        found: list[nouns.Instrument] = []
        places: dict[str, int] = {}
        for place, table in enumerate(tables):
            item = self._instrument(table)
            if item.ref in places:
                table.fail(
                    "number",
                    f"{item.number!r} stands a second time, as in entry {places[item.ref] + 1}; "
                    "give one of them a number or limb of its own",
                )
            places[item.ref] = place
            found.append(item)
        known = {item.ref for item in found} | {f"{item.regime}/{item.number}" for item in found}
        for item, table in zip(found, tables, strict=True):
            for ref in item.conflicts_with:
                if ref.startswith(f"{self._id}/") and ref not in known:
                    table.fail("conflicts_with", f"names {ref!r}, which is not in this file")
                if ref == item.ref:
                    table.fail("conflicts_with", "names the entry itself; remove it")
        return tuple(found)

    def _instrument(self, table: Table) -> nouns.Instrument:
        kind = table.word("kind", nouns.KINDS)
        valid_from, valid_to = self._span(table, "valid_from", "valid_to")
        if kind == "rule" and valid_from is None:
            table.fail(
                "valid_from", 'is missing; add it, or write kind = "report" while it is not known'
            )
        as_of = self._day_or(table, "as_of") or self._as_of
        number, limb = _part(table, "number"), _part_or(table, "limb")
        found = nouns.Instrument(
            self._id,
            self._sha256,
            number,
            limb,
            table.text_or("issuer", self._issuer),
            table.text("title"),
            kind,
            table.word("evidence", nouns.EVIDENCE),
            table.word("effect", nouns.EFFECTS),
            self._day_or(table, "announced"),
            valid_from,
            valid_to,
            as_of,
            self._review(table, as_of),
            table.names("steps"),
            table.names("items"),
            table.words("activities", nouns.ACTIVITIES),
            table.words("methods", nouns.METHODS),
            table.words("elements", ELEMENTS),
            table.texts("places"),
            table.texts("who"),
            table.names("requires"),
            table.texts("unobservable"),
            tuple(self._suspension(item, as_of) for item in table.tables("suspensions")),
            tuple(_threshold(item) for item in table.tables("thresholds")),
            tuple(self._exemption(item) for item in table.tables("exemptions")),
            tuple(self._denial(item) for item in table.tables("denials")),
            tuple(_duty(item) for item in table.tables("duties")),
            self._retention(table),
            tuple(_whole_ref(self._id, ref) for ref in table.names("conflicts_with")),
            self._cited(table, needed=True),
            table.text_or("note", "", NOTE_CHARS_MAX),
        )
        table.done()
        return found

    def _suspension(self, table: Table, as_of: Day) -> nouns.Suspension:
        start, until = self._span(table, "from", "until")
        if start is None:
            table.fail("from", "is missing; add the first day of the suspension")
        found = nouns.Suspension(
            start,
            until,
            table.text_or("instrument"),
            table.word("evidence", nouns.EVIDENCE),
            self._day_or(table, "as_of") or as_of,
            self._cited(table, needed=True),
            table.text_or("note", "", NOTE_CHARS_MAX),
        )
        table.done()
        return found

    def _exemption(self, table: Table) -> nouns.Exemption:
        quantity = table.word_or("quantity", nouns.QUANTITIES)
        limit = table.number_or("limit", 0, LIMIT_MAX)
        if (limit is None) != (not quantity):
            table.fail("limit", "and quantity belong together; write both or neither")
        found = nouns.Exemption(
            table.text("what"),
            table.word("kind", nouns.EXEMPTIONS),
            table.word("evidence", nouns.EVIDENCE),
            quantity,
            limit,
            self._cited(table, needed=False),
        )
        table.done()
        return found

    def _denial(self, table: Table) -> nouns.Denial:
        found = nouns.Denial(
            table.text("who"),
            table.word("presumption", nouns.PRESUMPTIONS),
            table.texts("uses"),
            table.texts("names"),
            table.word("evidence", nouns.EVIDENCE),
            self._cited(table, needed=False),
        )
        table.done()
        return found

    def _retention(self, table: Table) -> nouns.Retention | None:
        inner = table.table("retention")
        if inner is None:
            return None
        found = nouns.Retention(
            inner.integer("years", 1, RETENTION_YEARS_MAX),
            inner.word("counted_from", nouns.RETAINED_FROM),
            inner.names("events", count_min=1),
            inner.flag("hold", default=True),
            self._offset_minutes,
        )
        inner.done()
        return found

    def _read_sources(self) -> Mapping[str, nouns.Source]:
        tables = self._root.table("sources")
        if tables is None:
            self._root.fail("sources", "is missing; add [sources.NAME] with title and kind")
        found = {}
        for name in tables.keys():  # noqa: SIM118 - a Table is no mapping
            if not _SOURCE.fullmatch(name):
                tables.fail(name, "is no name; write 1 to 64 of A-Z, a-z, 0-9 and . _ -")
            table = tables.table(name)
            if table is None:
                continue
            found[name] = nouns.Source(
                name,
                table.text("title"),
                table.text_or("publisher"),
                table.word("kind", nouns.SOURCES),
                table.text_or("url", "", URL_CHARS_MAX),
                self._day_or(table, "date"),
            )
            table.done()
        return found

    def _cited(self, table: Table, *, needed: bool) -> tuple[str, ...]:
        return table.words("sources", self._sources, count_min=int(needed))

    def _span(self, table: Table, first: str, last: str) -> tuple[Day | None, Day | None]:
        start, end = self._day_or(table, first), self._day_or(table, last)
        if start is not None and end is not None and end.start_ms < start.start_ms:
            table.fail(last, f"is {end.date}, before {first}, {start.date}; mend one of the two")
        return start, end

    def _review(self, table: Table, as_of: Day) -> Day:
        found = self._day_or(table, "review_by")
        if found is None:
            if table is self._root:
                table.fail("review_by", "is missing; add the day by which someone must look again")
            found = self._review_by
        if found.start_ms < as_of.start_ms:
            table.fail("review_by", f"is {found.date}, before as_of, {as_of.date}; mend one")
        return found

    def _day(self, table: Table, name: str) -> Day:
        return self._as_day(table, name, table.day(name))

    def _day_or(self, table: Table, name: str) -> Day | None:
        found = table.day_or(name)
        return None if found is None else self._as_day(table, name, found)

    def _as_day(self, table: Table, name: str, found: date) -> Day:
        low, high = DAY_YEARS
        if not low <= found.year <= high:
            table.fail(name, f"is {found}; write a day of the years {low} to {high}")
        return Day(found, start_ms(found, self._offset_minutes))


def _offset_minutes(root: Table) -> int:
    text = root.text("utc_offset")
    found = _OFFSET.fullmatch(text)
    minutes = 60 * int(found[2]) + int(found[3]) if found else OFFSET_MINUTES_MAX + 1
    if found is None or minutes > OFFSET_MINUTES_MAX:
        root.fail("utc_offset", f'is {text!r}; write the issuer\'s zone as "+08:00" or "+00:00"')
    return -minutes if found[1] == "-" else minutes


def _part(table: Table, name: str) -> str:
    found = table.name(name)
    if "/" in found:
        table.fail(name, f"is {found!r}; write it without /, which separates the parts of a name")
    return found


def _part_or(table: Table, name: str) -> str:
    return _part(table, name) if name in table else table.name_or(name)


def _whole_ref(regime: str, ref: str) -> str:
    return ref if "/" in ref else f"{regime}/{ref}"


def _party(table: Table) -> nouns.Party:
    found = nouns.Party(
        table.text("name"), table.texts("aliases"), table.texts("places"), table.text_or("role")
    )
    table.done()
    return found


def _threshold(table: Table) -> nouns.Threshold:
    quantity = table.word("quantity", nouns.QUANTITIES)
    limit = table.number_or("limit", 0, LIMIT_MAX)
    if quantity != "any" and limit is None:
        table.fail("limit", f"is missing; add the number of {quantity}")
    found = nouns.Threshold(
        quantity,
        table.word("relation", nouns.RELATIONS),
        limit,
        table.word_or("element", ELEMENTS),
        table.names("requires"),
        table.text_or("note", "", NOTE_CHARS_MAX),
    )
    table.done()
    return found


def _duty(table: Table) -> nouns.Duty:
    found = nouns.Duty(
        table.text("what"), table.names("concerns"), table.text_or("every"), table.text_or("to")
    )
    table.done()
    return found
