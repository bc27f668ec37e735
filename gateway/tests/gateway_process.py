"""A `raffinate gateway` process, and a board's side of the broker, for tests of the whole."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
import time

import httpx
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

import plants
from node_simulator import SimulatedNode
from raffinate.evidence.enrolment import format_code
from raffinate_wire.ack import parse_ack
from raffinate_wire.frame import ZERO_PREV
from raffinate_wire.status import format_online

PATIENCE_S = 60.0
ORIGIN = "demo.invalid/raffinate/ndpr"


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def raffinate(*words):
    command = [sys.executable, "-m", "raffinate", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


class GatewayProcess:
    """The process, its log and its page; `wrapped` are words before its command line."""

    def __init__(self, folder, wrapped=()):
        self.folder = folder
        self.plant = folder / "plant.toml"
        self.wrapped = wrapped
        self.process = None
        self.url = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self):
        command = [sys.executable, "-m", "raffinate", "gateway", "--plant", str(self.plant)]
        with (self.folder / "gateway.log").open("a") as log:
            self.process = subprocess.Popen(
                [*self.wrapped, *command], stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"{line!r}, log: {self.log()}"
        self.url = found[0]
        until(lambda: self.health()["broker"]["state"] == "connected", "the broker session")
        return self

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def end(self, number=15):
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def log(self):
        return (self.folder / "gateway.log").read_text()

    def get(self, path):
        return httpx.get(self.url + path.lstrip("/"), timeout=PATIENCE_S)

    def health(self):
        return self.get("/api/v1/health").json()

    def metrics(self):
        lines = self.get("/metrics").text.splitlines()
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in lines
            if not line.startswith("#")
        }


class Board:
    """A board by hand: keeps every frame until the gateway's ack, sends again on a new epoch."""

    def __init__(self, broker, node="n01"):
        self.node = node
        self.signer = SimulatedNode(node, origin=ORIGIN)
        self.key = self.signer.keyid[:16]
        self.prev, self.seq = ZERO_PREV, 0
        self.held = {}
        self.upto = -1
        self.sent = []
        self.epoch = None
        self._lock = threading.Lock()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{plants.SITE}_{node}",
            clean_session=False,
            protocol=paho.MQTTv311,
        )
        self._client.on_message = self._on_message
        self._client.on_connect = lambda *_: self._client.subscribe(self._topic("ack"), 1)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def say_boot(self):
        self._publish("statement", self.signer.boot())
        self._publish("status", format_online(1, self.signer.keyid, "0" * 32, 0))

    def enrol(self, gateway):
        """Held pending, then enrolled as an operator would, with the code of the board."""
        self.say_boot()
        code = format_code(self.signer.keyid)
        done = raffinate("node", "enrol", self.node, code, "--plant", str(gateway.plant))
        assert done.returncode == 0, done.stderr
        until(lambda: self.epoch is not None, "the ack of the new epoch")

    def send(self, count):
        for _ in range(count):
            data = plants.make_frame(self.seq, self.prev, node=self.node, key=self.key)
            self.prev = hashlib.sha256(data).digest()
            with self._lock:
                self.held[self.seq] = data
            self.sent.append(data)
            self.seq += 1
            self._publish("frame", data)

    def _on_message(self, _client, _data, message):
        ack = parse_ack(bytes(message.payload))
        if ack.key != self.key:
            return
        with self._lock:
            for boot, upto in ack.boots:
                assert boot == 1
                self.upto = max(self.upto, upto)
            for seq in [seq for seq in self.held if seq <= self.upto]:
                del self.held[seq]
            again = list(self.held.items()) if ack.epoch != self.epoch else []
            self.epoch = ack.epoch
        for _, data in sorted(again):
            self._publish("frame", data)

    def _publish(self, leaf, data):
        self._client.publish(self._topic(leaf), data, 1)

    def _topic(self, leaf):
        return f"raffinate/1/{plants.SITE}/{self.node}/{leaf}"
