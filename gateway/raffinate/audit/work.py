"""Who checks bundles: this process, or others (pool.py). Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from raffinate.audit.reader import Reader
from raffinate.audit.roots import root_reader
from raffinate.tlog.tiles import TILE_WIDTH, entries_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from raffinate.audit.chunk import Chunk
    from raffinate.audit.roster import Signer
    from raffinate.audit.source import Source


@dataclass(frozen=True, slots=True)
class Job:
    """The bundles of entries first..last-1 of a log of `size`.

    Keys in `single` have runs of one.
    """

    first: int
    last: int
    size: int
    signatures: bool
    single: frozenset[str]

    def bundles(self) -> Iterator[tuple[str, int]]:
        """Path and width of each."""
        for first in range(self.first, self.last, TILE_WIDTH):
            width = min(TILE_WIDTH, self.last - first)
            yield f"log/{entries_path(first // TILE_WIDTH, width)}", width


class Work(Protocol):
    """Takes up to `ahead` jobs and gives their chunks in the order sent."""

    ahead: int
    join: bool

    def send(self, job: Job, keys: Mapping[str, Signer]) -> None:
        """One more job; `keys` are the roster's so far, which only grow until `reset`."""

    def receive(self) -> Chunk:
        """The chunk of the oldest job."""

    def reset(self) -> None:
        """Forget jobs and keys."""


class Inline:
    """Does the work when it is asked for."""

    ahead = 1

    def __init__(self, source: Source) -> None:
        self.join = True
        self._source = source
        self._worker = Worker(source)
        self._jobs: deque[Job] = deque()

    def send(self, job: Job, keys: Mapping[str, Signer]) -> None:
        """One more job."""
        self._worker.learn({keyid: signer.spki for keyid, signer in keys.items()})
        self._jobs.append(job)

    def receive(self) -> Chunk:
        """The chunk of the oldest job."""
        return self._worker.do(self._jobs.popleft(), join=self.join)

    def reset(self) -> None:
        """Forget jobs and keys."""
        self._worker = Worker(self._source)
        self._jobs.clear()


class Worker:
    """Reads and checks bundles of one log."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reader: Reader | None = None
        self._spki: dict[str, bytes] = {}

    def learn(self, keys: Mapping[str, bytes]) -> None:
        """Keys (SPKI DER) by keyid; known ones are passed over."""
        for keyid, spki in keys.items():
            self._spki.setdefault(keyid, spki)

    def do(self, job: Job, *, join: bool) -> Chunk:
        """The job's chunk. Raises BundleError when a file cannot be read."""
        reader = self._reader
        if reader is None:
            reader = self._reader = Reader(root_reader(self._source, job.size))
        reader.learn(self._spki)
        reader.single = job.single
        files = ((path, self._find(path), width) for path, width in job.bundles())
        return reader.read(files, job.first, signatures=job.signatures, join=join)

    def _find(self, path: str) -> bytes | None:
        try:
            return self._source.read(path)
        except KeyError:
            return None
