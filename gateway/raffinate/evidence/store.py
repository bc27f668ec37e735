"""What the evidence service knows, in SQLite (WAL, synchronous=FULL): one commit a batch.

Who can write this file can forget findings, waiting statements and permits' serials; he cannot
change the log unseen: its head is signed, and nodes and witnesses hold later ones.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RaffinateError, StorageFullError
from raffinate.evidence.chain import Chain, Hole
from raffinate.tlog.note import load_p256
from raffinate.tlog.sequencer import SCHEMA as LOG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import ec

FINDINGS_MAX = 10_000
REQUEST_KEPT_MS = 8 * 24 * 3600 * 1000
_PAGES_KEPT = 4000
_NO_BOUND = (1 << 63) - 1

SCHEMA = f"""
{LOG_SCHEMA}
CREATE TABLE IF NOT EXISTS keys (
  id INTEGER PRIMARY KEY, keyid TEXT NOT NULL UNIQUE, role TEXT NOT NULL, name TEXT NOT NULL,
  spki BLOB NOT NULL, enrol_index INTEGER, revoked TEXT NOT NULL, seq INTEGER NOT NULL,
  head BLOB NOT NULL, holes BLOB NOT NULL, info BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS statements (
  key INTEGER NOT NULL, seq INTEGER NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (key, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
  key INTEGER NOT NULL, seq INTEGER NOT NULL, received_ms INTEGER NOT NULL, envelope BLOB NOT NULL,
  PRIMARY KEY (key, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
  keyid TEXT PRIMARY KEY, node TEXT NOT NULL, spki BLOB NOT NULL, boot INTEGER NOT NULL,
  seq INTEGER NOT NULL, received_ms INTEGER NOT NULL, envelope BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS findings (
  id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, code TEXT NOT NULL, node TEXT NOT NULL,
  keyid TEXT NOT NULL, seq INTEGER, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS permits (
  keyid TEXT NOT NULL, equipment TEXT NOT NULL, serial INTEGER NOT NULL, idx INTEGER NOT NULL,
  envelope BLOB NOT NULL, PRIMARY KEY (keyid, equipment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
  id TEXT PRIMARY KEY, time_ms INTEGER NOT NULL, answer BLOB NOT NULL);
"""


@dataclass(slots=True)
class Key:
    """An enrolled key and the state of its chain; `info` is what the page shows of it."""

    id: int
    keyid: str
    role: str
    name: str
    spki: bytes
    enrol_index: int
    revoked: str = ""
    chain: Chain = field(default_factory=Chain)
    info: dict[str, Any] = field(default_factory=dict)
    public: ec.EllipticCurvePublicKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.public = load_p256(self.spki)


@dataclass(frozen=True, slots=True)
class Pending:
    """The newest boot statement of a key that is not enrolled."""

    keyid: str
    node: str
    spki: bytes
    boot: int
    seq: int
    received_ms: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation at intake; `seq` of the statement it rests on."""

    time_ms: int
    code: str
    node: str
    keyid: str
    seq: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class StoredPermit:
    """The newest permit of an equipment under a key, with its place in the log."""

    keyid: str
    equipment: str
    serial: int
    index: int
    envelope: bytes


class Store:
    """The evidence database. Methods that write are called inside `transaction`."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise RaffinateError(
                f"{path} is missing; `raffinate keys init` starts a log with new keys. If there "
                "was one, restore it: a log that begins again under its old keys is a fork"
            )
        self.connection = _connect(path)
        self.path = path

    @staticmethod
    def create(path: Path) -> Store:
        """Make an empty database. Raises RaffinateError when there is one."""
        if path.exists():
            raise RaffinateError(f"{path} is there already; a log is never started over another")
        connection = _connect(path)
        connection.executescript(SCHEMA)
        connection.close()
        return Store(path)

    def close(self) -> None:
        """Release the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when left. Raises StorageFullError.

        The outcome of a commit that failed is unknown, so the caller loads its state again.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
                raise StorageFullError(
                    f"{self.path}: no space left ({error}); free some, and it goes on"
                ) from error
            raise
        except BaseException:
            self._rollback()
            raise

    def all_keys(self) -> list[Key]:
        """Every enrolled key."""
        return read_keys(self.connection)

    def save_keys(self, keys: Iterable[Key]) -> None:
        """Write keys, new ones too."""
        self.connection.executemany(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET revoked = excluded.revoked, seq = excluded.seq, head = excluded.head,"
            " holes = excluded.holes, info = excluded.info",
            [
                (
                    key.id,
                    key.keyid,
                    key.role,
                    key.name,
                    key.spki,
                    key.enrol_index,
                    key.revoked,
                    key.chain.seq,
                    key.chain.head,
                    _encode_holes(key.chain.holes),
                    orjson.dumps(key.info),
                )
                for key in keys
            ],
        )

    def add_statements(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """(key id, seq, log index) of logged statements."""
        self.connection.executemany("INSERT INTO statements VALUES (?, ?, ?)", rows)

    def index_of(self, key_id: int, seq: int) -> int | None:
        """Log index of a statement, None when it is not logged."""
        row = self.connection.execute(
            "SELECT idx FROM statements WHERE key = ? AND seq = ?", (key_id, seq)
        ).fetchone()
        return None if row is None else int(row[0])

    def newest(
        self, key_id: int, seq_max: int | None = None, before: int | None = None
    ) -> tuple[int, int] | None:
        """(seq, log index) of a key's highest logged statement; up to a number, below an index."""
        row = self.connection.execute(
            "SELECT seq, idx FROM statements WHERE key = ? AND seq <= ? AND idx < ?"
            " ORDER BY seq DESC LIMIT 1",
            (
                key_id,
                _NO_BOUND if seq_max is None else seq_max,
                _NO_BOUND if before is None else before,
            ),
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def following(self, key_id: int, seq: int) -> tuple[int, int] | None:
        """(seq, log index) of a key's first logged statement after `seq`."""
        row = self.connection.execute(
            "SELECT seq, idx FROM statements WHERE key = ? AND seq > ? ORDER BY seq LIMIT 1",
            (key_id, seq),
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def waiting(self) -> list[tuple[int, int, int, bytes]]:
        """(key id, seq, received_ms, envelope) of statements that wait for a predecessor."""
        return self.connection.execute(
            "SELECT key, seq, received_ms, envelope FROM waiting"
        ).fetchall()

    def add_waiting(self, rows: Iterable[tuple[int, int, int, bytes]]) -> None:
        """Keep statements that wait."""
        self.connection.executemany("INSERT INTO waiting VALUES (?, ?, ?, ?)", rows)

    def remove_waiting(self, rows: Iterable[tuple[int, int]]) -> None:
        """Forget (key id, seq) that were logged."""
        self.connection.executemany("DELETE FROM waiting WHERE key = ? AND seq = ?", rows)

    def pending(self) -> list[Pending]:
        """Keys that wait for their enrolment, oldest first."""
        rows = self.connection.execute("SELECT * FROM pending ORDER BY received_ms, keyid")
        return [Pending(*row) for row in rows]

    def save_pending(self, rows: Iterable[Pending]) -> None:
        """Keep the newest boot statement of each."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(r.keyid, r.node, r.spki, r.boot, r.seq, r.received_ms, r.envelope) for r in rows],
        )

    def remove_pending(self, keyids: Iterable[str]) -> None:
        """Forget keys that were enrolled or displaced."""
        self.connection.executemany(
            "DELETE FROM pending WHERE keyid = ?", [(keyid,) for keyid in keyids]
        )

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Keep findings; the oldest beyond FINDINGS_MAX go."""
        self.connection.executemany(
            "INSERT INTO findings (time_ms, code, node, keyid, seq, detail)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(f.time_ms, f.code, f.node, f.keyid, f.seq, f.detail) for f in findings],
        )
        self.connection.execute(
            "DELETE FROM findings WHERE id <= (SELECT MAX(id) FROM findings) - ?", (FINDINGS_MAX,)
        )

    def findings(self, count_max: int = FINDINGS_MAX) -> list[Finding]:
        """The newest findings, newest first."""
        rows = self.connection.execute(
            "SELECT time_ms, code, node, keyid, seq, detail FROM findings ORDER BY id DESC LIMIT ?",
            (count_max,),
        )
        return [Finding(*row) for row in rows]

    def permits(self) -> list[StoredPermit]:
        """The newest permit of each (keyid, equipment)."""
        rows = self.connection.execute(
            "SELECT keyid, equipment, serial, idx, envelope FROM permits"
        )
        return [StoredPermit(*row) for row in rows]

    def save_permit(self, permit: StoredPermit) -> None:
        """Make a permit the newest of its equipment and key."""
        self.connection.execute(
            "INSERT OR REPLACE INTO permits VALUES (?, ?, ?, ?, ?)",
            (permit.keyid, permit.equipment, permit.serial, permit.index, permit.envelope),
        )

    def add_document(self, sha256: str, kind: str, name: str, data: bytes) -> None:
        """Keep a licence, descriptor, node configuration or blob by digest; for good."""
        self.connection.execute(
            "INSERT OR IGNORE INTO documents VALUES (?, ?, ?, ?)", (sha256, kind, name, data)
        )

    def documents(self) -> list[tuple[str, str, str, bytes]]:
        """(sha256, kind, name, data) of every document."""
        return self.connection.execute(
            "SELECT sha256, kind, name, data FROM documents ORDER BY kind, name, sha256"
        ).fetchall()

    def has_document(self, sha256: str, kind: str) -> bool:
        """True when a document of this digest and kind is kept."""
        row = self.connection.execute(
            "SELECT 1 FROM documents WHERE sha256 = ? AND kind = ?", (sha256, kind)
        ).fetchone()
        return row is not None

    def documents_after(
        self, row: int, kinds: Sequence[str]
    ) -> list[tuple[int, str, str, str, bytes]]:
        """(row, sha256, kind, name, data) of documents kept after `row`, in their order."""
        marks = ", ".join("?" * len(kinds))
        return self.connection.execute(
            "SELECT rowid, sha256, kind, name, data FROM documents"  # noqa: S608 - marks alone
            f" WHERE rowid > ? AND kind IN ({marks}) ORDER BY rowid",
            (row, *kinds),
        ).fetchall()

    def private_bytes(self) -> int:
        """Size of the documents that are only disclosed on purpose, bytes."""
        row = self.connection.execute(
            "SELECT sum(length(data)) FROM documents WHERE kind = 'private'"
        ).fetchone()
        return int(row[0] or 0)

    def registry_bytes(self) -> int:
        """Size of the papers, regimes, licences and signatures that are kept, bytes."""
        row = self.connection.execute(
            "SELECT sum(length(data)) FROM documents"
            " WHERE kind IN ('document', 'regime', 'licence', 'signature')"
        ).fetchone()
        return int(row[0] or 0)

    def kept(self, kind: str) -> list[tuple[str, bytes]]:
        """(sha256, data) of the documents of a kind."""
        return self.connection.execute(
            "SELECT sha256, data FROM documents WHERE kind = ? ORDER BY rowid", (kind,)
        ).fetchall()

    def document(self, sha256: str) -> bytes | None:
        """A document's bytes."""
        row = self.connection.execute(
            "SELECT data FROM documents WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def remove_documents(self, digests: Iterable[str]) -> None:
        """Forget documents and their signatures; a row of kind `deleted` tells readers of it.

        It comes first and lasts, so that SQLite gives no number of a row to another: readers go by
        them.
        """
        for digest in digests:
            self.connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, 'deleted', '', x'')",
                (f"deleted {digest}",),
            )
            self.connection.execute(
                "DELETE FROM documents WHERE sha256 = ? OR (kind = 'signature' AND name LIKE ?)",
                (digest, f"%/{digest}.dsse"),
            )

    def state(self) -> dict[str, Any]:
        """What the gateway remembers of itself."""
        rows = self.connection.execute("SELECT name, value FROM state")
        return {name: orjson.loads(value) for name, value in rows}

    def request(self, name: str) -> dict[str, Any] | None:
        """The answer that a command's request got, None for a new one."""
        row = self.connection.execute(
            "SELECT answer FROM requests WHERE id = ?", (name,)
        ).fetchone()
        if row is None:
            return None
        found: dict[str, Any] = orjson.loads(row[0])
        return found

    def remember(
        self, state: Mapping[str, Any], requests: Sequence[tuple[str, int, bytes]], now_ms: int
    ) -> None:
        """Keep values of `state`, and (id, time_ms, answer) of requests for REQUEST_KEPT_MS."""
        if state:
            self.connection.executemany(
                "INSERT OR REPLACE INTO state VALUES (?, ?)",
                [(name, orjson.dumps(value)) for name, value in state.items()],
            )
        if requests:
            self.connection.executemany("INSERT INTO requests VALUES (?, ?, ?)", requests)
            self.connection.execute(
                "DELETE FROM requests WHERE time_ms < ?", (now_ms - REQUEST_KEPT_MS,)
            )

    def _rollback(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


def read_keys(connection: sqlite3.Connection) -> list[Key]:
    """Every enrolled key; the connection may be read-only."""
    rows = connection.execute(
        "SELECT id, keyid, role, name, spki, enrol_index, revoked, seq, head, holes, info"
        " FROM keys ORDER BY id"
    )
    return [
        Key(
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            row[5],
            row[6],
            Chain(row[7], row[8], _decode_holes(row[9])),
            orjson.loads(row[10]),
        )
        for row in rows.fetchall()
    ]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")
    # Staged bytes go with every batch; to overwrite them would write each twice.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_KEPT}")
    return connection


def _encode_holes(holes: list[Hole]) -> bytes:
    return orjson.dumps([[h.low, h.high, h.before.hex(), h.after.hex()] for h in holes])


def _decode_holes(data: bytes) -> list[Hole]:
    return [
        Hole(low, high, bytes.fromhex(before), bytes.fromhex(after))
        for low, high, before, after in orjson.loads(data)
    ]
