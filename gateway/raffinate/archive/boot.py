"""What the archive knows of one boot of one key, and what it says of a frame's order; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from raffinate.archive.spans import Spans

if TYPE_CHECKING:
    from raffinate.model import Scan

CLOCK_JUMP_MS = 2000
BROKEN_CHAIN = "broken-chain"
CLOCK_JUMP = "clock-jump"
CLOCK_STEP = "clock-step"
HOLE = "hole"


@dataclass(slots=True)
class Boot:
    """One boot; `last` is its archived frame with the highest seq, None before the first."""

    id: int
    key: str
    boot: int
    node: str
    spans: Spans = field(default_factory=Spans)
    last: Place | None = None
    step_max: int = 0
    offset_ms: int | None = None
    timed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archived frame stands: its digest, and the times of its last run of scans."""

    seq: int
    digest: bytes
    step: int
    first_ms: int
    first_up_ms: int
    last_ms: int
    last_up_ms: int

    def precedes(self, other: Place) -> bool:
        """Whether both can have the same step: no row of one can be a row of the other.

        Frames that split one scan have equal times, and points of their own.
        """
        return self.last_ms < other.first_ms or (
            self.last_ms == other.first_ms and self.last_up_ms == other.first_up_ms
        )


def place_alone(seq: int, digest: bytes, scans: tuple[Scan, ...], step: int) -> Place:
    """The place of a frame whose times grow from scan to scan, at `step`."""
    first, last = scans[0], scans[-1]
    return Place(seq, digest, step, first.time_ms, first.up_ms, last.time_ms, last.up_ms)


def runs(scans: tuple[Scan, ...]) -> int:
    """How many runs of growing times the scans are; 1 unless the clock stepped back among them."""
    count = 1
    for before, after in pairwise(scans):
        count += after.time_ms <= before.time_ms
    return count


def with_steps(scans: tuple[Scan, ...], step: int) -> tuple[Scan, ...]:
    """The scans of a frame that begins at `step`; each run of growing times is one step higher."""
    found = [replace(scans[0], step=step)]
    for before, after in pairwise(scans):
        step += after.time_ms <= before.time_ms
        found.append(replace(after, step=step))
    return tuple(found)
