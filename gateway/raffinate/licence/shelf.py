"""Papers and regimes as the gateway keeps them, with who vouches for each.

Rows of the evidence database are read once; the newest version of each document counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from raffinate.errors import ConfigError
from raffinate.evidence.office import DELETED
from raffinate.licence.document import Licence, parse_licence
from raffinate.licence.papers import Paper, Vouched, parse_paper
from raffinate.licence.regime import Regime, parse_regime
from raffinate.licence.shipped import shipped_files
from raffinate.licence.vouching import NOBODY, Vouching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from raffinate.evidence.office import Known
    from raffinate.licence.facts import By

PAPERS_MAX = 10_000
T = TypeVar("T")


class Shelf:
    """`take` what the database has; `changes` grows with whatever may change a decision."""

    def __init__(self) -> None:
        self.changes = 0
        self._vouching: Vouching = NOBODY
        self._listed: tuple[int, tuple[Vouched, ...]] | None = None
        self._row = 0
        self._papers: dict[tuple[str, str], tuple[Paper, bytes]] = {}
        self._imported: dict[str, tuple[Regime, bytes]] = {}
        self._shipped: dict[str, tuple[Regime, bytes]] = {}
        self._licences: dict[str, tuple[Licence, bytes]] = {}
        self._signed: dict[str, bytes] = {}
        for name, data in shipped_files().items():
            regime = parse_regime(f"{name}.toml", data)
            if not regime.template:
                self._shipped[regime.id] = (regime, data)

    def take(self, known: Known) -> None:
        """Read documents that were kept since the last time; all again after a deletion."""
        rows = known.documents(self._row)
        if self._row and any(row[2] == DELETED for row in rows):
            self._papers, self._imported, self._licences, self._signed = {}, {}, {}, {}
            rows = known.documents(0)
        for row, digest, kind, name, data in rows:
            self._row = row
            self.changes += 1
            if kind == "signature":
                self._signed[digest_of(name)] = data
            elif kind == "regime":
                self._take_regime(name, data)
            elif kind == "licence":
                self._take_licence(name, data)
            elif kind != DELETED:
                self._take_paper(name, data, digest)

    @property
    def problem(self) -> str:
        """Why nobody is known to vouch, "" where there is nothing to say."""
        return self._vouching.problem

    def trust(self, vouching: Vouching) -> None:
        """Believe these from now on."""
        if vouching != self._vouching:
            self._vouching = vouching
            self.changes += 1

    def papers(self) -> tuple[Vouched, ...]:
        """The newest version of each, with who vouches for it."""
        if self._listed is None or self._listed[0] != self.changes:
            found = tuple(
                Vouched(paper, self.by(paper.sha256, data)) for paper, data in self._papers.values()
            )
            self._listed = (self.changes, found)
        return self._listed[1]

    def by(self, digest: str, data: bytes) -> By:
        """Who vouches for a file's exact bytes."""
        return self._vouching.by(digest, data, self._signed.get(digest))

    def licences(self) -> tuple[tuple[Licence, bytes], ...]:
        """Licences that came by request, with their exact bytes: they stay."""
        return tuple(self._licences.values())

    def regimes(self) -> tuple[Regime, ...]:
        """The newest version of each regime: imported, else as it comes with the program.

        Where somebody is known to vouch, only what he vouches for.
        """
        known = {**self._shipped, **self._imported}.values()
        return tuple(
            regime
            for regime, data in known
            if self._vouching == NOBODY or self.by(regime.sha256, data) is not None
        )

    def shipped(self, ids: Iterable[str]) -> tuple[tuple[Regime, bytes], ...]:
        """Regimes of these ids that come with the program and were not imported otherwise."""
        wanted = set(ids)
        return tuple(
            pair
            for name, pair in self._shipped.items()
            if name in wanted and name not in self._imported
        )

    def _take_paper(self, name: str, data: bytes, digest: str) -> None:
        paper = _parsed(parse_paper, name, data)
        if paper is None or paper.sha256 != digest:
            return
        key = (paper.kind, paper.id)
        before = self._papers.get(key)
        if before is None and len(self._papers) >= PAPERS_MAX:
            return
        if before is None or paper.version > before[0].version:
            self._papers[key] = (paper, data)

    def _take_regime(self, name: str, data: bytes) -> None:
        regime = _parsed(parse_regime, name, data)
        if regime is not None and not regime.template:
            self._imported[regime.id] = (regime, data)

    def _take_licence(self, name: str, data: bytes) -> None:
        """One of the folder bears its file's name, one of the registry its digest's."""
        licence = _parsed(parse_licence, name, data)
        if licence is not None and digest_of(name) == licence.sha256:
            self._licences[licence.sha256] = (licence, data)


def digest_of(name: str) -> str:
    """The digest that a signature's name begins with: `<folder>/<sha256>.dsse`."""
    return name.rpartition("/")[2].partition(".")[0]


def _parsed(parse: Callable[[str, bytes], T], name: str, data: bytes) -> T | None:
    try:
        return parse(name, data)
    except ConfigError:
        return None
