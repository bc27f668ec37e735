"""An I2C bus with TCA9548A multiplexers: each sensor is reached through its own channel.

The control register of a multiplexer joins one channel (bit n) to the bus. Sensors behind different
multiplexers may have one address, so at most one channel of all is ever joined.
"""

from raffinate_node.quality import ENODEV

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EIO = 5
# A held bus costs a timeout at each access: after failures at this many places in a row the scan
# leaves it alone.
FAILURES_MAX = 2


class Bus:
    """One bus for one task; `muxes` are the addresses of its multiplexers."""

    def __init__(self, i2c: "Any", muxes: "tuple[int, ...]") -> None:
        self._i2c = i2c
        self._muxes = muxes
        self._control = bytearray(1)
        self._joined: "tuple[int, int] | None" = None
        self._known = False
        self._failures = 0
        self._failed_at: "Any" = None

    def begin_scan(self) -> None:
        """Try the bus again, and trust no multiplexer to be as it was left."""
        if self._failures >= FAILURES_MAX:
            self._i2c.recover()
        self._failures = 0
        self._failed_at = None
        self._known = False

    def write(self, path: "tuple[int, int] | None", address: int, data: "Any") -> None:
        """Write to a sensor; `path` is its (multiplexer, channel) or None. Raises OSError."""
        self._check()
        try:
            self._join(path)
            self._i2c.writeto(address, data)
        except OSError as error:
            self._failed(error, path, address)
            raise
        self._failures = 0
        self._failed_at = None

    def read_into(self, path: "tuple[int, int] | None", address: int, buffer: "Any") -> None:
        """Fill the buffer from a sensor. Raises OSError."""
        self._check()
        try:
            self._join(path)
            self._i2c.readfrom_into(address, buffer)
        except OSError as error:
            self._failed(error, path, address)
            raise
        self._failures = 0
        self._failed_at = None

    def _check(self) -> None:
        if self._failures >= FAILURES_MAX:
            raise OSError(EIO)

    def _failed(self, error: OSError, path: "tuple[int, int] | None", address: int) -> None:
        self._known = False
        if not _absent(error) and self._failed_at != (path, address):
            self._failed_at = (path, address)
            self._failures += 1

    def _join(self, path: "tuple[int, int] | None") -> None:
        if not self._known:
            for mux in self._muxes:
                self._part(mux)
            self._joined = None
            self._known = True
        if path is None or path == self._joined:
            return
        if self._joined is not None and self._joined[0] != path[0]:
            self._part(self._joined[0])
        self._control[0] = 1 << path[1]
        self._joined = None
        self._i2c.writeto(path[0], self._control)
        self._joined = path

    def _part(self, mux: int) -> None:
        self._control[0] = 0
        try:
            self._i2c.writeto(mux, self._control)
        except OSError as error:
            # A multiplexer without supply joins nothing; any other failure may leave two sensors
            # answering together.
            if not _absent(error):
                raise


class Target:
    """One sensor's place: bus, address and the path to it."""

    def __init__(self, bus: Bus, address: int, path: "tuple[int, int] | None" = None) -> None:
        self._bus = bus
        self._address = address
        self._path = path

    def write(self, data: "Any") -> None:
        """Write one transaction. Raises OSError."""
        self._bus.write(self._path, self._address, data)

    def read_into(self, buffer: "Any") -> None:
        """Fill the buffer by one transaction. Raises OSError."""
        self._bus.read_into(self._path, self._address, buffer)


def _absent(error: OSError) -> bool:
    return bool(error.args) and error.args[0] == ENODEV
