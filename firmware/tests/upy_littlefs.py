"""Power cuts on littlefs: every write of the store and the outbox, cut at every flash operation.

MicroPython only. A RAM block device stops working at operation n (an erase, or a program of which
half is done); the file system is mounted again from what is in the RAM, and must hold what was
there before the cut operation or what it made, never a mixture.
"""

import hashlib
import sys

import vfs

sys.path.insert(0, __file__.rsplit("/", 1)[0])

from raffinate_node.clock import Clock
from raffinate_node.outbox import Outbox
from raffinate_node.store import Store
from upy_hal import Hal

BLOCK = 4096
BLOCKS = 64
LIMITS = {
    "ram_bytes_max": 6000,
    "flash_bytes_max": 65536,
    "group_bytes": 3000,
    "group_ms": 15000,
    "statement_bytes_max": 40960,
}


class Flash:
    """A block device in RAM that dies at operation `cut` (0: never)."""

    def __init__(self, data):
        self.data = data
        self.cut = 0
        self.operations = 0

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        if self._dies():
            half = len(buffer) // 2
            if self.operations == self.cut:
                self.data[at : at + half] = memoryview(buffer)[:half]
            raise OSError(5)
        self.data[at : at + len(buffer)] = buffer

    def ioctl(self, op, argument):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            if self._dies():
                raise OSError(5)
            at = argument * BLOCK
            self.data[at : at + BLOCK] = b"\xff" * BLOCK
            return 0
        return 0

    def _dies(self):
        self.operations += 1
        return self.cut and self.operations >= self.cut


def mounted(data, work, cut=0):
    """Mount data, run work (an OSError ends it), unmount; return (result, operations)."""
    flash = Flash(data)
    vfs.mount(vfs.VfsLfs2(flash, progsize=256, readsize=256), "/flash")
    flash.operations = 0
    flash.cut = cut
    result = None
    try:
        result = work()
    except OSError:
        if not cut:
            raise
    finally:
        vfs.umount("/flash")
    return result, flash.operations


def cut_everywhere(name, before, work, after, outcomes):
    """Cut `work` at each of its operations; what `after` finds must be one of the outcomes."""
    image = bytearray(b"\xff" * (BLOCK * BLOCKS))
    vfs.VfsLfs2.mkfs(Flash(image), progsize=256, readsize=256)
    mounted(image, before)
    _, operations = mounted(bytearray(image), work)
    seen = {}
    for cut in range(1, operations + 2):
        data = bytearray(image)
        mounted(data, work, cut)
        found, _ = mounted(data, after)
        assert found in outcomes, (name, cut, found)
        seen[found] = seen.get(found, 0) + 1
    assert outcomes[-1] in seen, (name, seen)
    print("littlefs", name, "operations", operations, "outcomes", len(seen))


def outbox(boot=1):
    hal = Hal(by_hand=True)
    return Outbox(Store("/flash"), LIMITS, Clock(hal, None), boot)


def frame(boot, seq, size=700):
    head = "frame %d %d " % (boot, seq)
    return (head + "x" * (size - len(head))).encode()


def put(box, boot, first, last):
    for seq in range(first, last + 1):
        data = frame(boot, seq)
        box.put_frame(boot, seq, data, hashlib.sha256(data).digest())


def drain(box):
    """Keys of all that can be sent, each read whole and compared with what was put."""
    keys = []
    buffer = bytearray(8192)
    while True:
        item = box.next_to_send()
        if item is None:
            return tuple(sorted(keys))
        size = item.size()
        assert item.read_into(0, memoryview(buffer)[:size]) == size
        if item.kind == 0:
            assert bytes(buffer[:size]) == frame(item.boot, item.seq)
            keys.append((item.boot, item.seq))
        else:
            assert bytes(buffer[:size]) == b"s%d" % item.seq * 500
            keys.append(item.seq)
        item.busy = False


def statement(box, seq):
    box.put_statement(seq, b"s%d" % seq * 500)


def value_work():
    Store("/flash").put("v", b"new" * 50)


def replace_work():
    Store("/flash").replace("file", b"new" * 500)


def spill_work():
    put(outbox(2), 2, 0, 4)


def statement_work():
    statement(outbox(), 3)


def release_work():
    box = outbox()
    box.release_statement(1)
    statement(box, 3)


def overflow_work():
    box = outbox(2)
    put(box, 2, 0, 9)


def gaps_and_frames():
    box = outbox(3)
    gaps = []

    def on_overflow(boot, first, last, head):
        assert head == hashlib.sha256(frame(boot, last)).digest()
        gaps.append((boot, first, last))
        return True

    box.on_overflow = on_overflow
    box.tick()
    return tuple(gaps), drain(box)


def main():
    def old_value():
        Store("/flash").put("v", b"old")
        Store("/flash").put("v", b"old" * 2)

    cut_everywhere(
        "value",
        old_value,
        value_work,
        lambda: Store("/flash").get("v"),
        (b"old" * 2, b"new" * 50),
    )
    cut_everywhere(
        "replace",
        lambda: Store("/flash").replace("file", b"old" * 400),
        replace_work,
        lambda: Store("/flash").read("file"),
        (b"old" * 400, b"new" * 500),
    )
    old = tuple((1, seq) for seq in range(5))
    spilled = [old]
    spilled += [old + tuple((2, seq) for seq in range(n)) for n in range(1, 6)]
    cut_everywhere(
        "spill", lambda: put(outbox(), 1, 0, 4), spill_work, lambda: drain(outbox(3)), spilled
    )

    def two_statements():
        box = outbox()
        statement(box, 1)
        statement(box, 2)

    cut_everywhere(
        "statement",
        two_statements,
        statement_work,
        lambda: drain(outbox(3)),
        ((1, 2), (1, 2, 3)),
    )
    cut_everywhere(
        "release", two_statements, release_work, lambda: drain(outbox(3)), ((1, 2), (2, 3))
    )
    overflow()


def overflow():
    """A full flash: a frame is there to send, or in a gap, at every instant."""
    image = bytearray(b"\xff" * (BLOCK * BLOCKS))
    vfs.VfsLfs2.mkfs(Flash(image), progsize=256, readsize=256)
    mounted(image, lambda: put(outbox(), 1, 0, 79))
    _, operations = mounted(bytearray(image), overflow_work)
    dropped = 0
    for cut in range(1, operations + 2):
        data = bytearray(image)
        mounted(data, overflow_work, cut)
        (gaps, keys), _ = mounted(data, gaps_and_frames)
        first = min(key[1] for key in keys if key[0] == 1)
        assert first <= 40
        covered = set(keys)
        for boot, start, end in gaps:
            covered.update([(boot, seq) for seq in range(start, end + 1)])
        for seq in range(75):
            assert (1, seq) in covered, (cut, seq, gaps, first)
        dropped += first > 0
    assert dropped
    print("littlefs overflow operations", operations, "cuts after the drop", dropped)


main()
print("passed")
