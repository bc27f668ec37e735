"""What the node signs and takes, over real store, outbox and clock; see portable.py."""

from evidence_tools import DIGEST, OTHER_KEY, T0, Bench, started
from raffinate_wire import statement

HOUR = 3_600_000


def allow(bench, **changes):
    bench.evidence.on_permit("bat-ext", bench.permit(**changes))
    bench.work()


def check_boot_waits_for_the_answer_and_for_a_scan(folder):
    bench = Bench(folder)
    bench.scans(3)
    assert bench.signed == {}
    bench.answer()
    bench.scan()
    boot = bench.statements()[0]
    assert (boot.type, boot.seq, boot.prev, boot.clock) == ("boot", 1, "0" * 64, "S")
    assert boot.subject == [("equipment/bat-ext.toml", DIGEST)]
    assert boot.body["spki"] == bench.evidence._chain.signer.spki
    assert boot.body["tier"] == 0
    assert boot.body["resetCause"] == "power-on"
    assert boot.body["lost"] is None
    assert boot.body["restored"] is None
    assert (boot.seen["size"], boot.seen["root"]) == (0, statement.EMPTY_ROOT)


def check_boot_is_signed_after_a_minute_without_a_gateway(folder):
    bench = Bench(folder)
    bench.scans(59)
    assert bench.signed == {}
    bench.scans(2)
    boot = bench.statements()[0]
    assert (boot.clock, boot.time_ms) == ("U", None)
    bench.scans(10)
    beat = bench.statements("heartbeat")[0]
    assert beat.body["interval"]["fromMs"] is None


def check_usage_and_heartbeat_cover_frames_and_time_without_a_hole(folder):
    bench = started(folder)
    bench.scans(25)
    bench.run = 1
    bench.pulses = 4000
    bench.scans(30)
    found = [one for one in bench.statements() if one.type in ("usage", "heartbeat")]
    assert found[0].type == "heartbeat"
    assert found[-1].type == "usage"
    first, up_ms = 0, found[0].body["interval"]["fromUpMs"]
    run_ms = volume_ml = starts = 0
    for one in found:
        frames, interval = one.body["frames"], one.body["interval"]
        assert (frames["boot"], frames["first"]) == (1, first)
        first = frames["last"] + 1
        assert interval["fromUpMs"] == up_ms
        up_ms = interval["toUpMs"]
        assert interval["toMs"] - interval["fromMs"] == up_ms - interval["fromUpMs"]
        use = one.body["equipment"][0]
        run_ms += use["runMs"]
        volume_ml += use["volumeMl"]
        starts += use["starts"]
        assert one.registers[0]["runMs"] == run_ms
        assert one.body["why"] is None
    assert (starts, volume_ml) == (1, 500)
    bench.check_chain()


def check_found_running_is_stated_once_and_is_no_start(folder):
    bench = Bench(folder)
    bench.run = 1
    bench.answer()
    bench.scan()
    bench.restart()
    bench.answer()
    bench.scans(2)
    boots = bench.statements("boot")
    assert [one.body["foundRunning"] for one in boots] == [["bat-ext"], []]
    assert bench.statements("denial") == []
    assert bench.evidence._meters[0].starts == 0


def check_found_running_outlives_a_cut_before_it_is_stated(folder):
    bench = Bench(folder)
    bench.run = 1
    bench.scans(6)  # saved by then, not signed yet
    bench.restart()
    bench.answer()
    bench.scan()
    assert bench.statements("boot")[0].body["foundRunning"] == ["bat-ext"]


def check_a_restart_states_the_gap(folder):
    bench = started(folder)
    bench.run = 1
    bench.scans(15)
    ended = bench.statements("usage")[-1]
    bench.restart()
    bench.time_ms += 30000
    bench.answer()
    bench.scans(2)
    gap = bench.statements("gap")[0]
    assert gap.body["what"] == "metering"
    assert gap.body["cause"] == "restart: power-on"
    assert gap.body["fromMs"] == ended.body["interval"]["toMs"]
    assert gap.body["toMs"] == bench.time_ms - 1000
    assert gap.body["registersFrom"] == ended.registers
    assert gap.body["registersTo"][0]["runMs"] >= ended.registers[0]["runMs"]
    bench.check_chain()


def check_no_permit_no_start(folder):
    bench = started(folder)
    assert bench.permissive == 0
    bench.start = 1
    bench.scan()
    refused = bench.statements("denial")[0]
    assert refused.body["kind"] == "REFUSED"
    assert refused.body["reason"] == "no-permit"
    assert refused.body["permit"] is None
    assert refused.body["count"] == 1
    assert refused.body["fromMs"] == refused.body["toMs"] == bench.time_ms
    bench.run = 1
    bench.scan()
    bridged = bench.statements("denial")[1]
    assert (bridged.body["kind"], bridged.body["reason"]) == ("STARTED-ANYWAY", "no-permit")


def check_denials_are_counted_not_repeated(folder):
    bench = started(folder)
    for _ in range(20):
        bench.start = 1
        bench.scan()
        bench.start = 0
        bench.scan()
    assert [one.body["count"] for one in bench.statements("denial")] == [1]
    bench.scans(25)
    assert [one.body["count"] for one in bench.statements("denial")] == [1, 19]
    uses = [one.body["equipment"][0] for one in bench.statements("heartbeat")]
    assert sum([one["startRequests"] for one in uses]) == 20


def check_a_permit_closes_the_contact_and_is_stated(folder):
    bench = started(folder)
    allow(bench, serial=3)
    bench.start = bench.run = 1
    bench.scan()
    assert bench.permissive == 1
    assert bench.statements("denial") == []
    bench.scans(10)
    usage = bench.statements("usage")[0]
    assert usage.body["equipment"][0]["permit"] == 3
    assert usage.body["equipment"][0]["state"] == "compliant"
    assert usage.subject[1] == ("licence/bat-ext", "cd" * 32)


def check_the_permit_outlives_a_restart_offline(folder):
    bench = started(folder)
    allow(bench)
    bench.restart()  # no gateway, no clock: the floor is the permit's own issue
    bench.scan()
    assert bench.clock.state() == "U"
    assert bench.permissive == 1


def check_an_end_that_was_seen_is_not_taken_back_by_a_power_cut(folder):
    bench = started(folder)
    allow(bench, not_after_ms=T0 + 30_000, grace_ms=0)
    bench.scan()
    assert bench.permissive == 1
    while bench.permissive:
        bench.scan()
    bench.restart()
    bench.scan()
    assert bench.clock.state() == "U"
    assert bench.permissive == 0


def check_power_cuts_before_a_minute_is_over_stop_no_register(folder):
    bench = started(folder)
    bench.run = 1
    bench.scans(12)
    for cuts in range(1, 6):
        bench.restart()
        bench.scans(12)
        # half of each time at least
        assert bench.evidence._meters[0].run_ms >= cuts * 6000


def check_running_equipment_is_never_stopped(folder):
    bench = started(folder, statement_s=60)
    allow(bench, not_after_ms=T0 + 20_000, grace_ms=10_000)
    bench.run = 1
    states = []
    for _ in range(40):
        bench.scan()
        states.append((bench.evidence._meters[0].state, bench.permissive))
    assert [one for at, one in enumerate(states) if not at or states[at - 1] != one] == [
        (0, 1),
        (1, 1),
        (3, 0),
    ]
    assert bench.statements("denial") == []
    bench.run = 0
    bench.scan()
    assert bench.evidence._meters[0].state == 2
    bench.start = 1
    bench.scan()
    assert bench.statements("denial")[0].body["reason"] == "permit-ended"
    assert bench.statements("denial")[0].body["permit"] == 1


def check_a_stopped_clock_meets_the_run_limit(folder):
    bench = started(folder)
    allow(bench, run_ms_limit=5000)
    bench.run = 1
    bench.scans(4)
    assert bench.permissive == 1
    bench.scans(3)
    assert bench.permissive == 0
    assert bench.evidence._meters[0].state == 3


def check_no_time_no_start(folder):
    bench = Bench(folder)
    bench.scan()
    allow(bench, issued_ms=0)  # says nothing of the time
    bench.scan()
    assert bench.clock.guard_ms() is None
    assert bench.permissive == 0
    bench.start = 1
    bench.scans(70)
    assert bench.statements("denial")[0].body["reason"] == "no-time"


def check_a_permit_brings_the_time_it_was_issued_at(folder):
    bench = Bench(folder)
    allow(bench)
    bench.scan()
    assert bench.clock.state() == "U"
    assert bench.clock.guard_ms() >= T0
    assert bench.permissive == 1


def check_a_start_in_the_scan_in_which_the_permit_ends_was_permitted(folder):
    bench = started(folder)
    allow(bench, not_after_ms=bench.time_ms + 3000, grace_ms=0)
    bench.scans(2)
    assert bench.permissive == 1
    bench.run = 1
    bench.scan()
    assert bench.permissive == 0
    bench.scan()
    assert bench.statements("denial") == []


def check_bad_permits_change_nothing_and_are_named(folder):
    bench = started(folder)
    allow(bench, serial=2)
    allow(bench, serial=1)
    allow(bench, serial=3, key=OTHER_KEY)
    allow(bench, serial=2)  # the one in use: as the broker sends it again
    assert bench.evidence._chain.permits[0][0] == 2
    bench.scans(10)
    why = bench.statements("heartbeat")[0].body["why"]
    assert why == "permit bat-ext old-serial; permit bat-ext wrong-key"
    bench.scans(10)
    assert bench.statements("heartbeat")[1].body["why"] is None


def check_the_key_switch_permits_and_is_stated(folder):
    bench = started(folder)
    bench.bypass = bench.start = 1
    bench.scan()
    assert bench.permissive == 1
    assert bench.statements("denial") == []
    bench.run = 1
    bench.scan()
    denial = bench.statements("denial")[0].body
    assert (denial["kind"], denial["reason"]) == ("STARTED-ANYWAY", "bypass")
    bench.bypass = 0
    bench.scans(9)
    assert bench.permissive == 0
    why = bench.statements("usage")[0].body["why"]
    assert why == "bypass bat-ext x2; bypass off bat-ext; bypass on bat-ext"


def check_the_key_switch_is_stated_when_it_turns(folder):
    bench = started(folder, statement_s=600)
    bench.scans(30)
    for level in (1, 0):
        bench.bypass = level
        bench.scan()
        turned = bench.statements("heartbeat")[-1].body
        assert turned["interval"]["toMs"] == bench.time_ms
        assert f"bypass {'on' if level else 'off'} bat-ext" in turned["why"]
        bench.scans(12)
    # one that chatters is counted
    before = len(bench.statements())
    for at in range(20):
        bench.bypass = at % 2
        bench.scan()
    assert len(bench.statements()) - before <= 3
    bench.bypass = 0
    bench.scans(12)
    told = " ".join([one.body["why"] or "" for one in bench.statements("heartbeat")[-3:]])
    assert "bypass on bat-ext x5" in told


def check_a_latching_contact_is_stated_once_a_boot(folder):
    bench = Bench(folder)
    bench.config.equipment[0].latching = True
    for _ in range(2):
        bench.restart()
        bench.answer()
        bench.scans(25)
    why = [one.body["why"] for one in bench.statements("heartbeat")]
    assert why == ["latching bat-ext", None, "latching bat-ext", None]
    assert bench.hal.contacts[103].latching  # the hal leaves it as it is until the first scan


def check_a_start_while_the_node_was_off_is_a_start_and_a_denial(folder):
    bench = started(folder)
    bench.scans(6)
    bench.restart()
    bench.run = 1
    bench.answer()
    bench.scans(2)
    assert bench.evidence._meters[0].starts == 1
    denial = bench.statements("denial")[0].body
    assert (denial["kind"], denial["reason"]) == ("STARTED-ANYWAY", "no-permit")
    bench.restart()  # it ran before: no start
    bench.answer()
    bench.scans(2)
    assert bench.evidence._meters[0].starts == 1
    assert len(bench.statements("denial")) == 1


def check_a_start_while_the_node_was_off_under_a_permit_is_no_denial(folder):
    bench = started(folder)
    allow(bench)
    bench.scans(6)
    bench.restart()
    bench.run = 1
    bench.answer()
    bench.scans(2)
    assert bench.evidence._meters[0].starts == 1
    assert bench.statements("denial") == []


def check_a_contact_that_lost_its_power_is_driven_again(folder):
    bench = started(folder)
    allow(bench)
    contact = bench.hal.contacts[103]
    contact.is_broken = True
    bench.scan()
    assert contact.level == 0
    contact.is_broken = False
    bench.scan()
    assert contact.level == 1
    sets = contact.sets
    bench.scans(3)
    assert contact.sets == sets
    bench.run = None
    bench.scan()
    assert contact.sets == sets + 1


def check_an_overflow_gap_is_signed_before_it_is_granted(folder):
    bench = started(folder)
    ask = bench.outbox.on_overflow
    head = b"h" * 32
    assert ask(1, 0, 9, head) is None
    assert bench.statements("gap") == []
    bench.work()
    gap = bench.statements("gap")[0].body
    assert gap["what"] == "frames"
    frames = gap["frames"]
    assert (frames["boot"], frames["first"], frames["last"]) == (1, 0, 9)
    assert frames["head"] == head.hex()
    assert ask(1, 0, 9, head) is True
    assert ask(1, 10, 19, head) is None
    bench.work()
    assert ask(1, 10, 29, head) is None  # another range is another gap
    bench.work()
    assert ask(1, 10, 29, head) is True
    assert len(bench.statements("gap")) == 3


def check_clock_steps_are_stated(folder):
    bench = started(folder)
    bench.scans(2)
    now_ms = bench.clock.time_ms()
    assert not bench.clock.accept(T0 - HOUR, bench.clock.up_ms())
    assert bench.clock.accept(now_ms + 60000, bench.clock.up_ms())
    bench.work()
    found = [one.body for one in bench.statements("gap")]
    assert [(one["what"], one["cause"]) for one in found] == [
        ("clock", "back-refused"),
        ("clock", "forward"),
    ]
    assert (found[0]["fromMs"], found[0]["toMs"]) == (now_ms, T0 - HOUR)
    assert (found[1]["fromMs"], found[1]["toMs"]) == (now_ms, now_ms + 60000)


def check_a_full_store_signs_nothing_and_goes_on_metering(folder):
    limits = {
        "ram_bytes_max": 16384,
        "flash_bytes_max": 65536,
        "group_bytes": 4096,
        "group_ms": 15000,
        "statement_bytes_max": 32768,
    }
    bench = started(folder, outbox=limits, statement_s=2)
    bench.run = 1
    bench.scans(400)
    assert bench.outbox.statement_fill() >= 1
    count = len(bench.signed)
    ended = [one.body["interval"] for one in bench.statements("usage")]
    lengths = [one["toUpMs"] - one["fromUpMs"] for one in ended]
    assert lengths[0] == 2000
    assert lengths[-1] > 2000
    last = bench.statements("usage")[-1]
    # one gap finds room, then no more
    ask = bench.outbox.on_overflow
    ask(1, 0, 9, b"h" * 32)
    bench.work()
    assert ask(1, 0, 9, b"h" * 32) is True
    ask(1, 10, 19, b"h" * 32)
    bench.work()
    assert ask(1, 10, 19, b"h" * 32) is None
    assert len(bench.signed) == count + 1
    for seq in sorted(bench.signed):
        bench.evidence.on_receipt(bench.receipt(seq))
        bench.work()
    bench.scans(64)
    found = bench.statements("usage")
    after = next(one for one in found if one.seq > last.seq)
    assert after.body["interval"]["fromUpMs"] == ended[-1]["toUpMs"]
    assert "statement store full" in after.body["why"]
    run_ms = after.registers[0]["runMs"] - last.registers[0]["runMs"]
    assert after.body["equipment"][0]["runMs"] == run_ms
    bench.check_chain()


def check_equipment_that_comes_back_has_its_registers(folder):
    bench = started(folder, equipment=("bat-ext", "bat-scrub"))
    bench.run = 1
    bench.scans(12)
    run_ms = bench.evidence._meters[1].run_ms
    assert run_ms
    for names in (("bat-ext",), ("bat-ext", "bat-scrub")):
        bench = Bench(folder, equipment=names)
        bench.answer()
        bench.scan()
    assert bench.evidence._meters[1].run_ms >= run_ms - 2000


def check_a_node_without_equipment_signs_its_absence(folder):
    bench = started(folder, equipment=())
    bench.scans(11)
    beat = bench.statements("heartbeat")[0]
    assert beat.subject == [("node.json", DIGEST)]
    assert beat.registers == []
    bench.restart()
    bench.answer()
    bench.scan()
    assert bench.statements("gap")[0].body["what"] == "sensors"
