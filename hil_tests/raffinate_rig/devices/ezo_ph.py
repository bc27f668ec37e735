"""EZO pH circuit with a glass electrode on its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.ezo import DELAY_MS, Ezo, SyntaxRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

# mV a pH unit and kelvin: R ln(10) / F
NERNST_MV_K = 0.198421
KELVIN = 273.15
RANGE = (0.001, 14.0)
RANGE_EXTENDED = (-1.6, 15.6)


class EzoPh(Ezo):
    """Converts electrode millivolts with the calibration on the chip.

    `ph` and `temp_c` are the liquor at the electrode. `probe_slope_pct` and `probe_offset_mv`
    describe an aged electrode: until it is calibrated out, the chip shows its error.
    """

    KIND: ClassVar[str] = "pH"
    FIRMWARE: ClassVar[str] = "2.14"
    READING_MS: ClassVar[int] = 900

    def __init__(self, now_ms: Callable[[], float], name: str = "ezo-ph") -> None:
        super().__init__(now_ms, name)
        self.ph = 7.0
        self.temp_c = 25.0
        self.probe_slope_pct = 100.0
        self.probe_offset_mv = 0.0
        self._extended = False
        self._mid: tuple[float, float] | None = None
        self._slopes_pct = {"low": 100.0, "high": 100.0}
        self._calibrated: set[str] = set()

    def electrode_mv(self) -> float:
        """E = E7 - s (pH - 7), s from the Nernst equation at the liquor's temperature."""
        if "open" in self.faults:
            return 1023.0
        if "short" in self.faults:
            return 0.0
        slope = NERNST_MV_K * (self.temp_c + KELVIN) * self.probe_slope_pct / 100.0
        return self.probe_offset_mv - slope * (self.ph - 7.0)

    def calibrated_with(self, slope_pct: float, offset_mv: float) -> None:
        """Give the electrode this slope and offset, and the chip the calibration that fits."""
        self.probe_slope_pct, self.probe_offset_mv = slope_pct, offset_mv
        self._mid = (offset_mv, 7.0)
        self._slopes_pct = {"low": slope_pct, "high": slope_pct}
        self._calibrated = {"mid", "low", "high"}

    def _reading(self) -> str:
        mid_mv, mid_ph = self._mid or (0.0, 7.0)
        delta_mv = self.electrode_mv() - mid_mv
        side = "low" if delta_mv > 0 else "high"
        slope = self._nernst_mv() * self._slopes_pct[side] / 100.0
        low, high = RANGE_EXTENDED if self._extended else RANGE
        return f"{min(max(mid_ph - delta_mv / slope, low), high):.3f}"

    def _nernst_mv(self) -> float:
        return NERNST_MV_K * (self.compensation_c + KELVIN)

    def _own(self, name: str, arguments: list[str]) -> tuple[str, int]:
        if name == "CAL":
            return self._calibrate(arguments)
        if name == "SLOPE" and arguments == ["?"]:
            low, high = self._slopes_pct["low"], self._slopes_pct["high"]
            offset_mv = self._mid[0] if self._mid else 0.0
            return f"?Slope,{low:.1f},{high:.1f},{offset_mv:.2f}", DELAY_MS
        if name == "PHEXT" and len(arguments) == 1:
            if arguments[0] == "?":
                return f"?pHext,{int(self._extended)}", DELAY_MS
            if arguments[0] in ("0", "1"):
                self._extended = arguments[0] == "1"
                return "", DELAY_MS
        raise SyntaxRefusedError

    def _calibrate(self, arguments: list[str]) -> tuple[str, int]:
        if arguments == ["?"]:
            return f"?Cal,{len(self._calibrated)}", DELAY_MS
        if arguments == ["clear"]:
            self._mid = None
            self._slopes_pct = {"low": 100.0, "high": 100.0}
            self._calibrated = set()
            return "", DELAY_MS
        if len(arguments) != 2 or arguments[0] not in ("mid", "low", "high"):
            raise SyntaxRefusedError
        point, buffer_ph = arguments[0], float(arguments[1])
        if point == "mid":
            # a new middle point clears the others
            self._mid = (self.electrode_mv(), buffer_ph)
            self._slopes_pct = {"low": 100.0, "high": 100.0}
            self._calibrated = {"mid"}
            return "", 900
        if self._mid is None:
            raise SyntaxRefusedError
        mid_mv, mid_ph = self._mid
        if buffer_ph == mid_ph:
            raise SyntaxRefusedError
        slope = (self.electrode_mv() - mid_mv) / (mid_ph - buffer_ph)
        self._slopes_pct[point] = 100.0 * slope / self._nernst_mv()
        self._calibrated.add(point)
        return "", 900
