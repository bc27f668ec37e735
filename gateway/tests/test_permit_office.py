"""The permit office on a running service: quotas, versions, withdrawals, papers, states."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import orjson
import pytest
from pydantic import TypeAdapter

from evidence_site import START_MS, enrolled_site
from node_simulator import SimulatedNode
from raffinate.evidence import notes
from raffinate.evidence.authority import open_authority
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.petition import operator
from raffinate.evidence.requests import format_request
from raffinate.evidence.roster import current_nodes
from raffinate.evidence.statement import parse_statement
from raffinate.keys import load_gateway_keys
from raffinate.licence.papers import parse_paper
from raffinate.licence.permit import LIFE_MS, is_withdrawal
from raffinate.licence.vouching import Vouching
from raffinate.model import Bucket
from raffinate.web.evidence_shape import EvidenceState
from raffinate_wire.permit import parse_permit

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
GRACE_MS = 20_000


def at(ms):
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def licence(site, extra="", name="a.toml", number="L-1", to_ms=None, serials='"SN-0"'):
    """Write a licence file; its SHA-256."""
    text = (
        f'number = "{number}"\nissuer = "Authority"\nequipment = [{serials}]\nstages = ["e01"]\n'
        f"from = {at(START_MS - DAY_MS)}\nto = {at(to_ms or START_MS + 90 * DAY_MS)}\n"
        f"grace_s = {GRACE_MS // 1000}\n{extra}\n"
    )
    (site.licences / name).write_text(text)
    return sha256(text.encode()).hexdigest()


def given_now(site, ms=2000):
    """The one permit that `ms` later is given."""
    (found,) = all_given(site, ms)
    return found


def all_given(site, ms=2000):
    """Permits published by the next tick."""
    found = [
        message for message in site.tick(ms) if "/permit/" in message.topic and message.payload
    ]
    return [parse_permit(decode_envelope(message.payload).payload) for message in found]


def row(site, equipment="bat-ext"):
    rows = site.service.snapshot()["equipment"]
    return next(item for item in rows if item["id"] == equipment)


def ask(site, kind, body, documents=(), actor="op-7"):
    """Hand a request to the service; its answer."""
    keys = load_gateway_keys(site.keys)
    request = format_request(keys, kind, operator(actor), body, documents, site.now_ms)
    (site.data / "inbox").mkdir(exist_ok=True)
    (site.data / "inbox" / "r.dsse").write_bytes(request)
    site.tick(1000)
    return orjson.loads((site.data / "outbox" / "r.json").read_bytes())


def use(site, node, run_ms, **changes):
    """One statement of use, its time that of the site."""
    node.time_ms = site.now_ms - 1000
    site.submit(node, node.usage(run_ms, **changes))


@pytest.fixture
def site(tmp_path):
    site, nodes = enrolled_site(tmp_path, 2, equipment=(("bat-ext", "n01"), ("bat-strip", "n02")))
    site.node, site.other = nodes
    site.submit(site.node, site.node.boot())
    site.submit(site.other, site.other.boot())
    yield site
    site.close()


def test_a_quota_bounds_the_permit_once_and_over_a_restart(site):
    licence(site, '[[quotas]]\nquantity = "run-h"\nlimit = 2\nperiod = "licence"')
    permit = given_now(site)
    assert permit.run_ms_limit == 2 * HOUR_MS
    assert permit.volume_ml_limit is None
    for _ in range(4):
        site.now_ms += HOUR_MS // 3
        use(site, site.node, HOUR_MS // 3)
        assert all_given(site) == []
    site.reopen()
    assert all_given(site) == []
    (quota,) = row(site)["licence"]["quotas"]
    assert quota["used_high"] == pytest.approx(4 / 3, abs=1e-5)
    assert quota["binds"] == "permit"
    assert row(site)["permit"]["run_ms_left"] == pytest.approx(2 * HOUR_MS / 3, abs=1)
    use(site, site.node, 2 * HOUR_MS // 3 + 1)
    site.tick(1000)
    assert row(site)["state"] == "orderly-stop-requested"
    assert "used up" in row(site)["reason"]
    # what is left is nothing: half a life later the permit is renewed, and allows no more
    assert [permit.run_ms_limit - 2 * HOUR_MS for permit in all_given(site, LIFE_MS // 2)] in (
        [],
        [pytest.approx(0, abs=1)],
    )


def test_a_quota_of_a_day_is_whole_again_the_next_day(site):
    licence(site, '[[quotas]]\nquantity = "volume-l"\nlimit = 10\nperiod = "day"')
    assert given_now(site).volume_ml_limit == 10_000
    site.now_ms += 90_000
    use(site, site.node, 90_000)
    assert all_given(site) == []
    to_midnight_ms = DAY_MS - site.now_ms % DAY_MS
    site.now_ms += to_midnight_ms - 60_000
    use(site, site.node, 1000)
    assert [permit.volume_ml_limit for permit in all_given(site, 2000)] in ([], [10_000])
    site.now_ms += 120_000
    use(site, site.node, 1000)
    assert given_now(site).volume_ml_limit == pytest.approx(9200 + 10_000, abs=101)


def test_machines_of_one_licence_share_what_its_quota_leaves(site):
    extra = '[[quotas]]\nquantity = "run-h"\nlimit = 2\nperiod = "month"'
    licence(site, extra, serials='"SN-0", "SN-1"')
    limits = [permit.run_ms_limit for permit in all_given(site)]
    assert limits == [HOUR_MS, HOUR_MS]
    assert row(site)["licence"]["number"] == row(site, "bat-strip")["licence"]["number"] == "L-1"
    use(site, site.node, HOUR_MS // 2)
    # half an hour is used: three quarters are left for each, and the other's share shrank
    found = {permit.equipment: permit.run_ms_limit for permit in all_given(site, 11_000)}
    assert found["bat-strip"] == pytest.approx(3 * HOUR_MS // 4, abs=10_000)
    assert found["bat-ext"] == pytest.approx(5 * HOUR_MS // 4, abs=10_000)


def test_a_permit_that_nobody_here_gave_is_found_and_overruled(site):
    licence(site)
    given = given_now(site)
    use(site, site.node, 1000, permit=given.serial)
    assert all_given(site) == []
    # somebody else has the permit key
    use(site, site.node, 1000, permit=7000)
    after = given_now(site)
    assert (after.serial, is_withdrawal(after)) == (7001, False)
    assert "PERMIT-UNKNOWN" in site.service.snapshot()["nodes"][0]["findings"]
    use(site, site.node, 1000, permit=7000)  # signed before the new one came
    assert all_given(site) == []
    (site.licences / "a.toml").unlink()
    site.tick(12_000)
    use(site, site.node, 1000, permit=9000)
    assert is_withdrawal(given_now(site))
    assert [item.code for item in site.service.findings()] == ["PERMIT-UNKNOWN"]
    use(site, site.node, 1000, permit=(1 << 53) - 1)
    assert all_given(site) == []


def test_an_amended_licence_shrinks_the_permit_and_a_revoked_one_takes_it_back(site):
    first = licence(site)
    assert given_now(site).serial == 1
    quota = '[[quotas]]\nquantity = "run-h"\nlimit = 1\nperiod = "licence"\n'
    second = licence(site, f'version = 2\nreplaces = "{first}"\n{quota}', "a-2.toml")
    permit = given_now(site)
    assert (permit.serial, permit.run_ms_limit, permit.licence_sha256) == (2, HOUR_MS, second)
    revoked = f'version = 3\nreplaces = "{second}"\nrevoked = {at(site.now_ms - 1000)}'
    licence(site, revoked, "a-3.toml")
    permit = given_now(site)
    assert permit.serial == 3
    assert is_withdrawal(permit)
    use(site, site.node, 1000)
    assert all_given(site) == []
    assert row(site)["state"] == "orderly-stop-requested"
    assert "was withdrawn" in row(site)["reason"]
    assert row(site)["permit"]["withdrawn"]
    site.reopen()
    assert all_given(site) == []
    licence(site, name="b.toml", number="L-2")
    assert given_now(site, 11_000).serial == 4


def test_a_licence_file_that_was_taken_away_takes_the_permit_with_it(site):
    licence(site)
    assert given_now(site).serial == 1
    text = (site.licences / "a.toml").read_text()
    (site.licences / "a.toml").unlink()
    assert all_given(site, 2000) == []
    # a file that is there and wrong may be the one that is missing
    (site.licences / "a.toml").write_text("number =")
    assert all_given(site, 60_000) == []
    (site.licences / "a.toml").unlink()
    found = [permit for _ in range(8) for permit in all_given(site, 2000)]
    assert [is_withdrawal(permit) for permit in found] == [True]
    (site.licences / "a.toml").write_text(text)
    assert given_now(site, 11_000).serial == 3
    (site.licences / "a.toml").unlink()
    site.licences.rename(site.folder / "elsewhere")
    assert all_given(site, 60_000) == []


def test_a_document_that_must_be_there_before_a_start_withholds_the_permit(site):
    licence(
        site,
        '[[requires]]\ndocument = "approval"\nname = "A-1"\nbefore_start = true',
    )
    assert all_given(site) == []
    shown = row(site)
    assert "no permit was given" in shown["reason"]
    assert "approval" in shown["reason"]
    paper = (
        'kind = "approval"\nid = "A-1"\nwhat = "operation"\nby = "Authority"\n'
        f"from = {at(START_MS - DAY_MS)}\n"
    ).encode()
    digest = sha256(paper).hexdigest()
    item = {"as": "document", "sha256": digest, "file": "a-1.toml"}
    answer = ask(site, "document", {"action": "add", "items": [item]}, [paper])
    assert answer["ok"], answer
    assert all_given(site) == []
    site.vouching = Vouching(frozenset({digest}))
    assert given_now(site).serial == 1
    conditions = {item["code"]: item for item in row(site)["licence"]["decision"]["conditions"]}
    found = conditions["document:approval/A-1"]
    assert (found["result"], found["class"]) == ("PASS", "X")
    assert digest in {value for _, value in found["inputs"]}
    assert conditions["vouched"]["result"] == "INSUFFICIENT"
    site.vouching = Vouching()
    assert is_withdrawal(given_now(site))


def test_a_replaced_boards_use_counts_to_the_quota(site):
    licence(site, '[[quotas]]\nquantity = "run-h"\nlimit = 2\nperiod = "licence"')
    given_now(site)
    use(site, site.node, HOUR_MS)
    site.tick(1000)
    old = current_nodes(site.service._intake.keys)["n01"]
    wiped = SimulatedNode("n01", 4242)
    with open_authority(site.keys) as authority:
        opening = {
            "keyid": old.keyid,
            "seq": old.chain.seq,
            "head": old.chain.head.hex(),
            "registers": site.node.register_list(),
        }
        members = {"role": "node", "name": "n01", "key": wiped.keyid, "spki": wiped.pair.spki}
        envelope = authority.sign("enrol", {**members, "opening": opening}, site.now_ms)
    (site.data / "inbox").mkdir(exist_ok=True)
    (site.data / "inbox" / "enrol.dsse").write_bytes(envelope)
    found = all_given(site)
    wiped.time_ms = site.now_ms
    site.submit(wiped, wiped.boot())
    found += all_given(site, 11_000)
    assert found[-1].keyid == wiped.keyid
    assert found[-1].run_ms_limit == pytest.approx(HOUR_MS, abs=2)
    site.reopen()
    site.tick(6000)
    (quota,) = row(site)["licence"]["quotas"]
    assert quota["used_high"] == pytest.approx(1, abs=1e-5)


def test_grace_is_acknowledged_once_it_runs_and_the_log_says_by_whom(site):
    licence(site, to_ms=START_MS + 60_000)
    given_now(site)
    use(site, site.node, 1000)
    site.tick(1000)
    said = ask(site, "acknowledge", {"equipment": "bat-ext", "state": "grace"})
    assert not said["ok"]
    assert "not in the state grace" in said["error"]
    assert "no equipment" in ask(site, "acknowledge", {"equipment": "x", "state": "grace"})["error"]
    site.tick(60_000 - (site.now_ms - START_MS))
    assert (row(site)["state"], row(site)["to_acknowledge"]) == ("grace", ["grace"])
    said = ask(site, "acknowledge", {"equipment": "bat-ext", "state": "grace"})
    assert said["ok"], said
    entry = parse_statement(decode_envelope(site.service._log.entry(said["index"])).payload)
    assert (entry.type, entry.body["kind"], entry.body["sha256"]) == (
        "document",
        "acknowledgement",
        said["sha256"],
    )
    assert entry.body["actor"]["id"] == "op-7"
    paper = parse_paper("x.toml", site.service._store.document(said["sha256"]))
    assert (paper.id, paper.version) == (entry.body["name"], entry.body["version"])
    assert (paper.members.of, paper.members.by) == ("grace", "op-7")
    assert paper.members.equipment == ("SN-0",)
    site.reopen()
    site.tick(1000)
    shown = row(site)
    assert shown["to_acknowledge"] == []
    assert [(one["state"], one["who"], one["index"]) for one in shown["acknowledgements"]] == [
        ("grace", "op-7", said["index"])
    ]
    use(site, site.node, 1000)
    site.tick(GRACE_MS)
    assert row(site)["to_acknowledge"] == ["orderly-stop"]
    assert ask(site, "acknowledge", {"equipment": "bat-ext", "state": "orderly-stop"})["ok"]
    assert row(site)["to_acknowledge"] == []
    use(site, site.node, 0, state="start-inhibit")
    site.now_ms += 20_000
    use(site, site.node, 1000, state="orderly-stop-requested")
    site.tick(1000)
    assert row(site)["to_acknowledge"] == ["orderly-stop"]


def test_conditions_are_acknowledged_for_a_version_and_anew_for_the_next(site):
    terms = "[conditions]\nno_retransfer = true"
    first = licence(site, terms)
    site.tick(2000)
    assert row(site)["to_acknowledge"] == ["conditions"]
    assert ask(site, "acknowledge", {"equipment": "bat-ext", "state": "conditions"})["ok"]
    site.tick(6000)
    assert row(site)["to_acknowledge"] == []
    conditions = {item["code"]: item for item in row(site)["licence"]["decision"]["conditions"]}
    assert conditions["acknowledgement"]["result"] == "PASS"
    licence(site, f'version = 2\nreplaces = "{first}"\n{terms}', "a-2.toml")
    site.tick(2000)
    assert row(site)["to_acknowledge"] == ["conditions"]


def test_a_keyed_bypass_is_shown_from_its_begin_to_its_end(site):
    licence(site)
    given_now(site)

    def why(text):
        site.now_ms += 10_000
        node = site.node
        node.time_ms = site.now_ms - 1000
        uses = {**parse_statement(decode_envelope(node.usage(0)).payload).body, "why": text}
        node.seq -= 1
        node.prev = parse_statement(decode_envelope(node.sent[node.seq + 1]).payload).prev
        names = ("interval", "frames", "equipment", "why")
        site.submit(node, node.sign("heartbeat", {name: uses[name] for name in names}))
        site.tick(1000)
        return row(site)

    assert why(None)["bypass"] is None
    shown = why("bypass bat-ext x4; bypass on bat-ext")
    since_ms = shown["bypass"]["since_ms"]
    assert (shown["state"], shown["to_acknowledge"]) == ("bypass", ["bypass"])
    assert "bypass" in shown["reason"]
    assert ask(site, "acknowledge", {"equipment": "bat-ext", "state": "bypass"})["ok"]
    assert why("bypass bat-ext x10")["bypass"]["since_ms"] == since_ms
    assert row(site)["to_acknowledge"] == []
    shown = why("bypass bat-ext x2; bypass off bat-ext")
    assert (shown["bypass"], shown["state"]) == (None, "compliant")


@pytest.mark.parametrize(
    ("why", "before", "on"),
    [
        (None, (), ()),
        ("clock step; bypass e-1", (), ("e-1",)),
        ("bypass e-1; bypass e-2 x3", (), ("e-1", "e-2")),
        ("bypass off e-1", ("e-1",), ()),
        ("bypass off e-1; bypass on e-1", ("e-1",), ("e-1",)),
        ("bypass off e-1; bypass on e-1", (), ()),
        ("bypass off e-1; bypass on e-1 x2", (), ("e-1",)),
        ("bypass; bypass E-1; xbypass e-1", (), ()),
    ],
)
def test_why_tells_whose_bypass_is_on(why, before, on):
    assert notes.bypassed(why, before) == on


def test_rules_that_a_licence_rests_on_stand_in_the_log_and_in_its_decision(site):
    licence(site, 'rests_on = ["us-ear-762/762.6"]')
    site.tick(2000)
    log = site.service._log
    stated = [
        parse_statement(decode_envelope(log.entry(index)).payload)
        for index in range(log.size)
        if b"urn:raffinate:document:v1" in decode_envelope(log.entry(index)).payload
    ]
    assert [(one.body["kind"], one.body["name"]) for one in stated] == [("regime", "us-ear-762")]
    size = log.size
    site.reopen()
    site.tick(2000)
    assert site.service._log.size == size
    calendar = site.service.snapshot()["calendar"]
    assert "review" in {entry["what"] for entry in calendar}
    assert [entry["at_ms"] for entry in calendar] == sorted(e["at_ms"] for e in calendar)


def test_what_an_outfall_measured_is_held_against_the_licences_limits(site):
    measured, asked = [6.5, 7.5], []

    def history(point, from_ms, to_ms, buckets):
        asked.append((point, to_ms - from_ms, buckets))
        return [Bucket(from_ms, 3, *measured, 7.0)]

    site.history = history
    licence(site, '[[discharge]]\noutfall = "o01"\npoint = "ph"\nlow = 6\nhigh = 9')

    def found(ms):
        site.tick(ms)
        conditions = row(site)["licence"]["decision"]["conditions"]
        return next(item["result"] for item in conditions if item["code"] == "discharge:o01/ph")

    assert found(2000) == "PASS"
    assert asked == [("o01/ph", DAY_MS + 2000, 1)]
    measured[1] = 9.1
    assert found(6000) == "PASS"  # asked for once a minute
    assert found(60_000) == "FAIL"
    assert asked[-1][1] == HOUR_MS + 66_000
    measured[1] = 7.5
    assert found(60_000) == "FAIL"
    assert row(site)["permit"]["withdrawn"] is False


def test_the_snapshot_has_the_shape_that_the_api_promises(site):
    shape = TypeAdapter(EvidenceState)
    rich = (
        'rests_on = ["us-ear-762/762.6"]\n'
        '[[quotas]]\nquantity = "reo-kg"\nlimit = 2.5\nperiod = "year"\n'
        '[[quotas]]\nquantity = "reagent-kg"\nreagent = "hcl"\nlimit = 9\nperiod = "month"\n'
        '[[quotas]]\nquantity = "volume-l"\nlimit = 900\nperiod = "licence"\n'
        '[[duties]]\nwhat = "hours run"\nevery = "quarter"\nto = "Authority"\nwithin_days = 30\n'
        "[conditions]\nno_retransfer = true\nunobservable = ['good standing']"
    )
    licence(site, rich)
    for _ in range(3):
        shape.validate_json(orjson.dumps(site.service.snapshot()), strict=True)
        use(site, site.node, 1000, state="orderly-stop-requested")
        site.tick(6000)
    shown = row(site)
    assert shown["permit"]["volume_ml_left"] == 900_000 - 300
    assert [quota["used_high"] for quota in shown["licence"]["quotas"]] == [None, None, 0.3]
    duty = shown["licence"]["next_duty"]
    assert duty["due_ms"] == 1_798_761_600_000 + 30 * DAY_MS, "30 days into 2027"
    kinds = {entry["what"] for entry in site.service.snapshot()["calendar"]}
    assert kinds == {"licence-ends", "permit-ends", "review", "duty", "quota-period"}
    assert "good standing" in shown["licence"]["decision"]["recorded"]
    assert ask(site, "acknowledge", {"equipment": "bat-ext", "state": "conditions"})["ok"]
    shape.validate_json(orjson.dumps(site.service.snapshot()), strict=True)


def test_the_calendar_keeps_the_end_of_a_machines_last_licence(site):
    licence(site, to_ms=START_MS + HOUR_MS)
    licence(site, name="b.toml", number="L-2", to_ms=START_MS + 2 * HOUR_MS)

    def ends():
        entries = site.service.snapshot()["calendar"]
        return [(item["at_ms"], item["text"]) for item in entries if item["what"] == "licence-ends"]

    site.tick(2000)
    assert [text for _, text in ends()] == ["licence L-1 ends", "licence L-2 ends"]
    site.tick(HOUR_MS)
    assert [text for _, text in ends()] == ["licence L-2 ends"]
    site.tick(HOUR_MS)
    assert ends() == [(START_MS + 2 * HOUR_MS, "licence L-2 has ended, and no other is there")]


def test_a_digest_that_changed_asks_for_an_activity(site):
    licence(site)
    use(site, site.node, 1000)
    site.node.config = sha256(b"another").hexdigest()
    use(site, site.node, 1000)
    site.tick(6000)

    def unchanged():
        conditions = row(site)["licence"]["decision"]["conditions"]
        return next(item["result"] for item in conditions if item["code"] == "unchanged")

    assert unchanged() == "FAIL"
    body = {
        "kind": "calibration",
        "equipment": "bat-ext",
        "workOrder": None,
        "fromMs": site.now_ms - 10_000,
        "toMs": site.now_ms,
        "details": None,
    }
    assert ask(site, "activity", body)["ok"]
    site.tick(6000)
    assert unchanged() == "PASS"
