"""The simulated secure element by its data sheet, and the node's two signers by one contract."""

from __future__ import annotations

import hashlib

import pytest

from raffinate_node.element import Element, ElementError, crc16
from raffinate_node.signer import signer_steps
from raffinate_node.store import Store
from raffinate_rig.bus import Bus
from raffinate_rig.bus_codec import I2cRead, I2cWrite
from raffinate_rig.devices import BusError
from raffinate_rig.devices.atecc608 import ADDRESS, BUSY_MS, GENKEY, SIGN
from raffinate_wire import p256, p256_der
from rig_configs import node_config

PLACE = {"bus": 0, "address": ADDRESS, "slot": 3}
DIGEST = hashlib.sha256(b"a statement").digest()


class Clock:
    def __init__(self):
        self.ms = 0.0

    def __call__(self):
        return self.ms


class Hal:
    """A board with the element on its bus; time passes as the steps ask for."""

    def __init__(self):
        self.clock = Clock()
        config = node_config(stages=("e01",), element=PLACE)
        self.bus = Bus(config, now_ms=self.clock)
        self.chip = self.bus.device("element")
        self.seed = b"seed"

    def i2c(self, number):
        assert number == PLACE["bus"]
        return self

    def writeto(self, address, data):
        self._do(I2cWrite(0, address, bytes(data)))

    def readfrom_into(self, address, buffer):
        buffer[:] = self._do(I2cRead(0, address, len(buffer)))

    def random(self, count):
        self.seed = hashlib.sha256(self.seed).digest()
        return (self.seed * 2)[:count]

    def run(self, steps):
        """The steps' value; each wait passes on the device's clock."""
        while True:
            try:
                self.clock.ms += next(steps) or 0
            except StopIteration as end:
                return end.value

    def _do(self, request):
        try:
            return self.bus.answer(request)
        except BusError as error:
            raise OSError(error.errno, str(error)) from None


@pytest.fixture
def hal():
    hal = Hal()
    yield hal
    hal.bus.close()


@pytest.fixture(params=["software", "element"])
def signer(request, hal, tmp_path):
    place = PLACE if request.param == "element" else None
    return hal.run(signer_steps(hal, Store(str(tmp_path)), place))


def test_a_signer_has_a_tier_a_key_and_signatures_with_the_lower_s(signer, hal):
    assert signer.tier in (0, 2)
    p256.parse_spki(signer.spki)
    assert signer.keyid == hashlib.sha256(signer.spki).hexdigest()
    for number in range(12):
        digest = hashlib.sha256(b"%d" % number).digest()
        sig = hal.run(signer.sign_steps(digest))
        p256.verify(signer.spki, digest, sig)  # refuses a high s
        assert p256_der.split_signature(sig)[1] <= p256.N // 2
    assert hal.bus.misuses() == []


def test_a_signer_is_the_same_after_a_restart(hal, tmp_path):
    for place in (None, PLACE):
        first = hal.run(signer_steps(hal, Store(str(tmp_path)), place))
        again = hal.run(signer_steps(hal, Store(str(tmp_path)), place))
        assert first.spki == again.spki


def test_the_element_gives_high_s_too_and_the_port_turns_it(hal, tmp_path):
    signer = hal.run(signer_steps(hal, Store(str(tmp_path)), PLACE))
    for _ in range(40):
        p256.verify(signer.spki, DIGEST, hal.run(signer.sign_steps(DIGEST)))
    assert 0 < hal.chip.high_s < hal.chip.signatures == 40
    # its nonces are random
    assert hal.run(signer.sign_steps(DIGEST)) != hal.run(signer.sign_steps(DIGEST))


def test_no_private_number_of_an_element_is_on_flash(hal, tmp_path):
    signer = hal.run(signer_steps(hal, Store(str(tmp_path)), PLACE))
    files = [path.name for path in (tmp_path / "state").iterdir()]
    assert all(name.startswith("element.") for name in files)
    content = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    secret = hal.chip._keys[PLACE["slot"]].private_numbers().private_value.to_bytes(32, "big")
    assert signer.spki[27:] in content
    assert secret not in content


@pytest.mark.parametrize("fault", ["no-answer", "bus-stuck", "never-ready", "bad-crc", "ecc-fault"])
def test_an_element_that_fails_signs_nothing_and_goes_on_later(hal, tmp_path, fault):
    store = Store(str(tmp_path))
    signer = hal.run(signer_steps(hal, store, PLACE))
    hal.chip.inject(fault)
    began_ms = hal.clock.ms
    with pytest.raises(OSError):  # noqa: PT011 - the port's one error
        hal.run(signer.sign_steps(DIGEST))
    assert hal.clock.ms - began_ms < 1000
    if fault != "ecc-fault":
        # a start without it goes on under the key that is known
        assert hal.run(signer_steps(hal, store, PLACE)).keyid == signer.keyid
        with pytest.raises(OSError):  # noqa: PT011
            hal.run(signer_steps(hal, Store(str(tmp_path / "other")), PLACE))
    hal.chip.clear(fault)
    p256.verify(signer.spki, DIGEST, hal.run(signer.sign_steps(DIGEST)))


def test_another_element_on_the_board_signs_nothing(hal, tmp_path):
    store = Store(str(tmp_path))
    hal.run(signer_steps(hal, store, PLACE))
    hal.chip.inject("no-answer")
    later = hal.run(signer_steps(hal, store, PLACE))
    hal.chip.clear()
    hal.chip.replace()
    with pytest.raises(OSError, match="another key"):
        hal.run(later.sign_steps(DIGEST))
    with pytest.raises(OSError, match="another key"):
        hal.run(signer_steps(hal, store, PLACE))
    element = Element(hal, ADDRESS, PLACE["slot"])
    assert hal.run(element.public_steps()) is None
    hal.run(element.create_steps())
    with pytest.raises(OSError, match="another key"):
        hal.run(later.sign_steps(DIGEST))
    assert hal.chip.signatures == 0


def test_the_packets_are_those_of_the_data_sheet(hal):
    # CRCs as the data sheet and CryptoAuthLib show them: the wake answer, Info
    assert crc16(b"\x04\x11") == b"\x33\x43"
    assert crc16(b"\x07\x30\x00\x00\x00") == b"\x03\x5d"
    chip = hal.chip
    with pytest.raises(BusError):
        chip.write(b"\x03")  # asleep
    chip.wake()
    with pytest.raises(BusError):
        chip.read(4)  # not ready yet
    hal.clock.ms += 2
    assert chip.read(6) == b"\x04\x11\x33\x43\xff\xff"
    chip.write(b"\x03\x07\x30\x00\x00\x00\x03\x5d")
    hal.clock.ms += 5
    assert chip.read(7)[:5] == b"\x07\x00\x00\x60\x02"
    chip.write(b"\x03\x07\x30\x00\x00\x00\x03\x5e")
    hal.clock.ms += 5
    assert chip.read(4)[1] == 0xFF
    assert chip.misuses == []
    hal.clock.ms += 1301
    with pytest.raises(BusError):
        chip.read(4)  # its watchdog


def test_signing_needs_the_digest_of_the_same_waking(hal):
    element = Element(hal, ADDRESS, 0)
    hal.run(element.create_steps())
    assert hal.chip.high_s == 0
    with pytest.raises(ElementError) as refused:
        hal.run(element._session_steps(((SIGN, 0x80, 0, b""),), 64))
    assert refused.value.status == 0x0F
    began_ms = hal.clock.ms
    hal.run(element.sign_steps(DIGEST))
    assert hal.clock.ms - began_ms <= BUSY_MS[SIGN] + BUSY_MS[GENKEY] + 50
    assert hal.bus.misuses() == []
