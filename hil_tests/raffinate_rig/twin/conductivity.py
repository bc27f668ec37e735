"""Conductivity of chloride liquors from their ions, and its dependence on temperature."""

import numpy as np

from raffinate_rig.twin.equilibrium import Array

# Equivalent ionic conductivities at 25 °C and infinite dilution, S cm2/mol (CRC Handbook).
LAMBDA_H, LAMBDA_NH4, LAMBDA_NA, LAMBDA_CL = 349.65, 73.5, 50.08, 76.31
LAMBDA_RE = {"La": 69.7, "Ce": 69.8, "Nd": 69.4, "Gd": 67.3, "Dy": 65.6, "Y": 62.0}
LAMBDA_RE_OTHER = 67.0  # all rare earth ions lie within 12 %
DAMPING_HCL, DAMPING_NH4CL, DAMPING_RECL3 = 0.25, 0.34, 1.0
DAMPING_HCL_STRONG = 0.06
ALPHA_HCL_PCT_PER_K = 1.56
ALPHA_SALT_PCT_PER_K = 1.88  # KCl stands for NH4Cl and RECl3


def conductivity_ms_cm(
    elements: tuple[str, ...], re_mol_l: Array, hydrogen_mol_l: Array, ammonium_mol_l: Array
) -> Array:
    """Conductivity at 25 °C, mS/cm, of n liquors (re_mol_l: n x elements) balanced by chloride.

    kappa = f sum(lambda |z| c), 1/f = 1 + B sqrt(I) (+ 0.06 I^1.5 for HCl), B by equivalents.
    """
    re_lambda = np.array([LAMBDA_RE.get(element, LAMBDA_RE_OTHER) for element in elements])
    re_equivalents = 3.0 * re_mol_l.sum(axis=1)
    chloride = re_equivalents + hydrogen_mol_l + ammonium_mol_l
    ionic = 0.5 * (9.0 * re_mol_l.sum(axis=1) + hydrogen_mol_l + ammonium_mol_l + chloride)
    total = np.maximum(chloride, 1e-12)
    root = np.sqrt(ionic)
    damping = (
        DAMPING_HCL * hydrogen_mol_l
        + DAMPING_NH4CL * ammonium_mol_l
        + DAMPING_RECL3 * re_equivalents
    ) / total
    strong = DAMPING_HCL_STRONG * hydrogen_mol_l / total
    carried = (
        3.0 * re_mol_l @ re_lambda
        + LAMBDA_H * hydrogen_mol_l
        + LAMBDA_NH4 * ammonium_mol_l
        + LAMBDA_CL * chloride
    )
    result: Array = carried / (1.0 + damping * root + strong * root**3)
    return result


def alpha_pct_per_k(re_mol_l: Array, hydrogen_mol_l: Array, ammonium_mol_l: Array) -> Array:
    """Temperature coefficient of each liquor, % per K: acid's and salt's by current carried."""
    acid = (LAMBDA_H + LAMBDA_CL) * hydrogen_mol_l
    salt = (LAMBDA_NH4 + LAMBDA_CL) * (ammonium_mol_l + 3.0 * re_mol_l.sum(axis=1))
    share = acid / np.maximum(acid + salt, 1e-12)
    result: Array = ALPHA_HCL_PCT_PER_K * share + ALPHA_SALT_PCT_PER_K * (1.0 - share)
    return result


def at_temperature(kappa_25: Array, alpha_pct: Array, temp_c: Array) -> Array:
    """Conductivity at process temperature from that at 25 °C (inverse of ISO 7888's form)."""
    return kappa_25 * (1.0 + alpha_pct / 100.0 * (temp_c - 25.0))
