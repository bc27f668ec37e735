"""The demo's plant.toml fits its twin: usual bands hold, and no sensor is beyond its data sheet."""

from __future__ import annotations

import json

import pytest

from raffinate.config import KEY_NAMES, load_config, node_config
from raffinate.config.template import write_template
from raffinate_rig.devices import Ads1115, EzoEc, EzoPh
from raffinate_rig.twin import OUTFALL, REFERENCE, TICK_S, Plant
from raffinate_rig.wiring import wire

# Data sheets: EZO-EC with a cell of 1/cm in mS/cm, EZO-pH without its extended scale, NE 43 in mA.
EZO_EC_MS_CM = (0.005, 200.0)
EZO_PH = (0.001, 14.0)
LOOP_MA = (3.8, 20.5)
STEP_S = 5.0
WINDOW_S = 4.0  # of the firmware's pulse points


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    write_template(folder)
    return load_config(folder)


def events_1_s(plant):
    """What the outfall's counter says: a mean over the node's window."""
    rates = []
    for _ in range(round(WINDOW_S / TICK_S)):
        plant.step(TICK_S)
        rates.append(plant.reading(OUTFALL).rad_1_s)
    return sum(rates) / len(rates)


def wire_values(config, plant):
    """What a sound sensor of each point says, in wire units."""
    found = {"o01/rad": events_1_s(plant)}
    for stage in config.plant.stages:
        reading = plant.reading(stage)
        found[f"{stage}/ph"] = reading.ph
        factor = 1 + 0.0156 * (reading.temp_c - 25)
        found[f"{stage}/cond"] = reading.cond_ms_cm_t / 10 / factor
        if stage == OUTFALL:
            continue
        found[f"{stage}/temp"] = reading.temp_c
        found[f"{stage}/flow_aq"] = reading.flow_aq_l_h / 3600
        found[f"{stage}/flow_org"] = reading.flow_org_l_h / 3600
        found[f"{stage}/level"] = reading.level_frac
    return found


def outside(config, plant):
    """Points whose value is not in its normal band."""
    values = wire_values(config, plant)
    bands = {name: point.normal for name, point in config.plant.points.items()}
    assert set(values) == set(bands)
    return {name for name, (low, high) in bands.items() if not low <= values[name] <= high}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_normal_running_every_point_is_in_its_band(config, seed):
    plant = Plant(REFERENCE, seed)
    for _ in range(60):
        plant.step(STEP_S)
        assert outside(config, plant) == set()


def test_a_loss_of_saponification_shows_in_ph_and_conductivity(config):
    plant = Plant(REFERENCE, 1)
    plant.inject("sap-loss")
    plant.step(120.0)
    shown = {"e01/ph", "e02/ph", "e03/ph", "e01/cond", "e02/cond"}
    for _ in range(24):
        found = outside(config, plant)
        assert shown <= found
        assert not any(name.startswith("t0") for name in found)
        plant.step(STEP_S)


def test_acid_at_the_outfall_shows_in_its_ph_alone(config):
    plant = Plant(REFERENCE, 1)
    plant.inject("discharge-acid")
    plant.step(10.0)
    for _ in range(12):
        assert outside(config, plant) == {"o01/ph"}
        plant.step(STEP_S)
    plant.clear("discharge-acid")
    plant.step(120.0)
    assert outside(config, plant) == set()


@pytest.mark.parametrize("fault", [None, "sap-loss", "scrub-acid-loss", "discharge-acid"])
def test_no_sensor_of_the_demo_is_beyond_its_data_sheet(config, fault):
    plant = Plant(REFERENCE, 1)
    if fault is not None:
        plant.inject(fault)
    keys = dict.fromkeys(KEY_NAMES, "a2V5")
    nodes = [node_config(config, name, "demo.invalid/x", keys) for name in config.plant.nodes]
    boards = [wire(json.loads(json.dumps(node)), lambda: 0.0) for node in nodes]
    kinds = set()
    for _ in range(30):
        plant.step(2 * STEP_S)
        for board in boards:
            for stage, setters in board.setters.items():
                for setter in setters:
                    setter(plant.reading(stage))
            for name, device in board.points.items():
                kinds.add((name[0], type(device).__name__))
                if isinstance(device, EzoEc):
                    assert EZO_EC_MS_CM[0] < device.cond_ms_cm < EZO_EC_MS_CM[1], name
                elif isinstance(device, EzoPh):
                    assert EZO_PH[0] < device.ph < EZO_PH[1], name
                elif isinstance(device, Ads1115):
                    used = [current for current in device.loop_ma if current]
                    assert all(LOOP_MA[0] < current < LOOP_MA[1] for current in used), name
    assert {("e", "EzoPh"), ("e", "EzoEc"), ("t", "Ads1115")} <= kinds
    assert ("t", "EzoPh") not in kinds
