"""The scan's schedule, what one bad part does to the others, and the chain of frames."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_world import KEY16, Node, node_json, read, run, stage_json
from raffinate_node.drivers import AT_ONCE, TOGETHER
from raffinate_node.frames import FrameWriter, frame_bytes
from raffinate_node.sampler import LATE_MS_MAX, Point, Sampler, Stage
from raffinate_wire.frame import FRAME_BYTES_MAX, ZERO_PREV, parse_frame


class StopError(Exception):
    """Ends a run that has no end."""


def run_until(node, until_ms, *, slow=None):
    """Let the sampler run by itself; `slow(scan number)` ms are lost in each scan."""
    beats = []
    starts = []

    def begin_scan():
        starts.append(node.world.now)
        if slow:
            node.world.now += slow(len(starts) - 1)

    node.sampler._begin_buses = begin_scan

    def beat():
        beats.append(node.world.now)
        if node.world.now >= until_ms:
            raise StopError

    with pytest.raises(StopError):
        run(node.sampler.run(beat))
    return starts, beats


def test_scans_start_on_their_ticks():
    node = Node(node_json(4))
    first = node.world.now
    starts, _ = run_until(node, first + 60_000)
    assert starts == list(range(first, first + 60_000, 1000))
    assert (node.sampler.missed, node.sampler.late_ms_max) == (0, 0)
    assert node.world.console == []
    assert node.world.misuses() == []


def test_thirty_two_stages_fit_into_the_interval_their_configuration_demands():
    node = Node(node_json(32, scan_ms=1196))
    starts, _ = run_until(node, node.world.now + 20_000)
    assert len(starts) == 17
    assert node.sampler.missed == 0
    assert len(node.values()) == 32 * 6
    assert not [value for value in node.values().values() if isinstance(value, str)]
    assert node.world.misuses() == []


def test_a_tick_that_cannot_be_met_is_missed_counted_and_stated():
    node = Node(node_json(1))
    first = node.world.now
    starts, _ = run_until(node, first + 20_000, slow=lambda scan: 2600 if scan == 3 else 0)
    assert all((start - first) % 1000 <= LATE_MS_MAX for start in starts)
    # the scan at 3 s ends 3.5 s later; 4, 5 and 6 s are gone
    assert node.sampler.missed == 3
    assert len(starts) == 20 - 3
    assert len(node.world.console) == 1
    assert "3 scans missed" in node.world.console[0]


def test_a_little_late_is_a_scan_and_is_measured():
    node = Node(node_json(1))
    first = node.world.now
    starts, _ = run_until(node, first + 5000, slow=lambda scan: 150 if scan == 1 else 0)
    assert len(starts) == 5
    assert 0 < node.sampler.late_ms_max <= LATE_MS_MAX
    assert node.sampler.missed == 0


def test_a_long_interval_still_reports_in():
    node = Node(node_json(1, scan_ms=60_000))
    _, beats = run_until(node, node.world.now + 200_000)
    assert max(b - a for a, b in itertools.pairwise(beats)) <= 2000


def test_frames_are_numbered_and_chained():
    node = Node(node_json(2))
    node.scan(5)
    previous = ZERO_PREV
    for seq, frame in enumerate(node.frames):
        assert (frame.boot, frame.seq, frame.key16) == (7, seq, KEY16)
        assert frame.prev == previous
        previous = hashlib.sha256(node.datas[seq][0]).digest()
        assert node.datas[seq][1] == previous


def test_scans_share_a_frame_and_a_clock_that_changes_begins_another():
    node = Node(node_json(1, frame_scans=3))
    for _ in range(4):
        node.world.now += 1000
        run(node.sampler.scan())
    node.world.utc_ms = 1_795_255_200_000
    for _ in range(5):
        node.world.now += 1000
        run(node.sampler.scan())
    assert [len(frame.scans) for frame in node.frames] == [3, 1, 3]
    assert [frame.clock for frame in node.frames] == ["U", "U", "S"]
    assert node.frames[0].scans[0][0] is None
    times = [(bt_ms, up_ms) for bt_ms, up_ms, _ in node.frames[2].scans]
    assert all(bt_ms - up_ms == 1_795_255_200_000 for bt_ms, up_ms in times)


def test_a_values_time_is_the_start_of_its_scan():
    node = Node(node_json(1))
    node.scan(3)
    node.world.now += -node.world.now % 1000
    start = node.world.now
    run(node.sampler.scan())
    assert node.frames[-1].scans[0][1] == start
    assert node.world.now >= start + 900


class Plain:
    """A driver whose measurements are given."""

    needs_temp = False

    def __init__(self, *values, phase=AT_ONCE):
        self.phase = phase
        self.values = list(values)

    def begin(self, temp_c):
        assert temp_c is None
        return 0

    def collect(self):
        value = self.values.pop(0)
        if isinstance(value, BaseException):
            raise value
        return value

    def give_up(self):
        raise AssertionError("nothing was busy")


def sampler_of(stages, world, sink):
    return Sampler(
        world, stages, 1000, lambda: None, lambda _: None, sink, world.say, world.sleep_ms, list
    )


def test_a_driver_s_defect_stops_no_other_point_and_is_said_once():
    world = Node(node_json(1)).world
    seen = []
    points = [
        Point("bad", "1", 1, None, Plain(*[KeyError("x")] * 3)),
        Point("worse", "1", 1, None, Plain(*[ZeroDivisionError("y")] * 3, phase=TOGETHER)),
        Point("good", "1", 1, None, Plain(1.0, 2.0, 3.0)),
    ]
    stage = Stage("e01", points)
    sampler = sampler_of([stage], world, lambda *_: seen.append([point.result for point in points]))
    for _ in range(3):
        run(sampler.scan())
    assert seen == [["F:driver", "F:driver", value] for value in (1.0, 2.0, 3.0)]
    assert len(world.console) == 2


@settings(deadline=None)
@given(
    value=st.floats(allow_nan=True, allow_infinity=True),
    limits=st.none() | st.just((-5.0, 5.0)),
)
def test_bad_data_is_never_a_number(value, limits):
    point = Point("x", "1", 3, limits, Plain(value))
    assert point.begin(0)
    assert point.collect(0)
    name, unit, mantissa, decimals = point.record("e01")
    assert name == "e01/x"
    good = limits[0] <= value <= limits[1] if limits else abs(value) < 1e15
    if good:
        assert unit == "1"
        assert mantissa / 10**decimals == pytest.approx(value, rel=1e-6, abs=6e-4)
    else:
        assert unit is None
        assert mantissa in ("S:range", "F:garbled")


def test_out_of_range_is_out_of_specification():
    content = node_json(1)
    content["stages"][0]["points"][2]["range"] = [0, 40]
    node = Node(content)
    assert isinstance(node.scan(3)["e01/temp"], float)
    node.world.see("e01", temp_c=41.0)
    assert node.scan()["e01/temp"] == "S:range"


class Result:
    def __init__(self, name, result):
        self.name = name
        self.result = result
        self.point = Point(name, "l/s", 7, None, Plain())

    def record(self, stage):
        self.point.result = self.result
        return self.point.record(stage)


@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(0, 16), min_size=1, max_size=32),
    frame_scans=st.integers(1, 20),
    scans=st.integers(1, 30),
)
def test_a_scan_that_does_not_fit_is_split_at_a_stage_and_nothing_is_lost(
    counts, frame_scans, scans
):
    stages = [
        Stage(f"e{at:02d}", [Result(f"flow_{index}", 0.0123456) for index in range(count)])
        for at, count in enumerate(counts)
    ]
    datas = []
    config = settings_like(counts, frame_scans)
    sink = lambda *frame: datas.append(bytes(frame[2]))  # noqa: E731 - used once
    writer = FrameWriter(config, KEY16, 7, frame_bytes(config), sink)
    for scan in range(scans):
        writer.on_scan(stages, None, "U", 1000 * scan)
    writer.close()
    frames = [parse_frame(data) for data in datas]
    assert all(len(data) <= FRAME_BYTES_MAX for data in datas)
    assert all(len(frame.scans) <= frame_scans for frame in frames)
    found = [
        (up_ms, name) for frame in frames for _, up_ms, values in frame.scans for name, *_ in values
    ]
    assert found == [
        (1000 * scan, f"e{at:02d}/flow_{index}")
        for scan in range(scans)
        for at, count in enumerate(counts)
        for index in range(count)
    ]


def settings_like(counts, frame_scans):
    stages = []
    for at, count in enumerate(counts):
        points = [
            {"name": f"flow_{index}", "driver": "pulse", "pin": index, "pulses_per_l": 1}
            for index in range(count)
        ]
        stages.append({"id": f"e{at:02d}", "points": points})
    config = read(node_json(1, frame_scans=frame_scans))
    config.stages = [read(node_json(stages=[stage], calibration={})).stages[0] for stage in stages]
    return config


def test_a_scan_without_a_measurement_leaves_no_frame():
    circuits = [{**point, "temp": 30} for point in stage_json(0)["points"][:2]]
    node = Node(node_json(stages=[{"id": "e01", "points": circuits}]))
    run(node.sampler.scan())
    assert node.frames == []


def test_meter_and_guard_run_before_the_slow_conversions():
    node = Node(node_json(1))
    node.scan(2)
    up_ms = node.frames[-1].scans[0][1]
    assert node.starts[-1] == up_ms
    assert len(node.starts) == node.sampler.scans == 2
