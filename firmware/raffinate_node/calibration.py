"""Calibrating electrodes and cells: slopes, buffers and standards; pure, with their sources.

Temperatures in degrees Celsius, potentials in millivolts, slopes in millivolts a pH unit.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KELVIN = 273.15
# R ln(10) / F, CODATA 2018
NERNST_MV_K = 0.198421

_BUFFER_TEMPS = (0.0, 10.0, 20.0, 25.0, 30.0, 40.0, 50.0)
_BUFFERS = {
    4: (4.00, 4.00, 4.00, 4.00, 4.01, 4.03, 4.06),
    7: (7.12, 7.06, 7.02, 7.00, 6.99, 6.98, 6.97),
    10: (10.32, 10.18, 10.06, 10.01, 9.97, 9.89, 9.83),
}
_STANDARD_TEMPS = (0.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0)
_STANDARD_1413 = (896.0, 1020.0, 1147.0, 1278.0, 1413.0, 1552.0, 1667.0)


def nernst_mv(temp_c: float) -> float:
    """Return the ideal slope S(T), mV a pH unit: 59.159 at 25 degrees."""
    return NERNST_MV_K * (temp_c + KELVIN)


def buffer_ph(nominal: int, temp_c: float) -> float:
    """Return the pH of the technical buffer 4, 7 or 10 at 0 to 50 degrees; raise ValueError."""
    if nominal not in _BUFFERS:
        raise ValueError(f"there is no buffer {nominal}; there are 4, 7 and 10")
    return _interpolate(_BUFFER_TEMPS, _BUFFERS[nominal], temp_c)


def standard_us_cm(temp_c: float) -> float:
    """Return the KCl standard 1413 uS/cm (0.01 mol/L) at 0 to 35 degrees; raise ValueError."""
    return _interpolate(_STANDARD_TEMPS, _STANDARD_1413, temp_c)


def two_point(
    first_ph: float, first_mv: float, second_ph: float, second_mv: float, temp_c: float
) -> "tuple[float, float]":
    """Return (slope %, E7 in mV) of an electrode in two buffers; raise ValueError.

    Convention E = E7 - s (pH - 7); slope % = 100 s / S(T).
    """
    if abs(first_ph - second_ph) < 1.0:
        raise ValueError("two buffers at least one pH apart are needed")
    slope = (first_mv - second_mv) / (second_ph - first_ph)
    return 100.0 * slope / nernst_mv(temp_c), first_mv + slope * (first_ph - 7.0)


def ph(mv: float, slope_pct: float, offset_mv: float, temp_c: float) -> float:
    """Return the pH of an electrode with this slope and offset E7, at the liquor's temperature."""
    return 7.0 - (mv - offset_mv) / (nernst_mv(temp_c) * slope_pct / 100.0)


def _interpolate(at: "tuple[float, ...]", values: "tuple[Any, ...]", temp_c: float) -> float:
    if not at[0] <= temp_c <= at[-1]:
        raise ValueError(f"{temp_c} is outside the table's {at[0]} to {at[-1]} degrees")
    for index in range(1, len(at)):
        if temp_c <= at[index]:
            break
    share = (temp_c - at[index - 1]) / (at[index] - at[index - 1])
    result: float = values[index - 1] + share * (values[index] - values[index - 1])
    return result
