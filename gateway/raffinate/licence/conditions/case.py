"""One case before the engine: a licence, facts and a time, with the papers that count then. Pure.

A paper for the plant counts only vouched and in force; a paper against it counts whoever wrote it,
for nobody forges his own breach. A version replaces the one it names, but one that nobody vouches
for replaces none that somebody does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from raffinate.licence.papers import Approval, Assay, EndUserCertificate, Members, Screening

if TYPE_CHECKING:
    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Facts
    from raffinate.licence.papers import Paper, Vouched

KindT = TypeVar("KindT", bound=Members)

_BEGINS = ("from_ms", "signed_ms", "at_ms", "produced_ms", "sampled_ms", "filed_ms")
_ENDING = (Approval, Assay, EndUserCertificate, Screening)
"""Kinds whose end is the end of what they prove; a work order's is that of the work."""


class Known(NamedTuple):
    """A paper that has begun at the time; `proves`: vouched, in force, of this machine."""

    paper: Paper
    proves: bool

    @property
    def named(self) -> tuple[str, str]:
        """How a condition's inputs name it."""
        return f"{self.paper.kind} {self.paper.id}", self.paper.sha256


@dataclass(slots=True)
class Case:
    """What families of conditions judge; `at_ms` is UTC ms."""

    licence: Licence
    facts: Facts
    at_ms: int
    _known: dict[type, list[Known]] = field(init=False, default_factory=dict)
    """Each by digest, so that their order is not the caller's."""

    def __post_init__(self) -> None:
        if self.facts.papers:
            self._sort()

    def papers(self, kind: type[KindT]) -> list[tuple[Known, KindT]]:
        """Papers of a kind that have begun, of this machine or of none, whoever vouches."""
        return [
            (known, known.paper.members)
            for known in self._known.get(kind, ())
            if isinstance(known.paper.members, kind)
        ]

    def of_kind(self, kind: str) -> list[Known]:
        """The same by the kind's name."""
        return [item for found in self._known.values() for item in found if item.paper.kind == kind]

    def proofs(self, kind: type[KindT]) -> list[tuple[Known, KindT]]:
        """Those of them that may speak for the plant: vouched and in force."""
        return [(known, members) for known, members in self.papers(kind) if known.proves]

    def _sort(self) -> None:
        begun = [item for item in self.facts.papers if self._has_begun(item.paper)]
        gone = {(item.paper.replaces, item.by is None) for item in begun if item.paper.replaces}
        serial = self.facts.serial
        # Of a machine that is not known papers about any of the licence's count against it.
        possible = set(self.licence.serials) if serial is None else {serial}
        for item in sorted(begun, key=_digest):
            paper = item.paper
            if (paper.sha256, False) in gone or (item.by is None and (paper.sha256, True) in gone):
                continue
            machines = getattr(paper.members, "equipment", ())
            if machines and possible.isdisjoint(machines):
                continue
            ours = not machines or self.facts.serial in machines
            proves = ours and item.by is not None and not self._has_ended(paper.members)
            self._known.setdefault(type(paper.members), []).append(Known(paper, proves))

    def _has_begun(self, paper: Paper) -> bool:
        begins = [paper.issued_ms, *(getattr(paper.members, name, None) for name in _BEGINS)]
        return all(begin is None or begin <= self.at_ms for begin in begins)

    def _has_ended(self, members: Members) -> bool:
        if not isinstance(members, _ENDING) or members.to_ms is None:
            return False
        return members.to_ms <= self.at_ms


def _digest(item: Vouched) -> str:
    return item.paper.sha256
