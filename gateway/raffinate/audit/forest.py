"""The log's tree as rebuilt from whole bundles: their leaves, their tops, and the tree above. Pure.

A full bundle's top is the hash over its 256 leaves; the tops are the leaves of the tree from level
8 on, whose tiles are the log's from level 1 on.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.tlog.hashing import HASH_BYTES, range_hash
from raffinate.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, Subtree, decode_tile, tile_path
from raffinate.tlog.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    Tile = tuple[int, int, bytes]


def top_of(leaves: list[bytes]) -> bytes:
    """The hash over a full bundle's leaves."""
    while len(leaves) > 1:
        pairs = zip(leaves[::2], leaves[1::2], strict=True)
        # node_hash, without its call for each
        leaves = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return leaves[0]


class Forest:
    """Grows by bundles. `fetch(path)` gives full tiles of the log that were compared before."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self.size = 0
        self._tops = Tree(lambda path: fetch(_above(path)))
        self._last = Subtree()

    def extend(self, leaves: bytes, top: bytes | None) -> list[Tile]:
        """Add a bundle; `top` is None for a partial one. The tiles it completes."""
        width = len(leaves) // HASH_BYTES
        if top is None:
            self._last = Subtree(decode_tile(leaves, width))
            self.size += width
            return []
        found = [(0, self.size // TILE_WIDTH, leaves)]
        self.size += width
        growth = self._tops.extend([top])
        self._tops = growth.tree
        return found + [
            (level + 1, tile, b"".join(subtree.levels[0]))
            for level, tile, subtree in growth.completed
        ]

    def edge(self) -> list[Tile]:
        """The partial tiles."""
        found = [
            (level + 1, tile, b"".join(subtree.levels[0]))
            for level, tile, subtree in self._tops.edge()
        ]
        if len(self._last):
            found.insert(0, (0, self._tops.size, b"".join(self._last.levels[0])))
        return found

    def root(self, size: int | None = None) -> bytes:
        """The root over all, or over the whole bundles."""
        return range_hash(self._node, 0, self.size if size is None else size)

    def path(self, level: int, tile: int, hashes: bytes) -> str:
        """Where the tile stands."""
        return tile_path(level, tile, len(hashes) // HASH_BYTES)

    def _node(self, level: int, index: int) -> bytes:
        if level >= TILE_HEIGHT:
            return self._tops.node(level - TILE_HEIGHT, index)
        return self._last.levels[level][index - (self._tops.size << (TILE_HEIGHT - level))]


def _above(path: str) -> str:
    """The path one level up: the tops' tiles are the log's from level 1 on."""
    kind, level, rest = path.split("/", 2)
    return f"{kind}/{int(level) + 1}/{rest}"
