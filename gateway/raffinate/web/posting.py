"""Requests that change something: only from the gateway's own page, in JSON, small and one by one.

A page of another site can make a browser send here what it likes, but not in the name of this
page (`Origin`), nor as JSON without asking first, which is refused (no CORS headers).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.web.problem import BadRequestError, RefusedRequestError, problem
from raffinate_wire.errors import WireError
from raffinate_wire.ids import TEXT_CHARS_MAX, check_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

BODY_BYTES_MAX = 256 * 1024
BODY_S_MAX = 10.0
AT_ONCE_MAX = 4
"""How many may wait for the log at the same time: each holds a worker thread."""

POST_PATHS = frozenset(
    {"/api/v1/acknowledgements", "/api/v1/registry/preview", "/api/v1/registry/documents"}
)


def post_refusal(scope: Scope) -> Response | None:
    """The answer to a POST whose head is not as a page of this server sends it, else None."""
    host = _only(scope, b"host") or ""
    origin = f"{scope['scheme']}://{host}"
    if _only(scope, b"origin") != origin or _only(scope, b"sec-fetch-site") not in (
        None,
        "same-origin",
    ):
        return problem(
            403, f"only this gateway's own page may send this; a command gives 'Origin: {origin}'"
        )
    kind = (_only(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return problem(415, "the body must be JSON: 'Content-Type: application/json'")
    length = _only(scope, b"content-length") or ""
    if not (length.isascii() and length.isdecimal()):
        return problem(411, "the body's length must be given: 'Content-Length'")
    if len(length) > len(str(BODY_BYTES_MAX)) or int(length) > BODY_BYTES_MAX:
        return problem(413, f"the body has more than {BODY_BYTES_MAX >> 10} KiB")
    return None


async def read_json(request: Request, members: Sequence[str]) -> dict[str, Any]:
    """The object of a body that may have `members` and no other.

    Raises BadRequestError that names the member, RefusedRequestError for a body that does not come.
    """
    try:
        async with asyncio.timeout(BODY_S_MAX):
            body = await _body(request)
    except TimeoutError:
        raise RefusedRequestError(
            408, f"the body did not come within {BODY_S_MAX:g} s; send it again"
        ) from None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is no JSON in UTF-8: {error}") from None
    if not isinstance(value, dict):
        raise BadRequestError(f"the body is no object; it has the members {', '.join(members)}")
    for name in value:
        if name not in members:
            raise BadRequestError(
                f"{name[:40]}: unknown member; known are {', '.join(members)}", name[:40]
            )
    return value


def take_text(value: dict[str, Any], name: str, example: str, chars_max: int) -> str:
    """The text of a member that must be there. Raises BadRequestError."""
    found = value.get(name)
    if not isinstance(found, str) or not 0 < len(found.strip()) <= chars_max:
        raise BadRequestError(
            f"{name}: give a text of 1 to {chars_max} characters, such as {example}", name
        )
    return found.strip()


def take_actor(value: dict[str, Any]) -> str:
    """The pseudonym under which something is stated. Raises BadRequestError."""
    found = take_text(value, "actor", "op-7", TEXT_CHARS_MAX)
    try:
        return check_text(found)
    except WireError as error:
        raise BadRequestError(f"actor: {error}", "actor") from None


def asking(members: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """The OpenAPI description of a body."""
    schema = {
        "type": "object",
        "properties": dict(members),
        "required": list(required),
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of refusals of what is posted, and of `statuses` beside."""
    return {
        status: {"description": why, "content": {"application/problem+json": {}}}
        for status, why in _ANSWERS.items()
        if status in (*_POSTED, *statuses)
    }


_ANSWERS = {
    400: "A member is missing or wrong; `errors` names the fields",
    403: "Not sent by this server's own page",
    404: "Not kept here",
    409: "The gateway refuses it and says why",
    413: "The body is too large",
    415: "The body is no JSON",
    503: "The gateway takes nothing now",
    504: "Handed over, but not answered in time",
}
_POSTED = (400, 403, 413, 415)


class Turnstile:
    """Lets `AT_ONCE_MAX` in; more are told to try again."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(AT_ONCE_MAX)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises RefusedRequestError where all are taken."""
        if not self._free.acquire(blocking=False):
            raise RefusedRequestError(
                503, f"{AT_ONCE_MAX} entries wait for the log already; try again in a few seconds"
            )
        try:
            yield
        finally:
            self._free.release()


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise RefusedRequestError(413, f"the body has more than {BODY_BYTES_MAX >> 10} KiB")
        parts.append(part)
    return b"".join(parts)


def _only(scope: Scope, name: bytes) -> str | None:
    """The value of a header that is there once; "" where it is there more often."""
    found = [value for key, value in scope["headers"] if key == name]
    if len(found) > 1:
        return ""
    return found[0].decode("latin-1") if found else None
