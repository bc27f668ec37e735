"""The plant as the gateway knows it, and what flows through it. Immutable values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Point:
    """One measured quantity of one stage; `id` is `stage/name`, units are SenML wire units."""

    id: str
    stage: str
    name: str
    unit: str
    range: tuple[float, float]
    normal: tuple[float, float] | None
    driver: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Stage:
    """One mixer-settler stage or column, served by `node`, in flow order within `section`."""

    id: str
    section: str
    node: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A run of stages in flow order; `kind` as in docs/formats/plant-toml.md."""

    id: str
    kind: str
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Equipment:
    """A licensed machine and its metering node; `descriptor` is its file under `equipment/`."""

    id: str
    name: str
    maker: str
    model: str
    serial: str
    node: str
    stages: tuple[str, ...]
    volume: str | None
    descriptor: Path
    pins: Mapping[str, int | None]
    latching: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One board; `board` is unix, esp32 or rp2; intervals in the units their names end with."""

    id: str
    board: str
    stages: tuple[str, ...]
    scan_ms: int
    statement_s: int


@dataclass(frozen=True, slots=True)
class Plant:
    """A whole site: sections in flow order, nodes, equipment, and lookups over them."""

    site: str
    name: str
    note: str
    sections: tuple[Section, ...]
    nodes: Mapping[str, Node]
    equipment: Mapping[str, Equipment]
    stages: Mapping[str, Stage]
    points: Mapping[str, Point]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one point; None where `quality` is not "good" (NE 107 letter:reason)."""

    point: str
    value: float | None
    quality: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass over points at `time_ms` (UTC); `step` > 0 where the clock stepped back."""

    time_ms: int
    up_ms: int
    step: int
    values: tuple[tuple[str, float | None, str], ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame with its exact bytes; identity is (key, boot, seq), key = 16 hex digits."""

    site: str
    node: str
    key: str
    boot: int
    seq: int
    prev: bytes
    clock: str
    scans: tuple[Scan, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame in the archive: `position` grows by one a frame and is what cursors count."""

    position: int
    frame: Frame
    received_ms: int
    estimate_ms: int | None
    findings: tuple[str, ...]


class Outgoing(NamedTuple):
    """A message for the broker, QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


class Inbound(NamedTuple):
    """A message from the broker; `mid` is acknowledged to it only after the commit."""

    topic: str
    payload: bytes
    mid: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of a history: [start_ms, start_ms + width); None where it holds no good value."""

    start_ms: int
    count: int
    min: float | None
    max: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class GapCover:
    """Frames first..last of (key, boot) that a verified gap statement accounts for."""

    key: str
    boot: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What a batch of statements led to, once every one is durable (logged, waiting or refused).

    `refused` has (seq, reason) by keyid of 64 hex digits.
    """

    outgoing: tuple[Outgoing, ...] = ()
    gaps: tuple[GapCover, ...] = ()
    refused: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    quarantine: tuple[tuple[Inbound, str], ...] = ()
