"""Names in the registry that may be one party's, for people to look at; nothing is merged. Pure.

Each name of a party, and each party that a licence names in words, is held against the names that
papers and regimes know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.licence.document import Licence
from raffinate.licence.papers import Paper, Party
from raffinate.registry.names import Name, suggest
from raffinate.registry.shown import names_of, newest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from raffinate.licence.regime import Regime
    from raffinate.registry.holdings import Holding

ASKED_MAX = 500
KNOWN_MAX = 2000
FOUND_MAX = 50
SCORE_MIN = 85
"""Above that of a name that somebody asks for: nobody asked for these."""


@dataclass(frozen=True, slots=True)
class Alike:
    """`name` stands in `where`; `other` is like it, and whose. `score` 0 to 100."""

    name: str
    where: str
    other: Name
    score: int


def known_names(holdings: Iterable[Holding], regimes: Iterable[Regime]) -> list[Name]:
    """Names of papers and of the regimes in use: `regimes` but for those that were imported."""
    holdings = list(holdings)
    return names_of(holdings, regimes)[:KNOWN_MAX]


def find_alike(holdings: Iterable[Holding], known: list[Name]) -> list[Alike]:
    """Likest first, each pair once, at most FOUND_MAX."""
    found: dict[frozenset[str], Alike] = {}
    for asked in list(_asked(newest(holdings)))[:ASKED_MAX]:
        for item in suggest(asked.text, known):
            if item.score < SCORE_MIN or item.name.party == asked.party:
                continue
            pair = frozenset((f"{asked.what} {asked.party}", f"{item.name.what} {item.name.party}"))
            if pair not in found or found[pair].score < item.score:
                where = f"{asked.what} {asked.party}"
                found[pair] = Alike(asked.text, where, item.name, item.score)
    ordered = sorted(found.values(), key=lambda one: (-one.score, one.where, one.other.party))
    return ordered[:FOUND_MAX]


def _asked(holdings: Iterable[Holding]) -> Iterator[Name]:
    for item in holdings:
        document = item.document
        if isinstance(document, Paper) and isinstance(document.members, Party):
            for text in (*document.members.names, *document.members.aliases):
                yield Name(text, document.id, "party")
        elif isinstance(document, Licence):
            parties = document.parties
            for text in (
                parties.exporter,
                parties.consignee,
                parties.end_user,
                *parties.intermediaries,
            ):
                if text:
                    yield Name(text, document.number, "licence")
