"""What the node testifies: meters and guards on every scan, statements, receipts, permits, resume.

The callbacks only take notes. One task, run(), does the work, one thing after another and in
slices, so that the chain has one writer and no scan waits for a signature.
"""

from raffinate_node import aio, guard, permits
from raffinate_node.chain import Chain, drain
from raffinate_node.meter import REQUESTED, STARTED, Meter
from raffinate_node.signer import enrol_code, signer_steps
from raffinate_node.testimony import Testimony

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from raffinate_wire.resume import Resume

RECEIPTS_BYTES_MAX = 3072
STEPS_MAX = 4
KEY_AGAIN_MS = 10_000


class Evidence(Testimony):
    """See the module; the members without an underscore are what app and uplink use."""

    def __init__(
        self, hal: "Any", config: "Any", store: "Any", clock: "Any", outbox: "Any", boot: int
    ) -> None:
        super().__init__(
            hal, config, store, clock, outbox, Chain(config, store, clock, outbox, boot)
        )
        self.keyid = ""
        self._contacts = [
            hal.digital_out(one.permissive_pin, one.latching) for one in config.equipment
        ]
        outbox.on_overflow = self._on_overflow
        clock.on_step = self._on_step

    async def start(self) -> None:
        """Make or read the key, show its enrol code, go on with registers, permits and chain."""
        chain, hal = self._chain, self._hal
        while chain.signer is None:
            try:
                chain.signer = await drain(signer_steps(hal, self._store, self._config.element))
            except OSError as error:
                # Without a key frames have no name: there is nothing to go on with.
                hal.console(f"raffinate error no key: {error}; again in {KEY_AGAIN_MS // 1000} s")
                await aio.sleep_ms(KEY_AGAIN_MS)
        chain.firmware = hal.firmware_digest()
        self.keyid = chain.signer.keyid
        hal.console("raffinate enrol-code " + enrol_code(self.keyid))
        rates = {
            f"{stage.id}/{point.name}": point.options.get("pulses_per_l", 0)
            for stage in self._config.stages
            for point in stage.points
        }
        for one in self._config.equipment:
            self._meters.append(Meter(one.id, one.volume, rates.get(one.volume or "", 0)))
            if one.latching:
                # Stated once a boot: without power this contact stays as it was.
                self._note("latching " + one.id)
            permit = permits.load(self._store, one.id)
            chain.permits.append(permit)
            if permit is not None:
                self._clock.raise_floor(permit[3])
        chain.load()
        if chain.head_seq:
            self._gap_from = (chain.covered_ms, [meter.base for meter in self._meters])

    async def run(self, beat: "Callable[[], None]") -> None:
        """Do what is due, for ever."""
        while True:
            beat()
            busy = False
            try:
                busy = await self.work()
            except OSError as error:
                self.hold(f"evidence on flash: {error}")
            if not busy:
                await aio.sleep_ms(self.pause_ms())

    # What the sampler tells

    def on_scan(self, up_ms: int, inputs: "dict[str, Any]", pulses: "dict[str, Any]") -> None:
        """Meter and guard of each equipment: registers, denials, the permissive contact."""
        if self._first_up_ms is None:
            self._first_up_ms = self._from_up_ms = up_ms
            self._gap_to = self._chain.registers()
        now_ms = self._clock.guard_ms()
        for at in range(len(self._meters)):
            meter = self._meters[at]
            levels = inputs[meter.id]
            was_run, was_state = meter.run, meter.state
            events = meter.scan(up_ms, levels, pulses.get(meter.volume or ""))
            permit = self._chain.permits[at]
            meter.state, reason = guard.judge(
                permit, now_ms, meter.run_ms, meter.volume_ml, meter.run
            )
            if meter.state > was_state:
                self._must_save_time = True
            permitted = meter.state < guard.INHIBIT
            if events & STARTED and not permitted and was_state >= guard.INHIBIT:
                self._deny(at, "STARTED-ANYWAY", "bypass" if levels[2] else reason)
            if events & REQUESTED and not permitted and not levels[2]:
                self._deny(at, "REFUSED", reason)
            if levels[2]:
                self._note("bypass " + meter.id)
            if levels[2] is not None and levels[2] != meter.bypass:
                meter.bypass = levels[2]
                self._note(f"bypass {'on' if levels[2] else 'off'} {meter.id}")
                self._usage_soon()
            if levels[0] is None:
                self._note("run unread " + meter.id)
                # The lines may have lost their power, and the contact with it.
                meter.level = None
            if meter.run != was_run:
                self._chain.is_dirty = True
            self._drive(at, 1 if permitted or levels[2] else 0)

    def on_frame(self, boot: int, seq: int, digest: bytes) -> None:  # noqa: ARG002 - the boot is ours
        """A frame was made; the next usage covers it."""
        self._frames[1], self._frames[2] = seq, digest

    # What the uplink tells

    def seen(self) -> "tuple[int, bytes]":
        """Size and root of the log's newest head that a receipt proved."""
        return self._chain.seen

    def on_resume(self, resume: "Resume") -> None:
        """The gateway's answer: the newest statement it has of this key, or nothing."""
        if resume.envelope:
            self._resume = resume.envelope
        else:
            self._answered = True

    def on_receipt(self, data: bytes) -> None:
        """Keep a receipt until it is checked; the statement is released then."""
        held = sum([len(one) for one in self._receipts])
        if not held or held + len(data) <= RECEIPTS_BYTES_MAX:
            self._receipts.append(bytes(data))

    def on_permit(self, equipment: str, data: bytes) -> None:
        """Keep an equipment's newest permit until it is checked."""
        for meter, permit in zip(self._meters, self._chain.permits):  # noqa: B905 - not on boards
            if meter.id == equipment and not permits.is_known(permit, data):
                self._permits[equipment] = bytes(data)

    # What outbox and clock tell

    def _on_overflow(self, boot: int, first: int, last: int, head: bytes) -> "bool | None":
        """True once the gap of just these frames is stored, else None; the outbox asks again."""
        asked = [boot, first, last, head]
        if self._gap is None or self._gap[:4] != asked:
            self._gap = asked + [False]  # noqa: RUF005 - dialect
        if not self._gap[4]:
            return None
        self._gap = None
        return True

    def _on_step(self, kind: str, old_ms: int, new_ms: int) -> None:
        if len(self._steps) < STEPS_MAX:
            self._steps.append((kind, old_ms, new_ms))
        else:
            self._note("clock " + kind)

    def _drive(self, at: int, level: int) -> None:
        """Drive the permissive contact where its level is to change, or is in doubt."""
        meter = self._meters[at]
        if level != meter.level:
            try:
                self._contacts[at].set(level)
                meter.level = level
            except OSError:
                meter.level = None

    def _deny(self, at: int, kind: str, reason: str) -> None:
        """Note a refused or bridged start; the first of a kind is signed at once."""
        name = self._meters[at].id
        time_ms = self._clock.time_ms()
        one = None
        for other in self._denials:
            if other[0] == name and other[1] == kind:
                one = other
        if one is None:
            one = [name, kind, reason, None, 0, time_ms, None, 0]
            self._denials.append(one)
        if not one[4]:
            permit = self._chain.permits[at]
            one[2], one[3], one[5] = reason, permit and permit[0], time_ms
            self._hal.console(f"raffinate denial {kind} {name} {reason}")
        one[4] += 1
        one[6] = time_ms
