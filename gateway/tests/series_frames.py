"""Frames for series tests, made without the wire."""

from __future__ import annotations

from raffinate.model import Frame, Scan, StoredFrame


def stored(
    position: int,
    time_ms: int,
    values: list[tuple[str, float | None, str]],
    *,
    step: int = 0,
    node: str = "n01",
) -> StoredFrame:
    """One stored frame of one scan."""
    scan = Scan(time_ms, position * 1000, step, tuple(values))
    frame = Frame("ndpr", node, "0" * 16, 1, position, bytes(32), "S", (scan,), b"")
    return StoredFrame(position, frame, time_ms, None, ())
