"""Reading the archive beside a running gateway: frames as bytes, without decoding them.

Opens the file read-only and holds no transaction between calls, so that the gateway's write-ahead
log is not kept from shrinking.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raffinate.archive.chunk import RawFrame, split_block
from raffinate.errors import RaffinateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_S = 30.0


@dataclass(frozen=True, slots=True)
class KnownBoot:
    """One boot of one key in the archive."""

    id: int
    key: str
    boot: int
    node: str


class ArchiveScan:
    """A read-only view of an archive; close it. Raises RaffinateError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            raise RaffinateError(f"{path} is not there: no gateway has run on this plant yet")
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_S)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def last_position(self) -> int:
        """Position of the newest frame; 0 when there is none."""
        rows = self._rows("SELECT first + count - 1 FROM blocks ORDER BY first DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    def cursor(self, name: str) -> int:
        """How far the projection `name` has come."""
        rows = self._rows("SELECT position FROM cursors WHERE name=?", name)
        return int(rows[0][0]) if rows else 0

    def boots(self) -> list[KnownBoot]:
        """Every boot that the archive has heard of, by node, key and boot."""
        rows = self._rows("SELECT id, key, boot, node FROM boots ORDER BY node, key, boot")
        return [KnownBoot(*row) for row in rows]

    def seqs(
        self, boot: KnownBoot, from_ms: int | None, to_ms: int | None
    ) -> tuple[int, int] | None:
        """First and last seq of a boot's frames with a scan in [from, to); None without any."""
        where, values = ["boot=?"], [boot.id]
        if from_ms is not None:
            where.append("last_ms>=?")
            values.append(from_ms)
        if to_ms is not None:
            where.append("first_ms<?")
            values.append(to_ms)
        query = f"SELECT min(seq), max(seq) FROM frames WHERE {' AND '.join(where)}"  # noqa: S608
        first, last = self._rows(query, *values)[0]
        return None if first is None else (first, last)

    def count(self, boot: KnownBoot, first: int, last: int) -> int:
        """How many frames first..last of a boot the archive has."""
        query = "SELECT count(*) FROM frames WHERE boot=? AND seq BETWEEN ? AND ?"
        return int(self._rows(query, boot.id, first, last)[0][0])

    def received_after(self, received_ms: int) -> int:
        """A position after which every frame received at or after `received_ms` stands.

        Holds as far as the gateway's clock only went forwards.
        """
        low, high = 0, self.last_position()
        while high > low:
            middle = (low + high + 1) // 2
            found = next(self.blocks(middle - 1), None)
            if found is not None and found[0].received_ms < received_ms:
                low = middle
            else:
                high = middle - 1
        return max(0, low - 1)

    def blocks(self, after: int) -> Iterator[list[RawFrame]]:
        """Blocks of frames with position > `after`, oldest first; the block around it is cut."""
        while True:
            rows = self._rows(
                "SELECT first, data FROM blocks WHERE first >= coalesce("
                "(SELECT max(first) FROM blocks WHERE first <= ?), 0) ORDER BY first LIMIT 2",
                after + 1,
            )
            frames = [frame for first, data in rows for frame in split_block(data, first, after)]
            if not frames:
                return
            yield frames
            after = frames[-1].position

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise RaffinateError(f"the archive {self._path} cannot be read: {error}") from error
