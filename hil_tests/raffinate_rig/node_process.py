"""The rig `unix`: a node as a process of real MicroPython, with a flash folder and a bus."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from raffinate_rig import rom_launcher
from raffinate_rig.deploy import IMAGE
from raffinate_rig.processes import ProcessError, Program, find_tool, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONSOLE_PREFIX = "raffinate "
ENROL_PREFIX = "enrol-code "
ERROR_PREFIX = "error "
# 64-bit words; what the heap goal of a board is measured with is `160K`.
HEAP_DEFAULT = "1M"
# A node that resets itself ends with this; the rig starts it again.
RESET_EXIT_CODE = 3
BOOT = "from raffinate_node.main import main\nmain()"
LOG_BYTES_MAX = 4 << 20
PASSED_ON = ("PATH", "LANG", "LC_ALL", "HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line a node wrote; `kind` is `enrol-code`, `ready`, `error`, `notice` or `output`."""

    kind: str
    text: str


class NodeProcess:
    """One node: start, kill -9, restart; its flash outlives it.

    `firmware` is a folder of deploy.deploy; its ROMFS image, where it has one, is the board's flash
    from which code runs in place. `heap` is the -X heapsize value (`160K` counts 64-bit words). The
    console says how large it is every `heap_every` scans (0: never). It is kept in a log that is
    cut when it grows beyond LOG_BYTES_MAX.
    """

    def __init__(
        self,
        name: str,
        *,
        firmware: Path,
        flash: Path,
        bus: str,
        speed: int = 1,
        heap: str = HEAP_DEFAULT,
        heap_every: int = 0,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self.flash = flash
        self.log = log or flash.with_name(f"{flash.name}.log")
        self._heap = heap
        self._image = firmware / IMAGE
        # Another MicroPython than PyPI's, found on PATH, loads the .mpy files into its heap.
        self._runs_rom = (
            self._image.exists() and importlib.util.find_spec("micropython_unix") is not None
        )
        self._program: Program | None = None
        # an earlier rig's lines in the same log are no news
        self._read_bytes = self.log.stat().st_size if self.log.exists() else 0
        self._start_bytes = self._read_bytes
        self._env = {key: value for key, value in os.environ.items() if key in PASSED_ON} | {
            # .frozen holds asyncio
            "MICROPYPATH": ".frozen" if self._runs_rom else f".frozen:{firmware}",
            "RAFFINATE_BUS": bus,
            "RAFFINATE_SPEED": str(speed),
            "RAFFINATE_HEAP_EVERY": str(heap_every),
            "RAFFINATE_FLASH": str(flash),
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._program is not None and self._program.running

    @property
    def pid(self) -> int:
        """The process id; raises ProcessError when it was never started."""
        if self._program is None:
            raise ProcessError(f"node {self.name} was not started")
        return self._program.pid

    @property
    def exit_code(self) -> int | None:
        """How the last process ended, None while it runs."""
        return self._program.exit_code if self._program is not None else None

    def start(self, cause: str = "power-on") -> None:
        """Power on, with the reset cause the node will read. The flash must hold node.json."""
        if self.running:
            raise ProcessError(f"node {self.name} runs already (process {self.pid})")
        if not (self.flash / "node.json").exists():
            raise ProcessError(f"node {self.name} has no {self.flash / 'node.json'}")
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.unlink()
            self._read_bytes = 0
        self._start_bytes = self.log.stat().st_size if self.log.exists() else 0
        self._program = Program(
            self._arguments(),
            self.log,
            env=self._env | {"RAFFINATE_RESET_CAUSE": cause},
            cwd=self.flash,
        )

    def kill(self) -> None:
        """Power off without warning (kill -9)."""
        if self._program is not None:
            self._program.kill()

    def stop(self) -> None:
        """End it; a node has no orderly end, its flash must bear this."""
        self.kill()

    def restart(self) -> None:
        """Kill -9 and start again with the same flash."""
        self.kill()
        self.start()

    def wipe(self) -> None:
        """Lose everything in flash but node.json; the node must not run."""
        self._must_be_off("wipe")
        for path in self.flash.iterdir():
            if path.name == "node.json":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def corrupt(self, pattern: str, *, offset: int = -1, flip: int = 0x40) -> list[Path]:
        """Flip bits of one byte in each flash file that matches; the node must not run.

        A negative offset counts from the end. Returns the files changed.
        """
        self._must_be_off("corrupt")
        changed = []
        for path in sorted(self.flash.rglob(pattern)):
            if not path.is_file() or not path.stat().st_size:
                continue
            content = bytearray(path.read_bytes())
            content[offset % len(content)] ^= flip
            path.write_bytes(content)
            changed.append(path)
        return changed

    def new_lines(self) -> list[ConsoleLine]:
        """Console lines since the last call, whole ones only."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._read_bytes)
            content = log.read()
        end = content.rfind(b"\n") + 1
        self._read_bytes += end
        return [_parsed(line) for line in content[:end].decode("utf-8", "replace").splitlines()]

    def lines(self) -> Iterator[ConsoleLine]:
        """Console lines since the last start."""
        if not self.log.exists():
            return
        with self.log.open("rb") as log:
            log.seek(self._start_bytes)
            for line in log:
                yield _parsed(line.decode("utf-8", "replace").rstrip("\n"))

    def enrol_code(self) -> str | None:
        """The code the console showed since the last start."""
        return next((line.text for line in self.lines() if line.kind == "enrol-code"), None)

    def errors(self) -> list[str]:
        """Error lines and everything a traceback wrote since the last start."""
        return [line.text for line in self.lines() if line.kind in ("error", "output")]

    def wait_for(self, kind: str, timeout_s: float = 60.0) -> ConsoleLine:
        """The first line of this kind since the start; raises ProcessError, TimeoutError."""
        found: list[ConsoleLine] = []

        def seen() -> bool:
            found.extend(line for line in self.lines() if line.kind == kind)
            if not found and not self.running:
                tail = self._program.tail() if self._program else "never started"
                raise ProcessError(f"node {self.name} ended before its {kind}:\n{tail}")
            return bool(found)

        wait_until(seen, f"node {self.name}: {kind}", timeout_s)
        return found[0]

    def _arguments(self) -> list[str | Path]:
        heap = ["-X", f"heapsize={self._heap}"]
        micropython = find_tool("micropython")
        if self._runs_rom:
            launcher: list[str | Path] = [sys.executable, rom_launcher.__file__, self._image]
            return [*launcher, *heap, "-c", rom_launcher.MOUNT + BOOT]
        # through the interpreter: a script's first line has no room for a long path
        return [sys.executable, micropython, *heap, "-m", "raffinate_node.main"]

    def _must_be_off(self, what: str) -> None:
        if self.running:
            raise ProcessError(f"node {self.name} runs: kill it before you {what} its flash")


def _parsed(line: str) -> ConsoleLine:
    if not line.startswith(CONSOLE_PREFIX):
        return ConsoleLine("output", line)
    text = line.removeprefix(CONSOLE_PREFIX)
    if text.startswith(ENROL_PREFIX):
        return ConsoleLine("enrol-code", text.removeprefix(ENROL_PREFIX).strip())
    if text.startswith(ERROR_PREFIX):
        return ConsoleLine("error", text.removeprefix(ERROR_PREFIX))
    return ConsoleLine("ready" if text.strip() == "ready" else "notice", text)
