"""How a machine's time is accounted for: running, idle, gap, unaccounted. Bounded, pure."""

from __future__ import annotations

from dataclasses import dataclass, field

BINS_MAX = 1024
GAPS_MAX = 256
BIN_MS_MIN = 60_000
RUNNING, IDLE, GAP, UNACCOUNTED = range(4)


@dataclass(slots=True)
class Timeline:
    """Milliseconds of each of the four states by bins of `bin_ms`, which doubles as time grows.

    `bins` by number (time // bin_ms); `gaps` are (from_ms, to_ms, cause) as signed.
    """

    bin_ms: int = BIN_MS_MIN
    bins: dict[int, list[int]] = field(default_factory=dict)
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    low: int | None = None
    high: int = 0

    def use(self, from_ms: int, to_ms: int, run_ms: int, *, late: bool = False) -> None:
        """A stated interval with its run time; one that is late fills what was unaccounted."""
        length = to_ms - from_ms
        run_ms = min(run_ms, length)
        for cell, part in self._parts(from_ms, to_ms):
            running = part * run_ms // length
            cell[RUNNING] += running
            cell[IDLE] += part - running
            if late:
                cell[UNACCOUNTED] = max(0, cell[UNACCOUNTED] - part)

    def miss(self, from_ms: int, to_ms: int) -> None:
        """Time that no statement covers."""
        for cell, part in self._parts(from_ms, to_ms):
            cell[UNACCOUNTED] += part

    def gap(self, from_ms: int, to_ms: int, cause: str) -> None:
        """A signed gap: it names the cause of what is unaccounted in it, by `settle`."""
        if len(self.gaps) < GAPS_MAX and to_ms > from_ms:
            self.gaps.append((from_ms, to_ms, cause))

    def settle(self) -> None:
        """Count unaccounted time inside signed gaps as gap."""
        for from_ms, to_ms, _ in self.gaps:
            first, last = from_ms // self.bin_ms, to_ms // self.bin_ms
            for number, cell in self.bins.items():
                if first <= number <= last:
                    end = min(to_ms, (number + 1) * self.bin_ms)
                    part = min(cell[UNACCOUNTED], end - max(from_ms, number * self.bin_ms))
                    cell[UNACCOUNTED] -= part
                    cell[GAP] += part

    def totals(self) -> list[int]:
        """Milliseconds running, idle, gap, unaccounted."""
        return [sum(cell[state] for cell in self.bins.values()) for state in range(4)]

    def _parts(self, from_ms: int, to_ms: int) -> list[tuple[list[int], int]]:
        if to_ms <= from_ms:
            return []
        self.low = from_ms if self.low is None else min(self.low, from_ms)
        self.high = max(self.high, to_ms)
        while (self.high - 1) // self.bin_ms - self.low // self.bin_ms >= BINS_MAX:
            self._double()
        found = []
        while from_ms < to_ms:
            number = from_ms // self.bin_ms
            end = min(to_ms, (number + 1) * self.bin_ms)
            found.append((self.bins.setdefault(number, [0, 0, 0, 0]), end - from_ms))
            from_ms = end
        return found

    def _double(self) -> None:
        self.bin_ms *= 2
        bins: dict[int, list[int]] = {}
        for number, cell in self.bins.items():
            target = bins.setdefault(number // 2, [0, 0, 0, 0])
            for state in range(4):
                target[state] += cell[state]
        self.bins = bins
