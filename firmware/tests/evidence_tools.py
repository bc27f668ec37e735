"""A bench for the evidence: real store, clock, outbox and Evidence; ticks by hand; a log beside it.

Runs on CPython and MicroPython.
"""

import asyncio
import hashlib

from raffinate_node.clock import Clock
from raffinate_node.evidence import Evidence
from raffinate_node.outbox import Outbox
from raffinate_node.settings import Config, EquipmentConfig, PointConfig, StageConfig
from raffinate_node.store import Store
from raffinate_wire import dsse, merkle, note, p256, permit, receipt, statement
from raffinate_wire.resume import Resume

T0 = 1_795_255_200_000
ORIGIN = "demo.example/raffinate/ndpr"
LOG_KEY, PERMIT_KEY, OTHER_KEY = 1001, 1002, 1003
DIGEST = "ab" * 32
OUTBOX = {
    "ram_bytes_max": 16384,
    "flash_bytes_max": 65536,
    "group_bytes": 4096,
    "group_ms": 15000,
    "statement_bytes_max": 65536,
}


class PowerCut(BaseException):
    """The power goes in a write."""


class CutStore(Store):
    """Loses power at write number `cut`: before it, or just after it."""

    cut = None
    after = False

    def put(self, name, data):
        self._write(lambda: Store.put(self, name, data))

    def append(self, path, records):
        return self._write(lambda: Store.append(self, path, records))

    def _write(self, write):
        if self.cut is not None:
            self.cut -= 1
            if self.cut < 0 and not self.after:
                raise PowerCut
        result = write()
        if self.cut is not None and self.cut < 0:
            raise PowerCut
        return result


class Contact:
    def __init__(self, latching):
        self.latching = latching
        self.level = 0
        self.is_broken = False
        self.sets = 0

    def set(self, level):
        if self.is_broken:
            raise OSError(5)
        self.level = level
        self.sets += 1


class Hal:
    """Ticks by hand, a random source that only counts."""

    def __init__(self, folder, seed=b"node"):
        self.flash_root = folder
        self.now_ms = 5
        self.lines = []
        self.contacts = {}
        self.resets = 0
        self._seed = seed

    def ticks_ms(self):
        return self.now_ms

    def ticks_diff(self, a, b):
        return a - b

    def random(self, count):
        self._seed = hashlib.sha256(self._seed).digest()
        return (self._seed + self._seed)[:count]

    def unique_id(self):
        return b"board-01"

    def reset_cause(self):
        return "power-on"

    def reset(self):
        self.resets += 1

    def firmware_digest(self):
        return DIGEST

    def console(self, text):
        self.lines.append(text)

    def digital_out(self, pin, latching):
        return self.contacts.setdefault(pin, Contact(latching))


def make_config(equipment=("bat-ext",), statement_s=10, outbox=OUTBOX):
    config = Config()
    config.site, config.node, config.log = "ndpr", "n01", ORIGIN
    config.keys = {"log": spki(LOG_KEY), "permit": spki(PERMIT_KEY)}
    config.scan_ms, config.statement_s, config.outbox = 1000, statement_s, outbox
    config.digest = config.calibration_digest = DIGEST
    config.element = None
    flow = PointConfig("flow_aq", "pulse", "l/s", 6, None, {"pulses_per_l": 8000})
    config.stages = [StageConfig("e01", [flow])]
    config.equipment = []
    for at, name in enumerate(equipment):
        one = EquipmentConfig()
        one.id, one.descriptor, one.permissive_pin = name, DIGEST, 103 + 4 * at
        one.volume = "e01/flow_aq"
        one.latching = False
        config.equipment.append(one)
    return config


class Bench:
    """A node's evidence over `folder`; `restart()` is a power cut, `signed` what ever was stored.

    `run`, `start` and `bypass` are the contacts of every equipment, `pulses` the meter's total.
    """

    def __init__(self, folder, store=Store, **config):
        self.folder = folder
        self.config = make_config(**config)
        self.signed = {}
        self.make_store = store
        self.log = []
        self.given = 0
        self.run = self.start = self.bypass = 0
        self.pulses = 0
        self.frame = 0
        self.seed = b"node"
        self.time_ms = T0
        self.boot()

    def boot(self):
        self.hal = Hal(self.folder, self.seed)
        self.store = self.make_store(self.folder)
        boot = self.store.get_int("boot", 0) + 1
        self.store.put_int("boot", boot)
        store = self.store
        self.clock = Clock(
            self.hal, store.get_int("floor", 0) or None, lambda ms: store.put_int("floor", ms)
        )
        self.outbox = Outbox(self.store, self.config.outbox, self.clock, boot)
        self.evidence = Evidence(self.hal, self.config, self.store, self.clock, self.outbox, boot)
        self.number = boot
        self.frame = self.pulses = 0
        asyncio.run(self.evidence.start())

    restart = boot

    @property
    def permissive(self):
        return self.hal.contacts[103].level

    def answer(self, envelope=b"", time_ms=None):
        """The gateway's answer to a status."""
        self.clock.accept(self.time_ms if time_ms is None else time_ms, self.clock.up_ms())
        self.evidence.on_resume(
            Resume(self.evidence.keyid, self.number, "0" * 32, self.time_ms, envelope)
        )

    def scan(self, frame=True):
        """One scan a second later, with all work that is due after it."""
        self.hal.now_ms += 1000
        self.time_ms += 1000
        inputs = [self.run, self.start, self.bypass]
        levels = {one.id: inputs for one in self.config.equipment}
        self.evidence.on_scan(self.clock.up_ms(), levels, {"e01/flow_aq": self.pulses})
        if frame:
            digest = hashlib.sha256(b"%d %d" % (self.number, self.frame)).digest()
            self.evidence.on_frame(self.number, self.frame, digest)
            self.frame += 1
        self.work()

    def scans(self, count):
        for _ in range(count):
            self.scan()

    def work(self):
        asyncio.run(self._work())

    async def _work(self):
        while await self.evidence.work():
            self.collect()
        self.collect()

    def collect(self):
        """Look at what is in the outbox: one number, one statement."""
        for seq in list(self.outbox._statements.seqs()):
            data = self.outbox.statement(seq)[1]
            assert self.signed.setdefault(seq, data) == data, "one number for two statements"

    def statements(self, kind=None):
        """Everything ever stored, verified and parsed, in the order of seq."""
        found = [self.parse(self.signed[seq]) for seq in sorted(self.signed)]
        return [one for one in found if kind is None or one.type == kind]

    def parse(self, data):
        key = self.evidence._chain.signer.spki
        return statement.parse_statement(
            dsse.open_envelope(data, key, dsse.PAYLOAD_STATEMENT).payload
        )

    def check_chain(self):
        """Every statement names the one before; numbers may be skipped."""
        prev = bytes(32)
        registers = {}
        for seq in sorted(self.signed):
            found = self.parse(self.signed[seq])
            assert found.seq == seq
            assert found.prev == prev.hex(), (seq, found.type)
            prev = statement.envelope_hash(self.signed[seq])
            for one in found.registers:
                new = (one["runMs"], one["starts"], one["volumeMl"])
                old = registers.get(one["id"], new)
                assert all(old[at] <= new[at] for at in range(3)), "a register fell"
                registers[one["id"]] = new

    def permit(self, serial=1, key=PERMIT_KEY, **changes):
        """A permit for bat-ext of one hour and a minute's grace."""
        members = {
            "serial": serial,
            "site": "ndpr",
            "node": "n01",
            "keyid": self.evidence.keyid,
            "equipment": "bat-ext",
            "licence": "L-1",
            "licence_sha256": "cd" * 32,
            "purpose": "",
            "stages": ["e01"],
            "issued_ms": self.time_ms,
            "not_before_ms": self.time_ms,
            "not_after_ms": self.time_ms + 3_600_000,
            "grace_ms": 60_000,
            "run_ms_limit": 3_660_000,
        }
        members.update(changes)
        return seal(permit.format_permit(**members), dsse.PAYLOAD_PERMIT, key)

    def receipt(self, seq, old=None, key=LOG_KEY, origin=ORIGIN, wrong=None):
        """Log a statement (again) and return its receipt."""
        leaf = merkle.leaf_hash(self.signed[seq])
        if leaf not in self.log:
            self.log.append(leaf)
        old = self.given if old is None else old
        size = len(self.log)
        root = merkle.root_of(self.log)
        text = note.format_checkpoint(origin, size, wrong or root)
        sig = p256.sign(key, hashlib.sha256(text).digest())
        signed = note.format_note(text, [(origin, note.key_id_ecdsa(spki(LOG_KEY)), sig)])
        index = self.log.index(leaf)
        self.given = size
        return receipt.format_receipt(
            self.evidence.keyid,
            seq,
            old,
            consistency(self.log, old),
            index,
            inclusion(self.log, index),
            signed,
        )


def started(folder, **config):
    """A bench whose node has signed its boot."""
    bench = Bench(folder, **config)
    bench.answer()
    bench.scan()
    assert [one.type for one in bench.statements()] == ["boot"]
    return bench


def spki(d):
    return p256.spki(*p256.public_key(d))


def seal(payload, kind, key):
    """An envelope by any key."""
    sig = p256.sign(key, dsse.digest(kind, payload))
    return dsse.format_envelope(kind, payload, p256.keyid(spki(key)), sig)


def inclusion(leaves, index):
    """The audit path of RFC 6962, 2.1.1."""
    if len(leaves) < 2:
        return []
    half = _split(len(leaves))
    if index < half:
        path, other = inclusion(leaves[:half], index), leaves[half:]
    else:
        path, other = inclusion(leaves[half:], index - half), leaves[:half]
    path.append(merkle.root_of(other))
    return path


def consistency(leaves, old):
    """The consistency proof of RFC 6962, 2.1.2."""
    return _subproof(old, leaves, True) if 0 < old < len(leaves) else []


def _subproof(old, leaves, whole):
    if old == len(leaves):
        return [] if whole else [merkle.root_of(leaves)]
    half = _split(len(leaves))
    if old <= half:
        path, other = _subproof(old, leaves[:half], whole), leaves[half:]
    else:
        path, other = _subproof(old - half, leaves[half:], False), leaves[:half]
    path.append(merkle.root_of(other))
    return path


def _split(count):
    half = 1
    while half * 2 < count:
        half *= 2
    return half
