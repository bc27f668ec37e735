"""The real InfluxDB servers come up, keep what they have at kill -9, and answer InfluxQL."""

from __future__ import annotations

import urllib.parse

import httpx
import pytest

pytestmark = pytest.mark.influx


def write(server, line: str) -> None:
    names = urllib.parse.urlencode({"org": server.org, "bucket": server.bucket, "precision": "ms"})
    server.request("POST", f"/api/v2/write?{names}", line.encode())


def test_written_points_survive_a_kill(influx_server):
    write(influx_server, "stage,stage=e01 ph=1.851 1795255200125")
    influx_server.kill()
    assert influx_server.pid is None
    influx_server.start()
    write(influx_server, "stage,stage=e01 ph=1.852 1795255201125")
    series = influx_server.query("SELECT ph FROM stage")
    assert series[0]["values"] == [[1795255200125, 1.851], [1795255201125, 1.852]]


def test_influx27_refuses_a_wrong_token(influx27):
    influx27.token = "wrong"  # noqa: S105
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        write(influx27, "stage ph=1 1")
