"""The FastAPI application over the gateway's providers."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from raffinate.errors import RaffinateError
from raffinate.evidence.handover import RefusedError, UnansweredError
from raffinate.web.api import make_router
from raffinate.web.guard import HOSTS_LOCAL, Guard
from raffinate.web.page import STATIC_DIR, Page
from raffinate.web.problem import BadRequestError, RefusedRequestError, problem
from raffinate.web.providers import Providers
from raffinate.web.stream import Stream, StreamLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request
    from starlette.responses import Response

    from raffinate.model import Plant
    from raffinate.web.providers import Entries, History, Hub


def create_app(
    plant: Plant,
    hub: Hub,
    series: History,
    health: Callable[[], Mapping[str, Any]],
    evidence: Callable[[], Mapping[str, Any]],
    metrics_registry: CollectorRegistry,
    *,
    time_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    hosts: Sequence[str] = HOSTS_LOCAL,
    static_dir: Path = STATIC_DIR,
    entries: Entries | None = None,
    limits: StreamLimits | None = None,
) -> FastAPI:
    """The API and the page; `health` and `evidence` return `Health` and `EvidenceState`.

    `entries` takes what people enter; without one nothing is taken. All providers are called from
    worker threads. `app.state.stream.close()` ends the event
    streams; `WebServer` does so when it stops.
    """
    providers = Providers(plant, hub, series, health, evidence, metrics_registry, time_ms, entries)
    stream = Stream(providers, limits or StreamLimits())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        feeding = asyncio.create_task(stream.run())
        try:
            yield
        finally:
            stream.close()
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding

    app = FastAPI(
        title="Raffinate",
        version=version("raffinate"),
        description="Live and past values of a separation plant, its health and its evidence. "
        "Values are in SenML units; what is posted is stated in the log and changes no value.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _on_http_error,
            BadRequestError: _on_bad_request,
            RefusedRequestError: _on_refused_request,
            RefusedError: _on_gateway_refusal,
            UnansweredError: _on_no_answer,
            RaffinateError: _on_raffinate_error,
        },
    )
    app.state.stream = stream
    app.include_router(make_router(providers, stream))
    app.mount("/", Page(static_dir), name="page")
    app.add_middleware(Guard, hosts=hosts)
    return app


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    path = request.url.path[:80]
    return problem(status, f"nothing is served at {path}" if status == 404 else str(error))  # noqa: PLR2004


async def _on_bad_request(_request: Request, error: Exception) -> Response:
    field = getattr(error, "field", "")
    return problem(400, str(error), [(field, getattr(error, "words", ""))] if field else ())


async def _on_refused_request(_request: Request, error: Exception) -> Response:
    return problem(getattr(error, "status", 400), str(error))


async def _on_gateway_refusal(_request: Request, error: Exception) -> Response:
    return problem(409, str(error))


async def _on_no_answer(_request: Request, error: Exception) -> Response:
    return problem(504, str(error))


async def _on_raffinate_error(_request: Request, error: Exception) -> Response:
    return problem(503, str(error))
