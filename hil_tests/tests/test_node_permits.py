"""Permits at a node of real MicroPython: what ends them, what never was one, what outlives a cut.

The gateway's part is the test's; its own permits are in the demo and in the fault tests.
"""

from __future__ import annotations

import itertools

import pytest

from permit_rig import (
    BYPASS,
    EQUIPMENT,
    FLOW,
    HOUR_MS,
    OTHER_KEY,
    RUN,
    PermitRig,
    config,
)
from raffinate_rig.brokers import MosquittoBroker
from raffinate_rig.plugin import requires_tool
from raffinate_wire import dsse

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
_sites = itertools.count(1)


@pytest.fixture(scope="module")
def one_broker(tmp_path_factory):
    """One for all tests here: each has a site of its own."""
    requires_tool("mosquitto")
    with MosquittoBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def rig(one_broker, node_firmware, tmp_path):
    content = config(f"site{next(_sites)}")
    with PermitRig(content, one_broker, node_firmware, tmp_path) as rig:
        yield rig


def test_without_a_gateway_a_permit_holds_to_its_end_and_grace_and_no_longer(rig):
    rig.start()
    end_ms = rig.time() + 30_000
    rig.allow(not_after_ms=end_ms, grace_ms=25_000)
    rig.bus.set_input(RUN, 1)
    rig.kill_gateway()
    rig.wait(lambda: not rig.permissive, "the contact opens")
    # the scan that opened it, or one or two after it
    assert rig.node_ms() >= end_ms + 25_000 - 1000
    rig.wait(lambda: len(rig.states()) == 3, "all three states in statements")
    assert rig.states() == ["compliant", "grace", "orderly-stop-requested"]
    # what runs is left running: its hours go on counting
    before = rig.statements("usage")[-1]
    after = rig.wait_statement("usage", lambda body: body["interval"]["fromUpMs"] > before.up_ms)
    assert after.registers[0]["runMs"] > before.registers[0]["runMs"]
    assert after.registers[0]["starts"] == 1
    assert rig.statements("denial") == []
    rig.bus.set_input(RUN, 0)
    rig.scans()
    rig.request()
    refused = rig.denial("REFUSED", "permit-ended")
    assert refused.body["permit"] == 1
    rig.bus.set_input(RUN, 1)
    assert rig.denial("STARTED-ANYWAY", "permit-ended").body["equipment"] == EQUIPMENT


def test_run_time_and_volume_are_counted_against_their_limits(rig):
    rig.start()
    rig.allow(run_ms_limit=15_000)
    rig.kill_gateway()
    rig.bus.set_input(RUN, 1)
    rig.wait(lambda: not rig.permissive, "the run limit")
    rig.bus.set_input(RUN, 0)
    rig.scans()
    rig.request()
    limited = rig.denial("REFUSED", "run-limit")
    assert 15_000 <= limited.registers[0]["runMs"] <= 25_000
    volume_ml = limited.registers[0]["volumeMl"]
    rig.allow(2, run_ms_limit=HOUR_MS, volume_ml_limit=volume_ml + 2000)
    rig.bus.device(FLOW).set_flow(360.0)  # 100 ml a second, with nothing running
    rig.wait(lambda: not rig.permissive, "the volume limit")
    rig.request()
    limited = rig.denial("REFUSED", "volume-limit")
    assert volume_ml + 2000 <= limited.registers[0]["volumeMl"] <= volume_ml + 6000


def test_replayed_foreign_and_forged_permits_are_refused_and_named(rig):
    rig.start()
    first = rig.allow(1)
    ended = withdrawal(rig, 3)
    rig.listener.permit(EQUIPMENT, ended)
    rig.wait(lambda: not rig.permissive, "the withdrawal")
    for data, code in bad_permits(rig, first):
        rig.listener.permit(EQUIPMENT, data)
        rig.wait(lambda code=code: rig.told(f"permit {EQUIPMENT}: {code}"), code)
    rig.listener.permit(EQUIPMENT, b"")
    rig.listener.permit(EQUIPMENT, ended)
    rig.scans(5)
    assert rig.permissive == 0
    for code in ("old-serial", "bad-signature", "foreign"):
        words = f"permit {EQUIPMENT} {code}"
        rig.wait_statement("heartbeat", lambda body, words=words: words in (body["why"] or ""))
    rig.power_cut()
    rig.scans(5)
    assert rig.permissive == 0


def bad_permits(rig, old):
    """Permits that would close the contact if they counted, and why they do not."""
    good = dsse.parse_envelope(rig.permit(4))
    yield old, "old-serial"
    yield rig.permit(3), "same-serial"
    yield rig.permit(4, key=OTHER_KEY), "wrong-key"
    signed = dsse.parse_envelope(rig.permit(5))
    swapped = dsse.PAYLOAD_PERMIT, good.payload, good.keyid, signed.sig
    yield dsse.format_envelope(*swapped), "bad-signature"
    for other in (
        {"keyid": "ab" * 32},
        {"site": "other"},
        {"node": "n02"},
        {"equipment": "bat-scrub"},
    ):
        yield rig.permit(4, **other), "foreign"


def test_a_later_permit_withdraws_and_shrinks_at_once(rig):
    rig.start()
    rig.bus.set_input(RUN, 1)
    rig.allow(1)
    rig.scans()
    rig.listener.permit(EQUIPMENT, withdrawal(rig, 2))
    rig.wait(lambda: not rig.permissive, "the withdrawal")
    rig.wait(lambda: "orderly-stop-requested" in rig.states(), "the stop is asked for")
    rig.allow(3)
    shrunk_ms = rig.time() + 30_000
    shrunk = rig.permit(4, not_after_ms=shrunk_ms, grace_ms=0)
    rig.listener.permit(EQUIPMENT, shrunk)
    rig.wait(lambda: not rig.permissive, "the nearer end")
    assert shrunk_ms - 1000 <= rig.node_ms() <= shrunk_ms + 10_000
    rig.power_cut()
    rig.scans(5)
    assert rig.permissive == 0


def withdrawal(rig, serial):
    """A permit that ends as it begins."""
    now_ms = rig.time()
    return rig.permit(serial, issued_ms=now_ms, not_after_ms=now_ms + 1, grace_ms=0, run_ms_limit=0)


def test_a_power_cut_keeps_the_permit_and_its_end_without_a_gateway(rig):
    rig.start()
    end_ms = rig.time() + 40_000
    rig.allow(not_after_ms=end_ms, grace_ms=0)
    rig.kill_gateway()
    rig.power_cut()
    rig.wait(lambda: rig.permissive, "the permit from flash")
    rig.wait(lambda: not rig.permissive, "its end, by floor and uptime")
    assert rig.listener.newest.frame.clock == "U"
    rig.scans(2)
    rig.power_cut()
    # an end that was seen is not taken back
    for _ in range(6):
        rig.scans(1)
        assert rig.permissive == 0


@pytest.mark.parametrize("limit", ["time", "run"])
def test_cutting_the_power_again_and_again_stops_neither_the_time_nor_the_run_time(rig, limit):
    rig.start()
    if limit == "time":
        rig.allow(not_after_ms=rig.time() + 40_000, grace_ms=0)
    else:
        rig.allow(run_ms_limit=25_000)
    rig.bus.set_input(RUN, 1)
    rig.kill_gateway()
    cuts = 0
    while cuts < 12 and rig.permissive:
        # before the minute is over at which time and registers are written
        rig.scans(16)
        rig.power_cut()
        rig.scans(1)
        cuts += 1
    assert 2 <= cuts < 12
    rig.bus.set_input(RUN, 0)
    rig.scans()
    rig.request()
    rig.denial("REFUSED", {"time": "permit-ended", "run": "run-limit"}[limit])


def test_a_time_that_is_moved_back_is_refused_and_stated(rig):
    rig.start()
    end_ms = rig.time() + 40_000
    rig.allow(not_after_ms=end_ms, grace_ms=0)
    rig.time.shift_ms = -HOUR_MS
    rig.listener.new_epoch()
    refused = rig.wait_statement("gap", lambda body: body["cause"] == "back-refused").body
    assert refused["what"] == "clock"
    assert refused["fromMs"] - refused["toMs"] > HOUR_MS - 60_000
    rig.wait(lambda: not rig.permissive, "the end is where it was")
    assert end_ms - 1000 <= rig.node_ms() <= end_ms + 10_000


def test_a_node_that_never_had_a_time_permits_no_start(rig):
    rig.kill_gateway()
    rig.start()
    # a permit that says nothing of the time it was issued at
    rig.listener.permit(
        EQUIPMENT, rig.permit(1, issued_ms=0, not_before_ms=0, not_after_ms=HOUR_MS)
    )
    rig.scans(5)
    rig.request()
    refused = rig.denial("REFUSED", "no-time").body
    assert refused["permit"] == 1
    assert rig.permissive == 0


def test_no_permit_of_the_old_key_holds_on_a_wiped_board(rig):
    rig.start()
    rig.allow(7)
    old = rig.keyid
    rig.node.kill()
    rig.node.wipe()
    rig.start()
    assert rig.keyid != old
    rig.wait(lambda: rig.told(f"permit {EQUIPMENT}: foreign"), "the retained permit")
    rig.request()
    assert rig.denial("REFUSED", "no-permit").keyid == rig.keyid
    assert rig.permissive == 0
    rig.allow(1)  # a new key's serials are its own


def test_a_start_while_the_board_was_off_is_found_and_denied(rig):
    rig.start()
    rig.wait(lambda: rig.statements("heartbeat"), "a heartbeat")
    rig.node.kill()
    rig.bus.set_input(RUN, 1)
    rig.start()
    found = rig.denial("STARTED-ANYWAY", "no-permit")
    assert found.boot == 2
    usage = rig.wait_statement("usage", lambda body: body["equipment"][0]["starts"] == 1)
    assert usage.boot == 2


def test_the_key_switch_permits_each_turn_is_signed_and_its_start_denied(rig):
    rig.start()
    rig.bus.set_input(BYPASS, 1)
    rig.wait(lambda: rig.permissive, "the permissive")
    rig.wait_statement("heartbeat", lambda body: f"bypass on {EQUIPMENT}" in (body["why"] or ""))
    rig.bus.set_input(RUN, 1)
    assert rig.denial("STARTED-ANYWAY", "bypass").body["permit"] is None
    rig.bus.set_input(BYPASS, 0)
    rig.wait(lambda: not rig.permissive, "the switch turned back")
    off = rig.wait_statement("usage", lambda body: f"bypass off {EQUIPMENT}" in (body["why"] or ""))
    assert off.body["equipment"][0]["run"] is True


def test_a_latching_contact_stays_without_power_and_says_so(one_broker, node_firmware, tmp_path):
    content = config(f"site{next(_sites)}", latching=True)
    with PermitRig(content, one_broker, node_firmware, tmp_path) as rig:
        rig.start()
        rig.allow(not_after_ms=rig.time() + 30_000, grace_ms=0)
        told = rig.wait_statement("heartbeat", lambda body: body["why"] is not None)
        assert told.body["why"] == f"latching {EQUIPMENT}"
        rig.node.kill()
        rig.wait(lambda: not rig.bus.powered, "no power")
        assert rig.permissive == 1
        # the gateway's time at the start says that the permit has ended meanwhile
        rig.time.shift_ms = HOUR_MS
        rig.start()
        rig.wait(lambda: not rig.permissive, "the end")
        again = rig.wait_statement("heartbeat", lambda body: body["why"] is not None)
        assert again.body["why"] == f"latching {EQUIPMENT}"
