"""InfluxDB as a store of samples: `/api/v2/write` (1.8, 2.x, 3), `/write` (1.x), InfluxQL reads.

Whoever can write this database can change what is read from it; `raffinate` never takes evidence
from it, and can fill it again from the archive.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import httpx
import urllib3.exceptions
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from raffinate.model import Bucket
from raffinate.series.line_protocol import MEASUREMENT
from raffinate.series.targets import (
    InfluxRefusedError,
    InfluxTarget,
    InfluxTooLargeError,
    InfluxUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raffinate.config import Influx

TIMEOUT_S = 30.0
_GZIP_WBITS = 31


def target(influx: Influx) -> InfluxTarget:
    """Choose the write path for the configured version."""
    return V1Target(influx) if influx.version == "1" else V2Target(influx)


class V2Target:
    """`/api/v2/write` of 1.8, 2.x and 3 through influxdb-client, gzip level 1."""

    def __init__(self, influx: Influx) -> None:
        self._influx = influx
        self._client = InfluxDBClient(
            url=influx.url,
            token=influx.token or "",
            org=influx.org or "-",
            timeout=int(TIMEOUT_S * 1000),
        )
        self._service = WriteService(self._client.api_client)

    def write(self, lines: bytes) -> None:
        """See InfluxTarget."""
        try:
            self._service.post_write(
                org=self._influx.org or "-",
                bucket=self._influx.bucket,
                body=_gzip(lines),
                precision="ms",
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as error:
            headers = dict(error.headers or {})
            text = error.body or headers.get("X-Influxdb-Error", "")
            raise _problem(self._influx, int(error.status or 0), str(text)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(self._influx, error) from error

    def close(self) -> None:
        """See InfluxTarget."""
        self._client.api_client.rest_client.pool_manager.clear()
        self._client.close()


class V1Target:
    """`/write?db=` of every 1.x."""

    def __init__(self, influx: Influx) -> None:
        self._influx = influx
        self._client = httpx.Client(base_url=influx.url, timeout=TIMEOUT_S, auth=_basic(influx))

    def write(self, lines: bytes) -> None:
        """See InfluxTarget."""
        try:
            answer = self._client.post(
                "/write",
                params={"db": self._influx.database or "", "precision": "ms"},
                content=_gzip(lines),
                headers={"Content-Encoding": "gzip"},
            )
        except httpx.HTTPError as error:
            raise _unreachable(self._influx, error) from error
        if answer.status_code >= 300:  # noqa: PLR2004 - HTTP's classes
            raise _problem(self._influx, answer.status_code, answer.text)

    def close(self) -> None:
        """See InfluxTarget."""
        self._client.close()


class InfluxReader:
    """Histories by InfluxQL, which 1.x, 2.x and 3 answer at `/query`."""

    def __init__(self, influx: Influx, site: str) -> None:
        self._influx = influx
        self._site = site
        one = influx.version == "1"
        self._database = (influx.database if one else influx.bucket) or ""
        token = {"Authorization": f"Token {influx.token}"} if influx.token and not one else {}
        self._client = httpx.Client(
            base_url=influx.url, timeout=TIMEOUT_S, headers=token, auth=_basic(influx)
        )

    def history(self, point: str, from_ms: int, to_ms: int, buckets: int) -> list[Bucket]:
        """Answer as `ports.SeriesStore.history` does. Raises InfluxUnavailableError."""
        width = -((from_ms - to_ms) // buckets)
        stage, name = point.split("/", 1)
        where = (
            f"WHERE \"site\" = '{self._site}' AND \"stage\" = '{stage}' "
            f"AND time >= {from_ms}ms AND time < {to_ms}ms"
        )
        query = (  # every name in it is from plant.toml's alphabet, [a-z0-9_-]
            f'SELECT count("{name}") AS n, min("{name}") AS low, max("{name}") AS high, '  # noqa: S608
            f'mean("{name}") AS mean FROM "{MEASUREMENT}" {where} '
            f"GROUP BY time({width}ms, {from_ms % width}ms) fill(none)"
        )
        found = {
            row["time"]: Bucket(row["time"], row["n"], row["low"], row["high"], row["mean"])
            for row in self._rows(query)
            if row["n"]
        }
        starts = range(from_ms, from_ms + width * buckets, width)
        return [found.get(start, Bucket(start, 0, None, None, None)) for start in starts]

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def rows(
        self, from_ms: int, to_ms: int
    ) -> Iterator[tuple[dict[str, str], int, dict[str, float | str]]]:
        """(tags, time in ns, fields) of every row of the site in [from, to). See `history`."""
        query = (
            f'SELECT * FROM "{MEASUREMENT}" WHERE "site" = \'{self._site}\' '  # noqa: S608
            f"AND time >= {from_ms}ms AND time < {to_ms}ms GROUP BY *"
        )
        for series in self._ask(query, "ns"):
            _, *names = series["columns"]
            for time_ns, *values in series["values"]:
                fields = zip(names, values, strict=True)
                yield series["tags"], time_ns, {n: v for n, v in fields if v is not None}

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return [
            dict(zip(series["columns"], values, strict=True))
            for series in self._ask(query, "ms")
            for values in series["values"]
        ]

    def _ask(self, query: str, epoch: str) -> list[dict[str, Any]]:
        try:
            answer = self._client.get(
                "/query", params={"db": self._database, "q": query, "epoch": epoch}
            )
        except httpx.HTTPError as error:
            raise _unreachable(self._influx, error) from error
        if answer.status_code >= 300:  # noqa: PLR2004 - HTTP's classes
            raise InfluxUnavailableError(
                f"{self._influx.url} answered {answer.status_code}: {answer.text[:200]}",
                "check [influx] in plant.toml and the server",
            )
        results = answer.json().get("results", [])
        for result in results:
            if "error" in result:
                raise InfluxUnavailableError(
                    f"{self._influx.url} answered: {result['error'][:200]}",
                    "check [influx] in plant.toml and the server",
                )
        return [series for result in results for series in result.get("series", [])]


def _basic(influx: Influx) -> httpx.BasicAuth | None:
    if influx.version == "1" and influx.user:
        return httpx.BasicAuth(influx.user, influx.password or "")
    return None


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP_WBITS)
    return packer.compress(data) + packer.flush()


def _unreachable(influx: Influx, error: Exception) -> InfluxUnavailableError:
    return InfluxUnavailableError(
        f"{influx.url} does not answer: {type(error).__name__}",
        "start the server or mend [influx] url; samples wait in the archive",
    )


def _problem(influx: Influx, status: int, text: str) -> Exception:
    """Turn an HTTP status into what is to be done about it."""
    words = " ".join(text.split())[:300]
    place = influx.database if influx.version == "1" else influx.bucket
    kind = "database" if influx.version == "1" else "bucket"
    if status in (401, 403):
        who = "user or password" if influx.version == "1" else "token"
        return InfluxUnavailableError(
            f"{influx.url} refuses the {who} ({status})",
            f"give [influx] a {who} that may write to {kind} {place!r}; samples wait",
        )
    if status == 404:  # noqa: PLR2004 - HTTP's statuses
        return InfluxUnavailableError(
            f"{influx.url} has no {kind} {place!r} ({words})",
            f"create the {kind} or mend [influx] {kind}; samples wait in the archive",
        )
    if status == 413:  # noqa: PLR2004
        return InfluxTooLargeError(words)
    if status in (400, 422):
        return InfluxRefusedError(words or f"status {status}")
    return InfluxUnavailableError(
        f"{influx.url} answered {status}: {words}",
        "see the server's log; samples wait in the archive",
    )
