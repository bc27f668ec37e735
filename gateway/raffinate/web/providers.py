"""What the web server needs from the rest of the gateway beside `ports.SeriesStore`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from raffinate.errors import RaffinateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prometheus_client import CollectorRegistry

    from raffinate.model import Bucket, Plant, Sample


class Hub(Protocol):
    """The newest sample of each point, kept by the ingest worker."""

    def latest(self) -> Mapping[str, Sample]:
        """A snapshot by point id, newest by sample time; safe from any thread.

        A point whose sample did not change keeps the same `Sample` object between calls: the
        stream tells changes by identity.
        """


class History(Protocol):
    """The part of `ports.SeriesStore` that the API reads; safe from any thread."""

    def history(self, point: str, from_ms: int, to_ms: int, buckets: int) -> list[Bucket]:
        """Buckets of width ceil((to - from)/buckets) ms over [from, to), the first at from."""


class Entries(Protocol):
    """Where what people enter goes: each call waits until the log has it. Raises RaffinateError.

    `actor`: a pseudonym that nobody has checked.
    """

    def acknowledge(self, equipment: str, state: str, actor: str) -> Mapping[str, Any]:
        """`index` and `sha256` of an acknowledgement, see `AcknowledgedJson`."""

    def add(self, data: bytes, actor: str) -> Mapping[str, Any]:
        """A document that is now in the log, see `TakenJson`."""

    def check(self, data: bytes) -> list[str]:
        """Notes about a document that would be added; RefusedError where it would be refused."""

    def resolve(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Known names like `name`, likest first, see `PartyJson`."""

    def registry(self) -> Mapping[str, Any]:
        """Every document there is, see `RegistryJson`."""

    def document(self, sha256: str) -> tuple[str, bytes] | None:
        """Kind and bytes of a licence, regime or paper that is kept."""


@dataclass(frozen=True, slots=True)
class Providers:
    """All that the API shows; every callable may be called from any thread."""

    plant: Plant
    hub: Hub
    series: History
    health: Callable[[], Mapping[str, Any]]
    evidence: Callable[[], Mapping[str, Any]]
    metrics_registry: CollectorRegistry
    time_ms: Callable[[], int]
    entries: Entries | None = None

    def open_entries(self) -> Entries:
        """The entries. Raises RaffinateError where this server has none."""
        if self.entries is None:
            raise RaffinateError("this server only shows; entries are taken by the gateway itself")
        return self.entries
