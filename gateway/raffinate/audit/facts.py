"""What the entry pass tells the checkers of frames and cross-checks (checkers.py). Pure.

The verifier makes each checker once with a `Context`, calls `take` with every fact in the order of
the log while it passes over the entries, then `finish`. A checker pulls the frames of an interval
when the interval comes (keys' intervals come in their own order, apart from LATE ones), so that
its memory does not grow with the log. Facts rest on statements whose signature, signer and place
in the roster are good; statements that a revocation spoils give none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from raffinate.audit.policy import Policy
    from raffinate.audit.result import Result

FRAMES_PREFIX = "frames/"


@dataclass(frozen=True, slots=True)
class Registers:
    """A machine's meter: run time, starts, volume; the opening registers of its key included."""

    run_ms: int
    starts: int
    volume_ml: int


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Frames first..last of a boot; `head` is SHA-256 of frame `last` (64 hexadecimal digits)."""

    boot: int
    first: int
    last: int
    head: str


@dataclass(frozen=True, slots=True)
class Use:
    """One machine in an interval: deltas over it; `run` at its end.

    `volume` is the point that meters its flow, as its descriptor says; None where it says none.
    """

    equipment: str
    serial: str | None
    run: bool
    run_ms: int
    starts: int
    volume_ml: int
    volume: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Which statement a fact rests on; `late`: it came after successors of its key."""

    index: int
    node: str
    keyid: str
    seq: int
    late: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A node's usage or heartbeat; times are null under clock U. `registers` hold at its end.

    In a bundle without frames it may stand for several that go on plainly, with sums and whole
    ranges.
    """

    origin: Origin
    boot: int
    from_up_ms: int
    to_up_ms: int
    from_ms: int | None
    to_ms: int | None
    frames: FrameRange | None
    uses: tuple[Use, ...]
    registers: dict[str, Registers]
    firmware: str
    config: str
    calibration: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Booted:
    """A node's boot; `lost` is (boot, frame seq, at most ms): what from there on may not come."""

    origin: Origin
    boot: int
    lost: tuple[int, int, int] | None
    firmware: str
    config: str
    calibration: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A signed gap; `origin` names whose gap it is, also when the gateway signed it."""

    origin: Origin
    what: str
    cause: str
    frames: FrameRange | None
    from_ms: int | None
    to_ms: int | None
    from_up_ms: int | None
    to_up_ms: int | None


@dataclass(frozen=True, slots=True)
class Activity:
    """Work on a machine as the gateway states it; `to_ms` null: not ended yet."""

    origin: Origin
    kind: str
    equipment: str
    from_ms: int
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A machine's own hour meter as read for a period-close ending at `at_ms`."""

    origin: Origin
    equipment: str
    minutes: int
    at_ms: int
    run_ms: int | None


Fact = Interval | Booted | Gap | Activity | MeterReading


@dataclass(frozen=True, slots=True)
class Context:
    """What a checker is made with.

    `read(path)` gives a bundle file's bytes, held against the manifest (a difference is reported
    there), or None when the manifest has it not. `frames` are the manifest's paths below
    `frames/`, sorted. Findings go into `result` by codes of findings.py.
    """

    policy: Policy
    result: Result
    read: Callable[[str], bytes | None]
    frames: Sequence[str]
    from_ms: int | None
    to_ms: int | None


class Checker(Protocol):
    """Judges facts in the order of the log; never raises for what a bundle holds."""

    def take(self, fact: Fact) -> None:
        """One fact more."""

    def finish(self) -> None:
        """All entries were seen."""
