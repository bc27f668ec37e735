"""When a permit is due and what it says (protocol 5). Pure: time and registers come in as values.

Life 24 h unless set otherwise, at most 7 days, never beyond the licence's end; renewed after half
of its life. `runMsLimit` is the run register at issue + (notAfterMs - notBeforeMs) + graceMs, the
largest that protocol 5 allows: a clock that is starved stops a permit no later than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate_wire.permit import LIFE_MS_MAX, format_permit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.licence.document import Licence

LIFE_MS = 24 * 3600 * 1000
RENEWAL_STEP_MS_MIN = 1000


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a permit is for: the metering node's key and the register it last stated."""

    site: str
    node: str
    keyid: str
    equipment: str
    run_ms: int


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts of the newest permit given to a holder."""

    serial: int
    licence_sha256: str
    issued_ms: int
    not_after_ms: int


def choose_licence(licences: Iterable[Licence], serial: str, at_ms: int) -> Licence | None:
    """The licence of equipment `serial` in force at `at_ms` that lasts longest."""
    found = [item for item in licences if item.equipment == serial and item.in_force(at_ms)]
    return max(found, key=lambda item: (item.to_ms, item.number, item.sha256), default=None)


def is_due(licence: Licence, newest: InForce | None, now_ms: int, life_ms: int = LIFE_MS) -> bool:
    """True when a permit under `licence` should be issued now."""
    if newest is None or newest.licence_sha256 != licence.sha256:
        return True
    gains_ms = end_ms(licence, now_ms, life_ms) - newest.not_after_ms
    half_ms = (newest.not_after_ms - newest.issued_ms) // 2
    return gains_ms >= RENEWAL_STEP_MS_MIN and now_ms >= newest.issued_ms + half_ms


def end_ms(licence: Licence, now_ms: int, life_ms: int) -> int:
    """End of a permit issued now."""
    return min(now_ms + min(life_ms, LIFE_MS_MAX), licence.to_ms)


def permit_payload(
    licence: Licence, holder: Holder, serial: int, now_ms: int, life_ms: int = LIFE_MS
) -> bytes:
    """The payload of the permit `serial` issued now."""
    not_after_ms = end_ms(licence, now_ms, life_ms)
    return format_permit(
        serial,
        holder.site,
        holder.node,
        holder.keyid,
        holder.equipment,
        licence.number,
        licence.sha256,
        licence.purpose,
        list(licence.stages),
        now_ms,
        now_ms,
        not_after_ms,
        licence.grace_ms,
        holder.run_ms + (not_after_ms - now_ms) + licence.grace_ms,
    )
