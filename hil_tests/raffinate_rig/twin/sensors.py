"""The sensor elements of all stages: what they give, from the plant's truth, wear and noise.

pH electrode and conductivity cell sit in a side chamber that draws the aqueous phase from the
mixer; flow meters in the lines that leave the settler; the level gauge spans half its depth.
"""

from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from raffinate_rig.twin import electrode
from raffinate_rig.twin.cascade import Cascade
from raffinate_rig.twin.conductivity import alpha_pct_per_k, at_temperature, conductivity_ms_cm
from raffinate_rig.twin.equilibrium import Array
from raffinate_rig.twin.faults import Wear
from raffinate_rig.twin.hydraulics import INTERFACE_FRAC
from raffinate_rig.twin.operation import SECONDS_PER_HOUR

NOISE_MV = 0.15
NOISE_COND, NOISE_FLOW = 0.0015, 0.006
NOISE_TEMP_K, NOISE_LEVEL = 0.015, 0.002
OFFSET_MV, SLOPE_FRESH, SLOPE_SPREAD = 4.0, 0.985, 0.005
FLOW_CUT_OFF = 0.02  # of the design flow: below it a meter stands
GAUGE_SPAN_FRAC = 0.5
GLASS_NOISE_MV = 1.0
INVERTED_COND, INVERTED_SHARE, INVERTED_BLOCK = 0.02, 0.6, 6
INVERTED_PH_NOISE_MV, INVERTED_LEVEL, INVERTED_LEVEL_NOISE = 12.0, -0.2, 0.05
AIR_SHARE, AIR_LOW, AIR_HIGH, AIR_HIGH_SHARE, AIR_COND = 0.08, 0.25, 1.6, 0.2, 0.6
CRUD_NOISE = 0.02
AMBIENT_C, AMBIENT_SWING_K, MIXING_RISE_K, TEMP_LAG_S = 24.5, 1.0, 0.8, 600.0
DAY_S = 86400.0
STREAM_NOISE, STREAM_BLOCK, STREAM_UNIT, STREAM_INVERSION, STREAM_PUMPS = 1, 2, 3, 4, 5
STREAM_OUTFALL = 6
# Columns of a reading that each `stuck_...` of Wear holds.
STUCK_COLUMNS = {(0, 1): "stuck_ph", (3,): "stuck_cond", (5,): "stuck_flow"}


@dataclass(frozen=True, slots=True)
class StageReading:
    """What one stage's sensor elements give at one instant.

    `ph` as a calibrated, temperature-compensated instrument shows it, `ph_mv` the electrode's
    potential, `cond_ms_cm_t` at process temperature, `level_frac` the interface on its gauge.
    """

    ph: float
    ph_mv: float
    ph_temp_c: float
    cond_ms_cm_t: float
    temp_c: float
    flow_aq_l_h: float
    flow_org_l_h: float
    level_frac: float


def random(seed: int, stream: int, count: int) -> np.random.Generator:
    """Return the random source number `count` of a stream: nothing to save, nothing to replay."""
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, 0, count]))


def checked(values: Any, shape: tuple[int, ...]) -> Array:
    """Return saved numbers as an array of a known shape; raises TypeError or ValueError."""
    array = np.array(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"numbers of shape {array.shape} where {shape} finite ones belong")
    return array


class Sensors:
    """Elements of n stages; `tick` moves their lags, `readings` are those of the last tick."""

    def __init__(self, cascade: Cascade, seed: int) -> None:
        self._cascade = cascade
        self._seed = seed
        self._count = cascade.stages
        unit = random(seed, STREAM_UNIT, 0)
        self.offset_mv = OFFSET_MV * unit.standard_normal(self._count)
        self.slope = SLOPE_FRESH + SLOPE_SPREAD * unit.standard_normal(self._count)
        self._temp_bias_k = 0.3 * unit.standard_normal(self._count)
        self.temp_c = np.full(self._count, AMBIENT_C + MIXING_RISE_K) + self._temp_bias_k
        self.lagged_ph = self.true_ph()
        self.frozen = np.full((self._count, len(fields(StageReading))), np.nan)
        self.readings: list[StageReading] = []

    def true_ph(self) -> Array:
        """-log10 of the concentration of H+ in each mixer's aqueous phase."""
        result: Array = -np.log10(self._cascade.phases.hydrogen)
        return result

    def true_cond_ms_cm(self) -> Array:
        """Conductivity at 25 °C of each mixer's aqueous phase."""
        phases = self._cascade.phases
        return conductivity_ms_cm(
            self._cascade.design.elements, phases.aqueous_re, phases.hydrogen, phases.counter_ion
        )

    def alpha_pct_per_k(self) -> Array:
        """Temperature coefficient of each stage's liquor."""
        phases = self._cascade.phases
        return alpha_pct_per_k(phases.aqueous_re, phases.hydrogen, phases.counter_ion)

    def tick(self, dt_s: float, time_s: float, wear: Wear, running: Array) -> None:
        """Move temperatures and electrode lags on by dt_s, to time_s."""
        ambient = AMBIENT_C + AMBIENT_SWING_K * np.sin(2.0 * np.pi * time_s / DAY_S)
        target = ambient + MIXING_RISE_K * running + self._temp_bias_k
        self.temp_c += -np.expm1(-dt_s / TEMP_LAG_S) * (target - self.temp_c)
        self.lagged_ph += -np.expm1(-dt_s / wear.response_s) * (self.true_ph() - self.lagged_ph)

    def sense(self, tick: int, wear: Wear, running: Array) -> None:
        """Take the readings of tick number `tick`."""
        noise = random(self._seed, STREAM_NOISE, tick).standard_normal((9, self._count))
        gusts = random(self._seed, STREAM_BLOCK, tick).random((3, self._count))
        e_mv = self._electrode_mv(wear, noise[0], noise[1])
        ph_temp_c = self.temp_c + NOISE_TEMP_K * noise[2]
        air = gusts[0] < AIR_SHARE * wear.air
        spike = np.where(gusts[1] < AIR_HIGH_SHARE, AIR_HIGH, AIR_LOW)
        aqueous = self._flow(self._cascade.flows.aqueous_out, noise[3], aqueous=True)
        organic = self._flow(self._cascade.flows.organic_out, noise[4], aqueous=False)
        level = self._level_frac()
        level += running * (NOISE_LEVEL + INVERTED_LEVEL_NOISE * wear.inverted) * noise[5]
        cond = self._conductivity(tick, wear, noise[6], noise[7])
        rows = np.column_stack(
            (
                electrode.compensated_ph(e_mv, ph_temp_c, self.slope, self.offset_mv),
                e_mv,
                ph_temp_c,
                np.where(air, AIR_COND, 1.0) * cond,
                self.temp_c + NOISE_TEMP_K * noise[8],
                np.where(air, spike, 1.0) * aqueous,
                organic,
                np.clip(level + INVERTED_LEVEL * wear.inverted, 0.0, 1.0),
            )
        )
        stuck = np.zeros(rows.shape, dtype=np.bool_)
        for columns, hold in STUCK_COLUMNS.items():
            stuck[:, columns] = (getattr(wear, hold) > 0.0)[:, None]
        # A value is held from the first tick of its fault; NaN marks one that is free.
        self.frozen = np.where(stuck, np.where(np.isnan(self.frozen), rows, self.frozen), np.nan)
        rows = np.where(stuck, self.frozen, rows)
        self.readings = [StageReading(*row) for row in rows.tolist()]

    def save(self) -> dict[str, Any]:
        """Return the lags, the held values and the readings, JSON-able."""
        return {
            "temp_c": self.temp_c.tolist(),
            "lagged_ph": self.lagged_ph.tolist(),
            "frozen": [
                [None if np.isnan(value) else value for value in row]
                for row in self.frozen.tolist()
            ],
            "readings": [list(astuple(reading)) for reading in self.readings],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `save` gave; raises KeyError, TypeError or ValueError on anything else."""
        self.temp_c = checked(state["temp_c"], (self._count,))
        self.lagged_ph = checked(state["lagged_ph"], (self._count,))
        frozen = np.array(state["frozen"], dtype=np.float64)
        if frozen.shape != self.frozen.shape:
            raise ValueError(f"held values of shape {frozen.shape}, not {self.frozen.shape}")
        self.frozen = frozen
        readings = checked(state["readings"], self.frozen.shape)
        self.readings = [StageReading(*row) for row in readings.tolist()]

    def _electrode_mv(self, wear: Wear, noise: Array, trouble: Array) -> Array:
        e_mv = electrode.potential_mv(
            electrode.glass_ph(self.lagged_ph),
            self.temp_c,
            self.slope * wear.slope,
            self.offset_mv + wear.offset_mv,
        )
        cracked = self.offset_mv + GLASS_NOISE_MV * trouble
        e_mv = np.where(wear.glass > 0.0, cracked, e_mv)
        result: Array = e_mv + NOISE_MV * noise + INVERTED_PH_NOISE_MV * wear.inverted * trouble
        return result

    def _flow(self, flow_l_s: Array, noise: Array, *, aqueous: bool) -> Array:
        cascade = self._cascade
        design = cascade.design_aqueous_l_s if aqueous else cascade.design_organic_l_s
        shown = np.where(flow_l_s < FLOW_CUT_OFF * design, 0.0, flow_l_s)
        result: Array = shown * SECONDS_PER_HOUR * (1.0 + NOISE_FLOW * noise)
        return result

    def _level_frac(self) -> Array:
        depth = self._cascade.settlers.depth_m
        interface = self._cascade.parts()["interface"]
        result: Array = 0.5 + (interface / depth - INTERFACE_FRAC) / GAUGE_SPAN_FRAC
        return result

    def _conductivity(self, tick: int, wear: Wear, noise: Array, trouble: Array) -> Array:
        cond = at_temperature(self.true_cond_ms_cm(), self.alpha_pct_per_k(), self.temp_c)
        block = random(self._seed, STREAM_INVERSION, tick // INVERTED_BLOCK).random(self._count)
        organic = block < INVERTED_SHARE * wear.inverted
        cond *= (1.0 - wear.film) * np.where(organic, INVERTED_COND, 1.0)
        result: Array = cond * (1.0 + NOISE_COND * noise + CRUD_NOISE * wear.crud * trouble)
        return np.maximum(result, 0.0)
