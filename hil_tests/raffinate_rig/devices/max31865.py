"""Maxim MAX31865: resistance-to-digital converter for PT100 and PT1000, over SPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.base import Device

if TYPE_CHECKING:
    from collections.abc import Callable

VBIAS, AUTO, ONE_SHOT, FAULT_CYCLE, FAULT_CLEAR, FILTER_50HZ = 0x80, 0x40, 0x20, 0x0C, 0x02, 0x01
FAULT_RTD_HIGH, FAULT_RTD_LOW, FAULT_REFIN_HIGH = 0x80, 0x40, 0x20
REGISTERS = 8
ONE_SHOT_MS = {0: 52.0, FILTER_50HZ: 62.5}
# IEC 60751, T >= 0 °C and below
A, B, C = 3.9083e-3, -5.775e-7, -4.183e-12


class Max31865(Device):
    """Register-level: config, RTD with its fault bit, thresholds, fault status.

    A conversion needs VBIAS, takes 52 ms (62.5 ms with the 50 Hz filter) of device time, and sets
    a fault bit where the ratio reaches a threshold. `temp_c` is the element's temperature.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset({"no-answer", "stuck-low", "open", "short"})

    def __init__(
        self,
        now_ms: Callable[[], float],
        name: str = "max31865",
        *,
        r0_ohm: float = 1000.0,
        rref_ohm: float = 4300.0,
    ) -> None:
        super().__init__(now_ms, name)
        self.r0_ohm = r0_ohm
        self.rref_ohm = rref_ohm
        self.temp_c = 25.0
        self.power_cycle()

    def power_cycle(self) -> None:
        """Registers as after power-on: config 0, high threshold 0xFFFF, the rest 0."""
        self._registers = bytearray([0, 0, 0, 0xFF, 0xFF, 0, 0, 0])
        self._done_ms: float | None = None

    def transfer(self, data: bytes) -> bytes:
        """One transaction: address (bit 7 writes), then data with the address counting up."""
        if "no-answer" in self.faults:
            return b"\xff" * len(data)
        if "stuck-low" in self.faults:
            return bytes(len(data))
        if not data:
            return b""
        self._settle()
        address = data[0] & 0x7F
        if address >= REGISTERS:
            self.misuse(f"register {address}")
            return b"\xff" * len(data)
        answer = bytearray(b"\xff")
        for offset, value in enumerate(data[1:]):
            register = (address + offset) % REGISTERS
            if data[0] & 0x80:
                self._write(register, value)
                answer.append(0xFF)
            else:
                answer.append(self._read(register))
        return bytes(answer)

    def resistance_ohm(self) -> float:
        """Callendar-Van Dusen."""
        if "open" in self.faults:
            return float("inf")
        if "short" in self.faults:
            return 0.0
        t = self.temp_c
        ratio = 1.0 + A * t + B * t * t
        if t < 0:
            ratio += C * (t - 100.0) * t**3
        return self.r0_ohm * ratio

    def _read(self, register: int) -> int:
        if register in (1, 2) and self._done_ms is not None and self._registers[0] & ONE_SHOT:
            self.misuse("RTD read before the conversion was done")
        return self._registers[register]

    def _write(self, register: int, value: int) -> None:
        if register in (1, 2, 7):
            self.misuse(f"write to read-only register {register}")
            return
        if register != 0:
            self._registers[register] = value
            return
        if value & FAULT_CLEAR:
            if value & (ONE_SHOT | FAULT_CYCLE):
                self.misuse("fault clear together with a conversion or a fault cycle")
            self._registers[7] = 0
            self._registers[2] &= 0xFE
        if value & FAULT_CYCLE and "open" in self.faults:
            self._registers[7] |= FAULT_REFIN_HIGH
            self._registers[2] |= 1
        # the clear and cycle bits are done at once and read back 0
        self._registers[0] = value & ~(FAULT_CLEAR | FAULT_CYCLE) & 0xFF
        if not value & (AUTO | ONE_SHOT):
            self._done_ms = None
        elif not value & VBIAS:
            self.misuse("conversion without VBIAS")
            self._done_ms = None
        elif self._done_ms is None:
            self._done_ms = self.now_ms() + ONE_SHOT_MS[value & FILTER_50HZ]

    def _settle(self) -> None:
        if self._done_ms is None or self.now_ms() < self._done_ms:
            return
        self._done_ms = self.now_ms() if self._registers[0] & AUTO else None
        self._registers[0] &= ~ONE_SHOT & 0xFF
        code = min(round(min(self.resistance_ohm() / self.rref_ohm, 2.0) * 32768), 32767)
        # the thresholds are 15 bits wide: bit 0 of the low byte has no meaning
        thresholds = self._registers[3:7]
        if code >= int.from_bytes(thresholds[:2], "big") >> 1:
            self._registers[7] |= FAULT_RTD_HIGH
        if code <= int.from_bytes(thresholds[2:], "big") >> 1:
            self._registers[7] |= FAULT_RTD_LOW
        raw = code << 1 | (1 if self._registers[7] else 0)
        self._registers[1:3] = raw.to_bytes(2, "big")
