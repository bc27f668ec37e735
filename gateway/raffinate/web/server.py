"""uvicorn as this gateway runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from raffinate.connection import Connection

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI


class WebServer(uvicorn.Server):
    """Serves `create_app`'s application and ends its event streams when told to stop.

    Signals are its caller's business: set `should_exit` to stop. Pass a bound socket to `serve`
    as `sockets=[…]` to know the port before anything is served.
    """

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                lifespan="on",
                http=Connection,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close; without this uvicorn would wait for streams that never end."""
        self._app.state.stream.close()
        await super().shutdown(sockets=sockets)
