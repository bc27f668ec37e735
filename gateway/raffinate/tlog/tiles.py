"""C2SP tlog-tiles: where tiles and entry bundles stand, and what their bytes hold.

https://c2sp.org/tlog-tiles: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING

from raffinate.tlog.hashing import HASH_BYTES, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TILE_WIDTH = 256
TILE_HEIGHT = 8
ENTRY_BYTES_MAX = 65535
_GROUP = 1000
_LENGTH = Struct(">H").pack


class TileError(ValueError):
    """A tile or an entry bundle has not the bytes it must have."""


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Path of a hash tile below the log's prefix; `width` < 256 for a partial one."""
    return f"tile/{level}/{_number(index)}{_partial(width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Path of an entry bundle below the log's prefix."""
    return f"tile/entries/{_number(index)}{_partial(width)}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, index, width) of every hash tile of a tree of `size`; no empty ones."""
    level, count = 0, size
    while count:
        for index in range(count // TILE_WIDTH):
            yield level, index, TILE_WIDTH
        if count % TILE_WIDTH:
            yield level, count // TILE_WIDTH, count % TILE_WIDTH
        level, count = level + 1, count // TILE_WIDTH


def bundles_of(size: int) -> Iterator[tuple[int, int]]:
    """(index, width) of every entry bundle of a tree of `size`."""
    for level, index, width in tiles_of(size):
        if level:
            return
        yield index, width


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """2-byte big-endian length and bytes of each entry. Raises TileError for one too long."""
    if entries and max(map(len, entries)) > ENTRY_BYTES_MAX:
        raise TileError(f"an entry has at most {ENTRY_BYTES_MAX} bytes")
    return b"".join([part for entry in entries for part in (_LENGTH(len(entry)), entry)])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """Exactly `width` entries and nothing after them. Raises TileError."""
    entries: list[bytes] = []
    place, end = 0, len(data)
    while place < end:
        if len(entries) == width:
            raise TileError(f"{end - place} bytes stand after the bundle's {width} entries")
        start = place + 2
        place = start + int.from_bytes(data[place:start], "big")
        if start > end or place > end:
            raise TileError(f"entry {len(entries)} of the bundle is cut short")
        entries.append(data[start:place])
    if len(entries) != width:
        raise TileError(f"the bundle has {len(entries)} entries, not {width}")
    return entries


def decode_tile(data: bytes, width: int) -> list[bytes]:
    """Exactly `width` hashes. Raises TileError."""
    if len(data) != width * HASH_BYTES:
        raise TileError(f"a tile of {width} hashes has {width * HASH_BYTES} bytes, not {len(data)}")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class Subtree:
    """The up to 256 hashes of one tile and the nodes above them inside the tile."""

    __slots__ = ("levels",)

    def __init__(self, hashes: Sequence[bytes] = ()) -> None:
        self.levels: list[list[bytes]] = [[] for _ in range(TILE_HEIGHT + 1)]
        self.extend(hashes)

    def __len__(self) -> int:
        return len(self.levels[0])

    def extend(self, hashes: Sequence[bytes]) -> None:
        """Take the next hashes of the tile's lowest level."""
        row = self.levels[0]
        row.extend(hashes)
        for above in self.levels[1:]:
            pairs = iter(row[2 * len(above) : len(row) & ~1])
            # node_hash, without its call for each
            new = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905 - by twos
            if not new:
                return
            above.extend(new)
            row = above

    def copy(self) -> Subtree:
        """An independent copy."""
        other = Subtree()
        other.levels = [list(row) for row in self.levels]
        return other


class TileReader:
    """Nodes of the tree of `size` read from its tiles; caches the last `cache_tiles_max` full ones.

    `fetch(path)` gives a file's bytes. Raises what `fetch` raises, and TileError.
    """

    def __init__(self, fetch: Callable[[str], bytes], size: int, cache_tiles_max: int = 64) -> None:
        self._fetch = fetch
        self._size = size
        self._max = cache_tiles_max
        self._cache: OrderedDict[tuple[int, int], Subtree] = OrderedDict()

    def node(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree `index` of height `level`."""
        tile_level, inner = divmod(level, TILE_HEIGHT)
        tile, offset = divmod(index, TILE_WIDTH >> inner)
        return self.subtree(tile_level, tile).levels[inner][offset]

    def subtree(self, level: int, index: int) -> Subtree:
        """One whole tile of the tree at this size."""
        key = (level, index)
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        count = self._size >> (TILE_HEIGHT * level)
        width = min(TILE_WIDTH, count - index * TILE_WIDTH)
        if width <= 0:
            raise TileError(f"a tree of {self._size} has no tile {index} at level {level}")
        found = Subtree(decode_tile(self._fetch(tile_path(level, index, width)), width))
        if width == TILE_WIDTH:
            self.keep(level, index, found)
        return found

    def keep(self, level: int, index: int, subtree: Subtree) -> None:
        """Put a full tile into the cache."""
        self._cache[level, index] = subtree
        if len(self._cache) > self._max:
            self._cache.popitem(last=False)

    def grown(self, size: int) -> TileReader:
        """A reader of the larger tree that shares this one's cache of full tiles."""
        other = TileReader(self._fetch, size, self._max)
        other._cache = self._cache
        return other


def check_bundle(entries: Sequence[bytes], hashes: Sequence[bytes]) -> None:
    """Raise TileError unless each entry hashes to its place in the level 0 tile."""
    for place, (entry, value) in enumerate(zip(entries, hashes, strict=True)):
        if leaf_hash(entry) != value:
            raise TileError(f"entry {place} of the bundle is not the one the tile has")


def _number(index: int) -> str:
    text = f"{index % _GROUP:03d}"
    while index >= _GROUP:
        index //= _GROUP
        text = f"x{index % _GROUP:03d}/{text}"
    return text


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise TileError(f"a tile has 1 to {TILE_WIDTH} hashes, not {width}")
    return "" if width == TILE_WIDTH else f".p/{width}"
