"""The twin's outfall: neutralised raffinate, its upset, and a counter that sees a background."""

from __future__ import annotations

import json
import math
from dataclasses import astuple
from statistics import fmean, variance

import pytest

from raffinate_rig.twin import OUTFALL, PLANT_SCALE, REFERENCE, TICK_S, Plant
from raffinate_rig.twin.outfall import BACKGROUND_1_S, SET_PH, TANK_S


def after(plant, seconds):
    plant.step(seconds)
    return plant.reading(OUTFALL)


def test_the_outfall_starts_and_stays_neutral():
    plant = Plant(REFERENCE, 1)
    first = plant.reading(OUTFALL)
    for _ in range(20):
        found = after(plant, 30.0)
        assert found.ph == pytest.approx(SET_PH, abs=0.03)
        assert found.cond_ms_cm_t == pytest.approx(first.cond_ms_cm_t, rel=0.05)


def test_its_salt_is_the_raffinates_chloride():
    plant = Plant(REFERENCE, 1)
    plant.step(600.0)
    raffinate = plant.cascade.parts()["aqueous"][0, -1]
    chloride = float(3.0 * raffinate[:-3].sum() + raffinate[-3] + raffinate[-2])
    assert plant.outfall.salt_mol_l == pytest.approx(chloride, rel=1e-3)


def test_lost_neutralisation_brings_the_raffinates_acid_to_the_outfall():
    plant = Plant(REFERENCE, 1)
    plant.inject("discharge-acid")
    assert after(plant, 10.0).ph < 4.0
    assert after(plant, 5 * TANK_S).ph == pytest.approx(plant.reading("e01").ph, abs=0.1)
    plant.clear("discharge-acid")
    assert after(plant, 2 * TANK_S).ph == pytest.approx(SET_PH, abs=0.05)


def test_the_acid_of_an_upset_is_that_of_a_stirred_tank():
    plant = Plant(REFERENCE, 1)
    plant.inject("discharge-acid")
    raffinate = float(plant.cascade.parts()["aqueous"][0, -1, -3])
    plant.step(60.0)
    expected = raffinate * -math.expm1(-60.0 / TANK_S)
    assert plant.outfall.acid_mol_l == pytest.approx(expected, rel=0.01)


def test_half_the_base_lost_is_half_the_acid_at_the_outfall():
    plant = Plant(REFERENCE, 1)
    plant.inject("discharge-acid", severity=0.5)
    plant.step(10 * TANK_S)
    raffinate = float(plant.cascade.parts()["aqueous"][0, -1, -3])
    assert plant.outfall.acid_mol_l == pytest.approx(0.5 * raffinate, rel=0.02)


def test_a_stopped_battery_sends_nothing_to_the_outfall():
    plant = Plant(REFERENCE, 1)
    plant.stop("extraction")
    plant.inject("discharge-acid", at_s=5.0)
    salt = plant.outfall.salt_mol_l
    assert after(plant, 300.0).ph == pytest.approx(SET_PH, abs=0.03)
    assert plant.outfall.salt_mol_l == pytest.approx(salt, rel=1e-9)


def test_the_counter_is_poisson_around_the_background():
    plant = Plant(REFERENCE, 1)
    counts = []
    for _ in range(1500):
        plant.step(TICK_S)
        counts.append(plant.reading(OUTFALL).rad_1_s * TICK_S)
    expected = BACKGROUND_1_S * TICK_S
    assert all(count == int(count) for count in counts)
    assert fmean(counts) == pytest.approx(expected, abs=4 * (expected / len(counts)) ** 0.5)
    assert variance(counts) == pytest.approx(expected, rel=0.15)


def test_seeds_differ_and_one_seed_repeats():
    found = [after(Plant(REFERENCE, seed), 10.0) for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert all(a != b for a, b in zip(astuple(found[0])[:4], astuple(found[2])[:4], strict=True))


def test_time_divides_as_it_likes():
    whole, parts = Plant(REFERENCE, 3), Plant(REFERENCE, 3)
    for plant in (whole, parts):
        plant.inject("discharge-acid", at_s=7.0)
    whole.step(30.0)
    for step in (0.3, 6.9, 0.1, 12.7, 10.0):
        parts.step(step)
    assert parts.reading(OUTFALL) == whole.reading(OUTFALL)


def test_a_saved_outfall_goes_on_and_an_old_plant_gets_one():
    plant = Plant(REFERENCE, 1)
    plant.inject("discharge-acid")
    plant.step(20.0)
    state = json.loads(json.dumps(plant.save()))
    again = Plant(REFERENCE, 1, state)
    assert again.reading(OUTFALL) == plant.reading(OUTFALL)
    assert after(again, 33.0) == after(plant, 33.0)
    old = {name: value for name, value in state.items() if name != "outfall"}
    assert Plant(REFERENCE, 1, old).reading(OUTFALL).ph == pytest.approx(SET_PH, abs=0.03)


@pytest.mark.parametrize("spoilt", [None, {}, {"acid_mol_l": "x"}, "text"])
def test_a_damaged_outfall_is_told(spoilt):
    state = Plant(REFERENCE, 1).save()
    state["outfall"] = spoilt
    with pytest.raises(ValueError, match="outfall is damaged"):
        Plant(REFERENCE, 1, state)


def test_a_number_that_is_none_is_told():
    state = Plant(REFERENCE, 1).save()
    state["outfall"]["salt_mol_l"] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        Plant(REFERENCE, 1, state)


def test_a_plant_of_full_scale_has_an_outfall_too():
    plant = Plant(PLANT_SCALE, 1)
    plant.inject("discharge-acid", at_s=60.0)
    assert after(plant, 59.0).ph == pytest.approx(SET_PH, abs=0.03)
    assert after(plant, 60.0).ph < 4.0


def test_the_fault_strikes_the_plant_and_no_stage():
    with pytest.raises(ValueError, match="leave the stage out"):
        Plant(REFERENCE, 1).inject("discharge-acid", stage="e01")
