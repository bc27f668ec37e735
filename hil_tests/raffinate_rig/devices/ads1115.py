"""TI ADS1115: 16-bit converter with four inputs; here each input carries a 4-20 mA loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.base import Device

if TYPE_CHECKING:
    from collections.abc import Callable

REGISTER_CONVERSION = 0
REGISTER_CONFIG = 1
CONFIG_DEFAULT = 0x8583
OS = 0x8000
SINGLE_SHOT = 0x0100
RANGES_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
RATES_HZ = (8, 16, 32, 64, 128, 250, 475, 860)
SUPPLY_V = 3.3


class Ads1115(Device):
    """Register-level: pointer, conversion, config with OS, multiplexer, PGA and rate.

    A single-shot conversion takes 1 / rate of device time, OS reads 0 meanwhile and the
    conversion register keeps the former result. Loops are set in mA through their shunt.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset(
        {"no-answer", "bus-stuck", "never-ready"}
        | {f"{kind}-{channel}" for kind in ("open", "short") for channel in range(4)}
    )

    def __init__(self, now_ms: Callable[[], float], name: str = "ads1115") -> None:
        super().__init__(now_ms, name)
        self.loop_ma = [0.0] * 4
        self.shunt_ohm = [150.0] * 4
        self.power_cycle()

    def power_cycle(self) -> None:
        """Registers as after power-on: config 0x8583, conversion 0."""
        self._pointer = 0
        self._config = CONFIG_DEFAULT
        self._conversion = 0
        self._thresholds = {2: 0x8000, 3: 0x7FFF}
        self._done_ms: float | None = None

    def input_v(self, channel: int) -> float:
        """The voltage at AIN`channel`, limited by the supply."""
        if f"open-{channel}" in self.faults:
            return 0.0
        if f"short-{channel}" in self.faults:
            return SUPPLY_V
        return min(self.loop_ma[channel] * self.shunt_ohm[channel] / 1000.0, SUPPLY_V)

    def write(self, data: bytes) -> None:
        """Set the pointer, and with two more bytes a register; writing OS starts a conversion."""
        self.check_answers()
        if not data:
            return
        self._pointer = data[0] & 0x03
        if len(data) == 1:
            return
        if len(data) != 3:
            self.misuse(f"write of {len(data)} bytes")
            return
        value = int.from_bytes(data[1:3], "big")
        if self._pointer == REGISTER_CONVERSION:
            self.misuse("write to the conversion register")
        elif self._pointer == REGISTER_CONFIG:
            self._write_config(value)
        else:
            self._thresholds[self._pointer] = value

    def read(self, count: int) -> bytes:
        """The register at the pointer, high byte first, then 0xFF."""
        self.check_answers()
        self._settle()
        if self._pointer == REGISTER_CONVERSION:
            if self._done_ms is not None:
                self.misuse("conversion read before it was done")
            value = self._conversion & 0xFFFF
        elif self._pointer == REGISTER_CONFIG:
            value = self._config & ~OS if self._done_ms is not None else self._config | OS
        else:
            value = self._thresholds[self._pointer]
        return value.to_bytes(2, "big")[:count].ljust(count, b"\xff")

    def _write_config(self, value: int) -> None:
        self._settle()
        if value & OS and self._done_ms is not None:
            self.misuse("conversion started while one was under way")
            return
        self._config = value & ~OS
        if value & OS or not value & SINGLE_SHOT:
            rate_hz = RATES_HZ[value >> 5 & 7]
            self._done_ms = self.now_ms() + 1000.0 / rate_hz

    def _settle(self) -> None:
        if self._done_ms is None or self.now_ms() < self._done_ms or "never-ready" in self.faults:
            return
        self._done_ms = None
        range_v = RANGES_V[self._config >> 9 & 7]
        counts = round(self._selected_v() / range_v * 32768)
        self._conversion = min(max(counts, -32768), 32767)

    def _selected_v(self) -> float:
        multiplexer = self._config >> 12 & 7
        if multiplexer >= 4:
            return self.input_v(multiplexer - 4)
        positive, negative = ((0, 1), (0, 3), (1, 3), (2, 3))[multiplexer]
        return self.input_v(positive) - self.input_v(negative)
