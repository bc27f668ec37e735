"""The work behind Evidence: what the node signs, and what it takes from the gateway."""

import hashlib
import sys
from binascii import hexlify

from raffinate_node import aio, guard, permits
from raffinate_node.chain import drain
from raffinate_node.clock import save_pace_ms
from raffinate_node.outages import Outages
from raffinate_node.outbox import statement_interval_s
from raffinate_wire import dsse
from raffinate_wire.errors import WireError
from raffinate_wire.statement import envelope_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from raffinate_node.chain import Chain

POLL_MS = 250
ANSWER_MS_MAX = 60000
FIRST_SCAN_MS_MAX = 10000
EDGE_SAVE_MS = 5000
DENIAL_MS = 60000
BYPASS_MS = 10000
HOLD_S = 60
STATUS_MS_MIN = 10000
NOTES_MAX = 6
WHY_CHARS_MAX = 128


class Testimony:
    """Takes notes from Evidence's callbacks; work() does the next thing that is due."""

    def __init__(
        self, hal: "Any", config: "Any", store: "Any", clock: "Any", outbox: "Any", chain: "Chain"
    ) -> None:
        self.status_wanted = False
        self.outages = Outages(hal.console)
        self._hal = hal
        self._config = config
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._chain = chain
        self._meters = chain.meters
        self._receipts: "list[bytes]" = []
        self._permits: "dict[str, bytes]" = {}
        self._resume: "bytes | None" = None
        self._answered = self._booted = self._reserve_used = self._must_save_time = False
        self._status_up_ms = -STATUS_MS_MIN
        self._note_verified = b""
        # frames since the last usage: first, last, hash of the last
        self._frames: "list[Any]" = [0, -1, b""]
        self._first_up_ms: "int | None" = None
        self._from_up_ms = self._due_up_ms = self._hold_up_ms = 0
        # [equipment, kind, reason, permit, count, from, to, due]
        self._denials: "list[list[Any]]" = []
        # (kind, from, to) of clock steps not stated yet
        self._steps: "list[tuple[str, int, int]]" = []
        # [boot, first, last, head, signed] of the frames whose gap the outbox asks for
        self._gap: "list[Any] | None" = None
        # where the last interval ended and what it stated, if that was before this boot
        self._gap_from: "tuple[int, list[Any]] | None" = None
        self._gap_to: "list[Any]" = []
        self._notes: "dict[str, int]" = {}
        # something was signed in this boot without the time
        self._untimed = False

    async def work(self) -> bool:
        """Do the next thing that is due; False when nothing is."""
        up_ms = self._clock.up_ms()
        if not self._has_room():
            return False
        if self._resume is not None:
            await self._take_resume()
        elif self._permits:
            await self._take_permit()
        elif self._receipts:
            await self._take_receipt()
        elif up_ms < self._hold_up_ms:
            return self._save_due(up_ms)
        elif not self._booted:
            return await self._sign_boot(up_ms) or self._save_due(up_ms)
        elif self._gap is not None and not self._gap[4] and self._may_sign_gap():
            await self._sign_frames_gap(self._gap)
        elif up_ms >= self._due_up_ms:
            await self._sign_usage()
        elif self._outbox.statement_fill() >= 1:
            return self._save_due(up_ms)
        else:
            return await self._sign_event(up_ms) or self._save_due(up_ms)
        return True

    def pause_ms(self) -> int:
        """How long to wait when there is nothing to do, or no room for it in this scan."""
        # a fixed pause could meet the second half of every scan
        return POLL_MS if self._has_room() else self._config.scan_ms - self._in_scan_ms()

    def _in_scan_ms(self) -> int:
        return int((self._clock.up_ms() - (self._first_up_ms or 0)) % self._config.scan_ms)

    def _has_room(self) -> bool:
        # What comes in one piece begins in the first half of a scan, so that no tick waits for it.
        return bool(self._in_scan_ms() * 2 < self._config.scan_ms)

    def hold(self, reason: str) -> None:
        """Flash or signer fail now: sign nothing for a minute, longer while the store is full."""
        wait_s = statement_interval_s(HOLD_S, self._outbox.statement_fill())
        self._hold_up_ms = self._clock.up_ms() + wait_s * 1000
        self._note("signer" if self._chain.failed else "flash")
        self._chain.failed = ""
        self._hal.console(f"raffinate error {reason}; again in {wait_s} s")

    def _note(self, text: str) -> None:
        """Something unusual, for the `why` of the next usage."""
        if text in self._notes or len(self._notes) < NOTES_MAX:
            self._notes[text] = self._notes.get(text, 0) + 1

    def _usage_soon(self) -> None:
        """The next usage ends here, unless the last one ended just now or flash fills."""
        if self._outbox.statement_fill() * 2 < 1:
            self._due_up_ms = min(self._due_up_ms, self._from_up_ms + BYPASS_MS)

    # What comes from the gateway

    async def _take_resume(self) -> None:
        """Take seq, head, boot and registers from the gateway's newest, where they are higher."""
        data, self._resume = self._resume or b"", None
        chain = self._chain
        try:
            leaf = envelope_hash(data)
            if leaf != chain.head:
                steps = dsse.open_steps(data, chain.signer.spki, dsse.PAYLOAD_STATEMENT)
                envelope = await drain(steps)
                while not self._has_room():
                    await aio.sleep_ms(self.pause_ms())
                before = chain.head_seq
                boot = chain.adopt(envelope.payload, leaf)
                if chain.head_seq > before:
                    self._restore(boot)
        except WireError as error:
            self._note("bad resume " + error.code)
            return
        self._answered = True

    def _restore(self, boot: int) -> None:
        """This flash is older than what the gateway has: `boot` must say so, under a new number."""
        chain = self._chain
        chain.restored, self._booted = True, False
        self._due_up_ms = 0
        chain.save()
        if boot >= chain.boot:
            self._store.put_int("boot", boot)
            self._outbox.close()
            self._hal.console("raffinate notice boot number taken from the gateway: reset")
            self._hal.reset()

    async def _take_permit(self) -> None:
        name, data = self._permits.popitem()
        chain = self._chain
        for at in range(len(self._meters)):
            if self._meters[at].id != name:
                continue
            held = chain.permits[at]
            if permits.is_known(held, data):
                return
            try:
                steps = permits.check_steps(data, held, self._config, chain.signer.keyid, name)
                permit = await drain(steps)
            except WireError as error:
                self._note(f"permit {name} {error.code}")
                self._hal.console(f"raffinate error permit {name}: {error}")
                return
            permits.save(self._store, name, permit)
            chain.permits[at] = permit
            self._clock.raise_floor(permit[3])

    async def _take_receipt(self) -> None:
        """Check one receipt, make its head durable, let its statement go."""
        from raffinate_wire import merkle, receipt  # noqa: PLC0415 - after the key is made

        data, seq = self._receipts.pop(0), 0
        chain = self._chain
        size, root = chain.seen
        try:
            found = receipt.parse_receipt(data)
            seq = found.seq
            held = self._outbox.statement(seq) if found.keyid == chain.signer.keyid else None
            if held is None:
                return
            if found.old != size:
                self._want_status()
                return
            digest = hashlib.sha256(found.checkpoint_note).digest()
            if digest == self._note_verified and not found.consistency:
                # The very head that was verified last: only the place in it is new.
                merkle.verify_inclusion(
                    envelope_hash(held[1]), found.index, size, found.inclusion, root
                )
            else:
                key = self._config.keys["log"]
                steps = receipt.check_receipt_steps(
                    found, held[1], self._config.log, key, size, root
                )
                chain.seen = await drain(steps)
                self._note_verified = digest
        except WireError as error:
            self._note(f"bad receipt {seq} {error.code}")
            return
        chain.save()
        self._outbox.release_statement(seq)

    def _want_status(self) -> None:
        up_ms = self._clock.up_ms()
        if up_ms - self._status_up_ms >= STATUS_MS_MIN:
            self._status_up_ms = up_ms
            self.status_wanted = True

    # What is signed

    async def _sign(self, kind: str, body: "dict[str, Any]") -> bool:
        timed = self._clock.time_ms() is not None
        if await self._chain.sign(kind, body):
            self._untimed = self._untimed or not timed
            return True
        self.hold(self._chain.failed or f"{kind} is not stored")
        return False

    async def _sign_boot(self, up_ms: int) -> bool:
        """Sign `boot` once the gateway has answered and the contacts are read, or time is up."""
        if not self._answered and up_ms < ANSWER_MS_MAX:
            return False
        if self._first_up_ms is None and up_ms < FIRST_SCAN_MS_MAX:
            return False
        chain, hal = self._chain, self._hal
        lost = self._outbox.lost()
        found = [meter for meter in self._meters if meter.found]
        body = {
            "spki": chain.signer.spki,
            "resetCause": hal.reset_cause(),
            "lost": lost and {"boot": lost[0], "frameSeq": lost[1], "atMostMs": lost[2]},
            "restored": None,
            "foundRunning": [meter.id for meter in found],
            # After EAT: no secure boot, and the console can do anything.
            "claims": {
                "ueid": hexlify(hal.unique_id()).decode(),
                "hwmodel": sys.platform,
                "swname": "raffinate_node",
                "oemboot": False,
                "dbgstat": "enabled",
            },
            "tier": chain.signer.tier,
        }
        if chain.restored:
            body["restored"] = {"seq": chain.head_seq, "head": hexlify(chain.head).decode()}
        if await self._sign("boot", body):
            self._booted = True
            chain.restored = False
            for meter in found:
                meter.found = False
            self._outbox.lost_stated()
            self._due_up_ms = max(self._due_up_ms, up_ms + self._config.statement_s * 1000)
        return True

    async def _sign_usage(self) -> None:
        """Sign `usage`, or `heartbeat` without any use, for the time since the last one."""
        chain, clock, outbox = self._chain, self._clock, self._outbox
        from_ms, to_ms = self._from_up_ms, clock.up_ms()
        fill = outbox.statement_fill()
        self._due_up_ms = to_ms + statement_interval_s(self._config.statement_s, fill) * 1000
        if fill >= 1:
            self._note("statement store full")
            return
        time_ms = clock.time_ms()
        first, last, head = self._frames
        frames = None
        if last >= first:
            digest = hexlify(head).decode()
            frames = {"boot": chain.boot, "first": first, "last": last, "head": digest}
        uses, counted = self._uses()
        used = any(one["run"] or one["runMs"] or one["starts"] or one["volumeMl"] for one in uses)
        notes, self._notes = self._notes, {}
        body = {
            "interval": {
                "fromUpMs": from_ms,
                "toUpMs": to_ms,
                "fromMs": time_ms and time_ms - (to_ms - from_ms),
                "toMs": time_ms,
            },
            "frames": frames,
            "equipment": uses,
            "why": _why(notes),
        }
        if not await self._sign("usage" if used else "heartbeat", body):
            notes.update(self._notes)
            self._notes = notes
            self._due_up_ms = 0
            return
        for meter, (base, requests) in zip(self._meters, counted):  # noqa: B905 - not on boards
            meter.base = base
            meter.requests -= requests
        self._frames[0] = last + 1
        self._from_up_ms = to_ms
        chain.covered_ms = time_ms or 0
        self._reserve_used = False

    def _uses(self) -> "tuple[list[Any], list[Any]]":
        uses, counted = [], []
        for meter, permit in zip(self._meters, self._chain.permits):  # noqa: B905 - not on boards
            now = (meter.run_ms, meter.starts, meter.volume_ml)
            uses.append(
                {
                    "id": meter.id,
                    "state": guard.STATES[meter.state],
                    "run": meter.run,
                    "runMs": now[0] - meter.base[0],
                    "starts": now[1] - meter.base[1],
                    "volumeMl": now[2] - meter.base[2],
                    "permit": permit and permit[0],
                    "startRequests": meter.requests,
                }
            )
            counted.append((now, meter.requests))
        return uses, counted

    def _may_sign_gap(self) -> bool:
        # A full store has room for one gap, not for every one.
        return self._outbox.statement_fill() < 1 or not self._reserve_used

    async def _sign_frames_gap(self, gap: "list[Any]") -> None:
        boot, first, last, head, _ = gap
        digest = hexlify(head).decode()
        frames = {"boot": boot, "first": first, "last": last, "head": digest}
        self._reserve_used = True
        if await self._sign(
            "gap", {"what": "frames", "frames": frames, "cause": "outbox overflow"}
        ):
            gap[4] = True

    async def _sign_event(self, up_ms: int) -> bool:
        """Sign the restart's gap, one of clock or sensors, or a denial, where one is due."""
        if self._gap_from is not None:
            await self._sign_restart_gap(self._gap_from)
            return True
        if self._untimed and self._clock.time_ms() is not None:
            known_up_ms = self._clock.known_up_ms
            if await self._sign_gap("clock", self._first_up_ms or 0, known_up_ms, "time unknown"):
                self._untimed = False
            return True
        outage = self.outages.due(up_ms)
        if outage is not None:
            name, from_up_ms, to_up_ms, count = outage
            cause = f"{name} silent" if count == 1 else f"{name} silent x{count}"
            if await self._sign_gap("sensors", from_up_ms, to_up_ms, cause):
                self.outages.told(name, to_up_ms, count, up_ms)
            return True
        if self._steps:
            kind, old_ms, new_ms = self._steps[0]
            body = {"what": "clock", "fromMs": old_ms, "toMs": new_ms, "cause": kind}
            if await self._sign("gap", body):
                self._steps.pop(0)
            return True
        for one in self._denials:
            if one[4] and up_ms >= one[7]:
                await self._sign_denial(one)
                return True
        self._denials = [one for one in self._denials if one[4] or up_ms < one[7]]
        return False

    async def _sign_gap(self, what: str, from_up_ms: int, to_up_ms: int, cause: str) -> bool:
        """A gap within this boot, in uptime, and in time where that is known."""
        time_ms = self._clock.time_ms()
        zero_ms = time_ms and time_ms - self._clock.up_ms()
        body = {
            "what": what,
            "fromMs": zero_ms and zero_ms + from_up_ms,
            "toMs": zero_ms and zero_ms + to_up_ms,
            "fromUpMs": from_up_ms,
            "toUpMs": to_up_ms,
            "cause": cause,
        }
        return await self._sign("gap", body)

    async def _sign_restart_gap(self, since: "tuple[int, list[Any]]") -> None:
        """From the end of the last interval to the first scan of this boot nothing was metered."""
        covered_ms, bases = since
        time_ms = self._clock.time_ms()
        first_up_ms = self._first_up_ms or 0
        registers = []
        for meter, base in zip(self._meters, bases):  # noqa: B905 - not on boards
            registers.append(
                {"id": meter.id, "runMs": base[0], "starts": base[1], "volumeMl": base[2]}
            )
        body = {
            "what": "metering" if registers else "sensors",
            "fromMs": covered_ms or None,
            "toMs": time_ms and time_ms - (self._clock.up_ms() - first_up_ms),
            "toUpMs": first_up_ms,
            "cause": "restart: " + self._hal.reset_cause(),
            "registersFrom": registers,
            "registersTo": self._gap_to,
        }
        if await self._sign("gap", body):
            self._gap_from = None
            self._gap_to = []

    async def _sign_denial(self, one: "list[Any]") -> None:
        name, kind, reason, permit, count, from_ms, to_ms, _ = one
        body = {
            "kind": kind,
            "equipment": name,
            "reason": reason,
            "permit": permit,
            "count": count,
            "fromMs": from_ms,
            "toMs": to_ms,
        }
        if await self._sign("denial", body):
            one[4] -= count
            one[5] = one[6]
            one[7] = self._clock.up_ms() + DENIAL_MS

    def _save_due(self, up_ms: int) -> bool:
        """Make the registers durable: soon after a start or stop, else each minute.

        The time too, once a permit's end or limit was seen: no power cut takes that back.
        """
        chain = self._chain
        if self._must_save_time:
            self._clock.save_floor()
            self._must_save_time = False
        pace_ms = EDGE_SAVE_MS if chain.is_dirty else save_pace_ms(up_ms)
        if self._meters and up_ms - chain.saved_up_ms >= pace_ms:
            chain.save()
        return False


def _why(notes: "dict[str, int]") -> "str | None":
    parts = [name if notes[name] == 1 else f"{name} x{notes[name]}" for name in sorted(notes)]
    return "; ".join(parts)[:WHY_CHARS_MAX] or None
