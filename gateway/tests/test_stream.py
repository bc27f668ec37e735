"""The event stream: what a client is given, in which order, and what a slow one loses."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from page_server import Fixture, served
from raffinate.model import Sample
from raffinate.web.stream import QUEUE_MAX, StreamLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = tuple[str, Any]
FAST = StreamLimits(tick_ms=20, idle_ms_max=100, health_ms=40, evidence_ms_max=60_000)


class Moving(Fixture):
    """Providers that stand still until told to move."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._samples = {
            point: Sample(point, 1.0, "good", 1_000) for point in list(self.plant.points)[:5]
        }
        self.denials = 0

    def latest(self) -> dict[str, Sample]:
        with self._lock:
            return dict(self._samples)

    def set(self, point: str, value: float | None, quality: str, time_ms: int) -> None:
        with self._lock:
            self._samples[point] = Sample(point, value, quality, time_ms)

    def evidence(self) -> Any:
        return {**super().evidence(), "log": {"size": self.denials}}


@contextmanager
def following(address: str) -> Iterator[Iterator[Event]]:
    """The events of a new client, one by one."""
    with httpx.stream("GET", f"{address}/api/v1/stream", timeout=30) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[Event]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def _next(events: Iterator[Event], name: str, having: Any = lambda _data: True) -> Any:
    for found, data in events:
        if found == name and having(data):
            return data
    raise AssertionError(f"the stream ended without {name}")


@pytest.fixture
def moving() -> Moving:
    return Moving()


@pytest.fixture
def address(moving: Moving) -> Iterator[str]:
    with served(moving.app(limits=FAST)) as base:
        yield base


def test_a_new_client_is_given_everything_first(address: str, moving: Moving) -> None:
    with following(address) as events:
        first = [next(events) for _ in range(3)]
    assert [name for name, _ in first] == ["latest", "health", "evidence"]
    assert {p["point"] for p in first[0][1]["points"]} == set(moving.latest())
    assert first[0][1]["points"] == httpx.get(f"{address}/api/v1/latest").json()


def test_then_only_what_changed(address: str, moving: Moving) -> None:
    point = next(iter(moving.latest()))
    with following(address) as events:
        _next(events, "evidence")
        moving.set(point, None, "F:open", 2_000)
        changed = _next(events, "latest", lambda data: data["points"])
    assert changed["points"] == [
        {"point": point, "value": None, "quality": "F:open", "time": "1970-01-01T00:00:02.000Z"}
    ]


def test_an_idle_plant_still_shows_that_the_gateway_lives(address: str) -> None:
    with following(address) as events:
        _next(events, "evidence")
        idle = _next(events, "latest")
        health = _next(events, "health")
    assert idle["points"] == []
    assert idle["time_ms"] > 0
    assert health["broker"]["state"] == "connected"


def test_evidence_comes_when_it_changes(address: str, moving: Moving) -> None:
    with following(address) as events:
        assert _next(events, "evidence")["log"]["size"] == 0
        moving.denials = 7
        assert _next(events, "evidence")["log"]["size"] == 7


def test_a_payload_is_built_once_for_all_clients(moving: Moving) -> None:
    app = moving.app(limits=StreamLimits(tick_ms=20, idle_ms_max=60_000, health_ms=60_000))
    stream = app.state.stream
    with served(app) as base, httpx.Client() as client:
        held = [client.stream("GET", f"{base}/api/v1/stream") for _ in range(20)]
        opened = [one.__enter__() for one in held]
        try:
            readers = [_events(response) for response in opened]
            for events in readers:
                _next(events, "evidence")
            before = stream.payloads_built
            assert stream.clients == 20
            moving.set("e01/ph", 3.25, "good", 9_000)
            got = [_next(events, "latest", lambda d: d["points"]) for events in readers]
            assert stream.payloads_built == before + 1
        finally:
            for one in held:
                one.__exit__(None, None, None)
    assert all(data["points"] == got[0]["points"] for data in got)


def test_a_client_that_left_is_forgotten(moving: Moving) -> None:
    app = moving.app(limits=FAST)
    with served(app) as base:
        with following(base) as events:
            _next(events, "evidence")
            assert app.state.stream.clients == 1
        while app.state.stream.clients:
            threading.Event().wait(0.01)


def test_one_client_too_many_is_told_so(moving: Moving) -> None:
    app = moving.app(limits=StreamLimits(tick_ms=20, clients_max=1))
    with served(app) as base, following(base) as events:
        _next(events, "evidence")
        refused = httpx.get(f"{base}/api/v1/stream")
    assert refused.status_code == 503
    assert refused.json()["detail"] == "1 clients follow the stream already; close one"


def test_streams_end_when_the_server_stops(moving: Moving) -> None:
    with served(moving.app(limits=FAST)) as base:
        opened = following(base)
        events = opened.__enter__()
        _next(events, "evidence")
    # `served` has seen the server's thread end; the client sees a whole, ended body.
    for _ in events:
        pass
    opened.__exit__(None, None, None)


def test_a_provider_that_fails_does_not_end_the_stream(
    moving: Moving, caplog: pytest.LogCaptureFixture
) -> None:
    broken = threading.Event()
    sound = moving.health

    def health() -> Any:
        if broken.is_set():
            raise ZeroDivisionError
        return sound()

    moving.health = health  # type: ignore[method-assign]
    app = moving.app(limits=FAST)
    with served(app) as base, following(base) as events:
        _next(events, "evidence")
        broken.set()
        while "could not read the gateway's state" not in caplog.text:
            threading.Event().wait(0.01)
        broken.clear()
        moving.set("e01/ph", 5.5, "good", 5_000)
        assert _next(events, "latest", lambda data: data["points"])["points"][0]["value"] == 5.5


class _SlowClient:
    """A connection that takes bytes only when told to."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.second = asyncio.Event()
        self.may_take = asyncio.Semaphore(0)
        self.gone = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            await self.may_take.acquire()
            self.chunks.append(message["body"])
            if len(self.chunks) > 1:
                self.second.set()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}


def _points_of(chunk: bytes) -> list[float]:
    lines = [line for line in chunk.split(b"\n") if line.startswith(b"data: ")]
    return [p["value"] for p in json.loads(lines[0][6:])["points"]]


def test_a_slow_client_loses_the_oldest_and_is_then_given_everything(moving: Moving) -> None:
    async def run() -> list[bytes]:
        app = moving.app(limits=StreamLimits(tick_ms=1, idle_ms_max=60_000, health_ms=60_000))
        stream = app.state.stream
        client = _SlowClient()
        answer = asyncio.create_task(stream.join()({}, client.receive, client.send))
        await asyncio.sleep(0)
        await stream._tick()
        await asyncio.sleep(0)
        # One chunk is in `send`, QUEUE_MAX more fill the queue, and one more drops the oldest.
        for value in range(QUEUE_MAX + 3):
            moving.set("e01/ph", float(value), "good", 2_000 + value)
            await stream._tick()
            await asyncio.sleep(0)
        for _ in range(3):
            client.may_take.release()
        await client.second.wait()
        client.gone.set()
        client.may_take.release()
        await answer
        assert stream.clients == 0
        return client.chunks

    chunks = asyncio.run(run())
    assert len(_points_of(chunks[0])) == 5
    # Nothing between: the second chunk is everything again, with the newest value.
    assert len(_points_of(chunks[1])) == 5
    assert b"event: evidence" in chunks[1]
    assert QUEUE_MAX + 1 <= max(_points_of(chunks[1])) <= QUEUE_MAX + 2


def test_a_client_that_takes_nothing_is_let_go(moving: Moving) -> None:
    async def run() -> int:
        app = moving.app(limits=StreamLimits(tick_ms=1, send_ms_max=1))
        client = _SlowClient()
        answer = asyncio.create_task(app.state.stream.join()({}, client.receive, client.send))
        await asyncio.sleep(0)
        await app.state.stream._tick()
        await answer
        clients: int = app.state.stream.clients
        return clients

    assert asyncio.run(run()) == 0
