"""Connections to the API that ask nothing: they end, and others are answered meanwhile."""

from __future__ import annotations

import socket

import httpx
import pytest

from page_server import Fixture, served
from raffinate import connection

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@pytest.fixture
def opened():
    sockets = []
    yield sockets
    for sock in sockets:
        sock.close()


def ended(sock):
    """Whether the server ends the connection."""
    sock.settimeout(20.0)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def address(tmp_path):
    with served(Fixture().app(static_dir=tmp_path)) as found:
        yield found


def connect(opened, address, data):
    url = httpx.URL(address)
    sock = socket.create_connection((url.host, url.port))
    opened.append(sock)
    sock.sendall(data)
    return sock


@pytest.mark.parametrize("data", [b"", HALF])
def test_a_head_that_does_not_come_ends_its_connection(opened, address, monkeypatch, data):
    monkeypatch.setattr(connection, "HEAD_S_MAX", 0.2)
    assert ended(connect(opened, address, data))


def test_the_second_head_of_a_connection_ends_too(opened, address, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S_MAX", 0.5)
    sock = connect(opened, address, HALF + b"\r\n\r\n")
    answer = b""
    while b"\r\n\r\n{" not in answer:
        answer += sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200")
    sock.sendall(HALF)
    assert ended(sock)


def test_above_the_limit_connections_are_dropped_and_those_within_are_served(
    opened, address, monkeypatch
):
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 5)
    with httpx.Client(base_url=address) as client:
        assert client.get("/healthz").status_code == 200
        for _ in range(4):
            connect(opened, address, HALF)
        assert ended(connect(opened, address, b""))
        assert client.get("/healthz").status_code == 200
    for sock in opened:
        sock.close()
