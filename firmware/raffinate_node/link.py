"""The node's MQTT session: one connection at a time, resumed where it broke.

The link pulls. When its window has room it asks its source for the next message, streams it to
the broker in chunks, and holds its packet id until the PUBACK. A message is not kept here: to send
it again the link reads it from its owner again, which gives the same bytes.

Rules: clean session 0; after a resume (session present) what was in flight goes out first, with the
same ids and DUP; without, the source is told and starts over, and subscriptions are made again. No
deadline passes unseen: each ends the connection, and the next comes after a full-jitter backoff.
"""

import asyncio

from raffinate_node import aio, mqtt_codec
from raffinate_node.transport import open_stream
from raffinate_node.window import Slot, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Deadlines and sizes; the constructor's `limits` may name any of them.
LIMITS = {
    "window": 4,
    "network_ms": 30000,
    "tcp_ms": 10000,  # DNS and TCP together
    "connack_ms": 10000,
    "suback_ms": 10000,
    "puback_ms": 20000,
    "pingresp_ms": 10000,
    "write_ms": 10000,  # for each chunk: no progress for this long is a dead link
    "chunk_bytes": 512,
    "inbound_bytes_max": 8192 + 320,
    "backoff_ms_min": 1000,
    "backoff_ms_max": 60000,
    "steady_ms": 30000,  # a session that lived this long starts the backoff anew
}
PENDING_PUBACKS_MAX = 32
POLL_MS = 100


class LinkError(Exception):
    """The connection is over; says why."""


class RefusedError(LinkError):
    """The broker refused the client for good: trying faster does not help."""


class Counters:
    """What the link has seen since boot."""

    def __init__(self) -> None:
        self.connects = 0
        self.resumes = 0
        self.failures = 0
        self.published = 0
        self.pubacked = 0
        self.sent_dup = 0
        self.pubacks_unknown = 0
        self.oversize = 0
        self.handler_errors = 0


class Link:
    """Runs the session for ever; see the module.

    `broker` is node.json's member. `source` has: topics() -> list of filters; will() -> (topic,
    payload); next_message() -> message or None; on_message(topic, payload or None);
    on_session(present) when a session is up, before anything is sent; on_down(reason).
    A message has topic (bytes), retain, size() -> bytes or None when it no longer needs sending,
    read_into(offset, view) -> n, hold(), unhold(), on_puback() and on_lost().
    """

    def __init__(
        self,
        hal: "Any",
        broker: "dict[str, Any]",
        client_id: str,
        source: "Any",
        limits: "dict[str, int] | None" = None,
        *,
        opener: "Callable[[str, int], Any]" = open_stream,
    ) -> None:
        self._hal = hal
        self._broker = broker
        self._client_id = client_id
        self._source = source
        self._limits = LIMITS
        if limits is not None:
            self._limits = dict(LIMITS)
            self._limits.update(limits)
        self._opener = opener
        self._decoder = mqtt_codec.Decoder(self._limits["inbound_bytes_max"])
        self._chunk = bytearray(self._limits["chunk_bytes"])
        self._window = Window(self._limits["window"])
        self._pubacks: list[int] = []
        self._subscribed = False
        self._failures_running = 0
        self.counters = Counters()
        self.is_up = False
        self.reason = "not connected yet"
        self._stream: Any = None
        self._wake_event: Any = None
        self._begin()

    def wake(self) -> None:
        """There may be something to send."""
        if self._wake_event is not None:
            self._wake_event.set()

    async def run(self, beat: "Callable[[], None]") -> None:
        """Connect, serve, and connect again, for ever; beat is called at least every second."""
        while True:
            refused = False
            started = self._hal.ticks_ms()
            try:
                await self._session(beat)
            except RefusedError as error:
                refused = True
                self.reason = str(error)
            except (LinkError, mqtt_codec.MqttError) as error:
                self.reason = str(error)
            except aio.TimeoutError:
                self.reason = "no answer in time"
            except OSError as error:
                self.reason = f"network error {error.errno}"
            finally:
                await self._close()
            self.counters.failures += 1
            self._source.on_down(self.reason)
            if self._passed_ms(started) >= self._limits["steady_ms"]:
                self._failures_running = 0
            await self._pause(self._backoff_ms(refused), beat)

    # The connection's life

    def _begin(self) -> None:
        self._failed: str | None = None
        self._ping_due = False
        self._ping_ticks: int | None = None
        self._write_ticks: int | None = None
        self._sent_ticks = self._hal.ticks_ms()
        self._suback_id = 0
        self._suback_codes: bytes | None = None
        self._connack: Any = None
        self._decoder.reset()
        self._pubacks.clear()

    async def _session(self, beat: "Callable[[], None]") -> None:
        self._begin()
        self._wake_event = asyncio.Event()
        limits = self._limits
        if not await self._beaten(self._hal.network_up(), limits["network_ms"], beat):
            raise LinkError("no network")
        opening = self._opener(self._broker["host"], self._broker["port"])
        self._stream = await self._beaten(opening, limits["tcp_ms"], beat)
        reader = aio.spawn(self._guard(self._read))
        writer = None
        try:
            await self._connect(beat)
            writer = aio.spawn(self._guard(self._write))
            while self._failed is None:
                beat()
                self._check_deadlines()
                await aio.sleep_ms(POLL_MS)
            raise LinkError(self._failed)
        finally:
            self.is_up = False
            await aio.cancel(reader)
            if writer is not None:
                await aio.cancel(writer)

    async def _connect(self, beat: "Callable[[], None]") -> None:
        """CONNECT and, where needed, SUBSCRIBE; raise unless the broker agrees to both."""
        broker, source = self._broker, self._source
        packet = mqtt_codec.encode_connect(
            self._client_id,
            broker["keepalive_s"],
            broker.get("user"),
            broker.get("password"),
            source.will(),
        )
        await self._beaten(self._stream.write(packet), self._limits["write_ms"], beat)
        await self._until(lambda: self._connack is not None, self._limits["connack_ms"], beat)
        code = self._connack.code
        if code:
            told = mqtt_codec.REFUSED.get(code, "unknown reason")
            kind = LinkError if code == mqtt_codec.REFUSED_PASSING else RefusedError
            raise kind(f"broker refused the connection: {told} (CONNACK {code})")
        present = self._connack.session_present
        self.counters.connects += 1
        self.counters.resumes += present
        if not present:
            self._subscribed = False
        self._window.settle(present)
        if not self._subscribed:
            await self._subscribe(beat)
        self.is_up = True
        self.reason = ""
        source.on_session(present)

    async def _subscribe(self, beat: "Callable[[], None]") -> None:
        # The first connection of a boot subscribes even when the broker has a session: this
        # firmware may want other topics, and retained permits come at each subscription.
        topics = self._source.topics()
        self._suback_id = self._window.next_id()
        packet = mqtt_codec.encode_subscribe(self._suback_id, topics)
        await self._beaten(self._stream.write(packet), self._limits["write_ms"], beat)
        await self._until(lambda: self._suback_codes is not None, self._limits["suback_ms"], beat)
        codes = self._suback_codes or b""
        if mqtt_codec.SUBACK_FAILURE in codes or len(codes) != len(topics):
            raise RefusedError("broker refused a subscription: check the node's rights there")
        self._suback_id = 0
        self._subscribed = True

    async def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _guard(self, work: "Callable[[], Any]") -> None:
        """Run the reader or the writer; its end is the connection's end."""
        try:
            await work()
        except OSError as error:
            self._fail(f"network error {error.errno}")
        except (LinkError, mqtt_codec.MqttError) as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - no defect may leave the session half alive
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        if self._failed is None:
            self._failed = reason

    def _check_deadlines(self) -> None:
        if self._is_over(self._write_ticks, "write_ms"):
            raise LinkError("the broker takes no more bytes")
        if self._is_over(self._ping_ticks, "pingresp_ms"):
            raise LinkError("no PINGRESP in time")
        for slot in self._window.slots:
            if slot.sent and self._is_over(slot.sent_ticks, "puback_ms"):
                raise LinkError(f"no PUBACK in time for packet {slot.packet_id}")
        idle_ms = self._passed_ms(self._sent_ticks)
        if self._ping_ticks is None and idle_ms >= self._broker["keepalive_s"] * 500:
            self._ping_due = True
            self.wake()

    def _is_over(self, since_ticks: "int | None", limit: str) -> bool:
        return since_ticks is not None and self._passed_ms(since_ticks) > self._limits[limit]

    # The reader

    async def _read(self) -> None:
        decoder = self._decoder
        while True:
            n = await self._stream.readinto(decoder.space())
            if not n:
                raise LinkError("the broker closed the connection")
            decoder.received(n)
            event = decoder.next_event()
            while event is not None:
                self._take(event)
                while len(self._pubacks) >= PENDING_PUBACKS_MAX:
                    await aio.sleep_ms(5)
                event = decoder.next_event()

    def _take(self, event: mqtt_codec.Event) -> None:
        kind = event.kind
        if kind == mqtt_codec.CONNACK:
            if self._connack is not None:
                raise LinkError("a second CONNACK")
            self._connack = event
        elif self._connack is None:
            raise LinkError("the broker's first packet is no CONNACK")
        elif kind == mqtt_codec.PUBLISH:
            self._take_publish(event)
        elif kind == mqtt_codec.PUBACK:
            self._take_puback(event)
        elif kind == mqtt_codec.SUBACK:
            if event.packet_id != self._suback_id:
                raise LinkError("a SUBACK nobody asked for")
            self._suback_codes = event.payload
        else:
            self._ping_ticks = None

    def _take_publish(self, event: mqtt_codec.Event) -> None:
        if event.payload is None:
            self.counters.oversize += 1
        try:
            self._source.on_message(event.topic, event.payload)
        except Exception as error:  # noqa: BLE001 - one bad message must not come back for ever
            self.counters.handler_errors += 1
            told = f"{type(error).__name__}: {error}"
            self._hal.console(f"raffinate error message {event.topic}: {told}")
        if event.packet_id is not None:
            self._pubacks.append(event.packet_id)
            self.wake()

    def _take_puback(self, event: mqtt_codec.Event) -> None:
        message = self._window.acknowledge(event.packet_id or 0)
        if message is None:
            self.counters.pubacks_unknown += 1
            return
        self.counters.pubacked += 1
        message.on_puback()
        self.wake()

    # The writer

    async def _write(self) -> None:
        wake = self._wake_event
        while True:
            if not await self._write_next():
                wake.clear()
                await wake.wait()

    async def _write_next(self) -> bool:
        """Send what is most due; return False when nothing is."""
        if self._pubacks:
            await self._send(mqtt_codec.encode_puback(self._pubacks[0]))
            self._pubacks.pop(0)
            return True
        if self._ping_due:
            self._ping_due = False
            self._ping_ticks = self._hal.ticks_ms()
            await self._send(mqtt_codec.PINGREQ_PACKET)
            return True
        slot = self._window.due()
        if slot is None:
            slot = self._window.free()
            message = None if slot is None else self._source.next_message()
            if slot is None or message is None:
                return False
            self._window.fill(slot, message)
        await self._send_slot(slot)
        return True

    async def _send_slot(self, slot: Slot) -> None:
        message = slot.message
        message.hold()
        try:
            size = message.size()
            if size is None:
                self._window.drop(slot)  # let go while the link was down
                return
            # Counted as sent from its first byte: its PUBACK may come before drain() returns.
            slot.sent_ticks = self._hal.ticks_ms()
            slot.sent = True
            self.counters.published += 1
            self.counters.sent_dup += slot.dup
            await self._send_message(slot, message, size)
            slot.sent_ticks = self._hal.ticks_ms()
        finally:
            message.unhold()

    async def _send_message(self, slot: Slot, message: "Any", size: int) -> None:
        head = mqtt_codec.encode_publish_head(
            message.topic, size, slot.packet_id, slot.dup, message.retain
        )
        chunk = self._chunk
        filled = len(head)
        chunk[:filled] = head
        view = memoryview(chunk)
        offset = 0
        while True:
            while offset < size and filled < len(chunk):
                end = filled + min(size - offset, len(chunk) - filled)
                n = message.read_into(offset, view[filled:end])
                if n <= 0:
                    raise LinkError("a message vanished while it was sent")
                offset += n
                filled += n
            await self._send(view[:filled])
            if offset == size:
                return
            filled = 0

    async def _send(self, data: "bytes | memoryview") -> None:
        self._write_ticks = self._hal.ticks_ms()
        await self._stream.write(data)
        self._write_ticks = None
        self._sent_ticks = self._hal.ticks_ms()

    # Helpers

    def _passed_ms(self, ticks: int) -> int:
        passed: int = self._hal.ticks_diff(self._hal.ticks_ms(), ticks)
        return passed

    def _backoff_ms(self, refused: bool) -> int:
        """Full jitter: 0 to a cap that doubles. A refusal waits half the largest cap and more."""
        high = self._limits["backoff_ms_max"]
        cap = min(high, self._limits["backoff_ms_min"] << min(self._failures_running, 16))
        self._failures_running += 1
        number = int.from_bytes(self._hal.random(4), "big")
        return high // 2 + number % (high // 2) if refused else number % cap

    async def _pause(self, ms: int, beat: "Callable[[], None]") -> None:
        while ms > 0:
            beat()
            await aio.sleep_ms(min(ms, 500))
            ms -= 500

    async def _until(
        self, ready: "Callable[[], bool]", ms: int, beat: "Callable[[], None]"
    ) -> None:
        started = self._hal.ticks_ms()
        while not ready():
            if self._failed is not None:
                raise LinkError(self._failed)
            if self._passed_ms(started) > ms:
                raise aio.TimeoutError
            beat()
            await aio.sleep_ms(5)

    async def _beaten(self, coroutine: "Any", ms: int, beat: "Callable[[], None]") -> "Any":
        """Await with a deadline, beating meanwhile."""
        result: list[Any] = []

        async def work() -> None:
            try:
                result.append((await coroutine, None))
            except Exception as error:  # noqa: BLE001 - raised again below, in the caller's task
                result.append((None, error))

        task = aio.spawn(work())
        started = self._hal.ticks_ms()
        try:
            while not result:
                if self._passed_ms(started) > ms:
                    raise aio.TimeoutError
                beat()
                await aio.sleep_ms(5)
        finally:
            await aio.cancel(task)
        value, error = result[0]
        if error is not None:
            raise error
        return value
