"""Cation exchange of rare earths with P507 (PC-88A): constants, one contact, many mixers at once.

RE3+ + 3 (HA)2 <-> RE(HA2)3 + 3 H+, log10 D = log K + 3 pH + 3 log10 L, L = free dimer (mol/L);
NH4+ + (HA)2 <-> NH4(HA2) + H+ as the organic's buffer. pH is -log10 of the concentration of H+.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# P507 in HCl, dimer basis, about 25 °C. K is a calibration parameter of a plant.
LOG_K = {
    "La": -3.48,
    "Ce": -2.65,
    "Pr": -2.34,
    "Nd": -2.15,
    "Sm": -1.12,
    "Eu": -0.75,
    "Gd": -0.59,
    "Tb": 0.18,
    "Dy": 0.63,
    "Ho": 0.93,
    "Y": 1.11,
    "Er": 1.37,
    "Tm": 1.90,
    "Yb": 2.45,
    "Lu": 2.71,
}
ITERATIONS_MAX = 200
LN_RATIO_MIN, LN_RATIO_MAX = -40.0, 60.0
LN_RATIO_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Mixers:
    """Hold-ups and totals of n mixers: litres, moles; `re_mol` is n x elements.

    `proton_mol` is the proton excess Va [H+] - Vo (s + 3 sum y), `salt_mol` the counter-ion
    Va [M+] + Vo s, `extractant_mol` the extractant as monomer. All four survive the reaction.
    """

    aqueous_l: Array
    organic_l: Array
    re_mol: Array
    proton_mol: Array
    salt_mol: Array
    extractant_mol: Array


@dataclass(frozen=True)
class Phases:
    """Both phases of n mixers at equilibrium, mol/L; `ln_ratio` is ln(L / [H+])."""

    aqueous_re: Array
    hydrogen: Array
    counter_ion: Array
    organic_re: Array
    salt: Array
    dimer: Array
    ln_ratio: Array


def constants(elements: Sequence[str]) -> Array:
    """K of each element; raises KeyError naming an element without one."""
    missing = [element for element in elements if element not in LOG_K]
    if missing:
        raise KeyError(f"no log K for {', '.join(missing)}; known are {', '.join(LOG_K)}")
    return np.array([10.0 ** LOG_K[element] for element in elements])


def equilibrate(
    mixers: Mixers, k: Array, salt_constant: float, start: Array | None = None
) -> Phases:
    """Solve every mixer's equilibrium; `start` is a guess of ln(L / [H+]).

    Of the two unknowns [H+] and L only their ratio u enters D = K u^3 and s = Ks u [M+], so the
    proton balance gives [H+] from u, the extractant balance L from u, and what is left,
    u [H+] - L = 0, rises with u: Newton in ln u, held in a bracket, cannot miss.
    Raises ValueError when it does not converge (totals that no solution can have).
    """
    ln_ratio = np.zeros_like(mixers.aqueous_l) if start is None else start
    low = np.full_like(ln_ratio, LN_RATIO_MIN)
    high = np.full_like(ln_ratio, LN_RATIO_MAX)
    half_extractant = mixers.extractant_mol / (2.0 * mixers.organic_l)
    va, vo = mixers.aqueous_l, mixers.organic_l
    ratio_v = vo / va
    step = math.inf
    for _ in range(ITERATIONS_MAX):
        ratio = np.exp(ln_ratio)
        re_split = 1.0 / (va[:, None] + (vo * ratio**3)[:, None] * k)
        organic_re = mixers.re_mol * (k * (ratio**3)[:, None]) * re_split
        salt_split = 1.0 / (va + vo * salt_constant * ratio)
        salt = mixers.salt_mol * salt_constant * ratio * salt_split
        bound = salt + 3.0 * organic_re.sum(axis=1)
        hydrogen = mixers.proton_mol / va + ratio_v * bound
        error = ratio * hydrogen + bound - half_extractant
        slope_bound = va * (9.0 * (organic_re * re_split).sum(axis=1) + salt * salt_split)
        slope = ratio * hydrogen + (ratio * ratio_v + 1.0) * slope_bound
        above = error > 0.0
        high = np.where(above, ln_ratio, high)
        low = np.where(above, low, ln_ratio)
        with np.errstate(divide="ignore", invalid="ignore"):
            target = ln_ratio - error / slope
        inside = (slope > 0.0) & (target >= low) & (target <= high)
        target = np.where(inside, target, 0.5 * (low + high))
        step = float(np.abs(target - ln_ratio).max())
        ln_ratio = target
        if step < LN_RATIO_TOLERANCE:
            break
    # Totals without chloride to balance them have no root: the search ends at the bracket's end.
    if step >= LN_RATIO_TOLERANCE or np.abs(ln_ratio - LN_RATIO_MAX).min() < 1.0:
        raise ValueError("a mixer has no equilibrium: its totals are impossible")
    return _phases(mixers, k, salt_constant, ln_ratio)


def single_contact(
    element: str, re_mol_l: float, hydrogen_mol_l: float, extractant_mol_l: float
) -> float:
    """Distribution ratio of one element after one contact of equal volumes, no saponification."""
    one = np.ones(1)
    mixers = Mixers(
        one,
        one,
        np.array([[re_mol_l]]),
        one * hydrogen_mol_l,
        one * 0.0,
        one * extractant_mol_l,
    )
    phases = equilibrate(mixers, constants([element]), 1e-4)
    return float(phases.organic_re[0, 0] / phases.aqueous_re[0, 0])


def _phases(mixers: Mixers, k: Array, salt_constant: float, ln_ratio: Array) -> Phases:
    va, vo = mixers.aqueous_l, mixers.organic_l
    ratio = np.exp(ln_ratio)
    distribution = k * (ratio**3)[:, None]
    aqueous_re = mixers.re_mol / (va[:, None] + vo[:, None] * distribution)
    counter_ion = mixers.salt_mol / (va + vo * salt_constant * ratio)
    organic_re = aqueous_re * distribution
    salt = salt_constant * ratio * counter_ion
    dimer = mixers.extractant_mol / (2.0 * vo) - salt - 3.0 * organic_re.sum(axis=1)
    # The smaller of two cancelling differences is taken from the larger unknown: where nearly
    # all extractant is bound, L = u [H+] keeps its digits; where [H+] is tiny, [H+] = L / u does.
    hydrogen = mixers.proton_mol / va + vo / va * (salt + 3.0 * organic_re.sum(axis=1))
    use_dimer = dimer > hydrogen
    hydrogen = np.where(use_dimer, dimer / ratio, hydrogen)
    dimer = np.where(use_dimer, dimer, hydrogen * ratio)
    return Phases(aqueous_re, hydrogen, counter_ion, organic_re, salt, dimer, ln_ratio)
