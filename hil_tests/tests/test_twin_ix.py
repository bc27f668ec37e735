"""The ion-exchange column: what its effluent shows at breakthrough and elution."""

import numpy as np
import pytest

from raffinate_rig.twin import ix


@pytest.mark.parametrize("feed_mol_l", [0.01, 0.03, 0.05])
@pytest.mark.parametrize(("form", "low", "high"), [("H", 3.0, 4.5), ("NH4", 1.1, 1.5)])
def test_conductivity_falls_at_breakthrough(form, low, high, feed_mol_l):
    column = ix.Column({"La": feed_mol_l}, form=form)
    fall = column.loading(0.0).cond_ms_cm / column.loading(300.0).cond_ms_cm
    assert low <= fall <= high


def test_ph_rises_at_breakthrough_on_h_form_only():
    acid = ix.Column({"La": 0.03}, form="H")
    assert acid.loading(300.0).ph - acid.loading(0.0).ph > 2.0
    salt = ix.Column({"La": 0.03}, form="NH4")
    assert salt.loading(300.0).ph == pytest.approx(salt.loading(0.0).ph, abs=0.01)


def test_elution_steps_conductivity_up_then_ph_down():
    column = ix.Column({"La": 0.007})
    volumes = np.arange(0.0, 4.0, 0.05)
    effluents = [column.elution(float(volume), 0.5) for volume in volumes]
    cond = np.array([effluent.cond_ms_cm for effluent in effluents])
    ph = np.array([effluent.ph for effluent in effluents])
    step = volumes[np.argmax(cond > 0.5 * 36.0)]
    drop = volumes[np.argmax(ph < 1.0)]
    assert step < 0.5
    assert drop > step + 1.0


def test_elution_gives_back_what_the_bed_held():
    column = ix.Column({"La": 0.007, "Sm": 0.003})
    volumes = np.arange(0.0, 12.0, 0.002)
    eluted = [sum(column.elution(float(volume), 0.5).re_mol_l.values()) for volume in volumes]
    assert 3.0 * sum(eluted) * 0.002 == pytest.approx(column.capacity_eq_per_bed(), rel=0.02)


def test_capacity_is_the_area_above_the_curve():
    volumes = np.arange(0.0, 600.0, 0.05)
    kept = sum(1.0 - ix.breakthrough("La", float(volume)) for volume in volumes) * 0.05
    assert ix.Column({"La": 0.01}).capacity_eq_per_bed() == pytest.approx(0.03 * kept, rel=1e-3)


def test_a_clogged_bed_needs_more_pressure():
    clean = ix.Column({"La": 0.01}).pressure_drop_pa(0.06)
    assert clean == pytest.approx(2.0 * ix.Column({"La": 0.01}).pressure_drop_pa(0.03))
    assert ix.Column({"La": 0.01}, voidage=0.3).pressure_drop_pa(0.06) > 2.0 * clean


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"feed_re_mol_l": {"Nd": 0.01}}, "Nd"),
        ({"feed_re_mol_l": {"La": 0.01}, "form": "Na"}, "form"),
        ({"feed_re_mol_l": {"La": 0.01}, "voidage": 0.0}, "voidage"),
    ],
)
def test_a_column_that_is_not_known_is_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        ix.Column(**arguments)


def test_elution_needs_acid():
    with pytest.raises(ValueError, match="acid"):
        ix.Column({"La": 0.01}).elution(1.0, 0.0)
