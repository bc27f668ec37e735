"""MQTT 3.1.1 for a client, without I/O (OASIS standard mqtt-v3.1.1).

encode_* return the bytes of one packet; Decoder takes the server's bytes as they come, in any
pieces, and gives events. Bytes that no server may send raise MqttError; nothing else is raised.
A PUBLISH above the size limit is no error: its payload is thrown away as it arrives and its event
has payload None, so that the client acknowledges it and the server does not send it for ever.

Only QoS 0 and 1 are spoken; a QoS 2 packet is an error, as the client never asks for it.
"""

import struct

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
PINGRESP = 13

PINGREQ_PACKET = b"\xc0\x00"
DISCONNECT_PACKET = b"\xe0\x00"
REMAINING_MAX = 268435455
TOPIC_BYTES_MAX = 192
PUBLISH_HEAD_BYTES_MAX = 5 + 2 + TOPIC_BYTES_MAX + 2
# Most packets fit into this; a larger one has a buffer of its own while it comes.
BUFFER_BYTES = 2048
SUBACK_FAILURE = 0x80

# CONNACK codes (3.1.1, table 3.1): only 3 passes by itself.
REFUSED = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker refuses the client id",
    3: "the broker is not available",
    4: "wrong user or password",
    5: "not authorised",
}
REFUSED_PASSING = 3
# Bytes after the fixed header, least and most.
_LENGTHS = {CONNACK: (2, 2), PUBACK: (2, 2), SUBACK: (3, 66), PINGRESP: (0, 0)}


class MqttError(Exception):
    """The server broke the protocol; the connection must be closed."""


class Event:
    """One packet from the server; which members hold a value depends on `kind`.

    CONNACK: session_present, code. PUBLISH: topic, payload (bytes, None: above the limit), qos,
    packet_id (None at QoS 0), dup, retain. PUBACK: packet_id. SUBACK: packet_id, payload (codes).
    """

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.packet_id: int | None = None
        self.topic = ""
        self.payload: bytes | None = b""
        self.qos = 0
        self.dup = False
        self.retain = False
        self.session_present = False
        self.code = 0


class Decoder:
    """Holds one packet of at most packet_bytes_max at a time; one without room in RAM is skipped.

    Either feed(data) any bytes, or read into space() and tell received(n); then take events with
    next_event() until it gives None.
    """

    def __init__(self, packet_bytes_max: int) -> None:
        if packet_bytes_max < PUBLISH_HEAD_BYTES_MAX:
            raise ValueError(f"packet_bytes_max below {PUBLISH_HEAD_BYTES_MAX}")
        self._packet_bytes_max = packet_bytes_max
        self._own = bytearray(min(BUFFER_BYTES, packet_bytes_max))
        self._start = 0
        self._end = 0
        self._use(self._own)
        self._skip_bytes = 0
        self._oversize: Event | None = None
        self.oversize_count = 0

    def reset(self) -> None:
        """Forget a half packet: a new connection begins."""
        self._use(self._own)
        self._skip_bytes = 0
        self._oversize = None

    def space(self) -> memoryview:
        """Where to read into; never empty once next_event() gave None."""
        if self._start:
            kept = bytes(self._view[self._start : self._end])
            self._buffer[: len(kept)] = kept
            self._start, self._end = 0, len(kept)
        return self._view[self._end :]

    def received(self, n: int) -> None:
        """The first n bytes of space() hold new bytes."""
        self._end += n

    def feed(self, data: "bytes | bytearray | memoryview") -> "list[Event]":
        """Take bytes of any number and return the events they complete; raise MqttError."""
        events = []
        view = memoryview(data)
        while view:
            space = self.space()
            n = min(len(space), len(view))
            space[:n] = view[:n]
            self.received(n)
            view = view[n:]
            event = self.next_event()
            while event is not None:
                events.append(event)
                event = self.next_event()
        return events

    def next_event(self) -> "Event | None":
        """The next whole packet, or None until more bytes come; raise MqttError."""
        if self._oversize is not None:
            return self._skip()
        have = self._end - self._start
        if have < 2:
            return None
        remaining, head_bytes = self._remaining(have)
        if remaining is None:
            return None
        first = self._buffer[self._start]
        if head_bytes + remaining > len(self._buffer) and not self._grow(head_bytes + remaining):
            return self._begin_oversize(first, head_bytes, remaining, have)
        if have < head_bytes + remaining:
            return None
        body = self._view[self._start + head_bytes : self._start + head_bytes + remaining]
        event = _decode(first, body)
        self._start += head_bytes + remaining
        if self._buffer is not self._own:
            self._use(self._own)
        return event

    def _use(self, buffer: bytearray) -> None:
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._start = self._end = 0

    def _grow(self, packet_bytes: int) -> bool:
        """Go on in a buffer for just this packet; False where it may not or cannot be so large."""
        if packet_bytes > self._packet_bytes_max:
            return False
        try:
            buffer = bytearray(packet_bytes)
        except MemoryError:
            return False
        have = self._end - self._start
        buffer[:have] = self._view[self._start : self._end]
        self._use(buffer)
        self._end = have
        return True

    def _remaining(self, have: int) -> "tuple[int | None, int]":
        """(remaining length or None, bytes of the fixed header)."""
        value = 0
        for i in range(4):
            if 1 + i >= have:
                return None, 0
            octet = self._buffer[self._start + 1 + i]
            value |= (octet & 0x7F) << (7 * i)
            if not octet & 0x80:
                if i and not octet:
                    raise MqttError("remaining length is not in its shortest form")
                return value, 2 + i
        raise MqttError("remaining length of more than 4 octets")

    def _begin_oversize(
        self, first: int, head_bytes: int, remaining: int, have: int
    ) -> "Event | None":
        """Take topic and packet id of a PUBLISH that does not fit, then skip what follows."""
        if first >> 4 != PUBLISH:
            raise MqttError(f"packet type {first >> 4} of {remaining} bytes")
        if have < head_bytes + 2:
            return None
        at = self._start + head_bytes
        topic_bytes = (self._buffer[at] << 8) | self._buffer[at + 1]
        if topic_bytes > TOPIC_BYTES_MAX:
            raise MqttError(f"a topic of {topic_bytes} bytes, above {TOPIC_BYTES_MAX}")
        variable_bytes = 2 + topic_bytes + (2 if first & 0x06 else 0)
        if have < head_bytes + variable_bytes:
            return None
        event = _decode_publish(first, self._view[at : at + variable_bytes])
        event.payload = None
        self._oversize = event
        self._skip_bytes = remaining - variable_bytes
        self._start = at + variable_bytes
        self.oversize_count += 1
        return self._skip()

    def _skip(self) -> "Event | None":
        n = min(self._skip_bytes, self._end - self._start)
        self._skip_bytes -= n
        self._start += n
        if self._skip_bytes:
            return None
        event, self._oversize = self._oversize, None
        return event


def encode_connect(
    client_id: str,
    keepalive_s: int,
    user: "str | None" = None,
    password: "str | None" = None,
    will: "tuple[str, bytes] | None" = None,
) -> bytes:
    """CONNECT with clean session 0; `will` is (topic, payload), QoS 1 and retained."""
    flags = 0
    tail = [_text(client_id)]
    if will is not None:
        flags |= 0x04 | 0x08 | 0x20
        tail.append(_text(will[0]))
        tail.append(_binary(will[1]))
    if user is not None:
        flags |= 0x80
        tail.append(_text(user))
        if password is not None:
            flags |= 0x40
            tail.append(_text(password))
    head = b"\x00\x04MQTT\x04" + struct.pack(">BH", flags, keepalive_s)
    body = head + b"".join(tail)
    return b"\x10" + encode_remaining(len(body)) + body


def encode_subscribe(packet_id: int, topics: "list[str]") -> bytes:
    """SUBSCRIBE to each topic filter at QoS 1."""
    body = struct.pack(">H", packet_id) + b"".join([_text(topic) + b"\x01" for topic in topics])
    return b"\x82" + encode_remaining(len(body)) + body


def encode_puback(packet_id: int) -> bytes:
    """PUBACK."""
    return struct.pack(">BBH", 0x40, 2, packet_id)


def encode_publish_head(
    topic: bytes, payload_bytes: int, packet_id: int, dup: bool = False, retain: bool = False
) -> bytes:
    """All of a QoS 1 PUBLISH that stands before its payload; raise ValueError above the limits."""
    remaining = 2 + len(topic) + 2 + payload_bytes
    if len(topic) > TOPIC_BYTES_MAX or remaining > REMAINING_MAX:
        raise ValueError("topic or payload above the limit")
    first = 0x32 | (0x08 if dup else 0) | (0x01 if retain else 0)
    return (
        bytes((first,))
        + encode_remaining(remaining)
        + struct.pack(">H", len(topic))
        + topic
        + struct.pack(">H", packet_id)
    )


def encode_remaining(n: int) -> bytes:
    """The remaining length, 1 to 4 octets; raise ValueError above 268,435,455."""
    if not 0 <= n <= REMAINING_MAX:
        raise ValueError(f"remaining length {n}")
    out = bytearray()
    while True:
        octet = n & 0x7F
        n >>= 7
        if not n:
            out.append(octet)
            return bytes(out)
        out.append(octet | 0x80)


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(data: bytes) -> bytes:
    if len(data) > 65535:
        raise ValueError(f"{len(data)} bytes in a field of at most 65,535")
    return struct.pack(">H", len(data)) + data


def _decode(first: int, body: memoryview) -> Event:
    kind = first >> 4
    if kind == PUBLISH:
        return _decode_publish(first, body)
    if first & 0x0F:
        raise MqttError(f"reserved flags in packet type {kind}")
    if kind not in _LENGTHS:
        raise MqttError(f"packet type {kind} is not for a client of QoS 1")
    least, most = _LENGTHS[kind]
    if not least <= len(body) <= most:
        raise MqttError(f"packet type {kind} of {len(body)} bytes")
    event = Event(kind)
    if kind == CONNACK:
        if body[0] > 1 or (body[0] and body[1]):
            raise MqttError("malformed CONNACK")
        event.session_present = bool(body[0])
        event.code = body[1]
    elif kind != PINGRESP:
        event.packet_id = _packet_id(body, 0)
        event.payload = bytes(body[2:])
    return event


def _decode_publish(first: int, body: memoryview) -> Event:
    event = Event(PUBLISH)
    event.qos = (first >> 1) & 3
    event.dup = bool(first & 0x08)
    event.retain = bool(first & 0x01)
    if event.qos > 1:
        raise MqttError(f"PUBLISH with QoS {event.qos}")
    if event.dup and not event.qos:
        raise MqttError("DUP at QoS 0")
    if len(body) < 2:
        raise MqttError("malformed PUBLISH")
    topic_end = 2 + ((body[0] << 8) | body[1])
    at = topic_end + 2 * event.qos
    if not 2 < topic_end <= 2 + TOPIC_BYTES_MAX or at > len(body):
        raise MqttError("malformed PUBLISH topic")
    try:
        event.topic = bytes(body[2:topic_end]).decode()
    except UnicodeError:
        raise MqttError("PUBLISH topic is not UTF-8") from None
    if "\x00" in event.topic or "+" in event.topic or "#" in event.topic:
        raise MqttError("PUBLISH topic with a wildcard or NUL")
    if event.qos:
        event.packet_id = _packet_id(body, topic_end)
    event.payload = bytes(body[at:])
    return event


def _packet_id(body: memoryview, at: int) -> int:
    packet_id = (body[at] << 8) | body[at + 1]
    if not packet_id:
        raise MqttError("packet id 0")
    return packet_id
