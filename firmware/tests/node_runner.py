"""Runs upy_node.py as a process and reads what it printed."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[1]
SCRIPT = Path(__file__).with_name("upy_node.py")


class Node:
    """One boot of the node; `micropython` None runs it on CPython."""

    def __init__(self, micropython, port, flash, *, boot=1, frames=20, period_ms=20, **options):
        self.log = Path(f"{flash}-{boot}.log")
        if micropython is None:
            command = [sys.executable]
            env = {**os.environ, "PYTHONPATH": str(FIRMWARE)}
        else:
            command, env = micropython.command(), micropython.environment()
        arguments = [port, flash, boot, frames, period_ms]
        arguments += [f"{name}={value}" for name, value in options.items()]
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, str(SCRIPT), *(str(argument) for argument in arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
            )

    def kill(self):
        """A power cut, as far as a process can have one."""
        self._process.kill()
        self._process.wait()

    def wait(self, timeout_s=90):
        """Wait for its end; the counters it printed."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the node did not end:\n{self.text()}") from None
        assert code == 0, self.text()
        lines = [line.split() for line in self.text().splitlines()]
        return {words[1]: int(words[2]) for words in lines if words and words[0] == "count"}

    def text(self):
        """All it printed."""
        return self.log.read_text(errors="replace")


class Proxy:
    """TCP from a port of its own to a broker's, until cut()."""

    def __init__(self, port):
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._pairs = []
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self):
        """End all connections; new ones are taken."""
        for pair in list(self._pairs):
            for one in pair:
                _shut(one)

    def stop(self):
        self._stopping = True
        _shut(self._server)
        self._server.close()
        self.cut()
        self._thread.join()
        for pair in self._pairs:
            for one in pair:
                one.close()

    def _accept(self):
        while not self._stopping:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    _shut(source)
    _shut(sink)


def _shut(one):
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
