"""The key's chain: numbers used once, heads, what was seen of the log, registers; and signing.

One value in flash has all of it, written before each signature: a power cut may skip a number,
never use one twice. A statement that reached the outbox is found there at the next start.
"""

import struct
from binascii import hexlify, unhexlify

from raffinate_node import aio, permits
from raffinate_node.meter import FORM_BYTES
from raffinate_node.store import StoreFullError
from raffinate_wire import dsse, statement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

    from raffinate_node.meter import Meter
    from raffinate_node.permits import Permit

STATE = "evidence"
# seq, seq of head, head, size and root seen, end of the last interval (0: unknown), restored
FORM = "<QQ32sQ32sQB"
HEAD_BYTES = 97
# Registers of equipment that is no longer configured are kept, in case it comes back.
FORMER_MAX = 4


class Chain:
    """`seq` is the last number taken, `head` the hash of statement `head_seq`; `seen` the log's.

    `restored` is set from a resume that was ahead until a boot statement says so; `covered_ms` is
    where the last interval ended, 0 where that is not known.
    """

    def __init__(self, config: "Any", store: "Any", clock: "Any", outbox: "Any", boot: int) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self.boot = boot
        self.signer: "Any" = None
        self.firmware = ""
        self.meters: "list[Meter]" = []
        self.permits: "list[Permit | None]" = []
        self.seq = self.head_seq = self.covered_ms = 0
        self.head = bytes(32)
        self.seen: "tuple[int, bytes]" = (0, unhexlify(statement.EMPTY_ROOT))
        self.restored = False
        self.saved_up_ms = 0
        self.is_dirty = False  # a run began or ended since the last save()
        self.failed = ""  # why the signer did not sign last
        self._former = b""

    def load(self) -> None:
        """Go on where the last boot ended, statements found in the outbox included."""
        data = self._store.get(STATE)
        if data is not None and len(data) >= HEAD_BYTES:
            self.seq, self.head_seq, self.head, size, root, self.covered_ms, restored = (
                struct.unpack(FORM, data[:HEAD_BYTES])
            )
            self.seen = (size, root)
            self.restored = bool(restored)
            meters = {meter.id.encode(): meter for meter in self.meters}
            for at in range(HEAD_BYTES, len(data) - FORM_BYTES + 1, FORM_BYTES):
                one = data[at : at + FORM_BYTES]
                name = one[:32].rstrip(b"\x00")
                if name in meters:
                    meters[name].load(one)
                elif len(self._former) < FORMER_MAX * FORM_BYTES:
                    self._former += one
        newest = self._outbox.statement()
        if newest is not None and newest[0] > self.head_seq:
            self.adopt(dsse.parse_envelope(newest[1]).payload, statement.envelope_hash(newest[1]))

    def save(self) -> None:
        """Make it durable; raise OSError."""
        size, root = self.seen
        data = struct.pack(
            FORM, self.seq, self.head_seq, self.head, size, root, self.covered_ms, self.restored
        )
        for meter in self.meters:
            data += meter.pack()
        self._store.put(STATE, data + self._former)
        self.saved_up_ms = self._clock.up_ms()
        self.is_dirty = False

    def adopt(self, payload: bytes, leaf: bytes) -> int:
        """Take what is higher in a statement of this key, `leaf` its hash; return its boot.

        The signature was verified, or the bytes come from this node's own flash.
        """
        found = statement.parse_statement(payload)
        registers = {one["id"]: one for one in found.registers or ()}
        newer = found.seq > self.head_seq
        if newer:
            self.head_seq, self.head = found.seq, leaf
            self.seq = max(self.seq, found.seq)
            self.restored = False
        for meter in self.meters:
            one = registers.get(meter.id)
            if one is not None:
                meter.raise_to(one)
                if newer and found.type == "boot":
                    meter.found = False
                if newer and found.type in ("usage", "heartbeat"):
                    meter.base = (one["runMs"], one["starts"], one["volumeMl"])
        if newer and found.type in ("usage", "heartbeat"):
            self.covered_ms = found.body["interval"]["toMs"] or 0
        return found.boot or 0

    async def sign(self, kind: str, body: "dict[str, Any]") -> bool:
        """Sign a statement and put it into the outbox; False where that failed, see `failed`."""
        self.seq += 1
        self.failed = ""
        try:
            self.save()
        except OSError:
            # The number may be on flash: it is not used again.
            return False
        payload = statement.build_statement(self._subject(), kind, self._common(), body)
        digest = dsse.digest(dsse.PAYLOAD_STATEMENT, payload)
        try:
            sig = await drain(self.signer.sign_steps(digest))
        except OSError as error:
            # The number is not used again: a signature may have been made and lost on its way.
            self.failed = f"signer: {error}"
            return False
        envelope = dsse.build_envelope(dsse.PAYLOAD_STATEMENT, payload, self.signer.keyid, sig)
        try:
            self._outbox.put_statement(self.seq, envelope)
        except (OSError, StoreFullError):
            return False
        self.head_seq, self.head = self.seq, statement.envelope_hash(envelope)
        return True

    def registers(self) -> "list[dict[str, Any]]":
        """All registers as statements carry them."""
        return [meter.registers() for meter in self.meters]

    def _common(self) -> "dict[str, Any]":
        clock, config = self._clock, self._config
        size, root = self.seen
        time_ms = clock.time_ms()
        return {
            "log": config.log,
            "site": config.site,
            "node": config.node,
            "keyid": self.signer.keyid,
            "seq": self.seq,
            "prev": hexlify(self.head).decode(),
            "boot": self.boot,
            "upMs": clock.up_ms(),
            "timeMs": time_ms,
            "clock": clock.state(),
            "firmware": self.firmware,
            "config": config.digest,
            "calibration": config.calibration_digest,
            "unreceipted": self._outbox.unreceipted(),
            "seen": {"size": size, "root": hexlify(root).decode()},
            "registers": self.registers(),
        }

    def _subject(self) -> "list[tuple[str, str]]":
        config = self._config
        now_ms = self._clock.guard_ms()
        subject = [(f"equipment/{one.id}.toml", one.descriptor) for one in config.equipment]
        for one, permit in zip(config.equipment, self.permits):  # noqa: B905 - not on boards
            if permit is not None and now_ms and permits.is_in_force(permit, now_ms):
                subject.append((f"licence/{one.id}", hexlify(permit[2]).decode()))
        return subject or [("node.json", config.digest)]


async def drain(steps: "Generator[Any, None, Any]") -> "Any":
    """Run a generator to its end, the other tasks between its slices; return its value.

    What it yields is how long it has nothing to do, in ms; None is no time.
    """
    while True:
        try:
            wait_ms = next(steps)
        except StopIteration as end:
            return end.value
        await aio.sleep_ms(wait_ms or 0)
