"""When a permit is due and what it says (protocol 5). Pure: time and registers come in as values.

Life 24 h unless set otherwise, at most 7 days, never beyond the licence's end; renewed after half
of its life. `runMsLimit` is the run register at issue + (notAfterMs - notBeforeMs) + graceMs, the
largest that protocol 5 allows, or what the licence's quotas leave, if that is less. As limits are
absolute registers, a permit given once holds a quota to its end with no word from the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate_wire.permit import LIFE_MS_MAX, format_permit

if TYPE_CHECKING:
    from raffinate.licence.document import Licence
    from raffinate_wire.permit import Permit

LIFE_MS = 24 * 3600 * 1000
RENEWAL_STEP_MS_MIN = 1000
RUN_STEP_MS_MIN = 60_000
RUN_MORE_MS_MIN = 5000
"""A permit rests on a register that is up to an interval old: the next statement widens it."""
VOLUME_STEP_ML_MIN = 1000
SERIAL_MAX = (1 << 53) - 1
"""The largest number of the wire: a node that holds it takes no permit more."""
CHANGE_MS_MIN = 10_000
"""Between a permit and the next one that only moves its limits or follows a withdrawal."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a permit is for: the metering node's key and the registers it last stated."""

    site: str
    node: str
    keyid: str
    equipment: str
    run_ms: int
    volume_ml: int = 0


@dataclass(frozen=True, slots=True)
class Rest:
    """What the licence's quotas leave of run time and volume; None: no quota bounds it."""

    run_ms: int | None = None
    volume_ml: int | None = None


UNBOUND = Rest()


def is_withdrawal(permit: Permit) -> bool:
    """True for a permit that ended at once, to take back the one before."""
    return permit.grace_ms == 0 and permit.not_after_ms - permit.not_before_ms == 1


def is_live(permit: Permit, now_ms: int) -> bool:
    """True while starts are permitted by its dates."""
    return not is_withdrawal(permit) and now_ms < permit.not_after_ms + permit.grace_ms


def end_ms(licence: Licence, now_ms: int, life_ms: int) -> int:
    """End of a permit issued now."""
    return min(now_ms + min(life_ms, LIFE_MS_MAX), licence.to_ms)


def is_due(
    licence: Licence,
    newest: Permit | None,
    holder: Holder,
    rest: Rest,
    now_ms: int,
    life_ms: int = LIFE_MS,
) -> bool:
    """True when a permit under `licence` should be issued now, to renew, to shrink or to widen."""
    if newest is None:
        return True
    if is_withdrawal(newest):
        return not 0 <= now_ms - newest.issued_ms < CHANGE_MS_MIN
    if newest.licence_sha256 != licence.sha256:
        return True
    gains_ms = end_ms(licence, now_ms, life_ms) - newest.not_after_ms
    half_ms = (newest.not_after_ms - newest.issued_ms) // 2
    if gains_ms >= RENEWAL_STEP_MS_MIN and now_ms >= newest.issued_ms + half_ms:
        return True
    return _moves(newest, holder, rest, now_ms)


def permit_payload(
    licence: Licence,
    holder: Holder,
    serial: int,
    now_ms: int,
    life_ms: int = LIFE_MS,
    rest: Rest = UNBOUND,
) -> bytes:
    """The payload of the permit `serial` issued now."""
    not_after_ms = end_ms(licence, now_ms, life_ms)
    allowed_ms = not_after_ms - now_ms + licence.grace_ms
    if rest.run_ms is not None:
        allowed_ms = min(allowed_ms, rest.run_ms)
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
        holder.run_ms + allowed_ms,
        None if rest.volume_ml is None else holder.volume_ml + rest.volume_ml,
    )


def withdrawal_payload(
    newest: Permit, holder: Holder, now_ms: int, serial: int | None = None
) -> bytes:
    """The payload that takes `newest` back: of the next serial (or `serial`), over as it begins.

    It begins before the withdrawn permit's end, so that it too lies within its licence.
    """
    from_ms = min(now_ms, newest.not_after_ms - 1)
    return format_permit(
        newest.serial + 1 if serial is None else serial,
        newest.site,
        newest.node,
        newest.keyid,
        newest.equipment,
        newest.licence,
        newest.licence_sha256,
        newest.purpose,
        newest.stages,
        now_ms,
        from_ms,
        from_ms + 1,
        0,
        holder.run_ms,
        None if newest.volume_ml_limit is None else holder.volume_ml,
    )


def _moves(newest: Permit, holder: Holder, rest: Rest, now_ms: int) -> bool:
    """True when quotas leave clearly less or more than `newest` allows within its own dates."""
    if 0 <= now_ms - newest.issued_ms < CHANGE_MS_MIN:
        return False
    ceiling_ms = holder.run_ms + max(0, newest.not_after_ms - now_ms) + newest.grace_ms
    wanted_ms = ceiling_ms if rest.run_ms is None else min(ceiling_ms, holder.run_ms + rest.run_ms)
    # Time alone lowers the ceiling of what stands: only a quota makes a permit shrink.
    by_quota = wanted_ms < ceiling_ms and wanted_ms < newest.run_ms_limit
    if by_quota and (rest.run_ms == 0 or newest.run_ms_limit - wanted_ms >= RUN_STEP_MS_MIN):
        return newest.run_ms_limit > holder.run_ms
    widens = wanted_ms - newest.run_ms_limit >= RUN_MORE_MS_MIN
    return widens or _volume_moves(newest, holder, rest)


def _volume_moves(newest: Permit, holder: Holder, rest: Rest) -> bool:
    limit_ml = newest.volume_ml_limit
    if rest.volume_ml is None or limit_ml is None:
        return rest.volume_ml is not None or limit_ml is not None
    wanted_ml = holder.volume_ml + rest.volume_ml
    if rest.volume_ml == 0:
        return limit_ml > holder.volume_ml
    return abs(wanted_ml - limit_ml) >= VOLUME_STEP_ML_MIN
