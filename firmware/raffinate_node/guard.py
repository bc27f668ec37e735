"""Whether an equipment may be started: compliant -> grace -> start-inhibit -> orderly stop.

The result is a start permissive and nothing more: it never stops running equipment, it is no
safety function and claims no SIL. Pure.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from raffinate_node.permits import Permit

STATES = ("compliant", "grace", "start-inhibit", "orderly-stop-requested")
GRACE, INHIBIT, STOP = 1, 2, 3


def judge(
    permit: "Permit | None", now_ms: "int | None", run_ms: int, volume_ml: int, run: bool
) -> "tuple[int, str]":
    """Return the place in STATES and the reason's code; below INHIBIT a start is permitted.

    now_ms is the clock's guard_ms(), None where the node knows no time at all; run_ms and
    volume_ml are the registers. What runs on beyond the last state is asked to stop in good order.
    """
    if permit is None:
        return INHIBIT, "no-permit"
    if now_ms is None:
        return INHIBIT, "no-time"
    _, _, _, _, from_ms, to_ms, grace_ms, run_ms_limit, volume_ml_limit = permit
    if now_ms < from_ms:
        return INHIBIT, "not-yet"
    if now_ms >= to_ms + grace_ms:
        reason = "permit-ended"
    elif run_ms >= run_ms_limit:
        reason = "run-limit"
    elif 0 <= volume_ml_limit <= volume_ml:
        reason = "volume-limit"
    else:
        return (0, "permit") if now_ms < to_ms else (GRACE, "grace")
    return (STOP if run else INHIBIT), reason
