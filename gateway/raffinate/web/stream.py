"""Server-sent events: what changed, built once and handed to every client.

Events are `latest` (`{"time_ms":…,"points":[…]}`, the changed points only), `health` and
`evidence`. A client's first events carry everything. One that falls behind loses its oldest
events and is then given everything again, so that what it shows is late but never wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from raffinate.web.shapes import encode, samples_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    from raffinate.model import Sample
    from raffinate.web.providers import Providers

QUEUE_MAX = 8

_log = logging.getLogger("raffinate.web")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """`latest` at most once a tick and at least once each `idle_ms_max`, with no points."""

    tick_ms: int = 250
    idle_ms_max: int = 1000
    health_ms: int = 1000
    evidence_ms_max: int = 10_000
    send_ms_max: int = 30_000
    clients_max: int = 256


class Stream:
    """The clients and the task that feeds them; lives on one event loop."""

    def __init__(self, providers: Providers, limits: StreamLimits) -> None:
        self.limits = limits
        self.payloads_built = 0
        self._source = _Source(providers, limits)
        self._clients: set[_Client] = set()
        self._closed = False

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    async def run(self) -> None:
        """Feed the clients until cancelled."""
        while True:
            await asyncio.sleep(self.limits.tick_ms / 1000)
            if self._clients:
                await self._tick()

    def join(self) -> Response | None:
        """The answer to one client; None where `clients_max` are connected."""
        if len(self._clients) >= self.limits.clients_max or self._closed:
            return None
        return _EventResponse(self)

    def close(self) -> None:
        """End every stream, so that a server which is stopping need not wait for them."""
        self._closed = True
        for client in self._clients:
            client.end()

    async def _tick(self) -> None:
        joining = any(client.behind for client in self._clients)
        try:
            change, whole = await asyncio.to_thread(self._source.build, joining)
        except Exception:  # noqa: BLE001
            # A provider's defect must not end the stream for good: the page shows by the events'
            # absence that something is wrong, and the log says what.
            _log.exception("the event stream could not read the gateway's state")
            return
        self.payloads_built += bool(change) + bool(whole)
        for client in self._clients:
            client.put(change, whole)


class _Source:
    """Makes the bytes of a tick; called from one thread at a time."""

    def __init__(self, providers: Providers, limits: StreamLimits) -> None:
        self._of = providers
        self._idle = _Every(limits.idle_ms_max, limits.tick_ms)
        self._health_due = _Every(limits.health_ms, limits.tick_ms)
        self._evidence_due = _Every(limits.evidence_ms_max, limits.tick_ms)
        self._seen: Mapping[str, Sample] = {}
        self._evidence_seen = b""

    def build(self, joining: bool) -> tuple[bytes, bytes]:
        """(what changed, everything if `joining`), each as events ready to send, maybe empty."""
        now_ms = self._of.time_ms()
        latest = self._of.hub.latest()
        changed = [
            sample for point, sample in latest.items() if self._seen.get(point) is not sample
        ]
        self._seen = latest
        evidence = _event("evidence", self._of.evidence())
        idle, health_due, evidence_due = (
            due.tick() for due in (self._idle, self._health_due, self._evidence_due)
        )
        health = _event("health", self._of.health()) if health_due or joining else b""
        change = []
        if changed or idle:
            change.append(_event("latest", _points(now_ms, changed)))
            self._idle.restart()
        if health_due:
            change.append(health)
        if evidence_due or evidence != self._evidence_seen:
            change.append(evidence)
            self._evidence_seen = evidence
        if not joining:
            return b"".join(change), b""
        everything = _event("latest", _points(now_ms, latest.values()))
        return b"".join(change), everything + health + evidence


class _Every:
    """True once each `period_ms` of ticks, and at the first."""

    def __init__(self, period_ms: int, tick_ms: int) -> None:
        self._ticks = max(1, period_ms // tick_ms)
        self._left = 1

    def tick(self) -> bool:
        self._left -= 1
        if self._left > 0:
            return False
        self._left = self._ticks
        return True

    def restart(self) -> None:
        self._left = self._ticks


class _Client:
    """One client's queue. `behind` until it has been given everything."""

    def __init__(self) -> None:
        self.behind = True
        self._queue: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._ended = False

    def put(self, change: bytes, whole: bytes) -> None:
        if self.behind:
            # A client that joined after this tick's bytes were begun waits for the next.
            if not whole:
                return
            self._queue.clear()
            self._queue.append(whole)
            self.behind = False
        elif change:
            self._queue.append(change)
            if len(self._queue) > QUEUE_MAX:
                self._queue.popleft()
                self.behind = True
        self._ready.set()

    def end(self) -> None:
        self._ended = True
        self._ready.set()

    async def take(self) -> bytes | None:
        """The next bytes; None at the end of the stream."""
        while not self._queue and not self._ended:
            self._ready.clear()
            await self._ready.wait()
        return None if self._ended else self._queue.popleft()


class _EventResponse(Response):
    """The endless body of one client."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._stream = stream

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        client = _Client()
        clients = self._stream._clients  # noqa: SLF001 - two halves of one thing
        clients.add(client)
        gone = asyncio.create_task(_end_when_gone(receive, client))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (chunk := await client.take()) is not None:
                async with asyncio.timeout(self._stream.limits.send_ms_max / 1000):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _log.info(
                "a client of the event stream took nothing for %d ms and was let go",
                self._stream.limits.send_ms_max,
            )
        finally:
            gone.cancel()
            clients.discard(client)


async def _end_when_gone(receive: Receive, client: _Client) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.end()


def _points(now_ms: int, samples: Iterable[Sample]) -> dict[str, Any]:
    return {"time_ms": now_ms, "points": samples_json(samples)}


def _event(name: str, value: Any) -> bytes:
    # JSON without white space holds no line break, so that one data line carries it.
    return b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"
