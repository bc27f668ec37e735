"""Microchip ATECC608: a secure element that makes P-256 keys in its slots and signs with them.

Simulated is what a node uses, as far as Microchip's public data sheet summary and CryptoAuthLib
tell it: waking and sleeping, the watchdog, packets with their CRC, Info, GenKey, Nonce
(pass-through), Sign (external) and their times. Not simulated: configuration and its locks (slots
are as if set up for keys that sign external digests), every other command, and power analysis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from raffinate_rig.devices.base import ENODEV, BusError, Device

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = 0x60
SLOTS = 16
REVISION = bytes((0x00, 0x00, 0x60, 0x02))
WORD_RESET, WORD_SLEEP, WORD_IDLE, WORD_COMMAND = 0x00, 0x01, 0x02, 0x03
INFO, GENKEY, NONCE, SIGN = 0x30, 0x40, 0x16, 0x41
OK, PARSE_ERROR, ECC_FAULT, EXECUTION_ERROR, AWAKE, COMMUNICATION = 0, 3, 5, 0x0F, 0x11, 0xFF
WAKE_MS = 1.5
WATCHDOG_MS = 1300.0
# The longest that CryptoAuthLib waits for each; the part is a little quicker.
BUSY_MS = {INFO: 5.0, GENKEY: 115.0, NONCE: 20.0, SIGN: 115.0}
BUSY_SHARE = 0.9
MIN_PACKET_BYTES = 7


class Atecc608(Device):
    """One part with its slots; private keys never leave it.

    Asleep it acknowledges nothing; `wake` is what a long low on SDA does. A command starts work,
    and a read before the work is done is not acknowledged.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset(
        {"no-answer", "bus-stuck", "never-ready", "bad-crc", "ecc-fault"}
    )

    def __init__(self, now_ms: Callable[[], float], name: str = "atecc608") -> None:
        super().__init__(now_ms, name)
        self.signatures = 0
        self.high_s = 0
        self._keys: dict[int, ec.EllipticCurvePrivateKey] = {}
        self.power_cycle()

    def power_cycle(self) -> None:
        """Asleep, with nothing in TempKey; keys stay."""
        self._woken_ms: float | None = None
        self._ready_ms = 0.0
        self._answer = b""
        self._temp_key: bytes | None = None

    def replace(self) -> None:
        """Another part of the same make is soldered in."""
        self._keys.clear()
        self.power_cycle()

    def wake(self) -> None:
        """SDA was low for at least 60 us."""
        if "no-answer" in self.faults or self._is_awake():
            return
        self._woken_ms = self.now_ms()
        self._ready_ms = self._woken_ms + WAKE_MS
        self._answer = _framed(bytes((AWAKE,)))

    def write(self, data: bytes) -> None:
        """Word address, then for a command its packet."""
        self._check_acknowledges()
        if not data:
            return
        if data[0] == WORD_SLEEP:
            self.power_cycle()
        elif data[0] == WORD_IDLE:
            self._woken_ms = None
        elif data[0] == WORD_COMMAND:
            self._take(data[1:])
        elif data[0] != WORD_RESET:
            self.misuse(f"word address {data[0]:#x}")

    def read(self, count: int) -> bytes:
        """The answer, then 0xFF; not acknowledged while at work."""
        self._check_acknowledges()
        if self.now_ms() < self._ready_ms or "never-ready" in self.faults:
            raise BusError(ENODEV, f"{self.name} is at work")
        answer = self._answer
        if "bad-crc" in self.faults:
            answer = answer[:-1] + bytes((answer[-1] ^ 1,))
        return answer[:count].ljust(count, b"\xff")

    def _is_awake(self) -> bool:
        if self._woken_ms is not None and self.now_ms() - self._woken_ms > WATCHDOG_MS:
            self.power_cycle()
        return self._woken_ms is not None

    def _check_acknowledges(self) -> None:
        self.check_answers()
        if not self._is_awake():
            raise BusError(ENODEV, f"{self.name} sleeps")

    def _take(self, packet: bytes) -> None:
        if self.now_ms() < self._ready_ms:
            self.misuse("a command while another is under way")
            return
        body = packet[:-2]
        if len(packet) < MIN_PACKET_BYTES or packet[0] != len(packet):
            self.misuse(f"a packet of {len(packet)} octets")
            self._finish(bytes((COMMUNICATION,)), 1.0)
        elif crc16(body) != packet[-2:]:
            self._finish(bytes((COMMUNICATION,)), 1.0)
        else:
            param2 = int.from_bytes(body[3:5], "little")
            answer = self._done(body[1], body[2], param2, body[5:])
            self._finish(answer, BUSY_MS.get(body[1], 1.0) * BUSY_SHARE)

    def _finish(self, answer: bytes, busy_ms: float) -> None:
        self._answer = _framed(answer)
        self._ready_ms = self.now_ms() + busy_ms

    def _done(self, opcode: int, param1: int, param2: int, data: bytes) -> bytes:
        if opcode == INFO and param1 == 0:
            return REVISION
        if opcode == NONCE and param1 == 0x03 and len(data) == SHA256.digest_size:
            self._temp_key = data
            return bytes((OK,))
        if opcode == GENKEY and param1 in (0x00, 0x04) and param2 < SLOTS:
            return self._genkey(param2, make=param1 == 0x04)
        if opcode == SIGN and param1 == 0x80 and param2 < SLOTS:
            return self._sign(param2)
        self.misuse(f"command {opcode:#x} with {param1:#x}, {param2:#x} and {len(data)} octets")
        return bytes((PARSE_ERROR,))

    def _genkey(self, slot: int, *, make: bool) -> bytes:
        if make:
            self._keys[slot] = ec.generate_private_key(ec.SECP256R1())
        if slot not in self._keys:
            return bytes((EXECUTION_ERROR,))
        numbers = self._keys[slot].public_key().public_numbers()
        return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def _sign(self, slot: int) -> bytes:
        digest, self._temp_key = self._temp_key, None
        if "ecc-fault" in self.faults:
            return bytes((ECC_FAULT,))
        if digest is None or slot not in self._keys:
            return bytes((EXECUTION_ERROR,))
        # a random nonce, and of the two signatures the one that comes
        der = self._keys[slot].sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
        r, s = utils.decode_dss_signature(der)
        self.signatures += 1
        self.high_s += s > ORDER // 2
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def crc16(data: bytes) -> bytes:
    """CRC-16 with polynomial 0x8005, octets low bit first; low octet first on the wire."""
    crc = 0
    for octet in data:
        for bit in range(8):
            mixes = (crc >> 15) ^ (octet >> bit & 1)
            crc = (crc << 1 & 0xFFFF) ^ (0x8005 if mixes else 0)
    return crc.to_bytes(2, "little")


def _framed(data: bytes) -> bytes:
    body = bytes((len(data) + 3,)) + data
    return body + crc16(body)
