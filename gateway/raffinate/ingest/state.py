"""What an operator sees of the ingest; written by the worker, read by any thread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from raffinate.archive.boot import BROKEN_CHAIN, CLOCK_JUMP, CLOCK_STEP, HOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.archive import Commit, FrameArchive, Quarantined, Rejected
    from raffinate.ingest.holes import HoleWatch
    from raffinate.model import Plant

FINDINGS_SHOWN_MAX = 8
WORDS = {
    BROKEN_CHAIN: "does not follow from the frame before it",
    CLOCK_JUMP: "has a time that left the board's uptime",
    CLOCK_STEP: "has a time before that of an earlier frame",
}


@dataclass(slots=True)
class NodeState:
    """One node since the gateway's start."""

    online: bool | None = None
    last_frame_ms: int | None = None
    frames: int = 0
    rejected: int = 0
    findings: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    noted: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By code of finding: how many, and boot and seq of the last."""


class IngestState:
    """Counters since the start, and the state of the worker. Single values change at once."""

    def __init__(self, plant: Plant) -> None:
        self.nodes = {name: NodeState() for name in plant.nodes}
        self.full = False
        self.running = True
        self.detail = ""
        self.queue = 0
        self.frames = 0
        self.samples = 0
        self.duplicates = 0
        self.pending_dropped = 0
        self.quarantined: Counter[str] = Counter()
        self.last_quarantined: Quarantined | None = None
        self.findings: Counter[str] = Counter()
        self.archive_bytes = 0
        self.rejections: Counter[str] = Counter()

    def storage_full(self, detail: str) -> None:
        """Nothing is acknowledged."""
        self.full, self.detail = True, f"{detail}. Nodes keep their data until then"

    def has_room(self) -> None:
        """Messages are acknowledged again."""
        self.full, self.detail = False, ""

    def stopped(self) -> None:
        """The worker has ended."""
        self.running = False

    def node_online(self, node: str, *, online: bool) -> None:
        """A node's status said so."""
        self.nodes[node].online = online

    def count(
        self,
        commit: Commit,
        rejected: Sequence[Rejected],
        quarantined: Sequence[Quarantined],
        dropped: int,
    ) -> None:
        """Count what one commit did."""
        self.frames += len(commit.stored)
        self.duplicates += commit.duplicates
        self.pending_dropped += dropped
        for refused in quarantined:
            self.quarantined[refused.reason] += 1
            self.last_quarantined = replace(refused, data=b"")
        for stored in commit.stored:
            frame = stored.frame
            node = self.nodes[frame.node]
            node.frames += 1
            node.last_frame_ms = stored.received_ms
            node.keys.add(frame.key)
            for scan in frame.scans:
                self.samples += len(scan.values)
        for item in (*rejected, *commit.conflicts):
            self.rejections[item.reason] += 1
            self.nodes[item.node].rejected += 1
        for item in commit.conflicts:
            self.quarantined[item.reason] += 1
        for name, _, boot, seq, code, _ in commit.findings:
            self.findings[code] += 1
            if code != HOLE:
                noted = self.nodes[name].noted
                noted[code] = (noted.get(code, (0,))[0] + 1, boot, seq)

    def look(self, archive: FrameArchive, holes: HoleWatch) -> None:
        """Once a second: sizes, and the findings of each node in words, open holes first."""
        self.archive_bytes = archive.bytes_used()
        for node in self.nodes.values():
            found = [
                f"frames {first} to {last} of boot {boot} have not come"
                for key in sorted(node.keys)
                for boot, first, last in holes.open(key)
            ]
            found += [
                f"{code}: frame {seq} of boot {boot} {WORDS.get(code, 'is odd')} "
                f"({count} since the gateway's start)"
                for code, (count, boot, seq) in sorted(node.noted.items())
            ]
            node.findings = found[:FINDINGS_SHOWN_MAX]
