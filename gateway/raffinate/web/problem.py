"""Errors of the API as RFC 9457 problem details, each with a sentence for the person asking."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from starlette.responses import Response


class BadRequestError(ValueError):
    """A request that its sender can mend; the message names the parameter and the remedy."""


def problem(status: int, detail: str) -> Response:
    """The answer with `detail` in it."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(orjson.dumps(body), status, media_type="application/problem+json")
