"""The growing tree: its right edge in memory, everything else read back from published tiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raffinate.tlog.hashing import range_hash
from raffinate.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, Subtree, TileReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(slots=True)
class Growth:
    """What an extension did: the new tree, tiles it completed, tile levels now partial."""

    tree: Tree
    completed: list[tuple[int, int, Subtree]] = field(default_factory=list)
    partial: list[tuple[int, int, Subtree]] = field(default_factory=list)


class Tree:
    """An RFC 6962 tree of `size` leaves. Immutable: `extend` gives another.

    `fetch(path)` gives the bytes of a published tile; only full tiles are asked for after the
    right edge is loaded.
    """

    def __init__(self, fetch: Callable[[str], bytes], size: int = 0) -> None:
        self.size = size
        self._fetch = fetch
        self._full = TileReader(fetch, size)
        self._edge: list[Subtree] = []
        level = 0
        while size >> (TILE_HEIGHT * level):
            count = size >> (TILE_HEIGHT * level)
            tile = count // TILE_WIDTH
            self._edge.append(
                self._full.subtree(level, tile).copy() if count % TILE_WIDTH else Subtree()
            )
            level += 1

    def node(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree `index` of height `level`."""
        tile_level, inner = divmod(level, TILE_HEIGHT)
        tile, offset = divmod(index, TILE_WIDTH >> inner)
        if tile == self.size >> (TILE_HEIGHT * (tile_level + 1)):
            return self._edge[tile_level].levels[inner][offset]
        return self._full.subtree(tile_level, tile).levels[inner][offset]

    def edge(self) -> list[tuple[int, int, Subtree]]:
        """(level, tile, hashes) of the partial tiles."""
        return [
            (level, self.size >> (TILE_HEIGHT * (level + 1)), subtree)
            for level, subtree in enumerate(self._edge)
            if len(subtree)
        ]

    def root(self) -> bytes:
        """MTH of all leaves."""
        return range_hash(self.node, 0, self.size)

    def extend(self, leaves: Sequence[bytes]) -> Growth:
        """The tree with more leaves; this one stays as it is."""
        tree = Tree.__new__(Tree)
        tree.size = self.size + len(leaves)
        tree._fetch = self._fetch  # noqa: SLF001
        tree._full = self._full.grown(tree.size)  # noqa: SLF001
        tree._edge = edge = [subtree.copy() for subtree in self._edge]  # noqa: SLF001
        growth = Growth(tree)
        level, values, start = 0, list(leaves), self.size
        while values:
            if level == len(edge):
                edge.append(Subtree())
            above: list[bytes] = []
            place = 0
            while place < len(values):
                current = edge[level]
                taken = values[place : place + TILE_WIDTH - len(current)]
                current.extend(taken)
                place += len(taken)
                if len(current) == TILE_WIDTH:
                    tile = (start + len(above) * TILE_WIDTH) // TILE_WIDTH
                    tree._full.keep(level, tile, current)  # noqa: SLF001
                    growth.completed.append((level, tile, current))
                    above.append(current.levels[TILE_HEIGHT][0])
                    edge[level] = Subtree()
            if len(edge[level]):
                growth.partial.append((level, (start + len(values)) // TILE_WIDTH, edge[level]))
            level, values, start = level + 1, above, start // TILE_WIDTH
        return growth
