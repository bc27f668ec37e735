"""EZO EC circuit with a two-electrode conductivity cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.ezo import DELAY_MS, Ezo, SyntaxRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUTS = ("EC", "TDS", "S", "SG")
# The chip's own compensation is one fixed coefficient for weak salt solutions, which does not suit
# strong acid: a driver that wants another one leaves the chip at 25 °C.
CHIP_ALPHA_PER_K = 0.0191
# The data sheet promises no more; only shorted electrodes drive the answer to the end of its scale.
RANGE_MAX_US_CM = 500_000.0
OVERLOAD_US_CM = 1_000_000.0
TDS_FACTOR = 0.54


class EzoEc(Ezo):
    """Shows microsiemens a centimetre; `cond_ms_cm` is the liquor's at its own temperature.

    `probe_k_per_cm` is the cell's true constant, the command K what the chip was told.
    """

    KIND: ClassVar[str] = "EC"
    FIRMWARE: ClassVar[str] = "2.16"
    READING_MS: ClassVar[int] = 600

    def __init__(self, now_ms: Callable[[], float], name: str = "ezo-ec") -> None:
        super().__init__(now_ms, name)
        self.cond_ms_cm = 0.0
        self.probe_k_per_cm = 1.0
        self._k_per_cm = 1.0
        self._dry = False
        self._points: dict[str, float] = {}
        self._outputs = {"EC"}

    def _reading_ms(self, name: str) -> int:
        return 900 if name == "RT" else self.READING_MS

    def conductance_ms(self) -> float:
        """G = kappa / K of the cell, without calibration."""
        if "open" in self.faults:
            return 0.0
        if "short" in self.faults:
            return OVERLOAD_US_CM
        return self.cond_ms_cm / self.probe_k_per_cm

    def _reading(self) -> str:
        us_cm = 1000.0 * self.conductance_ms() * self._k_per_cm * self._gain()
        us_cm /= 1.0 + CHIP_ALPHA_PER_K * (self.compensation_c - 25.0)
        limit = OVERLOAD_US_CM if "short" in self.faults else RANGE_MAX_US_CM
        us_cm = min(max(us_cm, 0.0), limit)
        values = {
            "EC": _resolved(us_cm),
            "TDS": f"{us_cm * TDS_FACTOR:.0f}",
            "S": f"{min(us_cm / 1700.0, 42.0):.2f}",
            "SG": f"{1.0 + min(us_cm, 300000.0) * 7e-7:.3f}",
        }
        shown = [values[output] for output in OUTPUTS if output in self._outputs]
        return ",".join(shown) if shown else "no output"

    def _gain(self) -> float:
        return self._points.get("one", self._points.get("high", self._points.get("low", 1.0)))

    def _own(self, name: str, arguments: list[str]) -> tuple[str, int]:
        if name == "CAL":
            return self._calibrate(arguments)
        if name == "K" and len(arguments) == 1:
            if arguments[0] == "?":
                return f"?K,{self._k_per_cm:.2f}", DELAY_MS
            value = float(arguments[0])
            if not 0.01 <= value <= 10.2:
                raise SyntaxRefusedError
            self._k_per_cm = value
            return "", DELAY_MS
        if name == "O":
            return self._output(arguments), DELAY_MS
        raise SyntaxRefusedError

    def _output(self, arguments: list[str]) -> str:
        if arguments == ["?"]:
            return ",".join(["?O", *(output for output in OUTPUTS if output in self._outputs)])
        if len(arguments) != 2 or arguments[0].upper() not in OUTPUTS:
            raise SyntaxRefusedError
        output = arguments[0].upper()
        if arguments[1] == "1":
            self._outputs.add(output)
        elif arguments[1] == "0":
            self._outputs.discard(output)
        else:
            raise SyntaxRefusedError
        return ""

    def _calibrate(self, arguments: list[str]) -> tuple[str, int]:
        if arguments == ["?"]:
            return f"?Cal,{2 if 'high' in self._points else len(self._points)}", DELAY_MS
        if arguments == ["clear"]:
            self._points = {}
            self._dry = False
            return "", DELAY_MS
        if arguments == ["dry"]:
            self._dry = True
            return "", 600
        if len(arguments) == 1:
            self._points = {"one": self._gain_for(arguments[0])}
            return "", 600
        if len(arguments) == 2 and arguments[0] == "low":
            self._points = {"low": self._gain_for(arguments[1])}
            return "", 600
        if len(arguments) == 2 and arguments[0] == "high" and "low" in self._points:
            self._points["high"] = self._gain_for(arguments[1])
            return "", 600
        raise SyntaxRefusedError

    def _gain_for(self, text: str) -> float:
        # dry first, then one or two points
        raw = 1000.0 * self.conductance_ms() * self._k_per_cm
        wanted = float(text)
        if not self._dry or raw <= 0 or wanted <= 0:
            raise SyntaxRefusedError
        return wanted / raw


def _resolved(us_cm: float) -> str:
    """As the chip rounds: 4 significant digits, at least 0.01."""
    if us_cm < 100:
        return f"{us_cm:.2f}"
    if us_cm < 1000:
        return f"{us_cm:.1f}"
    step = 1 if us_cm < 10_000 else 10 if us_cm < 100_000 else 100
    return str(round(us_cm / step) * step)
