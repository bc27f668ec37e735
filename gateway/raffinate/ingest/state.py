"""What an operator sees of the ingest; written by the worker, read by any thread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raffinate.archive import Commit, FrameArchive, Rejected
    from raffinate.ingest.holes import HoleWatch
    from raffinate.model import Plant

FINDINGS_SHOWN_MAX = 8


@dataclass(slots=True)
class NodeState:
    """One node since the gateway's start."""

    online: bool | None = None
    last_frame_ms: int | None = None
    frames: int = 0
    rejected: int = 0
    findings: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


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
        self.quarantined = 0
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
        quarantined: int,
        dropped: int,
    ) -> None:
        """Count what one commit did."""
        self.frames += len(commit.stored)
        self.duplicates += commit.duplicates
        self.pending_dropped += dropped
        self.quarantined += quarantined + len(commit.conflicts)
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

    def look(self, archive: FrameArchive, holes: HoleWatch) -> None:
        """Once a second: sizes, and the open holes of each node in words."""
        self.archive_bytes = archive.bytes_used()
        for node in self.nodes.values():
            found = [
                f"frames {first} to {last} of boot {boot} have not come"
                for key in sorted(node.keys)
                for boot, first, last in holes.open(key)
            ]
            node.findings = found[:FINDINGS_SHOWN_MAX]
