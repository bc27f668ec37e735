"""The simulated bus: a TCP server on 127.0.0.1 that plays one board's sensors and lines."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from raffinate_rig.bus_codec import (
    BusCodecError,
    CounterRead,
    I2cRead,
    I2cWrite,
    InputRead,
    OutputWrite,
    Request,
    SpiTransfer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    take_message,
)
from raffinate_rig.devices import BusError
from raffinate_rig.devices.base import EINVAL, ETIMEDOUT
from raffinate_rig.wiring import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from raffinate_rig.devices import Device
    from raffinate_rig.wiring import StageReading

HOST = "127.0.0.1"
RECEIVE_BYTES = 4096
MISUSES_MAX = 100


def device_clock(
    speed: float, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], float]:
    """Device time in ms: host time since now, multiplied by the node's speed."""
    start = monotonic()
    return lambda: (monotonic() - start) * 1000.0 * speed


class Bus:
    """One node's bus. Devices are made from its node.json; one connection at a time.

    The connection is the board's power: a new one starts its counters at 0, and when it ends the
    outputs that do not latch open. A newer connection takes the place of an older one.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | Path,
        *,
        speed: float = 1,
        now_ms: Callable[[], float] | None = None,
        port: int = 0,
    ) -> None:
        self.config: Mapping[str, Any] = (
            json.loads(config.read_text(encoding="utf-8")) if isinstance(config, Path) else config
        )
        self.lock = threading.RLock()
        self.board = wire(self.config, now_ms or device_clock(speed))
        self.connections = 0
        self._misuses: list[str] = []
        self._connection: socket.socket | None = None
        self._server = socket.create_server((HOST, port))
        self._closing = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(
            target=self._serve, name=f"bus-{self.config.get('node', '?')}", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`, the value of RAFFINATE_BUS."""
        return f"{HOST}:{self._server.getsockname()[1]}"

    @property
    def powered(self) -> bool:
        """Whether a node is connected now."""
        return self._connection is not None

    @property
    def stages(self) -> list[str]:
        """The stages this node serves."""
        return list(self.board.setters)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and the server; safe to call twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake_write.send(b"x")
        self._thread.join(timeout=10)
        for part in (self._server, self._wake_read, self._wake_write):
            part.close()

    def set_reading(self, stage: str, reading: StageReading) -> None:
        """Let the stage's sensors see `reading`; unknown stages raise KeyError."""
        with self.lock:
            for setter in self.board.setters[stage]:
                setter(reading)

    def device(self, point: str) -> Device:
        """The device that measures `stage/point`."""
        return self.board.points[point]

    def inject(self, point: str, fault: str) -> None:
        """Begin an electrical fault of the device at `stage/point`, or `bus-stuck` of its bus."""
        with self.lock:
            self.board.points[point].inject(fault)

    def clear(self, point: str, fault: str | None = None) -> None:
        """End one or all faults of the device at `stage/point`."""
        with self.lock:
            self.board.points[point].clear(fault)

    def stick(self, bus: int, *, stuck: bool = True) -> None:
        """Hold a whole I2C bus low, or let it go."""
        with self.lock:
            (self.board.stuck_buses.add if stuck else self.board.stuck_buses.discard)(bus)

    def set_input(self, pin: int, level: int) -> None:
        """Drive an input of the node."""
        with self.lock:
            self.board.line(pin, output=False).set_level(level)

    def output(self, pin: int) -> int:
        """The level of an output of the node; 0 where the board has no power."""
        with self.lock:
            return self.board.line(pin, output=True).level()

    def misuses(self) -> list[str]:
        """What drivers did that a data sheet forbids."""
        with self.lock:
            found = [line for device in self.board.devices() for line in device.misuses]
            return self._misuses + found

    def answer(self, request: Request) -> bytes:
        """Carry out one request; raises BusError."""
        match request:
            case I2cWrite(bus, address, data):
                self._check_free(bus)
                if address == 0:
                    self.board.wake(bus)
                self.board.at(bus, address).write(data)
                return b""
            case I2cRead(bus, address, count):
                self._check_free(bus)
                return self.board.at(bus, address).read(count)
            case SpiTransfer(bus, cs, data):
                chip = self.board.spi.get((bus, cs))
                # with nobody on the line, its pull-up reads as ones
                return chip.transfer(data) if chip else b"\xff" * len(data)
            case CounterRead(pin):
                counter = self.board.counters.get(pin)
                if counter is None:
                    raise BusError(EINVAL, f"pin {pin} has no counter")
                return counter.value().to_bytes(8, "big")
            case InputRead(pin):
                return bytes([self.board.line(pin, output=False).level()])
            case OutputWrite(pin, value):
                self.board.line(pin, output=True).set_level(value)
                return b""

    def _check_free(self, bus: int) -> None:
        if bus in self.board.stuck_buses:
            raise BusError(ETIMEDOUT, f"bus {bus} is held low")

    def _answer_bytes(self, body: bytes) -> bytes:
        with self.lock:
            try:
                return encode_answer(0, self.answer(decode_request(body)))
            except BusError as error:
                return encode_answer(error.errno)
            except BusCodecError as error:
                self._note(str(error))
                return encode_answer(EINVAL)

    def _note(self, what: str) -> None:
        if len(self._misuses) < MISUSES_MAX:
            self._misuses.append(what)

    def _serve(self) -> None:
        buffer = b""
        while not self._closing.is_set():
            watched = [self._server, self._wake_read]
            if self._connection is not None:
                watched.append(self._connection)
            ready, _, _ = select.select(watched, [], [])
            if self._server in ready:
                self._power_down()
                self._power_up()
                buffer = b""
            elif self._connection is not None and self._connection in ready:
                buffer = self._receive(self._connection, buffer)
        self._power_down()

    def _receive(self, connection: socket.socket, buffer: bytes) -> bytes:
        try:
            data = connection.recv(RECEIVE_BYTES)
            buffer += data
            body, buffer = take_message(buffer)
            while body is not None:
                connection.sendall(self._answer_bytes(body))
                body, buffer = take_message(buffer)
        except BusCodecError as error:
            self._note(str(error))
            data = b""
        except OSError:
            data = b""
        if not data:
            self._power_down()
            return b""
        return buffer

    def _power_up(self) -> None:
        connection, _ = self._server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            for counter in self.board.counters.values():
                counter.power_cycle()
            self._connection = connection
            self.connections += 1

    def _power_down(self) -> None:
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            for line in self.board.lines.values():
                line.power_cycle()
        with contextlib.suppress(OSError):
            connection.close()


class BusClient:
    """The node's side of the bus, for tests: request, then answer; raises BusError."""

    def __init__(self, address: str, timeout_s: float = 10.0) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection: the board loses its power."""
        self._socket.close()

    def call(self, request: Request) -> bytes:
        """The answer's data; raises BusError with the errno of the answer."""
        self._socket.sendall(encode_request(request))
        body, self._buffer = take_message(self._buffer)
        while body is None:
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the bus closed the connection")
            body, self._buffer = take_message(self._buffer + data)
        status, answer = decode_answer(body)
        if status:
            raise BusError(status, f"{request}: errno {status}")
        return answer
