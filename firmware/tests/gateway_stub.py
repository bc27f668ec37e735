"""The gateway's half of the protocol in a few lines, so that a node can be tested alone.

Stores what comes, acks it, answers a status with the time and a statement with a receipt. It is a
paho client on a real broker; each behaviour can be turned off, and it can be killed and started.
"""

import threading
import time
import uuid

import paho.mqtt.client as mqtt

from raffinate_wire.ack import format_ack
from raffinate_wire.resume import format_resume
from raffinate_wire.status import parse_status

KEYID = "ab" * 32
TOPIC = "raffinate/1/ndpr/n01/"


class Gateway:
    """Runs on threads of paho; read its lists under its lock or once it is stopped."""

    def __init__(self, port: int, *, acks: bool = True, epoch: int = 1, name: str = "") -> None:
        self.acks = acks
        self.epoch = epoch
        self.frames: list[tuple[int, int]] = []
        self.bytes_of: dict[tuple[int, int], set[bytes]] = {}
        self._upto: dict[int, int] = {}
        self.statements: list[int] = []
        self.statuses: list[object] = []
        self.lock = threading.Lock()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=name or f"gw{uuid.uuid4().hex[:8]}",
            clean_session=not name,
        )
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._ready = threading.Event()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(TOPIC + leaf, payload, qos=1, retain=retain).wait_for_publish(10)

    def ack(self) -> None:
        with self.lock:
            payload = format_ack(KEYID[:16], self.epoch, self._boots(), [], [])
        self._client.publish(TOPIC + "ack", payload, qos=1)

    def unique(self) -> set[tuple[int, int]]:
        with self.lock:
            return set(self.frames)

    def wait_for(self, condition, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "the node did not do it in time"
            time.sleep(0.05)

    def _boots(self) -> list[tuple[int, int]]:
        for boot in self._upto:
            while (boot, self._upto[boot] + 1) in self.bytes_of:
                self._upto[boot] += 1
        return [(boot, upto) for boot, upto in sorted(self._upto.items()) if upto >= 0][-16:]

    def _on_connect(self, client, *_) -> None:
        client.subscribe([(TOPIC + leaf, 1) for leaf in ("frame", "statement", "status")])

    def _on_message(self, client, _, message) -> None:
        leaf = message.topic.rsplit("/", 1)[1]
        if leaf == "frame":
            self._on_frame(message.payload)
        elif leaf == "statement":
            number = int(message.payload.split()[1])
            with self.lock:
                self.statements.append(number)
            if self.acks:
                client.publish(TOPIC + "receipt", str(1000 + number).encode(), qos=1)
        else:
            self._on_status(client, message.payload)

    def _on_frame(self, payload: bytes) -> None:
        _, boot, seq, _ = payload.split(b" ", 3)
        key = (int(boot), int(seq))
        with self.lock:
            self.frames.append(key)
            self.bytes_of.setdefault(key, set()).add(payload)
            self._upto.setdefault(key[0], -1)
        if self.acks:
            self.ack()

    def _on_status(self, client, payload: bytes) -> None:
        status = parse_status(payload)
        with self.lock:
            self.statuses.append(status)
        if status.online and self.acks:
            answer = format_resume(KEYID, status.boot, status.nonce, int(time.time() * 1000), b"")
            client.publish(TOPIC + "resume", answer, qos=1)
