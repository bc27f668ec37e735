"""Names of parties that may mean the same one: suggestions with scores, never a merger. Pure.

Names are compared without case, accents, punctuation and the words for a company's form; scripts
are not transliterated, so that a party is found by a name in each script only if it has one there.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

if TYPE_CHECKING:
    from collections.abc import Iterable

SCORE_MIN = 70
FOUND_MAX = 10
_FORMS = frozenset(
    (
        *("ab", "ag", "as", "asa", "bhd", "bv", "co", "company", "corp", "corporation", "gmbh"),
        *("group", "holding", "holdings", "inc", "incorporated", "kg", "kgaa", "kk", "limited"),
        *("llc", "llp", "lp", "ltd", "mbh", "nv", "oy", "oyj", "plc", "pte", "pty", "pvt", "sa"),
        *("sarl", "sas", "sdn", "se", "spa", "srl", "ug"),
    )
)
_CJK_FORMS = re.compile(
    "股份有限公司|有限责任公司|有限責任公司|有限公司|集团|集團|公司|株式会社|合同会社|주식회사|유한회사"
)
_PARTS = re.compile(r"[^\W_]+")
_LATIN = {"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"}
_SPELT_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"}


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
    forms = _compared(asked)
    best: dict[tuple[str, str], Suggestion] = {}
    for name in names:
        score = max((_score(a, b) for a in forms for b in _compared(name.text)), default=0)
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


def _compared(text: str) -> set[str]:
    """What of a name is compared: with accents dropped, and with umlauts spelt out."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _CJK_FORMS.sub(" ", folded)
    spelt = "".join(_SPELT_OUT.get(char, char) for char in folded)
    found = set()
    for form in (folded, spelt):
        plain = "".join(_LATIN.get(char, char) for char in form)
        bare = "".join(
            char for char in unicodedata.normalize("NFD", plain) if not unicodedata.combining(char)
        )
        # A dotted form of a company (G.m.b.H., S.p.A.) is one word.
        words = _PARTS.findall(re.sub(r"(?<=\b\w)\.(?=\w\b|\s|$)", "", bare))
        kept = [word for word in words if word not in _FORMS] or words
        if kept:
            found.add(unicodedata.normalize("NFC", " ".join(kept)))
    return found
