"""Frames from bytes, by the rules of protocol.md 3; pure.

`raffinate_wire.frame.parse_frame` is the arbiter. A node writes frame after frame with the same
records and other numbers, so what the arbiter said of one frame is kept as a template: the bytes
between the numbers. A frame that fits a template needs only its numbers looked at, and those are
held to the same rules here.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING

from raffinate.errors import RejectedError
from raffinate.model import Frame, Scan
from raffinate_wire import ids
from raffinate_wire.errors import WireError
from raffinate_wire.frame import FRAME_BYTES_MAX, parse_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.model import Plant

TEMPLATES_MAX = 4096
TEMPLATES_BYTES_MAX = 16 * 1024 * 1024  # of the frames they were learnt from
GOOD = "good"
MS_PER_S = 1000

_UINT = rb"(0|[1-9][0-9]{0,15})"
_SECONDS = rb"((?:0|[1-9][0-9]{0,12})(?:\.[0-9]{0,2}[1-9])?)"
_HEAD = re.compile(
    rb'\[\{"bn":"([a-z0-9][a-z0-9-]{0,31})/([a-z0-9][a-z0-9-]{0,31})/",'
    rb'(?:"bt":' + _SECONDS + rb',)?"n":"key","vs":"([0-9a-f]{16})"\},'
    rb'\{"n":"boot","v":' + _UINT + rb"\},"
    rb'\{"n":"seq","v":' + _UINT + rb"\},"
    rb'\{"n":"prev","vd":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\},'
    rb'\{"n":"clock","vs":"([USIR])"\},'
)
_CANONICAL = rb"((?!-0[,}])-?(?:0|[1-9][0-9]*+)(?:\.[0-9]*[1-9])?)(?=[,}])"
_VALUE = re.compile(rb'"v":' + _CANONICAL)
_VALUE_OR_TIME = re.compile(rb'":' + _CANONICAL)  # where later scans have a bt of their own
_SHORT_CHARS = 7  # no number this short has more than 7 digits or is below 0.00001
_TINY, _LONG = b"0.00000", 1e7  # what a text of 8 characters may be and must not
_FITTING = re.compile(
    rb"-?(?:0\.0{0,4}[1-9][0-9]{0,6}|(?=[0-9.]{8}\Z)[1-9][0-9]*\.[0-9]+|[1-9][0-9]{0,6}0{0,8})"
)
_TIME_DECIMALS = 3


class FrameReader:
    """Decodes frames without asking whether any plant has their points."""

    def __init__(self) -> None:
        self._templates: dict[tuple[bytes, bytes, bool, bytes], _Template] = {}
        self._templates_bytes = 0

    def read(self, data: bytes) -> Frame:
        """The frame; raises RejectedError. Scans under clock U have time_ms 0, to be estimated."""
        return self._decode(data)[0]

    def _decode(self, data: bytes) -> tuple[Frame, tuple[str, ...]]:
        if len(data) > FRAME_BYTES_MAX:
            raise RejectedError("too-long", f"a frame has at most {FRAME_BYTES_MAX} bytes")
        head = _HEAD.match(data)
        if head is None:
            frame, units = _arbitrate(data)
            return frame, self._judge(frame, units)
        body = data[head.end() :]
        parts = (_VALUE_OR_TIME if b'"bt":' in body else _VALUE).split(body)
        shape = (head[1], head[2], head[3] is not None, b"\0".join(parts[::2]))
        template = self._templates.get(shape)
        if template is not None:
            filled = template.fill(head, parts[1::2], data)
            if filled is not None:
                return filled, template.findings
        frame, units = _arbitrate(data)
        findings = self._judge(frame, units)
        self._templates_bytes += len(data)
        if len(self._templates) >= TEMPLATES_MAX or self._templates_bytes > TEMPLATES_BYTES_MAX:
            self._templates.clear()
            self._templates_bytes = len(data)
        self._templates[shape] = _Template(frame, findings)
        return frame, findings

    def _judge(self, frame: Frame, units: Mapping[str, str]) -> tuple[str, ...]:
        """Oddities of a frame, the same for all of its shape; raises RejectedError."""
        del frame, units
        return ()


class FrameDecoder(FrameReader):
    """Decodes the frames of one plant's nodes."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self._site = plant.site
        self._nodes = frozenset(plant.nodes)
        self._units = {point.id: point.unit for point in plant.points.values()}
        self._node_of = {
            point.id: plant.stages[point.stage].node for point in plant.points.values()
        }

    def decode(self, data: bytes, site: str, node: str) -> tuple[Frame, tuple[str, ...]]:
        """The frame that came on the topic of `site` and `node`, and oddities to store with it.

        Raises RejectedError. The scans of a frame under clock U have time_ms 0, to be estimated.
        """
        if site != self._site:
            raise RejectedError("wrong-site", f"the site here is {self._site}, not {site}")
        if node not in self._nodes:
            raise RejectedError("unknown-node", f"plant.toml has no node {node}")
        frame, findings = self._decode(data)
        if frame.node != node:
            raise RejectedError("wrong-node", f"a frame of {frame.node} came on {node}'s topic")
        return frame, findings

    def _judge(self, frame: Frame, units: Mapping[str, str]) -> tuple[str, ...]:
        if frame.site != self._site:
            raise RejectedError("wrong-site", f"the site here is {self._site}, not {frame.site}")
        for scan in frame.scans:
            for point, _, _ in scan.values:
                if self._node_of.get(point) != frame.node:
                    raise RejectedError(
                        "unknown-point", f"plant.toml gives {frame.node} no point {point}"
                    )
        return tuple(
            f"odd-unit:{point}" for point, unit in units.items() if unit != self._units[point]
        )


def read_identity(data: bytes) -> tuple[str, int, int] | None:
    """(key, boot, seq) that a frame claims, however bad the rest of it is; None if unreadable."""
    head = _HEAD.match(data[:FRAME_BYTES_MAX])
    if head is None:
        return None
    key, boot, seq = head[4].decode(), int(head[5]), int(head[6])
    return (key, boot, seq) if max(boot, seq) <= ids.U53_MAX else None


class _Template:
    """What a learnt frame has beside its numbers: which of them is what."""

    def __init__(self, frame: Frame, findings: tuple[str, ...]) -> None:
        self.findings = findings
        self._site = frame.site
        self._node = frame.node
        self._timed = frame.clock != "U"
        self._base = (frame.site.encode(), frame.node.encode())
        self._scans: list[tuple[int, int, tuple[str, ...], tuple[int, ...] | None, tuple[str, ...]]]
        self._scans = []
        at = 0
        for index, scan in enumerate(frame.scans):
            if index and self._timed:
                at += 1  # this scan's bt stands before its up
            up = at
            at += 1
            first = at
            picks: list[int] = []
            for _, value, _ in scan.values:
                picks.append(-1 if value is None else at - first)
                at += value is not None
            points = tuple(point for point, _, _ in scan.values)
            qualities = tuple(quality for _, _, quality in scan.values)
            whole = picks == list(range(len(picks)))
            self._scans.append((up, at, points, None if whole else tuple(picks), qualities))
        self._numbers_count = at

    def fill(self, head: re.Match[bytes], numbers: list[bytes], data: bytes) -> Frame | None:
        """The frame of the same shape with these numbers; None sends it to the arbiter."""
        site, node, bt, key, boot, seq, prev, clock = head.groups()
        if (site, node) != self._base or len(numbers) != self._numbers_count:
            return None
        boot_number, seq_number = int(boot), int(seq)
        if max(boot_number, seq_number) > ids.U53_MAX or (clock != b"U") != self._timed:
            return None
        time_ms = _milliseconds(bt) if bt is not None else 0
        scans: list[Scan] = []
        for up, end, points, picks, qualities in self._scans:
            up_ms = _milliseconds(numbers[up])
            if scans and self._timed:
                time_ms = _milliseconds(numbers[up - 1])
            texts = numbers[up + 1 : end]
            floats = [*map(float, texts)]
            if time_ms is None or up_ms is None or not _values_fit(texts, floats, data):
                return None
            values: Sequence[float | None] = floats
            if picks is not None:
                values = [None if pick < 0 else floats[pick] for pick in picks]
            scans.append(
                Scan(time_ms, up_ms, 0, tuple(zip(points, values, qualities, strict=True)))
            )
        return Frame(
            self._site,
            self._node,
            key.decode(),
            boot_number,
            seq_number,
            urlsafe_b64decode(prev + b"="),
            clock.decode(),
            tuple(scans),
            data,
        )


def _arbitrate(data: bytes) -> tuple[Frame, dict[str, str]]:
    """A frame as parse_frame reads it, and the units of its points."""
    try:
        wire = parse_frame(data)
    except WireError as exc:
        raise RejectedError(exc.code, str(exc)) from exc
    units: dict[str, str] = {}
    scans = []
    for bt_ms, up_ms, wire_values in wire.scans:
        values: list[tuple[str, float | None, str]] = []
        for name, unit, number, decimals in wire_values:
            if unit is None:
                values.append((name, None, str(number)))
            else:
                units[name] = unit
                values.append((name, int(number) / 10**decimals, GOOD))
        scans.append(Scan(bt_ms or 0, up_ms, 0, tuple(values)))
    frame = Frame(
        wire.site,
        wire.node,
        wire.key16,
        wire.boot,
        wire.seq,
        wire.prev,
        wire.clock,
        tuple(scans),
        data,
    )
    return frame, units


def _milliseconds(seconds: bytes) -> int | None:
    """Seconds with at most 3 decimals as whole ms; None where they break a rule of times."""
    whole, _, fraction = seconds.partition(b".")
    if len(fraction) > _TIME_DECIMALS or whole.startswith(b"-"):
        return None
    number = int(whole) * MS_PER_S + int(fraction.ljust(_TIME_DECIMALS, b"0"))
    return number if number <= ids.U53_MAX else None


def _values_fit(texts: list[bytes], values: list[float], data: bytes) -> bool:
    """Whether no value breaks a limit; False also for some odd ones that keep the rules."""
    longest = max(map(len, texts), default=0)
    if longest <= _SHORT_CHARS:
        return True
    if longest == _SHORT_CHARS + 1 and _TINY not in data and max(values) < _LONG:
        return True
    return all(len(text) <= _SHORT_CHARS or _FITTING.fullmatch(text) for text in texts)
