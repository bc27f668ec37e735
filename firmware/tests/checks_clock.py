"""Checks of the clock, on any Python."""

# ruff: noqa: SIM105 - the dialect has no contextlib

from raffinate_node.clock import INFORMATIVE_MS, RELATIVE_MS, Clock
from upy_hal import Hal

NOON = 1795255200000
HOUR = 3600 * 1000


def _clock(floor_ms=None, save=None, period=1 << 30):
    hal = Hal(by_hand=True, period=period)
    return hal, Clock(hal, floor_ms, save)


def check_uptime_outlives_the_tick_period(_):
    hal, clock = _clock()
    for _step in range(40):
        hal.now_ms += 1 << 28
        clock.up_ms()
    assert clock.up_ms() == 40 << 28
    assert clock.up_ms() > 1 << 30


def check_uptime_starts_at_zero_wherever_the_ticks_stand(_):
    hal = Hal(by_hand=True)
    hal.now_ms = (1 << 30) - 5
    clock = Clock(hal, None)
    assert clock.up_ms() == 0
    hal.now_ms += 10
    assert clock.up_ms() == 10


def check_states_follow_the_age_of_the_accepted_time(_):
    hal, clock = _clock()
    assert clock.state() == "U"
    assert clock.time_ms() is None
    assert clock.accept(NOON, 0)
    for ms, state in (
        (INFORMATIVE_MS - 1, "S"),
        (INFORMATIVE_MS, "I"),
        (RELATIVE_MS - 1, "I"),
        (RELATIVE_MS, "R"),
    ):
        hal.now_ms = ms
        assert clock.state() == state, (ms, state)
        assert clock.time_ms() == NOON + ms
    assert clock.accept(NOON + RELATIVE_MS + 500, clock.up_ms())
    assert clock.state() == "S"


def check_an_answer_is_set_at_the_middle_of_the_question(_):
    hal, clock = _clock()
    hal.now_ms = 10000
    assert clock.accept(NOON, 6000)
    assert clock.time_ms() == NOON + 2000


def check_a_step_back_over_two_seconds_is_refused_and_told(_):
    hal, clock = _clock()
    steps = []
    clock.on_step = lambda kind, old, new: steps.append((kind, old, new))
    assert clock.accept(NOON, 0)
    assert not clock.accept(NOON - 2001, 0)
    assert steps == [("back-refused", NOON, NOON - 2001)]
    assert clock.time_ms() == NOON
    assert clock.accept(NOON - 2000, 0)
    assert clock.time_ms() == NOON - 2000
    assert clock.guard_ms() == NOON
    assert len(steps) == 1
    hal.now_ms += INFORMATIVE_MS
    assert not clock.accept(NOON, hal.now_ms)
    assert clock.state() == "I"


def check_a_step_forward_is_taken_and_told(_):
    _hal, clock = _clock()
    steps = []
    clock.on_step = lambda kind, old, new: steps.append((kind, old, new))
    clock.accept(NOON, 0)
    clock.accept(NOON + 2000, 0)
    assert steps == []
    clock.accept(NOON + HOUR, 0)
    assert steps == [("forward", NOON + 2000, NOON + HOUR)]
    assert clock.time_ms() == NOON + HOUR


def check_nonsense_times_change_nothing(_):
    hal, clock = _clock()
    hal.now_ms = 100
    for time_ms, asked in ((0, 0), (-5, 0), (10**15, 0), (NOON, 101), (NOON, -1)):
        assert not clock.accept(time_ms, asked)
    assert clock.state() == "U"


def check_the_floor_carries_time_without_a_clock(_):
    hal, clock = _clock(floor_ms=NOON)
    hal.now_ms = 5000
    assert clock.time_ms() is None
    assert clock.guard_ms() == NOON + 5000
    assert clock.floor_ms() == NOON + 5000
    clock.raise_floor(NOON + 60000)
    hal.now_ms = 6000
    assert clock.guard_ms() == NOON + 61000
    clock.raise_floor(NOON)
    assert clock.guard_ms() == NOON + 61000


def check_a_time_before_the_floor_is_refused(_):
    _hal, clock = _clock(floor_ms=NOON)
    assert not clock.accept(NOON - HOUR, 0)
    assert clock.state() == "U"
    assert clock.accept(NOON + HOUR, 0)
    assert clock.floor_ms() == NOON + HOUR


def check_without_floor_and_clock_there_is_no_time(_):
    hal, clock = _clock()
    hal.now_ms = HOUR
    assert clock.guard_ms() is None
    assert clock.floor_ms() is None


def check_the_floor_never_falls(_):
    hal, clock = _clock()
    clock.accept(NOON, 0)
    last = 0
    for move in (0, 500, 1, 999, 60000, 3):
        hal.now_ms += move
        clock.accept(clock.time_ms() - 1500, hal.now_ms)
        assert clock.guard_ms() >= last
        last = clock.guard_ms()
    assert clock.time_ms() < last


def check_a_flash_that_refuses_the_floor_is_tried_later(_):
    tries = []

    def fails(ms):
        tries.append(ms)
        raise OSError(28)

    hal, clock = _clock(floor_ms=NOON, save=fails)
    for _second in range(150):
        hal.now_ms += 1000
        try:
            clock.tick()
        except OSError:
            pass
    assert tries == [NOON + 1000 * second for second in (5, 10, 20, 40, 80, 140)]


def check_the_floor_is_saved_each_minute_and_sooner_after_a_start(_):
    saved = []
    hal, clock = _clock(floor_ms=NOON, save=saved.append)
    for _second in range(200):
        hal.now_ms += 1000
        clock.tick()
    assert saved == [NOON + 1000 * second for second in (5, 10, 20, 40, 80, 140, 200)]


def check_without_any_time_no_floor_is_saved(_):
    saved = []
    hal, clock = _clock(save=saved.append)
    hal.now_ms = 60000
    clock.tick()
    assert saved == []
    clock.accept(NOON, hal.now_ms)
    clock.save_floor()
    assert saved == [NOON]
