"""TI TCA9548A: eight-channel I2C switch, one control register."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.base import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate_rig.devices.base import I2cDevice

CHANNELS = 8


class Tca9548a(Device):
    """Each bit of the control register joins one channel to the bus; after power-on none."""

    FAULTS: ClassVar[frozenset[str]] = frozenset({"no-answer", "bus-stuck"})

    def __init__(self, now_ms: Callable[[], float], name: str = "tca9548a") -> None:
        super().__init__(now_ms, name)
        self.channels: list[dict[int, I2cDevice]] = [{} for _ in range(CHANNELS)]
        self._control = 0

    def power_cycle(self) -> None:
        """All channels off."""
        self._control = 0

    def attach(self, channel: int, address: int, device: I2cDevice) -> None:
        """Wire `device` to a channel; raises ValueError where the address is taken."""
        if address in self.channels[channel]:
            raise ValueError(f"{self.name} channel {channel} already has address {address}")
        self.channels[channel][address] = device

    def write(self, data: bytes) -> None:
        """The last byte written becomes the control register."""
        self.check_answers()
        if data:
            self._control = data[-1]

    def read(self, count: int) -> bytes:
        """The control register, repeated."""
        self.check_answers()
        return bytes([self._control]) * count

    def reached(self, address: int) -> list[I2cDevice]:
        """Devices at `address` behind the joined channels (none while the switch has no power)."""
        if "no-answer" in self.faults:
            return []
        return [
            channel[address]
            for bit, channel in enumerate(self.channels)
            if self._control >> bit & 1 and address in channel
        ]
