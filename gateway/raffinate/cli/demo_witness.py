"""The demo's witness: a process of its own, under its own key, in its own folder."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from raffinate.errors import RaffinateError
from raffinate.witness import folder as places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME: Final = "demo.invalid/witness"
INTERVAL_S: Final = 4
LOG_S: Final = 8
STOP_WITHIN_S: Final = 5.0
_BLOCK = re.compile(r"\n# -- demo: witness\n.*?# -- end\n", re.DOTALL)


class DemoWitness:
    """A witness in `folder`; `show` runs a `raffinate` command where the user sees it."""

    def __init__(self, folder: Path, log: Path, show: Callable[..., None]) -> None:
        self._folder = folder
        self._log = log
        self._show = show
        self._process: subprocess.Popen[bytes] | None = None
        self.vkey = ""

    def prepare(self, plant: Path, port: int) -> None:
        """Make the witness once; name it in plant.toml at `port` of 127.0.0.1."""
        if not self._folder.exists():
            self._show("witness", "init", str(self._folder), "--name", NAME)
        self.vkey = places.Folder(self._folder).verifier.vkey()
        self._port = port
        before = plant.read_text("utf-8")
        text = _BLOCK.sub("", before) + (
            "\n# -- demo: witness\n[[witnesses]]\n"
            f'key = "{self.vkey}"\nurl = "http://127.0.0.1:{port}"\n'
            f"[anchors]\ninterval_s = {INTERVAL_S}\nlog_s = {LOG_S}\n# -- end\n"
        )
        if text != before:
            part = plant.with_suffix(".part")
            part.write_text(text, "utf-8")
            part.replace(plant)

    def trust(self, origin: str, keys: list[str]) -> None:
        """Let it cosign the demo's log, once."""
        if origin not in places.Folder(self._folder).logs():
            words = [word for key in keys for word in ("--key", key)]
            self._show("witness", "trust", str(self._folder), "--origin", origin, *words)

    def start(self) -> None:
        """Serve until `stop`."""
        words = ("witness", "serve", str(self._folder), "--port", str(self._port))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "raffinate", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def mind(self) -> None:
        """Raise RaffinateError when it ended."""
        if self._process is not None and self._process.poll() is not None:
            last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise RaffinateError(f"the witness ended: {' '.join(last)} (log: {self._log})")

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
