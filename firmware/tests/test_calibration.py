"""Formulas against their sources' own numbers (CRC, IEC 60751, NAMUR NE 43, buffer tables)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raffinate_node import calibration, conversion


def test_nernst_slope():
    assert calibration.nernst_mv(25.0) == pytest.approx(59.159, abs=5e-4)
    assert calibration.nernst_mv(0.0) == pytest.approx(54.199, abs=5e-4)


def test_two_buffers_give_slope_and_offset_back():
    slope = 0.95 * calibration.nernst_mv(20.0)
    first = 12.0 - slope * (4.00 - 7.0)
    second = 12.0 - slope * (7.02 - 7.0)
    slope_pct, offset_mv = calibration.two_point(4.00, first, 7.02, second, 20.0)
    assert slope_pct == pytest.approx(95.0)
    assert offset_mv == pytest.approx(12.0)


@settings(deadline=None)
@given(
    ph=st.floats(-1, 14),
    slope_pct=st.floats(80, 105),
    offset_mv=st.floats(-40, 40),
    temp_c=st.floats(0, 80),
)
def test_ph_undoes_the_electrode(ph, slope_pct, offset_mv, temp_c):
    mv = offset_mv - calibration.nernst_mv(temp_c) * slope_pct / 100 * (ph - 7.0)
    assert calibration.ph(mv, slope_pct, offset_mv, temp_c) == pytest.approx(ph, abs=1e-9)


def test_close_buffers_are_refused():
    with pytest.raises(ValueError, match="one pH apart"):
        calibration.two_point(7.0, 0.0, 7.5, -30.0, 25.0)


@pytest.mark.parametrize(
    ("nominal", "temp_c", "expected"),
    [(4, 25, 4.00), (4, 50, 4.06), (7, 0, 7.12), (7, 22.5, 7.01), (10, 20, 10.06), (10, 35, 9.93)],
)
def test_buffers(nominal, temp_c, expected):
    assert calibration.buffer_ph(nominal, temp_c) == pytest.approx(expected)


def test_no_such_buffer_or_temperature():
    with pytest.raises(ValueError, match="4, 7 and 10"):
        calibration.buffer_ph(9, 25)
    with pytest.raises(ValueError, match="outside the table"):
        calibration.buffer_ph(7, 51)


def test_conductivity_standard():
    assert calibration.standard_us_cm(25) == 1413
    assert calibration.standard_us_cm(22.5) == pytest.approx((1278 + 1413) / 2)


@pytest.mark.parametrize(
    ("acid", "base", "offset", "state"),
    [
        (99.7, 100.3, -0.9, None),
        (85.0, 105.0, 30.0, None),
        (84.9, 100.0, 0.0, "M:slope"),
        (100.0, 105.1, 0.0, "M:slope"),
        (100.0, 100.0, -30.1, "M:offset"),
    ],
)
def test_electrode_health(acid, base, offset, state):
    assert conversion.judge_electrode(acid, base, offset) == state


def test_conductivity_at_25_degrees():
    # the KCl standard's own table, whose alpha is 1.88 %/K a little above 25 degrees
    assert conversion.kappa25(1552.0, 30.0, 1.88) == pytest.approx(1413, rel=0.005)
    assert conversion.kappa25(10.0, 25.0, 1.56) == 10.0


@pytest.mark.parametrize(
    ("temp_c", "ohm", "within"),
    [(0, 1000.0, 1e-3), (25, 1097.347, 1e-3), (100, 1385.055, 1e-3), (-50, 803.063, 0.025)],
)
def test_platinum_resistor(temp_c, ohm, within):
    assert conversion.rtd_temp_c(ohm, 1000.0) == pytest.approx(temp_c, abs=within)


def test_platinum_resistor_beyond_every_temperature():
    with pytest.raises(ValueError, match="above any temperature"):
        conversion.rtd_temp_c(10_000.0, 1000.0)


@pytest.mark.parametrize(
    ("current_ma", "state"),
    [
        (0.0, "F:low"),
        (3.59, "F:low"),
        (3.6, "S:low"),
        (3.79, "S:low"),
        (3.8, None),
        (20.5, None),
        (20.6, "S:high"),
        (21.0, "S:high"),
        (21.1, "F:high"),
    ],
)
def test_loop_bands(current_ma, state):
    assert conversion.loop_state(current_ma) == state


def test_loop_value():
    assert conversion.loop_value(4.0, -10.0, 90.0) == -10.0
    assert conversion.loop_value(20.0, -10.0, 90.0) == 90.0
    assert conversion.loop_value(12.0, 0.0, 1.0) == 0.5


def test_pulse_flow():
    assert conversion.pulse_flow(400, 4000, 8000.0) == pytest.approx(0.0125)
