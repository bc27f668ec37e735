"""The routes under `/api/v1`, `/healthz` and `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from raffinate.web.acknowledging import add_acknowledging
from raffinate.web.checkpoint import add_checkpoint
from raffinate.web.evidence_shape import EvidenceState
from raffinate.web.health_shape import Health
from raffinate.web.posting import Turnstile
from raffinate.web.problem import problem
from raffinate.web.query import BUCKETS_DEFAULT, BUCKETS_MAX, parse_history_query, take_parameters
from raffinate.web.registry import add_registry
from raffinate.web.shapes import (
    HistoryJson,
    PlantJson,
    SampleJson,
    encode,
    history_json,
    plant_json,
    samples_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raffinate.web.providers import Providers
    from raffinate.web.stream import Stream


def make_router(of: Providers, stream: Stream) -> APIRouter:
    """All routes over their providers. Sync functions run in worker threads."""
    router = APIRouter(default_response_class=Response)
    # The plant does not change while the gateway runs.
    plant_bytes = encode(plant_json(of.plant))

    @router.get("/api/v1/plant", response_model=PlantJson, summary="The plant's tree")
    async def get_plant(request: Request) -> Response:
        _no_parameters(request)
        return _json(plant_bytes)

    @router.get("/api/v1/latest", response_model=list[SampleJson], summary="Newest samples")
    def get_latest(request: Request) -> Response:
        _no_parameters(request)
        return _json(encode(samples_json(of.hub.latest().values())))

    @router.get(
        "/api/v1/history",
        response_model=HistoryJson,
        summary="Minimum, maximum and mean of a point in buckets of time",
        openapi_extra={"parameters": _HISTORY_PARAMETERS},
        responses={400: _PROBLEM},
    )
    def get_history(request: Request) -> Response:
        query = parse_history_query(request.query_params.multi_items(), of.plant.points)
        buckets = of.series.history(query.point, query.from_ms, query.to_ms, query.buckets)
        return _json(encode(history_json(query, of.plant.points[query.point].unit, buckets)))

    @router.get(
        "/api/v1/stream",
        response_class=Response,
        summary="Server-sent events: latest, health, evidence",
        responses={200: {"content": {"text/event-stream": {}}}, 503: _PROBLEM},
    )
    async def get_stream(request: Request) -> Response:
        _no_parameters(request)
        return stream.join() or problem(
            503, f"{stream.limits.clients_max} clients follow the stream already; close one"
        )

    @router.get("/api/v1/health", response_model=Health, summary="State of the gateway's parts")
    def get_health(request: Request) -> Response:
        _no_parameters(request)
        return _json(encode(of.health()))

    @router.get("/api/v1/evidence", response_model=EvidenceState, summary="Log, chains and permits")
    def get_evidence(request: Request) -> Response:
        _no_parameters(request)
        return _json(encode(of.evidence()))

    @router.get("/healthz", summary="200 while the gateway serves, whatever its parts report")
    def get_healthz() -> Response:
        return _json(encode(_summary(of.health())))

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        responses={200: {"content": {"text/plain": {}}}},
    )
    def get_metrics() -> Response:
        return Response(generate_latest(of.metrics_registry), media_type=CONTENT_TYPE_LATEST)

    add_checkpoint(router, of)
    turnstile = Turnstile()
    add_acknowledging(router, of, turnstile)
    add_registry(router, of, turnstile)
    return router


_PROBLEM: dict[str, Any] = {
    "description": "What was wrong and the remedy (RFC 9457)",
    "content": {"application/problem+json": {}},
}

_HISTORY_PARAMETERS = [
    {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": schema,
    }
    for name, required, description, schema in (
        ("point", True, "A point's id, such as e01/ph", {"type": "string"}),
        ("from", True, "RFC 3339 in UTC, included", {"type": "string", "format": "date-time"}),
        ("to", True, "RFC 3339 in UTC, excluded", {"type": "string", "format": "date-time"}),
        (
            "buckets",
            False,
            "How many buckets at most; each is ceil((to - from)/buckets) ms wide",
            {"type": "integer", "minimum": 1, "maximum": BUCKETS_MAX, "default": BUCKETS_DEFAULT},
        ),
    )
]


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _no_parameters(request: Request) -> None:
    take_parameters(request.query_params.multi_items(), ())


def _summary(health: Mapping[str, Any]) -> dict[str, Any]:
    """`degraded` names its reasons; a supervisor must not restart a gateway for them."""
    reasons = [
        f"{part}: {health[part]['state']}"
        for part, good in (("broker", "connected"), ("ingest", "ok"))
        if health[part]["state"] != good
    ]
    influx = health["influx"]
    if influx is not None and influx["state"] not in ("ok", "behind"):
        reasons.append(f"influx: {influx['state']}")
    return {"status": "degraded" if reasons else "ok", "reasons": reasons}
