"""The twin's parts against published numbers: laboratory data, another code's tests, a textbook."""

import csv
from pathlib import Path

import numpy as np
import pytest

from raffinate_rig.twin import dehpa, ix, xu
from raffinate_rig.twin.equilibrium import single_contact

DATA = Path(__file__).parent / "data"
CONSTANT_D = {"Sc": 632.4976, "Al": 0.0531, "Ca": 0.0658, "Fe": 0.1496}


def rows_of(name):
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def three_stages():
    rows = rows_of("sx_three_stage.csv")
    correlations = {
        row["element"]: dehpa.Correlation(constant=CONSTANT_D[row["element"]])
        if row["element"] in CONSTANT_D
        else dehpa.Correlation(*(float(row[key]) for key in ("m0", "m1", "b0", "b1")))
        for row in rows
    }
    feeds = dehpa.Feeds(
        aqueous={row["element"]: float(row["aqueous_in_mg_l"]) for row in rows},
        organic={row["element"]: float(row["organic_in_mg_l"]) for row in rows},
        hydrogen=10.75,
        bisulfate=10000.0,
        sulfate=100.0,
        dehpa=48790.0,
    )
    return rows, dehpa.solve(correlations, feeds, 3)


def test_three_stage_metals_within_a_tenth_of_a_percent(three_stages):
    rows, outlets = three_stages
    assert len(rows) == 12
    for row in rows:
        element = row["element"]
        assert outlets.aqueous[element] == pytest.approx(float(row["aqueous_out_mg_l"]), rel=1e-3)
        assert outlets.organic[element] == pytest.approx(float(row["organic_out_mg_l"]), rel=1e-3)


def test_three_stage_acid_and_extractant_within_a_tenth_of_a_percent(three_stages):
    _, outlets = three_stages
    assert outlets.hydrogen == pytest.approx(39.513, rel=1e-3)
    assert outlets.bisulfate == pytest.approx(8023.2, rel=1e-3)
    assert outlets.sulfate == pytest.approx(2056.4, rel=1e-3)
    assert outlets.dehpa == pytest.approx(46087.0, rel=1e-3)
    assert outlets.ph == pytest.approx([1.469, 1.462, 1.403], abs=1e-3)


def test_pc88a_single_contacts_rms_of_log_d_at_most_0_15():
    rows = [row for row in rows_of("pc88a_hcl_equilibrium.csv") if row["source"] == "Li (1987)"]
    misses = [
        np.log10(
            single_contact(
                row["element"],
                float(row["feed_re_mol_l"]),
                float(row["feed_h_mol_l"]),
                float(row["pc88a_mol_l"]),
            )
            / float(row["distribution_ratio"])
        )
        for row in rows
    ]
    assert len(misses) == 140
    assert np.sqrt(np.mean(np.square(misses))) <= 0.15


@pytest.mark.parametrize("element", ["La", "Sm"])
def test_breakthrough_rms_of_a_curve_at_most_0_06(element):
    rows = [row for row in rows_of("ix_breakthrough.csv") if row["element"] == element]
    misses = [
        ix.breakthrough(element, float(row["bed_volumes"])) - float(row["c_over_c0"])
        for row in rows
    ]
    assert len(misses) >= 11
    assert np.sqrt(np.mean(np.square(misses))) <= 0.06


def test_xu_worked_example_neodymium_praseodymium():
    found = xu.design(beta=1.4, feed_a=0.5, purity_a=0.999, purity_b=0.999)
    assert found.extraction_ratio == pytest.approx(0.866, abs=5e-4)
    assert found.scrub_ratio == pytest.approx(1.183, abs=5e-4)
    assert found.extraction_stages == pytest.approx(35.9, abs=0.05)
    assert found.scrub_stages == pytest.approx(40.1, abs=0.05)
    assert round(found.stages_min) == 41


def test_xu_takes_the_other_branch_for_a_feed_poor_in_a():
    poor = xu.design(beta=1.4, feed_a=0.2, purity_a=0.99, purity_b=0.99)
    assert poor.product_b > 1.4**0.5 / (1.0 + 1.4**0.5)
    assert poor.extraction_ratio == pytest.approx(1.4**-0.5)
    # Both branches meet the same balance: E'(E - f_A') = E f_B'.
    left = poor.scrub_ratio * (poor.extraction_ratio - poor.product_a)
    assert left == pytest.approx(poor.extraction_ratio * poor.product_b)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((1.0, 0.5, 0.99, 0.99), "beta"),
        ((1.4, 0.0, 0.99, 0.99), "feed_a"),
        ((1.4, 0.5, 1.0, 0.99), "purity_a"),
        ((1.4, 0.5, 0.4, 0.99), "purer"),
    ],
)
def test_xu_refuses_what_is_no_separation(arguments, named):
    with pytest.raises(ValueError, match=named):
        xu.design(*arguments)
