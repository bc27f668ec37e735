"""Holes among a boot's frames: missing for a while they are normal, for longer a finding; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLE_MS_MAX = 60_000
HOLES_PER_BOOT_MAX = 64
BOOTS_MAX = 4096


class HoleWatch:
    """Since when each hole is open, and which are due to be stated. A hole is its first frame."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], dict[int, int]] = {}
        self._last: dict[tuple[str, int], dict[int, int]] = {}
        self._stated: set[tuple[str, int, int]] = set()

    def note(self, key: str, boot: int, holes: Sequence[tuple[int, int]], now_ms: int) -> None:
        """Take a boot's holes (first, last) as they are now; later ones wait for the first."""
        watched = holes[:HOLES_PER_BOOT_MAX]
        before = self._since.pop((key, boot), {})
        self._last.pop((key, boot), None)
        for first in before.keys() - {first for first, _ in watched}:
            self._stated.discard((key, boot, first))
        if not watched:
            return
        while len(self._since) >= BOOTS_MAX:
            oldest = next(iter(self._since))
            del self._since[oldest], self._last[oldest]
        self._since[key, boot] = {first: before.get(first, now_ms) for first, _ in watched}
        self._last[key, boot] = dict(watched)

    def due(self, now_ms: int) -> list[tuple[str, int, int]]:
        """(key, boot, first) of holes that have lasted too long and are not stated yet."""
        return [
            (key, boot, first)
            for (key, boot), since in self._since.items()
            for first, since_ms in since.items()
            if now_ms - since_ms >= HOLE_MS_MAX and (key, boot, first) not in self._stated
        ]

    def stated(self, holes: Sequence[tuple[str, int, int]]) -> None:
        """These are durable findings now."""
        self._stated.update(holes)

    def open(self, key: str) -> list[tuple[int, int, int]]:
        """(boot, first, last) of a key's holes that are findings."""
        return sorted(
            (boot, first, self._last[held, boot][first])
            for held, boot, first in self._stated
            if held == key and first in self._last.get((held, boot), ())
        )
