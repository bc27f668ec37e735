"""The gateway's MQTT session: paho-mqtt, MQTT 3.1.1, durable, acknowledged by hand.

The broker gets its PUBACK only for what the worker says is on disk. A message id means something
within one connection alone, so ids carry the connection's number and those of an earlier one are
forgotten: the broker sends such messages again. What came with QoS 0 has no id, and a broker ends
the connection that acknowledges it: it gets one that no connection has.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from raffinate.ingest.presence import REFRESH_S, PresenceProbe, presence_topic
from raffinate.model import Inbound
from raffinate_wire import topics
from raffinate_wire.frame import FRAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paho.mqtt.reasoncodes import ReasonCode

    from raffinate.config import Broker
    from raffinate.ingest.inbox import Inbox
    from raffinate.ingest.presence import Presence
    from raffinate.model import Outgoing

LEAVES = (topics.FRAME, topics.STATEMENT, topics.STATUS)
BACKOFF_S_MIN = 0.5
BACKOFF_S_MAX = 30.0
READS_PER_WAKE_MAX = 200
OUTGOING_MAX = 20_000
CONNECT_S_MAX = 10.0
# paho looks at each message in flight at every PUBACK.
INFLIGHT_MAX = 20
GOODBYE_S_MAX = 2.0
MID_BITS = 16
NO_MID = 0
# Twice what anything may have: of what is longer, only so much is kept to be refused.
MESSAGE_BYTES_MAX = 2 * FRAME_BYTES_MAX
NO_TOPIC = "a topic that is not UTF-8"

SessionWord = Literal["connected", "connecting", "refused", "kicked"]

log = logging.getLogger("raffinate.mqtt")


class MqttSession:
    """One fixed client id a site. `publish`, `ack`, `state` may be called from any thread."""

    def __init__(
        self,
        broker: Broker,
        site: str,
        inbox: Inbox,
        presence: Presence,
        *,
        time_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._broker = broker
        self._inbox = inbox
        self._time_ms = time_ms
        self.client_id = f"raffinate-gateway-{site}"
        self._filters = [(f"{topics.PREFIX}/{site}/+/{leaf}", 1) for leaf in LEAVES]
        self._generation = 0
        self._state: tuple[SessionWord, str] = ("connecting", "")
        self._connected = False
        self._reads = 0
        self._presence = presence
        self._presence_topic = presence_topic(site)
        self._probe = PresenceProbe(broker, site, presence.instance)
        self._stopping = threading.Event()
        self._again = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._woken = False
        self._lock = threading.Lock()
        self._to_ack: list[int] = []
        self._to_publish: list[Outgoing] = []
        self._client = self._make_client()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.publish_dropped = 0

    def start(self) -> None:
        """Connect, and stay connected, in a thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Send what is waiting, disconnect, end the thread."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._wake_reader.close()
        self._wake_writer.close()

    def state(self) -> tuple[SessionWord, str]:
        """(connected, connecting, refused or kicked; a sentence for the operator)."""
        return self._state

    def ack(self, mids: Iterable[int]) -> None:
        """Acknowledge messages to the broker; those of an earlier connection are forgotten."""
        with self._lock:
            self._to_ack.extend(mids)
        self._wake()

    def publish(self, messages: Iterable[Outgoing]) -> None:
        """Send with QoS 1. Without a connection they are dropped: nodes ask anew on a new one."""
        with self._lock:
            self._to_publish.extend(messages)
            surplus = len(self._to_publish) - OUTGOING_MAX
            if surplus > 0:
                del self._to_publish[:surplus]
                self.publish_dropped += surplus
        self._wake()

    def reconnect(self) -> None:
        """Begin a new connection, so that the broker sends again what was not acknowledged."""
        self._again.set()
        self._wake()

    def _make_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S_MAX
        client.max_inflight_messages_set(INFLIGHT_MAX)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        # With this set, paho leaves all writing to this thread's loop.
        client.on_socket_register_write = lambda *_: None
        return client

    def _run(self) -> None:
        backoff = BACKOFF_S_MIN
        while not self._stopping.is_set():
            self._again.clear()
            self._connected = False
            try:
                if self._is_free():
                    self._client.connect(
                        self._broker.host, self._broker.port, keepalive=self._broker.keepalive_s
                    )
                    self._pump()
            except OSError as exc:
                reason = exc.strerror or exc
                self._say("connecting", f"no session with the broker at {self._where()}: {reason}")
            self._client.disconnect()
            self._flush()
            backoff = BACKOFF_S_MIN if self._connected else min(backoff * 2, BACKOFF_S_MAX)
            if not self._again.is_set():
                self._stopping.wait(backoff)

    def _is_free(self) -> bool:
        """Whether no other gateway serves this site; one that does is waited for, not fought."""
        other = self._probe.other(self._stopping)
        if other is None:
            return True
        self._say(
            "kicked",
            f"another gateway serves this site ({other.where}) through the broker at "
            f"{self._where()}; stop one of them. This one waits and takes over when the other ends",
        )
        return self._probe.wait_gone(self._stopping)

    def _pump(self) -> None:
        """Move packets until the connection ends or is to end."""
        refresh_s = 0.0
        while not self._stopping.is_set() and not self._again.is_set():
            sock = self._client.socket()
            if sock is None or not self._turn(sock):
                return
            if self._connected and time.monotonic() >= refresh_s:
                refresh_s = time.monotonic() + REFRESH_S
                self._announce(self._presence)
        if self._connected:
            self._send_waiting()
            if self._stopping.is_set():
                self._announce(replace(self._presence, online=False))
            self._flush()

    def _flush(self) -> None:
        """Send what is queued, a goodbye to the broker too, for a while."""
        deadline = time.monotonic() + GOODBYE_S_MAX
        while self._client.want_write() and time.monotonic() < deadline:
            if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return

    def _turn(self, sock: Any) -> bool:
        """Wait for something to do and do it; False when the connection is gone."""
        client = self._client
        writing = [sock] if client.want_write() else []
        readable, _, _ = select.select([sock, self._wake_reader], writing, [], 1.0)
        if self._wake_reader in readable:
            # In this order: a wake between the two must not be swallowed with its flag still up.
            self._wake_reader.recv(4096)
            self._woken = False
            self._send_waiting()
        if sock in readable and not self._read_all():
            return False
        while client.want_write() and self._writable(client):
            if client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
        return client.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _announce(self, presence: Presence) -> None:
        self._client.publish(self._presence_topic, presence.encode(), qos=1, retain=True)

    @staticmethod
    def _writable(client: paho.Client) -> bool:
        sock = client.socket()
        return sock is not None and bool(select.select([], [sock], [], 0)[1])

    def _read_all(self) -> bool:
        """Read packets while they bring messages; False when the connection is gone."""
        for _ in range(READS_PER_WAKE_MAX):
            before = self._reads
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
            if self._reads == before:
                return True
        return True

    def _send_waiting(self) -> None:
        with self._lock:
            mids, self._to_ack = self._to_ack, []
            messages, self._to_publish = self._to_publish, []
        client = self._client
        if not client.is_connected():
            self.publish_dropped += len(messages)
            return
        generation = self._generation
        for mid in mids:
            if mid >> MID_BITS == generation:
                client.ack(mid & 0xFFFF, 1)
        for message in messages:
            client.publish(message.topic, message.payload, qos=1, retain=message.retain)

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            try:
                self._wake_writer.send(b"w")
            except OSError:
                return

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._say(
                "refused",
                f"the broker at {self._where()} refuses this gateway: {reason}; check user and "
                "password in plant.toml's [broker]",
            )
            return
        self._generation += 1
        self._connected = True
        client.subscribe(self._filters)
        self._say("connected", "")

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._connected and not self._stopping.is_set() and not self._again.is_set():
            self._say("connecting", f"the broker at {self._where()} ended the connection: {reason}")

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._reads += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:  # a broker should not let it through
            topic = NO_TOPIC
        if topic == self._presence_topic:
            if message.qos:
                client.ack(message.mid, 1)
            return
        mid = self._generation << MID_BITS | message.mid if message.qos else NO_MID
        payload = bytes(message.payload[:MESSAGE_BYTES_MAX])
        self._inbox.put(Inbound(topic, payload, mid, self._time_ms()))

    def _say(self, state: SessionWord, detail: str) -> None:
        if (state, detail) != self._state:
            self._state = (state, detail)
            log.warning("%s", detail) if detail else log.info("broker: %s", state)

    def _where(self) -> str:
        return f"{self._broker.host}:{self._broker.port}"
