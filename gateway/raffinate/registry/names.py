"""Names of parties that may mean the same one: suggestions with scores, never a merger. Pure.

Names are compared without case, accents, punctuation and the words for a company's form; scripts
are not transliterated, so that a party is found by a name in each script only if it has one there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from raffinate.licence.spelling import bare

if TYPE_CHECKING:
    from collections.abc import Iterable

SCORE_MIN = 70
FOUND_MAX = 10


@dataclass(frozen=True, slots=True)
class Name:
    """One way to write a party: `party` is its id, or the list it is on; `what` its part there."""

    text: str
    party: str
    what: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name like the one asked for; `score` 0 to 100, 100 being the same once compared."""

    name: Name
    score: int


def suggest(asked: str, names: Iterable[Name]) -> list[Suggestion]:
    """The likest names, best first, at most FOUND_MAX, one a party and kind of listing."""
    forms = bare(asked)
    best: dict[tuple[str, str], Suggestion] = {}
    for name in names:
        score = max((_score(a, b) for a in forms for b in bare(name.text)), default=0)
        place = (name.party, name.what)
        if score >= SCORE_MIN and (place not in best or best[place].score < score):
            best[place] = Suggestion(name, score)
    found = sorted(best.values(), key=lambda item: (-item.score, item.name.party, item.name.text))
    return found[:FOUND_MAX]


def _score(left: str, right: str) -> int:
    if left == right:
        return 100
    ratios = (
        fuzz.ratio(left, right),
        fuzz.token_sort_ratio(left, right),
        fuzz.ratio(left.replace(" ", ""), right.replace(" ", "")),
        0.95 * fuzz.token_set_ratio(left, right),
    )
    return min(99, round(max(ratios)))
