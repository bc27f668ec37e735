"""An ATECC608 secure element on I2C: makes a P-256 key in a slot, tells its point, signs with it.

After Microchip's public data sheet summary and CryptoAuthLib. A packet is count, opcode, param1,
param2 (low octet first), data, CRC-16; an answer count, data or one status octet, CRC-16. While it
works the part does not acknowledge its address. It sleeps by itself at most 1.3 s after waking.
Loaded only where node.json names an element.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

DIGEST_BYTES = 32
PAIR_BYTES = 64
# After SDA was low for 60 us: an address of zeros at 100 kHz is.
WAKE_MS = 2
WAKE_ANSWER = b"\x04\x11\x33\x43"
POLL_MS = 5

SLEEP, COMMAND = b"\x01", b"\x03"
INFO, GENKEY, NONCE, SIGN = 0x30, 0x40, 0x16, 0x41
INFO_REVISION, GENKEY_PUBLIC, GENKEY_CREATE = 0x00, 0x00, 0x04
NONCE_PASS_THROUGH, SIGN_EXTERNAL = 0x03, 0x80
PART = b"\x00\x00\x60"
# The longest each may take, ms (CryptoAuthLib's table for the ATECC608).
BUSY_MS_MAX = {INFO: 5, GENKEY: 115, NONCE: 20, SIGN: 115}
OK, ECC_FAULT, EXECUTION_ERROR = 0x00, 0x05, 0x0F


class ElementError(OSError):
    """The element answered, and not with what was asked for; `status` is its octet."""

    def __init__(self, status: int) -> None:
        super().__init__(f"secure element: status {status}")
        self.status = status


class Element:
    """One element, one slot. Each method is a generator that yields waits in ms.

    They raise OSError when the bus fails or nobody answers, ElementError when the element refuses.
    """

    def __init__(self, i2c: "Any", address: int, slot: int) -> None:
        self._i2c = i2c
        self._address = address
        self._slot = slot
        self._answer = bytearray(PAIR_BYTES + 3)

    def public_steps(self) -> "Generator[int, None, bytes | None]":
        """Return the point x || y of the slot's key, None where no key was made in it yet."""
        part = yield from self._session_steps(((INFO, INFO_REVISION, 0, b""),), 4)
        if part[:3] != PART:
            raise ElementError(part[2])
        try:
            return (
                yield from self._session_steps(
                    ((GENKEY, GENKEY_PUBLIC, self._slot, b""),), PAIR_BYTES
                )
            )
        except ElementError as error:
            if error.status in (ECC_FAULT, EXECUTION_ERROR):
                return None
            raise

    def create_steps(self) -> "Generator[int, None, bytes]":
        """Make a key in the slot, in place of one that is there; return its point x || y."""
        create = (GENKEY, GENKEY_CREATE, self._slot, b"")
        return (yield from self._session_steps((create,), PAIR_BYTES))

    def sign_steps(self, digest: bytes) -> "Generator[int, None, bytes]":
        """Return r || s for a digest of 32 bytes; s may be any of the two."""
        load = (NONCE, NONCE_PASS_THROUGH, 0, digest)
        sign = (SIGN, SIGN_EXTERNAL, self._slot, b"")
        return (yield from self._session_steps((load, sign), PAIR_BYTES))

    def _session_steps(self, commands: "Any", size: int) -> "Generator[int, None, bytes]":
        # Wake, do all commands, sleep; return the last one's data of `size` octets.
        try:
            data = yield from self._awake_steps(commands)
        except ElementError:
            raise
        except OSError:
            # It may have slept in between, or a bit was lost on the way: once more.
            data = yield from self._awake_steps(commands)
        if len(data) != size:
            raise ElementError(data[0])
        return data

    def _awake_steps(self, commands: "Any") -> "Generator[int, None, bytes]":
        data = b""
        try:
            yield from self._wake_steps()
            for command in commands:
                data = yield from self._command_steps(*command)
        finally:
            self._sleep()
        return data

    def _wake_steps(self) -> "Generator[int, None, None]":
        try:
            self._i2c.writeto(0, b"")
        except OSError:
            pass  # nobody has this address
        yield WAKE_MS
        answer = memoryview(self._answer)[:4]
        self._i2c.readfrom_into(self._address, answer)
        if bytes(answer) != WAKE_ANSWER:
            raise OSError("secure element: does not wake")

    def _command_steps(
        self, opcode: int, param1: int, param2: int, data: bytes
    ) -> "Generator[int, None, bytes]":
        packet = bytes((7 + len(data), opcode, param1, param2 & 0xFF, param2 >> 8)) + data
        self._i2c.writeto(self._address, COMMAND + packet + crc16(packet))
        left_ms = BUSY_MS_MAX[opcode] + POLL_MS
        while True:
            yield POLL_MS
            left_ms -= POLL_MS
            try:
                self._i2c.readfrom_into(self._address, self._answer)
                break
            except OSError:
                if left_ms <= 0:
                    raise
        count = self._answer[0]
        if not 4 <= count <= len(self._answer):
            raise OSError("secure element: garbled answer")
        body = bytes(self._answer[: count - 2])
        if crc16(body) != self._answer[count - 2 : count]:
            raise OSError("secure element: garbled answer")
        if count == 4 and body[1] != OK:
            raise ElementError(body[1])
        return body[1:]

    def _sleep(self) -> None:
        try:
            self._i2c.writeto(self._address, SLEEP)
        except OSError:
            pass  # it sleeps already, or is not there


def crc16(data: bytes) -> bytes:
    """Return the CRC of a packet, low octet first: polynomial 0x8005, each octet low bit first."""
    crc = 0
    for octet in data:
        for bit in range(8):
            high = crc >> 15
            crc = crc << 1 & 0xFFFF
            if high != octet >> bit & 1:
                crc ^= 0x8005
    return bytes((crc & 0xFF, crc >> 8))
