"""EZO circuits keep the maker's command set, delays and answer codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_rig.devices import BusError, EzoEc, EzoPh
from raffinate_rig.devices.base import ENODEV, ETIMEDOUT


class Clock:
    def __init__(self) -> None:
        self.ms = 0.0

    def __call__(self) -> float:
        return self.ms


def ask(device: EzoPh | EzoEc, clock: Clock, command: str, wait_ms: float = 900) -> tuple[int, str]:
    device.write(command.encode())
    clock.ms += wait_ms
    answer = device.read(40)
    return answer[0], answer[1:].split(b"\x00")[0].decode("latin-1")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ph(clock):
    return EzoPh(clock)


@pytest.fixture
def ec(clock):
    return EzoEc(clock)


def test_a_read_before_the_delay_is_not_ready_and_afterwards_gives_the_value_once(ph, clock):
    ph.ph, ph.temp_c = 1.851, 25.0
    ph.write(b"R")
    clock.ms += 800
    assert ph.read(10)[0] == 254
    clock.ms += 100
    assert ph.read(10) == b"\x011.851\x00\x00\x00\x00"
    assert ph.read(10)[0] == 255
    assert ph.misuses == ["ezo-ph: read before the processing delay was over"]


def test_before_any_command_there_is_no_data(ph):
    assert ph.read(5) == b"\xff\x00\x00\x00\x00"


def test_a_command_during_another_is_lost(ph, clock):
    ph.ph = 3.0
    ph.write(b"R")
    clock.ms += 100
    ph.write(b"T,40")
    assert ph.compensation_c == 25.0
    assert len(ph.misuses) == 1


@pytest.mark.parametrize(
    "command",
    [
        "",
        "X",
        "R,1",
        "RT",
        "RT,warm",
        "T,nan",
        "T,",
        "Cal",
        "Cal,low,4",
        "Cal,mid,x",
        "Slope",
        "pHext,2",
        "R" * 41,
    ],
)
def test_what_the_ph_circuit_does_not_know_is_a_syntax_error(ph, clock, command):
    assert ask(ph, clock, command) == (2, "")


@pytest.mark.parametrize(
    "command", ["K,0", "K,11", "O,pH,1", "O,EC,2", "Cal,1413", "Cal,high,9", "Slope,?"]
)
def test_what_the_ec_circuit_does_not_know_is_a_syntax_error(ec, clock, command):
    ec.cond_ms_cm = 1.0
    assert ask(ec, clock, command) == (2, "")


def test_identity_status_and_temperature_answers(ph, ec, clock):
    assert ask(ph, clock, "I", 300) == (1, "?I,pH,2.14")
    assert ask(ec, clock, "i", 300) == (1, "?I,EC,2.16")
    assert ask(ph, clock, "Status", 300) == (1, "?Status,P,5.038")
    assert ask(ph, clock, "T,19.5", 300) == (1, "")
    assert ask(ph, clock, "T,?", 300) == (1, "?T,19.5")
    ph.power_cycle()
    assert ask(ph, clock, "T,?", 300) == (1, "?T,25")


@given(value=st.floats(0.5, 13.5), temp_c=st.floats(0, 60))
def test_compensated_with_the_liquors_temperature_the_chip_shows_its_ph(value, temp_c):
    clock = Clock()
    ph = EzoPh(clock)
    ph.ph, ph.temp_c = value, round(temp_c, 3)
    code, text = ask(ph, clock, f"RT,{temp_c:.3f}")
    assert code == 1
    assert float(text) == pytest.approx(value, abs=6e-4)


def test_without_compensation_a_warm_acid_reads_too_low(ph, clock):
    ph.ph, ph.temp_c = 2.0, 50.0
    assert float(ask(ph, clock, "R")[1]) == pytest.approx(7 - 5 * 323.15 / 298.15, abs=1e-3)


def test_three_point_calibration_takes_out_an_aged_electrode(ph, clock):
    ph.probe_slope_pct, ph.probe_offset_mv = 92.0, 12.5
    ph.ph = 7.0
    assert ask(ph, clock, "Cal,mid,7.00") == (1, "")
    assert ask(ph, clock, "Cal,?") == (1, "?Cal,1")
    ph.ph = 4.0
    assert ask(ph, clock, "Cal,low,4.00") == (1, "")
    ph.ph = 10.0
    assert ask(ph, clock, "Cal,high,10.00") == (1, "")
    assert ask(ph, clock, "Cal,?") == (1, "?Cal,3")
    assert ask(ph, clock, "Slope,?") == (1, "?Slope,92.0,92.0,12.50")
    ph.ph = 1.75
    assert ask(ph, clock, "R") == (1, "1.750")
    assert ask(ph, clock, "Cal,clear") == (1, "")
    assert ask(ph, clock, "R")[1] != "1.750"


def test_a_new_middle_point_clears_the_others(ph, clock):
    for point, value in (("mid", 7.0), ("low", 4.0), ("mid", 7.0)):
        ph.ph = value
        ask(ph, clock, f"Cal,{point},{value}")
    assert ask(ph, clock, "Cal,?") == (1, "?Cal,1")


def test_the_extended_scale_must_be_switched_on(ph, clock):
    ph.ph = -0.5
    assert ask(ph, clock, "R") == (1, "0.001")
    assert ask(ph, clock, "pHext,1") == (1, "")
    assert ask(ph, clock, "R") == (1, "-0.500")
    assert ask(ph, clock, "pHext,?") == (1, "?pHext,1")


@pytest.mark.parametrize(
    ("ms_cm", "text"),
    [
        (0.0, "0.00"),
        (0.04567, "45.67"),
        (0.1234, "123.4"),
        (9.6214, "9621"),
        (96.214, "96210"),
        (130.04, "130000"),
    ],
)
def test_conductivity_is_shown_in_microsiemens_with_the_chips_resolution(ec, clock, ms_cm, text):
    ec.cond_ms_cm = ms_cm
    assert ask(ec, clock, "R", 600) == (1, text)


def test_ec_read_with_temperature_needs_the_longer_delay(ec, clock):
    ec.cond_ms_cm = 100.0
    ec.write(b"RT,35.0")
    clock.ms += 600
    assert ec.read(8)[0] == 254
    clock.ms += 300
    assert ec.read(8) == b"\x0183960\x00\x00"


def test_outputs_come_in_fixed_order(ec, clock):
    ec.cond_ms_cm = 10.0
    ask(ec, clock, "O,SG,1")
    ask(ec, clock, "O,TDS,1")
    assert ask(ec, clock, "O,?") == (1, "?O,EC,TDS,SG")
    assert ask(ec, clock, "R")[1].split(",")[0] == "10000"
    for output in ("EC", "TDS", "SG"):
        ask(ec, clock, f"O,{output},0")
    assert ask(ec, clock, "R") == (1, "no output")


def test_cell_constant_and_two_point_calibration(ec, clock):
    ec.probe_k_per_cm = 10.0
    ec.cond_ms_cm = 12.88
    assert ask(ec, clock, "R")[1] == "1288"
    ask(ec, clock, "K,10")
    assert ask(ec, clock, "K,?") == (1, "?K,10.00")
    assert ask(ec, clock, "R")[1] == "12880"
    ask(ec, clock, "Cal,dry")
    ask(ec, clock, "Cal,low,12880")
    ec.cond_ms_cm = 80.0
    ask(ec, clock, "Cal,high,80000")
    assert ask(ec, clock, "Cal,?") == (1, "?Cal,2")
    assert ask(ec, clock, "R")[1] == "80000"


@pytest.mark.parametrize(("fault", "errno"), [("no-answer", ENODEV), ("bus-stuck", ETIMEDOUT)])
def test_a_part_that_is_not_there_fails_on_the_wire(ph, fault, errno):
    ph.inject(fault)
    with pytest.raises(BusError) as caught:
        ph.write(b"R")
    assert caught.value.errno == errno
    with pytest.raises(BusError):
        ph.read(1)
    ph.clear(fault)
    ph.write(b"R")


def test_injected_answers(ph, ec, clock):
    ph.ph = 2.0
    ph.inject("wrong-code")
    assert ask(ph, clock, "R") == (2, "")
    ph.clear()
    ph.inject("garbage")
    with pytest.raises(ValueError, match="could not convert"):
        float(ask(ph, clock, "R")[1])
    ph.clear()
    ph.inject("never-ready")
    assert ask(ph, clock, "R", 5000)[0] == 254
    ph.clear()
    ph.inject("short")
    assert ask(ph, clock, "RT,40")[1] == "7.000"
    ec.cond_ms_cm = 96.0
    ec.inject("open")
    assert ask(ec, clock, "R")[1] == "0.00"


def test_an_unknown_fault_lists_the_known(ph):
    with pytest.raises(ValueError, match="ezo-ph has no fault 'fire'; it has bus-stuck, garbage"):
        ph.inject("fire")


@given(commands=st.lists(st.binary(max_size=50), max_size=8))
def test_any_bytes_get_an_answer_code(commands):
    clock = Clock()
    for device in (EzoPh(clock), EzoEc(clock)):
        for command in commands:
            device.write(command)
            clock.ms += 1000
            assert device.read(41)[0] in (1, 2)
