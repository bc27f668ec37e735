"""Messages of the simulated bus (docs/architecture.md), without sockets.

request  2-byte big-endian length of what follows, op octet, arguments
answer   2-byte big-endian length of what follows, status octet (0 or an errno), data
"""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_BYTES_MAX = 1024
LENGTH_BYTES = 2
ARGUMENTS_MIN = {b"w": 2, b"r": 3, b"s": 2, b"c": 1, b"i": 1, b"o": 2}
ARGUMENTS_OPEN = (b"w", b"s")  # these end in data of any length


class BusCodecError(ValueError):
    """Bytes that are no message of the bus."""


@dataclass(frozen=True, slots=True)
class I2cWrite:
    """`w`: write `data` to `address`."""

    bus: int
    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class I2cRead:
    """`r`: read `count` bytes from `address`."""

    bus: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class SpiTransfer:
    """`s`: full duplex with chip select `cs`; the answer is as long as `data`."""

    bus: int
    cs: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CounterRead:
    """`c`: pulses counted at `pin`, 8 bytes big-endian."""

    pin: int


@dataclass(frozen=True, slots=True)
class InputRead:
    """`i`: level of `pin`, 1 byte."""

    pin: int


@dataclass(frozen=True, slots=True)
class OutputWrite:
    """`o`: drive `pin`."""

    pin: int
    value: int


Request = I2cWrite | I2cRead | SpiTransfer | CounterRead | InputRead | OutputWrite


def encode_request(request: Request) -> bytes:
    """The bytes on the wire; raises BusCodecError where a field does not fit."""
    try:
        match request:
            case I2cWrite(bus, address, data):
                body = b"w" + bytes([bus, address]) + data
            case I2cRead(bus, address, count):
                body = b"r" + bytes([bus, address, count])
            case SpiTransfer(bus, cs, data):
                body = b"s" + bytes([bus, cs]) + data
            case CounterRead(pin):
                body = b"c" + bytes([pin])
            case InputRead(pin):
                body = b"i" + bytes([pin])
            case OutputWrite(pin, value):
                body = b"o" + bytes([pin, value])
    except ValueError as error:
        raise BusCodecError(f"{request} has a field that is no octet") from error
    return _with_length(body)


def decode_request(body: bytes) -> Request:
    """One request from what follows the length; raises BusCodecError."""
    op, arguments = body[:1], body[1:]
    least = ARGUMENTS_MIN.get(op)
    if least is None or len(arguments) < least:
        raise BusCodecError(f"no bus request: {body[:16]!r}")
    if len(arguments) > least and op not in ARGUMENTS_OPEN:
        raise BusCodecError(f"{len(arguments) - least} bytes too many: {body[:16]!r}")
    match op:
        case b"w":
            return I2cWrite(arguments[0], arguments[1], arguments[2:])
        case b"r":
            return I2cRead(*arguments)
        case b"s":
            return SpiTransfer(arguments[0], arguments[1], arguments[2:])
        case b"c":
            return CounterRead(*arguments)
        case b"i":
            return InputRead(*arguments)
        case _:
            return OutputWrite(*arguments)


def encode_answer(status: int, data: bytes = b"") -> bytes:
    """The answer's bytes; `status` is 0 or an errno up to 255."""
    return _with_length(bytes([status]) + data)


def decode_answer(body: bytes) -> tuple[int, bytes]:
    """(status, data) from what follows the length; raises BusCodecError."""
    if not body:
        raise BusCodecError("an answer without a status")
    return body[0], body[1:]


def take_message(buffer: bytes) -> tuple[bytes | None, bytes]:
    """(first whole message's body or None, the rest); raises BusCodecError when too long."""
    if len(buffer) < LENGTH_BYTES:
        return None, buffer
    length = int.from_bytes(buffer[:LENGTH_BYTES], "big")
    if length > MESSAGE_BYTES_MAX:
        raise BusCodecError(f"a message of {length} bytes; the bus takes {MESSAGE_BYTES_MAX}")
    end = LENGTH_BYTES + length
    if len(buffer) < end:
        return None, buffer
    return buffer[LENGTH_BYTES:end], buffer[end:]


def _with_length(body: bytes) -> bytes:
    if len(body) > MESSAGE_BYTES_MAX:
        raise BusCodecError(f"a message of {len(body)} bytes; the bus takes {MESSAGE_BYTES_MAX}")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
