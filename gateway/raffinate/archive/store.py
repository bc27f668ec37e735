"""The archive in one SQLite file: WAL, synchronous=FULL, one transaction a batch.

A batch's frames lie in one compressed block, and small blocks are joined; `frames` indexes them by
identity. What a commit has returned survives power loss as far as the disk keeps what it says it
has synced.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections import deque
from typing import TYPE_CHECKING

from raffinate.archive import tables
from raffinate.archive.batch import Batch, Commit, Incoming, Quarantined, Rejected
from raffinate.archive.chunk import decode_block, encode_block
from raffinate.archive.joining import Joiner
from raffinate.archive.ledger import Ledger
from raffinate.errors import RaffinateError, StorageFullError
from raffinate.model import StoredFrame
from raffinate.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from raffinate.archive.boot import Boot
    from raffinate.model import Frame

FORMAT = 1
TAIL_FRAMES_MAX = 8192
FRAMES_PER_BLOCK_MAX = 2048
BUSY_S = 30.0
WAL_PAGES = 4000
QUARANTINED_ROW_BYTES = 200
DISK_SHORT_BYTES = 1 << 20


class FrameArchive:
    """`ports.Archive`. One thread commits; any thread reads and moves cursors.

    Raises RaffinateError for a file that is no archive or of a newer version.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[bytes], Frame],
        *,
        bytes_max: int,
        quarantine_bytes_max: int,
        disk_free_bytes_min: int = 0,
    ) -> None:
        self._path = path
        self._read = read
        self._bytes_max = bytes_max
        self._quarantine_bytes_max = quarantine_bytes_max
        self._disk_free_bytes_min = disk_free_bytes_min
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._tail: deque[StoredFrame] = deque(maxlen=TAIL_FRAMES_MAX)
        try:
            self._db = self._open()
            self._ledger = Ledger(self._db)
            self._joiner = Joiner(self._db)
            row = self._db.execute(
                "SELECT first + count - 1 FROM blocks ORDER BY first DESC LIMIT 1"
            )
            self._position: int = (row.fetchone() or (0,))[0]
        except sqlite3.DatabaseError as exc:
            raise self._opening_error(exc) from exc

    def append(self, frames: Sequence[tuple[Frame, int, int | None, tuple[str, ...]]]) -> int:
        """Commit (frame, received_ms, estimate_ms, findings); the archive's last position."""
        self.commit(Batch(frames=[Incoming(*item) for item in frames]))
        return self._position

    def commit(self, batch: Batch) -> Commit:
        """Make a batch durable. Raises StorageFullError; then nothing of it is kept."""
        self._check_space()
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                result = self._write(batch)
                self._db.execute("COMMIT")
            except sqlite3.Error as exc:
                self._undo()
                raise self._storage_error(exc) from exc
            except BaseException:
                self._undo()
                raise
            self._ledger.finish()
            self._joiner.finish()
        self._tail.extend(result.stored)
        if result.stored:
            self._position = result.stored[-1].position
        return result

    def read(self, after: int, count_max: int) -> list[StoredFrame]:
        """Stored frames with position > `after`, oldest first."""
        tail = list(self._tail)
        if tail and tail[0].position <= after + 1:
            start = after + 1 - tail[0].position
            return tail[start : start + count_max]
        rows = self._reader().execute(
            "SELECT first, data FROM blocks WHERE first >= coalesce("
            "(SELECT max(first) FROM blocks WHERE first <= ?), 0) ORDER BY first",
            (after + 1,),
        )
        found: list[StoredFrame] = []
        for first, data in rows:
            found += decode_block(data, first, after, self._read)
            if len(found) >= count_max:
                break
        rows.close()
        return found[:count_max]

    def last_position(self) -> int:
        """Position of the newest frame; 0 when there is none."""
        return self._position

    def cursor(self, name: str) -> int:
        """How far the projection `name` has come."""
        query = "SELECT position FROM cursors WHERE name=?"
        row = self._reader().execute(query, (name,)).fetchone()
        return int(row[0]) if row else 0

    def advance(self, name: str, position: int) -> None:
        """Move a cursor; durable when it returns. Raises StorageFullError."""
        self._execute(
            "INSERT INTO cursors VALUES (?,?) ON CONFLICT(name) DO UPDATE SET position=?",
            (name, position, position),
        )

    def bytes_used(self) -> int:
        """Size on disk with its write-ahead log, bytes."""
        return sum(
            file.stat().st_size
            for file in (self._path, self._path.with_name(self._path.name + "-wal"))
            if file.exists()
        )

    def boot(self, key: str, boot: int) -> Boot | None:
        """What is known of a boot; for the committing thread."""
        return self._ledger.find(key, boot)

    def boots(self, key: str, count_max: int) -> list[Boot]:
        """The boots of a key that changed last; for the committing thread."""
        query = "SELECT boot FROM boots WHERE key=? ORDER BY changed DESC, id DESC LIMIT ?"
        rows = self._db.execute(query, (key, count_max)).fetchall()
        return [known for row in rows if (known := self._ledger.find(key, row[0])) is not None]

    def rejected(self, key: str, count_max: int) -> list[tuple[int, int, str]]:
        """(boot, seq, reason) of a key's newest rejected frames, oldest first."""
        query = "SELECT boot, seq, reason FROM rejected WHERE key=? ORDER BY id DESC LIMIT ?"
        rows = self._reader().execute(query, (key, count_max)).fetchall()
        return [tuple(row) for row in reversed(rows)]

    def findings(self, count_max: int = 200) -> list[dict[str, object]]:
        """The newest findings, newest first: node, key, boot, seq, code, found_ms."""
        rows = self._reader().execute(
            "SELECT node, key, boot, seq, code, found_ms FROM findings ORDER BY id DESC LIMIT ?",
            (count_max,),
        )
        names = ("node", "key", "boot", "seq", "code", "found_ms")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def quarantine(self, source: str, reason: str, data: bytes, received_ms: int = 0) -> None:
        """Keep refused bytes with their reason. Raises StorageFullError."""
        self.commit(Batch(quarantined=[Quarantined(received_ms, source, reason, data)]))

    def quarantined(self, count_max: int = 100) -> list[Quarantined]:
        """The newest in quarantine, newest first."""
        rows = self._reader().execute(
            "SELECT received_ms, source, reason, data FROM quarantine ORDER BY id DESC LIMIT ?",
            (count_max,),
        )
        return [Quarantined(*row) for row in rows]

    def count(self, name: str) -> int:
        """A counter kept over restarts: `quarantined`, `quarantine-dropped`."""
        query = "SELECT value FROM counts WHERE name=?"
        row = self._reader().execute(query, (name,)).fetchone()
        return int(row[0]) if row else 0

    def next_epoch(self, now_ms: int) -> int:
        """An epoch that no ack of this archive has had; durable. Raises StorageFullError."""
        self._execute(
            "INSERT INTO counts VALUES ('epoch', ?) "
            "ON CONFLICT(name) DO UPDATE SET value=max(value + 1, excluded.value)",
            (now_ms,),
        )
        return self.count("epoch")

    def instance(self) -> str:
        """What tells this archive from any other: 16 hex digits, made with it."""
        self._execute(
            "INSERT OR IGNORE INTO counts VALUES ('instance', ?)", (secrets.randbits(62),)
        )
        return f"{self.count('instance'):016x}"

    def close(self) -> None:
        """Let go of the file; all that was committed is on disk already."""
        with self._lock:
            for db in (self._db, *self._readers):
                db.close()

    def _open(self) -> sqlite3.Connection:
        db = self._connect()
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, FORMAT):
            raise RaffinateError(
                f"{self._path} has format {version}, this version reads {FORMAT}; "
                "use the version of raffinate that wrote it, or a newer one"
            )
        db.executescript(tables.SCHEMA + f"PRAGMA user_version={FORMAT};")
        return db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        db.execute("PRAGMA cache_size=-16000")
        return db

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = self._connect()
            self._readers.append(db)
        return db

    def _execute(self, query: str, parameters: tuple[object, ...]) -> None:
        with self._lock:
            try:
                self._db.execute(query, parameters)
            except sqlite3.Error as exc:
                raise self._storage_error(exc) from exc

    def _write(self, batch: Batch) -> Commit:
        ledger = self._ledger
        stored: list[StoredFrame] = []
        conflicts: list[Rejected] = []
        quarantined = list(batch.quarantined)
        position = self._position
        for incoming in batch.frames:
            taken = ledger.take(incoming, position + 1)
            if isinstance(taken, StoredFrame):
                position += 1
                stored.append(taken)
            elif taken is not None:
                conflicts.append(taken)
                quarantined.append(
                    Quarantined(
                        incoming.received_ms, incoming.topic, taken.reason, incoming.frame.data
                    )
                )
        for rejected in (*batch.rejected, *conflicts):
            ledger.pass_over(rejected.node, rejected.key, rejected.boot, rejected.seq, rejected.seq)
        for node, cover in batch.covers:
            ledger.pass_over(node, cover.key, cover.boot, cover.first, cover.last)
        for key, number, first, now_ms in batch.holes:
            ledger.note_hole(key, number, first, now_ms)
        ledger.save(position)
        db = self._db
        written = []
        for start in range(0, len(stored), FRAMES_PER_BLOCK_MAX):
            part = stored[start : start + FRAMES_PER_BLOCK_MAX]
            first, count, block = part[0].position, len(part), encode_block(part)
            db.execute("INSERT INTO blocks VALUES (?,?,?)", (first, count, block))
            written.append((first, count, len(block)))
        self._joiner.add(written)
        db.executemany(
            tables.ADD_REJECTED,
            [(r.node, r.key, r.boot, r.seq, r.reason) for r in (*batch.rejected, *conflicts)],
        )
        if quarantined:
            self._write_quarantine(quarantined)
        touched = ledger.touched.items()
        return Commit(
            stored=tuple(stored),
            duplicates=len(batch.frames) - len(stored) - len(conflicts),
            conflicts=tuple(conflicts),
            upto={identity: boot.spans.upto() for identity, boot in touched},
            holes={identity: tuple(boot.spans.holes()) for identity, boot in touched},
            findings=tuple(ledger.findings),
        )

    def _write_quarantine(self, items: Sequence[Quarantined]) -> None:
        """Keep the newest that fit, and count all there ever were."""
        db = self._db
        db.executemany(
            "INSERT INTO quarantine(received_ms, source, reason, data) VALUES (?,?,?,?)",
            [(item.received_ms, item.source, item.reason, item.data) for item in items],
        )
        db.execute(tables.ADD_COUNT, ("quarantined", len(items)))
        row = db.execute("SELECT value FROM counts WHERE name='quarantine-bytes'").fetchone()
        size = (row[0] if row else 0) + sum(
            len(item.data) + QUARANTINED_ROW_BYTES for item in items
        )
        dropped = 0
        while size > self._quarantine_bytes_max:
            row = db.execute(
                "DELETE FROM quarantine WHERE id=(SELECT min(id) FROM quarantine)"
                " RETURNING length(data)"
            ).fetchone()
            size -= row[0] + QUARANTINED_ROW_BYTES
            dropped += 1
        if dropped:
            db.execute(tables.ADD_COUNT, ("quarantine-dropped", dropped))
        db.execute(
            "INSERT INTO counts VALUES ('quarantine-bytes', ?)"
            " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
            (size,),
        )

    def _check_space(self) -> None:
        used = self.bytes_used()
        if used >= self._bytes_max:
            raise StorageFullError(
                f"the archive {self._path} has {format_size(used)} and may have "
                f"{format_size(self._bytes_max)}; raise storage.archive_bytes_max in plant.toml "
                "and start the gateway again"
            )
        state = os.statvfs(self._path.parent)
        free = state.f_bavail * state.f_frsize
        if free < self._disk_free_bytes_min:
            raise StorageFullError(
                f"{self._path.parent} has {format_size(free)} free and needs "
                f"{format_size(self._disk_free_bytes_min)}; free some, or lower "
                "storage.disk_free_bytes_min in plant.toml"
            )

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._ledger.forget()
        self._joiner.forget()

    def _storage_error(self, exc: sqlite3.Error) -> Exception:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        state = os.statvfs(self._path.parent)
        short = state.f_bavail * state.f_frsize < DISK_SHORT_BYTES
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and short):
            return StorageFullError(f"the disk of {self._path} is full; free some of it")
        return exc

    def _opening_error(self, exc: sqlite3.Error) -> Exception:
        full = self._storage_error(exc) if self._path.exists() else exc
        if isinstance(full, StorageFullError):
            return full
        return RaffinateError(
            f"the archive {self._path} cannot be opened: {exc}; restore it from a backup, or move "
            "it away to begin a new one"
        )
