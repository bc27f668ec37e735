"""An outbox on a folder, its frames, and a link that only moves items; for any Python."""

import hashlib

from raffinate_node.clock import Clock
from raffinate_node.outbox import Outbox
from raffinate_node.outbox_item import STATEMENT
from raffinate_node.store import Store
from upy_hal import Hal

LIMITS = {
    "ram_bytes_max": 6000,
    "flash_bytes_max": 65536,
    "group_bytes": 3000,
    "group_ms": 15000,
    "statement_bytes_max": 40960,
}


class Ack:
    """What parse_ack gives."""

    def __init__(self, boots=(), rejected=(), refused=(), epoch=1):
        self.boots = boots
        self.rejected = rejected
        self.refused = refused
        self.epoch = epoch


def frame(boot, seq, size=700):
    head = "frame %d %d " % (boot, seq)
    return (head + "x" * (size - len(head))).encode()


def digest(data):
    return hashlib.sha256(data).digest()


def statement_bytes(seq, size=900):
    return (("statement %d " % seq) + "s" * size).encode()[:size]


class Bench:
    """One outbox over its life; `restart` is a power cut, `sent` what the broker was given."""

    def __init__(self, folder, **limits):
        self.folder = folder
        self.limits = dict(LIMITS)
        self.limits.update(limits)
        self.boot = 0
        self.gaps = []
        self.sign = True
        self.restart()

    def restart(self):
        self.boot += 1
        self.seq = 0
        self.hal = Hal(by_hand=True)
        self.box = Outbox(Store(self.folder), self.limits, Clock(self.hal, None), self.boot)
        self.box.on_overflow = self.on_overflow

    def on_overflow(self, boot, first, last, head):
        if self.sign:
            self.gaps.append((boot, first, last, head))
        return self.sign

    def put(self, count=1, size=700):
        for _ in range(count):
            data = frame(self.boot, self.seq, size)
            self.box.put_frame(self.boot, self.seq, data, digest(data))
            self.seq += 1

    def statement(self, seq, size=900):
        self.box.put_statement(seq, statement_bytes(seq, size))

    def take(self, expected_size=700):
        """The next item's key (a statement's is its seq), its bytes checked; None for nothing."""
        item = self.box.next_to_send()
        if item is None:
            return None, None
        self.box.hold(item)
        data = read(item)
        self.box.unhold()
        if item.kind == STATEMENT:
            assert data == statement_bytes(item.seq, len(data))
            return item, item.seq
        assert data == frame(item.boot, item.seq, len(data))
        assert len(data) == expected_size or expected_size is None
        return item, (item.boot, item.seq)

    def send_all(self, puback=True, expected_size=700):
        """Give the broker all there is; return the keys in order."""
        keys = []
        while True:
            item, key = self.take(expected_size)
            if item is None:
                return keys
            keys.append(key)
            if puback:
                self.box.on_puback(item)
            else:
                self.box.on_lost(item)
                return keys

    def pass_ms(self, ms):
        """Time passes, with a tick each second."""
        while ms > 0:
            self.hal.now_ms += min(ms, 1000)
            ms -= 1000
            self.box.tick()


def read(item, chunk_bytes=256):
    """An item's bytes, in chunks as the link reads them."""
    size = item.size()
    out = b""
    chunk = bytearray(chunk_bytes)
    while len(out) < size:
        n = item.read_into(len(out), memoryview(chunk)[: min(chunk_bytes, size - len(out))])
        assert n > 0
        out += bytes(chunk[:n])
    return out
