"""`/api/v1/checkpoint`: the log's newest head, to be kept by whoever will audit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation
from fastapi.responses import Response

from raffinate.anchors.qr import as_svg
from raffinate.errors import RaffinateError
from raffinate.web.query import take_parameters

if TYPE_CHECKING:
    from fastapi import APIRouter

    from raffinate.web.providers import Providers


def add_checkpoint(router: APIRouter, of: Providers) -> None:
    """Add the routes."""

    @router.get(
        "/api/v1/checkpoint",
        summary="The log's newest checkpoint, a C2SP signed note",
        responses=_responses("text/plain"),
    )
    def get_checkpoint(request: Request) -> Response:
        take_parameters(request.query_params.multi_items(), ())
        return Response(_note(of), media_type="text/plain; charset=utf-8")

    @router.get(
        "/api/v1/checkpoint.svg",
        summary="The newest checkpoint as a QR code",
        responses=_responses("image/svg+xml"),
    )
    def get_checkpoint_svg(request: Request) -> Response:
        take_parameters(request.query_params.multi_items(), ())
        return Response(as_svg(_note(of)), media_type="image/svg+xml")


def _note(of: Providers) -> bytes:
    """Raises RaffinateError while there is none."""
    head = of.evidence()["log"]
    if head is None:
        raise RaffinateError("the log has no checkpoint yet; `raffinate keys init` starts it")
    return str(head["checkpoint"]).encode()


def _responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {media_type: {}}},
        503: {
            "description": "What was wrong and the remedy (RFC 9457)",
            "content": {"application/problem+json": {}},
        },
    }
