"""What a node's statements tell by the way: keyed bypass, and digests that changed.

Kept with the key (`info`), so that a gateway that starts again knows it; bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from raffinate.evidence.statement import Statement
    from raffinate.evidence.store import Key

CHANGES_MAX = 16
ACTIVITIES_MAX = 32
ACTIVITY_SLACK_MS = 3_600_000
DIGESTS = ("firmware", "config", "calibration")
_WORK = {"upgrade", "repair", "maintenance", "commissioning", "assembly"}
ALLOWS = {
    "firmware": _WORK,
    "config": _WORK | {"calibration"},
    "calibration": (_WORK - {"upgrade"}) | {"calibration"},
}
"""Kinds of activity that explain a changed digest, as the verifier has them."""
_STOP = "orderly-stop-requested"
_BYPASS = re.compile(r"bypass (?:(on|off) )?([a-z0-9][a-z0-9-]{0,31})(?: x([0-9]{1,9}))?")


def note(key: Key, statement: Statement, index: int) -> None:
    """Take a key's newest good statement, logged at `index`."""
    body, info = statement.body, key.info
    if statement.type in ("usage", "heartbeat"):
        _note_bypass(info, body, index)
        _note_stops(info, body)
    if statement.type in ("usage", "heartbeat", "boot"):
        _note_digests(info, body, index)


def bypassed(why: str | None, before: Collection[str] = ()) -> tuple[str, ...]:
    """Machines whose bypass is on at the end of an interval, by the `why` of its statement.

    `before`: those whose it was on at its begin. Why counts scans with the key on (`bypass NAME`)
    and turns of the key (`bypass on NAME`, `bypass off NAME`).
    """
    turns: dict[str, int] = {}
    for part in (why or "").split("; "):
        match = _BYPASS.fullmatch(part)
        if match is not None:
            turn = {"on": 1, "off": -1, None: 0}[match[1]] * int(match[3] or 1)
            turns[match[2]] = turns.get(match[2], 0) + turn
    return tuple(
        name
        for name, turn in turns.items()
        if turn > 0 or (turn == 0 and _stays(why, name, before))
    )


def keyed(why: str | None) -> frozenset[str]:
    """Machines whose bypass was on at some time in an interval."""
    found = (_BYPASS.fullmatch(part) for part in (why or "").split("; "))
    return frozenset(match[2] for match in found if match is not None)


def note_activity(state: dict[str, Any], body: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Keep an activity just stated; the value of the gateway's memory `activities`."""
    known: dict[str, Any] = dict(state.get("activities", {}))
    one = {name: body[name] for name in ("kind", "fromMs", "toMs", "workOrder")}
    mine = [*known.get(body["equipment"], []), {**one, "index": index}]
    known[body["equipment"]] = mine[-ACTIVITIES_MAX:]
    state["activities"] = known
    return known


def unexplained(
    info: Mapping[str, Any], activities: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """Changes of digests (`what`, `from_ms`, `to_ms`, `index`) that no activity explains."""
    known = list(activities)
    return tuple(
        change
        for change in info.get("changes", ())
        if not any(_explains(activity, change) for activity in known)
    )


def under_way(activities: Iterable[Mapping[str, Any]], at_ms: int) -> str | None:
    """Kind of the newest activity that goes on at `at_ms`, None for none."""
    found = [
        one
        for one in activities
        if one["fromMs"] <= at_ms and (one["toMs"] is None or at_ms < one["toMs"])
    ]
    return None if not found else str(max(found, key=lambda one: one["index"])["kind"])


def _stays(why: str | None, name: str, before: Collection[str]) -> bool:
    """Nobody turned the key, or it was turned there and back."""
    return name in before or f"bypass on {name}" not in (why or "")


def _note_bypass(info: dict[str, Any], body: Mapping[str, Any], index: int) -> None:
    before = info.get("bypass", {})
    if body["why"] is None and not before:
        return
    now = {}
    for name in bypassed(body["why"], before):
        since_ms = body["interval"]["fromMs"]
        now[name] = before.get(name) or {
            "since_ms": body["timeMs"] if since_ms is None else since_ms,
            "index": index,
        }
    if now != before:
        info["bypass"] = now


def _note_stops(info: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Since when each machine is asked to stop in good order, by its node's word."""
    before, since_ms = info.get("stops", {}), body["interval"]["fromMs"]
    now = {
        use["id"]: before.get(use["id"], body["timeMs"] if since_ms is None else since_ms)
        for use in body["equipment"]
        if use["state"] == _STOP
    }
    if now != before:
        info["stops"] = now


def _note_digests(info: dict[str, Any], body: Mapping[str, Any], index: int) -> None:
    before, time_ms = info.get("digests"), body["timeMs"]
    now = {name: body[name] for name in DIGESTS}
    if before is not None:
        for name in DIGESTS:
            if before[name] != now[name]:
                change = {"what": name, "from_ms": before["time_ms"], "to_ms": time_ms}
                changes = [*info.get("changes", []), {**change, "index": index}]
                info["changes"] = changes[-CHANGES_MAX:]
    kept_ms = time_ms if time_ms is not None or before is None else before["time_ms"]
    info["digests"] = {**now, "time_ms": kept_ms}


def _explains(activity: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    if activity["kind"] not in ALLOWS[change["what"]]:
        return False
    begins_ms = activity["fromMs"] - ACTIVITY_SLACK_MS
    ends_ms = None if activity["toMs"] is None else activity["toMs"] + ACTIVITY_SLACK_MS
    return (change["to_ms"] is None or begins_ms <= change["to_ms"]) and (
        ends_ms is None or change["from_ms"] is None or ends_ms >= change["from_ms"]
    )
