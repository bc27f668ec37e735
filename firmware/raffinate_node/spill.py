"""Frames on flash: segments of records, appended in groups, removed whole, oldest first."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from raffinate_node.store import Store

FRAME = 1
DIGEST_BYTES = 32
BLOCK_BYTES = 4096  # of littlefs on both boards; a record body is digest, then frame
SEGMENTS_MAX = 64


class Segment:
    """One file: the frames first to last of one boot."""

    def __init__(self, path: str, boot: int, first: int) -> None:
        self.path = path
        self.boot = boot
        self.first = first
        self.last = first
        self.size = 0


class Spill:
    """All segments of the folder, in the order in which they were written.

    Reading finds the frames of one segment at a time; its index is kept until another is read.
    """

    def __init__(self, store: "Store", folder: str, segment_bytes: int) -> None:
        self._store = store
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._next_no = 1
        self._open: Segment | None = None
        self._indexed: Segment | None = None
        self._index: list[tuple[int, int, int]] = []
        self.segments: list[Segment] = []
        for name in store.names(folder):
            if name[:1] == "f":
                self._load(name)

    def append(self, boot: int, frames: "Sequence[tuple[int, Sequence[Any]]]") -> None:
        """Append frames (seq, parts of the body) of one boot as one group; durable on return.

        Raise OSError; frames of a failed group may be there or not.
        """
        segment = self._open
        if segment is self._indexed:
            self._forget_index()
        if segment is None or segment.boot != boot or segment.size >= self._segment_bytes:
            segment = Segment(f"{self._folder}/f{self._next_no:07d}", boot, frames[0][0])
            self._next_no += 1
        self._open = None  # after a failure the tail may be torn: a new file next time
        size = self._store.append(
            segment.path, [(FRAME, boot, seq, parts) for seq, parts in frames]
        )
        if not segment.size:
            self.segments.append(segment)
        segment.size += size
        segment.last = frames[-1][0]
        self._open = segment

    def bytes_used(self) -> int:
        """Flash the segments take, in whole blocks."""
        return sum([blocks_bytes(segment.size) for segment in self.segments])

    def remove(self, segment: Segment) -> None:
        """Remove a segment and its file."""
        if self._indexed is segment:
            self._forget_index()
        if self._open is segment:
            self._open = None
        self.segments.remove(segment)
        self._store.remove(segment.path)

    def find(self, boot: int, seq: int) -> "tuple[int, int] | None":
        """(boot, seq) of the first frame at or after these, or None."""
        for segment in self.segments:
            if (segment.boot, segment.last) < (boot, seq):
                continue
            for at_seq, _, _ in self._frames(segment):
                if (segment.boot, at_seq) >= (boot, seq):
                    return segment.boot, at_seq
        return None

    def size_of(self, boot: int, seq: int) -> "int | None":
        """Bytes of a frame, or None when it is not here."""
        found = self._locate(boot, seq)
        return None if found is None else found[1] - DIGEST_BYTES

    def read_into(self, boot: int, seq: int, offset: int, view: memoryview) -> int:
        """Fill view with a frame's bytes from offset on; return how many, 0 when it is gone."""
        found = self._locate(boot, seq)
        if found is None:
            return 0
        with open(self._store.path(found[2]), "rb") as file:
            file.seek(found[0] + DIGEST_BYTES + offset)
            return file.readinto(view) or 0

    def head_of(self, segment: Segment) -> bytes:
        """The digest of a segment's last frame."""
        frames = self._frames(segment)
        with open(self._store.path(segment.path), "rb") as file:
            file.seek(frames[-1][1])
            return file.read(DIGEST_BYTES)

    def _load(self, name: str) -> None:
        path = f"{self._folder}/{name}"
        segment = None
        for kind, boot, seq, offset, length in self._store.records(path):
            if kind != FRAME:
                continue
            if segment is None:
                segment = Segment(path, boot, seq)
            segment.last = seq
            segment.size = offset + length
        if name[1:].isdigit():
            self._next_no = max(self._next_no, int(name[1:]) + 1)
        if segment is None:
            self._store.remove(path)
        else:
            self.segments.append(segment)

    def _frames(self, segment: Segment) -> "list[tuple[int, int, int]]":
        """(seq, offset, length) of each frame of a segment."""
        if self._indexed is not segment:
            self._forget_index()
            for _, _, seq, offset, length in self._store.records(segment.path):
                self._index.append((seq, offset, length))
            self._indexed = segment
        return self._index

    def _locate(self, boot: int, seq: int) -> "tuple[int, int, str] | None":
        """(offset of the body, its length, path) of a frame."""
        for segment in self.segments:
            if segment.boot != boot or not segment.first <= seq <= segment.last:
                continue
            for at_seq, offset, length in self._frames(segment):
                if at_seq == seq:
                    return offset, length, segment.path
        return None

    def _forget_index(self) -> None:
        self._indexed = None
        self._index = []


def blocks_bytes(size: int) -> int:
    """Flash that a file of this size takes, in whole blocks."""
    return (size + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES
