"""Each driver against the rig's register-level device, which notes every misuse of its part."""

import pytest

from node_world import Node, World, node_json, run, stage_json
from raffinate_node.drivers import NOTHING
from raffinate_node.drivers.digital import Contact, EquipmentLines
from raffinate_node.drivers.ezo import decimal
from raffinate_node.drivers.pulse import PulseFlow
from raffinate_node.drivers.tca9548a import Bus, Target
from raffinate_node.quality import Fault

SETTLED = 4


@pytest.fixture
def node():
    node = Node(node_json())
    node.scan(SETTLED)
    yield node
    assert node.world.misuses() == []


def device(node, point):
    return node.world.board.points[point]


def test_every_sensor_gives_its_wire_unit(node):
    values = node.scan(8)
    assert values["e01/ph"] == pytest.approx(1.85, abs=2e-3)
    # 10.4 S/m at 30 degrees with 1.56 %/K
    assert values["e01/cond"] == pytest.approx(10.4 / 1.078, rel=1e-3)
    assert values["e01/temp"] == pytest.approx(30.0, abs=0.05)
    assert values["e01/flow_aq"] == pytest.approx(20 / 3600, rel=0.02)
    assert values["e02/flow_org"] == pytest.approx(50 / 3600, rel=0.02)
    assert values["e02/level"] == pytest.approx(0.45, abs=1e-3)
    units = {name: unit for name, unit, _, _ in node.frames[-1].scans[-1][2]}
    assert units["e01/ph"] == "pH"
    assert units["e01/cond"] == "S/m"
    assert units["e01/flow_aq"] == "l/s"
    assert units["e01/temp"] == "Cel"
    assert units["e01/level"] == "/"


@pytest.mark.parametrize(
    ("point", "fault", "state"),
    [
        ("e01/ph", "no-answer", "F:absent"),
        ("e01/ph", "bus-stuck", "F:bus"),
        ("e01/ph", "wrong-code", "F:refused"),
        ("e01/ph", "garbage", "F:garbled"),
        ("e01/ph", "never-ready", "F:not-ready"),
        ("e01/cond", "open", "F:open"),
        ("e01/cond", "short", "F:short"),
        ("e01/cond", "garbage", "F:garbled"),
        ("e01/temp", "open", "F:open"),
        ("e01/temp", "short", "F:short"),
        ("e01/temp", "no-answer", "F:absent"),
        ("e01/temp", "stuck-low", "F:absent"),
        ("e01/level", "no-answer", "F:absent"),
        ("e01/level", "never-ready", "F:not-ready"),
        ("e01/level", "bus-stuck", "F:bus"),
    ],
)
def test_a_fault_is_that_point_s_alone_and_passes(node, point, fault, state):
    good = node.values()
    device(node, point).inject(fault)
    first, second = node.scan(), node.scan()
    assert {first.get(point), second.get(point)} >= {state}
    assert second[point] == state
    faulty = {name for name, value in second.items() if isinstance(value, str)}
    assert faulty <= {point} | ({"e02/level"} if "level" in point else set())
    device(node, point).clear()
    node.scan(4)
    assert node.values()[point] == pytest.approx(good[point], rel=0.05)


def test_ezo_s_own_compensation_is_used_for_ph_alone(node):
    node.world.see("e01", temp_c=40.0, ph_temp_c=40.0)
    node.scan(2)
    assert device(node, "e01/ph").compensation_c == pytest.approx(40.0, abs=0.05)
    assert device(node, "e01/cond").compensation_c == 25.0
    assert node.values()["e01/ph"] == pytest.approx(1.85, abs=2e-3)
    assert node.values()["e01/cond"] == pytest.approx(10.4 / (1 + 0.0156 * 15), rel=1e-3)


def test_without_temperature_the_last_good_one_serves_for_a_minute_then_s(node):
    device(node, "e01/temp").inject("open")
    values = node.scan(30)
    assert values["e01/temp"] == "F:open"
    assert values["e01/ph"] == pytest.approx(1.85, abs=2e-3)
    values = node.scan(40)
    assert values["e01/ph"] == "S:no-temp"
    assert values["e01/cond"] == "S:no-temp"
    assert isinstance(values["e02/ph"], float)


def test_a_stage_without_thermometer_is_not_compensated_and_says_so():
    content = node_json(1)
    del content["stages"][0]["points"][0]["temp"]
    content["stages"][0]["points"][1]["temp"] = 30
    values = Node(content).scan(SETTLED)
    assert values["e01/ph"] == "S:no-temp"
    assert values["e01/cond"] == pytest.approx(10.4 / 1.078, rel=1e-3)


@pytest.mark.parametrize(
    ("slope_pct", "offset_mv", "state"), [(84.0, 0.0, "M:slope"), (97.0, -31.0, "M:offset")]
)
def test_a_worn_electrode_needs_maintenance_from_the_next_hourly_check_on(
    node, slope_pct, offset_mv, state
):
    ph = device(node, "e01/ph")
    ph.probe_slope_pct, ph.probe_offset_mv = slope_pct, offset_mv
    ph._mid = (offset_mv, 7.0)
    ph._slopes_pct = {"low": slope_pct, "high": slope_pct}
    assert isinstance(node.scan()["e01/ph"], float)
    node.world.now += 3_600_000
    assert "e01/ph" not in node.scan()
    assert node.scan()["e01/ph"] == state
    assert isinstance(node.values()["e02/ph"], float)


def test_ph_beyond_the_chip_s_scale_is_no_number():
    node = Node(node_json(1))
    node.world.see("e01", ph=-1.55)
    assert node.scan(SETTLED)["e01/ph"] == pytest.approx(-1.55, abs=2e-3)
    node.world.see("e01", ph=-1.9)
    assert node.scan(2)["e01/ph"] == "S:limit"


def test_ezo_after_a_power_cut_is_set_up_again(node):
    cond = device(node, "e01/cond")
    cond._outputs = {"EC", "TDS", "SG"}
    cond.inject("no-answer")
    node.scan()
    cond.power_cycle()
    cond.clear()
    node.scan(4)
    assert node.values()["e01/cond"] == pytest.approx(10.4 / 1.078, rel=1e-3)
    assert cond._outputs == {"EC"}


def test_a_cell_constant_that_is_configured_is_given_to_the_chip():
    content = node_json(1)
    content["stages"][0]["points"][1]["k_per_cm"] = 0.5
    node = Node(content)
    assert node.scan(6)["e01/cond"] == pytest.approx(10.4 / 1.078, rel=1e-3)
    assert device(node, "e01/cond")._k_per_cm == 0.5


def test_max31865_after_a_power_cut_says_so_once(node):
    device(node, "e01/temp").power_cycle()
    assert node.scan()["e01/temp"] == "F:restarted"
    assert node.scan()["e01/temp"] == pytest.approx(30.0, abs=0.05)


@pytest.mark.parametrize(("current_ma", "band"), [(3.0, "low"), (22.0, "high")])
def test_a_loop_s_failure_counts_after_three_seconds(node, current_ma, band):
    device(node, "e01/level").loop_ma[0] = current_ma
    assert [node.scan()["e01/level"] for _ in range(5)] == [f"S:{band}"] * 3 + [f"F:{band}"] * 2
    device(node, "e01/level").loop_ma[0] = 12.0
    assert node.scan()["e01/level"] == pytest.approx(0.5, abs=1e-3)


def test_a_loop_between_the_bands_is_out_of_specification(node):
    device(node, "e01/level").loop_ma[0] = 3.7
    assert node.scan(9)["e01/level"] == "S:low"


def test_an_ads1115_that_restarts_in_a_conversion_gives_no_zero(node):
    level = device(node, "e01/level")
    was = level.read

    reads = []

    def read(count):
        reads.append(count)
        if len(reads) == 2:
            level.power_cycle()
        return was(count)

    level.read = read
    assert node.scan()["e01/level"] == "F:restarted"
    assert len(reads) > 2
    assert isinstance(node.scan()["e01/level"], float)


def test_a_board_that_restarts_starts_its_flow_anew(node):
    device(node, "e01/flow_aq").power_cycle()
    assert node.scan()["e01/flow_aq"] == "F:restarted"
    assert node.scan(3)["e01/flow_aq"] == pytest.approx(20 / 3600, rel=0.05)


def test_a_small_flow_is_averaged_for_longer():
    node = Node(node_json(1))
    node.world.see("e01", flow_aq_l_h=2.0, flow_org_l_h=0.0)
    node.scan(20)
    # 4.4 pulses a second: a window of four seconds would jump by six percent
    for _ in range(20):
        assert node.scan()["e01/flow_aq"] == pytest.approx(2 / 3600, rel=0.025)
    assert node.values()["e01/flow_org"] == 0


class Totals:
    def __init__(self):
        self.total = 0
        self.now = 0

    def value(self):
        if self.total is None:
            raise OSError(5)
        return self.total


def test_flow_over_its_window():
    source = Totals()
    flow = PulseFlow(source, lambda: source.now, 1000.0, 4000)
    assert flow.collect() is NOTHING
    for _ in range(10):
        source.now += 1000
        source.total += 100
        assert flow.collect() == pytest.approx(0.1)
    source.total, total = None, source.total
    source.now += 1000
    with pytest.raises(OSError, match="5"):
        flow.collect()
    assert flow.total is None
    source.total, source.now = total + 200, source.now + 1000
    assert flow.collect() == pytest.approx(0.1)
    assert flow.total == total + 200


def test_two_multiplexers_never_join_two_sensors_of_one_address():
    content = node_json(10)
    content["stages"] = [stage_json(0), stage_json(8)]
    node = Node(content)
    node.world.see("e01", ph=1.2)
    node.world.see("e09", ph=3.4)
    values = node.scan(SETTLED)
    assert values["e01/ph"] == pytest.approx(1.2, abs=2e-3)
    assert values["e09/ph"] == pytest.approx(3.4, abs=2e-3)
    mux = node.world.board.muxes[0][112]
    mux.inject("no-answer")
    values = node.scan(2)
    assert values["e01/ph"] == "F:absent"
    assert values["e09/ph"] == pytest.approx(3.4, abs=2e-3)
    # a multiplexer that fails otherwise may still join its sensor: its neighbour is not trusted
    mux.clear()
    mux.inject("bus-stuck")
    values = node.scan(2)
    assert values["e01/ph"] == "F:bus"
    assert values["e09/ph"] == "F:bus"
    mux.clear()
    assert node.scan(4)["e09/ph"] == pytest.approx(3.4, abs=2e-3)
    assert node.world.misuses() == []


def test_a_multiplexer_left_joined_by_a_node_that_died_is_parted_first():
    content = node_json(10)
    content["stages"] = [stage_json(0), stage_json(8)]
    world = World(content)
    muxes = world.board.muxes[0]
    muxes[112].write(b"\x01")
    muxes[113].write(b"\x01")
    bus = Bus(world.i2c(0), (112, 113))
    Target(bus, 99, (113, 0)).write(b"R")
    assert (muxes[112]._control, muxes[113]._control) == (0, 1)


def test_a_held_bus_costs_a_scan_two_timeouts_and_is_freed_for_the_next(node):
    node.world.board.stuck_buses.add(0)
    before = node.world.transactions
    values = node.scan(2)
    assert {values[name] for name in ("e01/ph", "e01/cond", "e01/level", "e02/ph")} == {"F:bus"}
    assert isinstance(values["e01/temp"], float)
    assert isinstance(values["e01/flow_aq"], float)
    # 2 on the bus, 2 by SPI, 4 counters, a scan
    assert node.world.transactions - before <= 2 * (2 + 2 + 4)
    assert node.world.recoveries >= 1
    node.world.board.stuck_buses.clear()
    assert isinstance(node.scan(4)["e02/ph"], float)


@pytest.mark.parametrize("text", ["", "-", "nan", "1e5", "1.", ".5", "+1", " 1", "1,2", "1" * 13])
def test_ezo_numbers_are_read_strictly(text):
    with pytest.raises(Fault, match="F:garbled"):
        decimal(text)


def test_ezo_numbers():
    assert (decimal("-1.25"), decimal("0"), decimal("100000")) == (-1.25, 0.0, 100000.0)


class Lines:
    def __init__(self, level):
        self.level = level

    def value(self):
        if self.level is None:
            raise OSError(5)
        return self.level


def test_contacts():
    assert Contact(Lines(1)).collect() == 1
    assert Contact(Lines(1), invert=True).collect() == 0
    lines = EquipmentLines(Lines(1), Lines(None), None)
    assert lines.read() == [1, None, 0]


def test_a_contact_as_a_point():
    content = node_json(1)
    content["stages"][0]["points"].append({"name": "run", "driver": "digital", "pin": 60})
    node = Node(content)
    assert node.scan()["e01/run"] == 1
    node.world.see("e01", running=0)
    assert node.scan()["e01/run"] == 0


def test_scans_run_without_waiting_for_real_time():
    assert run(Node(node_json(1)).sampler.scan()) is None
