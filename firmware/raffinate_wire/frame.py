"""Frames: SenML packs (RFC 8428) of one or more scans, chained by hash within a boot."""

if False:  # for the type checker alone
    from typing import Any

FRAME_BYTES_MAX = 16384
VALUES_MAX = 512
SCANS_MAX = 256
ZERO_PREV = bytes(32)
CLOCKS = ("U", "S", "I", "R")


class Frame:
    """A parsed frame: site, node, key16, boot, seq, prev (32 bytes), clock, scans.

    A scan is (bt_ms or None, up_ms, values); a value is (name, unit, mantissa, decimals) when good
    and (name, None, quality text, 0) when not. `name` is `<stage>/<point>`, `unit` "" without one.
    """

    site: str
    node: str
    key16: str
    boot: int
    seq: int
    prev: bytes
    clock: str
    scans: "list[tuple[int | None, int, list[tuple[Any, ...]]]]"


def scaled(value: float, decimals: int) -> "tuple[int, int]":
    """Return (mantissa, decimals) of a measured value, at most 7 digits; raise `bad-number` for NaN."""
    raise NotImplementedError


def format_frame(site, node, key16, boot, seq, prev, clock, scans) -> bytes:
    """Return a frame's bytes; raise WireError, `too-long` when it does not fit."""
    raise NotImplementedError


def parse_frame(data: bytes) -> Frame:
    """Return the frame; raise WireError."""
    raise NotImplementedError


def frame_hash(data: bytes) -> bytes:
    """Return what the next frame carries as prev: SHA-256 of the frame's bytes."""
    raise NotImplementedError


class FrameBuilder:
    """Writes frames into one buffer made once; a scan is split at a stage.

    begin(...), then per stage add_stage(values) until it returns False (nothing of that stage was
    written): finish(), begin(...) the next frame with the same bt_ms and up_ms, add that stage again.
    """

    def __init__(self, site: str, node: str, key16: str, bytes_max: int = FRAME_BYTES_MAX) -> None:
        raise NotImplementedError

    def begin(
        self, boot: int, seq: int, prev: bytes, clock: str, bt_ms: "int | None", up_ms: int
    ) -> None:
        """Start a frame and its first scan. bt_ms is None under clock U, and only there."""
        raise NotImplementedError

    def scan(self, bt_ms: "int | None", up_ms: int) -> bool:
        """Start a later scan in the same frame; False when it does not fit."""
        raise NotImplementedError

    def add_stage(self, values: "list[tuple[Any, ...]]") -> bool:
        """Append one stage's values, all of them or none; False when they do not fit."""
        raise NotImplementedError

    def finish(self) -> memoryview:
        """Close the frame and return its bytes, valid until the next begin."""
        raise NotImplementedError
