"""The bus server carries the node's transactions to the devices of its node.json."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_rig.bus import Bus, BusClient
from raffinate_rig.bus_codec import (
    MESSAGE_BYTES_MAX,
    BusCodecError,
    CounterRead,
    I2cRead,
    I2cWrite,
    InputRead,
    OutputWrite,
    SpiTransfer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    take_message,
)
from raffinate_rig.devices import BusError
from raffinate_rig.wiring import WiringError, wire

octet = st.integers(0, 255)
requests = st.one_of(
    st.builds(I2cWrite, octet, octet, st.binary(max_size=60)),
    st.builds(I2cRead, octet, octet, octet),
    st.builds(SpiTransfer, octet, octet, st.binary(max_size=60)),
    st.builds(CounterRead, octet),
    st.builds(InputRead, octet),
    st.builds(OutputWrite, octet, octet),
)


@dataclass
class Reading:
    ph: float = 1.85
    ph_temp_c: float = 30.0
    cond_ms_cm_t: float = 104.0
    temp_c: float = 30.0
    flow_aq_l_h: float = 18.0
    flow_org_l_h: float = 45.0
    level_frac: float = 0.5


class Clock:
    def __init__(self) -> None:
        self.ms = 0.0

    def __call__(self) -> float:
        return self.ms


def stage(name: str, place: int) -> dict:
    mux = [112, place]
    return {
        "id": name,
        "points": [
            {"name": "ph", "driver": "ezo-ph", "bus": 0, "address": 99, "mux": mux},
            {"name": "cond", "driver": "ezo-ec", "bus": 0, "address": 100, "mux": mux},
            {
                "name": "temp",
                "driver": "max31865",
                "bus": 0,
                "cs": 10 + place,
                "r0_ohm": 1000,
                "rref_ohm": 4300,
            },
            {"name": "flow_aq", "driver": "pulse", "pin": 20 + 2 * place, "pulses_per_l": 8000},
            {"name": "flow_org", "driver": "pulse", "pin": 21 + 2 * place, "pulses_per_l": 8000},
            {
                "name": "level",
                "driver": "ads1115",
                "bus": 0,
                "address": 72,
                "channel": place,
                "shunt_ohm": 150,
                "low": 0.0,
                "high": 1.0,
            },
        ],
    }


CONFIG = {
    "node": "n01",
    "stages": [stage("e01", 0), stage("e02", 1)],
    "equipment": [
        {
            "id": "bat",
            "run_pin": 100,
            "start_pin": 101,
            "bypass_pin": None,
            "permissive_pin": 103,
            "latching": False,
        }
    ],
}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bus(clock):
    with Bus(CONFIG, now_ms=clock) as bus:
        bus.set_reading("e01", Reading())
        bus.set_reading("e02", Reading(ph=1.44, level_frac=0.25))
        yield bus


@pytest.fixture
def client(bus):
    with BusClient(bus.address) as client:
        yield client


@given(request=requests)
def test_requests_round_trip(request):
    body, rest = take_message(encode_request(request) + b"tail")
    assert decode_request(body) == request
    assert rest == b"tail"


@given(body=st.binary(max_size=40))
def test_any_bytes_are_a_request_or_the_one_error(body):
    try:
        request = decode_request(body)
    except BusCodecError:
        return
    assert encode_request(request)[2:] == body


@given(status=octet, data=st.binary(max_size=100))
def test_answers_round_trip(status, data):
    assert decode_answer(encode_answer(status, data)[2:]) == (status, data)


@given(items=st.lists(requests, max_size=5), cut=st.integers(0, 200))
def test_messages_are_found_however_the_stream_is_cut(items, cut):
    stream = b"".join(encode_request(item) for item in items)
    found, buffer = [], b""
    for part in (stream[:cut], stream[cut:]):
        buffer += part
        body, buffer = take_message(buffer)
        while body is not None:
            found.append(decode_request(body))
            body, buffer = take_message(buffer)
    assert (found, buffer) == (items, b"")


def test_a_message_over_the_limit_is_refused():
    with pytest.raises(BusCodecError, match="takes 1024"):
        take_message((MESSAGE_BYTES_MAX + 1).to_bytes(2, "big"))
    with pytest.raises(BusCodecError, match="takes 1024"):
        encode_request(I2cWrite(0, 1, bytes(MESSAGE_BYTES_MAX)))
    with pytest.raises(BusCodecError, match="no octet"):
        encode_request(CounterRead(256))


def read_ph(client: BusClient, clock: Clock, channel: int) -> str:
    client.call(I2cWrite(0, 112, bytes([1 << channel])))
    client.call(I2cWrite(0, 99, b"RT,30.0"))
    clock.ms += 900
    answer = client.call(I2cRead(0, 99, 16))
    assert answer[0] == 1
    return answer[1:].split(b"\x00")[0].decode()


def test_every_kind_of_sensor_answers_over_the_wire(bus, client, clock):
    assert read_ph(client, clock, 0) == "1.850"
    assert read_ph(client, clock, 1) == "1.440"
    client.call(I2cWrite(0, 100, b"R"))
    clock.ms += 600
    assert client.call(I2cRead(0, 100, 10)) == b"\x01104000\x00\x00\x00"
    client.call(SpiTransfer(0, 10, b"\x80\xa1"))
    clock.ms += 66
    raw = int.from_bytes(client.call(SpiTransfer(0, 10, b"\x01\x00\x00"))[1:], "big")
    assert (raw >> 1) / 32768 * 4300 == pytest.approx(1116.73, abs=0.2)
    client.call(I2cWrite(0, 72, b"\x01\xd3\x83"))
    clock.ms += 8
    client.call(I2cWrite(0, 72, b"\x00"))
    counts = int.from_bytes(client.call(I2cRead(0, 72, 2)), "big")
    assert counts * 125e-6 == pytest.approx(8.0 * 0.150, abs=125e-6)
    pulses = int.from_bytes(client.call(CounterRead(20)), "big")
    assert pulses == int(18.0 * 8000 * clock.ms / 3.6e6)
    assert bus.misuses() == []


def test_nobody_at_an_address_is_enodev_and_two_at_once_an_error(client):
    for address, errno in ((50, 19), (99, 19)):
        with pytest.raises(BusError) as caught:
            client.call(I2cWrite(0, address, b"R"))
        assert caught.value.errno == errno
    client.call(I2cWrite(0, 112, b"\x03"))
    with pytest.raises(BusError) as caught:
        client.call(I2cWrite(0, 99, b"R"))
    assert caught.value.errno == 5
    assert client.call(SpiTransfer(0, 99, b"\x01\x00")) == b"\xff\xff"


def test_one_dead_device_or_bus_leaves_the_others(bus, client, clock):
    bus.inject("e01/ph", "no-answer")
    client.call(I2cWrite(0, 112, b"\x01"))
    with pytest.raises(BusError):
        client.call(I2cWrite(0, 99, b"R"))
    assert read_ph(client, clock, 1) == "1.440"
    bus.stick(0)
    with pytest.raises(BusError) as caught:
        client.call(I2cWrite(0, 112, b"\x01"))
    assert caught.value.errno == 110
    assert len(client.call(CounterRead(20))) == 8
    bus.stick(0, stuck=False)
    bus.clear("e01/ph")
    assert read_ph(client, clock, 0) == "1.850"


def test_lines_run_in_their_own_direction_only(bus, client):
    bus.set_input(100, 1)
    assert client.call(InputRead(100)) == b"\x01"
    assert client.call(InputRead(101)) == b"\x00"
    client.call(OutputWrite(103, 1))
    assert bus.output(103) == 1
    for wrong in (OutputWrite(100, 1), InputRead(103), InputRead(102), CounterRead(100)):
        with pytest.raises(BusError) as caught:
            client.call(wrong)
        assert caught.value.errno == 22


def wait_until(condition) -> None:
    """Poll without a deadline of its own; the test's timeout is the limit."""
    while not condition():
        pass


def test_a_board_without_power_opens_its_permissive_and_loses_its_counts(bus, clock):
    with BusClient(bus.address) as client:
        client.call(OutputWrite(103, 1))
        clock.ms += 10_000
        assert int.from_bytes(client.call(CounterRead(20)), "big") == 400
        assert bus.powered
    wait_until(lambda: not bus.powered)
    assert bus.output(103) == 0
    with BusClient(bus.address) as client:
        assert int.from_bytes(client.call(CounterRead(20)), "big") == 0
        assert bus.device("e01/flow_aq").total() == 400
    assert bus.connections == 2


def test_a_newer_connection_takes_the_place_of_the_older(bus):
    with BusClient(bus.address) as old, BusClient(bus.address) as new:
        assert len(new.call(CounterRead(20))) == 8
        with pytest.raises(ConnectionError):
            old.call(CounterRead(20))


@pytest.mark.parametrize("body", [b"", b"?", b"c", b"r\x00\x63", b"c\x14\x14"])
def test_nonsense_gets_an_error_and_the_bus_lives_on(bus, client, body):
    host, _, port = bus.address.rpartition(":")
    client.close()
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(len(body).to_bytes(2, "big") + body)
        assert raw.recv(10) == b"\x00\x01\x16"
        raw.sendall(encode_request(InputRead(100)))
        assert raw.recv(10) == b"\x00\x02\x00\x00"
    assert len(bus.misuses()) == 1


def test_a_message_too_long_ends_the_connection(bus):
    host, _, port = bus.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"\xff\xff")
        assert raw.recv(10) == b""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"driver": "geiger"}, "e01/ph: the rig has no device for 'geiger'"),
        ({"address": 100}, "e01/cond: tca9548a-0-112 channel 0 already has address 100"),
        ({"mux": [112, 8]}, "e01/ph: list index out of range"),
    ],
)
def test_what_cannot_be_wired_is_named(clock, change, message):
    broken = stage("e01", 0)
    broken["points"][0] = broken["points"][0] | change
    with pytest.raises(WiringError, match=message):
        wire({"stages": [broken]}, clock)
