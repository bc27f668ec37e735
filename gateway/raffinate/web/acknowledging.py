"""`POST /api/v1/acknowledgements`: an operator takes note, and the log says so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation
from fastapi.responses import Response

from raffinate.web.posting import Turnstile, answers, asking, read_json, take_actor, take_text
from raffinate.web.problem import BadRequestError
from raffinate.web.shapes import AcknowledgedJson, encode
from raffinate_wire.ids import TEXT_CHARS_MAX

if TYPE_CHECKING:
    from fastapi import APIRouter

    from raffinate.web.providers import Providers

_MEMBERS = ("equipment", "state", "actor")


def add_acknowledging(router: APIRouter, of: Providers, turnstile: Turnstile) -> None:
    """Add the route."""

    @router.post(
        "/api/v1/acknowledgements",
        response_model=AcknowledgedJson,
        summary="Take note of a state, in the log; changes no permit",
        openapi_extra=asking({name: {"type": "string"} for name in _MEMBERS}, _MEMBERS),
        responses=answers(409, 503, 504),
    )
    async def post_acknowledgement(request: Request) -> Response:
        value = await read_json(request, _MEMBERS)
        equipment, state = _due(of, value)
        actor = take_actor(value)
        entries = of.open_entries()
        with turnstile.turn():
            said = await asyncio.to_thread(entries.acknowledge, equipment, state, actor)
        return Response(encode(said), media_type="application/json")


def _due(of: Providers, value: dict[str, Any]) -> tuple[str, str]:
    """Machine and state, where that is to be acknowledged now. Raises BadRequestError."""
    equipment = take_text(value, "equipment", "bat-strip", TEXT_CHARS_MAX)
    if equipment not in of.plant.equipment:
        names = ", ".join(of.plant.equipment) or "none"
        raise BadRequestError(
            f"equipment: this plant has no {equipment[:40]!r}; there is {names}", "equipment"
        )
    state = take_text(value, "state", "grace", TEXT_CHARS_MAX)
    due = next(
        item.get("to_acknowledge", [])
        for item in of.evidence()["equipment"]
        if item["id"] == equipment
    )
    if state not in due:
        raise BadRequestError(
            f"state: {state[:40]!r} of {equipment} is not to be acknowledged now; "
            f"{', '.join(due) or 'nothing'} is",
            "state",
        )
    return equipment, state
