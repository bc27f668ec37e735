"""A node of real MicroPython publishes what its sensors see, and says what they do not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest

from raffinate_wire.frame import ZERO_PREV, frame_hash
from rig_configs import node_config

pytestmark = [pytest.mark.broker, pytest.mark.micropython]
SPEED = 10
POINTS = ("ph", "cond", "temp", "flow_aq", "flow_org", "level")


@dataclass(frozen=True)
class Reading:
    ph: float
    cond_ms_cm_t: float
    temp_c: float
    flow_aq_l_h: float
    flow_org_l_h: float
    level_frac: float

    @property
    def ph_temp_c(self) -> float:
        return self.temp_c

    def wire(self) -> dict:
        """What a frame must say, with the sensors' resolution."""
        kappa25 = self.cond_ms_cm_t / 10 / (1 + 0.0156 * (self.temp_c - 25))
        return {
            "ph": pytest.approx(self.ph, abs=0.0015),
            "cond": pytest.approx(kappa25, rel=1.5e-3),
            "temp": pytest.approx(self.temp_c, abs=0.025),
            "flow_aq": pytest.approx(self.flow_aq_l_h / 3600, rel=0.03),
            "flow_org": pytest.approx(self.flow_org_l_h / 3600, rel=0.03),
            "level": pytest.approx(self.level_frac, abs=0.001),
        }


READINGS = {
    "e01": Reading(1.851, 104.2, 31.4, 22.0, 50.0, 0.52),
    "e02": Reading(-0.334, 431.0, 25.1, 5.0, 49.8, 0.31),
}


@pytest.fixture
def rig(node_rig):
    rig = node_rig(node_config(stages=tuple(READINGS)), speed=SPEED)
    for stage, reading in READINGS.items():
        rig.bus.set_reading(stage, reading)
    rig.start()
    return rig


def all_good(heard, *, but: tuple[str, ...] = ()) -> bool:
    names = [f"{stage}/{point}" for stage in READINGS for point in POINTS]
    return all(isinstance(heard.value(name), float) for name in names if name not in but)


def wait_good(rig):
    """The first frame in which every point is a number, after at least a flow window of scans."""
    rig.listener.wait_frames(8)
    return rig.listener.wait_value("e01/ph", lambda _: all_good(rig.listener.newest))


def test_frames_carry_the_sensors_values_in_wire_units(rig):
    wait_good(rig)
    heard = rig.listener.newest
    for stage, reading in READINGS.items():
        assert {point: heard.value(f"{stage}/{point}") for point in POINTS} == reading.wire()
    units = {name.partition("/")[2]: unit for name, unit, _, _ in heard.frame.scans[0][2]}
    assert units == {
        "ph": "pH",
        "cond": "S/m",
        "temp": "Cel",
        "flow_aq": "l/s",
        "flow_org": "l/s",
        "level": "/",
    }
    assert rig.bus.misuses() == []
    assert rig.listener.problems == []


def test_frames_are_chained_from_the_first_on_and_get_the_time(rig):
    rig.listener.wait_frames(10)
    frames = sorted(rig.listener.frames.values(), key=lambda heard: heard.frame.seq)
    assert [heard.frame.seq for heard in frames] == list(range(len(frames)))
    assert frames[0].frame.prev == ZERO_PREV
    for before, after in pairwise(frames):
        assert after.frame.prev == frame_hash(before.data)
    assert frames[0].frame.clock == "U"
    assert frames[0].frame.scans[0][0] is None
    timed = rig.listener.wait_value("e01/temp", lambda _: rig.listener.newest.frame.clock == "S")
    assert timed is not None


# what is done to one device, and what the frame then says of its point
FAULTS = [
    ("e01/ph", "no-answer", "F:absent"),
    ("e01/ph", "garbage", "F:garbled"),
    ("e01/ph", "never-ready", "F:not-ready"),
    ("e01/ph", "open", "S:limit"),
    ("e01/cond", "open", "F:open"),
    ("e01/cond", "short", "F:short"),
    ("e01/cond", "wrong-code", "F:refused"),
    ("e01/temp", "open", "F:open"),
    ("e01/temp", "short", "F:short"),
    ("e01/temp", "no-answer", "F:absent"),
    ("e01/level", "open-0", "F:"),
    ("e01/level", "short-0", "F:"),
    ("e01/level", "never-ready", "F:not-ready"),
]
# what rests on the same part
TOGETHER = {"e01/level": ("e01/level", "e02/level")}


def test_each_fault_shows_on_its_point_alone_and_ends(rig):
    wait_good(rig)
    for point, fault, quality in FAULTS:
        rig.bus.inject(point, fault)
        heard = rig.listener.wait_value(
            point, lambda value, q=quality: isinstance(value, str) and value.startswith(q)
        )
        assert all_good(heard, but=TOGETHER.get(point, (point,))), (point, fault)
        rig.bus.clear(point)
        rig.listener.wait_value(point, lambda value: isinstance(value, float))
    assert rig.node.running
    assert rig.node.errors() == []


def test_a_stuck_bus_takes_its_sensors_and_no_others(rig):
    wait_good(rig)
    rig.bus.stick(0)
    heard = rig.listener.wait_value("e01/ph", lambda value: value == "F:bus")
    for stage in READINGS:
        for point in ("temp", "flow_aq", "flow_org"):
            assert isinstance(heard.value(f"{stage}/{point}"), float)
    rig.bus.stick(0, stuck=False)
    wait_good(rig)


def test_a_multiplexer_that_is_gone_takes_what_is_behind_it(rig):
    wait_good(rig)
    mux = rig.bus.board.muxes[0][112]
    mux.inject("no-answer")
    heard = rig.listener.wait_value("e02/cond", lambda value: value == "F:absent")
    assert heard.value("e01/ph") == "F:absent"
    assert isinstance(heard.value("e01/level"), float)
    mux.clear()
    mux.power_cycle()
    wait_good(rig)


def test_power_cycled_parts_are_set_up_again(rig):
    wait_good(rig)
    with rig.bus.lock:
        for device in rig.bus.board.devices():
            if device.name.partition("/")[2] in ("ph", "cond", "temp") or "ads" in device.name:
                device.power_cycle()
    rig.listener.wait_frames(3)
    wait_good(rig)


def test_a_killed_node_goes_on_with_a_new_boot_and_the_same_key(rig):
    before = wait_good(rig).frame
    rig.node.kill()
    rig.start("watchdog")
    heard = rig.listener.wait_value("e01/temp", lambda value: isinstance(value, float))
    assert (heard.frame.key16, heard.frame.boot) == (before.key16, before.boot + 1)
    wait_good(rig)
    assert rig.listener.problems == []


def test_a_wiped_node_comes_with_a_new_key(rig):
    before = wait_good(rig).frame
    code = rig.node.enrol_code()
    rig.node.kill()
    rig.node.wipe()
    rig.start()
    heard = rig.listener.wait_value("e01/temp", lambda value: isinstance(value, float))
    assert heard.frame.key16 != before.key16
    assert (heard.frame.boot, rig.node.enrol_code() == code) == (1, False)
