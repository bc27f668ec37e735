"""Block erases on littlefs for what a node writes; MicroPython only.

A RAM block device of a Pico W's file system (212 blocks of 4 KB) counts erases. Prints, for each
kind of write, erases in 1,000 of them.
"""

import sys

import vfs

sys.path.insert(0, __file__.rsplit("/", 1)[0])

from outbox_tools import Ack, Bench
from raffinate_node.store import Store

BLOCK = 4096
BLOCKS = 212
COUNT = 1500
WARM = 300


class Flash:
    def __init__(self):
        self.data = bytearray(b"\xff" * (BLOCK * BLOCKS))
        self.erases = 0

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        self.data[at : at + len(buffer)] = buffer

    def ioctl(self, op, _):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            self.erases += 1
        return 0


def measure(name, flash, write):
    for number in range(WARM):
        write(number)
    before = flash.erases
    for number in range(WARM, WARM + COUNT):
        write(number)
    print("wear", name, (flash.erases - before) * 1000 // COUNT)


def mounted():
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=256, readsize=256)
    vfs.mount(vfs.VfsLfs2(flash, progsize=256, readsize=256), "/flash")
    return flash


def main():
    flash = mounted()
    store = Store("/flash")
    store.put_int("boot", 1)
    measure("value", flash, lambda number: store.put_int("floor", number))

    bench = Bench("/flash", flash_bytes_max=524288, ram_bytes_max=20480, group_bytes=8192)

    def statement(number):
        bench.statement(number + 1, 1800)
        bench.send_all()
        bench.box.release_statement(number + 1)

    measure("statement", flash, statement)

    def spilled(number):
        bench.put(1, 1500)
        if number % 100 == 99:
            bench.box.on_ack(Ack([(1, number)]))

    measure("spilled", flash, spilled)
    vfs.umount("/flash")


main()
