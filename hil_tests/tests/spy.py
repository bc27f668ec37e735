"""An ear on the broker with a durable session: what nodes sent and what the gateway promised them.

It is the tests' own record. Frames and statements by identity, each with the bytes that came first
and a note where others came later; acks and receipts as promises that must be kept.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from raffinate_rig.processes import wait_until
from raffinate_wire import dsse, statement
from raffinate_wire.ack import parse_ack
from raffinate_wire.errors import WireError
from raffinate_wire.frame import Frame, parse_frame
from raffinate_wire.receipt import Receipt, parse_receipt

if TYPE_CHECKING:
    from raffinate_rig.brokers import Broker

Identity = tuple[str, int, int]
CONNECT_S = 30.0


class Spy:
    """Subscribed to a whole site; thread-safe to read between messages."""

    def __init__(self, broker: Broker, site: str = "ndpr") -> None:
        self.frames: dict[Identity, Frame] = {}
        self.frame_bytes: dict[Identity, bytes] = {}
        self.statements: dict[tuple[str, int], bytes] = {}
        self.upto: dict[tuple[str, int], int] = {}
        self.rejected: dict[Identity, str] = {}
        self.receipts: dict[tuple[str, int], Receipt] = {}
        self.heard: dict[str, int] = defaultdict(int)
        self.changed: list[str] = []
        self.problems: list[str] = []
        self._epochs: dict[tuple[str, int], dict[int, tuple[int, int]]] = {}
        self._site = site
        self._subscribed = threading.Event()
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, "spy", clean_session=False)
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = lambda *_: self._subscribed.set()
        self._mqtt.on_message = self._on_message
        self._mqtt.reconnect_delay_set(1, 1)
        self._mqtt.connect(broker.host, broker.port, keepalive=10)

    def __enter__(self) -> Self:
        self._mqtt.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            raise TimeoutError("the broker did not take the spy's subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def newest(self, key: str, boot: int) -> int:
        """The highest seq heard of a boot, -1 before the first."""
        seqs = [
            seq for at_key, at_boot, seq in list(self.frames) if (at_key, at_boot) == (key, boot)
        ]
        return max(seqs, default=-1)

    def wait_frames(self, count: int, timeout_s: float = 60.0) -> None:
        """Until `count` new frames have come."""
        start = len(self.frames)
        wait_until(lambda: len(self.frames) >= start + count, f"{count} frames", timeout_s)

    def wait_receipts(self, count: int, timeout_s: float = 60.0) -> None:
        """Until `count` more statements have a receipt."""
        start = len(self.receipts)
        wait_until(lambda: len(self.receipts) >= start + count, f"{count} receipts", timeout_s)

    def unacked(self) -> list[Identity]:
        """Frames heard that no ack has passed yet."""
        return [
            (key, boot, seq)
            for key, boot, seq in list(self.frames)
            if seq > self.upto.get((key, boot), -1) and (key, boot, seq) not in self.rejected
        ]

    def taken_back(self) -> list[str]:
        """Acks of one run of the gateway that a later run did not know of.

        Within a run their order says nothing: brokers deliver late and in another order.
        """
        found = []
        for place, epochs in list(self._epochs.items()):
            ordered = [epochs[epoch] for epoch in sorted(epochs)]
            found += [
                f"{place}: {before[1]}, then {after[0]}"
                for before, after in pairwise(ordered)
                if after[0] < before[1]
            ]
        return found

    def unreceipted(self) -> list[tuple[str, int]]:
        """Statements heard that have no receipt yet."""
        return [identity for identity in list(self.statements) if identity not in self.receipts]

    def _on_connect(self, *_: object) -> None:
        self._mqtt.subscribe(f"raffinate/1/{self._site}/+/+", qos=1)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        leaf = message.topic.rpartition("/")[2]
        data = bytes(message.payload)
        self.heard[leaf] += 1
        try:
            if leaf == "frame":
                self._on_frame(data)
            elif leaf == "statement":
                self._on_statement(data)
            elif leaf == "ack":
                self._on_ack(data)
            elif leaf == "receipt":
                receipt = parse_receipt(data)
                self.receipts[receipt.keyid, receipt.seq] = receipt
        except WireError as error:
            self.problems.append(f"{leaf}: {error}: {data[:200]!r}")

    def _on_frame(self, data: bytes) -> None:
        frame = parse_frame(data)
        identity = (frame.key16, frame.boot, frame.seq)
        if self.frame_bytes.setdefault(identity, data) != data:
            self.changed.append(f"frame {identity}")
        self.frames.setdefault(identity, frame)

    def _on_statement(self, data: bytes) -> None:
        envelope = dsse.parse_envelope(data)
        identity = (envelope.keyid, statement.parse_statement(envelope.payload).seq)
        if self.statements.setdefault(identity, data) != data:
            self.changed.append(f"statement {identity}")

    def _on_ack(self, data: bytes) -> None:
        ack = parse_ack(data)
        for boot, upto in ack.boots:
            place = (ack.key, boot)
            self.upto[place] = max(upto, self.upto.get(place, -1))
            epochs = self._epochs.setdefault(place, {})
            low, high = epochs.get(ack.epoch, (upto, upto))
            epochs[ack.epoch] = (min(low, upto), max(high, upto))
        for boot, seq, reason in ack.rejected:
            self.rejected[ack.key, boot, seq] = reason
