"""What outsiders say about the log's heads: kept, and logged as `time-anchor` statements.

Witnesses and timestamp servers are asked by threads of their own (`raffinate.anchors`); what they
said comes in here, on the thread of the evidence service, and is checked again. The newest word of
each source stands in the table `anchors`; at most every `log_s` it becomes an entry, with the
cosigned checkpoint or token as a document of kind "anchor".

An anchor's own entry asks for no further anchor: `wanted` is the size up to the last entry that is
none. Who can write the table can hide a cosignature, and not make one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from raffinate.errors import RejectedError
from raffinate.evidence import dsse, inbox
from raffinate.evidence.store import Finding
from raffinate.tlog.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from raffinate.tlog.cosignature import format_signatures
from raffinate.tlog.hashing import range_hash
from raffinate.tlog.note import NOTE_BYTES_MAX, NoteError, parse_note, verify_note

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from raffinate.evidence.work import Work
    from raffinate.tlog.cosignature import CosignatureVerifier
    from raffinate.tlog.note import Verifier
    from raffinate.tlog.sequencer import Sequencer

    Sign = Callable[[str, list[tuple[str, str]], dict[str, Any], Work], int]

COSIGNATURE, RFC3161 = "cosignature", "rfc3161"
DOCUMENT = "anchor"
SUBJECT = "log/checkpoint"
FILE_SUFFIX = ".cosigned"
FILE_BYTES_MAX = NOTE_BYTES_MAX + 1
WALK_BACK_MAX = 1024
TROUBLES_MAX = 64
SCHEMA = """
CREATE TABLE IF NOT EXISTS anchors (
  source TEXT PRIMARY KEY, kind TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
  anchor_ms INTEGER NOT NULL, asked_ms INTEGER NOT NULL, data BLOB NOT NULL,
  logged_size INTEGER NOT NULL, logged_ms INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The note of a checkpoint of `size` with a cosignature; asked for at `asked_ms`."""

    source: str
    size: int
    note: bytes
    asked_ms: int


@dataclass(frozen=True, slots=True)
class Stamped:
    """A timestamp server's token over a checkpoint's text, checked by who asked for it."""

    source: str
    checkpoint: Checkpoint
    token: bytes
    anchor_ms: int
    asked_ms: int

    @property
    def size(self) -> int:
        """Entries under the checkpoint."""
        return self.checkpoint.size


@dataclass(frozen=True, slots=True)
class Trouble:
    """An observation that is a finding: the log and what an outsider saw do not agree."""

    source: str
    code: str
    detail: str


Word = Cosigned | Stamped | Trouble


@dataclass(frozen=True, slots=True)
class SourceState:
    """How asking goes: ok, waiting, failing, refused or files; `problem` in words."""

    state: str
    problem: str | None = None


class Askers(Protocol):
    """Who asks outsiders, from threads of their own; every method may be called from any thread."""

    log_s: int

    def begin(self, known: Mapping[str, int]) -> None:
        """Begin to ask; `known` is the size that each source vouched for last."""

    def kinds(self) -> dict[str, str]:
        """Kind of each source by name, in the order of plant.toml."""

    def witness(self, source: str) -> CosignatureVerifier | None:
        """A witness's key."""

    def take(self) -> list[Word]:
        """What came since the last call."""

    def want(self, size: int) -> None:
        """Heads of this size and more are worth asking for."""

    def states(self) -> dict[str, SourceState]:
        """How asking each source goes."""


@dataclass(slots=True)
class Row:
    """The newest word of a source; `logged_size` of its last entry in the log, 0 for none."""

    source: str
    kind: str
    size: int
    root: bytes
    anchor_ms: int
    asked_ms: int
    data: bytes
    logged_size: int = 0
    logged_ms: int = 0


class Anchoring:
    """The anchors of one log; `load` it again with the service's other state."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._askers: Askers | None = None
        self._unsaved: list[Word] = []
        self._behind_ms: dict[str, int] = {}
        connection.execute(SCHEMA)

    def load(self, log: Sequencer, verifiers: Sequence[Verifier]) -> None:
        """Read the table; find the last entry that is no anchor. `verifiers`: the log's keys."""
        self._log, self._verifiers = log, verifiers
        rows = self._connection.execute(
            "SELECT source, kind, size, root, anchor_ms, asked_ms, data, logged_size, logged_ms"
            " FROM anchors"
        )
        self._rows = {row[0]: Row(*row) for row in rows}
        self.wanted = _wanted(log)

    def attach(self, askers: Askers) -> None:
        """Take words from these, and tell them what is wanted."""
        self._askers = askers
        askers.begin({row.source: row.size for row in self._rows.values()})
        askers.want(self.wanted)
        for source in askers.kinds():
            row = self._rows.get(source)
            if row is None or row.size < self.wanted:
                since_ms = self._log.time_ms if row is None else row.anchor_ms
                self._behind_ms[source] = since_ms

    def work(self, data: Path, work: Work, sign: Sign) -> list[inbox.Answer]:
        """Check what came, from the data folder's inbox too, and log what is due."""
        if self._askers is None:
            return []
        answers = self._take_files(data / "inbox", work)
        self._unsaved = [*self._unsaved, *self._askers.take()][-TROUBLES_MAX:]
        for word in self._unsaved:
            try:
                self._take(word, work)
            except NoteError as error:
                self._find(work, "BAD-ANCHOR", f"{word.source}: {error}")
        kinds = self._askers.kinds()
        rows = {**self._rows, **work.anchors}
        for source in kinds:
            row = rows.get(source)
            if row is not None and self._due(row, work.now_ms):
                self._log_anchor(row, work, sign)
        return answers

    def save(self, work: Work) -> None:
        """Write the rows of the work, inside the service's transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO anchors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    row.source,
                    row.kind,
                    row.size,
                    row.root,
                    row.anchor_ms,
                    row.asked_ms,
                    row.data,
                    row.logged_size,
                    row.logged_ms,
                )
                for row in work.anchors.values()
            ],
        )

    def committed(self, work: Work) -> None:
        """The work is durable: take it as the state."""
        for source, row in work.anchors.items():
            if row.size >= self.wanted:
                self._behind_ms.pop(source, None)
            else:
                self._behind_ms[source] = row.asked_ms
        self._rows |= work.anchors
        if work.anchors_taken:
            self._unsaved = []
        indices = range(work.first, work.first + len(work.entries))
        others = [index for index in indices if index not in work.anchor_indices]
        if others:
            self.wanted = others[-1] + 1
            if self._askers is not None:
                self._askers.want(self.wanted)
                for source in self._askers.kinds():
                    self._behind_ms.setdefault(source, work.now_ms)

    def view(self, now_ms: int) -> list[dict[str, Any]]:
        """See `web.evidence_shape.AnchorState`."""
        if self._askers is None:
            return []
        states = self._askers.states()
        return [
            self._view(source, kind, states[source], now_ms)
            for source, kind in self._askers.kinds().items()
        ]

    def _view(self, source: str, kind: str, state: SourceState, now_ms: int) -> dict[str, Any]:
        row = self._rows.get(source)
        size = 0 if row is None else row.size
        since_ms = self._behind_ms.get(source, now_ms) if size < self.wanted else now_ms
        return {
            "source": source,
            "kind": kind,
            "state": state.state,
            "size": None if row is None else row.size,
            "time_ms": None if row is None else row.anchor_ms,
            "logged_size": row.logged_size if row is not None and row.logged_size else None,
            "unwitnessed": max(0, self.wanted - size),
            "unwitnessed_ms": max(0, now_ms - since_ms),
            "problem": state.problem,
        }

    def _take_files(self, folder: Path, work: Work) -> list[inbox.Answer]:
        """Cosigned checkpoints that came on a stick: `<inbox>/NAME.cosigned`."""
        answers = []
        for path in inbox.files(folder, FILE_SUFFIX):
            try:
                with path.open("rb") as source:
                    document = {"ok": True, **self._take_file(source.read(FILE_BYTES_MAX), work)}
            except (NoteError, OSError) as error:
                document = {"ok": False, "error": str(error)}
            answers.append(inbox.Answer(path, document))
        return answers

    def _take_file(self, data: bytes, work: Work) -> dict[str, Any]:
        note = parse_note(data)
        head = parse_checkpoint(note.text)
        found: dict[str, int] = {}
        for source in () if self._askers is None else self._askers.kinds():
            key = None if self._askers is None else self._askers.witness(source)
            if key is not None and any(key.made(line) for line in note.signatures):
                self._take(Cosigned(source, head.size, data, work.now_ms), work)
                found[source] = key.time_s(note)
        if not found:
            raise NoteError("no witness that plant.toml names cosigned this checkpoint")
        return {"size": head.size, "witnesses": found}

    def _take(self, word: Word, work: Work) -> None:
        work.anchors_taken = True
        if isinstance(word, Trouble):
            self._find(work, word.code, f"{word.source}: {word.detail}")
            return
        if isinstance(word, Cosigned):
            head, time_ms, data = self._open(word)
            kind = COSIGNATURE
        else:
            head, time_ms, data, kind = word.checkpoint, word.anchor_ms, word.token, RFC3161
        self._check_ours(head)
        before = work.anchors.get(word.source) or self._rows.get(word.source)
        if before is not None and before.size > head.size:
            return
        logged = (0, 0) if before is None else (before.logged_size, before.logged_ms)
        work.anchors[word.source] = Row(
            word.source, kind, head.size, head.root, time_ms, word.asked_ms, data, *logged
        )

    def _open(self, word: Cosigned) -> tuple[Checkpoint, int, bytes]:
        """Head, time and bytes to keep: our signatures and this witness's, no others."""
        key = None if self._askers is None else self._askers.witness(word.source)
        if key is None:
            raise NoteError(f"{word.source} is no witness of plant.toml")
        note = parse_note(word.note)
        ours = verify_note(note, self._verifiers)
        if len(ours) != len(self._verifiers):
            raise NoteError("one of the log's signatures is missing")
        time_ms = key.time_s(note) * 1000
        kept = [
            line
            for line in note.signatures
            if key.made(line)
            or any((line.name, line.key_id) == (ours.name, ours.key_id) for ours in self._verifiers)
        ]
        data = note.text + b"\n" + format_signatures(kept)
        return parse_checkpoint(note.text), time_ms, data

    def _check_ours(self, head: Checkpoint) -> None:
        """A head that we signed and that is not in this log: it was rolled back, or forked."""
        if head.origin != self._log.origin:
            raise NoteError(f"the checkpoint is of log {head.origin}")
        if head.size > self._log.size:
            raise NoteError(f"it has size {head.size}, this log only {self._log.size}")
        if range_hash(self._log.node, 0, head.size) != head.root:
            raise NoteError(f"its root at size {head.size} is not this log's")

    def _due(self, row: Row, now_ms: int) -> bool:
        if row.size <= row.logged_size or self._askers is None:
            return False
        return now_ms - row.logged_ms >= self._askers.log_s * 1000 or row.logged_ms > now_ms

    def _log_anchor(self, row: Row, work: Work, sign: Sign) -> None:
        text = format_checkpoint(Checkpoint(self._log.origin, row.size, row.root))
        digest = sha256(row.data).hexdigest()
        work.documents.append((digest, DOCUMENT, f"anchors/{row.source}/{row.size}", row.data))
        specific = {
            "kind": row.kind,
            "source": row.source,
            "size": row.size,
            "root": row.root.hex(),
            "anchorMs": row.anchor_ms,
            "token": digest,
        }
        subject = [(SUBJECT, sha256(text).hexdigest())]
        work.anchor_indices.add(sign("time-anchor", subject, specific, work))
        work.anchors[row.source] = Row(
            row.source,
            row.kind,
            row.size,
            row.root,
            row.anchor_ms,
            row.asked_ms,
            row.data,
            row.size,
            work.now_ms,
        )

    @staticmethod
    def _find(work: Work, code: str, detail: str) -> None:
        work.findings.append(Finding(work.now_ms, code, "gateway", "", None, detail))


def _wanted(log: Sequencer) -> int:
    """The size up to the last entry that is no time-anchor."""
    size = log.size
    for _ in range(WALK_BACK_MAX):
        if size == 0 or not _is_anchor(log.entry(size - 1)):
            break
        size -= 1
    return size


def _is_anchor(entry: bytes) -> bool:
    try:
        payload = dsse.decode_envelope(entry).payload
    except RejectedError:
        return False
    return b'"predicateType":"urn:raffinate:time-anchor:v1"' in payload
