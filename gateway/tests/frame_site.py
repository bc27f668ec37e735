"""Frames and the statements that cover them, for tests of bundles: a board's two halves at once."""

from __future__ import annotations

from contextlib import closing

from raffinate.archive import FrameArchive
from raffinate.ingest.validate import FrameReader
from raffinate_wire.frame import ZERO_PREV, format_frame, frame_hash

SCAN_MS = 1000


def open_archive(data):
    return FrameArchive(
        data / "archive.sqlite", FrameReader().read, bytes_max=1 << 34, quarantine_bytes_max=1 << 20
    )


class FramingNode:
    """Frames for one `SimulatedNode`, a scan each, and usages whose intervals they fill.

    `flow_ml_s` flows through `e01/flow_aq` while it is set; `running` is the run contact.
    """

    def __init__(self, node, stage="e01", site="ndpr"):
        self.node, self.stage, self.site = node, stage, site
        self.boot, self.seq, self.prev = node.boot_number, 0, ZERO_PREV
        self.up_ms, self.start_ms = 0, node.time_ms
        self.flow_ml_s, self.running, self.clock = 6, True, "S"
        self.made = []
        self.first = 0
        self.from_up_ms = 0
        self.used = [0, 0]

    def restart(self):
        """Power came back: a new boot."""
        self.node.boot_number += 1
        self.boot, self.seq, self.prev = self.node.boot_number, 0, ZERO_PREV
        self.start_ms += self.up_ms
        self.up_ms = self.first = self.from_up_ms = 0

    def scans(self, count, step_ms=SCAN_MS):
        """Go on for `count` scans; the frames made."""
        begin = len(self.made)
        for _ in range(count):
            self.up_ms += step_ms
            values = [
                (f"{self.stage}/ph", "pH", 1700 + self.seq % 97, 3),
                (f"{self.stage}/flow_aq", "l/s", self.flow_ml_s, 3),
                (f"{self.stage}/level", None, "F:open", 0),
            ]
            time_ms = None if self.clock == "U" else self.start_ms + self.up_ms
            data = format_frame(
                self.site, self.node.node, self.node.keyid[:16], self.boot, self.seq, self.prev,
                self.clock, [(time_ms, self.up_ms, values)],
            )  # fmt: skip
            self.prev = frame_hash(data)
            self.made.append(data)
            self.seq += 1
            self.used[0] += step_ms if self.running else 0
            self.used[1] += self.flow_ml_s * step_ms // 1000
        return self.made[begin:]

    def usage(self, **changes):
        """A usage or heartbeat over what was scanned since the last one."""
        run_ms, volume_ml = self.used
        self.used = [0, 0]
        frames = None
        if self.seq > self.first:
            frames = {
                "boot": self.boot, "first": self.first, "last": self.seq - 1,
                "head": self.prev.hex(),
            }  # fmt: skip
        self.node.up_ms = self.up_ms
        self.node.time_ms = self.start_ms + self.up_ms
        self.node.clock = self.clock
        timed = self.clock != "U"
        uses = []
        for name, values in self.node.registers.items():
            values[0] += run_ms
            values[2] += volume_ml
            uses.append(
                {
                    "id": name, "state": "compliant", "run": self.running, "runMs": run_ms,
                    "starts": 0, "volumeMl": volume_ml, "permit": None, "startRequests": 0,
                }
            )  # fmt: skip
        specific = {
            "interval": {
                "fromUpMs": self.from_up_ms,
                "toUpMs": self.up_ms,
                "fromMs": self.start_ms + self.from_up_ms if timed else None,
                "toMs": self.start_ms + self.up_ms if timed else None,
            },
            "frames": frames,
            "equipment": uses,
            "why": None,
        }
        self.first, self.from_up_ms = self.seq, self.up_ms
        used = self.running or run_ms or volume_ml
        return self.node.sign("usage" if used else "heartbeat", specific, **changes)


def archive_frames(data, frames, received_ms=1_795_255_200_000, estimate_ms=None, batch=50):
    """Put frames into the archive of a data folder in this order."""
    read = FrameReader().read
    with closing(open_archive(data)) as archive:
        for start in range(0, len(frames), batch):
            part = [read(frame) for frame in frames[start : start + batch]]
            archive.append(
                [
                    (frame, received_ms, estimate_ms if frame.clock == "U" else None, ())
                    for frame in part
                ]
            )
