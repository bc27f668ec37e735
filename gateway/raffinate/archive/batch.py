"""What is given to the archive at once, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.model import Frame, GapCover, StoredFrame


@dataclass(frozen=True, slots=True)
class Incoming:
    """A checked frame; its scans have their times, under clock U by the estimate."""

    frame: Frame
    received_ms: int
    estimate_ms: int | None = None
    findings: tuple[str, ...] = ()
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A frame that will never be archived; an ack passes over it."""

    node: str
    key: str
    boot: int
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Refused bytes and why; `source` is the topic or the projection they came from."""

    received_ms: int
    source: str
    reason: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one commit makes durable, or nothing of it.

    `covers` are (node, cover); `holes` are (key, boot, first frame, now_ms) of holes that last.
    """

    frames: Sequence[Incoming] = ()
    rejected: Sequence[Rejected] = ()
    covers: Sequence[tuple[str, GapCover]] = ()
    quarantined: Sequence[Quarantined] = ()
    holes: Sequence[tuple[str, int, int, int]] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did; `upto` and `holes` by (key, boot) for every boot the batch touched.

    `conflicts` are frames whose identity was taken by other bytes: rejected and in quarantine.
    `findings` are (node, key, boot, seq, code, found_ms).
    """

    stored: tuple[StoredFrame, ...] = ()
    duplicates: int = 0
    conflicts: tuple[Rejected, ...] = ()
    upto: Mapping[tuple[str, int], int] = field(default_factory=dict)
    holes: Mapping[tuple[str, int], tuple[tuple[int, int], ...]] = field(default_factory=dict)
    findings: tuple[tuple[str, str, int, int, str, int], ...] = ()
