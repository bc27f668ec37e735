"""What the linked firmware takes of a heap before it runs, by kind of object.

`python firmware/tests/heap_report.py` loads the app from its ROMFS image on the Unix port
(64-bit words: about twice a board's objects) and prints what a collection leaves: bytes, blocks of
each kind as `micropython.mem_info(1)` marks them, and how many names the heap holds.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from raffinate_rig import rom_launcher
from raffinate_rig.deploy import IMAGE, deploy

BLOCK_BYTES = 32
KINDS = {
    "h": "tables, classes, buffers",
    "B": "functions",
    "S": "texts and bytes",
    "D": "dictionaries",
    "T": "tuples",
    "F": "floats",
    "L": "lists",
    "A": "arrays",
    "M": "modules",
}
REPORT = """
import asyncio, gc, micropython
asyncio.core, asyncio.Event, asyncio.sleep_ms
gc.collect()
before = gc.mem_alloc()
import raffinate_node.app
gc.collect()
print("loaded", gc.mem_alloc() - before)
micropython.mem_info(1)
micropython.qstr_info()
"""


def blocks(text: str) -> "Counter[str]":
    """Bytes by kind, of the lines of mem_info(1)."""
    marks = "".join(re.findall(r"^[0-9a-f]{8}: (.*)$", text, re.MULTILINE))
    found: "Counter[str]" = Counter()
    for piece in re.findall(r"[a-zA-Z]=*", marks):
        found[piece[0]] += BLOCK_BYTES * len(piece)
    return found


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        image = deploy(Path(folder)) / IMAGE
        done = subprocess.run(
            [
                *(sys.executable, rom_launcher.__file__, image, "-X", "heapsize=4M"),
                *("-c", rom_launcher.MOUNT + REPORT),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"MicroPython ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    print(f"{re.findall('loaded ([0-9]+)', done.stdout)[0]:>8} bytes loaded; in the whole heap:")
    for kind, count in blocks(done.stdout).most_common():
        print(f"{count:>8} {KINDS.get(kind, kind)}")
    print(f"{re.findall('n_qstr=([0-9]+)', done.stdout)[-1]:>8} names")


if __name__ == "__main__":
    main()
