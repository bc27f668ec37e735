"""The gateway's estimate of when frames under clock U were measured; pure.

Within a boot, time runs beside uptime: time = offset + uptime. Once the boot has a frame with a
time of its own, that gives the offset. Before, the offset is the lowest that any frame allows, for
a frame is received after its last scan. An estimate is made once; the archive keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from raffinate.model import Frame


def estimates(
    frames: Sequence[tuple[Frame, int]],
    known: Callable[[str, int], tuple[int, bool] | None],
) -> list[int | None]:
    """The time of the first scan of each (frame, received_ms) under clock U, None for others.

    `known` gives what the archive has of a (key, boot): its offset in ms, and whether that comes
    from a frame with a time.
    """
    if all(frame.clock != "U" for frame, _ in frames):
        return [None] * len(frames)
    timed: dict[tuple[str, int], int] = {}
    latest: dict[tuple[str, int], int] = {}
    for frame, received_ms in frames:
        boot = (frame.key, frame.boot)
        scan = frame.scans[-1]
        if frame.clock != "U":
            timed.setdefault(boot, scan.time_ms - scan.up_ms)
        else:
            offset = received_ms - scan.up_ms
            latest[boot] = min(offset, latest.get(boot, offset))
    offsets: dict[tuple[str, int], int] = {}
    for boot, offset in latest.items():
        archived = known(*boot)
        if archived is not None and archived[1]:
            offsets[boot] = archived[0]
        elif boot in timed:
            offsets[boot] = timed[boot]
        else:
            offsets[boot] = min(offset, archived[0]) if archived is not None else offset
    return [
        max(0, offsets[frame.key, frame.boot] + frame.scans[0].up_ms)
        if frame.clock == "U"
        else None
        for frame, _ in frames
    ]
