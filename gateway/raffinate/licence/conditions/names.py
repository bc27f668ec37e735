"""Whether two names are one party: by what vouched party papers say, never by likeness. Pure.

Names are compared in Unicode's compatibility form without case and with single blanks. What only
looks alike (`spelling.bare`) is told as such and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.papers import Party
from raffinate.licence.spelling import bare, fold

if TYPE_CHECKING:
    from raffinate.licence.conditions.case import Case

OWNERS_DEPTH_MAX = 8


class Names:
    """The parties of a case's vouched papers; an alias that two parties share names neither."""

    def __init__(self, case: Case) -> None:
        self._parties: dict[str, Party] = {}
        self._ids: dict[str, set[str]] = {}
        for known, party in case.proofs(Party):
            name = known.paper.id
            self._parties[name] = party
            for text in (name, *party.names, *party.aliases):
                self._ids.setdefault(fold(text), set()).add(name)

    def find(self, text: str) -> str | None:
        """The id of the party that a text names; None when none or several do."""
        found = self._ids.get(fold(text), set())
        return next(iter(found)) if len(found) == 1 else None

    def same(self, one: str, other: str) -> bool | None:
        """True for one party, False for two; None when the papers do not tell."""
        first, second = self.find(one), self.find(other)
        if first is not None and second is not None:
            return first == second
        return True if fold(one) == fold(other) else None

    def alike(self, one: str, other: str) -> bool:
        """True when names of the two have a bare form in common."""
        first, second = self._spellings(one), self._spellings(other)
        forms = {form for text in first for form in bare(text)}
        return any(not forms.isdisjoint(bare(text)) for text in second)

    def owners(self, text: str) -> tuple[str, ...]:
        """Ids of the party's owners and of theirs."""
        found: dict[str, None] = {}
        if not self._parties:
            return ()
        first = self.find(text)
        level = set() if first is None else {first}
        for _ in range(OWNERS_DEPTH_MAX):
            if not level:
                break
            parties = [self._parties[name] for name in level if name in self._parties]
            level = {owner for party in parties for owner in party.owners if owner not in found}
            found.update(dict.fromkeys(sorted(level)))
        return tuple(found)

    def _spellings(self, text: str) -> tuple[str, ...]:
        name = self.find(text)
        if name is None:
            return (text,)
        party = self._parties[name]
        return (text, name, *party.names, *party.aliases)
