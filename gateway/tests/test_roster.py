"""The roster through the real service: successors, rotations, revocations, retirements, files."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_site import START_MS, Site, enrolled_site
from node_simulator import ORIGIN, SimulatedNode, pair
from raffinate.errors import RaffinateError
from raffinate.evidence import inbox, ordering
from raffinate.evidence.authority import make_authority, open_authority, read_public_file
from raffinate.evidence.begin import begin_signed, request_begin
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.intake import AFTER_END_MAX
from raffinate.evidence.orders import (
    Order,
    describe,
    format_request,
    read_request,
    read_signed,
    rotation,
)
from raffinate.evidence.roster import Standing
from raffinate.evidence.statement import parse_statement
from raffinate.keys import load_gateway_keys, load_public
from raffinate.tlog.hashing import leaf_hash


@pytest.fixture
def site(tmp_path):
    site, nodes = enrolled_site(tmp_path, 2)
    site.node, site.other = nodes
    yield site
    site.close()


def give(site, order, folder=None):
    """Sign an order, put it into the inbox, tick; what the gateway answers, and its messages."""
    with open_authority(folder or site.keys) as authority:
        envelope = order.sign(authority, site.now_ms)
    return hand(site, envelope)


def hand(site, envelope, name="order"):
    (site.data / "inbox").mkdir(exist_ok=True)
    (site.data / "inbox" / f"{name}.dsse").write_bytes(envelope)
    messages = site.tick(1000)
    path = site.data / "outbox" / f"{name}.json"
    answer = orjson.loads(path.read_bytes())
    path.unlink()
    return answer, messages


def found(site):
    return ordering.read_roster(site.data)


def codes(site):
    return [finding.code for finding in site.service.findings()]


def entries(site, kind):
    log = site.service._log
    statements = []
    for index in range(log.size):
        envelope = decode_envelope(log.entry(index))
        if envelope.payload_type == b"application/vnd.in-toto+json":
            statement = parse_statement(envelope.payload)
            if statement.type == kind:
                statements.append((index, statement))
    return statements


def successor(site, node=None, number=4001):
    """A new board in the place of `node`, and the order that enrols it."""
    node = node or site.node
    board = SimulatedNode(node.node, number, tuple(node.registers))
    site.submit(board, board.boot())
    order = ordering.enrol_order(
        found(site), node.node, board.pair.spki, board.keyid, node.keyid[:16]
    )
    return board, order


def test_a_successor_opens_with_the_registers_its_predecessor_stated_last(site):
    site.submit(site.node, site.node.boot(), site.node.usage(run_ms=7000))
    board, order = successor(site)
    opening = order.members["opening"]
    assert (opening["seq"], opening["head"]) == (2, site.node.prev.hex())
    assert opening["registers"] == site.node.register_list()
    answer, messages = give(site, order)
    assert answer["ok"], answer
    assert site.service.key_state("n01", board.keyid) == "enrolled"
    assert site.service.key_state("n01", site.node.keyid) == "revoked"
    assert [key for _, key in site.service.drain_enrolled()][-1] == board.keyid
    del messages
    late = site.submit(site.node, site.node.usage())
    assert len(late.outgoing) == 1, "it is logged and receipted all the same"
    assert codes(site)[0] == "KEY-ENDED"
    assert site.submit(board, board.boot()).quarantine == ()


def test_an_opening_that_is_no_longer_true_is_logged_and_changes_nothing(site):
    site.submit(site.node, site.node.boot())
    board, order = successor(site)
    site.submit(site.node, site.node.usage())
    size = site.service._log.size
    answer, _ = give(site, order)
    assert not answer["ok"]
    assert "changes nothing" in answer["error"]
    assert site.service._log.size == size + 1
    assert codes(site)[0] == "ENROLMENT"
    assert site.service.key_state("n01", board.keyid) == "pending"
    assert give(site, successor(site)[1])[0]["ok"], "the authority's chain goes on"


def test_a_revoked_key_counts_up_to_its_last_trusted_number(site):
    node = site.node
    site.submit(node, node.boot(), node.usage())
    before = dict(site.service.roster()[-2].info)
    key = found(site).find(node.keyid)
    assert give(site, ordering.revoke_order(found(site), key, 1, "stolen", ()))[0]["ok"]
    genuine, later = node.usage(run_ms=500), node.usage(run_ms=600)
    site.submit(node, genuine)
    site.submit(node, later)
    assert codes(site)[:2] == ["KEY-REVOKED", "KEY-REVOKED"]
    key = found(site).find(node.keyid)
    assert key.info["registers"] == before["registers"] or list(key.info["registers"].values()) == [
        list(value) for value in before["registers"].values()
    ]
    index = site.service._log.size - 2
    order = ordering.revoke_order(found(site), key, 1, "late arrival", (str(index),))
    assert order.members["trusted"] == [leaf_hash(genuine).hex()]
    assert give(site, order)[0]["ok"]
    standing = Standing.of(found(site).find(node.keyid))
    assert standing.trusts(3, index, leaf_hash(genuine).hex())
    assert not standing.trusts(4, index + 1, leaf_hash(later).hex())
    assert standing.trusts(1, 0, "0" * 64)
    assert not standing.trusts(2, 0, "0" * 64)


def test_a_revoked_key_gets_no_permit_any_more_and_its_retained_one_is_withdrawn(site):
    site.licence()
    site.submit(site.node, site.node.boot())
    assert [m.topic for m in site.tick(2000) if "permit" in m.topic]
    key = found(site).find(site.node.keyid)
    _, messages = give(site, ordering.revoke_order(found(site), key, 0, "stolen", ()))
    empty = [m for m in messages if "permit" in m.topic]
    assert [(m.payload, m.retain) for m in empty] == [(b"", True)]
    assert [m.topic for m in site.tick(24 * 3_600_000) if "permit" in m.topic] == []
    assert all("permit" not in m.topic for m in site.status(site.node))


def test_a_successors_permit_is_not_withdrawn_when_the_old_board_speaks_again(site):
    site.licence()
    site.submit(site.node, site.node.boot())
    site.tick(2000)
    board, order = successor(site)
    _, messages = give(site, order)
    assert [m.payload for m in messages if "permit" in m.topic] == [b""]
    site.submit(board, *board.sent.values())
    (permit,) = [m for m in site.tick(2000) if "permit" in m.topic]
    assert orjson.loads(decode_envelope(permit.payload).payload)["keyid"] == board.keyid
    site.node.skip()
    site.node.usage()
    site.submit(site.node, site.node.usage())
    assert [m for m in site.tick(61_000) if "permit" in m.topic] == []
    assert codes(site)[0] in ("KEY-ENDED", "MISSING")


def test_who_stole_a_key_cannot_fill_the_log(site):
    key = site.service._intake.keys[site.node.keyid]
    assert give(site, ordering.revoke_order(found(site), found(site).find(key.keyid), 0, "x", ()))
    key = site.service._intake.keys[site.node.keyid]
    key.info["after_end"] = AFTER_END_MAX
    size = site.service._log.size
    first = site.node.boot()
    result = site.submit(site.node, first)
    assert result.refused == {site.node.keyid: ((1, "key-revoked"),)}
    assert site.service._log.size == size


def test_a_retired_key_is_good_up_to_its_newest_statement(site):
    site.submit(site.node, site.node.boot())
    order = ordering.retire_order(found(site), found(site).find(site.node.keyid), "taken out")
    assert order.members["lastSeq"] == 1
    assert give(site, order)[0]["ok"]
    again, _ = give(site, Order("retire", {**order.members, "reason": "twice"}))
    assert not again["ok"]
    site.submit(site.node, site.node.usage())
    assert codes(site)[0] == "KEY-ENDED"


@pytest.mark.parametrize("role", ["gateway", "permit"])
def test_a_rotated_key_is_used_from_its_entry_on_and_over_restarts(site, role):
    site.licence()
    site.submit(site.node, site.node.boot())
    site.tick(2000)
    before = getattr(load_gateway_keys(site.keys), role).keyid
    answer, messages = give(site, ordering.rotate_order(found(site), site.keys, role))
    assert answer["ok"], answer
    new = answer["keyid"]
    assert new != before
    if role == "permit":
        (permit,) = [m for m in messages if "permit" in m.topic]
        assert decode_envelope(permit.payload).keyid == new, "boards get one by the new key"
        assert orjson.loads(decode_envelope(permit.payload).payload)["serial"] == 2
    else:
        site.licence("b.toml", serial="SN-0", end_s=86400 * 40)
        site.tick(2000)
        index, statement = entries(site, "licence")[-1]
        assert (statement.keyid, statement.seq, index > answer["index"]) == (new, 1, True)
    public = load_public(site.keys)["keys"][role]
    assert sha256(b64decode(public)).hexdigest() == new
    site.reopen()
    assert getattr(site.service._keys, role).keyid == new
    revoke = ordering.revoke_order(found(site), found(site).find(before), 0, "was read", ())
    assert give(site, revoke)[0]["ok"]
    if role == "gateway":
        used = found(site).find(new)
        with pytest.raises(RaffinateError, match="rotate it first"):
            ordering.revoke_order(found(site), used, 0, "in use", ())


def test_a_rotation_whose_private_half_is_not_here_changes_nothing(site):
    used = load_gateway_keys(site.keys).gateway.keyid
    stranger = pair(77, "gateway")
    key = found(site).find(used)
    predecessor = {"keyid": used, "seq": key.chain.seq, "head": key.chain.head.hex()}
    members = {"role": "gateway", "name": "gateway", "key": stranger.keyid}
    members |= {"spki": b64encode(stranger.spki).decode(), "predecessor": predecessor}
    answer, _ = give(site, Order("rotate", members))
    assert "no private half" in answer["error"]
    assert site.service._keys.gateway.keyid == used


def test_a_permit_key_that_is_ended_stops_all_permits_until_the_next_one(site):
    site.licence()
    site.submit(site.node, site.node.boot())
    key = found(site).find(load_gateway_keys(site.keys).permit.keyid)
    assert give(site, ordering.retire_order(found(site), key, "out of use"))[0]["ok"]
    assert all("permit" not in m.topic for m in site.tick(2000))
    order = ordering.rotate_order(found(site), site.keys, "permit")
    assert order.type == "enrol"
    answer, messages = give(site, order)
    assert answer["ok"], answer
    assert [m for m in messages if "permit" in m.topic]


def test_the_authority_gives_its_place_to_one_elsewhere(site, tmp_path):
    stick = tmp_path / "stick"
    spki = make_authority(stick, ORIGIN, "correct horse battery")
    assert b"ENCRYPTED" in (stick / "authority.key").read_bytes()
    assert give(site, rotation(spki))[0]["ok"]
    assert read_public_file(stick / "authority.json") == (ORIGIN, spki)
    assert load_gateway_keys(site.keys).authority_spki == spki
    site.submit(site.node, site.node.boot())
    key = found(site).find(site.node.keyid)
    order = ordering.retire_order(found(site), key, "taken out")
    answer, _ = give(site, order)
    assert "rotated" in answer["error"], "the key before signs no more"
    with open_authority(stick, lambda _: "correct horse battery") as pen:
        envelope = order.sign(pen, site.now_ms)
    assert hand(site, envelope)[0]["ok"]
    assert hand(site, envelope)[0]["ok"], "and gives the same answer again"
    site.reopen()
    assert site.service.key_state("n01", site.node.keyid) == "revoked"


def test_two_copies_of_the_authoritys_folder_are_a_fork(site):
    first, second = SimulatedNode("n03", 31), SimulatedNode("n03", 32)
    copy = (site.keys / "authority.statements").read_bytes()
    with open_authority(site.keys) as pen:
        one = pen.enrol("node", "n03", first.pair.spki, START_MS)
    (site.keys / "authority.statements").write_bytes(copy)
    with open_authority(site.keys) as pen:
        other = pen.enrol("node", "n03", second.pair.spki, START_MS)
    assert hand(site, one)[0]["ok"]
    answer, _ = hand(site, other)
    assert "two copies" in answer["error"]
    ((_, fork),) = entries(site, "fork")
    assert fork.body["second"] == leaf_hash(other).hex()
    documents = {row[0]: row[3] for row in site.service._store.documents()}
    assert documents[leaf_hash(other).hex()] == other


def test_files_of_the_authority_are_taken_in_their_order_only(site):
    boards = [SimulatedNode("n03", 31), SimulatedNode("n04", 32)]
    with open_authority(site.keys) as pen:
        one, two = (pen.enrol("node", b.node, b.pair.spki, START_MS) for b in boards)
    answer, _ = hand(site, two)
    assert "hand in what was signed before" in answer["error"]
    assert hand(site, one)[0]["ok"]
    assert hand(site, two)[0]["ok"]


@pytest.mark.parametrize("step", ["before", "committed", "answered"])
def test_a_kill_at_any_step_of_the_inbox_signs_and_logs_once(site, monkeypatch, step):
    board = SimulatedNode("n03", 31)
    with open_authority(site.keys) as pen:
        envelope = pen.enrol("node", "n03", board.pair.spki, START_MS)
    (site.data / "inbox").mkdir(exist_ok=True)
    (site.data / "inbox" / "x.dsse").write_bytes(envelope)
    size = site.service._log.size

    class KilledError(BaseException):
        pass

    def kill(*_, **__):
        raise KilledError

    with monkeypatch.context() as patch:
        if step == "before":
            patch.setattr(site.service, "_commit", kill)
        elif step == "committed":
            patch.setattr(inbox, "answer", kill)
        else:
            patch.setattr("pathlib.Path.unlink", kill)
        with pytest.raises(KilledError):
            site.tick(1000)
    site.service._store.close()
    site.open()
    site.tick(1000)
    assert site.service._log.size == size + 1
    assert orjson.loads((site.data / "outbox" / "x.json").read_bytes())["index"] == size
    assert not list((site.data / "inbox").iterdir())


def test_keys_of_another_authority_are_refused(site, tmp_path):
    other = Site(tmp_path / "other")
    other.close()
    site.close()
    (site.keys / "public.json").write_text(
        (site.keys / "public.json")
        .read_text()
        .replace(
            load_public(site.keys)["keys"]["authority"],
            load_public(other.keys)["keys"]["authority"],
        )
    )
    with pytest.raises(RaffinateError, match="another authority"):
        site.open()
    public = load_public(site.keys)
    public["keys"]["authority"] = b64encode(site.service._keys.authority_spki).decode()
    (site.keys / "public.json").write_bytes(orjson.dumps(public))
    site.open()


def test_a_log_begins_with_an_authority_that_never_meets_the_plant(tmp_path):
    stick, keys, data = tmp_path / "stick", tmp_path / "keys", tmp_path / "data"
    spki = make_authority(stick, ORIGIN, None)
    data.mkdir()
    origin, orders = read_request(request_begin(keys, data, ORIGIN, spki))
    assert origin == ORIGIN
    assert [describe(order).split(" key ")[0] for order in orders] == [
        "enrol the gateway",
        "enrol the permit",
    ]
    with open_authority(stick) as pen:
        half = orders[0].sign(pen, START_MS) + b"\n"
    with pytest.raises(RaffinateError, match="must enrol"):
        begin_signed(keys, data, half, START_MS)
    with open_authority(stick) as pen:
        signed = b"".join(order.sign(pen, START_MS) + b"\n" for order in orders)
    begin_signed(keys, data, signed, START_MS)
    assert not (keys / "authority.key").exists()
    site = Site(tmp_path)
    assert site.service._log.size == 2
    site.close()


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_any_bytes_are_a_request_or_their_one_error(data):
    for read in (read_request, read_signed):
        try:
            read(data)
        except RaffinateError:
            continue
    with pytest.raises(RaffinateError, match="rotated by"):
        read_request(format_request(ORIGIN, [rotation(data)]))


_ENDS = st.lists(
    st.tuples(
        st.sampled_from(["revoked", "retired", "rotated"]),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 9),
    ),
    max_size=4,
)


@given(_ENDS, st.integers(1, 10), st.integers(0, 10))
def test_with_several_ends_each_must_hold(ends, seq, index):
    standing = Standing()
    for end in ends:
        standing.end(*end)
    good = all(
        (last is None or seq <= last) and (before is None or index < before)
        for _, last, before in ends
    )
    assert standing.trusts(seq, index, "a" * 64) is good
    assert standing.trusts(None, index, "a" * 64) is all(
        (last is None or index < last) and (before is None or index < before)
        for _, last, before in ends
    )
    standing.listed.add("a" * 64)
    assert standing.trusts(seq, index, "a" * 64)
