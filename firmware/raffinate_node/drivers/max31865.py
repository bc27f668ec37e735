"""Maxim MAX31865 with a platinum resistor, converting continuously (data sheet 19-6478)."""

from raffinate_node import conversion, quality
from raffinate_node.drivers import AT_ONCE, NOTHING
from raffinate_node.quality import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WRITE = 0x80
_VBIAS = 0x80
_AUTO = 0x40
_THREE_WIRE = 0x10
_CLEAR_FAULTS = 0x02
_FILTER_50HZ = 0x01

_FAULT_VOLTAGE = 0x04
_FULL_SCALE = 32768
_READ_ALL = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00"
# Codes that no temperature of the element gives: a cut or a shorted element.
_OPEN_CODE = 32700
_SHORT_CODE = 60


class Rtd:
    """A PT100 or PT1000 on one chip select; a value in degrees Celsius.

    A chip found unconfigured is configured; its first conversion is there in the next scan.
    """

    phase = AT_ONCE
    needs_temp = False

    def __init__(self, spi: "Any", r0_ohm: float, rref_ohm: float, wires: int = 3) -> None:
        self._spi = spi
        self._r0_ohm = r0_ohm
        self._rref_ohm = rref_ohm
        self._config = _VBIAS | _AUTO | _FILTER_50HZ | (_THREE_WIRE if wires == 3 else 0)
        self._lost = False
        self._started = False

    def begin(self, temp_c: "float | None") -> int:  # noqa: ARG002 - one face for all drivers
        """Nothing to start; the chip converts all the time."""
        return 0

    def collect(self) -> "Any":
        """Return the newest conversion; NOTHING right after the node's start."""
        registers = self._spi.transfer(_READ_ALL)
        if registers[1] != self._config:
            return self._configure()
        self._lost = False
        self._started = True
        code = (registers[2] << 8 | registers[3]) >> 1
        fault = registers[8]
        if fault or registers[3] & 1:
            self._write_config(self._config | _CLEAR_FAULTS)
        if code <= _SHORT_CODE:
            raise Fault(quality.SHORT)
        if code >= _OPEN_CODE:
            raise Fault(quality.OPEN)
        if fault & _FAULT_VOLTAGE:
            raise Fault(quality.SUPPLY)
        if fault:
            # Its causes are a cut force or sense lead (bits 3 to 5) or an unset threshold.
            raise Fault(quality.OPEN)
        try:
            return conversion.rtd_temp_c(code * self._rref_ohm / _FULL_SCALE, self._r0_ohm)
        except ValueError:
            raise Fault(quality.OPEN) from None

    def _configure(self) -> "Any":
        self._write_config(self._config)
        found = self._spi.transfer(bytes(2))[1]
        if found != self._config or self._lost:
            self._lost = True
            raise Fault(quality.ABSENT)
        if self._started:
            self._lost = True
            raise Fault(quality.RESTARTED)
        self._started = True
        return NOTHING

    def _write_config(self, value: int) -> None:
        self._spi.transfer(bytes((_WRITE, value)))
