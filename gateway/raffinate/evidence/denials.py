"""Starts without a permit that a node's usage shows and the node itself did not state.

The gateway's word beside the node's: judged only where the gateway's newest permit is decisive,
after the node had time to speak (docs/formats/statement.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raffinate.evidence import notes, views

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from raffinate.evidence.intake import SignGateway
    from raffinate.evidence.store import Key, StoredPermit
    from raffinate.evidence.work import Work

WAIT_MS = 120_000
HOUR_MS = 3_600_000
_SIGNS = (("starts", "STARTED-ANYWAY"), ("startRequests", "REFUSED"))


def observe(work: Work, permits: Mapping[tuple[str, str], StoredPermit]) -> None:
    """Keep what the usage in `work` shows that no permit covered; judged later by `state`."""
    for key, body in work.uses:
        from_ms, to_ms = body["interval"]["fromMs"], body["interval"]["toMs"]
        if from_ms is None or to_ms is None:
            continue
        keyed = notes.keyed(body["why"])
        for use in body["equipment"]:
            reason = _uncovered(permits.get((key.keyid, use["id"])), from_ms)
            if reason is None:
                continue
            by_key = use["id"] in keyed
            for member, kind in _SIGNS:
                # asked for with the key switch on, a start is not refused
                if use[member] and not (by_key and kind == "REFUSED"):
                    reason = "bypass" if by_key else reason
                    _suspect(key, f"{use['id']} {kind}", reason, use[member], from_ms, to_ms, work)


def state(work: Work, keys: Iterable[Key], sign: SignGateway) -> None:
    """State what is due: once an hour for each machine and kind."""
    for key in keys:
        for what, said in list(key.info.get("suspects", {}).items()):
            if work.now_ms - said["sinceMs"] < WAIT_MS or said["count"] == 0:
                continue
            equipment, _, kind = what.partition(" ")
            if _told_itself(key, equipment, said["fromMs"]):
                key.info["suspects"][what]["count"] = 0
                work.keys[key.id] = key
                continue
            if work.now_ms - said.get("statedMs", -HOUR_MS) < HOUR_MS:
                continue
            specific = {
                "kind": kind,
                "equipment": equipment,
                "reason": said["reason"],
                "permit": None,
                "count": said["count"],
                "fromMs": said["fromMs"],
                "toMs": said["toMs"],
                "about": {"node": key.name, "keyid": key.keyid},
            }
            sign("denial", [(f"key/{key.name}", key.keyid)], specific, work)
            key.info["suspects"][what] = {**said, "count": 0, "statedMs": work.now_ms}
            work.keys[key.id] = key


def _uncovered(permit: StoredPermit | None, from_ms: int) -> str | None:
    """Why an interval that begins at `from_ms` had no permit; None where that cannot be said."""
    if permit is None:
        return "no-permit"
    members = views.permit_payload(permit)
    return "permit-ended" if from_ms > members["notAfterMs"] + members["graceMs"] else None


def _told_itself(key: Key, equipment: str, from_ms: int) -> bool:
    denial = key.info.get("denials", {}).get(equipment)
    return denial is not None and (denial["time_ms"] or 0) >= from_ms


def _suspect(
    key: Key, what: str, reason: str, count: int, from_ms: int, to_ms: int, work: Work
) -> None:
    suspects: dict[str, Any] = key.info.setdefault("suspects", {})
    said = suspects.get(what, {"count": 0})
    first = said["count"] == 0
    suspects[what] = {
        **said,
        "reason": reason,
        "count": said["count"] + count,
        "fromMs": from_ms if first else min(said["fromMs"], from_ms),
        "toMs": to_ms if first else max(said["toMs"], to_ms),
        "sinceMs": work.now_ms if first else said["sinceMs"],
    }
    work.keys[key.id] = key
