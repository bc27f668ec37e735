"""From scans to frames: numbered and chained within a boot, given to the outbox as they close."""

import hashlib

from raffinate_wire.frame import FRAME_BYTES_MAX, ZERO_PREV, FrameBuilder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from raffinate_node.settings import Config


# An upper bound of what one value, one scan and the frame's header need beside the names.
VALUE_BYTES_MAX = 80
SCAN_BYTES_MAX = 64
HEADER_BYTES_MAX = 400


class FrameWriter:
    """Puts `frame_scans` scans into each frame and hands it to `sink(boot, seq, data, digest)`.

    `data` is good until the next scan; the sink copies what it keeps.
    A clock state that changes closes the frame before; a scan that does not fit is split at a
    stage.
    """

    def __init__(
        self, config: "Config", key16: str, boot: int, bytes_max: int, sink: "Any"
    ) -> None:
        self.boot = boot
        self.seq = 0
        self._builder = FrameBuilder(config.site, config.node, key16, bytes_max)
        self._frame_scans = config.frame_scans
        self._sink = sink
        self._prev = ZERO_PREV
        self._clock = ""
        self._open_scans = 0
        self._bt_ms: "int | None" = None
        self._up_ms = 0

    def on_scan(self, stages: "list[Any]", bt_ms: "int | None", clock: str, up_ms: int) -> None:
        """Write a scan's values; a scan without any leaves no trace."""
        self._bt_ms = bt_ms
        self._up_ms = up_ms
        started = False
        if self._open_scans and clock != self._clock:
            self.close()
        self._clock = clock
        for stage in stages:
            values = [point.record(stage.id) for point in stage.points if point.result is not None]
            if not values:
                continue
            if not started:
                self._start_scan()
                started = True
            if not self._builder.add_stage(values):
                self.close()
                self._start_scan()
                self._builder.add_stage(values)
        if started and self._open_scans >= self._frame_scans:
            self.close()

    def close(self) -> None:
        """Finish the open frame and hand it on."""
        if not self._open_scans:
            return
        data = self._builder.finish()
        digest = hashlib.sha256(data).digest()
        seq = self.seq
        self._open_scans = 0
        self.seq = seq + 1
        self._prev = digest
        self._sink(self.boot, seq, data, digest)

    def _start_scan(self) -> None:
        if self._open_scans:
            if self._builder.scan(self._bt_ms, self._up_ms):
                self._open_scans += 1
                return
            self.close()
        self._builder.begin(self.boot, self.seq, self._prev, self._clock, self._bt_ms, self._up_ms)
        self._open_scans = 1


def frame_bytes(config: "Config") -> int:
    """How large this node's frames get: the buffer need not be as large as a frame may be."""
    scan_bytes = SCAN_BYTES_MAX
    for stage in config.stages:
        for point in stage.points:
            scan_bytes += VALUE_BYTES_MAX + len(stage.id) + len(point.name)
    return min(FRAME_BYTES_MAX, HEADER_BYTES_MAX + config.frame_scans * scan_bytes)
