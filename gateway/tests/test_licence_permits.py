"""Licence files and the permits issued under them."""

from __future__ import annotations

import pytest
from hypothesis import given as given_
from hypothesis import strategies as st

from evidence_site import START_MS, enrolled_site
from node_simulator import SimulatedNode
from raffinate.errors import ConfigError
from raffinate.evidence.dsse import decode_envelope, public_key, verify
from raffinate.evidence.statement import parse_statement
from raffinate.licence.document import parse_licence
from raffinate.licence.permit import (
    CHANGE_MS_MIN,
    LIFE_MS,
    UNBOUND,
    Holder,
    Rest,
    is_due,
    is_live,
    is_withdrawal,
    permit_payload,
    withdrawal_payload,
)
from raffinate.licence.versions import choose_licence, nearest_licence
from raffinate_wire.permit import LIFE_MS_MAX, parse_permit

GOOD = b"""number = "L-1"
issuer = "Authority"
equipment = "SN-0"
stages = ["e01", "e02"]
from = 2026-11-01T00:00:00Z
to = 2026-12-01T00:00:00Z
grace_s = 20
purpose = "separation"
"""


def speaking_site(*where, **plant):
    """An enrolled site whose nodes have stated their boot."""
    site, nodes = enrolled_site(*where, **plant)
    for node in nodes:
        site.submit(node, node.boot())
    return site, nodes


def permits(messages):
    return [message for message in messages if "/permit/" in message.topic]


def payload_of(message):
    return parse_permit(decode_envelope(message.payload).payload)


def test_a_licence_file_is_read():
    found = parse_licence("a.toml", GOOD)
    assert (found.number, found.equipment, found.stages) == ("L-1", "SN-0", ("e01", "e02"))
    assert found.to_ms - found.from_ms == 30 * 86_400_000
    assert (found.grace_ms, found.purpose) == (20_000, "separation")
    assert found.in_force(found.from_ms)
    assert not found.in_force(found.to_ms)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'number = "L-1"', b"", "number is missing"),
        (b'number = "L-1"', b'number = ""', "number has 0 characters"),
        (b'number = "L-1"', b"number = 1", "number"),
        (b'equipment = "SN-0"', b'serial = "SN-0"', "equipment is missing"),
        (b'stages = ["e01", "e02"]', b"stages = []", "stages"),
        (b'stages = ["e01", "e02"]', b'stages = ["E1"]', "stages"),
        (b"to = 2026-12-01T00:00:00Z", b"to = 2026-11-01T00:00:00Z", "not after"),
        (b"to = 2026-12-01T00:00:00Z", b"to = 2026-12-01T00:00:00", "no zone"),
        (b"to = 2026-12-01T00:00:00Z", b"to = 2026-12-01", "no zone"),
        (b"to = 2026-12-01T00:00:00Z", b'to = "soon"', "line 6: to is 'soon'; write a date"),
        (b"grace_s = 20", b"grace_s = -1", "grace_s"),
        (b"grace_s = 20", b"grace_s = true", "grace_s"),
        (b'purpose = "separation"', b"purpose = 5", "purpose"),
        (b"issuer", b"\xff", "line 2: not UTF-8"),
        (b"issuer =", b"issuer", "not TOML"),
    ],
)
def test_a_bad_licence_file_names_the_key_and_the_remedy(old, new, said):
    assert old in GOOD
    with pytest.raises(ConfigError, match=said) as caught:
        parse_licence("a.toml", GOOD.replace(old, new, 1))
    assert "a.toml" in str(caught.value)


LICENCE = parse_licence("a.toml", GOOD)
HOLDER = Holder("ndpr", "n01", "ab" * 32, "bat-ext", 5000)


@given_(
    st.integers(LICENCE.from_ms, LICENCE.to_ms - 1),
    st.integers(1000, 30 * 86_400_000),
    st.integers(0, 2**40),
)
def test_no_permit_lives_longer_than_its_licence_or_seven_days(now_ms, life_ms, run_ms):
    holder = Holder("ndpr", "n01", "ab" * 32, "bat-ext", run_ms)
    found = parse_permit(permit_payload(LICENCE, holder, 1, now_ms, life_ms))
    assert found.not_after_ms <= min(LICENCE.to_ms, now_ms + LIFE_MS_MAX, now_ms + life_ms)
    life = found.not_after_ms - found.not_before_ms
    assert found.run_ms_limit == run_ms + life + LICENCE.grace_ms


def given(now_ms, holder=HOLDER, rest=UNBOUND, licence=LICENCE, serial=1):
    return parse_permit(permit_payload(licence, holder, serial, now_ms, LIFE_MS, rest))


def test_permits_are_due_at_half_life_and_never_again_at_the_licences_end():
    start = LICENCE.from_ms
    newest = given(start)

    def due(newest, at_ms, licence=LICENCE):
        return is_due(licence, newest, HOLDER, UNBOUND, at_ms)

    assert due(None, start)
    assert not due(newest, start + LIFE_MS // 2 - 1)
    assert due(newest, start + LIFE_MS // 2)
    assert not due(given(LICENCE.to_ms - 1000), LICENCE.to_ms - 1)
    other = parse_licence("b.toml", GOOD.replace(b"grace_s = 20", b"grace_s = 30"))
    assert due(newest, start, other)


@given_(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(0, 10**6), st.integers(0, 10**8))
def test_no_permit_allows_more_than_quotas_leave(run_ms, rest_ms, rest_ml, volume_ml):
    holder = Holder("ndpr", "n01", "ab" * 32, "bat-ext", run_ms, volume_ml)
    found = given(LICENCE.from_ms, holder, Rest(rest_ms, rest_ml))
    assert found.run_ms_limit <= run_ms + rest_ms
    assert found.volume_ml_limit == volume_ml + rest_ml
    assert found.run_ms_limit <= run_ms + LIFE_MS + LICENCE.grace_ms


def test_a_permit_shrinks_and_widens_with_what_quotas_leave():
    start, hour = LICENCE.from_ms, 3_600_000
    newest = given(start, rest=Rest(10 * hour))

    def due(rest, run_ms=5000, after_ms=CHANGE_MS_MIN, volume_ml=0):
        holder = Holder("ndpr", "n01", "ab" * 32, "bat-ext", run_ms, volume_ml)
        return is_due(LICENCE, newest, holder, rest, start + after_ms)

    assert not due(Rest(10 * hour))
    # it ran for an hour, and the quota lost that hour: the same absolute limit
    assert not due(Rest(9 * hour), 5000 + hour, hour)
    assert due(Rest(8 * hour))
    assert not due(Rest(8 * hour), after_ms=CHANGE_MS_MIN - 1)
    assert not due(Rest(10 * hour - 59_000))
    assert due(Rest(0))
    assert not due(Rest(0), 5000 + 10 * hour, 10 * hour)
    assert due(Rest(12 * hour))
    assert due(UNBOUND)
    assert due(Rest(10 * hour, 5000))
    newest = given(start, rest=Rest(None, 50_000))
    assert not due(Rest(None, 40_000), volume_ml=10_000)
    assert due(Rest(None, 0), volume_ml=10_000)
    assert due(Rest(None, 45_000), volume_ml=10_000)
    assert due(UNBOUND)


def test_a_withdrawal_ends_at_once_within_its_licence_and_is_not_taken_back_in_a_hurry():
    now_ms = LICENCE.from_ms + 5000
    newest = given(LICENCE.from_ms)
    for at_ms in (now_ms, newest.not_after_ms + 10_000):
        found = parse_permit(withdrawal_payload(newest, HOLDER, at_ms))
        assert (found.serial, found.grace_ms) == (newest.serial + 1, 0)
        assert found.not_after_ms - found.not_before_ms == 1
        assert found.not_after_ms <= newest.not_after_ms <= LICENCE.to_ms
        assert found.run_ms_limit == HOLDER.run_ms
        assert found.issued_ms == at_ms
        assert is_withdrawal(found)
        assert not is_live(found, found.not_before_ms)
    assert is_live(newest, newest.not_after_ms + LICENCE.grace_ms - 1)
    assert not is_live(newest, newest.not_after_ms + LICENCE.grace_ms)
    taken = parse_permit(withdrawal_payload(newest, HOLDER, now_ms))
    assert not is_due(LICENCE, taken, HOLDER, UNBOUND, now_ms + CHANGE_MS_MIN - 1)
    assert is_due(LICENCE, taken, HOLDER, UNBOUND, now_ms + CHANGE_MS_MIN)


def test_of_several_licences_the_one_that_lasts_longest_counts():
    later = parse_licence("b.toml", GOOD.replace(b"2026-12-01", b"2026-12-02"))
    ended = parse_licence("c.toml", GOOD.replace(b"2026-12-01", b"2026-11-02"))
    other = parse_licence("d.toml", GOOD.replace(b"SN-0", b"SN-9"))
    at_ms = LICENCE.to_ms - 1
    licences = [LICENCE, later, ended, other]
    assert choose_licence(licences, "SN-0", at_ms) == later
    assert choose_licence(licences, "SN-0", later.to_ms) is None


def test_a_version_takes_the_place_of_the_one_before_from_its_own_begin():
    def version(**changes):
        text = GOOD + f'version = 2\nreplaces = "{LICENCE.sha256}"\n'.encode()
        for old, new in changes.items():
            key = {"begins": b"from = 2026-11-01", "ends": b"to = 2026-12-01"}[old]
            assert key in text
            text = text.replace(key, key.split(b"2026")[0] + new)
        return parse_licence("a-2.toml", text)

    day = 86_400_000
    shorter = version(ends=b"2026-11-10")
    at_ms = LICENCE.from_ms + 5 * day
    assert choose_licence([LICENCE, shorter], "SN-0", at_ms) == shorter
    assert choose_licence([LICENCE, shorter], "SN-0", at_ms + 5 * day) is None
    assert nearest_licence([LICENCE, shorter], "SN-0", at_ms + 5 * day) == shorter
    later = version(begins=b"2026-11-20")
    assert choose_licence([LICENCE, later], "SN-0", at_ms) == LICENCE
    assert choose_licence([LICENCE, later], "SN-0", at_ms + 15 * day) == later
    revoking = parse_licence(
        "a-3.toml",
        GOOD.replace(b"from = 2026-11-01", b"from = 2026-11-20")
        + f'version = 2\nreplaces = "{LICENCE.sha256}"\nrevoked = 2026-11-25\n'.encode(),
    )
    assert choose_licence([LICENCE, revoking], "SN-0", at_ms + 15 * day) == revoking
    assert choose_licence([LICENCE, revoking], "SN-0", at_ms + 25 * day) is None
    assert nearest_licence([LICENCE], "SN-9", at_ms) is None


def test_a_permit_stands_in_the_log_before_it_is_published(tmp_path):
    site, (node,) = speaking_site(tmp_path)
    data = site.licence()
    assert permits(site.tick(500)) == []
    found = permits(site.tick(2000))
    assert [message.topic for message in found] == ["raffinate/1/ndpr/n01/permit/bat-ext"]
    assert found[0].retain
    log = site.service._log
    licence = parse_statement(decode_envelope(log.entry(log.size - 2)).payload)
    assert (licence.type, licence.body["sha256"]) == (
        "licence",
        parse_licence("a.toml", data).sha256,
    )
    assert log.entry(log.size - 1) == found[0].payload
    envelope = decode_envelope(found[0].payload)
    verify(envelope, public_key(site.service._keys.permit.spki))
    permit = payload_of(found[0])
    assert (permit.serial, permit.node, permit.keyid) == (1, "n01", node.keyid)
    assert permit.licence_sha256 == licence.body["sha256"]
    assert permit.not_after_ms - permit.not_before_ms == LIFE_MS
    assert permits(site.tick(60_000)) == []
    site.close()


def test_permits_are_renewed_in_time_with_growing_serials_over_restarts(tmp_path):
    site, (node,) = speaking_site(tmp_path)
    site.licence()
    site.tick(2000)
    site.submit(node, node.usage(70_000))
    serials = []
    for _ in range(6):
        site.reopen()
        serials += [payload_of(message).serial for message in permits(site.tick(LIFE_MS // 4))]
    assert serials == [2, 3, 4]
    newest = permits(site.status(node))
    assert [payload_of(message).serial for message in newest] == [4]
    assert payload_of(newest[0]).run_ms_limit == 70_000 + LIFE_MS + 20_000
    site.close()


def test_after_the_licence_no_permit_is_given_and_the_page_says_why(tmp_path):
    site, (node,) = speaking_site(tmp_path)
    site.licence(end_s=120, grace_s=20)
    site.submit(node, node.usage())
    (permit,) = permits(site.tick(2000))
    assert payload_of(permit).not_after_ms == START_MS + 120_000
    seen = []
    for _ in range(20):
        assert permits(site.tick(10_000)) == []
        (row,) = site.service.snapshot()["equipment"]
        seen.append(row["state"])
        assert row["reason"]
    assert [state for i, state in enumerate(seen) if i == 0 or state != seen[i - 1]] == [
        "compliant",
        "grace",
        "orderly-stop-requested",
    ]
    assert not row["licence"]["in_force"]
    assert row["permit"]["serial"] == 1
    site.licence("b.toml", start_s=0, end_s=86400)
    (permit,) = permits(site.tick(2000))
    assert payload_of(permit).serial == 2
    site.close()


def test_a_bad_licence_file_is_named_and_stops_no_other(tmp_path):
    site, _ = speaking_site(tmp_path, 2, equipment=(("bat-ext", "n01"), ("bat-scrub", "n02")))
    site.licence("good.toml", "SN-0")
    (site.licences / "bad.toml").write_bytes(b"number =")
    site.licence("stranger.toml", "SN-99")
    found = permits(site.tick(2000))
    assert [message.topic.rsplit("/", 1)[1] for message in found] == ["bat-ext"]
    problems = site.service.snapshot()["problems"]
    assert len(problems) == 2
    assert any("bad.toml" in text for text in problems)
    assert any("SN-99" in text for text in problems)
    site.licence("bad.toml", "SN-1")
    found = permits(site.tick(2000))
    assert [message.topic.rsplit("/", 1)[1] for message in found] == ["bat-scrub"]
    site.close()


def test_a_licence_version_is_stated_once_and_names_what_it_replaces(tmp_path):
    site, _ = speaking_site(tmp_path)
    first = parse_licence("a.toml", site.licence())
    site.tick(2000)
    size = site.service._log.size
    site.reopen()
    site.tick(2000)
    assert site.service._log.size == size
    second = parse_licence("a.toml", site.licence(grace_s=40))
    (permit,) = permits(site.tick(2000))
    assert payload_of(permit).licence_sha256 == second.sha256
    log = site.service._log
    stated = parse_statement(decode_envelope(log.entry(size)).payload)
    assert (stated.body["sha256"], stated.body["replaces"]) == (second.sha256, first.sha256)
    site.close()


def test_a_new_key_of_the_node_gets_a_permit_of_its_own(tmp_path):
    site, (node,) = speaking_site(tmp_path)
    site.licence()
    site.tick(2000)
    wiped = SimulatedNode(node.node, 4242)
    site.enrol(wiped)
    assert permits(site.tick(2000)) == []
    site.submit(wiped, wiped.boot())
    found = permits(site.tick(2000)) or permits(site.status(wiped))
    assert payload_of(found[0]).keyid == wiped.keyid
    site.close()
