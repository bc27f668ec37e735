"""One HTTP POST with a limit on everything: bytes, and seconds for the whole exchange."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

STEP_S_MAX = 5.0
WHOLE_S_MAX = 20.0


class FetchError(Exception):
    """No answer, or one beyond the limits; says so in words."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Status, media type in lower case without parameters, body."""

    status: int
    media_type: str
    body: bytes


class Poster:
    """Posts to one server, over a connection that is kept."""

    def __init__(self, whole_s: float = WHOLE_S_MAX) -> None:
        import httpx  # noqa: PLC0415 - a gateway that asks nobody starts without it

        self._whole_s = whole_s
        self._client: httpx.Client = httpx.Client(
            timeout=min(STEP_S_MAX, whole_s),
            trust_env=False,
            headers={"accept-encoding": "identity", "user-agent": "raffinate"},
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def post(self, url: str, data: bytes, media_type: str, bytes_max: int) -> Fetched:
        """Raises FetchError."""
        import httpx  # noqa: PLC0415 - as above

        end = time.monotonic() + self._whole_s
        body = bytearray()
        headers = {"content-type": media_type}
        try:
            with self._client.stream("POST", url, content=data, headers=headers) as answer:
                for part in answer.iter_raw():
                    body += part
                    if len(body) > bytes_max:
                        raise FetchError(f"its answer has more than {bytes_max} bytes")
                    if time.monotonic() > end:
                        raise FetchError(f"its answer took more than {self._whole_s:g} s")
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                return Fetched(answer.status_code, kind, bytes(body))
        except httpx.TimeoutException:
            raise FetchError(f"{url} did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{url} cannot be asked: {error or type(error).__name__}") from None
