"""The gateway: builds its parts, runs them, ends them in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.anchors import open_askers, open_published
from raffinate.archive import FrameArchive
from raffinate.audit.timestamp import read_timestamp
from raffinate.audit.trusted import PolicyFile
from raffinate.errors import RaffinateError
from raffinate.evidence.watch import Surroundings
from raffinate.health import HealthView
from raffinate.ingest.inbox import Inbox
from raffinate.ingest.mqtt import MqttSession
from raffinate.ingest.presence import Presence
from raffinate.ingest.validate import FrameReader
from raffinate.ingest.worker import IngestWorker
from raffinate.licence.office import open_evidence
from raffinate.live import Hub
from raffinate.lock import DataFolderLock
from raffinate.metrics import make_registry
from raffinate.series.embedded import EmbeddedSeries
from raffinate.series.line_protocol import LineFormatter
from raffinate.series.projector import (
    INFLUX_CURSOR,
    InfluxProjection,
    Projection,
    SeriesProjection,
)
from raffinate.series.targets import open_target
from raffinate.web import create_app
from raffinate.web.entering import GatewayEntries
from raffinate.web.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from raffinate.config import Config
    from raffinate.model import StoredFrame

WORKER_END_S_MAX = 30.0
BACKLOG = 128
STARTED_POLL_S = 0.02

log = logging.getLogger("raffinate")


def now_ms() -> int:
    """UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Gateway:
    """One gateway on one plant folder. `run` returns when it was told to stop."""

    def __init__(self, config: Config, *, refill_influx: bool = False) -> None:
        self._config = config
        self._refill_influx = refill_influx
        self._failure: BaseException | None = None
        self._server: _Server | None = None

    def run(self, on_ready: Callable[[str], None]) -> None:
        """Serve until SIGINT or SIGTERM; `on_ready` is told the page's address.

        Raises RaffinateError when it cannot start, or when a part failed.
        """
        with ExitStack() as stack:
            storage = self._config.storage
            stack.enter_context(
                DataFolderLock(storage.data, f"raffinate gateway {self._config.file}")
            )
            sock = stack.enter_context(self._bind())
            server = self._build(stack)
            asyncio.run(self._serve(server, sock, on_ready))
        if self._failure is not None:
            raise RaffinateError(
                f"the gateway ended because a part of it failed: {self._failure!r}; its log has "
                "more. Nothing acknowledged is lost: start it again"
            ) from self._failure

    def _build(self, stack: ExitStack) -> _Server:
        """Open stores and start threads; leaving `stack` ends them, last first."""
        config, storage = self._config, self._config.storage
        archive = FrameArchive(
            storage.data / "archive.sqlite",
            FrameReader().read,
            bytes_max=storage.archive_bytes_max,
            quarantine_bytes_max=storage.quarantine_bytes_max,
            disk_free_bytes_min=storage.disk_free_bytes_min,
        )
        stack.callback(archive.close)
        series = EmbeddedSeries(storage.data / "series.sqlite", storage.series_bytes_max)
        evidence = open_evidence(
            config.plant,
            storage.keys,
            storage.data,
            config.licences,
            now_ms(),
            vouching=_vouching(config),
            history=series.history,
        )
        stack.callback(evidence.close)
        published = open_published(storage.keys, storage.data)
        askers = open_askers(config.anchors, published, now_ms, read_timestamp)
        stack.callback(askers.stop)
        evidence.ask_outside(askers)
        hub = Hub()
        hub.seed(series.latest(), now_ms())
        projections = self._projections(archive, series)
        for projection in projections.values():
            projection.start()
            stack.callback(projection.stop)

        def on_stored(frames: Sequence[StoredFrame]) -> None:
            hub.publish(frames)
            for projection in projections.values():
                projection.wake()

        inbox = Inbox()
        where = f"{socket.gethostname()}, {storage.data}"
        presence = Presence(archive.instance(), where)
        session = MqttSession(config.broker, config.plant.site, inbox, presence, time_ms=now_ms)
        stack.callback(session.stop)
        evidence.watch(_surroundings(config, session))
        worker = IngestWorker(config.plant, inbox, session, archive, evidence, on_stored, now_ms)
        thread = threading.Thread(target=self._guard, args=(worker.run,), name="ingest")
        stack.callback(self._end_worker, worker, thread, inbox)
        health = HealthView(config, session, worker.state, archive, series, projections, now_ms)
        registry = make_registry(
            worker.state, health, lambda: session.publish_dropped, evidence.snapshot
        )
        app = create_app(
            config.plant,
            hub,
            series,
            health,
            evidence.snapshot,
            registry,
            time_ms=now_ms,
            entries=GatewayEntries(storage.keys, storage.data, now_ms, _vouching(config)),
        )
        server = self._server = _Server(app, config.listen.host, config.listen.port)
        self._watch_threads(stack)
        thread.start()
        session.start()
        return server

    def _projections(self, archive: FrameArchive, series: EmbeddedSeries) -> dict[str, Projection]:
        found: dict[str, Projection] = {"series": SeriesProjection(archive, series)}
        influx = self._config.influx
        if influx is not None:
            if self._refill_influx:
                archive.advance(INFLUX_CURSOR, 0)
            found["influx"] = InfluxProjection(
                archive,
                LineFormatter(self._config.plant),
                lambda: open_target(influx),
                lambda source, reason, data: archive.quarantine(source, reason, data, now_ms()),
            )
        return found

    def _bind(self) -> socket.socket:
        listen = self._config.listen
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((listen.host, listen.port))
            sock.listen(BACKLOG)
        except OSError as exc:
            sock.close()
            raise RaffinateError(
                f"{listen.host} port {listen.port} cannot be served: {exc.strerror}; end the "
                f"program that has it, or change listen.port in {self._config.file}"
            ) from exc
        return sock

    async def _serve(
        self, server: _Server, sock: socket.socket, on_ready: Callable[[str], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.leave)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        # uvicorn has no event for it
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(STARTED_POLL_S)
        if server.started and not server.should_exit:
            host, port = sock.getsockname()[:2]
            on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        await serving

    def _guard(self, run: Callable[[], None]) -> None:
        """Run a thread's work; a failure ends the gateway."""
        try:
            run()
        except BaseException as exc:  # noqa: BLE001 - it is reported by the main thread
            self._fail(exc)

    def _fail(self, failure: BaseException) -> None:
        log.error("a part of the gateway failed", exc_info=failure)
        self._failure = self._failure or failure
        if self._server is not None:
            self._server.leave()

    def _watch_threads(self, stack: ExitStack) -> None:
        """A defect in any other thread ends the gateway too."""
        before = threading.excepthook

        def hook(arguments: threading.ExceptHookArgs) -> None:
            if arguments.exc_value is not None:
                self._fail(arguments.exc_value)

        threading.excepthook = hook
        stack.callback(setattr, threading, "excepthook", before)

    @staticmethod
    def _end_worker(worker: IngestWorker, thread: threading.Thread, inbox: Inbox) -> None:
        """Everything that came is made durable before the session sends its acknowledgements."""
        worker.stop()
        if thread.ident is not None:
            thread.join(WORKER_END_S_MAX)
        inbox.close()


def _vouching(config: Config) -> PolicyFile | None:
    """Whom to believe about documents, for one thread."""
    return None if config.policy is None else PolicyFile(config.policy)


def _surroundings(config: Config, session: MqttSession) -> Surroundings:
    """What the evidence service watches beside statements."""
    return Surroundings(
        sha256(config.file.read_bytes()).hexdigest(),
        lambda: session.state()[0] == "connected",
        # CLOCK_BOOTTIME goes on while the machine sleeps, so that waking up is no clock set
        lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
        config.close_hour_utc,
    )


class _Server(WebServer):
    """Leaves signals to the gateway."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def leave(self) -> None:
        """End soon; may be called from any thread."""
        self.should_exit = True
