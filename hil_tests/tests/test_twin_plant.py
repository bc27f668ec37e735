"""The plant as a rig drives it: time, reproducibility, batteries, save and restore."""

import json
import math
import random
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raffinate_rig.twin import FAULTS, PLANT_SCALE, REFERENCE, SECTIONS, Plant

STAGES = list(REFERENCE.stage_ids)


def readings(plant):
    return [plant.reading(stage) for stage in STAGES]


def disturbed(seed=3):
    plant = Plant(REFERENCE, seed)
    plant.inject("sap-loss", at_s=20.0)
    plant.inject("phase-inversion", at_s=10.0)
    plant.inject("flow-air", at_s=5.0, stage="s02")
    plant.inject("stuck-value", at_s=12.0, stage="t01")
    return plant


def test_stages_stand_in_flow_order():
    plant = Plant(REFERENCE, 1)
    assert plant.stage_ids() == [
        *(f"e{number:02d}" for number in range(1, 7)),
        *(f"s{number:02d}" for number in range(1, 7)),
        *(f"t{number:02d}" for number in range(1, 5)),
    ]
    with pytest.raises(KeyError, match="e07"):
        plant.reading("e07")


def test_a_plant_starts_at_rest():
    plant = Plant(REFERENCE, 1)
    first = plant.sensors.true_ph()
    plant.step(300.0)
    assert plant.sensors.true_ph() == pytest.approx(first, abs=1e-6)


def test_readings_move():
    plant = Plant(REFERENCE, 1)
    before = readings(plant)
    plant.step(1.0)
    after = readings(plant)
    for old, new in zip(before, after, strict=True):
        assert all(a != b for a, b in zip(astuple(old), astuple(new), strict=True))


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(0.0, 7.0), max_size=12), st.integers(0, 2**63 - 1))
def test_readings_do_not_depend_on_how_time_is_divided(steps, seed):
    whole, divided = Plant(REFERENCE, seed), Plant(REFERENCE, seed)
    for each in (whole, divided):
        each.inject("sap-loss", at_s=8.0)
        each.inject("phase-inversion", at_s=3.0)
    for dt_s in steps:
        divided.step(dt_s)
        readings(divided)  # looking changes nothing
    whole.step(divided.time_s)
    assert readings(whole) == readings(divided)


def test_ten_tenths_are_one_second():
    tenths, seconds = Plant(REFERENCE, 1), Plant(REFERENCE, 1)
    for _ in range(600):
        tenths.step(0.1)
    seconds.step(60.0)
    assert readings(tenths) == readings(seconds)


def test_seeds_differ_and_repeat():
    plants = [disturbed(4), disturbed(4), disturbed(5)]
    for plant in plants:
        plant.step(60.0)
    assert readings(plants[0]) == readings(plants[1])
    assert readings(plants[0]) != readings(plants[2])


@pytest.mark.parametrize("at_s", [0.0, 11.3, 40.0])
def test_a_restored_plant_goes_on_identically(at_s):
    plant = disturbed()
    plant.step(at_s)
    plant.stop("strip")
    plant.request_start("strip", permitted=False)
    restored = Plant(REFERENCE, 3, json.loads(json.dumps(plant.save())))
    assert restored.time_s == plant.time_s
    assert restored.batteries() == plant.batteries()
    assert restored.injections() == plant.injections()
    for _ in range(60):
        assert readings(restored) == readings(plant)
        assert restored.flows_l_h() == plant.flows_l_h()
        plant.step(0.7)
        restored.step(0.7)


@pytest.mark.parametrize(
    ("design", "seed", "named"),
    [
        (PLANT_SCALE, 3, "design"),
        (replace(REFERENCE, scrub_l_h=2.1), 3, "design"),
        (REFERENCE, 4, "seed"),
    ],
)
def test_a_state_of_another_plant_is_refused(design, seed, named):
    state = Plant(REFERENCE, 3).save()
    with pytest.raises(ValueError, match=named):
        Plant(design, seed, state)


def test_a_damaged_state_is_refused():
    for damage in ("vector", "sensors", "running", "tick"):
        state = Plant(REFERENCE, 3).save()
        state[damage] = None
        with pytest.raises(ValueError, match="start it anew"):
            Plant(REFERENCE, 3, state)
    state = Plant(REFERENCE, 3).save()
    state["vector"] = state["vector"][:-1]
    with pytest.raises(ValueError, match="start it anew"):
        Plant(REFERENCE, 3, state)


@pytest.mark.parametrize("dt_s", [-1.0, math.nan, math.inf])
def test_a_step_that_is_no_time_is_refused(dt_s):
    with pytest.raises(ValueError, match="step"):
        Plant(REFERENCE, 1).step(dt_s)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        Plant(REFERENCE, seed)


@pytest.mark.parametrize(
    ("section", "letter"), [("extraction", "e"), ("scrub", "s"), ("strip", "t")]
)
def test_a_stopped_battery_has_no_flow_and_starts_again(section, letter):
    plant = Plant(REFERENCE, 1)
    base = plant.sensors.true_ph()
    plant.stop(section)
    plant.step(60.0)
    for stage in STAGES:
        reading = plant.reading(stage)
        if stage.startswith(letter):
            assert (reading.flow_aq_l_h, reading.flow_org_l_h) == (0.0, 0.0)
    assert not plant.batteries()[section].running
    running = [name for name, battery in plant.batteries().items() if battery.running]
    assert sorted([*running, section]) == sorted(SECTIONS)
    assert plant.request_start(section, permitted=True)
    back = pytest.approx(base, abs=0.02)
    plant.step(120.0)
    while plant.sensors.true_ph() != back:
        assert plant.time_s < 7200.0
        plant.step(60.0)
    assert all(plant.reading(stage).flow_aq_l_h > 0 for stage in STAGES)


def test_an_open_permissive_refuses_a_start_and_a_bridge_does_not():
    plant = Plant(REFERENCE, 1)
    plant.stop("strip")
    assert not plant.request_start("strip", permitted=False)
    assert plant.batteries()["strip"].start_requested
    assert not plant.batteries()["strip"].running
    assert plant.request_start("strip", permitted=False, bridged=True)
    assert plant.batteries()["strip"].running
    assert not plant.batteries()["strip"].start_requested
    plant.stop("strip")
    assert not plant.batteries()["strip"].start_requested
    with pytest.raises(KeyError, match="wash"):
        plant.stop("wash")


def test_an_open_contact_does_not_stop_what_runs():
    plant = Plant(REFERENCE, 1)
    assert plant.request_start("scrub", permitted=False)
    assert plant.batteries()["scrub"].running


def test_chloride_stays_in_a_stage_that_stands_still():
    plant = Plant(REFERENCE, 1)
    cascade = plant.cascade

    def chloride():
        phases = cascade.phases
        sums = phases.hydrogen + phases.counter_ion + 3.0 * phases.aqueous_re.sum(axis=1)
        return sums[6:12]

    before = chloride()
    plant.inject("scrub-acid-loss")
    plant.step(1200.0)
    before_last = chloride()
    plant.step(600.0)
    after = chloride()
    assert before == pytest.approx(3.0, rel=1e-6)
    assert after == pytest.approx(before_last, rel=0.01)


def test_totals_of_a_disturbed_plant_change_by_what_flows():
    """Nd held in mixers and settlers changes by feed less raffinate, strip liquor and organic."""
    plant = Plant(replace(REFERENCE, efficiency=0.9), 1)
    cascade = plant.cascade
    plant.inject("sap-loss")

    def held():
        parts = cascade.parts()
        tank_aq = cascade.design_aqueous_l_s * plant.design.settler_s / 4.0
        tank_org = cascade.design_organic_l_s * plant.design.settler_s / 4.0
        return float(
            parts["mixers"][:, 1].sum()
            + (tank_aq[:, None] * parts["aqueous"][:, :, 1]).sum()
            + (tank_org[:, None] * parts["organic"][:, :, 1]).sum()
            + parts["loaded"][1] * parts["loaded_l"][0]
        )

    def net():
        parts, flows = cascade.parts(), cascade.flows
        fed = plant.design.feed_re_mol_l["Nd"] * plant.design.feed_l_h / 3600.0
        out = flows.aqueous_out[0] * parts["aqueous"][0, -1, 1]
        out += flows.aqueous_out[12] * parts["aqueous"][12, -1, 1]
        out += flows.organic_out[-1] * parts["organic"][-1, -1, 1]
        return float(fed - out)

    start, passed = held(), 0.0
    for _ in range(1200):
        first = net()
        plant.step(0.5)
        passed += 0.25 * (first + net())
    fed = plant.design.feed_re_mol_l["Nd"] * plant.design.feed_l_h / 3600.0 * 600.0
    assert abs(held() - start - passed) < 1e-3 * fed


def test_whatever_is_done_to_a_plant_it_goes_on():
    chance = random.Random(17)
    plant = Plant(REFERENCE, 17)
    for _ in range(40):
        deed = chance.randrange(5)
        fault, section = chance.choice(sorted(FAULTS)), chance.choice(SECTIONS)
        if deed == 0:
            plant.stop(section)
        elif deed == 1:
            plant.request_start(section, permitted=True)
        elif deed == 2:
            plant.inject(fault, severity=chance.uniform(0.2, 1.0))
        elif deed == 3:
            plant.clear(fault)
        plant.step(chance.choice([5.0, 30.0, 200.0]))
        values = np.array([astuple(reading) for reading in readings(plant)])
        assert np.isfinite(values).all()
        assert (values[:, 3] >= 0).all()
        assert (values[:, 5:] >= 0).all()
        assert (values[:, 7] <= 1).all()
