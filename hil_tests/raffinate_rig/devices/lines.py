"""Pulse inputs and digital lines of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from raffinate_rig.devices.base import Device

if TYPE_CHECKING:
    from collections.abc import Callable

MS_PER_HOUR = 3_600_000.0
COUNTER_MASK = (1 << 64) - 1


class PulseCounter(Device):
    """A flow meter on a hardware counter: pulses = volume * k, kept as an exact total.

    Between two settings the flow is constant; `value` counts since the board's last start.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset({"open", "noise"})
    NOISE_HZ = 5000.0

    def __init__(
        self, now_ms: Callable[[], float], name: str = "pulse", *, pulses_per_l: float = 8000.0
    ) -> None:
        super().__init__(now_ms, name)
        self.pulses_per_l = pulses_per_l
        self._flow_l_h = 0.0
        self._pulses = 0.0
        self._at_ms = now_ms()
        self._base = 0

    @property
    def flow_l_h(self) -> float:
        """The flow now, litres an hour."""
        return self._flow_l_h

    def set_flow(self, flow_l_h: float) -> None:
        """Change the flow; a reverse flow turns the meter no faster than a standing one."""
        self._settle()
        self._flow_l_h = max(flow_l_h, 0.0)

    def total(self) -> int:
        """Pulses of the meter's whole life."""
        self._settle()
        return int(self._pulses)

    def value(self) -> int:
        """What the board's 64-bit counter shows."""
        return (self.total() - self._base) & COUNTER_MASK

    def power_cycle(self) -> None:
        """The board started: its counter begins at 0."""
        self._base = self.total()

    def _settle(self) -> None:
        now = self.now_ms()
        elapsed_ms = now - self._at_ms
        self._at_ms = now
        if "noise" in self.faults:
            self._pulses += self.NOISE_HZ * elapsed_ms / 1000.0
        if "open" not in self.faults:
            self._pulses += self._flow_l_h * self.pulses_per_l * elapsed_ms / MS_PER_HOUR


class DigitalLine(Device):
    """One line: an input the rig sets, or an output the node sets.

    An output falls to 0 with the board's power unless its relay latches.
    """

    FAULTS: ClassVar[frozenset[str]] = frozenset({"open", "stuck-high"})

    def __init__(
        self,
        now_ms: Callable[[], float],
        name: str = "line",
        *,
        output: bool = False,
        latching: bool = False,
    ) -> None:
        super().__init__(now_ms, name)
        self.output = output
        self.latching = latching
        self._level = 0

    def level(self) -> int:
        """0 or 1, as the other end of the wire sees it."""
        if "stuck-high" in self.faults:
            return 1
        return 0 if "open" in self.faults else self._level

    def set_level(self, level: int) -> None:
        """Drive the line."""
        self._level = 1 if level else 0

    def power_cycle(self) -> None:
        """The board lost power: an output that does not latch opens."""
        if self.output and not self.latching:
            self._level = 0
