"""The far end of one node's uplink, for rigs without a gateway: hears all, answers if told to."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from raffinate_rig.processes import wait_until
from raffinate_wire import topics
from raffinate_wire.ack import format_ack
from raffinate_wire.errors import WireError
from raffinate_wire.frame import Frame, parse_frame
from raffinate_wire.resume import format_resume
from raffinate_wire.status import Status, parse_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate_rig.brokers import Broker

CONNECT_S = 30.0


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """A frame with its exact bytes."""

    frame: Frame
    data: bytes

    def value(self, point: str) -> float | str | None:
        """The point in the first scan: a number, an NE 107 text, or None where it is absent."""
        for name, unit, content, decimals in self.frame.scans[0][2]:
            if name == point:
                return (
                    content
                    if unit is None or isinstance(content, str)
                    else (content / 10**decimals)
                )
        return None


class Listener:
    """Subscribed to one node; frames by identity, statements and statuses in order of coming.

    With `answers` it gives the node what a gateway without history would: the time of `now_ms`,
    and acks for frames as far as they came without a hole. Both may be changed at any time.
    """

    def __init__(
        self,
        broker: Broker,
        site: str,
        node: str,
        *,
        answers: bool = True,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.frames: dict[tuple[str, int, int], HeardFrame] = {}
        self.order: list[tuple[str, int, int]] = []
        self.statements: list[bytes] = []
        self.statuses: list[Status] = []
        self.problems: list[str] = []
        self.answers = answers
        self.now_ms = now_ms
        self._site, self._node = site, node
        self._epoch = 1
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, f"listener-{node}")
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = lambda *_: self._subscribed.set()
        self._mqtt.on_message = self._on_message
        self._mqtt.reconnect_delay_set(1, 2)
        self._mqtt.connect(broker.host, broker.port, keepalive=30)

    def __enter__(self) -> Self:
        self._mqtt.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            raise TimeoutError("the broker did not take the listener's subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    @property
    def newest(self) -> HeardFrame:
        """The frame that came last; raises IndexError before the first."""
        with self._lock:
            return self.frames[self.order[-1]]

    def permit(self, equipment: str, envelope: bytes) -> None:
        """Publish a permit as the gateway does, retained."""
        topic = topics.permit_topic(self._site, self._node, equipment)
        self._mqtt.publish(topic, envelope, qos=1, retain=True)

    def new_epoch(self) -> None:
        """From now on answer as another run of the gateway does: the node asks for the time."""
        self._epoch += 1

    def wait_frames(self, count: int, timeout_s: float = 60.0) -> list[HeardFrame]:
        """The next `count` frames that come from now on, in order of coming."""
        with self._lock:
            start = len(self.order)
        wait_until(lambda: len(self.order) >= start + count, f"{count} frames", timeout_s)
        with self._lock:
            return [self.frames[identity] for identity in self.order[start : start + count]]

    def wait_value(
        self, point: str, condition: Callable[[float | str | None], bool], timeout_s: float = 60.0
    ) -> HeardFrame:
        """The first frame from now on whose value of `point` meets `condition`."""
        with self._lock:
            seen = len(self.order)
        found: list[HeardFrame] = []

        def heard() -> bool:
            nonlocal seen
            with self._lock:
                fresh = [self.frames[identity] for identity in self.order[seen:]]
            seen += len(fresh)
            found.extend(one for one in fresh if condition(one.value(point)))
            return bool(found)

        wait_until(heard, f"a value of {point}", timeout_s)
        return found[0]

    def _on_connect(self, *_: object) -> None:
        base = topics.topic(self._site, self._node, "frame").rpartition("/")[0]
        self._mqtt.subscribe(f"{base}/+", qos=1)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        leaf = message.topic.rpartition("/")[2]
        try:
            if leaf == "frame":
                self._on_frame(bytes(message.payload))
            elif leaf == "statement":
                self.statements.append(bytes(message.payload))
            elif leaf == "status" and message.payload:
                self._on_status(parse_status(bytes(message.payload)))
        except WireError as error:
            self.problems.append(f"{leaf}: {error}: {bytes(message.payload)[:200]!r}")

    def _on_frame(self, data: bytes) -> None:
        frame = parse_frame(data)
        identity = (frame.key16, frame.boot, frame.seq)
        with self._lock:
            known = self.frames.get(identity)
            if known is not None and known.data != data:
                self.problems.append(f"frame {identity} came with other bytes")
            if known is None:
                self.order.append(identity)
                self.frames[identity] = HeardFrame(frame, data)
            boots = self._contiguous(frame.key16)
        if self.answers:
            self._publish("ack", format_ack(frame.key16, self._epoch, boots, [], []))

    def _contiguous(self, key16: str) -> list[tuple[int, int]]:
        boots: dict[int, set[int]] = {}
        for key, boot, seq in self.frames:
            if key == key16:
                boots.setdefault(boot, set()).add(seq)
        result = []
        for boot in sorted(boots)[-16:]:
            upto = -1
            while upto + 1 in boots[boot]:
                upto += 1
            if upto >= 0:
                result.append((boot, upto))
        return result

    def _on_status(self, status: Status) -> None:
        self.statuses.append(status)
        if status.online and self.answers and status.nonce is not None:
            answer = format_resume(status.keyid, status.boot, status.nonce, self.now_ms(), b"")
            self._publish("resume", answer)

    def _publish(self, leaf: str, data: bytes) -> None:
        self._mqtt.publish(topics.topic(self._site, self._node, leaf), data, qos=1)
