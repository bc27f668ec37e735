"""`/api/v1/registry`: the documents that there are, and how one is written, looked at and added."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation
from fastapi.responses import Response

from raffinate.web.papers import kinds_json, members_of, preview, read_document
from raffinate.web.posting import Turnstile, answers, asking, read_json, take_actor, take_text
from raffinate.web.problem import BadRequestError, RefusedRequestError
from raffinate.web.query import take_parameters
from raffinate.web.registry_shape import (
    DocumentTextJson,
    KindJson,
    PartyJson,
    PreviewJson,
    RegistryJson,
    TakenJson,
)
from raffinate.web.shapes import encode

if TYPE_CHECKING:
    from fastapi import APIRouter

    from raffinate.web.providers import Providers

DOCUMENT_CHARS_MAX = 250_000
NAME_CHARS_MAX = 256
_NAME = {
    "name": "name",
    "in": "query",
    "required": True,
    "description": "A party's name as it is written somewhere",
    "schema": {"type": "string", "maxLength": NAME_CHARS_MAX},
}
_HEX = frozenset("0123456789abcdef")


def add_registry(router: APIRouter, of: Providers, turnstile: Turnstile) -> None:
    """Add the routes."""

    @router.get(
        "/api/v1/registry",
        response_model=RegistryJson,
        summary="Documents by kind and version, and names that may be one party's",
        responses=answers(503),
    )
    def get_registry(request: Request) -> Response:
        take_parameters(request.query_params.multi_items(), ())
        return _json(of.open_entries().registry())

    @router.get(
        "/api/v1/registry/forms", response_model=list[KindJson], summary="What documents hold"
    )
    def get_forms(request: Request) -> Response:
        take_parameters(request.query_params.multi_items(), ())
        return _json(kinds_json())

    @router.get(
        "/api/v1/registry/parties",
        response_model=list[PartyJson],
        summary="Known names like a name; suggestions only",
        openapi_extra={"parameters": [_NAME]},
        responses=answers(503),
    )
    def get_parties(request: Request) -> Response:
        given = take_parameters(request.query_params.multi_items(), ("name",))
        name = take_text({**given}, "name", "Magnet Works", NAME_CHARS_MAX)
        return _json(of.open_entries().resolve(name))

    @router.get(
        "/api/v1/registry/documents/{digest}",
        response_model=DocumentTextJson,
        summary="A document that is kept",
        responses=answers(404, 503),
    )
    def get_document(request: Request, digest: str) -> Response:
        take_parameters(request.query_params.multi_items(), ())
        good = len(digest) == len(sha256().hexdigest()) and _HEX.issuperset(digest)
        found = of.open_entries().document(digest) if good else None
        if found is None:
            raise RefusedRequestError(404, "no licence, regime or paper of that SHA-256 is kept")
        kind, data = found
        text = data.decode(errors="replace")
        members = members_of(data)
        return _json({"sha256": digest, "kind": kind, "toml": text, "members": members})

    @router.post(
        "/api/v1/registry/preview",
        response_model=PreviewJson,
        summary="The bytes of a document that was filled in, if they are good; nothing is kept",
        openapi_extra=asking(
            {"kind": {"type": "string"}, "members": {"type": "object"}, "toml": {"type": "string"}},
            (),
        ),
        responses=answers(409, 503),
    )
    async def post_preview(request: Request) -> Response:
        value = await read_json(request, ("kind", "members", "toml"))
        found = preview(value, of.time_ms())
        entries = of.open_entries()
        notes = await asyncio.to_thread(entries.check, found["toml"].encode())
        return _json({**found, "notes": notes})

    _add_adding(router, of, turnstile)


def _add_adding(router: APIRouter, of: Providers, turnstile: Turnstile) -> None:
    members = ("toml", "sha256", "actor")

    @router.post(
        "/api/v1/registry/documents",
        response_model=TakenJson,
        summary="State a document in the log",
        openapi_extra=asking({name: {"type": "string"} for name in members}, members),
        responses=answers(409, 503, 504),
    )
    async def post_document(request: Request) -> Response:
        value = await read_json(request, members)
        text = value.get("toml")
        if not isinstance(text, str) or not 0 < len(text) <= DOCUMENT_CHARS_MAX:
            raise BadRequestError("toml: give the document's text", "toml")
        actor = take_actor(value)
        found = read_document(text, of.time_ms())
        if value.get("sha256") != found["sha256"]:
            raise BadRequestError(
                f"sha256: these bytes have {found['sha256']}; look at them again before you send",
                "sha256",
            )
        entries = of.open_entries()
        with turnstile.turn():
            said = await asyncio.to_thread(entries.add, text.encode(), actor)
        return _json(said)


def _json(value: object) -> Response:
    return Response(encode(value), media_type="application/json")
