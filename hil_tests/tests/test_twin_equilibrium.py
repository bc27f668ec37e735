"""One mixer's equilibrium, conductivity and electrode: balances, limits, published points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raffinate_rig.twin import electrode
from raffinate_rig.twin.conductivity import alpha_pct_per_k, at_temperature, conductivity_ms_cm
from raffinate_rig.twin.equilibrium import LOG_K, Mixers, constants, equilibrate, single_contact

ELEMENTS = ("La", "Nd", "Dy", "Lu")
SALT_CONSTANT = 1e-4
amounts = st.floats(0.0, 0.5)


@st.composite
def mixers(draw):
    """Feeds of a mixer as they would be poured in: liquor and organic, each possible by itself."""
    aqueous_l = draw(st.floats(0.01, 10.0))
    organic_l = draw(st.floats(0.01, 10.0))
    re = np.array([draw(amounts) for _ in ELEMENTS])
    acid = draw(st.floats(1e-6, 6.0))
    ammonium = draw(st.floats(0.0, 3.0))
    saponified = draw(st.floats(0.0, 0.49))
    one = np.ones(1)
    return Mixers(
        one * aqueous_l,
        one * organic_l,
        aqueous_l * re[None, :],
        one * (aqueous_l * acid - organic_l * saponified),
        one * (aqueous_l * ammonium + organic_l * saponified),
        one * organic_l,
    )


@settings(deadline=None)
@given(mixers())
def test_equilibrium_keeps_every_balance(mixer):
    phases = equilibrate(mixer, constants(ELEMENTS), SALT_CONSTANT)
    va, vo = mixer.aqueous_l, mixer.organic_l
    bound = phases.salt + 3.0 * phases.organic_re.sum(axis=1)
    scale = float(va[0] + vo[0])
    metal = va[:, None] * phases.aqueous_re + vo[:, None] * phases.organic_re
    assert metal == pytest.approx(mixer.re_mol, rel=1e-9, abs=1e-12 * scale)
    proton = va * phases.hydrogen - vo * bound
    assert proton == pytest.approx(mixer.proton_mol, abs=1e-8 * scale)
    salt = va * phases.counter_ion + vo * phases.salt
    assert salt == pytest.approx(mixer.salt_mol, rel=1e-9, abs=1e-12 * scale)
    extractant = 2.0 * vo * (phases.dimer + bound)
    assert extractant == pytest.approx(mixer.extractant_mol, rel=1e-8, abs=1e-8 * scale)
    assert (phases.hydrogen > 0).all()
    assert (phases.dimer > 0).all()


@settings(deadline=None)
@given(mixers(), st.floats(-30.0, 50.0))
def test_the_guess_does_not_change_the_answer(mixer, guess):
    cold = equilibrate(mixer, constants(ELEMENTS), SALT_CONSTANT)
    warm = equilibrate(mixer, constants(ELEMENTS), SALT_CONSTANT, np.array([guess]))
    assert warm.ln_ratio == pytest.approx(cold.ln_ratio, abs=1e-7)


@settings(deadline=None)
@given(mixers())
def test_mass_action_holds(mixer):
    phases = equilibrate(mixer, constants(ELEMENTS), SALT_CONSTANT)
    ratio = phases.dimer / phases.hydrogen
    assert ratio == pytest.approx(np.exp(phases.ln_ratio), rel=1e-6)
    expected = phases.aqueous_re * constants(ELEMENTS) * np.exp(phases.ln_ratio)[:, None] ** 3
    assert phases.organic_re == pytest.approx(expected, rel=1e-9)


def test_impossible_totals_are_refused():
    one = np.ones(1)
    negative_chloride = Mixers(one, one, one[:, None] * 0.1, -one * 5.0, one * 0.0, one)
    with pytest.raises(ValueError, match="impossible"):
        equilibrate(negative_chloride, constants(["Nd"]), SALT_CONSTANT)


def test_heavier_elements_extract_more():
    ratios = [single_contact(element, 0.01, 0.3, 1.0) for element in sorted(LOG_K, key=LOG_K.get)]
    assert ratios == sorted(ratios)


def liquor(element="La", re=0.0, hydrogen=0.0, ammonium=0.0):
    return np.array([[re]]), np.array([hydrogen]), np.array([ammonium]), (element,)


@pytest.mark.parametrize(
    ("given", "expected_ms_cm", "tolerance"),
    [
        ({"hydrogen": 0.1}, 39.1, 0.05),  # CRC Handbook, HCl 0.1 mol/L at 25 °C
        ({"hydrogen": 1.0}, 332.0, 0.05),
        ({"ammonium": 0.1}, 12.9, 0.05),
    ],
)
def test_conductivity_of_single_electrolytes(given, expected_ms_cm, tolerance):
    re, hydrogen, ammonium, elements = liquor(**given)
    found = conductivity_ms_cm(elements, re, hydrogen, ammonium)
    assert found == pytest.approx(expected_ms_cm, rel=tolerance)


def test_conductivity_cannot_name_an_element():
    found = [
        float(conductivity_ms_cm((e,), np.array([[0.5]]), np.array([0.01]), np.array([0.8]))[0])
        for e in ("La", "Nd", "Dy", "Y")
    ]
    assert max(found) / min(found) < 1.05


def test_temperature_raises_conductivity_by_its_alpha():
    re, hydrogen, ammonium, _ = liquor(hydrogen=1.0)
    alpha = alpha_pct_per_k(re, hydrogen, ammonium)
    assert alpha == pytest.approx(1.56)
    warm = at_temperature(np.array([100.0]), alpha, np.array([35.0]))
    assert warm == pytest.approx(115.6)
    assert alpha_pct_per_k(re, hydrogen * 0.0, ammonium + 1.0) == pytest.approx(1.88)


def test_nernst_slope_at_25_degrees():
    assert electrode.nernst_mv(np.array([25.0])) == pytest.approx(59.159, abs=5e-4)


@given(st.floats(1.0, 14.0), st.floats(0.0, 60.0), st.floats(0.85, 1.05), st.floats(-30, 30))
def test_a_calibrated_instrument_gives_back_the_ph(ph, temp_c, slope, offset_mv):
    temp = np.array([temp_c])
    e_mv = electrode.potential_mv(
        electrode.glass_ph(np.array([ph])), temp, np.array([slope]), np.array([offset_mv])
    )
    found = electrode.compensated_ph(e_mv, temp, np.array([slope]), np.array([offset_mv]))
    assert found == pytest.approx(ph, abs=1e-9)


def test_acid_error_reads_high_and_keeps_order():
    ph = np.linspace(-1.0, 1.5, 26)
    seen = electrode.glass_ph(ph)
    assert (seen[ph < 0.95] > ph[ph < 0.95]).all()
    assert (seen[ph >= 1.0] == ph[ph >= 1.0]).all()
    assert (np.diff(seen) > 0).all()
