"""Frames in RAM: one buffer made once, first in first out, nothing allocated per frame."""

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Ring:
    """At most count_max records of (boot, seq, bytes) in one buffer of bytes_max.

    Each record lies in one piece. Records are addressed by their place, 0 the oldest.
    """

    def __init__(self, bytes_max: int, count_max: int) -> None:
        self._buffer = bytearray(bytes_max)
        self._view = memoryview(self._buffer)
        self._count_max = count_max
        zeros = [0] * count_max
        self._pos = array("I", zeros)
        self._size = array("I", zeros)
        self._boot = array("I", zeros)
        self._seq = array("I", zeros)
        self._at = array("I", zeros)
        self._first = 0
        self._head = 0
        self.count = 0
        self.bytes_used = 0

    def put(self, boot: int, seq: int, at: int, parts: "Sequence[bytes | memoryview]") -> bool:
        """Copy a record in behind the others, `at` its time; False when there is no room."""
        need = sum([len(part) for part in parts])
        pos = self._room(need)
        if pos < 0:
            return False
        i = (self._first + self.count) % self._count_max
        self._pos[i] = pos
        self._size[i] = need
        self._boot[i] = boot
        self._seq[i] = seq
        self._at[i] = at
        for part in parts:
            end = pos + len(part)
            self._buffer[pos:end] = part
            pos = end
        self._head = pos
        self.count += 1
        self.bytes_used += need
        return True

    def key(self, place: int) -> "tuple[int, int]":
        """(boot, seq) of a record."""
        i = (self._first + place) % self._count_max
        return self._boot[i], self._seq[i]

    def at(self, place: int) -> int:
        """The `at` that a record was put with."""
        return self._at[(self._first + place) % self._count_max]

    def view(self, place: int) -> memoryview:
        """A record's bytes, good until the record is popped and the next put."""
        i = (self._first + place) % self._count_max
        return self._view[self._pos[i] : self._pos[i] + self._size[i]]

    def find(self, boot: int, seq: int) -> int:
        """The place of the first record at or after (boot, seq), or -1."""
        for place in range(self.count):
            i = (self._first + place) % self._count_max
            if self._boot[i] > boot or (self._boot[i] == boot and self._seq[i] >= seq):
                return place
        return -1

    def pop(self) -> None:
        """Let the oldest record go."""
        self.bytes_used -= self._size[self._first]
        self._first = (self._first + 1) % self._count_max
        self.count -= 1

    def _room(self, need: int) -> int:
        """Where `need` bytes fit in one piece, or -1."""
        if self.count >= self._count_max:
            return -1
        if not self.count:
            return 0 if need <= len(self._buffer) else -1
        oldest = self._pos[self._first]
        if self._head > oldest:
            if need <= len(self._buffer) - self._head:
                return self._head
            return 0 if need <= oldest else -1
        return self._head if need <= oldest - self._head else -1
