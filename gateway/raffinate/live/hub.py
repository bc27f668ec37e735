"""The newest sample of every point by sample time, so that backfill never moves it back."""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING

from raffinate.model import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.model import Scan, StoredFrame

WAITING_MAX = 10_000


class Hub:
    """Takes stored frames from the ingest worker; any thread asks for the newest.

    Publishing keeps scans as they are. Samples are made when someone asks, so that a flood of
    frames costs no more than its newest scans.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, int], Scan] = {}
        self._latest: dict[str, Sample] = {}
        self._snapshot: Mapping[str, Sample] = MappingProxyType({})

    def seed(self, samples: Mapping[str, Sample]) -> None:
        """Begin with what a series store holds from before."""
        with self._lock:
            for point, sample in samples.items():
                known = self._latest.get(point)
                if known is None or sample.time_ms > known.time_ms:
                    self._latest[point] = sample
            self._snapshot = MappingProxyType(dict(self._latest))

    def publish(self, frames: Sequence[StoredFrame]) -> None:
        """Take frames just archived, in any order of their times."""
        with self._lock:
            waiting = self._waiting
            for stored in frames:
                node = stored.frame.node
                for scan in stored.frame.scans:
                    if not scan.values:
                        continue
                    # Scans of the same points: same first point, same number of them.
                    shape = (node, scan.values[0][0], len(scan.values))
                    known = waiting.get(shape)
                    if known is None:
                        waiting[shape] = scan
                    elif _same_points(known, scan):
                        if scan.time_ms >= known.time_ms:
                            waiting[shape] = scan
                    else:
                        self._merge(known)
                        waiting[shape] = scan
            if len(waiting) > WAITING_MAX:
                self._settle()

    def latest(self) -> Mapping[str, Sample]:
        """A snapshot by point id; a sample that did not change stays the same object."""
        with self._lock:
            if self._waiting:
                self._settle()
                self._snapshot = MappingProxyType(dict(self._latest))
            return self._snapshot

    def _settle(self) -> None:
        for scan in self._waiting.values():
            self._merge(scan)
        self._waiting.clear()

    def _merge(self, scan: Scan) -> None:
        latest, time_ms = self._latest, scan.time_ms
        for point, value, quality in scan.values:
            known = latest.get(point)
            if known is None or time_ms > known.time_ms:
                latest[point] = Sample(point, value, quality, time_ms)


def _same_points(one: Scan, other: Scan) -> bool:
    return all(a[0] == b[0] for a, b in zip(one.values, other.values, strict=True))
