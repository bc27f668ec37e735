"""A node without network, on MicroPython: the real hal, configuration, drivers, sampler, frames.

Arguments: FRAMES [every]. Each frame is printed as hex, or with `every` the heap after each so
many frames. The environment is that of a node (raffinate_node/hal/unix.py).
"""

import asyncio
import gc
import sys

from raffinate_node import main
from raffinate_node.clock import Clock
from raffinate_node.frames import FrameWriter, frame_bytes
from raffinate_node.instruments import Instruments
from raffinate_node.sampler import Sampler

FRAMES = int(sys.argv[1])
EVERY = int(sys.argv[2]) if len(sys.argv) > 2 else 0

config = main.read_config(main.flash_root())
hal = main.make_hal()
hal.configure(config)
clock = Clock(hal, None)
instruments = Instruments(config, hal, clock.up_ms)


def on_frame(_boot, seq, data, _digest):
    if not EVERY:
        print("frame", bytes(data).hex())
    elif (seq + 1) % EVERY == 0:
        gc.collect()
        print("heap", seq + 1, gc.mem_alloc())
    if seq + 1 >= FRAMES:
        print("scans", sampler.scans + 1, "missed", sampler.missed, "late", sampler.late_ms_max)
        sys.exit(0)


writer = FrameWriter(config, "ab" * 8, 7, frame_bytes(config), on_frame)
sampler = Sampler(
    clock,
    instruments.stages,
    config.scan_ms,
    instruments.begin_scan,
    lambda _up_ms: None,
    writer.on_scan,
    hal.console,
)
asyncio.run(sampler.run(lambda: None))
