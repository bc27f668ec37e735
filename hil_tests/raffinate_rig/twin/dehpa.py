"""A counter-current cascade of DEHPA in sulfate by published correlations, to check solvers with.

log10 D = (m0 + m1 d) pH + B0 + B1 log10 d, d the stage's DEHPA over its 1 vol % (9758 mg/L);
H+ + SO4-- <-> HSO4-, Ka2 = 10^-1.99 mol/L. Form and values: the PrOMMiS project's tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raffinate_rig.twin.equilibrium import Array

DEHPA_MG_L_PER_PERCENT = 9758.0
DEHPA_G_MOL = 322.431
HSO4_G_MOL, SO4_G_MOL, H_G_MOL = 97.0, 96.0, 1.0
KA2_MOL_L = 10.0**-1.99
G_MOL = {
    "Al": 26.982,
    "Ca": 40.078,
    "Fe": 55.845,
    "Sc": 44.956,
    "La": 138.905,
    "Ce": 140.116,
    "Pr": 140.908,
    "Nd": 144.242,
    "Sm": 150.36,
    "Gd": 157.25,
    "Dy": 162.5,
    "Y": 88.906,
}
VALENCE = {"Ca": 2.0}  # all others give up 3 H+ and take 3 DEHPA
SWEEPS_MAX = 500
PH_TOLERANCE = 1e-12
RELAXATION = 0.7


@dataclass(frozen=True)
class Correlation:
    """Coefficients of one element; `constant` is a D that depends on nothing."""

    m0: float = 0.0
    m1: float = 0.0
    b0: float = 0.0
    b1: float = 0.0
    constant: float | None = None

    def distribution(self, ph: Array, percent: Array) -> Array:
        """D of each stage from its pH and DEHPA (vol %)."""
        if self.constant is not None:
            return np.full_like(ph, self.constant)
        slope = self.m0 + self.m1 * percent
        result: Array = 10.0 ** (slope * ph + self.b0 + self.b1 * np.log10(percent))
        return result


@dataclass(frozen=True)
class Feeds:
    """Inlets, mg/L: metals by phase, the acid of the aqueous, DEHPA of the organic."""

    aqueous: Mapping[str, float]
    organic: Mapping[str, float]
    hydrogen: float
    bisulfate: float
    sulfate: float
    dehpa: float


@dataclass(frozen=True)
class Outlets:
    """Outlets, mg/L, and the pH of each stage in the aqueous's flow order."""

    aqueous: dict[str, float]
    organic: dict[str, float]
    hydrogen: float
    bisulfate: float
    sulfate: float
    dehpa: float
    ph: Array


def solve(correlations: Mapping[str, Correlation], feeds: Feeds, stages: int) -> Outlets:
    """Steady state with equal flows of both phases; raises ValueError if it does not converge."""
    sulfur = feeds.bisulfate / 1000 / HSO4_G_MOL + feeds.sulfate / 1000 / SO4_G_MOL
    proton_in = feeds.hydrogen / 1000 / H_G_MOL + feeds.bisulfate / 1000 / HSO4_G_MOL
    ph = -np.log10(_hydrogen(np.full(stages, proton_in), sulfur))
    dehpa = np.full(stages, feeds.dehpa)
    for _ in range(SWEEPS_MAX):
        aqueous, organic = {}, {}
        released, bound = np.zeros(stages), np.zeros(stages)
        for element, correlation in correlations.items():
            ratio: Array = correlation.distribution(ph, dehpa / DEHPA_MG_L_PER_PERCENT)
            x = _profile(ratio, feeds.aqueous[element], feeds.organic[element])
            aqueous[element], organic[element] = x, ratio * x
            equivalents = VALENCE.get(element, 3.0) / G_MOL[element] / 1000
            released += equivalents * (feeds.aqueous[element] - x)
            bound += equivalents * (ratio * x - feeds.organic[element])
        new_ph = -np.log10(_hydrogen(proton_in + released, sulfur))
        dehpa = feeds.dehpa - bound * DEHPA_G_MOL * 1000
        moved = np.abs(new_ph - ph).max()
        ph = ph + RELAXATION * (new_ph - ph)
        if moved < PH_TOLERANCE:
            break
    else:
        raise ValueError("the DEHPA cascade did not converge: check its inlets")
    hydrogen = 10.0 ** -ph[-1]
    sulfate = sulfur * KA2_MOL_L / (KA2_MOL_L + hydrogen)
    return Outlets(
        aqueous={element: float(x[-1]) for element, x in aqueous.items()},
        organic={element: float(y[0]) for element, y in organic.items()},
        hydrogen=float(hydrogen * H_G_MOL * 1000),
        bisulfate=float((sulfur - sulfate) * HSO4_G_MOL * 1000),
        sulfate=float(sulfate * SO4_G_MOL * 1000),
        dehpa=float(dehpa[0]),
        ph=ph,
    )


def _profile(ratio: Array, aqueous_in: float, organic_in: float) -> Array:
    """Aqueous concentrations of stages 1.. (aqueous order), the organic coming from the end."""
    size = len(ratio)
    system = np.diag(-1.0 - ratio)
    system[range(1, size), range(size - 1)] = 1.0
    system[range(size - 1), range(1, size)] = ratio[1:]
    inlet = np.zeros(size)
    inlet[0] -= aqueous_in
    inlet[-1] -= organic_in
    return np.asarray(np.linalg.solve(system, inlet), dtype=np.float64)


def _hydrogen(proton_mol_l: Array, sulfur_mol_l: float) -> Array:
    """Free H+ (mol/L) from H+ and HSO4- together: a quadratic's positive root."""
    linear = KA2_MOL_L + sulfur_mol_l - proton_mol_l
    result: Array = 0.5 * (-linear + np.sqrt(linear**2 + 4.0 * KA2_MOL_L * proton_mol_l))
    return result
