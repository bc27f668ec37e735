"""The registers of one equipment: run time, starts, volume. They only grow.

Runs are seen by the run contact, one look a scan; volume comes from whole pulses, exactly.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

STARTED, REQUESTED = 1, 2
# Name, run ms, starts, volume ml, the rest below 1 ml, the three as of the last usage, flags.
FORM = "<32s7QB"
FORM_BYTES = 89
_RUNNING, _FOUND = 1, 2


class Meter:
    """`run_ms`, `starts`, `volume_ml`, and `base`: the three as the last usage stated them.

    `run` is the contact as last read, `found` that it ran when this key first saw it, until that
    is stated; `requests` counts start requests since the last usage. `state` (the guard's),
    `level` (of the permissive, None: to be driven) and `bypass` (the key switch as last read) are
    kept here for the guard.
    """

    def __init__(self, name: str, volume: "str | None", pulses_per_l: float) -> None:
        self.id = name
        self.volume = volume
        self.run_ms = self.starts = self.volume_ml = self.requests = 0
        self.base = (0, 0, 0)
        self.run = self.found = False
        self.is_new = True
        self.state = 2
        self.bypass = 0
        self.level: "int | None" = None
        # Thousandths of a pulse a litre: pulses * 10^6 / k are millilitres.
        self._k = round(pulses_per_l * 1000)
        self._rest = 0
        self._pulses = 0
        self._request = 0
        self._up_ms: "int | None" = None
        self._timed = False

    def load(self, data: bytes) -> None:
        """Go on from what pack() gave, in an earlier boot."""
        _, run_ms, starts, volume_ml, rest, b0, b1, b2, flags = struct.unpack(FORM, data)
        self.run_ms, self.starts, self.volume_ml = run_ms, starts, volume_ml
        # Another meter may have been fitted since: less than 1 ml is at stake.
        self._rest = min(rest, max(0, self._k - 1))
        self.base = (b0, b1, b2)
        self.run = bool(flags & _RUNNING)
        self.found = bool(flags & _FOUND)
        self.is_new = False

    def pack(self) -> bytes:
        """Return FORM_BYTES for flash."""
        flags = (_RUNNING if self.run else 0) | (_FOUND if self.found else 0)
        name = self.id.encode()
        return struct.pack(
            FORM, name, self.run_ms, self.starts, self.volume_ml, self._rest, *self.base, flags
        )

    def scan(self, up_ms: int, inputs: "Sequence[int | None]", pulses: "int | None") -> int:
        """Take one scan's contacts (run, start request; None: unreadable) and the pulse total.

        Return STARTED and REQUESTED as bits.
        """
        events = self._scan_run(up_ms, inputs[0])
        request = inputs[1]
        if request is not None:
            if request and not self._request:
                self.requests += 1
                events |= REQUESTED
            self._request = request
        if pulses is not None and self._k > 0:
            # A counter that fell began again at 0.
            more = pulses - self._pulses if pulses >= self._pulses else pulses
            self._pulses = pulses
            self._rest += more * 1000000
            self.volume_ml += self._rest // self._k
            self._rest %= self._k
        return events

    def registers(self) -> "dict[str, Any]":
        """Return the registers as statements carry them."""
        return {
            "id": self.id,
            "runMs": self.run_ms,
            "starts": self.starts,
            "volumeMl": self.volume_ml,
        }

    def raise_to(self, registers: "Any") -> None:
        """Take from a statement of this key what is higher there."""
        self.run_ms = max(self.run_ms, registers["runMs"])
        self.starts = max(self.starts, registers["starts"])
        self.volume_ml = max(self.volume_ml, registers["volumeMl"])

    def _scan_run(self, up_ms: int, run: "int | None") -> int:
        # Time counts from one readable scan to the next, if the equipment ran at the first.
        if run is None:
            self._timed = False
            return 0
        started = 0
        if self._up_ms is not None:
            if self._timed and self.run:
                self.run_ms += up_ms - self._up_ms
        elif self.is_new:
            self.run = self.found = bool(run)
            self.is_new = False
        if run and not self.run:
            self.starts += 1
            started = STARTED
        self.run = bool(run)
        self._up_ms = up_ms
        self._timed = True
        return started
