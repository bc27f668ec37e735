"""The evidence state as the API and the page show it; values only, built anew each time."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.evidence.acknowledging import acknowledgeable
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.store import StoredPermit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.evidence.intake import Intake
    from raffinate.evidence.office import PermitOffice
    from raffinate.evidence.store import Key
    from raffinate.model import Equipment, Plant
    from raffinate.tlog.sequencer import Sequencer
    from raffinate_wire.status import Status

FINDINGS_SHOWN_MAX = 16
_STALE_STATEMENTS = 3
_STATES = ("compliant", "grace", "start-inhibit", "orderly-stop-requested")


def sha256_hex(data: bytes) -> str:
    """Lowercase hex SHA-256."""
    return sha256(data).hexdigest()


def stored_permit(
    keyid: str, equipment: str, payload: bytes, index: int, envelope: bytes
) -> StoredPermit:
    """The store's row of a permit that was just signed."""
    return StoredPermit(keyid, equipment, orjson.loads(payload)["serial"], index, envelope)


def permit_payload(permit: StoredPermit) -> dict[str, Any]:
    """Members of a permit that this gateway signed, by wire name."""
    found: dict[str, Any] = orjson.loads(decode_envelope(permit.envelope).payload)
    return found


def snapshot(
    plant: Plant,
    log: Sequencer,
    intake: Intake,
    status: Mapping[str, Status],
    current: Mapping[str, Key],
    permits: Mapping[tuple[str, str], StoredPermit],
    office: PermitOffice,
    anchors: list[dict[str, Any]],
    now_ms: int,
    acknowledged: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """See `web.evidence_shape.EvidenceState`."""
    return {
        "log": {
            "origin": log.origin,
            "size": log.size,
            "root": b64encode(log.root).decode(),
            "time_ms": log.time_ms,
            "checkpoint": log.note.decode(),
        },
        "anchors": anchors,
        "nodes": [_node(name, intake, status.get(name), current.get(name)) for name in plant.nodes],
        "equipment": [
            _acknowledged(
                _equipment(plant, item, current.get(item.node), permits, office, now_ms),
                acknowledged.get(item.id, ()),
                _stop_since(current.get(item.node), item.id),
            )
            for item in plant.equipment.values()
        ],
        "calendar": office.calendar(now_ms),
        "problems": office.problems()
        + [f"{item['source']}: {item['problem']}" for item in anchors if item["problem"]],
    }


def _node(name: str, intake: Intake, status: Status | None, key: Key | None) -> dict[str, Any]:
    pending = [row for row in intake.pending.values() if row.node == name]
    shown = _shown_key(status, key, pending)
    info = key.info if key is not None and shown == key.keyid else {}
    findings = list(info.get("findings", ()))
    state = "unknown"
    if key is not None and shown == key.keyid:
        state = "revoked" if key.revoked else "enrolled"
    elif any(row.keyid == shown for row in pending):
        state = "pending"
    return {
        "node": name,
        "keyid": shown,
        "state": state,
        "code": None,
        "boot": status.boot if status is not None else info.get("boot"),
        "online": None if status is None else status.online,
        "clock": info.get("clock"),
        "last_statement": info.get("last"),
        "last_receipt": info.get("receipt"),
        "covered_ms": info.get("covered_ms"),
        "unreceipted": info.get("unreceipted", 0),
        "chain": findings[0] if findings else "ok",
        "findings": findings[:FINDINGS_SHOWN_MAX],
    }


def _shown_key(status: Status | None, key: Key | None, pending: list[Any]) -> str | None:
    """The key that the node uses now, else the last enrolled, else one that waits."""
    if status is not None:
        return status.keyid
    if key is not None:
        return key.keyid
    return str(pending[-1].keyid) if pending else None


def _equipment(
    plant: Plant,
    item: Equipment,
    key: Key | None,
    permits: Mapping[tuple[str, str], StoredPermit],
    office: PermitOffice,
    now_ms: int,
) -> dict[str, Any]:
    permit = None if key is None else permits.get((key.keyid, item.id))
    members = None if permit is None else permit_payload(permit)
    info = {} if key is None else key.info
    use = next((use for use in info.get("use", ()) if use["id"] == item.id), None)
    registers = info.get("registers", {}).get(item.id)
    licence = office.view(item.id, now_ms)
    is_new = use is not None and not _is_old(plant, item, info, now_ms)
    said = use["state"] if use is not None and is_new else None
    state, reason = _state(key, members, registers, licence, use, said, now_ms)
    bypass = info.get("bypass", {}).get(item.id)
    if bypass is not None:
        state, reason = "bypass", f"its key bypass is on: starts are possible; else: {reason}"
    return {
        "id": item.id,
        "name": item.name,
        "serial": item.serial,
        "node": item.node,
        "run": None if use is None else use["run"],
        "state": state,
        "reason": reason,
        "licence": licence,
        "permit": None if members is None else _permit(members, registers),
        "registers": None
        if registers is None
        else dict(zip(("run_ms", "starts", "volume_ml"), registers, strict=True)),
        "last_denial": info.get("denials", {}).get(item.id),
        "bypass": bypass,
    }


def _stop_since(key: Key | None, equipment: str) -> int | None:
    """Since when its node asks the machine to stop, None where it does not."""
    return None if key is None else key.info.get("stops", {}).get(equipment)


def _acknowledged(
    shown: dict[str, Any], known: Sequence[Mapping[str, Any]], stop_since_ms: int | None
) -> dict[str, Any]:
    """With what was taken note of, and what should be: each state once since it began."""
    shown["acknowledgements"] = [dict(item) for item in known]
    permit, licence, wanted = shown["permit"], shown["licence"], []
    since_ms = {"conditions": 0, "grace": 0, "orderly-stop": 0, "bypass": 0}
    if permit is not None:
        since_ms["grace"] = permit["not_after_ms"]
        since_ms["orderly-stop"] = permit["not_before_ms"]
    if stop_since_ms is not None:
        since_ms["orderly-stop"] = stop_since_ms
    if shown["bypass"] is not None:
        since_ms["bypass"] = shown["bypass"]["since_ms"]
    for state in acknowledgeable(shown):
        done = any(
            item["state"] == state
            and item["time_ms"] >= since_ms[state]
            and (state != "conditions" or item["licence"] == licence["sha256"])
            for item in known
        )
        if not done:
            wanted.append(state)
    shown["to_acknowledge"] = wanted
    return shown


def _permit(members: dict[str, Any], registers: Sequence[int] | None) -> dict[str, Any]:
    run_limit, volume_limit = members["runMsLimit"], members["volumeMlLimit"]
    run_ms, _, volume_ml = (None, None, None) if registers is None else registers
    life_ms = members["notAfterMs"] - members["notBeforeMs"]
    return {
        "serial": members["serial"],
        "not_before_ms": members["notBeforeMs"],
        "not_after_ms": members["notAfterMs"],
        "grace_ms": members["graceMs"],
        "run_ms_limit": run_limit,
        "volume_ml_limit": volume_limit,
        "run_ms_left": None if run_ms is None else max(0, run_limit - run_ms),
        "volume_ml_left": None
        if volume_ml is None or volume_limit is None
        else max(0, volume_limit - volume_ml),
        "withdrawn": members["graceMs"] == 0 and life_ms == 1,
    }


def _is_old(plant: Plant, item: Equipment, info: dict[str, Any], now_ms: int) -> bool:
    """The node's own word is older than three of its statements' intervals."""
    time_ms = (info.get("last") or {}).get("time_ms")
    interval_ms = plant.nodes[item.node].statement_s * 1000
    return time_ms is None or now_ms - time_ms > _STALE_STATEMENTS * interval_ms


def _state(
    key: Key | None,
    permit: dict[str, Any] | None,
    registers: Sequence[int] | None,
    licence: Mapping[str, Any] | None,
    use: dict[str, Any] | None,
    said: str | None,
    now_ms: int,
) -> tuple[str, str]:
    """(state, reason): the later of what the node said and what the permit's limits say."""
    if key is None:
        return "unknown", "its node's key is not enrolled: `raffinate node enrol NODE CODE`"
    without = "" if licence is not None and licence["in_force"] else "; no licence is in force"
    withheld = _withheld(licence)
    if permit is None:
        state = "start-inhibit" if use is not None else "unknown"
        if not without and withheld:
            return said or state, f"no permit was given{withheld}"
        return said or state, "no licence in force, so no permit was given"
    state, reason = _by_permit(permit, registers, without, withheld, now_ms)
    if state == "start-inhibit" and use is not None and use["run"]:
        state = "orderly-stop-requested"
    if said in _STATES and _STATES.index(said) > _STATES.index(state):
        return said, f"{reason}; the node itself says {said}"
    return state, reason


def _by_permit(
    permit: dict[str, Any],
    registers: Sequence[int] | None,
    without: str,
    withheld: str,
    now_ms: int,
) -> tuple[str, str]:
    name = f"permit {permit['serial']} under licence {permit['licence']}"
    end_ms, grace_ms = permit["notAfterMs"], permit["graceMs"]
    if grace_ms == 0 and end_ms - permit["notBeforeMs"] == 1:
        return "start-inhibit", f"{name} was withdrawn{withheld or without}: no start"
    if now_ms >= end_ms + grace_ms:
        return "start-inhibit", f"{name} has ended, and so has its grace{without}: no start"
    if registers is not None and registers[0] >= permit["runMsLimit"]:
        return "start-inhibit", f"{name}: the run time that it allows is used up: no start"
    limit_ml = permit["volumeMlLimit"]
    if registers is not None and limit_ml is not None and registers[2] >= limit_ml:
        return "start-inhibit", f"{name}: the volume that it allows is used up: no start"
    if now_ms >= end_ms:
        return "grace", f"{name} has ended{without}; grace of {grace_ms // 1000} s runs"
    return "compliant", name


def _withheld(licence: Mapping[str, Any] | None) -> str:
    """Why the licence engine keeps permits back, "" where it does not."""
    decision = None if licence is None else licence["decision"]
    if decision is None:
        return ""
    found = [item["text"] for item in decision["conditions"] if item["withholds"]]
    return f": {'; '.join(found)}" if found else ""
