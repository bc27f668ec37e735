"""What the gateway states itself: activities, administration, closes, silence, denials, forks."""

from __future__ import annotations

from hashlib import sha256

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_site import START_MS, enrolled_site
from node_simulator import SimulatedNode
from raffinate.errors import RaffinateError, StorageFullError
from raffinate.evidence import inbox, period, salted
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.petition import operator
from raffinate.evidence.requests import AGE_MS_MAX, format_request
from raffinate.evidence.statement import parse_statement
from raffinate.evidence.watch import BROKER, GATEWAY, Surroundings
from raffinate.keys import load_gateway_keys
from raffinate_wire.statement import PAYLOAD_BYTES_MAX

HOUR_MS = 3_600_000


class Around:
    """Clock, broker and configuration as a test wants them."""

    def __init__(self, site):
        self.site, self.broker, self.clock_ms, self.close_hour = site, True, 0, None

    def watch(self, config=b"one"):
        self.site.service.watch(
            Surroundings(
                sha256(config).hexdigest(),
                lambda: self.broker,
                lambda: self.clock_ms,
                self.close_hour,
            )
        )
        return self

    def tick(self, ms, set_ms=0):
        """`ms` pass; the clock is also set by `set_ms`."""
        self.clock_ms += ms
        return self.site.tick(ms + set_ms)


@pytest.fixture
def site(tmp_path):
    site, nodes = enrolled_site(tmp_path, 2)
    site.node, site.other = nodes
    site.around = Around(site)
    yield site
    site.close()


def stated(site, kind):
    """(index, statement) of each of a kind in the log, by the gateway."""
    log, found = site.service._log, []
    for index in range(log.size):
        envelope = decode_envelope(log.entry(index))
        if envelope.payload_type == b"application/vnd.in-toto+json":
            statement = parse_statement(envelope.payload)
            if statement.type == kind and statement.node == "gateway":
                found.append((index, statement))
    return found


def admin(site):
    return [(s.body["action"], s.body["fromMs"], s.body["toMs"]) for _, s in stated(site, "admin")]


def ask(site, kind, body, documents=(), actor="op-1", name="r", request=None):
    """Hand a request to the service; its answer."""
    if request is None:
        keys = load_gateway_keys(site.keys)
        request = format_request(keys, kind, operator(actor), body, documents, site.now_ms)
    (site.data / "inbox").mkdir(exist_ok=True)
    (site.data / "inbox" / f"{name}.dsse").write_bytes(request)
    site.tick(1000)
    return orjson.loads((site.data / "outbox" / f"{name}.json").read_bytes())


def activity(site, **changes):
    body = {
        "kind": "maintenance",
        "equipment": "bat-ext",
        "workOrder": None,
        "fromMs": site.now_ms - 1000,
        "toMs": None,
        "details": None,
    }
    return {**body, **changes}


def fixed(size):
    return bytes(range(size))


def test_an_activity_names_nobody_in_the_log_and_its_documents_stay_here(site):
    order, document = salted.salt("WO-17.pdf", b"%PDF", fixed)
    digest, listed = salted.details("A. Person", "seal changed", [("photo.jpg", b"JFIF")], fixed)
    body = activity(site, workOrder=order, details=digest)
    answer = ask(site, "activity", body, [document, *listed])
    assert answer["ok"], answer
    ((index, statement),) = stated(site, "activity")
    assert index == answer["index"]
    assert statement.body["actor"] == {
        "id": "op-1",
        "role": "operator",
        "auth": "gateway key file",
    }
    descriptor = site.plant.equipment["bat-ext"].descriptor.read_bytes()
    assert statement.subjects() == {"equipment/bat-ext.toml": sha256(descriptor).hexdigest()}
    entry = site.service._log.entry(index)
    assert b"Person" not in decode_envelope(entry).payload
    kept = {row[0]: row for row in site.service._store.documents() if row[1] == "private"}
    assert set(kept) == {order, *(sha256(item).hexdigest() for item in listed)}
    assert salted.listed_files(kept[digest][3])["who"] == "A. Person"


def test_an_activity_of_another_machine_or_without_its_document_is_refused(site):
    size = site.service._log.size
    assert "no equipment" in ask(site, "activity", activity(site, equipment="x"))["error"]
    assert (
        "not with the request" in ask(site, "activity", activity(site, details="0" * 64))["error"]
    )
    assert "makes no statement" in ask(site, "activity", activity(site, kind="party"))["error"]
    assert "makes no statement" in ask(site, "activity", activity(site, extra=1))["error"]
    assert site.service._log.size == size
    assert site.service._store.private_bytes() == 0


def test_a_request_is_stated_once_however_often_it_is_handed_in(site, monkeypatch):
    keys = load_gateway_keys(site.keys)
    request = format_request(keys, "activity", operator("op"), activity(site), (), site.now_ms)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "answer", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        (site.data / "inbox").mkdir(exist_ok=True)
        (site.data / "inbox" / "r.dsse").write_bytes(request)
        with pytest.raises(KeyboardInterrupt):
            site.tick(1000)
    site.service._store.close()
    site.open()
    first = ask(site, "", {}, request=request)
    again = ask(site, "", {}, request=request, name="again")
    assert first == again
    assert len(stated(site, "activity")) == 1
    site.now_ms += AGE_MS_MAX + 2000
    assert "7 days" in ask(site, "", {}, request=request, name="old")["error"]


def test_only_the_gateways_own_key_asks(site):
    keys = load_gateway_keys(site.keys)
    stranger = SimulatedNode(number=5).pair
    forged = format_request(
        type("K", (), {"origin": keys.origin, "gateway": stranger}),
        "activity",
        operator("op"),
        activity(site),
        (),
        site.now_ms,
    )
    assert "gateway's key" in ask(site, "", {}, request=forged)["error"]


def test_a_start_states_the_configuration_only_when_it_changed(site):
    site.around.watch()
    ((_, first),) = stated(site, "admin")
    assert (first.body["before"], first.body["after"]) == (None, sha256(b"one").hexdigest())
    site.reopen()
    site.around.watch()
    site.reopen()
    site.around.watch(b"two")
    changes = [s.body for _, s in stated(site, "admin") if s.body["action"] == "configuration"]
    assert [item["before"] for item in changes] == [None, sha256(b"one").hexdigest()]


def test_an_orderly_stop_and_a_kill_are_outages(site):
    site.around.watch()
    site.around.tick(5000)
    stopped_ms = site.now_ms
    site.service.close()
    site.now_ms += 10 * HOUR_MS
    site.open()
    site.around.watch()
    assert admin(site)[1:] == [
        ("outage-begin", stopped_ms, None),
        ("outage-end", stopped_ms, site.now_ms),
    ]
    assert {s.body["object"] for _, s in stated(site, "admin")[1:]} == {GATEWAY}
    killed_ms = site.now_ms
    site.service._store.close()
    site.now_ms += 30_000
    site.open()
    site.around.watch()
    assert len(admin(site)) == 3, "half a minute is none"
    site.around.tick(61_000)
    alive_ms = site.now_ms
    assert alive_ms > killed_ms
    site.service._store.close()
    site.now_ms += HOUR_MS
    site.open()
    site.around.watch()
    assert admin(site)[3:] == [("outage-end", alive_ms, site.now_ms)]


def test_a_broker_that_is_away_is_stated_after_a_minute_and_when_it_is_back(site):
    site.around.watch().tick(1000)
    site.around.broker = False
    site.around.tick(30_000)
    down_ms = site.now_ms
    site.around.tick(59_000)
    site.around.broker = True
    site.around.tick(1000)
    assert len(admin(site)) == 1, "a flap is none"
    site.around.broker = False
    site.around.tick(1000)
    down_ms = site.now_ms
    site.around.tick(60_000)
    site.around.tick(60_000)
    site.around.broker = True
    site.around.tick(1000)
    assert admin(site)[1:] == [
        ("outage-begin", down_ms, None),
        ("outage-end", down_ms, site.now_ms),
    ]
    assert {s.body["object"] for _, s in stated(site, "admin")[1:]} == {BROKER}
    assert stated(site, "gap") == [], "no node is silent for the broker's sake"


def test_a_clock_that_is_set_is_stated_once_a_minute_at_most(site):
    site.around.watch().tick(1000)
    site.around.tick(1000, set_ms=1500)
    assert len(admin(site)) == 1
    site.around.tick(1000, set_ms=7_200_000)
    ((action, from_ms, to_ms),) = admin(site)[1:]
    assert (action, to_ms - from_ms) == ("time-set", 7_200_000)
    for _ in range(20):
        site.around.tick(1000, set_ms=3000)
    assert len(admin(site)) == 2
    for _ in range(50):
        site.around.tick(1000)
    ((_, from_ms, to_ms),) = admin(site)[2:]
    assert to_ms - from_ms == 60_000


def test_a_silent_node_is_a_gap_that_ends_when_it_speaks(site):
    site.submit(site.node, site.node.boot())
    site.around.watch()
    site.submit(site.node, site.node.usage())
    site.submit(site.other, site.other.boot())
    heard_ms = site.now_ms
    for _ in range(40):
        site.around.tick(10_000)
        site.submit(site.other, site.other.usage())
    ((_, gap),) = stated(site, "gap")
    assert gap.body["about"] == {"node": "n01", "keyid": site.node.keyid}
    assert (gap.body["cause"], gap.body["fromMs"], gap.body["toMs"]) == ("silent", heard_ms, None)
    assert gap.body["registersFrom"] == site.node.register_list()
    site.service._store.close()
    site.open()
    site.around.watch().tick(1000)
    assert len(stated(site, "gap")) == 1, "a restart states it not again"
    site.submit(site.node, site.node.usage())
    back_ms = site.now_ms
    site.around.tick(1000)
    site.around.tick(1000)
    _, (_, end) = stated(site, "gap")
    assert (end.body["fromMs"], end.body["toMs"]) == (heard_ms, back_ms)
    assert end.body["registersTo"] == site.node.register_list()


def test_a_full_disk_loses_no_statement_of_the_watch(site, monkeypatch):
    site.around.watch().tick(1000)
    site.around.broker = False
    site.around.tick(1000)

    def full(*_):
        raise StorageFullError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(site.service, "_write", full)
        for _ in range(3):
            with pytest.raises(StorageFullError):
                site.around.tick(60_000)
    site.around.tick(1000)
    site.around.broker = True
    site.around.tick(1000)
    assert [item[0] for item in admin(site)] == ["configuration", "outage-begin", "outage-end"]


def start_usage(node, member="starts", why=None, **changes):
    """Usage of an interval with a start or a request."""
    envelope = node.usage(**changes)
    statement = parse_statement(decode_envelope(envelope).payload)
    use = statement.body["equipment"]
    use[0][member] = 1
    node.seq -= 1
    node.prev = statement.prev
    own = {name: statement.body[name] for name in ("interval", "frames", "equipment", "why")}
    return node.sign("usage", {**own, "why": why})


@pytest.mark.parametrize(
    ("member", "kind"), [("starts", "STARTED-ANYWAY"), ("startRequests", "REFUSED")]
)
def test_a_start_without_permit_that_the_node_kept_silent_about_is_stated(site, member, kind):
    site.around.watch()
    for _ in range(3):
        site.submit(site.node, start_usage(site.node, member))
    site.around.tick(60_000)
    assert stated(site, "denial") == []
    site.around.tick(61_000)
    ((_, denial),) = stated(site, "denial")
    assert (denial.body["kind"], denial.body["reason"]) == (kind, "no-permit")
    assert denial.body["count"] == 3
    site.submit(site.node, start_usage(site.node, member))
    site.around.tick(10 * 60_000)
    assert len(stated(site, "denial")) == 1, "one an hour"
    site.around.tick(HOUR_MS)
    assert [s.body["count"] for _, s in stated(site, "denial")] == [3, 1]


def test_a_start_past_the_permit_by_the_key_switch_is_stated_as_such(site):
    site.around.watch()
    why = "bypass bat-ext x3; bypass off bat-ext; bypass on bat-ext"
    site.submit(site.node, start_usage(site.node, "starts", why))
    site.submit(site.node, start_usage(site.node, "startRequests", why))
    site.around.tick(125_000)
    assert [(s.body["kind"], s.body["reason"]) for _, s in stated(site, "denial")] == [
        ("STARTED-ANYWAY", "bypass")
    ]


def test_what_the_node_states_itself_or_a_permit_covers_is_no_denial_of_the_gateway(site):
    site.around.watch()
    site.submit(site.node, start_usage(site.node), site.node.denial("STARTED-ANYWAY"))
    site.around.tick(130_000)
    site.licence()
    site.around.tick(2000)
    site.submit(site.node, start_usage(site.node))
    site.around.tick(HOUR_MS)
    assert stated(site, "denial") == []


def test_a_period_is_closed_with_deltas_gaps_late_ones_and_the_hour_meter(site):
    node, other = site.node, site.other
    site.submit(node, node.boot(), node.usage(run_ms=60_000), node.gap(1, 0, 3))
    gap = site.service._log.size - 1
    site.submit(other, other.boot())
    size = site.service._log.size
    body = {"fromMs": START_MS, "toMs": None, "hourMeters": {"bat-ext": 61}}
    answer = ask(site, "close", body)
    assert (answer["from"], answer["to"]) == (0, size)
    ((_, close),) = stated(site, "period-close")
    first, second = close.body["nodes"]
    assert (first["node"], first["firstSeq"], first["lastSeq"]) == ("n01", 1, 3)
    assert first["gaps"] == [gap]
    assert first["registers"] == [{"id": "bat-ext", "runMs": 60_000, "starts": 0, "volumeMl": 6000}]
    assert first["hourMeters"] == [{"id": "bat-ext", "minutes": 61}]
    assert (second["node"], second["lastSeq"], second["hourMeters"]) == ("n02", 1, [])
    assert close.body["late"] == []


def test_late_arrivals_stand_in_the_next_close(site):
    node = site.node
    one, two, three, four = node.boot(), node.usage(), node.usage(), node.usage(run_ms=100)
    site.submit(node, one, two, four)
    site.tick(61_000)
    ask(site, "close", {"fromMs": None, "toMs": None, "hourMeters": {}}, name="first")
    site.submit(node, three)
    late = site.service._log.size - 1
    answer = ask(site, "close", {"fromMs": None, "toMs": None, "hourMeters": {}}, name="second")
    before, close = (s for _, s in stated(site, "period-close"))
    assert before.body["nodes"][0]["lastSeq"] == 4
    assert (close.body["late"], close.body["nodes"]) == ([late], [])
    assert close.body["from"] == before.body["to"]
    assert close.body["fromMs"] == before.body["toMs"]
    assert answer["indices"] == [answer["index"]]


def test_a_day_is_closed_by_itself_where_that_is_configured(site):
    site.around.close_hour = 6
    site.around.watch()
    site.submit(site.node, site.node.boot())
    for _ in range(50):
        site.around.tick(HOUR_MS)
    closes = [s.body for _, s in stated(site, "period-close")]
    assert [item["toMs"] % (24 * HOUR_MS) for item in closes] == [6 * HOUR_MS] * 2
    assert closes[1]["fromMs"] == closes[0]["toMs"]


def test_a_close_in_the_future_or_of_unknown_equipment_is_refused(site):
    body = {"fromMs": None, "toMs": site.now_ms + HOUR_MS, "hourMeters": {}}
    assert "by now" in ask(site, "close", body)["error"]
    body = {"fromMs": None, "toMs": None, "hourMeters": {"x": 1}}
    assert "no equipment x" in ask(site, "close", body)["error"]
    assert stated(site, "period-close") == []


def test_a_plant_of_many_nodes_closes_in_parts_that_fit(tmp_path):
    names = tuple(f"n{number:02}" for number in range(1, 21))
    machines = tuple((f"machine-{name}-{i}", name) for name in names for i in range(4))
    site, nodes = enrolled_site(tmp_path, 20, nodes=names, equipment=machines)
    for node in nodes:
        node.registers = {f"machine-{node.node}-{i}": [0, 0, 0] for i in range(4)}
        site.submit(node, *[node.gap(1, 0, 3) for _ in range(20)])
    answer = ask(site, "close", {"fromMs": None, "toMs": None, "hourMeters": {}})
    closes = [s for _, s in stated(site, "period-close")]
    assert len(closes) == len(answer["indices"]) > 3
    assert [s.body["part"] for s in closes] == list(range(1, len(closes) + 1))
    assert {s.body["parts"] for s in closes} == {len(closes)}
    told = [item for s in closes for item in s.body["nodes"]]
    assert [item["node"] for item in told] == list(names)
    assert all(len(item["gaps"]) == period.GAPS_MAX for item in told)
    payloads = [decode_envelope(site.service._log.entry(i)).payload for i in answer["indices"]]
    assert max(map(len, payloads)) <= PAYLOAD_BYTES_MAX
    site.close()


def test_an_export_is_stated_with_its_manifest(site):
    answer = ask(site, "export", {"manifest": "a" * 64, "fromMs": 1, "toMs": 2})
    ((index, statement),) = stated(site, "admin")
    assert (index, statement.body["object"]) == (answer["index"], "a" * 64)


def test_forks_of_a_key_are_stated_up_to_their_limit_and_the_second_ones_kept(site):
    site.submit(site.node, site.node.boot())
    clones = []
    for number in range(70):
        site.node.seq, site.node.prev = 0, bytes(32)
        clones.append(site.node.boot(upMs=50_000 + number))
    site.submit(site.node, *clones, *clones)
    assert len(stated(site, "fork")) == 64
    kept = [row for row in site.service._store.documents() if row[1] == "fork"]
    assert len(kept) == 64
    assert {row[3] for row in kept} == set(clones[:64])


@given(st.text(max_size=40), st.binary(max_size=200))
def test_salted_documents_come_back(name, data):
    digest, document = salted.salt(name, data, fixed)
    assert sha256(document).hexdigest() == digest
    found, content = salted.open_salted(document)
    assert content == data
    assert "\n" not in found
    assert "/" not in found


@given(st.binary(max_size=200))
def test_any_bytes_are_a_salted_document_or_the_one_error(data):
    try:
        name, content = salted.open_salted(data)
    except RaffinateError:
        return
    assert data.endswith(content)
    assert name
