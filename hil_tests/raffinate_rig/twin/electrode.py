"""A glass electrode as a voltage source, and the pH an instrument calibrated to it shows."""

import numpy as np

from raffinate_rig.twin.equilibrium import Array

NERNST_MV_PER_K = 0.198421
ZERO_C_K = 273.15
ACID_ERROR_BELOW_PH = 1.0
ACID_ERROR_PER_PH2 = 0.1  # assumed; glasses differ
RESPONSE_S = 3.0


def nernst_mv(temp_c: Array) -> Array:
    """Ideal slope in mV per pH."""
    result: Array = NERNST_MV_PER_K * (temp_c + ZERO_C_K)
    return result


def glass_ph(ph: Array) -> Array:
    """What the glass responds to: below pH 1 acid error makes it read high."""
    below = np.maximum(ACID_ERROR_BELOW_PH - ph, 0.0)
    result: Array = ph + ACID_ERROR_PER_PH2 * below**2
    return result


def potential_mv(ph: Array, temp_c: Array, slope: Array, offset_mv: Array) -> Array:
    """E = E7 - s (pH - 7), s the Nernst slope at temp_c times `slope`."""
    result: Array = offset_mv - slope * nernst_mv(temp_c) * (ph - 7.0)
    return result


def compensated_ph(e_mv: Array, temp_c: Array, slope: Array, offset_mv: Array) -> Array:
    """The pH of an instrument calibrated to `slope` and `offset_mv`, compensated to temp_c."""
    result: Array = 7.0 - (e_mv - offset_mv) / (nernst_mv(temp_c) * slope)
    return result
