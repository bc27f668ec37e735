"""The newest sample of every point by sample time, so that backfill never moves it back.

A time far ahead of its reception does not count: a board whose clock jumped, or anybody's frame
with a forged time, would else keep what follows from being shown for good.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING

from raffinate.model import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.model import Scan, StoredFrame

WAITING_MAX = 10_000
AHEAD_MS_MAX = 60_000


class Hub:
    """Takes stored frames from the ingest worker; any thread asks for the newest.

    Publishing keeps scans as they are. Samples are made when someone asks, so that a flood of
    frames costs no more than its newest scans.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, int], tuple[int, Scan]] = {}
        self._latest: dict[str, Sample] = {}
        # by point: the time that a sample far ahead counts as
        self._counted: dict[str, int] = {}
        self._snapshot: Mapping[str, Sample] = MappingProxyType({})

    def seed(self, samples: Mapping[str, Sample], now_ms: int) -> None:
        """Begin with what a series store holds from before."""
        with self._lock:
            for sample in samples.values():
                self._take(sample, min(sample.time_ms, now_ms + AHEAD_MS_MAX))
            self._snapshot = MappingProxyType(dict(self._latest))

    def publish(self, frames: Sequence[StoredFrame]) -> None:
        """Take frames just archived, in any order of their times."""
        with self._lock:
            waiting = self._waiting
            for stored in frames:
                node, ahead_ms = stored.frame.node, stored.received_ms + AHEAD_MS_MAX
                for scan in stored.frame.scans:
                    if not scan.values:
                        continue
                    counted = min(scan.time_ms, ahead_ms)
                    # Scans of the same points: same first point, same number of them.
                    shape = (node, scan.values[0][0], len(scan.values))
                    known = waiting.get(shape)
                    if known is None:
                        waiting[shape] = counted, scan
                    elif _same_points(known[1], scan):
                        if counted >= known[0]:
                            waiting[shape] = counted, scan
                    else:
                        self._merge(*known)
                        waiting[shape] = counted, scan
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
        for counted, scan in self._waiting.values():
            self._merge(counted, scan)
        self._waiting.clear()

    def _merge(self, counted: int, scan: Scan) -> None:
        latest, time_ms = self._latest, scan.time_ms
        plain = counted == time_ms and not self._counted
        for point, value, quality in scan.values:
            if not plain:
                self._take(Sample(point, value, quality, time_ms), counted)
                continue
            known = latest.get(point)
            if known is None or time_ms > known.time_ms:
                latest[point] = Sample(point, value, quality, time_ms)

    def _take(self, sample: Sample, counted: int) -> None:
        """Keep a sample where it is newer than the known one."""
        point = sample.point
        known = self._latest.get(point)
        if known is not None:
            before = self._counted.get(point, known.time_ms)
            if (counted, sample.time_ms) <= (before, known.time_ms):
                return
        self._latest[point] = sample
        if counted != sample.time_ms:
            self._counted[point] = counted
        else:
            self._counted.pop(point, None)


def _same_points(one: Scan, other: Scan) -> bool:
    return all(a[0] == b[0] for a, b in zip(one.values, other.values, strict=True))
