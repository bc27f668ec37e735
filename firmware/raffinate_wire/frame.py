"""Frames: SenML packs (RFC 8428) of one or more scans, chained by hash within a boot.

A scan is (bt_ms or None, up_ms, values). A value is (name, unit, mantissa, decimals) when good,
and (name, None, quality, 0) when not. `name` reads `<stage>/<point>`, `unit` is "" without one,
`quality` is a NAMUR NE 107 letter, a colon and a reason: `F:open`.
"""

import hashlib

from raffinate_wire import b64, ids, jsonc
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Value = tuple[str, str | None, int | str, int]
    Scan = tuple[int | None, int, list[Value]]

FRAME_BYTES_MAX = 16384
VALUES_MAX = 512
SCANS_MAX = 256
UNIT_CHARS_MAX = 16
ZERO_PREV = bytes(32)
CLOCKS = ("U", "S", "I", "R")
QUALITIES = "FCSM"

_TIME_DIGITS = 16
_POINT = "abcdefghijklmnopqrstuvwxyz0123456789_"
_UNIT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%/"


class Frame:
    """A frame's identity (key16, boot, seq), its chain link `prev`, clock state and scans."""

    def __init__(
        self,
        site: str,
        node: str,
        key16: str,
        boot: int,
        seq: int,
        prev: bytes,
        clock: str,
        scans: "list[Scan]",
    ) -> None:
        self.site = site
        self.node = node
        self.key16 = key16
        self.boot = boot
        self.seq = seq
        self.prev = prev
        self.clock = clock
        self.scans = scans


class FrameBuilder:
    """Writes frames into one buffer made once, so that a scan leaves no large garbage.

    begin, then add_stage for each stage in turn. When it returns False nothing of that stage was
    written: finish, begin the next frame with the same bt_ms and up_ms, and add the stage again.
    """

    def __init__(self, site: str, node: str, key16: str, bytes_max: int = FRAME_BYTES_MAX) -> None:
        if bytes_max > FRAME_BYTES_MAX:
            raise WireError("too-long", f"a frame has at most {FRAME_BYTES_MAX} bytes")
        ids.check_id(site)
        ids.check_node(node)
        self._base = f'[{{"bn":"{site}/{node}/",'
        self._key = f'"n":"key","vs":"{ids.check_key16(key16)}"}},{{"n":"boot","v":'
        self._buffer = bytearray(bytes_max)
        self._view = memoryview(self._buffer)
        self._clock = "U"
        self._scans = 0
        # The number of the scan that a name was last in; names here are checked.
        self._names: "dict[str, int]" = {}
        self._units: "set[str]" = set()
        self._scan_no = 0
        self.length = 0
        self.values_count = 0

    def begin(
        self, boot: int, seq: int, prev: bytes, clock: str, bt_ms: "int | None", up_ms: int
    ) -> None:
        """Start a frame and its first scan. bt_ms is None under clock U, and only there."""
        if clock not in CLOCKS or len(prev) != 32:
            raise WireError("bad-frame", "a clock state and 32 bytes of prev are expected")
        ids.check_uint(boot, "boot")
        ids.check_uint(seq, "seq")
        self._clock = clock
        self._scans = 0
        self.length = 0
        self.values_count = 0
        head = self._base + self._time(bt_ms) + self._key
        link = f'{boot}}},{{"n":"seq","v":{seq}}},{{"n":"prev","vd":"{b64.encode_url(prev)}"}}'
        if not self._put(head + link + f',{{"n":"clock","vs":"{clock}"}},{{') or not self._up(
            up_ms
        ):
            raise WireError("too-long", "the buffer does not hold a frame's header")

    def scan(self, bt_ms: "int | None", up_ms: int) -> bool:
        """Start a later scan in the same frame; False when it does not fit."""
        start = self.length
        if self._scans < SCANS_MAX and self._put(",{" + self._time(bt_ms)) and self._up(up_ms):
            return True
        self.length = start
        return False

    def add_stage(self, values: "list[Value]") -> bool:
        """Append values to the scan, all or none; False when the frame is full.

        Raises WireError: `too-long` when they do not even fit into a frame of their own.
        """
        start = self.length
        for at, value in enumerate(values):
            if self.values_count + at == VALUES_MAX or not self._put(self._value(value)):
                self.length = start
                if not self.values_count:
                    raise WireError("too-long", "the values of one stage do not fit into a frame")
                for name, _, _, _ in values[: at + 1]:
                    if name in self._names:
                        self._names[name] = 0
                return False
        self.values_count += len(values)
        return True

    def finish(self) -> memoryview:
        """Close the frame and return its bytes, valid until the next begin."""
        self._buffer[self.length] = 0x5D
        self.length += 1
        return self._view[: self.length]

    def _put(self, text: str) -> bool:
        end = self.length + len(text)
        if end >= len(self._buffer):
            return False
        self._buffer[self.length : end] = text.encode()
        self.length = end
        return True

    def _time(self, bt_ms: "int | None") -> str:
        if (bt_ms is None) != (self._clock == "U"):
            raise WireError("bad-frame", "bt is left out under clock U, and only there")
        if bt_ms is None:
            return ""
        return f'"bt":{jsonc.number(ids.check_uint(bt_ms, "bt"), 3, _TIME_DIGITS)},'

    def _up(self, up_ms: int) -> bool:
        self._scans += 1
        self._scan_no += 1
        if len(self._names) > VALUES_MAX:
            self._names.clear()
        seconds = jsonc.number(ids.check_uint(up_ms, "up"), 3, _TIME_DIGITS)
        return self._put(f'"n":"up","u":"s","v":{seconds}}}')

    def _value(self, value: "Value") -> str:
        name, unit, mantissa, decimals = value
        last = self._names.get(name)
        if last == self._scan_no:
            raise WireError("duplicate-name", f"{name} appears twice in one scan")
        if last is None:
            check_name(name)
        self._names[name] = self._scan_no
        if unit is None:
            return f',{{"n":"{name}","vs":"{check_quality(mantissa)}"}}'
        if unit and unit not in self._units:
            check_unit(unit)
            if len(self._units) >= VALUES_MAX:
                self._units.clear()
            self._units.add(unit)
        number = jsonc.number(mantissa, decimals)  # type: ignore[arg-type]
        if not unit:
            return f',{{"n":"{name}","v":{number}}}'
        return f',{{"n":"{name}","u":"{unit}","v":{number}}}'


def format_frame(
    site: str,
    node: str,
    key16: str,
    boot: int,
    seq: int,
    prev: bytes,
    clock: str,
    scans: "list[Scan]",
) -> bytes:
    """Return a frame's bytes; raise WireError, `too-long` when it does not fit."""
    if not scans:
        raise WireError("bad-frame", "a frame carries at least one scan")
    builder = FrameBuilder(site, node, key16)
    for at, (bt_ms, up_ms, values) in enumerate(scans):
        if not at:
            builder.begin(boot, seq, prev, clock, bt_ms, up_ms)
        elif not builder.scan(bt_ms, up_ms):
            raise WireError("too-long", "the scans do not fit into one frame")
        if not builder.add_stage(values):
            raise WireError("too-long", "the values do not fit into one frame")
    return bytes(builder.finish())


def parse_frame(data: bytes) -> Frame:
    """Return the frame; raise WireError."""
    from raffinate_wire.frame_parse import parse  # noqa: PLC0415 - a board never reads frames

    return parse(data)


def frame_hash(data: "bytes | memoryview") -> bytes:
    """Return what the next frame carries as prev: SHA-256 of the frame's bytes."""
    return hashlib.sha256(data).digest()


def scaled(value: float, decimals: int) -> "tuple[int, int]":
    """Return (mantissa, decimals) of a measurement rounded to `decimals`, at most 7 digits.

    Right also with 32-bit floats; raises `bad-number` for NaN, infinities and 1e15 or more.
    """
    if value - value != 0 or not -1e15 < value < 1e15:
        raise WireError("bad-number", f"{value} cannot be written")
    magnitude = abs(value)
    while decimals and magnitude * 10**decimals >= 9999999.5:
        decimals -= 1
    scale = 1
    while magnitude / scale >= 9999999.5:
        scale *= 10
    mantissa = int(magnitude * 10**decimals / scale + 0.5) * scale
    while decimals and mantissa % 10 == 0:
        mantissa //= 10
        decimals -= 1
    if mantissa * 10**jsonc.TINY_DECIMALS < 10**decimals:
        return 0, 0
    return (-mantissa if value < 0 else mantissa), decimals


def check_name(name: "Any") -> str:
    """Return a value's name, `<stage>/<point>`; raise `bad-name`."""
    parts = name.split("/") if isinstance(name, str) else []
    if len(parts) != 2 or not 0 < len(parts[1]) <= ids.ID_CHARS_MAX:
        raise WireError("bad-name", f"a value's name reads <stage>/<point>, not {name!r}")
    ids.check_id(parts[0])
    for char in parts[1]:
        if char not in _POINT:
            raise WireError("bad-name", f"the character {char!r} is not allowed in {name!r}")
    return str(name)


def check_quality(quality: "Any") -> str:
    """Return an NE 107 letter, colon and reason code; raise `bad-quality`."""
    if not isinstance(quality, str) or quality[1:2] != ":" or quality[0] not in QUALITIES:
        raise WireError("bad-quality", f"a quality reads <F, C, S or M>:<reason>, not {quality!r}")
    ids.check_code(quality[2:])
    return quality


def check_unit(unit: "Any") -> str:
    """Return a SenML unit's text, whether or not it is the right one; raise `bad-unit`."""
    if not isinstance(unit, str) or not 0 < len(unit) <= UNIT_CHARS_MAX:
        raise WireError("bad-unit", f"a unit of 1 to {UNIT_CHARS_MAX} characters is expected")
    for char in unit:
        if char not in _UNIT:
            raise WireError("bad-unit", f"the character {char!r} is not allowed in a unit")
    return unit
