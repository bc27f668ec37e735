"""Raspberry Pi Pico W: pulses by PIO, one state machine a meter."""

import machine
import network
import rp2

from raffinate_node.hal.board import BoardHal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rp2.asm_pio import jmp, label, pin, wait, wrap, wrap_target, x_dec

STATE_MACHINES = 8
# Slow enough to swallow glitches below 2 us, far faster than any meter.
PIO_HZ = 1_000_000
MASK = 0xFFFFFFFF
WIFI_ERRORS = {
    network.STAT_NO_AP_FOUND: "no such network in reach",
    network.STAT_WRONG_PASSWORD: "the password is wrong",
    network.STAT_CONNECT_FAIL: "the network refused the node",
}


@rp2.asm_pio()
def _count_rising() -> None:
    # X counts down by one at each rising edge.
    wrap_target()
    wait(0, pin, 0)
    wait(1, pin, 0)
    jmp(x_dec, "next")
    label("next")
    wrap()


class Hal(BoardHal):
    """A Pico W. Its radio takes one of the eight state machines, so seven meters at most."""

    def __init__(self) -> None:
        super().__init__(network.STAT_CONNECTING, WIFI_ERRORS)
        self._next_machine = 0

    def counter(self, pin: int) -> "Counter":
        """A pulse counter; raise ValueError where no state machine is left."""
        while self._next_machine < STATE_MACHINES:
            number = self._next_machine
            self._next_machine += 1
            try:
                return Counter(number, pin)
            except (OSError, ValueError):
                # The radio's own state machine is refused.
                continue
        raise ValueError(f"no state machine is left for the pulse counter at pin {pin}")


class Counter:
    """A meter's pulses, counted by one state machine."""

    def __init__(self, number: int, pin: int) -> None:
        source = machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_DOWN)
        self._machine: "Any" = rp2.StateMachine(number, _count_rising, freq=PIO_HZ, in_base=source)
        self._machine.exec("mov(x, invert(null))")
        self._machine.active(1)
        self._total = 0
        self._last = 0

    def value(self) -> int:
        """Pulses since start; asked at least once in 2^32 pulses."""
        self._machine.exec("mov(isr, x)")
        self._machine.exec("push(noblock)")
        count = MASK - self._machine.get()
        self._total += (count - self._last) & MASK
        self._last = count
        return self._total
