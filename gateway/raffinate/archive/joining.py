"""Small blocks become one: frames that come one by one compress by themselves to thrice the size.

Positions, bytes and what was stored beside each frame stay; only the blocks' bounds change. It is
done within the transaction of a commit, so that readers see the small blocks or the joined one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.archive.chunk import join_blocks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

FRAMES_JOINED = 256
BYTES_JOINED = 2 * 1024 * 1024
_NEWEST = "SELECT first, count, length(data) FROM blocks ORDER BY first DESC LIMIT ?"


class Joiner:
    """The small blocks at the archive's end. Changes count from `finish` on; `forget` drops them.

    At most FRAMES_JOINED blocks are small at once: those are joined, oldest first.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._small: list[tuple[int, int, int]] = []
        self._next: list[tuple[int, int, int]] | None = None
        for first, count, size in db.execute(_NEWEST, (FRAMES_JOINED,)):
            if count >= FRAMES_JOINED:
                break
            self._small.insert(0, (first, count, size))

    def add(self, blocks: Iterable[tuple[int, int, int]]) -> None:
        """(first, count, bytes) of blocks just written; join what is due."""
        small = list(self._small)
        for first, count, size in blocks:
            if count >= FRAMES_JOINED:
                small = self._join(small)
                continue
            small.append((first, count, size))
            if (
                sum(one[1] for one in small) >= FRAMES_JOINED
                or sum(one[2] for one in small) >= BYTES_JOINED
            ):
                small = self._join(small)
        self._next = small

    def finish(self) -> None:
        """The transaction is durable."""
        if self._next is not None:
            self._small, self._next = self._next, None

    def forget(self) -> None:
        """The transaction failed: the small blocks are as they were."""
        self._next = None

    def _join(self, small: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """Write them as one block; what is small afterwards: nothing."""
        if len(small) < 2:  # noqa: PLR2004 - one alone is joined already
            return []
        first, last = small[0][0], small[-1][0]
        rows = self._db.execute(
            "SELECT data FROM blocks WHERE first BETWEEN ? AND ? ORDER BY first", (first, last)
        ).fetchall()
        joined = join_blocks([row[0] for row in rows])
        self._db.execute("DELETE FROM blocks WHERE first BETWEEN ? AND ?", (first, last))
        count = sum(one[1] for one in small)
        self._db.execute("INSERT INTO blocks VALUES (?,?,?)", (first, count, joined))
        return []
