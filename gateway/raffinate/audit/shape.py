"""Usage statements of one key that are alike but for numbers, digests and flags. Pure.

They are read by columns: what goes on plainly from one to the next, within a day (UTC), is one
`Run`, by the rules in `Rows`.
"""

from __future__ import annotations

import re
from binascii import hexlify
from dataclasses import dataclass, field
from itertools import pairwise
from operator import ge
from typing import TYPE_CHECKING

from raffinate.audit.chunk import PLAIN
from raffinate.evidence.dsse import Opening
from raffinate_wire.statement import TYPE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from raffinate.audit.chunk import Run
    from raffinate.evidence.statement import Statement

    Columns = list[tuple[bytes, ...]]
    Roots = Callable[[Sequence[bytes]], Sequence[bytes | None]]
    """The log's roots at sizes, both as statements write them; None where one is not known."""

# Places of a shape's values; three of each register, interval, frames and six of each use follow.
_SEQ, _PREV, _BOOT, _UP, _TIME, _UNRECEIPTED, _SIZE, _ROOT, _REGISTERS = range(9)
_REGISTER, _INTERVAL, _FRAMES, _USE = 3, 4, 4, 6
_TYPE = f'"predicateType":"{TYPE_PREFIX}'.encode()
_CUT = b',"seq":'
_DAY_MS = 86_400_000
_EQUIPMENT = b'"equipment":'
_NOTHING_UNUSUAL = b'"why":null}}'
_VARIABLE = re.compile(
    rb'(?P<digest>(?<="prev":"|"root":"|"head":")[0-9a-f]{64})'
    rb'|(?P<flag>(?<="run":)(?:true|false))'
    rb'|(?P<permit>(?<="permit":)(?:\d+|null))'
    rb'|(?P<number>(?<=":)\d+(?=[,}]))'
)
_POSITIVE = rb"[1-9]\d{0,14}"
_NUMBER = b"0|" + _POSITIVE
_EXPRESSIONS = {
    "digest": b"([0-9a-f]{64})",
    "flag": b"(true|false)",
    "permit": b"(%b|null)" % _NUMBER,
    "number": b"(%b)" % _NUMBER,
}


class Shape:
    """The text of a usage statement or heartbeat with numbers, digests and flags left open.

    `match(text, at)` reads what follows the head of one of its openings. What it matches is
    canonical where the statement it was made of is: numbers, digests and flags are put in place of
    others of their kind, and texts have no quotes.
    """

    __slots__ = ("match", "names", "openings")

    def __init__(self, payload: bytes, statement: Statement) -> None:
        cut = payload.index(_CUT)
        begin, mark, end = payload[:cut].partition(_TYPE)
        end = end.removeprefix(statement.type.encode())
        self.openings = [Opening(begin + mark + kind.encode() + end) for kind in PLAIN]
        place = payload.index(b",", cut + 1)
        parts = [re.escape(_CUT), b"(%b)" % _POSITIVE]
        for found in _VARIABLE.finditer(payload, place):
            literal = re.escape(payload[place : found.start()])
            parts += [literal, _EXPRESSIONS[found.lastgroup or ""]]
            place = found.end()
        self.match = re.compile(b"".join(parts) + re.escape(payload[place:])).fullmatch
        self.names = tuple(item["id"] for item in statement.body["registers"])

    @staticmethod
    def fits(payload: bytes) -> bool:
        """Whether a usage statement or heartbeat says nothing that sets it apart."""
        before = payload.partition(_EQUIPMENT)[0]
        return b":null" not in before and payload.endswith(_NOTHING_UNUSUAL)


@dataclass(slots=True)
class Rows:
    """Statements of one shape in the order of the log: their indices, leaf hashes and values.

    `run` is the run that the first of them ends, when it was begun by an earlier `runs`.
    """

    shape: Shape
    indices: list[int] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    values: list[tuple[bytes, ...]] = field(default_factory=list)
    run: Run | None = None

    def add(self, index: int, leaf: bytes, values: tuple[bytes, ...]) -> None:
        """One more."""
        self.indices.append(index)
        self.leaves.append(leaf)
        self.values.append(values)

    def runs(
        self, begin: Callable[[int, bytes], Run], roots: Roots, *, join: bool
    ) -> Iterator[Run]:
        """New runs; what goes on plainly is one, and the last may go on with rows to come.

        `begin` makes the run of the one statement at an index, with a leaf hash. Without `join`
        every statement is a run of its own.
        """
        columns, count = list(zip(*self.values, strict=True)), len(self.indices)
        broken: Iterable[int] = range(1, count)
        if join and count > 1:
            broken = sorted(self._broken(columns) | self._unseen(columns, roots))
        run = self.run
        for start, stop in pairwise((0, *broken, count)):
            if start or run is None:
                run = begin(self.indices[start], self.leaves[start])
                yield run
            self._extend(run, columns, start, stop)
        self.run = run
        del self.indices[:-1], self.leaves[:-1], self.values[:-1]

    def _broken(self, columns: Columns) -> set[int]:
        """Places (from 1) of statements that do not go on plainly from the one before."""
        cut = _REGISTERS + _REGISTER * len(self.shape.names)
        up_from, up_to, ms_from, ms_to, frames_boot, first, last = columns[cut : cut + 7]
        none = (b"0",) * len(self.indices)
        # What each says, and what the one before it leads to expect.
        due: list[tuple[Sequence[object], Sequence[object]]] = [
            (_numbers(columns[_SEQ]), _successors(columns[_SEQ])),
            (columns[_PREV], tuple(map(hexlify, self.leaves))),
            (columns[_BOOT], columns[_BOOT]),
            (columns[_UNRECEIPTED], none),
            (up_from, up_to),
            (frames_boot, frames_boot),
            (_numbers(first), _successors(last)),
        ]
        for run, _, starts, _, permit, _ in self._uses(columns):
            due += [(run, run), (starts, none), (permit, permit)]
        broken = {
            place
            for said, expected in due
            if said[1:] != expected[:-1]
            for place in range(1, len(said))
            if said[place] != expected[place - 1]
        }
        # What each says, and what it must not fall below.
        growing = map(_numbers, (columns[_UP], columns[_TIME], *columns[_REGISTERS:cut]))
        bounds = [(numbers[1:], numbers) for numbers in growing]
        begin_ms, end_ms = _numbers(ms_from)[1:], _numbers(ms_to)
        bounds += [
            (_numbers(up_to)[1:], _numbers(up_from)[1:]),
            (begin_ms, end_ms),
            (end_ms[1:], begin_ms),
        ]
        for said, floor in bounds:
            if not all(map(ge, said, floor)):
                broken |= {at for at, good in enumerate(map(ge, said, floor), 1) if not good}
        if begin_ms and min(begin_ms) // _DAY_MS != (max(end_ms) - 1) // _DAY_MS:
            broken |= _midnights(_numbers(ms_from), end_ms)
        return broken

    def _unseen(self, columns: Columns, roots: Roots) -> set[int]:
        """Places whose `seen` is neither the one before nor a later one of this log."""
        sizes, said, known = _numbers(columns[_SIZE]), columns[_ROOT], roots(columns[_SIZE])
        indices = self.indices
        if list(said) == known and sizes == sorted(sizes) and all(map(ge, indices, sizes)):
            return set()
        return {
            at
            for at in range(1, len(sizes))
            if not (
                said[at] == said[at - 1]
                if sizes[at] == sizes[at - 1]
                else sizes[at - 1] < sizes[at] <= indices[at] and known[at] in (None, said[at])
            )
        }

    def _extend(self, run: Run, columns: Columns, start: int, stop: int) -> None:
        """Bring a run of the statement at `start` up to that before `stop`."""
        last, names = self.values[stop - 1], self.shape.names
        frames = _REGISTERS + _REGISTER * len(names) + _INTERVAL
        run.frames_to = int(last[frames + 2]), last[frames + 3].decode()
        if stop - start == 1:
            return
        run.count += stop - start - 1
        run.last_index, run.head = self.indices[stop - 1], self.leaves[stop - 1]
        run.last_seq, run.last_seen = int(last[_SEQ]), int(last[_SIZE])
        run.last_up_ms, run.last_time_ms = int(last[_UP]), int(last[_TIME])
        run.to_up_ms, run.to_ms = int(last[frames - 3]), int(last[frames - 1])
        numbers = iter(map(int, last[_REGISTERS : frames - _INTERVAL]))
        run.registers = dict(zip(names, zip(numbers, numbers, numbers, strict=True), strict=True))
        for use, (_, run_ms, _, volume_ml, _, _) in zip(run.uses, self._uses(columns), strict=True):
            use.run_ms += sum(map(int, run_ms[start + 1 : stop]))
            use.volume_ml += sum(map(int, volume_ml[start + 1 : stop]))

    def _uses(self, columns: Columns) -> Iterator[Columns]:
        """The columns of each use: run, runMs, starts, volumeMl, permit, startRequests."""
        first = _REGISTERS + _REGISTER * len(self.shape.names) + _INTERVAL + _FRAMES
        return (columns[at : at + _USE] for at in range(first, len(columns), _USE))


def _midnights(begin_ms: Sequence[int], end_ms: Sequence[int]) -> set[int]:
    """Places whose interval does not end in the UTC day in which the one before began."""
    days = [time_ms // _DAY_MS for time_ms in begin_ms]
    ends = [(time_ms - 1) // _DAY_MS for time_ms in end_ms]
    return {at for at in range(1, len(days)) if ends[at] != days[at - 1]}


def _numbers(column: Sequence[bytes]) -> list[int]:
    return list(map(int, column))


def _successors(column: Sequence[bytes]) -> list[int]:
    return [number + 1 for number in map(int, column)]
