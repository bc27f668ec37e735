"""A witness over HTTP: `POST /add-checkpoint`, one request after the other."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from raffinate.connection import Connection
from raffinate.witness.decide import add_checkpoint
from raffinate.witness.protocol import BAD, PATH, REQUEST_BYTES_MAX, Answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from raffinate.witness.folder import Folder

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

REQUEST_S_MAX = 10.0
CONNECTIONS_MAX = 64
_NOT_FOUND, _NOT_ALLOWED = 404, 405

log = logging.getLogger("raffinate.witness")


class WitnessApp:
    """ASGI application over a witness's folder. It decides on the event loop: one at a time."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            raise TypeError(f"not served: {scope['type']}")
        answer = await self._answer(scope, receive)
        log.info("%s %s", answer.status, answer.body.split(b"\n", 1)[0][:160].decode())
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", b"%d" % len(answer.body)),
        ]
        if answer.status in (BAD, _NOT_ALLOWED):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> Answer:
        if scope["path"] != PATH:
            return Answer(_NOT_FOUND, f"a witness serves POST {PATH}\n".encode())
        if scope["method"] != "POST":
            return Answer(_NOT_ALLOWED, b"add-checkpoint is a POST\n")
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                data = await _body(receive)
        except TimeoutError:
            return Answer(BAD, b"the request took too long\n")
        if data is None:
            return Answer(BAD, f"a request has at most {REQUEST_BYTES_MAX} bytes\n".encode())
        return add_checkpoint(self._folder, data, int(time.time()))


def serve(folder: Folder, sock: socket.socket, on_ready: Callable[[str, int], None]) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        WitnessApp(folder),
        http=Connection,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=2,
    )
    asyncio.run(_serve(_Server(config), sock, on_ready))


async def _serve(
    server: _Server, sock: socket.socket, on_ready: Callable[[str, int], None]
) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    on_ready(*sock.getsockname()[:2])
    await server.serve(sockets=[sock])


class _Server(uvicorn.Server):
    """Leaves signals to `_serve`, which ends without an error."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too long."""
    data = bytearray()
    while True:
        message = await receive()
        data += message.get("body", b"")
        if len(data) > REQUEST_BYTES_MAX:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(data)
