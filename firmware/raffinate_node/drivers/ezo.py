"""Atlas Scientific EZO circuits in I2C mode: pH and conductivity (EZO-pH and EZO-EC data sheets).

A command is ASCII text; after its processing time one read gives a code octet (1 done, 2 not
understood, 254 busy, 255 nothing to send), text and NUL. One command a scan: after start and after
every interruption the driver first spends scans on its setup commands, once an hour one scan on
the electrode's health; such a scan has no value.
"""

from raffinate_node import conversion, quality
from raffinate_node.drivers import NOT_YET, NOTHING, TOGETHER
from raffinate_node.drivers.tca9548a import Target
from raffinate_node.quality import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READING_MS = 900
COMMAND_MS = 300
HEALTH_MS = 3_600_000
ANSWER_BYTES = 40
READING_BYTES = 20

_DONE = 1
_NOT_UNDERSTOOD = 2
_BUSY = 254
_NO_DATA = 255

NOMINAL_TEMP_C = 25.0
S_M_PER_US_CM = 1e-4
# EZO-EC reports at most this; a cell with shorted electrodes reaches it.
US_CM_MAX = 1_000_000.0
# The chip clips at the ends of its scale.
PH_SCALE = (0.001, 14.0)
PH_SCALE_EXTENDED = (-1.6, 15.6)


# Filled and read within one call, so one serves all circuits.
_answer = bytearray(ANSWER_BYTES)
_reading = memoryview(_answer)[:READING_BYTES]


class Ezo(Target):
    """What both circuits share; `up_ms` tells when an hour is over."""

    phase = TOGETHER
    needs_temp = True

    def __init__(self, bus: "Any", address: int, path: "Any", up_ms: "Any") -> None:
        super().__init__(bus, address, path)
        self._up_ms = up_ms
        self._todo: "Any" = ()
        self._ready = False
        self._health_due_ms = 0

    def begin(self, temp_c: "float | None") -> int:
        """Send this scan's command: setup, health or reading; see the package."""
        if not self._ready:
            self._todo = self._setup()
            self._ready = True
        elif not self._todo and self._up_ms() >= self._health_due_ms:
            self._todo = self._health()
        if self._todo:
            command, wait_ms = self._todo[0], COMMAND_MS
        else:
            command, wait_ms = self._command(temp_c), READING_MS
        try:
            self.write(command.encode())
        except OSError:
            self._ready = False
            raise
        return wait_ms

    def collect(self) -> "Any":
        """Read the answer once; see the package."""
        try:
            code = self._read()
        except OSError:
            self._ready = False
            raise
        if code == _BUSY:
            return NOT_YET
        if code not in (_DONE, _NOT_UNDERSTOOD):
            self._ready = False
            raise Fault(quality.RESTARTED if code == _NO_DATA else quality.GARBLED)
        text = self._text() if code == _DONE else None
        if not self._todo:
            if text is None:
                raise Fault(quality.REFUSED)
            return self._value(text)
        command = self._todo.pop(0)
        if not self._todo:
            self._health_due_ms = self._up_ms() + HEALTH_MS
        self._learn(command, text)
        if not self._todo:
            self._todo = ()
        return NOTHING

    def give_up(self) -> None:
        """The circuit stayed busy for too long: start afresh."""
        self._ready = False

    def _read(self) -> int:
        self.read_into(_answer if self._todo else _reading)
        return _answer[0]

    def _text(self) -> str:
        length = ANSWER_BYTES if self._todo else READING_BYTES
        for end in range(1, length):
            if _answer[end] == 0:
                return str(_answer[1:end], "ascii")
            if not 32 <= _answer[end] < 127:
                break
        self._ready = False
        raise Fault(quality.GARBLED)

    def _setup(self) -> "list[str]":
        raise NotImplementedError

    def _health(self) -> "list[str]":
        raise NotImplementedError

    def _command(self, temp_c: "float | None") -> str:
        raise NotImplementedError

    def _value(self, text: str) -> float:
        raise NotImplementedError

    def _learn(self, command: str, text: "str | None") -> None:
        raise NotImplementedError


class EzoPh(Ezo):
    """pH; compensated on the chip with the temperature sent along with each reading.

    The slope at start and hourly must be 85 to 105 % and the offset within 30 mV, else M.
    """

    def __init__(self, bus: "Any", address: int, path: "Any", up_ms: "Any") -> None:
        super().__init__(bus, address, path, up_ms)
        self._scale = PH_SCALE
        self.health: "str | None" = None

    def _setup(self) -> "list[str]":
        return ["pHext,1", "Slope,?"]

    def _health(self) -> "list[str]":
        return ["Slope,?"]

    def _command(self, temp_c: "float | None") -> str:
        return f"RT,{NOMINAL_TEMP_C if temp_c is None else temp_c:.2f}"

    def _value(self, text: str) -> float:
        value = decimal(text)
        if not self._scale[0] < value < self._scale[1]:
            raise Fault(quality.LIMIT)
        if self.health is not None:
            raise Fault(self.health)
        return value

    def _learn(self, command: str, text: "str | None") -> None:
        if command == "pHext,1":
            # Circuits before firmware 2.13 do not know the extended scale.
            self._scale = PH_SCALE_EXTENDED if text is not None else PH_SCALE
            return
        if text is None:
            self.health = "M:no-slope"
            return
        parts = text.split(",")
        if parts[0].lower() != "?slope" or len(parts) not in (3, 4):
            self._ready = False
            raise Fault(quality.GARBLED)
        offset_mv = decimal(parts[3]) if len(parts) == 4 else 0.0
        self.health = conversion.judge_electrode(decimal(parts[1]), decimal(parts[2]), offset_mv)


class EzoEc(Ezo):
    """Conductivity in S/m at 25 degrees.

    The chip's own compensation fits weak salt solutions, not acid liquors: it is told 25 degrees
    and so reports the liquor as it is; the stage's own alpha does the rest. A cell constant that is
    given is written to the chip where it has another.
    """

    def __init__(
        self,
        bus: "Any",
        address: int,
        path: "Any",
        up_ms: "Any",
        alpha_pct_k: float,
        k_per_cm: "float | None" = None,
    ) -> None:
        super().__init__(bus, address, path, up_ms)
        self._k_per_cm = k_per_cm
        self._alpha_pct_k = alpha_pct_k
        self._temp_c = NOMINAL_TEMP_C

    def _setup(self) -> "list[str]":
        return ["O,?"] if self._k_per_cm is None else ["O,?", "K,?"]

    def _health(self) -> "list[str]":
        return self._setup()

    def _command(self, temp_c: "float | None") -> str:
        self._temp_c = NOMINAL_TEMP_C if temp_c is None else temp_c
        return "RT,25.00"

    def _value(self, text: str) -> float:
        us_cm = decimal(text)
        if us_cm <= 0:
            raise Fault(quality.OPEN)
        if us_cm >= US_CM_MAX:
            raise Fault(quality.SHORT)
        return conversion.kappa25(us_cm * S_M_PER_US_CM, self._temp_c, self._alpha_pct_k)

    def _learn(self, command: str, text: "str | None") -> None:
        if text is None:
            return
        if command == "K,?" and self._k_per_cm is not None:
            found = decimal(text.split(",")[-1])
            if abs(found - self._k_per_cm) > 0.005:
                self._todo.append(f"K,{self._k_per_cm:.2f}")
        if command != "O,?":
            return
        shown = text.upper().split(",")[1:]
        if "EC" not in shown:
            self._todo.append("O,EC,1")
        for output in ("TDS", "S", "SG"):
            if output in shown:
                self._todo.append(f"O,{output},0")


def decimal(text: str) -> float:
    """Return the number a circuit writes: sign, digits, one point; raise Fault for all else."""
    digits = text[1:] if text[:1] == "-" else text
    whole, point, fraction = digits.partition(".")
    if not (whole.isdigit() and len(digits) <= 12 and (fraction.isdigit() or not point)):
        raise Fault(quality.GARBLED)
    return float(text)
