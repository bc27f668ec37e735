"""ADS1115, MAX31865, TCA9548A and the lines behave as their registers are documented."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_rig.devices import (
    Ads1115,
    BusError,
    DigitalLine,
    EzoPh,
    Max31865,
    PulseCounter,
    Tca9548a,
)


class Clock:
    def __init__(self) -> None:
        self.ms = 0.0

    def __call__(self) -> float:
        return self.ms


@pytest.fixture
def clock():
    return Clock()


def register(device: Ads1115, number: int) -> int:
    device.write(bytes([number]))
    return int.from_bytes(device.read(2), "big")


def convert(device: Ads1115, clock: Clock, config: int, wait_ms: float = 8) -> int:
    device.write(b"\x01" + config.to_bytes(2, "big"))
    clock.ms += wait_ms
    raw = register(device, 0)
    return raw - 65536 if raw >= 32768 else raw


def test_ads1115_single_shot_shows_busy_then_the_voltage(clock):
    ads = Ads1115(clock)
    assert register(ads, 1) == 0x8583
    ads.loop_ma[2] = 12.0
    ads.write(b"\x01" + (0x8000 | 0x6000 | 0x0200 | 0x0100 | 0x0080 | 0x0003).to_bytes(2, "big"))
    assert not register(ads, 1) & 0x8000
    clock.ms += 7.9
    assert register(ads, 1) & 0x8000
    assert register(ads, 0) * 125e-6 == pytest.approx(12.0 * 0.150, abs=125e-6)
    assert ads.misuses == []


def test_ads1115_read_before_the_conversion_is_the_old_value_and_misuse(clock):
    ads = Ads1115(clock)
    ads.loop_ma[0] = 20.0
    ads.write(b"\x01\xc3\x83")
    assert register(ads, 0) == 0
    assert ads.misuses == ["ads1115: conversion read before it was done"]


@pytest.mark.parametrize(("rate_bits", "ms"), [(0x00, 125.0), (0x80, 7.8125), (0xE0, 1000 / 860)])
def test_ads1115_conversion_time_follows_the_rate(clock, rate_bits, ms):
    ads = Ads1115(clock)
    ads.write(b"\x01" + (0xC303 | rate_bits).to_bytes(2, "big"))
    clock.ms = ms * 0.99
    assert not register(ads, 1) & 0x8000
    clock.ms = ms * 1.01
    assert register(ads, 1) & 0x8000


def test_ads1115_gain_multiplexer_sign_and_clipping(clock):
    ads = Ads1115(clock)
    ads.loop_ma[:] = [4.0, 20.0, 0.0, 0.0]
    assert convert(ads, clock, 0xC383) == round(0.6 / 4.096 * 32768)
    assert convert(ads, clock, 0xD383) == round(3.0 / 4.096 * 32768)
    assert convert(ads, clock, 0xD583) == 32767
    assert convert(ads, clock, 0x8383) == round(-2.4 / 4.096 * 32768)


def test_ads1115_faults(clock):
    ads = Ads1115(clock)
    ads.loop_ma[:] = [12.0] * 4
    ads.inject("open-1")
    ads.inject("short-2")
    assert convert(ads, clock, 0xD383) == 0
    assert convert(ads, clock, 0xE383) == round(3.3 / 4.096 * 32768)
    assert convert(ads, clock, 0xC383) == round(1.8 / 4.096 * 32768)
    ads.inject("never-ready")
    ads.write(b"\x01\xc3\x83")
    clock.ms += 10_000
    assert not register(ads, 1) & 0x8000
    ads.clear()
    ads.power_cycle()
    assert register(ads, 1) == 0x8583
    ads.inject("no-answer")
    with pytest.raises(BusError):
        ads.read(2)


def one_shot(device: Max31865, clock: Clock, wait_ms: float = 66) -> tuple[float, int]:
    device.transfer(b"\x80\x82")
    device.transfer(b"\x80\xa1")
    clock.ms += wait_ms
    raw = int.from_bytes(device.transfer(b"\x01\x00\x00")[1:], "big")
    return (raw >> 1) / 32768 * device.rref_ohm, raw & 1


@given(temp_c=st.floats(-20, 150))
def test_max31865_resistance_ratio_gives_the_temperature(temp_c):
    clock = Clock()
    rtd = Max31865(clock)
    rtd.temp_c = temp_c
    ohm, fault = one_shot(rtd, clock)
    a, b = 3.9083e-3, -5.775e-7
    measured = (-a + math.sqrt(a * a - 4 * b * (1 - ohm / 1000.0))) / (2 * b)
    # one step of the converter is 0.034 K; the square-root form is for T >= 0
    assert measured == pytest.approx(temp_c, abs=0.02 if temp_c >= 0 else 0.04)
    assert fault == 0
    assert rtd.misuses == []


def test_max31865_registers_after_power_on_and_addressing(clock):
    rtd = Max31865(clock)
    assert rtd.transfer(bytes(9))[1:] == b"\x00\x00\x00\xff\xff\x00\x00\x00"
    rtd.transfer(b"\x83\x12\x34\x56\x78")
    assert rtd.transfer(b"\x03\x00\x00\x00\x00")[1:] == b"\x12\x34\x56\x78"
    rtd.transfer(b"\x81\x99")
    assert len(rtd.misuses) == 1
    rtd.power_cycle()
    assert rtd.transfer(b"\x03\x00\x00")[1:] == b"\xff\xff"


def test_max31865_one_shot_bit_clears_itself_and_needs_bias_and_time(clock):
    rtd = Max31865(clock)
    rtd.transfer(b"\x80\x20")
    assert rtd.misuses == ["max31865: conversion without VBIAS"]
    rtd.transfer(b"\x80\xa0")
    rtd.transfer(b"\x01\x00\x00")
    assert rtd.misuses[1:] == ["max31865: RTD read before the conversion was done"] * 2
    clock.ms += 53
    assert rtd.transfer(b"\x00\x00")[1] == 0x80


@pytest.mark.parametrize(("fault", "ohm", "bit"), [("open", 4300.0, 0x80), ("short", 0.0, 0x40)])
def test_max31865_open_and_short_set_their_fault_bits(clock, fault, ohm, bit):
    rtd = Max31865(clock)
    rtd.inject(fault)
    measured, flag = one_shot(rtd, clock)
    assert measured == pytest.approx(ohm, abs=0.2)
    assert flag == 1
    assert rtd.transfer(b"\x07\x00")[1] & bit
    rtd.clear()
    rtd.transfer(b"\x80\x82")
    assert rtd.transfer(b"\x07\x00")[1] == 0
    assert one_shot(rtd, clock)[1] == 0


def test_max31865_without_supply_or_with_a_shorted_line(clock):
    rtd = Max31865(clock)
    rtd.inject("no-answer")
    assert rtd.transfer(b"\x01\x00\x00") == b"\xff\xff\xff"
    rtd.clear()
    rtd.inject("stuck-low")
    assert rtd.transfer(b"\x01\x00\x00") == b"\x00\x00\x00"


def test_tca9548a_routes_only_joined_channels(clock):
    mux = Tca9548a(clock)
    first, second = EzoPh(clock, "first"), EzoPh(clock, "second")
    mux.attach(0, 99, first)
    mux.attach(3, 99, second)
    assert mux.reached(99) == []
    mux.write(b"\x08")
    assert mux.reached(99) == [second]
    assert mux.read(1) == b"\x08"
    mux.write(b"\x09")
    assert mux.reached(99) == [first, second]
    mux.power_cycle()
    assert mux.read(1) == b"\x00"
    with pytest.raises(ValueError, match="already has address 99"):
        mux.attach(0, 99, second)


@given(steps=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 10_000)), max_size=20))
def test_pulses_are_the_integral_of_the_flow(steps):
    clock = Clock()
    meter = PulseCounter(clock, pulses_per_l=8000)
    expected = 0.0
    shown = 0
    for flow_l_h, wait_ms in steps:
        meter.set_flow(flow_l_h)
        clock.ms += wait_ms
        expected += flow_l_h * 8000 * wait_ms / 3.6e6
        assert meter.value() >= shown
        shown = meter.value()
    assert meter.value() == pytest.approx(expected, abs=1)


def test_a_board_start_zeroes_its_counter_and_not_the_meter(clock):
    meter = PulseCounter(clock, pulses_per_l=3600)
    meter.set_flow(10.0)
    clock.ms += 1000
    assert (meter.value(), meter.total()) == (10, 10)
    meter.power_cycle()
    clock.ms += 500
    assert (meter.value(), meter.total()) == (5, 15)
    meter.inject("open")
    clock.ms += 500
    assert meter.value() == 5
    meter.clear()
    meter.set_flow(-3.0)
    clock.ms += 500
    assert meter.value() == 5


def test_outputs_open_without_power_unless_latching(clock):
    plain, latching = (
        DigitalLine(clock, output=True),
        DigitalLine(clock, output=True, latching=True),
    )
    for line in (plain, latching):
        line.set_level(1)
        line.power_cycle()
    assert (plain.level(), latching.level()) == (0, 1)
    contact = DigitalLine(clock)
    contact.set_level(1)
    contact.power_cycle()
    assert contact.level() == 1
    contact.inject("open")
    assert contact.level() == 0
