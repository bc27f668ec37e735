"""The HTTP API over known data, through a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from page_server import START_MS, Fixture, served
from raffinate.errors import RaffinateError
from raffinate.web.evidence_shape import EvidenceState
from raffinate.web.guard import HEADERS
from raffinate.web.health_shape import Health
from raffinate.web.problem import BadRequestError
from raffinate.web.query import BUCKETS_MAX, parse_history_query
from raffinate.web.shapes import HistoryJson, PlantJson, SampleJson
from raffinate.web.times import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from raffinate.model import Bucket

DAY_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
PATHS = (
    "/",
    "/api/v1/plant",
    "/api/v1/latest",
    "/api/v1/health",
    "/api/v1/evidence",
    "/api/v1/checkpoint",
    "/api/v1/checkpoint.svg",
    "/api/v1/openapi.json",
    "/healthz",
    "/metrics",
    "/nothing",
)
HOUR = {"point": "e01/ph", "from": "2026-11-21T09:00:00Z", "to": "2026-11-21T10:00:00Z"}


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture()


@pytest.fixture(scope="module")
def api(fixture: Fixture, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    page = tmp_path_factory.mktemp("page")
    (page / "index.html").write_text("<!doctype html><title>page</title>")
    (page / "assets").mkdir()
    (page / "assets" / "main-1234.js").write_text("1;")
    with served(fixture.app(static_dir=page)) as address, httpx.Client(base_url=address) as client:
        yield client


@pytest.mark.parametrize("scenario", ["normal", "alarm", "stale", "empty", "licences"])
def test_answers_have_the_shape_that_openapi_names(
    api: httpx.Client, fixture: Fixture, scenario: str
) -> None:
    fixture.scenario = scenario
    try:
        for path, shape in (
            ("plant", PlantJson),
            ("latest", list[SampleJson]),
            ("health", Health),
            ("evidence", EvidenceState),
        ):
            body = api.get(f"/api/v1/{path}").raise_for_status().content
            TypeAdapter(shape).validate_json(body, strict=True)
    finally:
        fixture.scenario = "normal"


def test_openapi_lists_every_route_and_loads_nothing(api: httpx.Client) -> None:
    document = api.get("/api/v1/openapi.json").raise_for_status().json()
    assert set(document["paths"]) == {
        "/api/v1/plant",
        "/api/v1/latest",
        "/api/v1/history",
        "/api/v1/stream",
        "/api/v1/health",
        "/api/v1/evidence",
        "/api/v1/acknowledgements",
        "/api/v1/registry",
        "/api/v1/registry/forms",
        "/api/v1/registry/parties",
        "/api/v1/registry/preview",
        "/api/v1/registry/documents",
        "/api/v1/registry/documents/{digest}",
        "/api/v1/checkpoint",
        "/api/v1/checkpoint.svg",
        "/healthz",
        "/metrics",
    }
    asked = document["paths"]["/api/v1/acknowledgements"]
    assert list(asked) == ["post"]
    body = asked["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["equipment", "state", "actor"]
    history = document["paths"]["/api/v1/history"]["get"]
    assert [(p["name"], p["required"]) for p in history["parameters"]] == [
        ("point", True),
        ("from", True),
        ("to", True),
        ("buckets", False),
    ]
    assert "HistoryJson" in document["components"]["schemas"]
    assert api.get("/docs").status_code == api.get("/redoc").status_code == 404


def test_plant_is_the_tree_in_flow_order(api: httpx.Client) -> None:
    plant = api.get("/api/v1/plant").json()
    assert (plant["site"], plant["note"]) == ("ndpr", "bench scale, simulated")
    assert [section["kind"] for section in plant["sections"]] == ["extraction", "scrub", "strip"]
    stages = [stage["id"] for section in plant["sections"] for stage in section["stages"]]
    assert stages[:7] == ["e01", "e02", "e03", "e04", "e05", "e06", "s01"]
    cond = plant["sections"][0]["stages"][0]["points"][1]
    assert (cond["id"], cond["unit"], cond["range"]) == ("e01/cond", "S/m", [0.0, 100.0])
    assert "pins" not in plant["equipment"][0]


def test_latest_is_in_wire_units_with_quality(api: httpx.Client, fixture: Fixture) -> None:
    fixture.scenario = "alarm"
    try:
        latest = {s["point"]: s for s in api.get("/api/v1/latest").json()}
    finally:
        fixture.scenario = "normal"
    assert len(latest) == len(fixture.plant.points)
    failed = latest["e05/cond"]
    assert (failed["value"], failed["quality"]) == (None, "F:open")
    assert 8 < latest["e01/cond"]["value"] < 11
    assert parse_time(latest["e01/cond"]["time"]) >= START_MS


def test_history_has_buckets_from_from(api: httpx.Client) -> None:
    body = api.get("/api/v1/history", params={**HOUR, "buckets": "7"}).raise_for_status()
    TypeAdapter(HistoryJson).validate_json(body.content, strict=True)
    history = body.json()
    width = -(-3_600_000 // 7)
    assert history["width_ms"] == width
    assert history["from"] == "2026-11-21T09:00:00.000Z"
    assert history["to"] == "2026-11-21T10:00:00.000Z"
    assert len(history["mean"]) == -(-3_600_000 // width) == 7
    assert all(
        low < mean < high
        for low, mean, high in zip(history["min"], history["mean"], history["max"], strict=True)
    )


def test_history_tells_empty_buckets_by_null(api: httpx.Client) -> None:
    # The fixture has ten empty minutes at the start of each fourth hour.
    span = {**HOUR, "from": "2026-11-21T08:00:00Z", "to": "2026-11-21T08:20:00Z", "buckets": "4"}
    history = api.get("/api/v1/history", params=span).json()
    assert history["count"] == [0, 0, 300, 300]
    assert history["mean"][:2] == [None, None]
    assert None not in history["mean"][2:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"point": None}, "point: missing; give a point such as e01/ph"),
        ({"point": "e99/ph"}, "point: this plant has no point 'e99/ph'"),
        ({"from": None}, "from: missing; give a time such as"),
        ({"from": "yesterday"}, "from: 'yesterday' is not a time in UTC; write it like"),
        ({"from": "2026-02-30T00:00:00Z"}, "is not a time in UTC"),
        ({"to": "2026-11-21T10:00:00+08:00"}, "to: '2026-11-21T10:00:00+08:00' is not a time"),
        ({"to": "2026-11-21T09:00:00Z"}, "to: must be later than from"),
        ({"from": "1970-01-01T00:00:00Z"}, "to: the span is at most 3660 days"),
        ({"buckets": "0"}, "buckets: '0' is not a whole number from 1 to 5000"),
        ({"buckets": "5001"}, "buckets: '5001' is not"),
        ({"buckets": "1e3"}, "buckets: '1e3' is not"),
        ({"buckets": "٣"}, "buckets: '٣' is not"),
        ({"bucket": "3"}, "bucket: unknown parameter; this address takes point, from, to, buckets"),
    ],
)
def test_history_names_what_is_wrong(
    api: httpx.Client, change: dict[str, str | None], words: str
) -> None:
    params = {name: value for name, value in {**HOUR, **change}.items() if value is not None}
    response = api.get("/api/v1/history", params=params)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]


def test_a_parameter_given_twice_is_named(api: httpx.Client) -> None:
    response = api.get("/api/v1/history?point=a&point=b")
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "point: given twice; give it once",
    )


def test_other_routes_take_no_parameters(api: httpx.Client) -> None:
    for path in ("plant", "latest", "health", "evidence", "stream"):
        response = api.get(f"/api/v1/{path}?x=1")
        assert response.status_code == 400
        assert "x: unknown parameter; this address takes none" in response.json()["detail"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_security_headers(api: httpx.Client, path: str) -> None:
    headers = api.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/api/v1/latest", "/api/v1/stream"])
def test_only_get_is_served(api: httpx.Client, method: str, path: str) -> None:
    response = api.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]", "[::1]:80"])
def test_names_of_this_machine_are_answered(api: httpx.Client, host: str) -> None:
    assert api.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "::1",
        "",
        "localhost:x",
    ],
)
def test_other_host_names_are_refused(api: httpx.Client, host: str) -> None:
    response = api.get("/api/v1/latest", headers={"Host": host})
    assert response.status_code == 421
    assert "answers only to the host names" in response.json()["detail"]


def test_healthz_names_what_is_degraded_and_stays_200(api: httpx.Client, fixture: Fixture) -> None:
    assert api.get("/healthz").json() == {"status": "ok", "reasons": []}
    fixture.scenario = "alarm"
    try:
        response = api.get("/healthz")
    finally:
        fixture.scenario = "normal"
    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded",
        "reasons": ["ingest: storage-full", "influx: down"],
    }


def test_metrics_are_prometheus_text(api: httpx.Client) -> None:
    response = api.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "raffinate_test_points 96.0" in response.text


def test_page_files_are_cached_by_their_names(api: httpx.Client) -> None:
    assert api.get("/").headers["cache-control"] == "no-cache"
    asset = api.get("/assets/main-1234.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert api.get("/api/v1/latest").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/"])
def test_nothing_outside_the_page_is_served(api: httpx.Client, path: str) -> None:
    response = api.get(path)
    assert (response.status_code, response.json()["status"]) == (404, 404)


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with served(Fixture().app(static_dir=tmp_path / "none")) as address:
        response = httpx.get(address)
        assert response.status_code == 503
        assert "npm ci && npm run build" in response.text
        assert httpx.get(f"{address}/api/v1/plant").status_code == 200


class _Broken(Fixture):
    def latest(self) -> Any:
        raise RaffinateError("the store is being repaired; ask again in a minute")

    def history(self, *_question: object) -> list[Bucket]:
        raise KeyError


def test_errors_of_providers_reach_the_reader_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served(_Broken().app()) as address:
        known = httpx.get(f"{address}/api/v1/latest")
        assert known.status_code == 503
        assert known.json()["detail"] == "the store is being repaired; ask again in a minute"
        defect = httpx.get(f"{address}/api/v1/history", params=HOUR)
        assert defect.status_code == 500
        assert defect.json()["detail"] == "the gateway could not answer; its own log says why"
        assert defect.headers["content-security-policy"]
    assert "/api/v1/history could not be answered" in caplog.text


@given(st.integers(0, DAY_MS_MAX))
def test_times_come_back(time_ms: int) -> None:
    assert parse_time(format_time(time_ms)) == time_ms


def test_a_time_that_no_calendar_has_is_shown_as_the_last() -> None:
    """Boards state up to 2^53 ms; one such sample must not end the API and the stream."""
    assert format_time((1 << 53) - 1) == format_time(DAY_MS_MAX) == "9999-12-31T23:59:59.999Z"


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        time_ms = parse_time(text)
    except ValueError:
        return
    assert parse_time(format_time(time_ms)) == time_ms


_NAMES = st.sampled_from(["point", "from", "to", "buckets", "x"])
_VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["e01/ph", "1", "5000", HOUR["from"], HOUR["to"]]),
)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=6))
def test_any_query_is_checked_or_refused_in_words(items: list[tuple[str, str]]) -> None:
    try:
        query = parse_history_query(items, {"e01/ph"})
    except BadRequestError as error:
        words = str(error)
    else:
        assert query.from_ms < query.to_ms
        assert 1 <= query.buckets <= BUCKETS_MAX
        assert query.width_ms * query.buckets >= query.to_ms - query.from_ms
        return
    assert 0 < len(words) < 250


def test_checkpoint_is_served_as_note_and_as_qr_code(api: httpx.Client) -> None:
    note = api.get("/api/v1/checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert note.text.startswith("demo.example/raffinate/ndpr\n1204\n")
    code = api.get("/api/v1/checkpoint.svg")
    assert code.headers["content-type"].startswith("image/svg+xml")
    assert code.text.count("<path") >= 1


def test_without_a_log_there_is_no_checkpoint(fixture: Fixture, api: httpx.Client) -> None:
    before, fixture.scenario = fixture.scenario, "empty"
    try:
        answer = api.get("/api/v1/checkpoint")
    finally:
        fixture.scenario = before
    assert (answer.status_code, "keys init" in answer.json()["detail"]) == (503, True)
