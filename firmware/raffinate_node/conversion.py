"""From what a sensor gives to what its point means; pure, with the formulas' sources.

Temperatures in degrees Celsius. What only a calibration needs is in calibration.py.
"""

import math

SLOPE_PCT_MIN = 85.0
SLOPE_PCT_MAX = 105.0
OFFSET_MV_MAX = 30.0

# IEC 60751, for T >= 0
RTD_A = 3.9083e-3
RTD_B = -5.775e-7

# NAMUR NE 43
LOOP_FAULT_LOW_MA = 3.6
LOOP_VALID_LOW_MA = 3.8
LOOP_VALID_HIGH_MA = 20.5
LOOP_FAULT_HIGH_MA = 21.0
LOOP_ZERO_MA = 4.0
LOOP_SPAN_MA = 16.0


def judge_electrode(acid_pct: float, base_pct: float, offset_mv: float) -> "str | None":
    """Return None for a healthy electrode, else the NE 107 state that says what is wrong."""
    for slope_pct in (acid_pct, base_pct):
        if not SLOPE_PCT_MIN <= slope_pct <= SLOPE_PCT_MAX:
            return "M:slope"
    return None if abs(offset_mv) <= OFFSET_MV_MAX else "M:offset"


def kappa25(kappa: float, temp_c: float, alpha_pct_k: float) -> float:
    """Return the conductivity at 25 degrees, in the unit given; alpha belongs to the liquor."""
    return kappa / (1.0 + alpha_pct_k / 100.0 * (temp_c - 25.0))


def rtd_temp_c(resistance_ohm: float, r0_ohm: float) -> float:
    """Return the temperature of a platinum resistor (IEC 60751).

    The quadratic is exact from 0 degrees up and 0.02 degrees off at -50; raise ValueError where
    no temperature has this resistance.
    """
    under_root = RTD_A * RTD_A - 4.0 * RTD_B * (1.0 - resistance_ohm / r0_ohm)
    if under_root < 0:
        raise ValueError(f"{resistance_ohm} ohm is above any temperature of the element")
    return (math.sqrt(under_root) - RTD_A) / (2.0 * RTD_B)


def loop_value(current_ma: float, low: float, high: float) -> float:
    """Return what a 4-20 mA transmitter means: low at 4 mA, high at 20 mA."""
    return low + (current_ma - LOOP_ZERO_MA) / LOOP_SPAN_MA * (high - low)


def loop_state(current_ma: float) -> "str | None":
    """Return the NAMUR NE 43 state: None in 3.8 to 20.5 mA, F below 3.6 and above 21, S between."""
    if current_ma < LOOP_FAULT_LOW_MA:
        return "F:low"
    if current_ma > LOOP_FAULT_HIGH_MA:
        return "F:high"
    if current_ma < LOOP_VALID_LOW_MA:
        return "S:low"
    return "S:high" if current_ma > LOOP_VALID_HIGH_MA else None


def pulse_flow(pulses: int, elapsed_ms: int, pulses_per_l: float) -> float:
    """Return litres a second from counted pulses: V = N / k."""
    return pulses * 1000.0 / elapsed_ms / pulses_per_l
