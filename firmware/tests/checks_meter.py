"""Registers and guard; see portable.py."""

from raffinate_node import guard
from raffinate_node.meter import FORM_BYTES, REQUESTED, STARTED, Meter


def meter(pulses_per_l=8000, data=None):
    made = Meter("bat-ext", "e01/flow_aq", pulses_per_l)
    if data is not None:
        made.load(data)
    return made


def values(one):
    return one.run_ms, one.starts, one.volume_ml


def check_run_time_counts_between_scans_that_saw_it_run(_):
    one = meter()
    assert one.scan(1000, (0, 0, 0), None) == 0
    assert one.scan(2000, (1, 0, 0), None) == STARTED
    assert one.scan(3000, (1, 0, 0), None) == 0
    assert one.scan(4500, (0, 0, 0), None) == 0
    assert one.scan(9000, (0, 0, 0), None) == 0
    assert values(one) == (2500, 1, 0)


def check_an_unreadable_contact_counts_nothing_and_starts_nothing(_):
    one = meter()
    one.scan(1000, (0, 0, 0), None)
    one.scan(2000, (1, 0, 0), None)
    assert one.scan(3000, (None, None, None), None) == 0
    assert one.scan(4000, (None, 0, 0), None) == 0
    assert one.scan(5000, (1, 0, 0), None) == 0
    assert one.scan(6000, (1, 0, 0), None) == 0
    assert values(one) == (1000, 1, 0)


def check_found_running_at_the_first_look_is_no_start(_):
    one = meter()
    assert one.scan(1000, (None, 0, 0), None) == 0
    assert one.scan(2000, (1, 0, 0), None) == 0
    assert one.found
    assert values(one) == (0, 0, 0)


def check_running_at_boot_is_a_start_unless_it_ran_before(_):
    one = meter()
    one.scan(1000, (0, 0, 0), None)
    again = meter(data=one.pack())
    assert again.scan(50, (1, 0, 0), None) == STARTED
    third = meter(data=again.pack())
    assert third.scan(50, (1, 0, 0), None) == 0
    assert third.starts == 1
    assert not third.found


def check_start_requests_are_edges(_):
    one = meter()
    seen = [one.scan(at * 1000, (0, level, 0), None) for at, level in enumerate((0, 1, 1, 0, 1))]
    assert seen == [0, REQUESTED, 0, 0, REQUESTED]
    assert one.requests == 2
    one.scan(9000, (0, None, 0), None)
    assert one.scan(10000, (0, 1, 0), None) == 0


def check_volume_is_exact_whatever_the_steps(_):
    for pulses_per_l in (8000, 7, 3000.5, 0.001, 10000000):
        one = meter(pulses_per_l)
        total = 0
        for step in range(1, 400):
            total += step * 37 % 1009
            one.scan(step * 1000, (0, 0, 0), total)
        assert one.volume_ml == total * 1000000 // round(pulses_per_l * 1000)


def check_volume_outlives_restarts_and_a_counter_that_begins_again(_):
    one = meter(3)
    one.scan(1000, (0, 0, 0), 1)
    for _ in range(5):
        one = meter(3, one.pack())
        one.scan(1000, (0, 0, 0), 1)
    assert one.volume_ml == 2000
    one.scan(2000, (0, 0, 0), 4)
    one.scan(3000, (0, 0, 0), 3)  # it fell: 3 more since it began again
    assert one.volume_ml == 4000
    one.scan(4000, (0, 0, 0), None)
    one.scan(5000, (0, 0, 0), 3)
    assert one.volume_ml == 4000


def check_volume_counts_without_a_run(_):
    one = meter()
    one.scan(1000, (0, 0, 0), 8000)
    assert values(one) == (0, 0, 1000)


def check_registers_are_packed_whole(_):
    one = meter()
    one.run_ms, one.starts, one.volume_ml = (1 << 53) - 1, 70000, (1 << 53) - 1
    one.base = (5, 6, 7)
    one.run = one.found = True
    data = one.pack()
    assert len(data) == FORM_BYTES
    again = meter(data=data)
    assert (values(again), again.base, again.run, again.found) == (
        (values(one), one.base, True, True)
    )
    assert again.pack() == data


def check_registers_only_rise(_):
    one = meter()
    one.run_ms, one.starts, one.volume_ml = 10, 20, 30
    one.raise_to({"runMs": 9, "starts": 21, "volumeMl": 30})
    assert values(one) == (10, 21, 30)


PERMIT = (1, b"", b"", 100, 1000, 2000, 500, 70, 90)


def check_guard_follows_the_permit(_):
    cases = (
        (999, 0, (2, "not-yet")),
        (1000, 0, (0, "permit")),
        (1999, 0, (0, "permit")),
        (2000, 0, (1, "grace")),
        (2499, 0, (1, "grace")),
        (2500, 0, (2, "permit-ended")),
        (2500, 1, (3, "permit-ended")),
        (999, 1, (2, "not-yet")),
    )
    for now_ms, run, expected in cases:
        assert guard.judge(PERMIT, now_ms, 0, 0, bool(run)) == expected, (now_ms, run)


def check_guard_stops_permitting_at_the_limits(_):
    assert guard.judge(PERMIT, 1500, 69, 89, True)[0] == 0
    assert guard.judge(PERMIT, 1500, 70, 0, True) == (3, "run-limit")
    assert guard.judge(PERMIT, 1500, 70, 0, False) == (2, "run-limit")
    assert guard.judge(PERMIT, 2100, 0, 90, False) == (2, "volume-limit")
    unlimited = PERMIT[:8] + (-1,)  # noqa: RUF005 - dialect
    assert guard.judge(unlimited, 1500, 0, 1 << 60, False)[0] == 0


def check_guard_without_permit_or_time_permits_nothing(_):
    assert guard.judge(None, 1500, 0, 0, True) == (2, "no-permit")
    assert guard.judge(PERMIT, None, 0, 0, True) == (2, "no-time")
    assert len(guard.STATES) == 4
