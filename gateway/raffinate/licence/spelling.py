"""How names of parties are written, taken away: case, accents, punctuation, a company's form. Pure.

Scripts are not transliterated, and simplified and traditional characters stay different ones. Two
names with a common bare form may be one party; whether they are is for a person to say.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

KEPT = 4096
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


@lru_cache(KEPT)
def fold(text: str) -> str:
    """A name in Unicode's compatibility form, without case and with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@lru_cache(KEPT)
def bare(text: str) -> frozenset[str]:
    """Bare forms of a name: with accents dropped, and with umlauts spelt out."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _CJK_FORMS.sub(" ", folded)
    spelt = "".join(_SPELT_OUT.get(char, char) for char in folded)
    found = set()
    for form in (folded, spelt):
        plain = "".join(_LATIN.get(char, char) for char in form)
        unaccented = "".join(
            char for char in unicodedata.normalize("NFD", plain) if not unicodedata.combining(char)
        )
        # A dotted form of a company (G.m.b.H., S.p.A.) is one word.
        words = _PARTS.findall(re.sub(r"(?<=\b\w)\.(?=\w\b|\s|$)", "", unaccented))
        kept = [word for word in words if word not in _FORMS] or words
        if kept:
            found.add(unicodedata.normalize("NFC", " ".join(kept)))
    return frozenset(found)
