"""Real InfluxDB servers under test: 1.8 and 2.7, built by `make peers`."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any, ClassVar, Self

import httpx

from raffinate_rig.processes import HOST, Program, check_port_free, find_tool, free_port

if TYPE_CHECKING:
    from pathlib import Path

READY_S = 60.0
REQUEST_S = 10.0
ORG = "raffinate"
BUCKET = "plant"
TOKEN = "raffinate-test-token"  # noqa: S105 - of a throwaway server on 127.0.0.1
USER = "raffinate"
PASSWORD = "raffinate-test"  # noqa: S105 - the same


class InfluxServer:
    """One server process on 127.0.0.1; `org`, `bucket` and `token` are ready after `start`.

    After `kill` or `stop`, `start` runs it again on the same port and data.
    """

    VERSION: ClassVar[str] = ""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.org = ORG
        self.bucket = BUCKET
        self.token = TOKEN
        self._program: Program | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        running = self._program is not None and self._program.running
        return self._program.pid if self._program is not None and running else None

    def start(self) -> None:
        """Start, wait until it answers, and set it up once; raises MissingToolError."""
        if self.pid is not None:
            return
        check_port_free(self.port, f"InfluxDB {self.VERSION}")
        self._program = Program(
            self._arguments(), self.folder / "influxd.log", env=self._env(), cwd=self.folder
        )
        self._program.wait_ready(self._answers, READY_S)
        marker = self.folder / "set-up"
        if not marker.exists():
            try:
                self._set_up()
            except BaseException:
                self.stop()
                raise
            marker.touch()

    def kill(self) -> None:
        """SIGKILL, without warning."""
        if self._program is not None:
            self._program.kill()

    def stop(self) -> None:
        """End it in order."""
        if self._program is not None:
            self._program.stop()

    def query(self, influxql: str) -> list[dict[str, Any]]:
        """The series of one InfluxQL statement, as the server's JSON names them."""
        arguments = urllib.parse.urlencode({"db": self.bucket, "q": influxql, "epoch": "ms"})
        answer = self.request("GET", f"/query?{arguments}")
        series: list[dict[str, Any]] = answer["results"][0].get("series", [])
        return series

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """One HTTP request with the token; the JSON of the answer, or None where it is empty."""
        headers = {"Authorization": f"Token {self.token}"}
        answer = httpx.request(
            method, self.url + path, content=body, headers=headers, timeout=REQUEST_S
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _answers(self) -> bool:
        try:
            self.request("GET", "/ping")
        except httpx.HTTPError:
            return False
        return True

    def _env(self) -> dict[str, str]:
        return {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}

    def _arguments(self) -> list[str | Path]:
        raise NotImplementedError

    def _set_up(self) -> None:
        raise NotImplementedError


class Influx18(InfluxServer):
    """InfluxDB 1.8 with Flux; the bucket is a database, the token `user:password` or anything."""

    VERSION: ClassVar[str] = "1.8"

    def _arguments(self) -> list[str | Path]:
        program = find_tool("influxd-1.8")
        config = self.folder / "influxdb.conf"
        config.write_text(
            f"""\
reporting-disabled = true
bind-address = "{HOST}:{free_port()}"
[meta]
  dir = {json.dumps(str(self.folder / "meta"))}
[data]
  dir = {json.dumps(str(self.folder / "data"))}
  wal-dir = {json.dumps(str(self.folder / "wal"))}
[http]
  bind-address = "{HOST}:{self.port}"
  flux-enabled = true
  log-enabled = false
[monitor]
  store-enabled = false
""",
            encoding="utf-8",
        )
        return [program, "-config", config]

    def _set_up(self) -> None:
        statement = urllib.parse.urlencode({"q": f'CREATE DATABASE "{self.bucket}"'})
        self.request("POST", f"/query?{statement}", b"")


class Influx27(InfluxServer):
    """InfluxDB 2.7 with one user, org, bucket and token."""

    VERSION: ClassVar[str] = "2.7"

    def _arguments(self) -> list[str | Path]:
        return [
            find_tool("influxd-2.7"),
            f"--bolt-path={self.folder / 'influxd.bolt'}",
            f"--sqlite-path={self.folder / 'influxd.sqlite'}",
            f"--engine-path={self.folder / 'engine'}",
            f"--http-bind-address={HOST}:{self.port}",
            "--reporting-disabled",
            "--log-level=warn",
        ]

    def _set_up(self) -> None:
        members = {
            "username": USER,
            "password": PASSWORD,
            "org": self.org,
            "bucket": self.bucket,
            "token": self.token,
        }
        self.request("POST", "/api/v2/setup", json.dumps(members).encode())


INFLUX_SERVERS: dict[str, type[InfluxServer]] = {
    server.VERSION: server for server in (Influx18, Influx27)
}
