"""The seams of the gateway. Comments are the contract: every implementation keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from raffinate.model import (
        Bucket,
        Frame,
        Inbound,
        Outgoing,
        Sample,
        StatementResult,
        StoredFrame,
    )


class Archive(Protocol):
    """Frames on disk in the order of arrival. What `append` returned survives power loss."""

    def append(self, frames: Sequence[tuple[Frame, int, int | None, tuple[str, ...]]]) -> int:
        """Commit (frame, received_ms, estimate_ms, findings), known ones once; the last position.

        Raises StorageFullError; then nothing of the batch is kept.
        """

    def read(self, after: int, count_max: int) -> list[StoredFrame]:
        """Stored frames with position > `after`, oldest first."""

    def last_position(self) -> int:
        """Position of the newest frame; 0 when there is none. Any thread may ask."""

    def cursor(self, name: str) -> int:
        """How far the projection `name` has come; 0 at first."""

    def advance(self, name: str, position: int) -> None:
        """Move a cursor; durable when it returns."""

    def bytes_used(self) -> int:
        """Size on disk, bytes."""


class SeriesStore(Protocol):
    """Samples by point and time. Writing the same frame again changes nothing."""

    def write(self, frames: Sequence[StoredFrame]) -> None:
        """Take frames in archive order; durable at the latest when `flush` returns."""

    def flush(self) -> None:
        """Make all that was written durable."""

    def history(self, point: str, from_ms: int, to_ms: int, buckets: int) -> list[Bucket]:
        """Buckets of width ceil((to - from)/buckets) ms over [from, to), the first at from."""

    def samples(self, point: str, from_ms: int, to_ms: int) -> Iterable[Sample]:
        """Every sample of [from, to) in time order, exact values."""

    def latest(self) -> Mapping[str, Sample]:
        """The newest sample of each point by sample time."""

    def bytes_used(self) -> int:
        """Size on disk, bytes."""


class Evidence(Protocol):
    """Keys, statements, log, permits. Called from the ingest worker's thread only."""

    def key_state(self, node: str, key: str) -> str:
        """State of the key (16 or 64 hex digits) of a node: enrolled, pending, revoked, unknown."""

    def submit(self, batch: Sequence[Inbound]) -> StatementResult:
        """Check and log statements; returns when every one is durable. Raises StorageFullError.

        A gap statement that comes again reports its `gaps` again.
        """

    def on_status(self, node: str, payload: bytes, now_ms: int) -> list[Outgoing]:
        """Answer a node's `status` (online): resume, and on a new session receipts and permits."""

    def tick(self, now_ms: int) -> list[Outgoing]:
        """Work that time makes due: waiting statements, permits, inbox files."""

    def drain_enrolled(self) -> list[tuple[str, str]]:
        """(node, keyid) pairs enrolled since the last call: each gets an ack with a new epoch."""

    def snapshot(self) -> Mapping[str, Any]:
        """JSON-ready state for the API and the page; safe to read from any thread."""
