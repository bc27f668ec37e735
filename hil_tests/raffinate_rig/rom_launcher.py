"""Starts MicroPython's Unix port with a ROMFS image in its address space, as a board has flash.

`python rom_launcher.py IMAGE ARGUMENT...` maps the file outside MicroPython's heap, names its place
in RAFFINATE_ROM (`<address>:<bytes>`) and runs MicroPython with the arguments in this process.
A board's MicroPython mounts its ROM partition by itself; MOUNT does that for the Unix port.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path

PLACE = "RAFFINATE_ROM"
# Run by MicroPython (-c), which finds the image by its place.
MOUNT = f"""import os, sys, uctypes, vfs
at, size = os.getenv("{PLACE}").split(":")
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(int(at), int(size))), "/rom")
sys.path.append("/rom")
del os, sys, uctypes, vfs, at, size
"""


def run(image: Path, arguments: list[str]) -> int:
    """Run MicroPython to its end; its exit status."""
    from micropython_unix import (  # type: ignore[import-untyped]  # noqa: PLC0415 - raffinate[demo]
        run_main,
    )

    with image.open("rb") as file:
        # private: ctypes gives the address of writable memory alone, and the file stays as it is
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    os.environ[PLACE] = f"{start}:{len(memory)}"
    status: int = run_main(["micropython", *arguments])
    return status


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
