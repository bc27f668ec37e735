"""The outermost layer: which requests are let in, and the headers every answer carries.

The server binds to this machine only. A page of another site could still reach it through a name
that its owner points at 127.0.0.1 (DNS rebinding), so the Host header must name this machine.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from raffinate.web.posting import POST_PATHS, post_refusal
from raffinate.web.problem import problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("raffinate.web")

HOSTS_LOCAL = ("localhost", "127.0.0.1", "[::1]")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware: refuses other hosts (421) and other methods (405), adds `HEADERS`.

    POST is let through to `POST_PATHS` alone, and only as this server's own page sends it. A defect
    below is logged and answered with 500.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = HOSTS_LOCAL) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        app = self._refusal(scope) or self._app
        try:
            await app(scope, receive, send_with_headers)
        except Exception:
            _log.exception("%s could not be answered", scope["path"])
            if started:
                raise
            answer = problem(500, "the gateway could not answer; its own log says why")
            await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        host = _host_name(hosts[0].decode("latin-1")) if len(hosts) == 1 else ""
        if host not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            return problem(421, f"this server answers only to the host names {names}")
        posted = scope["path"] in POST_PATHS
        if scope["method"] == "POST" and posted:
            return post_refusal(scope)
        if scope["method"] != "GET" or posted:
            allowed = "POST" if posted else "GET"
            refusal = problem(405, f"{scope['method']} is not served here, {allowed} is")
            refusal.headers["Allow"] = allowed
            return refusal
        return None


def _host_name(host: str) -> str:
    """The name in a Host header without its port, lower case."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        return name.lower()
    return host.lower()
