"""One entry bundle, checked as far as it can be without what came before: the work of a process.

Envelopes, signatures and statements' forms are checked here; usage statements of one key that go
on plainly are joined into one `Run`, which the order-dependent rules (entries.py) judge at once.
Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
_SEQ, _PREV, _BOOT, _UP, _TIME, _SIZE, _ROOT, _REGISTERS = 1, 2, 3, 4, 5, 7, 8, 9
_PLAIN = ("usage", "heartbeat")
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
    """Statements `seq`..`last_seq` of a node's key at `index`..`last_index` (others between).

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
    """Checks bundles. `keys` by keyid grow from outside; `root_at(size)` gives roots of the log.

    Keys in `single` have each statement as a run of its own.
    """

    def __init__(self, root_at: Callable[[int], bytes | None]) -> None:
        self.keys: dict[str, ec.EllipticCurvePublicKey] = {}
        self.single: frozenset[str] = frozenset()
        self._root_at = root_at
        self._roots: dict[int, str | None] = {}
        self._shapes: dict[str, list[_Shape]] = {}
        self._shape_count = 0

    def learn(self, keys: Mapping[str, bytes]) -> None:
        """More keys, SPKI DER by keyid."""
        for keyid in keys.keys() - self.keys.keys():
            self.keys[keyid] = dsse.public_key(keys[keyid])

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
        going: dict[str, tuple[Run, _Shape, Values]] = {}
        for index, (entry, leaf) in enumerate(zip(entries, leaves, strict=True), first):
            item = self._judge(index, entry, leaf, signatures, going)
            if item is None:
                continue
            chunk.items.append(item)
            if isinstance(item, Entry):
                going.clear()
                if item.fault is not None:
                    chunk.bad.append(index)
            elif not join or item.first.keyid in self.single:
                going.pop(item.first.keyid, None)
        return chunk

    def _judge(
        self,
        index: int,
        entry: bytes,
        leaf: bytes,
        signatures: bool,
        going: dict[str, tuple[Run, _Shape, Values]],
    ) -> Entry | Run | None:
        """The entry's item; None when it was joined to a run in `going`."""
        try:
            envelope = dsse.decode_envelope(entry)
        except RejectedError:
            return Entry(index, entry, leaf, known=False, fault=None)
        keyid = envelope.keyid
        key = self.keys.get(keyid)
        if key is None:
            return Entry(index, entry, leaf, known=False, fault=None)
        if signatures:
            try:
                dsse.verify(envelope, key)
            except RejectedError as error:
                return Entry(index, entry, leaf, known=True, fault=str(error))
        found = None
        if envelope.payload_type == dsse.STATEMENT and len(envelope.payload) <= PAYLOAD_BYTES_MAX:
            found = self._match(keyid, envelope.payload)
            run = going.get(keyid)
            if found is not None and run is not None and run[1] is found[0]:
                shape, values = found
                if self._joins(run[0], run[2], values, index, shape):
                    shape.join(run[0], values, index, leaf)
                    going[keyid] = (run[0], shape, values)
                    return None
        return self._begin(index, entry, leaf, envelope, found, going)

    def _begin(
        self,
        index: int,
        entry: bytes,
        leaf: bytes,
        envelope: dsse.Envelope,
        found: tuple[_Shape, Values] | None,
        going: dict[str, tuple[Run, _Shape, Values]],
    ) -> Entry | Run:
        """A new run, or an entry that is none."""
        other = Entry(index, entry, leaf, known=True, fault=None)
        if envelope.payload_type != dsse.STATEMENT:
            return other
        try:
            statement = parse_statement(envelope.payload)
        except RejectedError:
            return other
        if statement.type not in _PLAIN or statement.keyid != envelope.keyid:
            return other
        if found is None:
            found = self._learn(envelope)
        run = run_of(statement, index, leaf)
        size, root = statement.body["seen"]["size"], statement.body["seen"]["root"]
        if self._root(size) not in (None, root):
            run.seen_wrong = size
        if found is None:
            going.pop(envelope.keyid, None)
        else:
            going[envelope.keyid] = (run, *found)
        return run

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

    def _learn(self, envelope: dsse.Envelope) -> tuple[_Shape, Values] | None:
        """A shape more for a statement that has none; None when there are too many."""
        shapes = self._shapes.setdefault(envelope.keyid, [])
        if len(shapes) >= SHAPES_OF_KEY_MAX or self._shape_count >= SHAPES_MAX:
            return None
        text = envelope.payload.decode()
        if '"timeMs":null' in text:
            return None
        self._shape_count += 1
        shapes.insert(0, _Shape(text))
        return self._match(envelope.keyid, envelope.payload)

    def _joins(self, run: Run, last: Values, values: Values, index: int, shape: _Shape) -> bool:
        """True when the statement follows the run's last one with nothing to remark."""
        if (
            int(values[_SEQ]) != run.last_seq + 1
            or values[_PREV] != run.head.hex()
            or values[_BOOT] != last[_BOOT]
            or int(values[_UP]) < run.last_up_ms
            or int(values[_TIME]) < (run.last_time_ms or 0)
        ):
            return False
        size = int(values[_SIZE])
        if size != run.last_seen and not run.last_seen < size <= index:
            return False
        return shape.follows(run, last, values) and self._root(size) in (None, values[_ROOT])

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


class _Shape:
    """The text of a key's statement with its numbers, hashes and flags left open.

    What it matches is canonical where the statement it was made of is: numbers, digests and flags
    are put in place of others of their kind, and texts have no quotes.
    """

    __slots__ = ("_interval", "_names", "_uses", "_width", "match")

    def __init__(self, text: str) -> None:
        parts, place = [], 0
        predicate = text.index('"predicateType"')
        for found in _VARIABLE.finditer(text, predicate):
            if text.startswith('"v":', found.start() - 4):
                continue
            parts += [re.escape(text[place : found.start()]), _EXPRESSIONS[found.lastgroup or ""]]
            place = found.end()
        self.match = re.compile("".join(parts) + re.escape(text[place:]), re.ASCII).fullmatch
        statement = parse_statement(text.encode())
        self._names = tuple(item["id"] for item in statement.body["registers"])
        self._interval = _REGISTERS + 3 * len(self._names)
        self._uses = self._interval + 4 + (4 if statement.body["frames"] is not None else 0)
        self._width = 6

    def follows(self, run: Run, last: Values, values: Values) -> bool:
        """True when interval, registers and machines go on from those of the run."""
        at = self._interval
        if (
            int(values[at]) != run.to_up_ms
            or int(values[at + 1]) < run.to_up_ms
            or int(values[at + 2]) < (run.to_ms or 0)
            or int(values[at + 3]) < int(values[at + 2])
        ):
            return False
        place = _REGISTERS
        for name in self._names:
            run_ms, starts, volume_ml = run.registers[name]
            if (
                int(values[place]) < run_ms
                or int(values[place + 1]) < starts
                or int(values[place + 2]) < volume_ml
            ):
                return False
            place += 3
        for place in range(self._uses, len(values), self._width):
            if (
                values[place] != last[place]
                or values[place + 2] != "0"
                or values[place + 4] != last[place + 4]
            ):
                return False
        return True

    def join(self, run: Run, values: Values, index: int, leaf: bytes) -> None:
        """Add the statement to the run."""
        run.last_index, run.count, run.head = index, run.count + 1, leaf
        run.last_seq += 1
        run.last_up_ms, run.last_time_ms = int(values[_UP]), int(values[_TIME])
        run.last_seen = int(values[_SIZE])
        at = self._interval
        run.to_up_ms, run.to_ms = int(values[at + 1]), int(values[at + 3])
        place = _REGISTERS
        for name in self._names:
            run.registers[name] = (
                int(values[place]),
                int(values[place + 1]),
                int(values[place + 2]),
            )
            place += 3
        place = self._uses
        for use in run.uses:
            use.run_ms += int(values[place + 1])
            use.volume_ml += int(values[place + 3])
            place += self._width
