"""Roots of the log at earlier sizes, from a bundle's tiles. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.tlog.hashing import range_hash
from raffinate.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, TileError, TileReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.source import Source

_ROOTS_KEPT = 4096


def root_reader(source: Source, size: int) -> Callable[[int], bytes | None]:
    """Roots of earlier sizes, from the bundle's tiles (which the walk holds to the entries)."""
    reader = TileReader(lambda path: source.read(f"log/{path}"), size)
    kept: dict[int, bytes | None] = {}

    def node(level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, TILE_HEIGHT)
        tile, offset = divmod(index, TILE_WIDTH >> inner)
        subtree = reader.subtree(tile_level, tile)
        reader.keep(tile_level, tile, subtree)  # partial ones too: this log does not grow
        return subtree.levels[inner][offset]

    def root_at(at: int) -> bytes | None:
        if at > size:
            return None
        if at not in kept:
            if len(kept) > _ROOTS_KEPT:
                kept.clear()
            try:
                kept[at] = range_hash(node, 0, at)
            except (KeyError, TileError):
                kept[at] = None
        return kept[at]

    return root_at
