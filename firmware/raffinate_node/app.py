"""Builds a node from its hal and its configuration, and runs it for ever."""

import gc

from raffinate_node.clock import Clock
from raffinate_node.drivers.digital import EquipmentLines
from raffinate_node.frames import FrameWriter, frame_bytes
from raffinate_node.instruments import Instruments
from raffinate_node.outbox import Outbox
from raffinate_node.sampler import Sampler
from raffinate_node.store import Store
from raffinate_node.supervisor import Supervisor
from raffinate_node.uplink import Uplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from raffinate_node.settings import Config

BOOT = "boot"
FLOOR = "floor"
# A task that has not reported in for so long hangs. A scan reports in once, before its waits; the
# link has deadlines of its own.
SILENT_MS_MAX = 30_000
LINK_SILENT_MS_MAX = 120_000


class App:
    """The node's parts, built in the order in which they need each other.

    `make_evidence(hal, config, store, clock, outbox, boot)` returns the evidence; config.stages is
    emptied after its start().
    """

    def __init__(self, hal: "Any", config: "Config", make_evidence: "Any") -> None:
        self.hal = hal
        self.config = config
        store = Store(hal.flash_root)
        self.boot = store.get_int(BOOT, 0) + 1
        store.put_int(BOOT, self.boot)
        floor_ms = store.get_int(FLOOR, 0)
        self.clock = Clock(hal, floor_ms or None, lambda ms: store.put_int(FLOOR, ms))
        self.outbox = Outbox(store, config.outbox, self.clock, self.boot)
        self.evidence = make_evidence(hal, config, store, self.clock, self.outbox, self.boot)
        self.instruments = Instruments(config, hal, self.clock.up_ms)
        self._frame_bytes = frame_bytes(config)
        self.sampler: "Any" = None
        self._link: "Any" = None
        self._frames: "Any" = None
        self._lines = _equipment_lines(hal, config)
        self._inputs: "dict[str, list[int | None]]" = {}
        self._pulses: "dict[str, int | None]" = {}
        self._evidence_failed = False
        # A rig may ask for the heap's size every so many scans.
        self._heap_every = getattr(hal, "heap_every", 0)

    async def run(self) -> None:
        """Start the evidence, which makes the key at the first start; then run every task."""
        hal, config = self.hal, self.config
        await self.evidence.start()
        # What the stages say is now in instruments and meters.
        config.stages = []
        names = {"site": config.site, "node": config.node, "broker": config.broker}
        uplink = Uplink(hal, names, None, self.outbox, self.clock, self.evidence, self.boot)
        self._link = uplink.link
        keyid = self.evidence.keyid
        self._frames = FrameWriter(config, keyid[:16], self.boot, self._frame_bytes, self.on_frame)
        self.sampler = Sampler(
            self.clock,
            self.instruments.stages,
            config.scan_ms,
            self.instruments.begin_scan,
            self.on_start,
            self.on_scan,
            hal.console,
        )
        supervisor = Supervisor(hal)
        supervisor.add("sampler", self.sampler.run, SILENT_MS_MAX)
        supervisor.add("evidence", self.evidence.run, SILENT_MS_MAX)
        supervisor.add("link", uplink.run_link, LINK_SILENT_MS_MAX)
        supervisor.add("housekeeping", uplink.run_housekeeping, SILENT_MS_MAX)
        gc.collect()
        hal.console("raffinate ready")
        await supervisor.run()

    def on_start(self, up_ms: int) -> None:
        """A scan has begun: give meter and guard the equipment's inputs and the pulse totals."""
        if self._heap_every and self.sampler.scans % self._heap_every == 0:
            gc.collect()
            self.hal.console(
                f"raffinate heap {self.sampler.scans} {gc.mem_alloc()} {gc.mem_free()}"
            )
        for name in self._lines:
            self._inputs[name] = self._lines[name].read()
        flows = self.instruments.flows
        for name in flows:
            self._pulses[name] = flows[name].total
        try:
            self.evidence.on_scan(up_ms, self._inputs, self._pulses)
        except Exception as error:  # noqa: BLE001 - measuring goes on, and says what does not
            if not self._evidence_failed:
                self._evidence_failed = True
                self.hal.console(f"raffinate error meter and guard: {error!r}")

    def on_scan(self, stages: "Any", bt_ms: "int | None", clock: str, up_ms: int) -> None:
        """A scan is over: its values go into a frame; a bus that fell silent is noted."""
        self._frames.on_scan(stages, bt_ms, clock, up_ms)
        buses = self.instruments.on_bus
        for name in buses:
            self.evidence.outages.scan(name, buses[name], up_ms)

    def on_frame(self, boot: int, seq: int, data: memoryview, digest: bytes) -> None:
        """A frame is complete: it is owed to the gateway, and covered by the next statement."""
        self.outbox.put_frame(boot, seq, data, digest)
        self.evidence.on_frame(boot, seq, digest)
        self._link.wake()


def _equipment_lines(hal: "Any", config: "Config") -> "dict[str, EquipmentLines]":
    lines: "dict[str, EquipmentLines]" = {}
    for one in config.equipment:
        pins = (one.run_pin, one.start_pin, one.bypass_pin)
        inputs = [None if pin is None else hal.digital_in(pin) for pin in pins]
        lines[one.id] = EquipmentLines(inputs[0], inputs[1], inputs[2])
    return lines
