"""What all simulated devices share: the device clock, bus errors, injected faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

EIO = 5
ENODEV = 19
EINVAL = 22
ETIMEDOUT = 110
MISUSES_MAX = 100


class BusError(Exception):
    """A transaction failed on the wire; `errno` is what the node's hal raises."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(message)
        self.errno = errno


class I2cDevice(Protocol):
    """Anything that answers at an address of an I2C bus. All calls raise BusError."""

    def write(self, data: bytes) -> None:
        """Take one write transaction."""

    def read(self, count: int) -> bytes:
        """Answer one read transaction with exactly `count` bytes."""


class Device:
    """A powered part with injectable faults; `now_ms` is device time (node time, not host time)."""

    FAULTS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, now_ms: Callable[[], float], name: str) -> None:
        self.now_ms = now_ms
        self.name = name
        self.faults: set[str] = set()
        self.misuses: list[str] = []

    def inject(self, fault: str) -> None:
        """Begin `fault`, one of FAULTS; raises ValueError that lists them."""
        if fault not in self.FAULTS:
            known = ", ".join(sorted(self.FAULTS))
            raise ValueError(f"{self.name} has no fault {fault!r}; it has {known}")
        self.faults.add(fault)

    def clear(self, fault: str | None = None) -> None:
        """End `fault`, or all of them."""
        if fault is None:
            self.faults.clear()
        else:
            self.faults.discard(fault)

    def power_cycle(self) -> None:
        """Lose everything volatile, as a part does that was without supply for a moment."""
        raise NotImplementedError

    def misuse(self, what: str) -> None:
        """Remember that the driver did what the data sheet forbids (tests assert there is none)."""
        if len(self.misuses) < MISUSES_MAX:
            self.misuses.append(f"{self.name}: {what}")

    def check_answers(self) -> None:
        """Raise the bus error of a part that is not there or that holds the bus."""
        if "no-answer" in self.faults:
            raise BusError(ENODEV, f"{self.name} does not answer")
        if "bus-stuck" in self.faults:
            raise BusError(ETIMEDOUT, f"{self.name} holds the bus low")
