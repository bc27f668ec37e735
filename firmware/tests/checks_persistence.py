"""The node's stores under faults at every step to flash; see flash_faults.py and portable.py.

Chain, registers, permit, time floor, key, boot number, statements and frames on flash: after an
error the same node goes on, after a power cut another boot does, and in the end everything that was
ever sent is as it was.
"""

import hashlib
import os

from evidence_tools import Bench
from flash_faults import FlashFaults, PowerOff
from raffinate_wire import p256

STEPS_MAX = 600
MINUTE_MS = 60_000
_parsed = {}


def remembered(steps):
    """The same arithmetic, done once for each input: all lives but for the fault are alike."""
    known = {}

    def done(*arguments):
        if arguments not in known:
            known[arguments] = yield from steps(*arguments)
        return known[arguments]

    return done


class Remembering:
    """Within `with`, P-256 does nothing twice."""

    NAMES = ("sign_steps", "verify_steps", "public_key_steps")

    def __enter__(self):
        self._real = [(name, getattr(p256, name)) for name in self.NAMES]
        for name, steps in self._real:
            setattr(p256, name, remembered(steps))

    def __exit__(self, *_):
        for name, steps in self._real:
            setattr(p256, name, steps)


class FaultBench(Bench):
    """A node whose task bears errors as Evidence.run does; `sent` is what could have been sent."""

    def __init__(self, folder):
        self.serial = self.floor_ms = self.seen_size = 0
        super().__init__(folder)

    def work(self):
        try:
            super().work()
        except OSError as error:
            self.evidence.hold(str(error))
        self.collect()
        self.note()

    def parse(self, data):
        if data not in _parsed:
            _parsed[data] = super().parse(data)
        return _parsed[data]

    def note(self):
        """What the node has used or told, it may not forget."""
        permit = self.evidence._chain.permits[0]
        serial, seen_size = permit[0] if permit else 0, self.evidence.seen()[0]
        assert serial >= self.serial, "an older permit"
        assert seen_size >= self.seen_size, "an older head of the log"
        self.serial, self.seen_size = serial, seen_size

    def frames(self):
        """{(boot, seq): bytes} of the frames on flash."""
        spill, found = self.outbox._spill, {}
        for one in spill.segments:
            for seq in range(one.first, one.last + 1):
                data = bytearray(spill.size_of(one.boot, seq) or 0)
                if data:
                    spill.read_into(one.boot, seq, 0, memoryview(data))
                    found[one.boot, seq] = bytes(data)
        return found

    def held(self):
        """Numbers of the statements that wait for their receipt."""
        return set(self.outbox._statements.seqs())

    def put_frames(self, count):
        for _ in range(count):
            data = b"frame %d %d " % (self.number, self.frame) + bytes(2100)
            digest = hashlib.sha256(data).digest()
            self.outbox.put_frame(self.number, self.frame, data, digest)
            self.evidence.on_frame(self.number, self.frame, digest)
            self.frame += 1

    def pass_minute(self):
        """What is held back is tried again; the time is saved."""
        self.hal.now_ms += MINUTE_MS
        self.time_ms += MINUTE_MS
        self.scan(frame=False)
        self.outbox.tick()
        try:
            self.clock.tick()
        except OSError:
            return
        self.floor_ms = max(self.floor_ms, self.store.get_int("floor", 0))

    def give_receipts(self):
        for seq in sorted(self.held()):
            self.newest = self.signed[seq]
            self.evidence.on_receipt(self.receipt(seq, old=self.evidence.seen()[0]))
            self.work()


def live(bench):
    """A boot, a permit, a start, frames on flash, statements, receipts."""
    bench.answer(bench.newest)
    bench.scan(frame=False)
    bench.evidence.on_permit("bat-ext", bench.permit(serial=bench.number))
    bench.run = 1
    bench.pulses += 999
    bench.scan(frame=False)
    bench.put_frames(2)
    bench.pass_minute()
    bench.give_receipts()
    bench.run = 0
    bench.pass_minute()


def go_on(bench):
    """The next boot: it signs, its receipts come, its registers are saved."""
    bench.run = 0
    bench.answer(bench.newest)
    bench.pass_minute()
    held = bench.held()
    bench.give_receipts()
    assert not held & bench.held(), "a statement whose receipt does not count"
    bench.run = 1
    bench.pass_minute()


def born(folder):
    """A node at its first start; one whose start fails is started again, as a board is."""
    for _ in range(2):
        try:
            bench = FaultBench(folder)
        except OSError:
            continue
        bench.newest = b""
        return bench
    raise AssertionError("it fails twice")


def one_life(folder, at, act, later=0):
    """A life in which step `at` fails, another boot, all that must hold; False: no such step."""
    os.mkdir(folder)
    bench = None
    with FlashFaults(at, act, later) as faults:
        try:
            bench = born(folder)
            live(bench)
        except PowerOff:
            pass
    if not faults.happened:
        return False
    if bench is None:
        bench = born(folder)
    held, frames = bench.held(), bench.frames()
    stated = registers(bench)
    bench.restart()
    assert held <= bench.held() | {0}, (faults.names[at], "a statement is lost")
    assert bench.clock.floor_ms() is None or bench.clock.floor_ms() >= bench.floor_ms
    again = bench.frames()
    for key in frames:
        assert again[key] == frames[key], (faults.names[at], "a frame is lost")
    bench.note()
    bench.collect()
    starts = bench.evidence._meters[0].starts
    go_on(bench)
    bench.check_chain()
    for now, before in zip(registers(bench), stated):  # noqa: B905 - dialect
        assert now >= before, "a register fell"
    assert bench.evidence._meters[0].starts == starts + 1
    return True


def registers(bench):
    """What the newest statement says of run time, starts and volume."""
    if not bench.signed:
        return 0, 0, 0
    one = bench.parse(bench.signed[max(bench.signed)]).registers[0]
    return one["runMs"], one["starts"], one["volumeMl"]


def every_step(folder, act, later=0):
    with Remembering():
        at = 0
        while one_life("%s/%d" % (folder, at), at, act, later):
            at += 1
            assert at < STEPS_MAX
    assert at >= 60, at


def check_an_error_before_each_step(folder):
    every_step(folder, "before")


def check_an_error_after_each_step(folder):
    every_step(folder, "after")
