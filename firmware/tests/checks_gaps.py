"""Signed gaps of a silent sensor bus and of an unknown time; see portable.py."""

from evidence_tools import Bench, started
from raffinate_node import quality
from raffinate_node.outages import AGAIN_MS, OPEN_MS_MAX, SCANS_MIN, Outages, silent


class Point:
    def __init__(self, result):
        self.result = result


def watch(bench, states):
    """Scans in which a bus's only sensor shows these results."""
    for state in states:
        bench.hal.now_ms += 1000
        bench.time_ms += 1000
        bench.evidence.outages.scan("i2c 0", [Point(state)], bench.clock.up_ms())
        bench.work()


def gaps(bench, what):
    return [one.body for one in bench.statements("gap") if one.body["what"] == what]


def check_a_bus_is_silent_when_nothing_asked_on_it_is_reached(_):
    absent, bus = Point(quality.ABSENT), Point(quality.BUS)
    assert silent([absent, bus]) is True
    assert silent([absent, Point(None)]) is True
    assert silent([Point(None)]) is None
    assert silent([]) is None
    assert silent([absent, Point(1.5)]) is False
    assert silent([absent, Point(quality.NOT_READY)]) is False


def check_an_outage_is_signed_once_when_it_ends(folder):
    bench = started(folder)
    watch(bench, [7.0] * 3 + [quality.BUS] * 5)
    assert gaps(bench, "sensors") == []
    began_ms, began_up_ms = bench.time_ms - 4000, bench.clock.up_ms() - 4000
    watch(bench, [7.0] * 10)
    (gap,) = gaps(bench, "sensors")
    assert gap["cause"] == "i2c 0 silent"
    assert (gap["fromMs"], gap["toMs"]) == (began_ms, began_ms + 5000)
    assert (gap["fromUpMs"], gap["toUpMs"]) == (began_up_ms, began_up_ms + 5000)
    assert "raffinate error i2c 0 is silent" in bench.hal.lines


def check_one_or_two_silent_scans_are_no_outage(folder):
    bench = started(folder)
    for _ in range(20):
        watch(bench, [quality.ABSENT] * (SCANS_MIN - 1) + [7.0])
    assert gaps(bench, "sensors") == []


def check_a_scan_that_asks_nothing_says_nothing(folder):
    bench = started(folder)
    watch(bench, [quality.ABSENT, None, quality.ABSENT, None, quality.ABSENT, 7.0])
    assert len(gaps(bench, "sensors")) == 1


def check_a_bus_that_comes_and_goes_is_told_of_with_its_count(folder):
    bench = started(folder)
    flap = [quality.BUS] * 3 + [7.0] * 3
    watch(bench, flap * 10)
    watch(bench, [7.0] * (AGAIN_MS // 1000))
    found = gaps(bench, "sensors")
    assert [one["cause"] for one in found] == ["i2c 0 silent", "i2c 0 silent x9"]
    assert found[1]["fromUpMs"] >= found[0]["toUpMs"]
    assert found[1]["toUpMs"] - found[0]["fromUpMs"] == 57000


def check_what_does_not_end_is_told_of_each_hour(_):
    outages = Outages(lambda _: None)
    up_ms, told = 0, []
    while up_ms < 3 * OPEN_MS_MAX:
        up_ms += 1000
        outages.scan("spi 0", [Point(quality.ABSENT)], up_ms)
        due = outages.due(up_ms)
        if due is not None:
            told.append(due)
            outages.told(due[0], due[2], due[3], up_ms)
    assert told == [
        ("spi 0", 1000, 1000 + OPEN_MS_MAX, 1),
        ("spi 0", 1000 + OPEN_MS_MAX, 1000 + 2 * OPEN_MS_MAX, 1),
    ]


def check_each_bus_has_its_own_gap(folder):
    bench = started(folder)
    for result in [quality.BUS] * 4 + [7.0]:
        bench.hal.now_ms += 1000
        for name in ("i2c 0", "spi 0"):
            bench.evidence.outages.scan(name, [Point(result)], bench.clock.up_ms())
    bench.work()
    assert sorted([one["cause"] for one in gaps(bench, "sensors")]) == [
        "i2c 0 silent",
        "spi 0 silent",
    ]


def check_what_was_signed_without_the_time_is_covered_once_it_is_known(folder):
    bench = Bench(folder)
    bench.scans(75)
    assert [one.clock for one in bench.statements()] == ["U", "U"]
    assert gaps(bench, "clock") == []
    bench.answer()
    bench.scans(3)
    (gap,) = gaps(bench, "clock")
    assert gap["cause"] == "time unknown"
    first = bench.statements("heartbeat")[0].body["interval"]["fromUpMs"]
    assert (gap["fromUpMs"], gap["toUpMs"]) == (first, 75000)
    assert gap["toMs"] == bench.time_ms - 3000
    assert gap["toMs"] - gap["fromMs"] == gap["toUpMs"] - gap["fromUpMs"]
    bench.answer()
    bench.scans(12)
    assert len(gaps(bench, "clock")) == 1


def check_with_the_time_in_time_there_is_no_such_gap(folder):
    bench = Bench(folder)
    bench.scans(3)
    bench.answer()
    bench.scans(15)
    assert gaps(bench, "clock") == []
