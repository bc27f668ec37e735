"""The query parameters of `/api/v1/history`, checked one by one in plain words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.web.problem import BadRequestError
from raffinate.web.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

BUCKETS_MAX = 5000
BUCKETS_DEFAULT = 500
SPAN_MS_MAX = 3660 * 86_400_000

_TIME_EXAMPLE = "2026-11-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A checked question: [from_ms, to_ms) of `point` in at most `buckets` buckets."""

    point: str
    from_ms: int
    to_ms: int
    buckets: int

    @property
    def width_ms(self) -> int:
        """ceil((to - from)/buckets), at least 1."""
        return -(-(self.to_ms - self.from_ms) // self.buckets)


def parse_history_query(items: Sequence[tuple[str, str]], points: Container[str]) -> HistoryQuery:
    """The query of a decoded query string; BadRequestError names parameter and remedy."""
    given = take_parameters(items, ("point", "from", "to", "buckets"))
    point = _required(given, "point", "a point such as e01/ph")
    if point not in points:
        raise BadRequestError(
            f"point: this plant has no point {point[:70]!r}; /api/v1/plant lists them"
        )
    from_ms = _time(given, "from")
    to_ms = _time(given, "to")
    if to_ms <= from_ms:
        raise BadRequestError("to: must be later than from, for the span is [from, to)")
    if to_ms - from_ms > SPAN_MS_MAX:
        raise BadRequestError(f"to: the span is at most {SPAN_MS_MAX // 86_400_000} days")
    return HistoryQuery(point, from_ms, to_ms, _buckets(given.get("buckets")))


def take_parameters(items: Sequence[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The parameters by name; BadRequestError for one that is unknown or given twice."""
    given: dict[str, str] = {}
    for name, value in items:
        if name not in names:
            known = ", ".join(names) if names else "none"
            raise BadRequestError(f"{name[:40]}: unknown parameter; this address takes {known}")
        if name in given:
            raise BadRequestError(f"{name}: given twice; give it once")
        given[name] = value
    return given


def _required(given: dict[str, str], name: str, example: str) -> str:
    try:
        return given[name]
    except KeyError:
        raise BadRequestError(f"{name}: missing; give {example}") from None


def _time(given: dict[str, str], name: str) -> int:
    text = _required(given, name, f"a time such as {_TIME_EXAMPLE}")
    try:
        return parse_time(text)
    except ValueError:
        raise BadRequestError(
            f"{name}: {text[:40]!r} is not a time in UTC; write it like {_TIME_EXAMPLE}"
        ) from None


def _buckets(text: str | None) -> int:
    if text is None:
        return BUCKETS_DEFAULT
    plain = text.isascii() and text.isdecimal() and len(text) <= len(str(BUCKETS_MAX))
    count = int(text) if plain else 0
    if not 1 <= count <= BUCKETS_MAX:
        raise BadRequestError(
            f"buckets: {text[:20]!r} is not a whole number from 1 to {BUCKETS_MAX}"
        )
    return count
