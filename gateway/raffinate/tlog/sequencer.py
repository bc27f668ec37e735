"""Gives entries their order. SQLite holds the truth, the folder is its publication.

Steps of a batch, and what a crash after each leaves:
1. `prepare`: new tree, root and signed note in memory: nothing happened.
2. `record`, inside the caller's transaction: the entries' bytes are staged and the head is moved by
   compare-and-swap, with the signed note's bytes. After the commit the entries are in the log.
3. `publish`: tiles and bundles, then the checkpoint; of several batches at once, if there are.
   Loading does it again from the staged bytes, by this same function, and finds every file that
   stands already equal.
Staged bytes are dropped by a later batch's transaction, after their publication.

Who can write the database can roll the log back: loading refuses a head older than the published
checkpoint, and nodes (`seen`) and witnesses hold later ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.errors import RaffinateError, StorageFullError
from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint, open_checkpoint
from raffinate.tlog.hashing import EMPTY_ROOT, leaf_hash
from raffinate.tlog.note import NoteError, sign_note
from raffinate.tlog.proof import InclusionProver
from raffinate.tlog.tiles import (
    TILE_WIDTH,
    check_bundle,
    decode_bundle,
    decode_tile,
    encode_bundle,
    entries_path,
    tile_path,
)
from raffinate.tlog.tree import Tree

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from raffinate.tlog.note import EcdsaSigner, Ed25519Signer
    from raffinate.tlog.publish import Folder

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_head (
  id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, root BLOB NOT NULL,
  note BLOB NOT NULL, time_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS log_staged (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, bundle BLOB NOT NULL);
"""
CHECKPOINT = "checkpoint"
UNPUBLISHED_MAX = 8


class LogStateError(RaffinateError):
    """The log's database and its published folder do not belong together; says what to restore."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries with their places, and the head that has them."""

    first: int
    entries: tuple[bytes, ...]
    leaves: tuple[bytes, ...]
    tree: Tree
    root: bytes
    note: bytes
    time_ms: int
    files: tuple[tuple[str, bytes], ...]
    replaced: tuple[str, ...]
    tail: bytes
    staged: bytes


class Sequencer:
    """The log of one origin. One at a time on a database: the data folder's lock sees to it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Folder,
        origin: str,
        signers: tuple[Ed25519Signer, EcdsaSigner],
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._signers = signers
        self.origin = origin
        self._unpublished: list[Batch] = []
        self._published = 0
        self._behind = False
        self._load()

    @staticmethod
    def create(
        connection: sqlite3.Connection,
        origin: str,
        signers: tuple[Ed25519Signer, EcdsaSigner],
        time_ms: int,
    ) -> None:
        """Start an empty log inside the caller's transaction; never over an existing one."""
        note = sign_note(format_checkpoint(Checkpoint(origin, 0, EMPTY_ROOT)), signers)
        connection.execute(
            "INSERT INTO log_head VALUES (1, 0, ?, ?, ?)", (EMPTY_ROOT, note, time_ms)
        )

    @property
    def size(self) -> int:
        """Entries in the log."""
        return self._tree.size

    def node(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree `index` of height `level`."""
        return self._tree.node(level, index)

    def leaf(self, index: int) -> bytes:
        """Leaf hash of entry `index`."""
        return self._tree.node(0, index)

    def entry(self, index: int) -> bytes:
        """Bytes of entry `index`."""
        for batch in reversed(self._unpublished):
            if index >= batch.first:
                return batch.entries[index - batch.first]
        bundle, place = divmod(index, TILE_WIDTH)
        width = min(TILE_WIDTH, self._published - bundle * TILE_WIDTH)
        return decode_bundle(self._folder.read(entries_path(bundle, width)), width)[place]

    def prover(self) -> InclusionProver:
        """Inclusion proofs under the newest head."""
        return InclusionProver(self._tree.node, self.size)

    def prepare(
        self, entries: Sequence[bytes], time_ms: int, leaves: Sequence[bytes] | None = None
    ) -> Batch:
        """Lay out a batch on top of the newest head; changes nothing.

        `leaves` are the entries' leaf hashes, if known. Publishes first when that failed before or
        waits for many batches. Raises StorageFullError when it fails.
        """
        if self._behind or len(self._unpublished) >= UNPUBLISHED_MAX:
            self.publish()
        return self._lay_out(entries, time_ms, leaves)

    def record(self, batch: Batch) -> None:
        """Stage the batch and move the head, inside the caller's transaction.

        Raises LogStateError when another process moved the head.
        """
        execute = self._connection.execute
        moved = execute(
            "UPDATE log_head SET size = ?, root = ?, note = ?, time_ms = ?"
            " WHERE id = 1 AND size = ? AND note = ?",
            (batch.tree.size, batch.root, batch.note, batch.time_ms, batch.first, self.note),
        )
        if moved.rowcount != 1:
            raise LogStateError(
                "the log's head was moved by another process; stop every gateway on this data "
                "folder and start one"
            )
        execute("DELETE FROM log_staged WHERE first < ?", (self._published,))
        execute(
            "INSERT INTO log_staged VALUES (?, ?, ?)",
            (batch.first, len(batch.entries), batch.staged),
        )

    def adopt(self, batch: Batch) -> None:
        """Take a committed batch as the head; it is published by `publish`."""
        self._unpublished.append(batch)
        self._tree, self.root, self.note = batch.tree, batch.root, batch.note
        self._tail, self.time_ms = batch.tail, batch.time_ms

    def publish(self) -> None:
        """Bring the folder up to the head. Raises StorageFullError; then it goes on next time."""
        if not self._unpublished:
            return
        self._behind = True
        # Of a tile that grew in several batches only the last form is published.
        files = {
            path.partition(".p/")[0]: (path, data)
            for batch in self._unpublished
            for path, data in batch.files
        }
        self._folder.write_all(list(files.values()))
        self._folder.replace(CHECKPOINT, self.note)
        for batch in self._unpublished:
            for path in batch.replaced:
                self._folder.remove_tree(path)
        self._unpublished, self._published, self._behind = [], self.size, False

    def _lay_out(
        self,
        entries: Sequence[bytes],
        time_ms: int,
        leaves: Sequence[bytes] | None,
        note: bytes | None = None,
    ) -> Batch:
        if leaves is None:
            leaves = [leaf_hash(entry) for entry in entries]
        growth = self._tree.extend(leaves)
        files, replaced = [], []
        for level, index, subtree in growth.completed:
            files.append((tile_path(level, index), b"".join(subtree.levels[0])))
            replaced.append(tile_path(level, index) + ".p")
        for level, index, subtree in growth.partial:
            width = len(subtree)
            files.append((tile_path(level, index, width), b"".join(subtree.levels[0])))
        bundles, tail, staged = self._bundles(entries)
        replaced += [entries_path(index) + ".p" for index, width, _ in bundles if width == 256]  # noqa: PLR2004
        files = [(entries_path(index, width), data) for index, width, data in bundles] + files
        root = growth.tree.root()
        if note is None:
            head = Checkpoint(self.origin, growth.tree.size, root)
            note = sign_note(format_checkpoint(head), self._signers)
        return Batch(
            self.size,
            tuple(entries),
            tuple(leaves),
            growth.tree,
            root,
            note,
            time_ms,
            tuple(files),
            tuple(replaced),
            tail,
            staged,
        )

    def _bundles(
        self, entries: Sequence[bytes]
    ) -> tuple[list[tuple[int, int, bytes]], bytes, bytes]:
        """(index, width, bytes) of each bundle touched, the last if partial, the new bytes."""
        found, added = [], []
        place, end, data = self.size, self.size + len(entries), self._tail
        while place < end:
            index = place // TILE_WIDTH
            stop = min(end, (index + 1) * TILE_WIDTH)
            added.append(encode_bundle(entries[place - self.size : stop - self.size]))
            data += added[-1]
            found.append((index, stop - index * TILE_WIDTH, data))
            place = stop
            if stop % TILE_WIDTH == 0:
                data = b""
        return found, data, b"".join(added)

    def _read_tile(self, path: str) -> bytes:
        """A tile that is published, or will be."""
        for batch in self._unpublished:
            for name, data in batch.files:
                if name == path:
                    return data
        return self._folder.read_tile(path)

    def _load(self) -> None:
        """Read head and staged entries, check the right edge, publish what is not published yet."""
        row = self._connection.execute("SELECT size, root, note, time_ms FROM log_head").fetchone()
        if row is None:
            raise LogStateError(
                "there is no log in the evidence database; `raffinate keys init` starts one"
            )
        size, root, note, time_ms = row
        self._check_head(size, root, note)
        staged = self._connection.execute(
            "SELECT first, count, bundle FROM log_staged ORDER BY first"
        ).fetchall()
        base = staged[0][0] if staged else size
        self._unpublished, self._published, self._behind = [], base, False
        self._tree = Tree(self._read_tile, base)
        self._tail = self._load_tail(base)
        self.root, self.note, self.time_ms = root, note, time_ms
        if staged:
            entries = [entry for _, count, data in staged for entry in decode_bundle(data, count)]
            self.adopt(self._lay_out(entries, time_ms, None, note))
        if self.size != size or self._tree.root() != root:
            raise LogStateError(
                f"the tiles in {self._folder.root} do not lead to the recorded head of size {size};"
                " restore that folder and the evidence database from the same backup"
            )
        if not staged and not (self._folder.root / CHECKPOINT).exists():
            self._folder.replace(CHECKPOINT, note)
        try:
            self.publish()
        except StorageFullError:
            # Everything is committed; `prepare` publishes before it lays out the next batch.
            return

    def _load_tail(self, base: int) -> bytes:
        index, width = divmod(base, TILE_WIDTH)
        if not width:
            return b""
        path = entries_path(index, width)
        if not (self._folder.root / path).exists():
            full = decode_bundle(self._folder.read(entries_path(index)), TILE_WIDTH)
            data = encode_bundle(full[:width])
        else:
            data = self._folder.read(path)
        tile = self._folder.read_tile(tile_path(0, index, width))
        check_bundle(decode_bundle(data, width), decode_tile(tile, width))
        return data

    def _check_head(self, size: int, root: bytes, note: bytes) -> None:
        """The record is signed by our keys, and no newer checkpoint is published."""
        verifiers = [signer.verifier for signer in self._signers]
        try:
            head = open_checkpoint(note, self.origin, verifiers)
        except NoteError as error:
            raise LogStateError(
                f"the recorded head is not of log {self.origin} under these keys ({error}); "
                "give the keys folder that this data folder was made with"
            ) from None
        path = self._folder.root / CHECKPOINT
        if head.size != size or head.root != root:
            raise LogStateError("the evidence database's head contradicts itself; restore it")
        if not path.exists():
            return
        try:
            published = open_checkpoint(path.read_bytes(), self.origin, verifiers)
        except NoteError as error:
            raise LogStateError(
                f"{path} does not verify ({error}); restore {self._folder.root}"
            ) from None
        if published.size > size or (published.size == size and published.root != root):
            raise LogStateError(
                f"{path} has size {published.size}, the evidence database only {size}: the database"
                " is older than what was published. Restore the newest one; signing on would fork "
                "the log"
            )
