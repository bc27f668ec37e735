"""Errors of the API as RFC 9457 problem details, each with a sentence for the person asking."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

FieldError = tuple[str, str]
"""Where in what was sent, such as `items.0.serial`, and what is wrong there."""


class BadRequestError(ValueError):
    """A request that its sender can mend; the message names the parameter and the remedy.

    `field` is the member that is wrong, "" where it is none; `words` what stands beside it.
    """

    def __init__(self, message: str, field: str = "", words: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.words = words or message


class RefusedRequestError(Exception):
    """A request that is refused with `status`, whatever it says; the message has the remedy."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def problem(status: int, detail: str, errors: Sequence[FieldError] = ()) -> Response:
    """The answer with `detail` in it, and `errors` by field where there are any."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"field": field, "detail": words} for field, words in errors]
    return Response(orjson.dumps(body), status, media_type="application/problem+json")
