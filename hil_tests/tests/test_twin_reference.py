"""The reference cascade at rest against an independent model: pH, conductivity, Nd."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from raffinate_rig.twin import PLANT_SCALE, REFERENCE, Design
from raffinate_rig.twin.cascade import Cascade
from raffinate_rig.twin.conductivity import conductivity_ms_cm
from raffinate_rig.twin.operation import Operation

IDEAL = replace(REFERENCE, efficiency=1.0)
NORMAL = Operation.normal(IDEAL)
PH_CELLS = {"1": (0, 1), "2-5": (1, 5), "6": (5, 6), "7-11": (6, 11), "12": (11, 12)}
COND_CELLS = {"2-5": (1, 5), "7-11": (6, 11)}


@dataclass(frozen=True)
class Case:
    """One row of the table: a cell is the lowest and highest of its stages."""

    changes: dict
    ph: tuple
    cond: tuple
    recovery: float
    purity: float


CASES = {
    "base": Case(
        {},
        ((1.85, 1.85), (1.73, 1.77), (1.63, 1.63), (1.44, 1.57), (1.00, 1.00)),
        ((96, 97), (130, 130)),
        1.000,
        0.980,
    ),
    "saponification 30 %": Case(
        {"saponified_mol_l": 0.30},
        ((1.49, 1.49), (1.25, 1.29), (1.31, 1.31), (1.11, 1.14), (0.84, 0.84)),
        ((101, 101), (135, 135)),
        0.805,
        1.000,
    ),
    "organic -10 %": Case(
        {"organic_l_s": 0.9 * NORMAL.organic_l_s},
        ((1.71, 1.71), (1.43, 1.48), (1.48, 1.48), (1.28, 1.32), (0.93, 0.93)),
        ((98, 99), (132, 132)),
        0.880,
        1.000,
    ),
    "feed +10 %": Case(
        {"feed_l_s": 1.1 * NORMAL.feed_l_s},
        ((1.76, 1.76), (1.43, 1.52), (1.48, 1.48), (1.28, 1.32), (0.96, 0.96)),
        ((98, 99), (132, 132)),
        0.936,
        1.000,
    ),
    "scrub -20 %": Case(
        {"scrub_l_s": 0.8 * NORMAL.scrub_l_s},
        ((1.85, 1.85), (1.73, 1.77), (1.64, 1.64), (1.54, 1.57), (1.17, 1.17)),
        ((96, 96), (130, 130)),
        1.000,
        0.893,
    ),
    "scrub lost": Case(
        {"scrub_l_s": 0.0},
        ((1.88, 1.88), (1.74, 1.78), (1.65, 1.65), (1.58, 1.58), (1.57, 1.57)),
        ((93, 93), (129, 129)),
        1.000,
        0.661,
    ),
}


@pytest.fixture(scope="module", params=CASES)
def settled(request):
    case = CASES[request.param]
    cascade = Cascade(IDEAL)
    cascade.settle(NORMAL)
    operation = replace(NORMAL, **case.changes)
    cascade.settle(operation, onward=True)
    return case, cascade, operation


def ends(values, cell):
    part = values[slice(*cell)]
    return part.min(), part.max()


def test_ph_of_every_cell_within_0_05(settled):
    case, cascade, _ = settled
    ph = -np.log10(cascade.phases.hydrogen)
    for (name, cell), expected in zip(PH_CELLS.items(), case.ph, strict=True):
        assert ends(ph, cell) == pytest.approx(expected, abs=0.05), name


def test_conductivity_of_every_cell_within_3_percent(settled):
    case, cascade, _ = settled
    phases = cascade.phases
    cond = conductivity_ms_cm(
        IDEAL.elements, phases.aqueous_re, phases.hydrogen, phases.counter_ion
    )
    for (name, cell), expected in zip(COND_CELLS.items(), case.cond, strict=True):
        assert ends(cond, cell) == pytest.approx(expected, rel=0.03), name


def test_neodymium_recovery_and_purity(settled):
    case, cascade, operation = settled
    loaded = cascade.phases.organic_re[cascade.last_scrub]
    fed = IDEAL.feed_re_mol_l["Nd"] * operation.feed_l_s
    assert loaded[1] * operation.organic_l_s / fed == pytest.approx(case.recovery, abs=0.005)
    assert loaded[1] / loaded.sum() == pytest.approx(case.purity, abs=0.005)


def test_metal_balance_of_the_whole_plant_closes(settled):
    _, cascade, operation = settled
    aqueous, flows = cascade.phases.aqueous_re, cascade.flows
    out = flows.aqueous_out[0] * aqueous[0]
    first_strip = cascade.last_scrub + 1
    out = out + operation.strip_l_s * aqueous[first_strip]
    out = out + operation.organic_l_s * cascade.phases.organic_re[-1]
    fed = operation.feed_l_s * np.array(list(IDEAL.feed_re_mol_l.values()))
    assert out == pytest.approx(fed, rel=1e-6)


def test_a_steady_state_stays(settled):
    _, cascade, operation = settled
    before = -np.log10(cascade.phases.hydrogen)
    held = cascade.vector.copy()
    for _ in range(240):
        cascade.advance(0.5, operation)
    moved = np.abs(-np.log10(cascade.phases.hydrogen) - before).max()
    cascade.vector[:] = held
    cascade.refresh(operation)
    assert moved < 1e-6


@pytest.mark.parametrize("design", [REFERENCE, PLANT_SCALE], ids=lambda design: design.scale)
def test_scale_does_not_change_the_rest(design):
    cascade = Cascade(design)
    cascade.settle(Operation.normal(design))
    bench = Cascade(REFERENCE)
    bench.settle(Operation.normal(REFERENCE))
    assert cascade.phases.hydrogen == pytest.approx(bench.phases.hydrogen, rel=1e-6)


def test_elements_of_a_heavier_feed_settle_too():
    design = Design(
        name="mixed",
        feed_re_mol_l={"La": 0.2, "Nd": 0.1, "Gd": 0.05, "Dy": 0.02, "Y": 0.05},
    )
    cascade = Cascade(design)
    cascade.settle(Operation.normal(design))
    raffinate = cascade.phases.aqueous_re[0]
    left = raffinate / np.array(list(design.feed_re_mol_l.values()))
    assert (np.diff(left) <= 0).all()  # the more extractable, the less is left


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"efficiency": 1.2}, "efficiency"),
        ({"saponified_frac": 0.7}, "saponified"),
        ({"feed_l_h": 0.0}, "feed_l_h"),
        ({"strip_stages": 0}, "section"),
        ({"extraction_stages": 40}, "32"),
        ({"feed_re_mol_l": {}}, "elements"),
    ],
)
def test_an_impossible_design_says_what_is_wrong(changes, named):
    with pytest.raises(ValueError, match=named):
        replace(REFERENCE, **changes)


def test_an_element_without_a_constant_is_named():
    with pytest.raises(KeyError, match="Xx"):
        Cascade(Design(name="odd", feed_re_mol_l={"Xx": 0.1}))
