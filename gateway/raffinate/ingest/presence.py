"""Which gateway serves a site: one retained message, refreshed while its gateway is connected.

`raffinate/1/{site}/gateway/status`: `{"gateway":"<instance>","where":"<host, data folder>",
"online":true}`. `gateway` is no node's name, so no node speaks there. An instance is one data
folder: a gateway that was killed and started again is the same one.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from raffinate_wire import topics

if TYPE_CHECKING:
    import threading

    from raffinate.config import Broker

REFRESH_S = 20.0
GONE_S = 65.0  # three refreshes missed
ANSWER_S = 0.5  # a broker sends a retained message just after the SUBACK
CONNECT_S_MAX = 10.0
PRESENCE_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True)
class Presence:
    """One gateway's word that it serves the site."""

    instance: str
    where: str
    online: bool = True

    def encode(self) -> bytes:
        """The message's bytes."""
        return orjson.dumps({"gateway": self.instance, "where": self.where, "online": self.online})

    @classmethod
    def decode(cls, data: bytes) -> Presence | None:
        """The presence in a message; None where it is something else."""
        try:
            found = orjson.loads(data[:PRESENCE_BYTES_MAX])
            return cls(str(found["gateway"]), str(found["where"]), found["online"] is True)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None


def presence_topic(site: str) -> str:
    """Where the gateways of a site announce themselves."""
    return f"{topics.PREFIX}/{site}/gateway/{topics.STATUS}"


class PresenceProbe:
    """Looks at the broker, under a name of its own, before a gateway takes the site's session."""

    def __init__(self, broker: Broker, site: str, instance: str) -> None:
        self._broker = broker
        self._topic = presence_topic(site)
        self._instance = instance
        self._subscribed = False
        self._failure = ""
        self._heard: list[Presence | None] = []

    def other(self, stopping: threading.Event) -> Presence | None:
        """Another gateway that may be serving; None when there is none. Raises OSError."""
        return self._listen(stopping, ANSWER_S, first=True)

    def wait_gone(self, stopping: threading.Event) -> bool:
        """Listen to the other gateway; True once it said goodbye or missed its refreshes."""
        return self._listen(stopping, GONE_S, first=False) is None

    def _listen(
        self, stopping: threading.Event, listen_s: float, *, first: bool
    ) -> Presence | None:
        """The last foreign presence heard; without `first` the retained one does not count."""
        client = self._client()
        client.connect(self._broker.host, self._broker.port, keepalive=60)
        deadline = time.monotonic() + CONNECT_S_MAX
        listening = False
        try:
            while time.monotonic() < deadline and not stopping.is_set():
                if not self._turn(client):
                    raise ConnectionError(self._failure or "the broker ended the connection")
                if self._subscribed and not listening:
                    listening, deadline = True, time.monotonic() + listen_s
                known = [item for item in self._heard if item is not None]
                if known and (first or not known[-1].online or len(known) > 1):
                    return self._foreign(known[-1])
            if not listening and not stopping.is_set():
                raise ConnectionError("the broker does not answer")
            return None
        finally:
            client.disconnect()
            while client.want_write():
                if client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    break

    def _foreign(self, presence: Presence) -> Presence | None:
        return None if presence.instance == self._instance or not presence.online else presence

    def _client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"raffinate-probe-{self._instance}",
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S_MAX
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        self._subscribed, self._failure, self._heard = False, "", []

        def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
            if reason.is_failure:
                self._failure = f"the broker refuses this gateway: {reason}"
            else:
                client.subscribe(self._topic, 1)

        def on_subscribe(*_: Any) -> None:
            self._subscribed = True

        def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
            self._heard.append(Presence.decode(bytes(message.payload)))

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        return client

    @staticmethod
    def _turn(client: paho.Client) -> bool:
        sock = client.socket()
        if sock is None:
            return False
        writing = [sock] if client.want_write() else []
        readable, writable, _ = select.select([sock], writing, [], 0.1)
        if readable and client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if writable and client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        return client.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS
