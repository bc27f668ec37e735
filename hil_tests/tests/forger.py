"""A node that the test plays itself: any message, right or wrong, to the real gateway."""

from __future__ import annotations

import secrets
import threading
import time
from base64 import b32encode
from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from paho.mqtt.enums import CallbackAPIVersion

from raffinate_wire import dsse, p256, topics
from raffinate_wire.ack import parse_ack
from raffinate_wire.frame import ZERO_PREV, format_frame, frame_hash
from raffinate_wire.receipt import parse_receipt
from raffinate_wire.statement import EMPTY_ROOT, envelope_hash, format_statement
from raffinate_wire.status import format_online
from system import ORIGIN, SITE, until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate_rig.brokers import Broker

CONNECT_S = 30.0
DIGEST = sha256(b"some file").hexdigest()
CLAIMS = dict.fromkeys(
    ("ueid", "hwmodel", "hwversion", "swname", "swversion", "oemboot", "dbgstat")
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class ForgedNode:
    """A key, a chain of frames and one of statements, and a connection of its own.

    Makers return bytes and go on with the chain; `send` publishes and waits for the PUBACK.
    """

    def __init__(self, broker: Broker, node: str, *, site: str = SITE) -> None:
        self.site, self.node = site, node
        self.point = f"{node}/level"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spki = self.key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.keyid = p256.keyid(self.spki)
        self.boot = 1
        self.start_ms = now_ms()
        self.frame_seq, self.prev = 0, ZERO_PREV
        self.statement_seq, self.statement_prev = 0, bytes(32)
        self.heard: dict[str, list[bytes]] = defaultdict(list)
        self._subscribed = threading.Event()
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, f"forger-{node}")
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = lambda *_: self._subscribed.set()
        self._mqtt.on_message = self._on_message
        self._mqtt.connect(broker.host, broker.port, keepalive=30)

    def __enter__(self) -> Self:
        self._mqtt.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            raise TimeoutError("the broker did not take the forger's subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    @property
    def key16(self) -> str:
        return self.keyid[:16]

    @property
    def code(self) -> str:
        """What the board's console would show."""
        text = b32encode(bytes.fromhex(self.keyid)[:10]).decode()
        return "-".join(text[at : at + 4] for at in range(0, 16, 4))

    def send(self, leaf: str, data: bytes, *, node: str | None = None) -> None:
        """Publish with QoS 1; returns after the broker's PUBACK."""
        topic = topics.topic(self.site, node or self.node, leaf)
        self._mqtt.publish(topic, data, qos=1).wait_for_publish(CONNECT_S)

    def send_all(self, leaf: str, messages: Iterable[bytes]) -> None:
        """Publish with QoS 1, many under way at a time; returns after the last PUBACK."""
        topic = topics.topic(self.site, self.node, leaf)
        for sent in [self._mqtt.publish(topic, data, qos=1) for data in messages]:
            sent.wait_for_publish(CONNECT_S)

    def say_online(self) -> bytes:
        """Publish status with a new nonce and await the resume that answers it."""
        nonce = secrets.token_hex(16)
        count = len(self.heard["resume"])
        self.send("status", format_online(self.boot, self.keyid, nonce, 0))
        until(lambda: len(self.heard["resume"]) > count, f"a resume for {self.node}")
        return self.heard["resume"][-1]

    def frame(
        self,
        value: float = 0.5,
        *,
        seq: int | None = None,
        prev: bytes | None = None,
        at_ms: int | None = None,
        up_ms: int | None = None,
        clock: str = "S",
        site: str | None = None,
        point: str | None = None,
    ) -> bytes:
        """The next frame, with one value of this node's level; a given part is forged."""
        number = self.frame_seq if seq is None else seq
        up = (number + 1) * 1000 if up_ms is None else up_ms
        time_ms = self.start_ms + up if at_ms is None else at_ms
        values = [(point or self.point, "/", round(value * 100_000), 5)]
        data = format_frame(
            site or self.site,
            self.node,
            self.key16,
            self.boot,
            number,
            self.prev if prev is None else prev,
            clock,
            [(None if clock == "U" else time_ms, up, values)],
        )
        if seq is None:
            self.frame_seq += 1
            self.prev = frame_hash(data)
        return data

    def statement(self, kind: str, body: dict[str, Any], **changes: Any) -> bytes:
        """The next signed statement."""
        self.statement_seq += 1
        common = {
            "log": ORIGIN,
            "site": self.site,
            "node": self.node,
            "keyid": self.keyid,
            "seq": self.statement_seq,
            "prev": self.statement_prev.hex(),
            "boot": self.boot,
            "upMs": 1000 * self.statement_seq,
            "timeMs": self.start_ms + 1000 * self.statement_seq,
            "clock": "S",
            "firmware": DIGEST,
            "config": DIGEST,
            "calibration": DIGEST,
            "unreceipted": 0,
            "seen": {"size": 0, "root": EMPTY_ROOT},
            "registers": [],
        } | changes
        data = self.seal(format_statement([("config", DIGEST)], kind, common, body))
        self.statement_prev = envelope_hash(data)
        return data

    def seal(self, payload: bytes, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        """An envelope that names this node's key, signed by it or by another."""
        digest = dsse.digest(dsse.PAYLOAD_STATEMENT, payload)
        der = (key or self.key).sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        r, s = utils.decode_dss_signature(der)
        sig = utils.encode_dss_signature(r, min(s, p256.N - s))
        return dsse.format_envelope(dsse.PAYLOAD_STATEMENT, payload, self.keyid, sig)

    def boot_statement(self) -> bytes:
        body = {
            "spki": self.spki,
            "resetCause": "power-on",
            "lost": None,
            "restored": None,
            "foundRunning": [],
            "claims": CLAIMS,
            "tier": 0,
        }
        return self.statement("boot", body)

    def heartbeat(self, **changes: Any) -> bytes:
        interval = {"fromUpMs": 0, "toUpMs": 1000, "fromMs": None, "toMs": None}
        body = {"interval": interval, "frames": None, "equipment": [], "why": None}
        return self.statement("heartbeat", body, **changes)

    def gap(self, first: int, last: int) -> bytes:
        """The signed word that these frames of this boot were dropped."""
        body = {
            "what": "frames",
            "frames": {"boot": self.boot, "first": first, "last": last, "head": DIGEST},
            "fromMs": None,
            "toMs": None,
            "fromUpMs": 0,
            "toUpMs": 1000,
            "cause": "overflow",
            "registersFrom": [],
            "registersTo": [],
            "statements": None,
            "about": None,
            "actor": None,
        }
        return self.statement("gap", body)

    @property
    def upto(self) -> int:
        """How far this boot's frames are acked; -1 before the first ack."""
        found = [dict(parse_ack(data).boots).get(self.boot, -1) for data in self.heard["ack"]]
        return max(found, default=-1)

    @property
    def rejected(self) -> dict[tuple[int, int], str]:
        """(boot, seq) of this key's rejected frames, with their reasons."""
        acks = [parse_ack(data) for data in self.heard["ack"]]
        return {
            (boot, seq): reason
            for ack in acks
            if ack.key == self.key16
            for boot, seq, reason in ack.rejected
        }

    @property
    def refused(self) -> dict[int, str]:
        """Seqs of refused statements."""
        return {
            seq: reason for data in self.heard["ack"] for seq, reason in parse_ack(data).refused
        }

    @property
    def receipted(self) -> set[int]:
        """Seqs of statements with a receipt."""
        return {parse_receipt(data).seq for data in self.heard["receipt"]}

    def _on_connect(self, *_: object) -> None:
        self._mqtt.subscribe(f"raffinate/1/{self.site}/{self.node}/+", qos=1)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard[message.topic.rpartition("/")[2]].append(bytes(message.payload))
