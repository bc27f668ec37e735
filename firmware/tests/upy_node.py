"""A node without sensors, on MicroPython: real store, outbox, uplink and link; made-up frames.

Arguments: PORT FLASH BOOT FRAMES PERIOD_MS [name=value ...] for link limits and these:
size (frame bytes), statements (how many), keepalive_s, and heap_at (frames after which the heap
is told; at the end again), and when to end: run_ms at the latest,
failures, pubacked, or all acked and the clock set.
Statements here are opaque bytes `statement N`; a receipt here is the text `N`.
"""

import asyncio
import gc
import hashlib
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])

from raffinate_node import aio
from raffinate_node.clock import Clock
from raffinate_node.outbox import Outbox
from raffinate_node.store import Store
from raffinate_node.supervisor import Supervisor
from raffinate_node.uplink import Uplink
from upy_hal import Hal

KEYID = "ab" * 32


class Evidence:
    """Stands where the signer will: opaque statements, receipts by number."""

    def __init__(self):
        self.keyid = KEYID
        self.status_wanted = False
        self.permits = []
        self.resumed = 0

    def seen(self):
        return (0, b"")

    def on_resume(self, _):
        self.resumed += 1

    def on_receipt(self, data):
        if data.isdigit():
            return int(data)
        self.status_wanted = True
        return None

    def on_permit(self, equipment, data):
        self.permits.append(equipment)
        print("permit", equipment, len(data))


def frame(boot, seq, size):
    head = "frame %d %d " % (boot, seq)
    return (head + "x" * (size - len(head))).encode()


def settings(arguments):
    out = {
        "size": 400,
        "statements": 0,
        "run_ms": 20000,
        "keepalive_s": 30,
        "failures": 0,
        "pubacked": 0,
    }
    out["heap_at"] = 0
    limits = {}
    for argument in arguments:
        name, value = argument.split("=")
        (out if name in out else limits)[name] = int(value)
    outbox = {
        "ram_bytes_max": 20480,
        "flash_bytes_max": 262144,
        "group_bytes": 8192,
        "group_ms": 15000,
        "statement_bytes_max": 65536,
    }
    for name in list(limits):
        if name in outbox:
            outbox[name] = limits.pop(name)
    return out, limits, outbox


class Node:
    """The parts, put together."""

    def __init__(self, port, flash, boot, arguments):
        self.out, link_limits, outbox_limits = settings(arguments)
        self.boot = boot
        self.hal = Hal(flash)
        store = Store(flash)
        self.clock = Clock(self.hal, None, lambda ms: store.put_int("floor", ms))
        self.outbox = Outbox(store, outbox_limits, self.clock, boot)
        self.outbox.on_overflow = on_overflow
        broker = {"host": "127.0.0.1", "port": port, "user": None, "password": None}
        broker["keepalive_s"] = self.out["keepalive_s"]
        names = {"site": "ndpr", "node": "n01", "broker": broker}
        self.uplink = Uplink(
            self.hal, names, link_limits, self.outbox, self.clock, Evidence(), boot
        )
        self.supervisor = Supervisor(self.hal)
        self.supervisor.add("link", self.uplink.run_link, 60000)
        self.supervisor.add("housekeeping", self.uplink.run_housekeeping, 10000)

    def put_statements(self):
        for number in range(1, self.out["statements"] + 1):
            self.outbox.put_statement(self.boot * 1000 + number, b"statement %d" % number)
        self.outbox.lost_stated()

    async def put_frame(self, seq):
        data = frame(self.boot, seq, self.out["size"])
        self.outbox.put_frame(self.boot, seq, data, hashlib.sha256(data).digest())
        self.uplink.link.wake()
        if self.out["heap_at"]:
            while self.outbox.waiting()[0] + self.outbox.waiting()[2] > 8:
                await aio.sleep_ms(1)

    def is_done(self, all_put):
        counters = self.uplink.link.counters
        if self.out["failures"] and counters.failures >= self.out["failures"]:
            return True
        if self.out["pubacked"] and counters.pubacked >= self.out["pubacked"]:
            return True
        is_empty = all_put and not any(self.outbox.waiting())
        return is_empty and self.uplink.link.is_up and self.clock.state() != "U"

    async def print_heap(self, seq):
        while any(self.outbox.waiting()):
            await aio.sleep_ms(20)
        gc.collect()
        if hasattr(gc, "mem_alloc"):
            print("heap", seq, gc.mem_alloc(), gc.mem_free())

    def print_end(self):
        for holder in (self.uplink.link.counters, self.outbox.counters, self.uplink.counters):
            for name in sorted(holder.__dict__):
                print("count", name, getattr(holder, name))
        print("waiting", self.outbox.waiting())
        print("clock", self.clock.state(), self.clock.time_ms())
        print("feeds", self.hal.feeds)
        print("end")


def on_overflow(boot, first, last, _):
    print("gap", boot, first, last)
    return True


async def main(port, flash, boot, frames, period_ms, arguments):
    node = Node(port, flash, boot, arguments)
    print("lost", node.outbox.lost())
    task = asyncio.create_task(node.supervisor.run())
    node.put_statements()
    seq = 0
    started = node.clock.up_ms()
    while node.clock.up_ms() - started < node.out["run_ms"]:
        if seq < frames:
            await node.put_frame(seq)
            seq += 1
            if seq == node.out["heap_at"]:
                await node.print_heap(seq)
        if node.is_done(seq == frames):
            break
        await aio.sleep_ms(period_ms)
    if node.out["heap_at"]:
        await node.print_heap(seq)
    node.supervisor.stop()
    await task
    node.print_end()


asyncio.run(
    main(
        int(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        int(sys.argv[4]),
        int(sys.argv[5]),
        sys.argv[6:],
    )
)
