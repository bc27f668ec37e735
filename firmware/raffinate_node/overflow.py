"""What was dropped or may be lost, and until when the node has to say so.

Two things outlive a power cut here: ranges of frames that were dropped and whose gap is not signed
yet, and the frame from which on frames that were only in RAM may be lost (`lost` of `boot`).
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate_node.store import Store

RANGES_MAX = 16
RANGE = "<III32s"
RANGE_BYTES = 44
LOST = "<BII"
SAFE_MS_MAX = (1 << 53) - 1


class Dropped:
    """Ranges (boot, first, last, head) of dropped frames that wait for their signed gap."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self.ranges: list[tuple[int, int, int, bytes]] = []
        self.forgotten = 0
        self._offered = False  # the oldest range is being signed: it stays as it is
        data = store.get("gaps") or b""
        for at in range(0, len(data) - len(data) % RANGE_BYTES, RANGE_BYTES):
            self.ranges.append(struct.unpack(RANGE, data[at : at + RANGE_BYTES]))
        self._saved = len(self.ranges)

    def add(self, boot: int, first: int, last: int, head: bytes) -> None:
        """Remember a range, joined to the last one where they touch."""
        if len(self.ranges) > self._offered:
            at_boot, at_first, at_last, _ = self.ranges[-1]
            if at_boot == boot and at_last + 1 >= first:
                self.ranges[-1] = (boot, at_first, max(last, at_last), head)
                return
        if len(self.ranges) >= RANGES_MAX:
            self.ranges.pop(0)
            self._offered = False
            self.forgotten += 1
        self.ranges.append((boot, first, last, head))

    def sign(self, sign: "Callable[[int, int, int, bytes], bool | None] | None") -> bool:
        """Offer the ranges for signing, oldest first; return whether one was signed.

        The answer None says that it is being signed: until the next offer it stays as it is.
        """
        if sign is None:
            return False
        any_signed = False
        self._offered = False
        while self.ranges:
            answer = sign(*self.ranges[0])
            if not answer:
                self._offered = answer is None
                break
            self.ranges.pop(0)
            any_signed = True
        return any_signed

    def save(self) -> None:
        """Make what is still unsigned durable, before its frames go; raise OSError."""
        if self.ranges or self._saved:
            self._store.put("gaps", b"".join([struct.pack(RANGE, *one) for one in self.ranges]))
            self._saved = len(self.ranges)


class Lost:
    """The frame from which on frames of earlier boots may be lost, until a boot statement says so.

    `known` is the newest (boot, seq) such that every earlier frame was acked, on flash or dropped
    with a gap; None on a flash that never held one. `is_clean`: the last boot ended in order.
    """

    def __init__(
        self, store: "Store", boot: int, known: "tuple[int, int] | None", is_clean: bool
    ) -> None:
        self._store = store
        self._boot = boot
        self.since: tuple[int, int] | None = None
        unstated, at_boot, at_seq = 0, 0, 0
        data = store.get("lost")
        if data is not None and len(data) == struct.calcsize(LOST):
            unstated, at_boot, at_seq = struct.unpack(LOST, data)
        if unstated:
            self.since = (at_boot, at_seq)
        else:
            began = (at_boot, at_seq) if at_boot else None
            ended = is_clean and known is not None and (began is None or known >= began)
            if not ended:
                self.since = began if known is None or (began or known) > known else known
        self._save()

    def stated(self) -> None:
        """The boot statement that carries it is stored; raise OSError."""
        self.since = None
        self._save()

    def at_most_ms(self, ms_per_boot: int) -> int:
        """The longest time whose frames can be lost, over all boots in question."""
        if self.since is None:
            return 0
        return min(SAFE_MS_MAX, max(1, self._boot - self.since[0]) * ms_per_boot)

    def _save(self) -> None:
        if self.since is None:
            data = struct.pack(LOST, 0, self._boot, 0)
        else:
            data = struct.pack(LOST, 1, self.since[0], self.since[1])
        if self._store.get("lost") != data:
            self._store.put("lost", data)
