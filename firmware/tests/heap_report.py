"""Where a node's heap goes: what each module keeps, from .mpy files and from a ROMFS image.

`python firmware/tests/heap_report.py [ROOT...]` prints bytes by module, largest first, on the Unix
port (64-bit words: about twice a board's objects, the same bytecode). A module's figure is its own:
what it imports is loaded before it. Interned names are paid by whoever names them first, and the
table that holds them doubles: its size stands in the last line.
"""

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from raffinate_rig import rom_launcher
from raffinate_rig.deploy import IMAGE, deploy, firmware_sources
from raffinate_rig.processes import find_tool

# What stays loaded in a running node, then what main.py lets go of again.
ROOTS = ("raffinate_node.hal.unix", "raffinate_node.app", "raffinate_node.evidence")
READERS = ("raffinate_node.config",)

REPORT = """
import asyncio, gc, micropython
asyncio.core, asyncio.Event, asyncio.sleep_ms, asyncio.open_connection
gc.collect()
last = first = gc.mem_alloc()
for name in %r:
    __import__(name)
    gc.collect()
    now = gc.mem_alloc()
    print(name, now - last)
    last = now
print("total", last - first)
micropython.qstr_info()
"""


def import_order(roots: "tuple[str, ...]", known: "dict[str, Path]") -> "list[str]":
    """Every firmware module that the roots import at load, each after what it imports."""
    order: "list[str]" = []

    def visit(name: str) -> None:
        if name not in known or name in order or name in open_names:
            return
        open_names.append(name)
        visit(name.rpartition(".")[0])
        for imported in _imports(known[name]):
            visit(imported)
        order.append(name)

    open_names: "list[str]" = []
    for root in roots:
        visit(root)
    return order


def measure(names: "list[str]", firmware: Path, *, rom: bool) -> "tuple[dict[str, int], str]":
    """Bytes kept by each module and in total; the interpreter's line about interned names."""
    script = REPORT % (names,)
    environment = {**os.environ, "MICROPYPATH": ".frozen"}
    heap = ["-X", "heapsize=4M", "-c"]
    if rom:
        command = [sys.executable, rom_launcher.__file__, firmware / IMAGE, *heap]
        script = rom_launcher.MOUNT + script
    else:
        command = [find_tool("micropython"), *heap]
        environment["MICROPYPATH"] += f":{firmware}"
    done = subprocess.run(
        [*command, script], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"MicroPython ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    *lines, interned = done.stdout.splitlines()
    return {name: int(kept) for name, kept in (line.split() for line in lines)}, interned


def main(roots: "tuple[str, ...]") -> None:
    """Print the table."""
    known = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for name, path in firmware_sources().items()
    }
    names = import_order(roots, known)
    with tempfile.TemporaryDirectory() as cache:
        firmware = deploy(Path(cache))
        files, _ = measure(names, firmware, rom=False)
        image, interned = measure(names, firmware, rom=True)
    print(f"{'.mpy':>8} {'ROMFS':>8}")
    for name in sorted(files, key=lambda name: -image[name]):
        print(f"{files[name]:8} {image[name]:8} {name}")
    print(f"from ROMFS, {interned}")


def _imports(source: Path) -> "list[str]":
    found = []
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or (*ROOTS, *READERS))
