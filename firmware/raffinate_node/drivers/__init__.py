"""Sensor drivers, one family a file. A driver serves one point and is called by the sampler alone.

`begin(temp_c)` does what starts a measurement and returns when to collect, in ms (0: at once).
`collect()` returns the number in the point's wire unit; or NOT_YET, to be asked again; or NOTHING,
where this scan has no measurement. Both make a few bus transactions and never wait. Both raise
`Fault` with an NE 107 state, and OSError when the bus fails; after either, and after `give_up()`
(NOT_YET for too long), the driver starts afresh by itself.

`phase` says how the sampler treats a driver: AT_ONCE drivers are read as the scan starts, IN_TURN
drivers share a converter and are read one after the other, TOGETHER drivers all convert at once.
`needs_temp` tells that a value without a known temperature is not good.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AT_ONCE = 0
IN_TURN = 1
TOGETHER = 2

NOT_YET: "Any" = object()
NOTHING: "Any" = object()
