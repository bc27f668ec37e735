"""Checks entry bundles as far as they can be without what came before: the work of a process.

Envelopes, signatures and statements' forms are checked here; usage statements of one key that go
on plainly are joined into one `Run`, which the order-dependent rules (entries.py) judge at once.
Pure.
"""

from __future__ import annotations

from binascii import hexlify
from dataclasses import dataclass, field
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING

from raffinate.audit.chunk import PLAIN, Chunk, Entry, Part, run_of
from raffinate.audit.forest import top_of
from raffinate.audit.shape import Rows, Shape
from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.tlog.tiles import TILE_WIDTH, TileError, decode_bundle
from raffinate_wire.statement import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric import ec

    from raffinate.audit.chunk import Run
    from raffinate.evidence.dsse import Opening
    from raffinate.evidence.statement import Statement

SHAPES_MAX = 512
SHAPES_OF_KEY_MAX = 32
_ROOTS_KEPT = 4096
_INDEX = attrgetter("index")


@dataclass(slots=True)
class _Signer:
    """A key, how its statements begin (the newest first), and those that may be one run."""

    keyid: str
    public: ec.EllipticCurvePublicKey
    openings: list[tuple[Opening, Shape]] = field(default_factory=list)
    rows: Rows | None = None


class Reader:
    """Checks bundles. `root_at(size)` gives roots of the log; keys come by `learn`.

    Keys in `single` have each statement as a run of its own.
    """

    def __init__(self, root_at: Callable[[int], bytes | None]) -> None:
        self.single: frozenset[str] = frozenset()
        self._signers: dict[str, _Signer] = {}
        self._tails: dict[bytes, _Signer] = {}
        self._root_at = root_at
        self._roots: dict[bytes, bytes | None] = {}
        self._shapes = 0
        self._first = 0
        self._entries: Sequence[bytes] = ()
        self._join = True
        self._runs: list[Run] = []
        self._going: list[_Signer] = []

    def learn(self, keys: Mapping[str, bytes]) -> None:
        """More keys, SPKI DER by keyid."""
        for keyid in keys.keys() - self._signers.keys():
            signer = _Signer(keyid, dsse.public_key(keys[keyid]))
            self._signers[keyid] = self._tails[dsse.statement_tail(keyid)] = signer

    def read(
        self,
        files: Iterable[tuple[str, bytes | None, int]],
        first: int,
        *,
        signatures: bool = True,
        join: bool = True,
    ) -> Chunk:
        """The bundles (path, bytes if they are there, width) from entry `first` on.

        Without `signatures` they count as good; without `join` every statement is a run of its own.
        """
        chunk, self._join = Chunk(first), join
        for path, data, width in files:
            part, entries, leaves = _part(path, data, width)
            chunk.parts.append(part)
            if not entries:
                break
            self._judge_all(chunk, first, entries, leaves, signatures)
            first += width
        self._settle(chunk)
        self._entries = ()
        return chunk

    def _judge_all(
        self,
        chunk: Chunk,
        first: int,
        entries: Sequence[bytes],
        leaves: Sequence[bytes],
        signatures: bool,
    ) -> None:
        """Judge a bundle's entries. Columns are looked at here: they are still in the cache."""
        self._first, self._entries = first, entries
        if len(self._roots) >= _ROOTS_KEPT:
            self._roots.clear()
        tails, tail = self._tails, dsse.TAIL
        for index, (entry, leaf) in enumerate(zip(entries, leaves, strict=True), first):
            signer = tails.get(entry[tail])
            if signer is not None and self._is_alike(index, entry, leaf, signer, signatures):
                continue
            item = self._judge(index, entry, leaf, signatures)
            if item is not None:
                self._settle(chunk)
                chunk.items.append(item)
                if item.fault is not None:
                    chunk.bad.append(index)
        for signer in self._going:
            self._look(signer)

    def _is_alike(
        self, index: int, entry: bytes, leaf: bytes, signer: _Signer, signatures: bool
    ) -> bool:
        """Put a statement into its key's rows if it is in order and has a shape of the key."""
        for opening, shape in signer.openings:
            found = opening.read(entry)
            if found is None:
                continue
            rest, signature, digest = found
            match = shape.match(rest, opening.skip)
            if match is None:
                continue
            if signatures:
                try:
                    dsse.verify_digest(signature, digest, signer.public)
                except RejectedError:
                    return False
            rows = signer.rows
            if rows is None or rows.shape is not shape:
                rows = self._open(signer, shape)
            rows.add(index, leaf, match.groups())
            return True
        return False

    def _judge(self, index: int, entry: bytes, leaf: bytes, signatures: bool) -> Entry | None:
        """Judge any other entry; None when it is a usage statement, which is put with the runs."""
        try:
            envelope = dsse.decode_envelope(entry)
        except RejectedError:
            return Entry(index, entry, leaf, known=False, fault=None)
        signer = self._signers.get(envelope.keyid)
        if signer is None:
            return Entry(index, entry, leaf, known=False, fault=None)
        if signatures:
            try:
                dsse.verify(envelope, signer.public)
            except RejectedError as error:
                return Entry(index, entry, leaf, known=True, fault=str(error))
        if envelope.payload_type != dsse.STATEMENT:
            return Entry(index, entry, leaf, known=True, fault=None)
        return self._statement(index, entry, leaf, signer, envelope.payload)

    def _statement(
        self, index: int, entry: bytes, leaf: bytes, signer: _Signer, payload: bytes
    ) -> Entry | None:
        if len(payload) <= PAYLOAD_BYTES_MAX and self._match(index, leaf, signer, payload):
            return None
        other = Entry(index, entry, leaf, known=True, fault=None)
        try:
            statement = parse_statement(payload)
        except RejectedError:
            return other
        if statement.type not in PLAIN or statement.keyid != signer.keyid:
            return other
        if self._learn(signer, statement, payload) and self._match(index, leaf, signer, payload):
            return None
        self._finish(signer)
        self._runs.append(self._run(statement, index, leaf))
        return None

    def _match(self, index: int, leaf: bytes, signer: _Signer, payload: bytes) -> bool:
        """Put a statement into rows if the key has its shape, which is then tried first."""
        for pair in signer.openings:
            opening, shape = pair
            match = None
            if payload.startswith(opening.head):
                match = shape.match(payload, len(opening.head))
            if match is not None:
                signer.openings.remove(pair)
                signer.openings.insert(0, pair)
                rows = signer.rows
                if rows is None or rows.shape is not shape:
                    rows = self._open(signer, shape)
                rows.add(index, leaf, match.groups())
                return True
        return False

    def _learn(self, signer: _Signer, statement: Statement, payload: bytes) -> bool:
        """A shape more, unless there are too many or the statement is not for one."""
        if (
            len(signer.openings) >= SHAPES_OF_KEY_MAX * len(PLAIN)
            or self._shapes >= SHAPES_MAX
            or not Shape.fits(payload)
        ):
            return False
        self._shapes += 1
        shape = Shape(payload, statement)
        signer.openings[:0] = [(opening, shape) for opening in shape.openings]
        return True

    def _open(self, signer: _Signer, shape: Shape) -> Rows:
        """New rows for a key; those it had end."""
        self._finish(signer)
        rows = signer.rows = Rows(shape)
        self._going.append(signer)
        return rows

    def _look(self, signer: _Signer) -> None:
        """Make runs of a key's rows; the last may go on."""
        rows = signer.rows
        if rows is not None and (rows.run is None or len(rows.indices) > 1):
            join = self._join and signer.keyid not in self.single
            self._runs += rows.runs(self._begin, self._known, join=join)

    def _finish(self, signer: _Signer) -> None:
        """Make runs of a key's rows, and let the last end."""
        self._look(signer)
        signer.rows = None

    def _settle(self, chunk: Chunk) -> None:
        """Put all runs so far into the chunk, in the order of the log."""
        for signer in self._going:
            self._finish(signer)
        self._runs.sort(key=_INDEX)
        chunk.items += self._runs
        self._going, self._runs = [], []

    def _begin(self, index: int, leaf: bytes) -> Run:
        """The run of one statement that a shape matched."""
        envelope = dsse.decode_envelope(self._entries[index - self._first])
        return self._run(parse_statement(envelope.payload), index, leaf)

    def _run(self, statement: Statement, index: int, leaf: bytes) -> Run:
        run = run_of(statement, index, leaf)
        seen = statement.body["seen"]
        root = self._root(b"%d" % seen["size"])
        if root is not None and root.decode() != seen["root"]:
            run.seen_wrong = seen["size"]
        return run

    def _known(self, sizes: Sequence[bytes]) -> list[bytes | None]:
        """The log's roots at sizes, in hexadecimal; None where one is not known."""
        roots = self._roots
        for size in set(sizes):
            if size not in roots:
                self._root(size)
        return list(map(roots.get, sizes))

    def _root(self, size: bytes) -> bytes | None:
        if size not in self._roots:
            root = self._root_at(int(size))
            self._roots[size] = None if root is None else hexlify(root)
        return self._roots[size]


def _part(path: str, data: bytes | None, width: int) -> tuple[Part, list[bytes], list[bytes]]:
    """A bundle, its entries and their leaf hashes; none where it cannot be read."""
    if data is None:
        return Part(path), [], []
    try:
        entries = decode_bundle(data, width)
    except TileError as error:
        return Part(path, len(data), fault=str(error)), [], []
    leaves = [sha256(b"\0" + entry).digest() for entry in entries]  # leaf_hash, without its call
    top = top_of(leaves) if width == TILE_WIDTH else None
    return Part(path, len(data), b"".join(leaves), top), entries, leaves
