"""A key's chain: seq grows by one, prev names the envelope before (protocol 4). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

HOLES_MAX = 1000
ZERO = bytes(32)

NEXT, AHEAD, LATE, KNOWN = "next", "ahead", "late", "known"


@dataclass(slots=True)
class Hole:
    """Numbers low..high not seen; `before` is the leaf before them, `after` what the next names."""

    low: int
    high: int
    before: bytes
    after: bytes

    @property
    def skipped(self) -> bool:
        """True when the next statement names the leaf before the hole: numbers never used."""
        return self.before == self.after


@dataclass(slots=True)
class Chain:
    """What is known of one key's chain: highest seq, its leaf hash, the holes below it."""

    seq: int = 0
    head: bytes = ZERO
    holes: list[Hole] = field(default_factory=list)

    def place(self, seq: int, prev: bytes) -> str:
        """Where a statement belongs: NEXT (also after skipped numbers), AHEAD, LATE or KNOWN."""
        if seq == self.seq + 1 or (seq > self.seq and prev == self.head):
            return NEXT
        if seq > self.seq:
            return AHEAD
        return LATE if self._hole(seq) is not None else KNOWN

    def extend(self, seq: int, prev: bytes, leaf: bytes) -> list[str]:
        """Take a statement that is not KNOWN; the codes of what is wrong with its place.

        SKIPPED or MISSING: numbers before it; CHAIN-BROKEN: its prev, or the next one's, is wrong;
        LATE: it came after its successors.
        """
        if seq > self.seq:
            codes = []
            if seq > self.seq + 1:
                hole = Hole(self.seq + 1, seq - 1, self.head, prev)
                codes.append("SKIPPED" if hole.skipped else "MISSING")
                self._add(hole)
            elif prev != self.head:
                codes.append("CHAIN-BROKEN")
            self.seq, self.head = seq, leaf
            return codes
        return self._fill(seq, prev, leaf)

    def missing(self) -> list[Hole]:
        """Holes whose statements exist and did not come."""
        return [hole for hole in self.holes if not hole.skipped]

    def _fill(self, seq: int, prev: bytes, leaf: bytes) -> list[str]:
        hole = self._hole(seq)
        if hole is None:
            raise ValueError(f"statement {seq} is already in the chain")
        self.holes.remove(hole)
        broken = (seq == hole.low and prev != hole.before) or (
            seq == hole.high and leaf != hole.after
        )
        if seq > hole.low:
            self._add(Hole(hole.low, seq - 1, hole.before, prev))
        if seq < hole.high:
            self._add(Hole(seq + 1, hole.high, leaf, hole.after))
        return ["LATE", "CHAIN-BROKEN"] if broken else ["LATE"]

    def _hole(self, seq: int) -> Hole | None:
        for hole in self.holes:
            if hole.low <= seq <= hole.high:
                return hole
        return None

    def _add(self, hole: Hole) -> None:
        self.holes.append(hole)
        if len(self.holes) > HOLES_MAX:
            del self.holes[0]


def fallen(old: dict[str, tuple[int, int, int]], new: dict[str, tuple[int, int, int]]) -> list[str]:
    """Equipment whose registers (run_ms, starts, volume_ml) are lower than before, or are gone."""
    return [
        name
        for name, before in old.items()
        if name not in new or any(a < b for a, b in zip(new[name], before, strict=True))
    ]
