"""TI ADS1115, single-shot, reading 4-20 mA loops through a shunt (data sheet SBAS444)."""

from raffinate_node import conversion, quality
from raffinate_node.drivers import IN_TURN, NOT_YET
from raffinate_node.drivers.tca9548a import Target
from raffinate_node.quality import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Writing one octet points at a register.
_CONVERSION = b"\x00"
_CONFIG = b"\x01"
# OS start, AIN0 against ground, +-4.096 V, single-shot, 250 samples/s, comparator off
_START = 0x8000 | 0x4000 | 0x0200 | 0x0100 | 0x00A0 | 0x0003
_DONE = 0x80
# 4 ms at the nominal rate, which may be 10 % slow
CONVERSION_MS = 5
UV_PER_COUNT = 125
LOOP_DELAY_MS = 3000

# Filled and read within one call, so one serves all channels.
_register = bytearray(2)


class LoopInput(Target):
    """One 4-20 mA transmitter on one channel; `low` and `high` are its values at 4 and 20 mA.

    NE 43: a current in a failure band counts as S for `delay_ms`, after that as F.
    """

    phase = IN_TURN
    needs_temp = False

    def __init__(
        self,
        bus: "Any",
        address: int,
        path: "Any",
        up_ms: "Any",
        channel: int,
        shunt_ohm: float,
        low: float,
        high: float,
        delay_ms: int = LOOP_DELAY_MS,
    ) -> None:
        super().__init__(bus, address, path)
        self._up_ms = up_ms
        self._shunt_ohm = shunt_ohm
        self._low = low
        self._high = high
        self._delay_ms = delay_ms
        self._config = _START | channel << 12
        self._failing_since_ms: "int | None" = None

    def begin(self, temp_c: "float | None") -> int:  # noqa: ARG002 - one face for all drivers
        """Start the conversion; Fault where the converter still works on another."""
        self.write(_CONFIG)
        self.read_into(_register)
        if not _register[0] & _DONE:
            raise Fault(quality.NOT_READY)
        self.write(_CONFIG + bytes((self._config >> 8, self._config & 0xFF)))
        return CONVERSION_MS

    def collect(self) -> "Any":
        """Return the transmitter's value, or NOT_YET while the converter is busy."""
        self.read_into(_register)
        if (_register[0] | _DONE) << 8 | _register[1] != self._config:
            raise Fault(quality.RESTARTED)
        if not _register[0] & _DONE:
            return NOT_YET
        self.write(_CONVERSION)
        self.read_into(_register)
        counts = _register[0] << 8 | _register[1]
        if counts >= 0x8000:
            counts -= 0x10000
        return self._judged(counts * UV_PER_COUNT / self._shunt_ohm / 1000.0)

    def give_up(self) -> None:
        """Nothing to start afresh: every scan writes the whole configuration."""

    def _judged(self, current_ma: float) -> float:
        state = conversion.loop_state(current_ma)
        if state is None or state[0] != "F":
            self._failing_since_ms = None
        elif self._failing_since_ms is None:
            self._failing_since_ms = self._up_ms()
        if state is None:
            return conversion.loop_value(current_ma, self._low, self._high)
        if state[0] == "F" and self._up_ms() - (self._failing_since_ms or 0) < self._delay_ms:
            state = "S" + state[1:]
        raise Fault(state)
