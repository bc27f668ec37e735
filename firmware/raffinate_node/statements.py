"""Statements on flash: on flash before they can be sent, there until their receipt.

Segments of records are written like a ring: the newest takes all appends, the oldest is removed
once nothing in it lives. A statement that must live on (refused, or waiting very long) is copied
from the oldest segment to the newest when too little of the oldest lives. What became of a
statement is noted with the next append, so that a release costs no flash write of its own; after a
power cut a statement may therefore be sent once more, and gets its receipt again.
"""

from array import array

from raffinate_node.spill import blocks_bytes
from raffinate_node.store import StoreFullError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from raffinate_node.store import Store

STATEMENT = 2
RELEASED = 3
REFUSED = 4
MARK = 5
CLEAN = 6

STATEMENT_BYTES_MAX = 6144
# Room for a gap and a boot statement when fill() is 1.
RESERVE_BYTES = 2 * (STATEMENT_BYTES_MAX + 512)
BYTES_MAX_MIN = 16384
NOTES_MAX = 32

# What a statement waits for.
S_GONE, S_WAITING, S_SENT, S_PUBACKED, S_REFUSED = 0, 1, 2, 3, 4


class Statements:
    """All statements not yet receipted, by seq.

    `mark` is the newest (boot, first frame seq that was only in RAM) noted beside a statement;
    `is_clean` says that an orderly end was noted after it.
    """

    def __init__(self, store: "Store", folder: str, bytes_max: int) -> None:
        if bytes_max < BYTES_MAX_MIN:
            raise ValueError(f"statement_bytes_max {bytes_max} is below {BYTES_MAX_MIN}")
        self._store = store
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes = max(8192, min(16384, bytes_max // 8))
        self._count_max = max(16, min(128, bytes_max // 2048))
        zeros = [0] * self._count_max
        self._seq = array("I", zeros)
        self._no = array("I", zeros)
        self._offset = array("H", zeros)
        self._length = array("H", zeros)
        self._at = array("I", zeros)
        self._state = bytearray(self._count_max)
        self._was_sent = bytearray(self._count_max)
        self.count = 0
        self._segments: list[list[int]] = []  # [number, bytes]
        self._must_rotate = True
        self._notes: list[tuple[int, int, int, Any]] = []
        self.mark: tuple[int, int] | None = None
        self.is_clean = False
        self._load()

    def put(self, seq: int, data: bytes, mark: "tuple[int, int]") -> None:
        """Make a statement durable; raise StoreFullError or OSError, nothing then is sendable."""
        if len(data) > STATEMENT_BYTES_MAX:
            raise StoreFullError(f"a statement of {len(data)} bytes, above {STATEMENT_BYTES_MAX}")
        if self.count and seq <= self._seq[self.count - 1]:
            raise ValueError(f"statement {seq} after {self._seq[self.count - 1]}")
        self._collect()
        if self.count >= self._count_max or self._used() + len(data) + 512 > self._bytes_max:
            raise StoreFullError("the statement store is full")
        self._notes = [note for note in self._notes if note[1] != seq]  # a second try
        records = list(self._notes)
        records.append((MARK, mark[0], mark[1], ()))
        records.append((STATEMENT, seq, 0, (data,)))
        try:
            no, end = self._append(records)
        except OSError:
            # It may be whole on flash all the same; its signer does not count it as stored.
            self._notes.append((RELEASED, seq, 0, ()))
            raise
        self._notes.clear()
        self._insert(seq, no, end - len(data), len(data), S_WAITING)
        self.mark, self.is_clean = mark, False

    def note_clean(self, mark: "tuple[int, int]") -> None:
        """Note that nothing is left in RAM and nothing more comes; raise OSError."""
        self._append(self._notes + [(CLEAN, mark[0], mark[1], ())])  # noqa: RUF005 - dialect
        self._notes.clear()

    def fill(self) -> float:
        """How full the store is, leaving the reserve out: 0 to 1."""
        most = max(1, self._bytes_max - RESERVE_BYTES)
        by_count = self.count / (self._count_max - 2)
        return min(1.0, max(self._used() / most, by_count))

    def next_waiting(self) -> "int | None":
        """The oldest statement that is to be sent, or None."""
        for i in range(self.count):
            if self._state[i] == S_WAITING:
                return self._seq[i]
        return None

    def set_sent(self, seq: int, sent: bool) -> None:
        """It was handed to the link, or the link gave it back."""
        i = self._find(seq)
        if i >= 0 and self._state[i] in (S_WAITING, S_SENT):
            self._state[i] = S_SENT if sent else S_WAITING

    def set_pubacked(self, seq: int, at: int) -> None:
        """The broker has it; `at` in any growing unit."""
        i = self._find(seq)
        if i >= 0 and self._state[i] in (S_WAITING, S_SENT, S_PUBACKED):
            self._state[i] = S_PUBACKED
            self._was_sent[i] = 1
            self._at[i] = at

    def oldest_puback(self) -> "int | None":
        """The smallest `at` of those whose receipt is awaited, or None."""
        times = [self._at[i] for i in range(self.count) if self._state[i] == S_PUBACKED]
        return min(times) if times else None

    def send_again(self, all_of_them: bool) -> None:
        """What was PUBACKed waits to be sent again; with all_of_them also what is under way."""
        for i in range(self.count):
            if self._state[i] == S_PUBACKED or (all_of_them and self._state[i] == S_SENT):
                self._state[i] = S_WAITING

    def release(self, seq: int) -> bool:
        """Its receipt came: let it go. False when it is not here."""
        i = self._find(seq)
        if i < 0:
            return False
        if len(self._notes) < NOTES_MAX:
            self._notes.append((RELEASED, seq, 0, ()))
        self._take_out(i)
        self._collect()
        return True

    def refuse(self, seq: int) -> bool:
        """The gateway refused it: keep it, do not send it again."""
        i = self._find(seq)
        if i < 0 or self._state[i] == S_REFUSED:
            return False
        self._state[i] = S_REFUSED
        self._was_sent[i] = 1
        if len(self._notes) < NOTES_MAX:
            self._notes.append((REFUSED, seq, 0, ()))
        return True

    def unreceipted(self) -> int:
        """How many were sent (the broker had them) and still lack a receipt."""
        return sum([self._was_sent[i] for i in range(self.count)])

    def size_of(self, seq: int) -> "int | None":
        """Bytes of a statement that still needs sending, or None."""
        i = self._find(seq)
        return None if i < 0 or self._state[i] == S_REFUSED else self._length[i]

    def read_into(self, seq: int, offset: int, view: memoryview) -> int:
        """Fill view with a statement's bytes from offset on; return how many, 0 when it is gone."""
        i = self._find(seq)
        if i < 0:
            return 0
        with open(self._store.path(self._path(self._no[i])), "rb") as file:
            file.seek(self._offset[i] + offset)
            return file.readinto(view) or 0

    def read(self, seq: "int | None" = None) -> "tuple[int, bytes] | None":
        """(seq, bytes) of a statement held, of the newest without seq; None when it is not here."""
        i = self.count - 1 if seq is None else self._find(seq)
        if i < 0:
            return None
        with open(self._store.path(self._path(self._no[i])), "rb") as file:
            file.seek(self._offset[i])
            return self._seq[i], file.read(self._length[i])

    # Records and segments

    def _path(self, no: int) -> str:
        return f"{self._folder}/s{no:07d}"

    def _used(self) -> int:
        return sum([blocks_bytes(size) for _, size in self._segments])

    def _append(self, records: "list[tuple[int, int, int, Any]]") -> "tuple[int, int]":
        """Append to the newest segment or a new one; return (its number, its size then)."""
        newest = self._segments[-1] if self._segments else [0, 0]
        if self._must_rotate or newest[1] >= self._segment_bytes:
            newest = [newest[0] + 1, 0]
        # After a failure the file's tail may be torn, so the next append begins a new file.
        self._must_rotate = True
        if not newest[1]:
            self._store.remove(self._path(newest[0]))
            self._segments.append(newest)
        newest[1] += self._store.append(self._path(newest[0]), records)
        self._must_rotate = False
        return newest[0], newest[1]

    def _collect(self) -> None:
        """Remove the oldest segments in which nothing lives; move what little keeps one alive."""
        while len(self._segments) > 1:
            no, size = self._segments[0]
            alive = [i for i in range(self.count) if self._no[i] == no]
            bytes_alive = sum([self._length[i] for i in alive])
            if alive and (bytes_alive * 2 > size or self._used() * 2 < self._bytes_max):
                return
            try:
                for i in alive:
                    self._move(i)
            except OSError:
                return
            self._segments.pop(0)
            self._store.remove(self._path(no))

    def _move(self, i: int) -> None:
        """Copy one statement to the newest segment, with what became of it."""
        with open(self._store.path(self._path(self._no[i])), "rb") as file:
            file.seek(self._offset[i])
            data = file.read(self._length[i])
        mark = self.mark or (0, 0)
        records: list[tuple[int, int, int, Any]] = [(MARK, mark[0], mark[1], ())]
        if self._state[i] == S_REFUSED:
            records.append((REFUSED, self._seq[i], 0, ()))
        records.append((STATEMENT, self._seq[i], 0, (data,)))
        no, end = self._append(records)
        self._no[i] = no
        self._offset[i] = end - len(data)

    def _load(self) -> None:
        became: dict[int, int] = {}
        for name in self._store.names(self._folder):
            if name[:1] != "s" or not name[1:].isdigit():
                continue
            no, end = int(name[1:]), 0
            for kind, a, b, offset, length in self._store.records(f"{self._folder}/{name}"):
                end = offset + length
                if kind == STATEMENT:
                    self._load_statement(a, no, offset, length)
                elif kind in (RELEASED, REFUSED):
                    became[a] = kind
                else:
                    self.mark, self.is_clean = (a, b), kind == CLEAN
            self._segments.append([no, max(end, self._store.size(f"{self._folder}/{name}"))])
        for seq, kind in became.items():
            i = self._find(seq)
            if i >= 0 and kind == REFUSED:
                self._state[i] = S_REFUSED
                self._was_sent[i] = 1
            elif i >= 0:
                self._take_out(i)

    def _load_statement(self, seq: int, no: int, offset: int, length: int) -> None:
        i = self._find(seq)
        if i >= 0:  # moved before a power cut: the newer place counts
            self._no[i], self._offset[i] = no, offset
        elif self.count < self._count_max:
            self._insert(seq, no, offset, length, S_WAITING)

    # The index, ascending by seq

    def _find(self, seq: int) -> int:
        for i in range(self.count):
            if self._seq[i] == seq:
                return i
        return -1

    def _insert(self, seq: int, no: int, offset: int, length: int, state: int) -> None:
        i = self.count
        while i and self._seq[i - 1] > seq:
            self._copy(i - 1, i)
            i -= 1
        self.count += 1
        self._seq[i], self._no[i], self._offset[i], self._length[i] = seq, no, offset, length
        self._state[i], self._was_sent[i], self._at[i] = state, 0, 0

    def _take_out(self, i: int) -> None:
        for j in range(i, self.count - 1):
            self._copy(j + 1, j)
        self.count -= 1

    def _copy(self, i: int, j: int) -> None:
        for column in (self._seq, self._no, self._offset, self._length, self._at):
            column[j] = column[i]
        self._state[j] = self._state[i]
        self._was_sent[j] = self._was_sent[i]

    def seqs(self) -> "Iterator[int]":
        """The seqs held, ascending."""
        for i in range(self.count):
            yield self._seq[i]
