"""The Unix port of MicroPython on a rig: sensors over the simulated bus, ticks at a chosen speed.

The node's process sees neither the host's clock nor its devices. `RAFFINATE_BUS` names the bus,
`RAFFINATE_FLASH` the flash folder, `RAFFINATE_SPEED` how many times faster than real the ticks run
and `RAFFINATE_RESET_CAUSE` why the node starts. With `RAFFINATE_HEAP_EVERY` the console says
`raffinate heap SCANS USED FREE`, in bytes after a collection, every so many scans. The bus protocol
is in docs/architecture.md.
"""

import asyncio
import hashlib
import os
import socket
import sys
import time

from raffinate_node.hal.common import firmware_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EIO = 5
ENODEV = 19
BUS_TIMEOUT_S = 2
BUS_RETRY_MS = 500
MESSAGE_BYTES_MAX = 512
SPEED_MAX = 1000
SCANS_MAX = 1_000_000
RESET_EXIT_CODE = 3


class Hal:
    """A rig's node. Raises ValueError, for the console, where the environment is not complete."""

    def __init__(self) -> None:
        self.flash_root = _variable("RAFFINATE_FLASH", "the node's flash folder")
        self.reset_cause_text = os.getenv("RAFFINATE_RESET_CAUSE") or "power-on"
        self.heap_every = _integer("RAFFINATE_HEAP_EVERY", 0, SCANS_MAX)
        self._ticks = Ticks(_integer("RAFFINATE_SPEED", 1, SPEED_MAX))
        self._bus = Bus(_variable("RAFFINATE_BUS", "HOST:PORT of the simulated bus"), self._ticks)

    def configure(self, config: "Any") -> None:
        """Nothing to set up: the rig wires the sensors."""

    def ticks_ms(self) -> int:
        """Milliseconds that only ticks_diff compares."""
        return self._ticks.now_ms()

    def ticks_diff(self, a: int, b: int) -> int:
        """Return a - b in ms."""
        return time.ticks_diff(a, b)

    def i2c(self, bus: int) -> "I2c":
        """An I2C bus."""
        return I2c(self._bus, bus)

    def spi(self, bus: int, cs: int) -> "Spi":
        """A device on an SPI bus."""
        return Spi(self._bus, bus, cs)

    def counter(self, pin: int) -> "Counter":
        """A pulse counter."""
        return Counter(self._bus, pin)

    def digital_in(self, pin: int) -> "Line":
        """An input line."""
        return Line(self._bus, pin)

    def digital_out(self, pin: int, latching: bool) -> "Line":  # noqa: ARG002 - the relay's matter
        """An output line, as it is until set."""
        return Line(self._bus, pin)

    def random(self, count: int) -> bytes:
        """Bytes fit for keys."""
        return os.urandom(count)

    def unique_id(self) -> bytes:
        """8 bytes that tell this node from others of its rig."""
        return hashlib.sha256(self.flash_root.encode()).digest()[:8]

    def reset_cause(self) -> str:
        """power-on, hard, watchdog, soft, deep-sleep or unknown."""
        return self.reset_cause_text

    def reset(self) -> None:
        """End the process with RESET_EXIT_CODE; the rig starts it again."""
        sys.exit(RESET_EXIT_CODE)

    def watchdog_feed(self) -> None:
        """A process needs no watchdog: the rig sees it end."""

    async def network_up(self) -> bool:
        """The host's network is there."""
        return True

    def console(self, text: str) -> None:
        """One line on the console."""
        print(text)  # noqa: T201 - standard output is the console

    def firmware_digest(self) -> str:
        """SHA-256 of what runs, in hex."""
        return firmware_digest()


class Ticks:
    """Ticks at `speed` times real time; asyncio's own ticks and waits follow."""

    def __init__(self, speed: int) -> None:
        self._speed = speed
        self._start_us = time.ticks_us()
        self._start_ms: "Any" = time.ticks_ms()
        if speed != 1:
            self._lead_asyncio()

    def now_ms(self) -> int:
        """The ticks now."""
        if self._speed == 1:
            now: "Any" = time.ticks_ms()
            return now
        passed_us = time.ticks_diff(time.ticks_us(), self._start_us)
        return self._start_ms + passed_us * self._speed // 1000

    def _lead_asyncio(self) -> None:
        # Scaled ticks never lie before the real ones, which the C part of asyncio stamps on tasks
        # that are ready at once; so those stay ready.
        core: "Any" = asyncio.core  # type: ignore[attr-defined]
        speed = self._speed
        wait = core.IOQueue.wait_io_event

        def wait_io_event(queue: "Any", wait_ms: int) -> None:
            wait(queue, wait_ms // speed if wait_ms > 0 else wait_ms)

        core.ticks = self.now_ms
        core.IOQueue.wait_io_event = wait_io_event


class Bus:
    """The rig's side of every pin: request, then answer, over one connection.

    While the rig is away every request raises OSError at once; a new connection is tried twice a
    second.
    """

    def __init__(self, address: str, ticks: Ticks) -> None:
        host, colon, port = address.partition(":")
        if not colon or not port.isdigit():
            raise ValueError(f"RAFFINATE_BUS is {address}: write HOST:PORT")
        self._host = host
        self._port = int(port)
        self._ticks = ticks
        self._socket: "Any" = None
        self._failed_ms: "Any" = None
        self._buffer = bytearray(MESSAGE_BYTES_MAX)
        self._view = memoryview(self._buffer)

    def request(self, op: int, first: int, second: int, data: "Any", count: int) -> memoryview:
        """Return `count` bytes of answer, valid until the next request; second < 0: left out."""
        if self._socket is None:
            self._connect()
        try:
            self._send(op, first, second, data)
            return self._receive(count)
        except OSError as error:
            if not getattr(error, "answered", False):
                self._drop()
            raise

    def _send(self, op: int, first: int, second: int, data: "Any") -> None:
        buffer = self._buffer
        buffer[2] = op
        buffer[3] = first
        end = 4
        if second >= 0:
            buffer[4] = second
            end = 5
        if data is not None:
            buffer[end : end + len(data)] = data
            end += len(data)
        buffer[0] = (end - 2) >> 8
        buffer[1] = (end - 2) & 0xFF
        self._socket.write(self._view[:end])

    def _receive(self, count: int) -> memoryview:
        self._fill(3)
        size = self._buffer[0] << 8 | self._buffer[1]
        status = self._buffer[2]
        if not 1 <= size <= MESSAGE_BYTES_MAX:
            raise OSError(EIO)
        if size > 1:
            self._fill(size - 1)
        if status:
            raise DeviceError(status)
        if size - 1 != count:
            raise OSError(EIO)
        return self._view[:count]

    def _fill(self, count: int) -> None:
        if self._socket.readinto(self._view[:count]) != count:
            raise OSError(EIO)

    def _connect(self) -> None:
        now_ms: "Any" = time.ticks_ms()
        if self._failed_ms is not None and time.ticks_diff(now_ms, self._failed_ms) < BUS_RETRY_MS:
            raise OSError(EIO)
        link: "Any" = socket.socket()
        try:
            link.settimeout(BUS_TIMEOUT_S)
            link.connect(socket.getaddrinfo(self._host, self._port)[0][-1])
            # TCP_NODELAY: each request waits for its answer
            link.setsockopt(6, 1, 1)
        except OSError:
            link.close()
            self._failed_ms = now_ms
            raise
        self._socket = link
        self._failed_ms = None

    def _drop(self) -> None:
        self._socket.close()
        self._socket = None
        self._failed_ms = time.ticks_ms()


class DeviceError(OSError):
    """The rig answered that the transaction failed; the connection is good."""

    answered = True


class I2c:
    """One I2C bus of the rig; OSError 19 where nobody answers at the address."""

    def __init__(self, bus: Bus, number: int) -> None:
        self._bus = bus
        self._number = number

    def writeto(self, address: int, data: "Any") -> None:
        """Write one transaction."""
        self._bus.request(0x77, self._number, address, data, 0)

    def readfrom_into(self, address: int, buffer: "Any") -> None:
        """Fill the buffer by one transaction."""
        count = bytes((len(buffer),))
        buffer[:] = self._bus.request(0x72, self._number, address, count, len(buffer))

    def recover(self) -> None:
        """A board clocks a held bus free here; on the rig the fault ends when the rig ends it."""


class Spi:
    """One chip select of an SPI bus of the rig."""

    def __init__(self, bus: Bus, number: int, cs: int) -> None:
        self._bus = bus
        self._number = number
        self._cs = cs

    def transfer(self, data: bytes) -> bytes:
        """Return what comes back while data goes out."""
        return bytes(self._bus.request(0x73, self._number, self._cs, data, len(data)))


class Counter:
    """A pulse counter of the rig."""

    def __init__(self, bus: Bus, pin: int) -> None:
        self._bus = bus
        self._pin = pin

    def value(self) -> int:
        """Pulses since the node's start."""
        return int.from_bytes(self._bus.request(0x63, self._pin, -1, None, 8), "big")


class Line:
    """A digital line of the rig, either direction."""

    def __init__(self, bus: Bus, pin: int) -> None:
        self._bus = bus
        self._pin = pin

    def value(self) -> int:
        """The level, 0 or 1."""
        return 1 if self._bus.request(0x69, self._pin, -1, None, 1)[0] else 0

    def set(self, level: int) -> None:
        """Drive the line."""
        self._bus.request(0x6F, self._pin, 1 if level else 0, None, 0)


def _variable(name: str, meaning: str) -> str:
    value = os.getenv(name)
    if not value:
        raise ValueError(f"the environment variable {name} is not set: it is {meaning}")
    return value


def _integer(name: str, least: int, most: int) -> int:
    text = os.getenv(name) or str(least)
    if not text.isdigit() or not least <= int(text) <= most:
        raise ValueError(f"{name} is {text}: write {least} to {most}")
    return int(text)
