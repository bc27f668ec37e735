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
    out = {"size": 400, "statements": 0, "run_ms": 20000, "keepalive_s": 30, "failures": 0, "pubacked": 0}
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


async def settled(outbox):
    while any(outbox.waiting()):
        await aio.sleep_ms(20)


def print_heap(seq):
    gc.collect()
    if hasattr(gc, "mem_alloc"):
        print("heap", seq, gc.mem_alloc(), gc.mem_free())


async def main(port, flash, boot, frames, period_ms, arguments):
    out, link_limits, outbox_limits = settings(arguments)
    hal = Hal(flash)
    store = Store(flash)
    clock = Clock(hal, None, lambda ms: store.put_int("floor", ms))
    outbox = Outbox(store, outbox_limits, clock, boot)
    evidence = Evidence()
    broker = {"host": "127.0.0.1", "port": port, "user": None, "password": None}
    broker["keepalive_s"] = out["keepalive_s"]
    names = {"site": "ndpr", "node": "n01", "broker": broker}
    uplink = Uplink(hal, names, link_limits, outbox, clock, evidence, boot)
    gaps = []

    def on_overflow(at_boot, first, last, _):
        gaps.append((at_boot, first, last))
        print("gap", at_boot, first, last)
        return True

    outbox.on_overflow = on_overflow
    supervisor = Supervisor(hal)
    supervisor.add("link", uplink.run_link, 60000)
    supervisor.add("housekeeping", uplink.run_housekeeping, 10000)
    lost = outbox.lost()
    print("lost", lost)
    task = asyncio.create_task(supervisor.run())
    for number in range(out["statements"]):
        outbox.put_statement(boot * 1000 + number + 1, ("statement %d" % (number + 1)).encode())
    outbox.lost_stated()
    started = clock.up_ms()
    seq = 0
    while clock.up_ms() - started < out["run_ms"]:
        if seq < frames:
            data = frame(boot, seq, out["size"])
            outbox.put_frame(boot, seq, data, hashlib.sha256(data).digest())
            uplink.link.wake()
            seq += 1
            if seq == out["heap_at"]:
                await settled(outbox)
                print_heap(seq)
        is_empty = not any(outbox.waiting())
        if seq == frames and is_empty and uplink.link.is_up and clock.state() != "U":
            break
        counters = uplink.link.counters
        if out["failures"] and counters.failures >= out["failures"]:
            break
        if out["pubacked"] and counters.pubacked >= out["pubacked"]:
            break
        await aio.sleep_ms(period_ms)
    if out["heap_at"]:
        await settled(outbox)
        print_heap(seq)
    supervisor.stop()
    await task
    counters = uplink.link.counters
    for holder in (counters, outbox.counters, uplink.counters):
        for name in sorted(holder.__dict__):
            print("count", name, getattr(holder, name))
    print("waiting", outbox.waiting())
    print("clock", clock.state(), clock.time_ms())
    print("feeds", hal.feeds)
    print("end")


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
