"""The offline verifier. Reaches only pure modules; files come in through a `Source`.

Order: manifest, checkpoint, then one pass over the entries that rebuilds every tile and judges
each statement as the roster stands at its index; a revocation that reaches back makes a second
pass, which knows it from the start. Memory does not grow with the log.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from raffinate.audit.anchors import AnchorError
from raffinate.audit.checkers import CHECKERS
from raffinate.audit.chunk import Run
from raffinate.audit.entries import EntryChecker
from raffinate.audit.facts import FRAMES_PREFIX, Context
from raffinate.audit.forest import Forest
from raffinate.audit.policy import Policy, policy_of_public
from raffinate.audit.result import Result
from raffinate.audit.roots import root_reader
from raffinate.audit.work import Inline, Job, Worker
from raffinate.errors import ConfigError, RejectedError
from raffinate.evidence import dsse
from raffinate.tlog.checkpoint import Checkpoint, parse_checkpoint
from raffinate.tlog.note import NoteError, parse_note, verify_note
from raffinate.tlog.tiles import TILE_WIDTH, TileError, TileReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from raffinate.audit.chunk import Chunk, Part
    from raffinate.audit.roster import Standing
    from raffinate.audit.source import Source
    from raffinate.audit.work import Work
    from raffinate.tlog.note import Note

MANIFEST = "MANIFEST.json"
PUBLIC = "keys.json"
CHECKPOINT = "log/checkpoint"
MANIFEST_BYTES_MAX = 32 * 1024 * 1024
MANIFEST_ITEMS_MAX = 1_000_000  # a file has three
PUBLIC_BYTES_MAX = 256 * 1024
SAVE_EVERY_BUNDLES = 64
JOB_ENTRIES = 8 * TILE_WIDTH
BAD_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Checked:
    """Signatures of the first `entries` entries, which have `root`, are good but for `bad`."""

    entries: int = 0
    root: bytes = b""
    bad: frozenset[int] = frozenset()


class Memory(Protocol):
    """Where a verification that may be broken off keeps what it has checked."""

    def load(self, policy: str) -> Checked:
        """What an earlier run under this policy (its SHA-256) kept, or nothing."""

    def save(self, policy: str, checked: Checked) -> None:
        """Keep it."""


@dataclass(slots=True)
class _Known:
    """What a pass may start from."""

    checked: Checked = field(default_factory=Checked)
    foreseen: dict[str, Standing] = field(default_factory=dict)


def verify(
    source: Source,
    policy: Policy | None,
    progress: Callable[[int, int], None] | None = None,
    *,
    period: tuple[int | None, int | None] | None = None,
    work: Work | None = None,
    memory: Memory | None = None,
) -> Result:
    """Judge a bundle. `progress(entries done, entries)`. Raises BundleError when unreadable.

    `period` (from, to; UTC ms) stands in for the one in the manifest. `work` checks bundles, by
    default in this process.
    """
    work = Inline(source) if work is None else work
    digest = "" if policy is None else policy.digest
    known = _Known(Checked() if memory is None else memory.load(digest))
    while True:
        work.reset()
        verification = _Verification(source, policy, progress, period, work, memory, known)
        result = verification.run()
        if verification.mismatch:
            known = replace(known, checked=Checked())
        elif verification.stale and not known.foreseen:
            known = _Known(verification.checked(), verification.standings())
        else:
            return result


class _Verification:
    def __init__(
        self,
        source: Source,
        policy: Policy | None,
        progress: Callable[[int, int], None] | None,
        period: tuple[int | None, int | None] | None,
        work: Work,
        memory: Memory | None,
        known: _Known,
    ) -> None:
        self._source = source
        self._result = Result()
        self._progress = progress
        self._period = period
        self._manifest: dict[str, tuple[int, str]] = {}
        self._unread: set[str] = set()
        self._envelope: dsse.Envelope | None = None
        self._policy = policy
        self._work = work
        self._memory = memory
        self._known = known
        self._bad: set[int] = set(known.checked.bad)
        self._checker: EntryChecker | None = None
        self._forest = Forest(self._fetch)
        self.mismatch = False

    @property
    def stale(self) -> bool:
        """True when a later statement changed how earlier entries are to be judged."""
        return self._checker is not None and self._checker.roster.stale

    def standings(self) -> dict[str, Standing]:
        """The ended keys' standings, as the whole log says."""
        assert self._checker is not None  # noqa: S101 - asked only after a pass
        signers = self._checker.roster.signers.values()
        return {one.keyid: one.standing for one in signers if one.standing.ended}

    def checked(self) -> Checked:
        """What this pass knows of signatures."""
        whole = self._forest.size // TILE_WIDTH * TILE_WIDTH
        return Checked(whole, self._forest.root(whole), frozenset(self._bad))

    def run(self) -> Result:
        result = self._result
        manifest = self._read_manifest()
        policy = self._choose_policy()
        if policy is None:
            return result
        found = self._read_checkpoint(policy)
        if found is None:
            result.add("LOG-UNREAD", "there is no head to read it by", file=CHECKPOINT)
        else:
            note, head = found
            root_at = self._root_at(head.size)
            checkers = self._make_checkers(policy, manifest)
            self._checker = checker = EntryChecker(
                policy,
                self._read_optional,
                root_at,
                self._leaf_at(head.size),
                self._split,
                result,
                self._known.foreseen,
                checkers,
                self._period,
            )
            self._walk(head, checker)
            if self.mismatch:
                return result
            try:
                checker.anchor(checker.anchors.of_checkpoint(note, head.size))
            except AnchorError as error:
                result.add("COSIGNATURE", str(error), file=CHECKPOINT)
            self._check_pin(policy, head)
            checker.finish(manifest)
            self._check_manifest_signature(checker)
        for path in sorted(self._unread):
            self._read(path)
        return result

    def _choose_policy(self) -> Policy | None:
        if self._policy is not None:
            return self._policy
        self._result.add("UNTRUSTED-ROOT", "no policy was given")
        try:
            return policy_of_public(json.loads(_limited(self._read(PUBLIC) or b"")))
        except (ConfigError, ValueError, RecursionError) as error:
            self._result.add(
                "MANIFEST", f"the bundle's own keys are unreadable: {error}", file=PUBLIC
            )
            return None

    def _read_manifest(self) -> dict[str, Any]:
        """Lists files with size and digest; its signature is checked when the roster is known."""
        paths = set(self._source.paths())
        try:
            data = self._source.read(MANIFEST)
            self._envelope = dsse.decode_envelope(data, MANIFEST_BYTES_MAX)
            payload = self._envelope.payload
            if payload.count(b",") > MANIFEST_ITEMS_MAX:
                raise ValueError(f"over {MANIFEST_ITEMS_MAX} items")  # noqa: TRY301 - one finding
            value: dict[str, Any] = json.loads(payload)
            self._manifest = {
                str(item["path"]): (int(item["size"]), str(item["sha256"]))
                for item in value["files"]
            }
        except (
            KeyError, TypeError, ValueError, OverflowError, RecursionError, RejectedError
        ) as error:  # fmt: skip
            self._result.add("MANIFEST", f"unreadable: {error}", file=MANIFEST)
            self._unread = paths - {MANIFEST}
            return {}
        for path in sorted(paths - set(self._manifest) - {MANIFEST}):
            self._result.add("FILE-EXTRA", f"{path} is not in the manifest", file=path)
        self._unread = set(self._manifest)
        if self._period is not None:
            value["fromMs"], value["toMs"] = self._period
        return value

    def _check_manifest_signature(self, checker: EntryChecker) -> None:
        envelope = self._envelope
        if envelope is None:
            return
        key = checker.gateway_key(envelope.keyid)
        if key is None or envelope.payload_type != dsse.MANIFEST:
            self._result.add("MANIFEST", "not signed by an enrolled gateway key", file=MANIFEST)
            return
        try:
            dsse.verify(envelope, key)
        except RejectedError as error:
            self._result.add("MANIFEST", str(error), file=MANIFEST)

    def _make_checkers(self, policy: Policy, manifest: dict[str, Any]) -> Iterable[Any]:
        frames = sorted(path for path in self._manifest if path.startswith(FRAMES_PREFIX))
        self._work.join = not frames
        times = (manifest.get(name) for name in ("fromMs", "toMs"))
        from_ms, to_ms = (time if isinstance(time, int) else None for time in times)
        context = Context(policy, self._result, self._read_optional, frames, from_ms, to_ms)
        return [make(context) for make in CHECKERS]

    def _read(self, path: str) -> bytes | None:
        """A file's bytes, held against the manifest; None with a finding when it is not there."""
        known = self._manifest.get(path)
        first = path in self._unread
        self._unread.discard(path)
        try:
            data = self._source.read(path)
        except KeyError:
            self._result.add("FILE-MISSING", f"{path} is not in the bundle", file=path)
            return None
        if first and known is not None and (len(data), sha256(data).hexdigest()) != known:
            self._result.add("FILE-CHANGED", f"{path} is not the file listed", file=path)
        return data

    def _read_optional(self, path: str) -> bytes | None:
        """A document's bytes; None without a finding when the manifest has it not."""
        return self._read(path) if path in self._manifest else None

    def _read_checkpoint(self, policy: Policy) -> tuple[Note, Checkpoint] | None:
        result = self._result
        result.origin = policy.origin
        data = self._read(CHECKPOINT)
        if data is None:
            return None
        try:
            note = parse_note(data)
            signers = verify_note(note, policy.log_keys)
            head = parse_checkpoint(note.text)
        except NoteError as error:
            result.add("CHECKPOINT", str(error), file=CHECKPOINT)
            return None
        result.size, result.root = head.size, head.root
        if head.origin != policy.origin:
            result.add("CHECKPOINT", f"it is of log {head.origin}", file=CHECKPOINT)
            return None
        if len(signers) != len(policy.log_keys):
            result.add("CHECKPOINT", "one of the log's signatures is missing", file=CHECKPOINT)
        return note, head

    def _check_pin(self, policy: Policy, head: Checkpoint) -> None:
        if policy.pin is None:
            return
        size, root = policy.pin
        if head.size < size:
            self._result.add("BUNDLE-OLD", f"size {head.size} is below the pinned {size}")
        elif self._root_at(head.size)(size) != root:
            self._result.add("PIN-MISMATCH", f"the root at size {size} is not the pinned one")

    def _root_at(self, size: int) -> Callable[[int], bytes | None]:
        return root_reader(self._source, size)

    def _leaf_at(self, size: int) -> Callable[[int], bytes | None]:
        reader = TileReader(self._fetch, size, 1)

        def leaf_at(index: int) -> bytes | None:
            try:
                return reader.node(0, index)
            except (KeyError, TileError, IndexError):
                return None

        return leaf_at

    def _fetch(self, path: str) -> bytes:
        return self._source.read(f"log/{path}")

    def _walk(self, head: Checkpoint, checker: EntryChecker) -> None:
        """One pass over the entries: check each, rebuild the tiles and compare."""
        sent: deque[Job] = deque()
        jobs = (self._job(first, last, head.size) for first, last in _jobs_of(head.size))
        job = next(jobs, None)
        while job is not None or sent:
            ahead = self._work.ahead if self._forest.size else 1
            while job is not None and len(sent) < ahead:
                self._work.send(job, checker.roster.signers)
                sent.append(job)
                job = next(jobs, None)
            sent.popleft()
            if not self._take(self._work.receive(), checker):
                self._work.reset()
                return
            if self._progress is not None:
                self._progress(self._forest.size, head.size)
        for level, tile, hashes in self._forest.edge():
            self._compare(level, tile, hashes)
        if self._forest.root() != head.root:
            self._result.add("ROOT", "the entries lead to another root than the checkpoint's")

    def _job(self, first: int, last: int, size: int) -> Job:
        checked = self._known.checked
        trusted = last <= checked.entries and last % TILE_WIDTH == 0
        signatures = not trusted or any(first <= index < last for index in checked.bad)
        return Job(first, last, size, signatures, frozenset(self._known.foreseen))

    def _take(self, chunk: Chunk, checker: EntryChecker) -> bool:
        """Judge bundles' entries; False when the pass cannot go on."""
        for item in chunk.items:
            checker.take(item)
        self._bad.update(chunk.bad)
        self._bad.update(checker.bad)
        checker.bad.clear()
        return all(map(self._grow, chunk.parts))

    def _grow(self, part: Part) -> bool:
        """Rebuild the tree over a bundle; False when the pass cannot go on."""
        path = part.path
        self._unread.discard(path)
        if part.size is None:
            self._result.add("FILE-MISSING", f"{path} is not in the bundle", file=path)
        elif part.size != self._manifest.get(path, (part.size,))[0]:
            self._result.add("FILE-CHANGED", f"{path} is not the file listed", file=path)
        if part.fault is not None:
            self._result.add("ENTRIES", part.fault, file=path)
        if not part.leaves:
            first = self._forest.size
            self._result.add("ROOT", f"entry {first} and what follows cannot be read")
            self._result.add("LOG-UNREAD", f"from entry {first} on", file=path)
            return False
        for level, tile, hashes in self._forest.extend(part.leaves, part.top):
            self._compare(level, tile, hashes)
        self._result.entries = self._forest.size
        return self._keep(self._forest.size)

    def _keep(self, entries: int) -> bool:
        """Save what was checked now and then; False when an earlier run checked another log."""
        checked = self._known.checked
        if entries == checked.entries and self._forest.root() != checked.root:
            self.mismatch = True
            return False
        if (
            self._memory is not None
            and self._policy is not None
            and entries > checked.entries
            and entries % (SAVE_EVERY_BUNDLES * TILE_WIDTH) == 0
            and len(self._bad) <= BAD_MAX
        ):
            self._memory.save(self._policy.digest, self.checked())
        return True

    def _split(self, run: Run) -> Iterable[Run]:
        """The statements of a joined run one by one, from its bundles."""
        first = run.index // TILE_WIDTH * TILE_WIDTH
        last = min((run.last_index // TILE_WIDTH + 1) * TILE_WIDTH, self._result.size)
        worker, keyid = Worker(self._source), run.first.keyid
        assert self._checker is not None  # noqa: S101 - runs come from it alone
        worker.learn({keyid: self._checker.roster.signers[keyid].spki})
        job = Job(first, last, self._result.size, signatures=False, single=frozenset())
        return [
            item
            for item in worker.do(job, join=False).items
            if isinstance(item, Run) and run.index <= item.index <= run.last_index
        ]

    def _compare(self, level: int, tile: int, hashes: bytes) -> None:
        path = f"log/{self._forest.path(level, tile, hashes)}"
        data = self._read(path)
        if data is not None and data != hashes:
            self._result.add("TILE", f"{path} is not what the entries give", file=path)


def _limited(data: bytes) -> bytes:
    if len(data) > PUBLIC_BYTES_MAX:
        raise ValueError(f"they have over {PUBLIC_BYTES_MAX >> 10} KiB")
    return data


def _jobs_of(size: int) -> Iterator[tuple[int, int]]:
    """Each job's first entry and the one after its last; the first brings keys, and comes alone."""
    if size:
        yield 0, min(TILE_WIDTH, size)
    for first in range(TILE_WIDTH, size, JOB_ENTRIES):
        yield first, min(first + JOB_ENTRIES, size)
