"""Digital inputs: contacts as points of a stage, and an equipment's lines."""

from raffinate_node.drivers import AT_ONCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Contact:
    """A contact as a point: 1 closed, 0 open; `invert` for one that opens when true."""

    phase = AT_ONCE
    needs_temp = False

    def __init__(self, line: "Any", invert: bool = False) -> None:
        self._line = line
        self._invert = invert

    def begin(self, temp_c: "float | None") -> int:  # noqa: ARG002 - one face for all drivers
        """Nothing to start."""
        return 0

    def collect(self) -> int:
        """Return 0 or 1. Raises OSError."""
        level: int = self._line.value()
        return 1 - level if self._invert else level


class EquipmentLines:
    """The run, start and bypass contacts of one equipment; a missing line reads 0."""

    def __init__(self, run: "Any", start: "Any", bypass: "Any") -> None:
        self._lines = (run, start, bypass)
        self._levels: "list[int | None]" = [0, 0, 0]

    def read(self) -> "list[int | None]":
        """Return [run, start, bypass]: 0, 1, or None where it cannot be read; one list, reused."""
        for index in range(3):
            line = self._lines[index]
            if line is None:
                continue
            try:
                self._levels[index] = line.value()
            except OSError:
                self._levels[index] = None
        return self._levels
