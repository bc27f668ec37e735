"""What one batch will change: gathered in memory, written in one transaction, then answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from raffinate.model import StatementResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.evidence.anchoring import Row
    from raffinate.evidence.store import Finding, Key, Pending, StoredPermit
    from raffinate.model import GapCover, Inbound, Outgoing


@dataclass(slots=True)
class Work:
    """Entries get the log indices `first`, `first` + 1, ... in their order."""

    first: int
    now_ms: int
    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    indices: dict[tuple[int, int], int] = field(default_factory=dict)
    keys: dict[int, Key] = field(default_factory=dict)
    waiting: dict[tuple[int, int], tuple[int, bytes]] = field(default_factory=dict)
    released: list[tuple[int, int]] = field(default_factory=list)
    pending: dict[str, Pending] = field(default_factory=dict)
    unpended: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    permits: list[StoredPermit] = field(default_factory=list)
    documents: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    receipts: list[tuple[Key, int, int]] = field(default_factory=list)
    enrolled: list[tuple[str, str]] = field(default_factory=list)
    uses: list[tuple[Key, dict[str, Any]]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    requests: list[tuple[str, int, bytes]] = field(default_factory=list)
    anchors: dict[str, Row] = field(default_factory=dict)
    anchor_indices: set[int] = field(default_factory=set)
    anchors_taken: bool = False
    gaps: list[GapCover] = field(default_factory=list)
    refused: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    quarantine: list[tuple[Inbound, str]] = field(default_factory=list)

    def add_entry(self, data: bytes, leaf: bytes) -> int:
        """Give an entry its index in the log."""
        self.entries.append(data)
        self.leaves.append(leaf)
        return self.first + len(self.entries) - 1

    def changes(self) -> bool:
        """True when something is to be written."""
        return bool(
            self.entries
            or self.keys
            or self.waiting
            or self.released
            or self.pending
            or self.unpended
            or self.findings
            or self.documents
            or self.anchors_taken
            or self.state
            or self.requests
        )


@dataclass(slots=True)
class Answers:
    """What the parts of a batch led to."""

    outgoing: list[Outgoing] = field(default_factory=list)
    gaps: list[GapCover] = field(default_factory=list)
    refused: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    quarantine: list[tuple[Inbound, str]] = field(default_factory=list)

    def add(self, work: Work, receipts: Sequence[Outgoing]) -> None:
        """Take what a committed part led to."""
        self.outgoing += receipts
        self.gaps += work.gaps
        for keyid, refused in work.refused.items():
            self.refused.setdefault(keyid, []).extend(refused)
        self.quarantine += work.quarantine

    def statement_result(self) -> StatementResult:
        """The whole batch's."""
        refused = {keyid: tuple(found) for keyid, found in self.refused.items()}
        return StatementResult(
            tuple(self.outgoing), tuple(self.gaps), refused, tuple(self.quarantine)
        )
