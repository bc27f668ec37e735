"""RFC 3339 UTC times of the API, to and from integer milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|[+-]00:00)",
    re.ASCII,
)


def parse_time(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time in UTC, finer digits dropped; else ValueError."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time in UTC")
    *parts, fraction = match.groups()
    moment = datetime(*(int(part) for part in parts), tzinfo=UTC)  # type: ignore[misc, arg-type]
    millis = int((fraction or "0").ljust(3, "0")[:3])
    return (moment - _EPOCH) // timedelta(milliseconds=1) + millis


def format_time(time_ms: int) -> str:
    """The RFC 3339 text with three decimals and `Z`; later than 9999 it is the end of that year.

    A board may state any time up to 2^53 ms.
    """
    moment = _EPOCH + timedelta(milliseconds=min(time_ms, _LAST_MS))
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
