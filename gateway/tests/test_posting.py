"""Requests that change something: who may send them, and what they may hold."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from page_licences import REFUSED_ACTOR, Entries
from page_server import Fixture, served
from raffinate.evidence.handover import NoGatewayError, UnansweredError
from raffinate.web import posting
from raffinate.web.posting import AT_ONCE_MAX, BODY_BYTES_MAX, POST_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/api/v1/acknowledgements"
GOOD = {"equipment": "bat-scrub", "state": "grace", "actor": "op-7"}


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture("licences")


@pytest.fixture(scope="module")
def api(fixture: Fixture) -> Iterator[httpx.Client]:
    with served(fixture.app()) as address:
        headers = {"Origin": address, "Content-Type": "application/json"}
        with httpx.Client(base_url=address, headers=headers) as client:
            yield client


@pytest.fixture(autouse=True)
def _nothing_taken(fixture: Fixture) -> Iterator[None]:
    yield
    fixture.entries.taken.clear()


def test_an_acknowledgement_is_answered_with_its_log_entry_and_then_shown(
    api: httpx.Client, fixture: Fixture
) -> None:
    answer = api.post(PATH, json=GOOD).raise_for_status()
    assert answer.json() == {"index": 1204, "sha256": "ac" * 32}
    shown = api.get("/api/v1/evidence").json()["equipment"][1]
    assert shown["to_acknowledge"] == ["conditions"]
    assert (shown["acknowledgements"][0]["who"], shown["acknowledgements"][0]["index"]) == (
        "op-7",
        1204,
    )
    assert list(fixture.entries.taken) == ["bat-scrub"]


@pytest.mark.parametrize("path", sorted(POST_PATHS))
@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Origin": None}, 403, "only this gateway's own page"),
        ({"Origin": "http://evil.example"}, 403, "only this gateway's own page"),
        ({"Origin": "null"}, 403, "only this gateway's own page"),
        ({"Origin": "http://127.0.0.1:1"}, 403, "only this gateway's own page"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "only this gateway's own page"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "only this gateway's own page"),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421, "answers only to"),
        ({"Content-Type": "text/plain"}, 415, "must be JSON"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "must be JSON"),
        ({"Content-Type": None}, 415, "must be JSON"),
    ],
)
def test_only_the_gateways_own_page_may_post(
    api: httpx.Client,
    fixture: Fixture,
    path: str,
    headers: dict[str, str | None],
    status: int,
    words: str,
) -> None:
    given = {name: value for name, value in api.headers.items() if name not in _lower(headers)}
    given |= {name: value for name, value in headers.items() if value is not None}
    answer = httpx.post(
        f"{api.base_url}".rstrip("/") + path, headers=given, content=b"{}", timeout=20
    )
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    assert words in answer.json()["detail"]
    assert fixture.entries.taken == {}


def test_two_origins_are_none(api: httpx.Client) -> None:
    origin = str(api.base_url).rstrip("/")
    headers = [("Origin", origin), ("Origin", origin), ("Content-Type", "application/json")]
    answer = httpx.post(origin + PATH, headers=headers, json=GOOD)
    assert answer.status_code == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "DELETE", "HEAD"])
def test_what_is_posted_to_is_not_read(api: httpx.Client, method: str) -> None:
    answer = api.request(method, PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "access-control-allow-origin" not in answer.headers


def test_large_bodies_are_refused_by_their_length_and_by_their_bytes(api: httpx.Client) -> None:
    answer = api.post(PATH, content=b" " * (BODY_BYTES_MAX + 1))
    assert (answer.status_code, "256 KiB" in answer.json()["detail"]) == (413, True)
    assert api.post(PATH, content=iter([b"{}"])).status_code == 411
    assert api.post(PATH, content=b" " * BODY_BYTES_MAX).status_code == 400


def test_a_body_that_does_not_come_is_not_waited_for(
    fixture: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "BODY_S_MAX", 0.2)
    with served(fixture.app()) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                f"POST {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {address}\r\n"
                "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{".encode()
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", "", "the body is no JSON in UTF-8"),
        (b"\xff", "", "the body is no JSON in UTF-8"),
        (b"[]", "", "the body is no object"),
        (b"[" * 3000, "", "the body is no JSON in UTF-8"),
        ({**GOOD, "x": 1}, "x", "x: unknown member; known are equipment, state, actor"),
        ({"state": "grace", "actor": "op-7"}, "equipment", "equipment: give a text"),
        ({**GOOD, "equipment": 7}, "equipment", "equipment: give a text"),
        ({**GOOD, "equipment": "bat-x"}, "equipment", "there is bat-ext, bat-scrub, bat-strip"),
        ({**GOOD, "state": "bypass"}, "state", "not to be acknowledged now; grace, conditions is"),
        ({**GOOD, "equipment": "bat-ext"}, "state", "now; nothing is"),
        ({**GOOD, "actor": "  "}, "actor", "actor: give a text of 1 to 128 characters"),
        ({**GOOD, "actor": "x" * 129}, "actor", "actor: give a text of 1 to 128 characters"),
    ],
)
def test_a_wrong_body_is_named_at_its_field(
    api: httpx.Client, fixture: Fixture, body: Any, field: str, words: str
) -> None:
    answer = api.post(PATH, **({"content": body} if isinstance(body, bytes) else {"json": body}))
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (400, 400)
    assert words in problem["detail"]
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
    assert fixture.entries.taken == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), _JSON))
def test_any_body_is_answered_in_words(api: httpx.Client, body: Any) -> None:
    given = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = api.post(PATH, **given)
    assert (answer.status_code, bool(answer.json()["detail"])) == (400, True)


def test_the_gateways_no_is_a_conflict(api: httpx.Client) -> None:
    answer = api.post(PATH, json={**GOOD, "actor": REFUSED_ACTOR})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "the gateway refused it: its disk is full",
    )


class _Slow(Entries):
    """Answers once it is let."""

    def __init__(self, time_ms: Any) -> None:
        super().__init__(time_ms)
        self.waiting = threading.Semaphore(0)
        self.go = threading.Event()

    def acknowledge(self, equipment: str, state: str, actor: str) -> dict[str, Any]:
        self.waiting.release()
        assert self.go.wait(30)
        return super().acknowledge(equipment, state, actor)


def test_only_so_many_wait_for_the_log(fixture: Fixture) -> None:
    entries = _Slow(fixture.time_ms)
    with served(fixture.app(entries=entries)) as address:
        headers = {"Origin": address}
        answers: list[int] = []

        def send() -> None:
            answers.append(httpx.post(address + PATH, json=GOOD, headers=headers).status_code)

        threads = [threading.Thread(target=send) for _ in range(AT_ONCE_MAX)]
        for thread in threads:
            thread.start()
            assert entries.waiting.acquire(timeout=30)
        over = httpx.post(address + PATH, json=GOOD, headers=headers)
        assert over.status_code == 503
        assert "4 entries wait for the log already" in over.json()["detail"]
        entries.go.set()
        for thread in threads:
            thread.join(30)
    assert answers == [200] * AT_ONCE_MAX


class _Failing(Entries):
    def acknowledge(self, *_: str) -> dict[str, Any]:
        raise self.error

    error: Exception = UnansweredError("it is signed and lies in the inbox")


@pytest.mark.parametrize(
    ("error", "status"),
    [(UnansweredError("it lies in the inbox"), 504), (NoGatewayError("no gateway runs"), 503)],
)
def test_what_keeps_it_from_the_log_is_said(
    fixture: Fixture, error: Exception, status: int
) -> None:
    entries = _Failing(fixture.time_ms)
    entries.error = error
    with served(fixture.app(entries=entries)) as address:
        answer = httpx.post(address + PATH, json=GOOD, headers={"Origin": address})
    assert (answer.status_code, answer.json()["detail"]) == (status, str(error))


def test_a_server_without_entries_takes_nothing(fixture: Fixture) -> None:
    with served(fixture.app(entries=None)) as address:
        answer = httpx.post(address + PATH, json=GOOD, headers={"Origin": address})
    assert (answer.status_code, "only shows" in answer.json()["detail"]) == (503, True)


def _lower(headers: dict[str, Any]) -> set[str]:
    return {name.lower() for name in headers}
