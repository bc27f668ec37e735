"""Documents for people and programs: one line, a listing, JSON. Pure."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from raffinate.licence.document import Licence
from raffinate.licence.papers import Paper, Party, Screening
from raffinate.licence.regime import Regime
from raffinate.registry.names import Name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.registry.holdings import Holding

TITLE_CHARS_MAX = 60
_TITLES = ("what", "end_use", "name", "list", "duty", "result", "note", "who", "element", "subject")


def row_json(item: Holding) -> dict[str, Any]:
    """A row as JSON: numbers and texts only; times in UTC ms."""
    row = item.row
    return {
        "kind": row.kind,
        "name": row.name,
        "version": item.version,
        "sha256": row.sha256,
        "replaces": row.replaces,
        "state": row.state,
        "index": None if row.index < 0 else row.index,
        "timeMs": None if row.index < 0 else row.time_ms,
        "signed": item.signed,
        "title": title(item),
    }


def document_json(item: Holding) -> dict[str, Any]:
    """The row with what the document says."""
    said = None
    if isinstance(item.document, Paper):
        said = plain(item.document.members)
    elif isinstance(item.document, (Licence, Regime)):
        said = plain(item.document)
    text = None if item.data is None else item.data.decode()
    return {**row_json(item), "members": said, "text": text}


def title(item: Holding) -> str:
    """A few words that tell people which one it is."""
    document = item.document
    text = ""
    if isinstance(document, Licence):
        text = f"{document.issuer}: {document.equipment}"
    elif isinstance(document, Regime):
        text = document.title
    elif isinstance(document, Paper) and isinstance(document.members, Party):
        text = document.members.names[0]
    elif isinstance(document, Paper):
        found = (getattr(document.members, name, "") for name in _TITLES)
        text = next((str(value) for value in found if value), "")
    return text if len(text) <= TITLE_CHARS_MAX else f"{text[: TITLE_CHARS_MAX - 1]}…"


def names_of(holdings: Iterable[Holding], regimes: Iterable[Regime]) -> list[Name]:
    """Every name of a party that documents and regimes know, with where it stands."""
    papers = (item.document for item in newest(holdings))
    found = [name for paper in papers if isinstance(paper, Paper) for name in _paper_names(paper)]
    for regime in regimes:
        for party in regime.parties:
            where, what = f"regime {regime.id}", f"named as {party.role}"
            found += [Name(name, where, what) for name in (party.name, *party.aliases)]
        for instrument in regime.instruments:
            for denial in instrument.denials:
                found += [Name(name, instrument.ref, denial.presumption) for name in denial.names]
    return found


def newest(holdings: Iterable[Holding]) -> list[Holding]:
    """The newest version of each document that is kept."""
    found: dict[tuple[str, str], Holding] = {}
    for item in holdings:
        key = (item.row.kind, item.row.name)
        if item.row.state == "kept" and (key not in found or found[key].version < item.version):
            found[key] = item
    return list(found.values())


def plain(value: Any) -> Any:
    """A value of frozen types as JSON has it; exact numbers as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else _decimal(value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(name): plain(item) for name, item in value.items()}
    return value if isinstance(value, (int, str, type(None))) else str(value)


def visible(text: str) -> str:
    """A document's text for a terminal: what moves the cursor or turns the writing is spelt out."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else f"\\u{ord(char):04x}" for char in text
    )


def day(time_ms: int) -> str:
    """A time as a day, UTC."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"


def _paper_names(paper: Paper) -> list[Name]:
    members = paper.members
    if isinstance(members, Party):
        return [Name(name, paper.id, "party") for name in members.names + members.aliases]
    if not isinstance(members, Screening):
        return []
    lists = {
        "denied": members.denied,
        "scrutinised": members.scrutinised,
        "cleared": members.cleared,
    }
    where = f"screening {paper.id}"
    return [Name(name, where, what) for what, names in lists.items() for name in names]


def _decimal(value: Fraction) -> str:
    """Documents write decimals, so that every number has an end."""
    digits = 0
    while (value * 10**digits).denominator != 1 and digits < len("123456789012345678"):
        digits += 1
    scaled = str(abs(round(value * 10**digits))).rjust(digits + 1, "0")
    return f"{'-' if value < 0 else ''}{scaled[:-digits]}.{scaled[-digits:]}"
