"""What is found in entry bundles without what came before them (reader.py). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raffinate.evidence.statement import Statement

PLAIN = ("usage", "heartbeat")


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
class Part:
    """One bundle: its leaves' hashes in a row, and the hash over them when it is full.

    `size` is its file's (None: not there); without leaves it could not be read.
    """

    path: str
    size: int | None = None
    leaves: bytes = b""
    top: bytes | None = None
    fault: str | None = None


@dataclass(slots=True)
class Chunk:
    """Bundles that follow each other, as found, and their entries in the order of the log.

    `bad` are indices of bad signatures. What follows a bundle that could not be read is not there.
    """

    first: int
    parts: list[Part] = field(default_factory=list)
    items: list[Entry | Run] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)


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
    if statement.type in PLAIN:
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
