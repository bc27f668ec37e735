"""The plant's readings reach the sensors, and batteries start through their permissive contacts."""

from __future__ import annotations

import pytest

from raffinate_rig.actions import Action
from raffinate_rig.bus import Bus, BusClient
from raffinate_rig.bus_codec import I2cRead, I2cWrite, InputRead, OutputWrite
from raffinate_rig.plant_runner import PlantRunner, PlantStateError, load_plant_state
from raffinate_rig.twin import REFERENCE, Plant
from rig_configs import node_config

RUN, START, PERMISSIVE = 100, 101, 103
BATTERIES = {"bat-ext": "extraction"}


class Clock:
    def __init__(self) -> None:
        self.ms = 0.0

    def __call__(self) -> float:
        return self.ms


class Rig:
    """A plant, one bus and the node's end of it, moved by hand."""

    def __init__(self, plant: Plant, state=None) -> None:
        self.clock = Clock()
        self.bus = Bus(node_config(equipment_ids=("bat-ext",)), now_ms=self.clock)
        self.runner = PlantRunner(plant, {"n01": self.bus}, batteries=BATTERIES, state=state)
        self.node = BusClient(self.bus.address)
        self.tick(1)

    def tick(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.ms += 1000
            self.runner.tick(1.0)

    def lines(self) -> tuple[int, int]:
        """Levels of the run and the start input, as the node reads them."""
        return tuple(self.node.call(InputRead(pin))[0] for pin in (RUN, START))

    def permit(self, level: int) -> None:
        self.node.call(OutputWrite(PERMISSIVE, level))

    def texts(self) -> list[str]:
        return [event.text for event in self.runner.take_events()]

    def close(self) -> None:
        self.node.close()
        self.bus.close()


@pytest.fixture
def plant():
    return Plant(REFERENCE, 7)


@pytest.fixture
def rig(plant):
    rig = Rig(plant)
    yield rig
    rig.close()


def command(rig: Rig, address: int, text: bytes) -> str:
    rig.node.call(I2cWrite(0, 112, b"\x02"))
    rig.node.call(I2cWrite(0, address, text))
    rig.clock.ms += 900
    return rig.node.call(I2cRead(0, address, 40))[1:].split(b"\x00")[0].decode()


def test_sensors_show_the_twins_values(rig, plant):
    reading = plant.reading("e02")
    value = float(command(rig, 99, f"RT,{reading.ph_temp_c:.3f}".encode()))
    assert value == pytest.approx(reading.ph, abs=6e-4)
    us_cm = float(command(rig, 100, b"RT,25"))
    assert us_cm == pytest.approx(1000 * reading.cond_ms_cm_t, rel=1e-3)


def test_the_chip_knows_the_electrodes_calibration(rig, plant):
    electrode = plant.electrode("e02")
    low, high, offset = command(rig, 99, b"Slope,?").split(",")[1:]
    assert (low, high) == (f"{electrode.slope_pct:.1f}",) * 2
    assert float(offset) == pytest.approx(electrode.offset_mv, abs=0.006)


def test_a_stopped_battery_starts_only_through_its_permissive_contact(rig):
    assert rig.lines() == (1, 0)
    rig.runner.do(Action(0.0, "stop", "extraction"))
    rig.tick(1)
    assert rig.lines() == (0, 0)
    rig.runner.do(Action(0.0, "start", "extraction"))
    rig.tick(1)
    assert rig.lines() == (0, 1)
    rig.tick(10)
    assert rig.lines() == (0, 0)
    assert rig.texts()[-1] == "extraction: start refused by the permissive contact"
    rig.permit(1)
    rig.tick(2)
    assert rig.lines() == (0, 0)
    rig.runner.do(Action(0.0, "start", "extraction"))
    rig.tick(1)
    assert rig.lines() == (1, 1)
    rig.tick(10)
    assert rig.lines() == (1, 0)
    assert "extraction started" in rig.texts()


def test_the_open_permissive_never_stops_a_running_battery(rig):
    rig.permit(1)
    rig.tick(2)
    rig.permit(0)
    rig.tick(30)
    assert rig.lines() == (1, 0)
    rig.node.close()
    rig.tick(30)
    assert rig.runner.plant.batteries()["extraction"].running


def test_a_permit_that_comes_while_the_button_is_held_starts_the_battery(rig):
    rig.runner.do(Action(0.0, "stop", "extraction"))
    rig.runner.do(Action(0.0, "start", "extraction"))
    rig.tick(2)
    assert rig.lines() == (0, 1)
    rig.permit(1)
    rig.tick(1)
    assert rig.lines() == (1, 1)


def test_a_bridged_contact_starts_without_leave(rig):
    for kind in ("stop", "bridge", "start"):
        rig.runner.do(Action(0.0, kind, "extraction"))
    rig.tick(1)
    assert rig.lines() == (1, 1)
    assert rig.texts()[-1] == "extraction started over the bridged contact"


def test_an_operator_who_waits_for_the_lamp_starts_when_it_is_lit(rig):
    rig.runner.do(Action(0.0, "stop", "extraction"))
    rig.runner.do(Action(0.0, "start-when-permitted", "extraction"))
    rig.tick(20)
    assert rig.lines() == (0, 0)
    rig.permit(1)
    rig.tick(1)
    assert rig.lines() == (1, 1)


def test_actions_happen_at_their_time(rig, plant):
    rig.runner.do(Action(10.0, "fault", "sap-loss"))
    rig.tick(8)
    assert plant.injections() == []
    rig.tick(1)
    assert [entry.fault for entry in plant.injections()] == ["sap-loss"]
    rig.runner.do(Action(0.0, "clear", "sap-loss"))
    rig.tick(1)
    assert plant.injections() == []
    assert rig.texts() == ["fault sap-loss begins", "fault sap-loss ends"]


def test_plant_and_batteries_come_back_after_a_save(plant, tmp_path):
    state = tmp_path / "plant.json"
    rig = Rig(plant, state)
    rig.runner.do(Action(0.0, "stop", "extraction"))
    rig.tick(3)
    rig.runner.start()
    rig.runner.close()
    rig.close()
    again = Plant(REFERENCE, 7, load_plant_state(state))
    assert not again.batteries()["extraction"].running
    assert again.batteries()["scrub"].running
    assert again.time_s == plant.time_s
    assert again.reading("s06") == plant.reading("s06")
    assert list(tmp_path.iterdir()) == [state]


def test_a_damaged_state_is_named(tmp_path):
    state = tmp_path / "plant.json"
    assert load_plant_state(state) is None
    for content in ("{", '{"v":1}', "[]"):
        state.write_text(content)
        with pytest.raises(PlantStateError, match="is damaged: remove it"):
            load_plant_state(state)
    state.write_text('{"v":9}')
    with pytest.raises(PlantStateError, match="of version 9"):
        load_plant_state(state)


def test_equipment_that_no_node_has_is_named(plant):
    with (
        Bus(node_config(), now_ms=Clock()) as bus,
        pytest.raises(ValueError, match=r"no node.json has the equipment of extraction"),
    ):
        PlantRunner(plant, {"n01": bus}, batteries=BATTERIES)
