"""One entry bundle, checked as far as it can be without what came before: the work of a process.

Envelopes, signatures and statements' forms are checked here; usage statements of one key that go
on plainly are joined into one `Run`, which the order-dependent rules (entries.py) judge at once.
Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import lt
from typing import TYPE_CHECKING

from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.statement import Statement, parse_statement
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.tiles import TileError, decode_bundle
from raffinate_wire.statement import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric import ec

    Values = tuple[str, ...]

SHAPES_MAX = 512
SHAPES_OF_KEY_MAX = 32
_ROOTS_KEPT = 4096
# Places of a shape's first values; registers, interval, frames and uses follow.
_SEQ, _PREV, _BOOT, _UP, _TIME, _UNRECEIPTED, _SIZE, _ROOT, _REGISTERS = range(1, 10)
# Places in its frames and its uses.
_LAST, _HEAD, _USE = 2, 3, 6
_PLAIN = ("usage", "heartbeat")
_NOTHING_UNUSUAL = '"why":null}}'
_VARIABLE = re.compile(
    r"(?P<kind>(?<=:raffinate:)(?:usage|heartbeat)(?=:v1))"
    r"|(?P<digest>(?<=\"prev\":\"|\"root\":\"|\"head\":\")[0-9a-f]{64})"
    r'|(?P<flag>(?<="run":)(?:true|false))'
    r'|(?P<permit>(?<="permit":)(?:\d+|null))'
    r'|(?P<number>(?<=":)\d+(?=[,}]))'
)
_NUMBER = r"0|[1-9]\d{0,14}"
_EXPRESSIONS = {
    "kind": "(usage|heartbeat)",
    "digest": "([0-9a-f]{64})",
    "flag": "(true|false)",
    "permit": f"({_NUMBER}|null)",
    "number": f"({_NUMBER})",
}


@dataclass(slots=True)
class Use:
    """One machine in a run: deltas summed over it, `run` and `permit` the same throughout."""

    equipment: str
    run: bool
    run_ms: int
    starts: int
    volume_ml: int
    permit: int | None


@dataclass(slots=True)
class Run:
    """Statements up to `last_seq` of a node's key at `index`..`last_index` (others between).

    `first` is the first, parsed; what is not listed here is the same in all of them, but for
    numbers that only grow. A statement that is no usage or heartbeat is a run of one, with no uses.
    """

    first: Statement
    index: int
    last_index: int
    count: int
    last_seq: int
    head: bytes
    last_up_ms: int = 0
    last_time_ms: int | None = None
    last_seen: int = 0
    seen_wrong: int | None = None
    registers: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    from_up_ms: int = 0
    to_up_ms: int = 0
    from_ms: int | None = None
    to_ms: int | None = None
    uses: list[Use] = field(default_factory=list)
    frames_to: tuple[int, str] | None = None


@dataclass(slots=True)
class Entry:
    """Any other entry. `fault` says what its signature lacks; `known` False: it was not asked."""

    index: int
    data: bytes
    leaf: bytes
    known: bool
    fault: str | None


@dataclass(slots=True)
class Chunk:
    """A bundle as found: its leaves' hashes in a row, and its entries in the order of the log.

    `bad` are indices of bad signatures, `size` its file's (None: not there), `top` the hash over a
    full bundle.
    """

    first: int
    leaves: bytes = b""
    items: list[Entry | Run] = field(default_factory=list)
    fault: str | None = None
    bad: list[int] = field(default_factory=list)
    size: int | None = None
    top: bytes | None = None


class Reader:
    """Checks bundles. `root_at(size)` gives roots of the log; keys come by `learn`.

    Keys in `single` have each statement as a run of its own.
    """

    def __init__(self, root_at: Callable[[int], bytes | None]) -> None:
        self.single: frozenset[str] = frozenset()
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        self._tails: dict[bytes, str] = {}
        self._root_at = root_at
        self._roots: dict[int, str | None] = {}
        self._shapes: dict[str, list[_Shape]] = {}
        self._shape_count = 0

    def learn(self, keys: Mapping[str, bytes]) -> None:
        """More keys, SPKI DER by keyid."""
        for keyid in keys.keys() - self._keys.keys():
            self._keys[keyid] = dsse.public_key(keys[keyid])
            self._tails[dsse.statement_tail(keyid)] = keyid

    def read(
        self, data: bytes, first: int, width: int, *, signatures: bool = True, join: bool = True
    ) -> Chunk:
        """The bundle of entries first..first+width-1.

        Without `signatures` they count as good; without `join` every statement is a run of its own.
        """
        chunk = Chunk(first)
        try:
            entries = decode_bundle(data, width)
        except TileError as error:
            chunk.fault = str(error)
            return chunk
        leaves = [leaf_hash(entry) for entry in entries]
        chunk.leaves = b"".join(leaves)
        going: dict[str, _Going] = {}
        for index, (entry, leaf) in enumerate(zip(entries, leaves, strict=True), first):
            item = self._judge(index, entry, leaf, signatures, going)
            if item is None:
                continue
            chunk.items.append(item)
            if isinstance(item, Entry):
                self._settle(going)
                if item.fault is not None:
                    chunk.bad.append(index)
            elif not join or item.first.keyid in self.single:
                going.pop(item.first.keyid, None)
        self._settle(going)
        return chunk

    def _judge(
        self, index: int, entry: bytes, leaf: bytes, signatures: bool, going: dict[str, _Going]
    ) -> Entry | Run | None:
        """The entry's item; None when it was joined to a run in `going`."""
        parts = dsse.split_statement(entry, self._tails)
        if parts is None:
            return self._other(index, entry, leaf, signatures, going)
        keyid, payload, signature = parts
        if signatures:
            try:
                dsse.verify_statement(payload, signature, self._keys[keyid])
            except RejectedError as error:
                return Entry(index, entry, leaf, known=True, fault=str(error))
        return self._statement(index, entry, leaf, (keyid, payload), going)

    def _other(
        self, index: int, entry: bytes, leaf: bytes, signatures: bool, going: dict[str, _Going]
    ) -> Entry | Run | None:
        """The same for an envelope of another form, of another type, or of no known key."""
        try:
            envelope = dsse.decode_envelope(entry)
        except RejectedError:
            return Entry(index, entry, leaf, known=False, fault=None)
        key = self._keys.get(envelope.keyid)
        if key is None:
            return Entry(index, entry, leaf, known=False, fault=None)
        if signatures:
            try:
                dsse.verify(envelope, key)
            except RejectedError as error:
                return Entry(index, entry, leaf, known=True, fault=str(error))
        if envelope.payload_type != dsse.STATEMENT:
            return Entry(index, entry, leaf, known=True, fault=None)
        return self._statement(index, entry, leaf, (envelope.keyid, envelope.payload), going)

    def _statement(
        self,
        index: int,
        entry: bytes,
        leaf: bytes,
        signed: tuple[str, bytes],
        going: dict[str, _Going],
    ) -> Entry | Run | None:
        keyid, payload = signed
        found = self._match(keyid, payload) if len(payload) <= PAYLOAD_BYTES_MAX else None
        before = going.get(keyid)
        if found is not None and before is not None and before.shape is found[0]:
            size, root = int(found[1][_SIZE]), found[1][_ROOT]
            if size == before.size:
                seen = root == before.root
            else:
                seen = before.size < size <= index and self._root(size) in (None, root)
            if seen and before.shape.joins(before, found[1], index, leaf):
                before.size, before.root = size, root
                return None
        return self._begin(index, entry, leaf, signed, found, going)

    def _begin(
        self,
        index: int,
        entry: bytes,
        leaf: bytes,
        signed: tuple[str, bytes],
        found: tuple[_Shape, Values] | None,
        going: dict[str, _Going],
    ) -> Entry | Run:
        """A new run, or an entry that is none."""
        keyid, payload = signed
        other = Entry(index, entry, leaf, known=True, fault=None)
        try:
            statement = parse_statement(payload)
        except RejectedError:
            return other
        if statement.type not in _PLAIN or statement.keyid != keyid:
            return other
        run = run_of(statement, index, leaf)
        size, root = statement.body["seen"]["size"], statement.body["seen"]["root"]
        if self._root(size) not in (None, root):
            run.seen_wrong = size
        if keyid in going:
            going.pop(keyid).settle()
        if found is None:
            found = self._learn_shape(keyid, payload)
        if found is not None:
            going[keyid] = found[0].begin(run, found[1])
        return run

    def _settle(self, going: dict[str, _Going]) -> None:
        for one in going.values():
            one.settle()
        going.clear()

    def _match(self, keyid: str, payload: bytes) -> tuple[_Shape, Values] | None:
        """The shape that the statement has, and its values."""
        if not payload.isascii():
            return None
        text = payload.decode()
        for shape in self._shapes.get(keyid, ()):
            match = shape.match(text)
            if match is not None:
                return shape, match.groups()
        return None

    def _learn_shape(self, keyid: str, payload: bytes) -> tuple[_Shape, Values] | None:
        """A shape more for a statement that has none; None when there are too many."""
        shapes = self._shapes.setdefault(keyid, [])
        if len(shapes) >= SHAPES_OF_KEY_MAX or self._shape_count >= SHAPES_MAX:
            return None
        text = payload.decode()
        if ":null" in text.partition('"equipment":')[0] or not text.endswith(_NOTHING_UNUSUAL):
            return None
        self._shape_count += 1
        shapes.insert(0, _Shape(text))
        return self._match(keyid, payload)

    def _root(self, size: int) -> str | None:
        if size not in self._roots:
            if len(self._roots) >= _ROOTS_KEPT:
                self._roots.clear()
            root = self._root_at(size)
            self._roots[size] = None if root is None else root.hex()
        return self._roots[size]


def run_of(statement: Statement, index: int, leaf: bytes) -> Run:
    """A node's single statement as a run of one; its `seen` root is not checked."""
    body = statement.body
    run = Run(
        statement,
        index,
        index,
        1,
        statement.seq,
        leaf,
        body["upMs"],
        body["timeMs"],
        body["seen"]["size"],
        None,
        statement.registers(),
    )
    if statement.type in _PLAIN:
        interval = body["interval"]
        run.from_up_ms, run.to_up_ms = interval["fromUpMs"], interval["toUpMs"]
        run.from_ms, run.to_ms = interval["fromMs"], interval["toMs"]
        run.uses = [
            Use(
                use["id"],
                use["run"],
                use["runMs"],
                use["starts"],
                use["volumeMl"],
                use["permit"],
            )
            for use in body["equipment"]
        ]
    return run


@dataclass(slots=True)
class _Going:
    """A run that may go on, with what its last statement said; `settle` writes that into it."""

    run: Run
    shape: _Shape
    seq: int
    head: str
    boot: str
    up_ms: int
    time_ms: int
    size: int
    root: str
    numbers: list[int]
    frames: Values
    uses: Values
    index: int
    leaf: bytes

    def settle(self) -> None:
        """Bring the run up to its last statement."""
        run, numbers, names = self.run, self.numbers, self.shape.names
        run.count += self.seq - run.last_seq
        run.last_index, run.last_seq, run.head = self.index, self.seq, self.leaf
        run.last_up_ms, run.last_time_ms, run.last_seen = self.up_ms, self.time_ms, self.size
        run.registers = {
            name: (numbers[at], numbers[at + 1], numbers[at + 2])
            for name, at in zip(names, range(0, 3 * len(names), 3), strict=True)
        }
        run.to_up_ms, run.to_ms = numbers[-3], numbers[-1]
        run.frames_to = int(self.frames[_LAST]), self.frames[_HEAD]


class _Shape:
    """The text of a key's statement with its numbers, hashes and flags left open.

    What it matches is canonical where the statement it was made of is: numbers, digests and flags
    are put in place of others of their kind, and texts have no quotes.
    """

    __slots__ = ("_frames", "_interval", "_uses", "match", "names")

    def __init__(self, text: str) -> None:
        parts, place = [], 0
        for found in _VARIABLE.finditer(text, text.index('"predicateType"')):
            if text.startswith('"v":', found.start() - 4):
                continue
            parts += [re.escape(text[place : found.start()]), _EXPRESSIONS[found.lastgroup or ""]]
            place = found.end()
        self.match = re.compile("".join(parts) + re.escape(text[place:]), re.ASCII).fullmatch
        body = parse_statement(text.encode()).body
        self.names = tuple(item["id"] for item in body["registers"])
        self._interval = 3 * len(self.names)
        self._frames = _REGISTERS + self._interval + 4
        self._uses = self._frames + 4

    def begin(self, run: Run, values: Values) -> _Going:
        """What may go on from a first statement."""
        return _Going(
            run,
            self,
            run.last_seq,
            run.head.hex(),
            values[_BOOT],
            run.last_up_ms,
            run.last_time_ms or 0,
            run.last_seen,
            values[_ROOT],
            [int(value) for value in values[_REGISTERS : self._frames]],
            values[self._frames : self._uses],
            values[self._uses :],
            run.index,
            run.head,
        )

    def joins(self, last: _Going, values: Values, index: int, leaf: bytes) -> bool:
        """Join a statement that follows the last one with nothing to remark; True if it did.

        What it has `seen` was looked at before.
        """
        up_ms, time_ms = int(values[_UP]), int(values[_TIME])
        if (
            values[_PREV] != last.head
            or int(values[_SEQ]) != last.seq + 1
            or values[_BOOT] != last.boot
            or values[_UNRECEIPTED] != "0"
            or up_ms < last.up_ms
            or time_ms < last.time_ms
        ):
            return False
        numbers, at = list(map(int, values[_REGISTERS : self._frames])), self._interval
        before, frames = last.numbers, values[self._frames : self._uses]
        if (
            numbers[at] != before[at + 1]
            or numbers[at + 1] < numbers[at]
            or numbers[at + 2] < before[at + 3]
            or numbers[at + 3] < numbers[at + 2]
            or frames[0] != last.frames[0]
            or int(frames[1]) != int(last.frames[_LAST]) + 1
        ):
            return False
        if any(map(lt, numbers[:at], before)):
            return False
        uses = values[self._uses :]
        for place in range(0, len(uses), _USE):
            if (
                uses[place] != last.uses[place]
                or uses[place + 2] != "0"
                or uses[place + 4] != last.uses[place + 4]
            ):
                return False
        for use, place in zip(last.run.uses, range(0, len(uses), _USE), strict=True):
            use.run_ms += int(uses[place + 1])
            use.volume_ml += int(uses[place + 3])
        last.seq += 1
        last.head, last.leaf, last.index = leaf.hex(), leaf, index
        last.up_ms, last.time_ms, last.numbers = up_ms, time_ms, numbers
        last.frames, last.uses = frames, uses
        return True
