"""Every write the node makes to flash: two-slot values, atomic files, groups of records.

A power cut at any write leaves the old content or the new, never a mixture:
- a value has two slots, each with generation and CRC; the older slot is written, the newer read;
- a file is written beside its name, flushed, then renamed over it;
- records carry a CRC each; reading stops at the first that is torn, and nothing is ever appended
  behind one, because a writer starts a new file after a failed append and after each boot.
`flush()` is fsync on the Unix port and lfs_file_sync on littlefs.
"""

import os
import struct
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO, Any

STATE = "state"
VALUE_BYTES_MAX = 8192
BODY_BYTES_MAX = 16384 + 32
SLOT_MAGIC = b"R2"
SLOT_HEAD = "<2sHI"
SLOT_HEAD_BYTES = 8
# kind, spare, body length, two numbers of the kind's own, CRC of these and of the body
RECORD_HEAD = "<BBHII"
RECORD_HEAD_BYTES = 16
CHUNK_BYTES = 512
INT_MAX = (1 << 63) - 1


class StoreFullError(Exception):
    """A limit of the store would be passed; nothing was written."""


class Store:
    """The flash folder of a node; `root` exists or is made, with its folder `state`."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self._newest: dict[str, tuple[int, int]] = {}
        make_folder(self.root)
        make_folder(self.path(STATE))

    def path(self, name: str) -> str:
        """The path of a file or folder of the node."""
        return f"{self.root}/{name}"

    def get(self, name: str) -> "bytes | None":
        """The value last put whole, or None."""
        newest = None
        for slot in (0, 1):
            found = _read_slot(self._slot_path(name, slot))
            if found is not None and (newest is None or found[0] > newest[0]):
                newest = (found[0], slot, found[1])
        if newest is None:
            return None
        self._newest[name] = (newest[0], newest[1])
        return newest[2]

    def put(self, name: str, data: bytes) -> None:
        """Make the value durable; raise OSError or StoreFullError, the old value kept."""
        if len(data) > VALUE_BYTES_MAX:
            raise StoreFullError(f"{name}: {len(data)} bytes are more than {VALUE_BYTES_MAX}")
        if name not in self._newest:
            self.get(name)
        generation, slot = self._newest.get(name, (0, 1))
        head = struct.pack(SLOT_HEAD, SLOT_MAGIC, len(data), generation + 1)
        crc = crc32(data, crc32(head)) & 0xFFFFFFFF
        # Until this slot is whole on flash it must not count as the newest, also after a failure.
        write_file(self._slot_path(name, 1 - slot), (head, data, struct.pack("<I", crc)))
        self._newest[name] = (generation + 1, 1 - slot)

    def get_int(self, name: str, default: int) -> int:
        """The number last put, or default."""
        data = self.get(name)
        if data is None or len(data) != 8:
            return default
        return int(struct.unpack("<q", data)[0])

    def put_int(self, name: str, number: int) -> None:
        """Make a number of 0 to 2^63 - 1 durable before returning."""
        if not 0 <= number <= INT_MAX:
            raise ValueError(f"{name}: {number} is not 0 to 2^63 - 1")
        self.put(name, struct.pack("<q", number))

    def replace(self, path: str, data: bytes) -> None:
        """Make the whole file `path` (of the node's folder) data: old or new, never torn."""
        fresh = self.path(path) + ".new"
        write_file(fresh, (data,))
        os.rename(fresh, self.path(path))

    def read(self, path: str) -> "bytes | None":
        """The whole file, or None when it is not there."""
        try:
            with open(self.path(path), "rb") as file:
                return file.read()
        except OSError:
            return None

    def append(self, path: str, records: "Sequence[tuple[int, int, int, Sequence[Any]]]") -> int:
        """Append records (kind, a, b, parts of the body) as one group; return the bytes written.

        Durable when it returns. After an OSError the file's tail may be torn: never append to it
        again.
        """
        size = 0
        with open(self.path(path), "ab") as file:
            for kind, a, b, parts in records:
                length = 0
                for part in parts:
                    length += len(part)
                if length > BODY_BYTES_MAX:
                    raise StoreFullError(f"a record of {length} bytes, above {BODY_BYTES_MAX}")
                head = struct.pack(RECORD_HEAD, kind, 0, length, a, b)
                crc = crc32(head)
                for part in parts:
                    crc = crc32(part, crc)
                _write(file, head)
                _write(file, struct.pack("<I", crc & 0xFFFFFFFF))
                for part in parts:
                    _write(file, part)
                size += RECORD_HEAD_BYTES + length
            file.flush()
        return size

    def records(self, path: str) -> "Iterator[tuple[int, int, int, int, int]]":
        """Whole records of a file: (kind, a, b, offset of body, its length); a torn one ends it."""
        buffer = bytearray(CHUNK_BYTES)
        view = memoryview(buffer)
        try:
            file = open(self.path(path), "rb")  # noqa: SIM115 - closed below, in a generator
        except OSError:
            return
        try:
            offset = 0
            while True:
                head = file.read(RECORD_HEAD_BYTES)
                if head is None or len(head) != RECORD_HEAD_BYTES:
                    return
                kind, _, length, a, b = struct.unpack(RECORD_HEAD, head[:12])
                crc = crc32(head[:12])
                left = length
                while left:
                    n = file.readinto(view[: min(left, CHUNK_BYTES)])
                    if not n:
                        return
                    crc = crc32(view[:n], crc)
                    left -= n
                if struct.unpack("<I", head[12:])[0] != crc & 0xFFFFFFFF:
                    return
                offset += RECORD_HEAD_BYTES
                yield kind, a, b, offset, length
                offset += length
        finally:
            file.close()

    def names(self, folder: str) -> "list[str]":
        """The names in a folder, ascending; none when it is not there."""
        try:
            return sorted(os.listdir(self.path(folder)))
        except OSError:
            return []

    def size(self, path: str) -> int:
        """A file's size in bytes, 0 when it is not there."""
        try:
            return int(os.stat(self.path(path))[6])
        except OSError:
            return 0

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        try:
            os.remove(self.path(path))
        except OSError:
            pass

    def _slot_path(self, name: str, slot: int) -> str:
        return f"{self.root}/{STATE}/{name}.{slot}"


def make_folder(path: str) -> None:
    """Make a folder unless it is there; raise OSError when neither is so."""
    try:
        os.mkdir(path)
    except OSError:
        os.listdir(path)


def write_file(path: str, parts: "Sequence[bytes]") -> None:
    """Write a file anew and flush it."""
    with open(path, "wb") as file:
        for part in parts:
            _write(file, part)
        file.flush()


def _write(file: "IO[bytes]", data: "bytes | memoryview") -> None:
    """Write all; a raw file of MicroPython may take less than it was given."""
    view = memoryview(data)
    while view:
        n = file.write(view)
        if not n:
            raise OSError(28, "no space")
        view = view[n:]


def _read_slot(path: str) -> "tuple[int, bytes] | None":
    try:
        with open(path, "rb") as file:
            data = file.read(VALUE_BYTES_MAX + SLOT_HEAD_BYTES + 5)
    except OSError:
        return None
    if len(data) < SLOT_HEAD_BYTES + 4:
        return None
    magic, length, generation = struct.unpack(SLOT_HEAD, data[:SLOT_HEAD_BYTES])
    if magic != SLOT_MAGIC or len(data) != SLOT_HEAD_BYTES + length + 4:
        return None
    crc = struct.unpack("<I", data[-4:])[0]
    if crc != crc32(data[:-4]) & 0xFFFFFFFF:
        return None
    return generation, data[SLOT_HEAD_BYTES:-4]
