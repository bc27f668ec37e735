"""The outfall: raffinate neutralised with ammonia in one stirred tank, and what watches it.

The tank's acid and salt are balanced; ammonia is dosed to hold SET_PH, as far as the dosing pump
reaches. What precipitates leaves its equivalents as ammonium salt. The counter sees a background
of events only (Poisson): liquors of this plant carry no activity that the twin knows of.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from raffinate_rig.twin.conductivity import alpha_pct_per_k, at_temperature, conductivity_ms_cm
from raffinate_rig.twin.electrode import RESPONSE_S
from raffinate_rig.twin.equilibrium import Array
from raffinate_rig.twin.sensors import (
    AMBIENT_C,
    AMBIENT_SWING_K,
    DAY_S,
    NOISE_COND,
    NOISE_TEMP_K,
    STREAM_OUTFALL,
    random,
)

OUTFALL = "o01"
SET_PH = 7.6
KW_MOL2_L2 = 1e-14
TANK_S = 120.0
# The dosing pump reaches three times what the acid at rest needs.
DOSE_TURNS_MAX = 3.0
NOISE_PH = 0.004
BACKGROUND_1_S = 40.0


@dataclass(frozen=True, slots=True)
class OutfallReading:
    """What the outfall's instruments see; `rad_1_s` is the rate of one tick's events."""

    ph: float
    ph_temp_c: float
    cond_ms_cm_t: float
    temp_c: float
    rad_1_s: float


class OutfallTank:
    """The tank at the design's flow and TANK_S; it starts as `raffinate` at rest leaves it.

    `raffinate` is what leaves the first stage: rare earths, acid, ammonium and extractant, mol/L.
    """

    def __init__(self, raffinate: Array, seed: int) -> None:
        self._seed = seed
        self._rest_acid = max(float(raffinate[-3]), 1e-6)
        self.acid_mol_l = _excess(SET_PH)
        self.salt_mol_l = _equivalents(raffinate) + float(raffinate[-3])
        self.lagged_ph = SET_PH
        self.reading: OutfallReading

    def tick(self, dt_s: float, raffinate: Array, flow_frac: float, dose_lost: float) -> None:
        """Move on by dt_s; `flow_frac` of the design's flow enters, `dose_lost` of the base fails.

        A dosing that has lost some of its base gives at most the rest of what is needed.
        """
        turns = dt_s * flow_frac / TANK_S
        acid = float(raffinate[-3])
        needed = self.acid_mol_l + turns * (acid - self.acid_mol_l) - _excess(SET_PH)
        reach = turns * max(acid, 0.0) * (1.0 - dose_lost)
        if dose_lost == 0.0:
            reach = DOSE_TURNS_MAX * dt_s / TANK_S * max(acid, self._rest_acid)
        dosed = min(max(needed, 0.0), reach)
        self.acid_mol_l += turns * (acid - self.acid_mol_l) - dosed
        self.salt_mol_l += turns * (_equivalents(raffinate) - self.salt_mol_l) + dosed
        self.lagged_ph += -math.expm1(-dt_s / RESPONSE_S) * (self.true_ph() - self.lagged_ph)

    def true_ph(self) -> float:
        """-log10 of the concentration of H+ in the tank."""
        return -math.log10(self._hydrogen_mol_l())

    def sense(self, tick: int, tick_s: float) -> None:
        """Take the reading of tick number `tick`."""
        source = random(self._seed, STREAM_OUTFALL, tick)
        noise = source.standard_normal(4).tolist()
        counted = int(source.poisson(BACKGROUND_1_S * tick_s))
        time_s = tick * tick_s
        temp_c = AMBIENT_C + AMBIENT_SWING_K * math.sin(2.0 * math.pi * time_s / DAY_S)
        liquor = np.zeros((1, 1)), np.array([self._hydrogen_mol_l()]), np.array([self.salt_mol_l])
        cond = at_temperature(
            conductivity_ms_cm(("La",), *liquor), alpha_pct_per_k(*liquor), np.array([temp_c])
        )
        self.reading = OutfallReading(
            self.lagged_ph + NOISE_PH * noise[0],
            temp_c + NOISE_TEMP_K * noise[1],
            float(cond[0]) * (1.0 + NOISE_COND * noise[2]),
            temp_c + NOISE_TEMP_K * noise[3],
            counted / tick_s,
        )

    def save(self) -> dict[str, float]:
        """The tank and its electrode; JSON-able."""
        return {
            "acid_mol_l": self.acid_mol_l,
            "salt_mol_l": self.salt_mol_l,
            "lagged_ph": self.lagged_ph,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `save` gave; raises KeyError, TypeError or ValueError on anything else."""
        found = [float(state[name]) for name in ("acid_mol_l", "salt_mol_l", "lagged_ph")]
        if not all(math.isfinite(value) for value in found):
            raise ValueError("the outfall's numbers are not finite")
        self.acid_mol_l, self.salt_mol_l, self.lagged_ph = found

    def _hydrogen_mol_l(self) -> float:
        """[H+] of an excess z = [H+] - Kw/[H+], by the root that loses no digits."""
        acid = self.acid_mol_l
        root = math.hypot(acid, 2.0 * math.sqrt(KW_MOL2_L2))
        return 0.5 * (acid + root) if acid >= 0.0 else 2.0 * KW_MOL2_L2 / (root - acid)


def _excess(ph: float) -> float:
    hydrogen = math.pow(10.0, -ph)
    return hydrogen - KW_MOL2_L2 / hydrogen


def _equivalents(raffinate: Array) -> float:
    """Ammonium, and three for each rare earth that precipitates."""
    return float(raffinate[-2] + 3.0 * raffinate[:-3].sum())
