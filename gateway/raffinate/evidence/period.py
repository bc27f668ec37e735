"""Closing a period of the log: what is kept for it with each key, and the parts of a close.

A close tells who reads it nothing that the log does not have; the verifier recomputes it
(docs/formats/statement.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from raffinate.evidence.statement import Statement
    from raffinate.evidence.store import Key
    from raffinate.evidence.work import Work
    from raffinate.model import Plant

    Registers = dict[str, tuple[int, int, int]]
    Newest = Callable[[Key], tuple[int, str, Registers] | None]
    """(seq, head, registers) of a key's highest good statement."""
    Fits = Callable[[list[dict[str, Any]], list[int]], bool]

NODES_MAX = 8
GAPS_MAX = 16
LATE_MAX = 64
PARTS_MAX = 64
_LATE_KEPT = 1024
_NONE = (0, 0, 0)


def note(key: Key, statement: Statement, index: int, keys: Mapping[str, Key], work: Work) -> None:
    """Keep what the next close will say of a good statement just logged."""
    if key.role != "node":
        about = keys.get(statement.body["about"]["keyid"]) if statement.type == "gap" else None
        if about is not None:
            _add(_open(about)["gaps"], index, GAPS_MAX)
            work.keys[about.id] = about
        return
    period = _open(key)
    if statement.seq <= key.info.get("closed", {"seq": 0})["seq"]:
        _add(period["late"], index, _LATE_KEPT)
    elif period["first"] is None or statement.seq < period["first"]:
        period["first"] = statement.seq
    if statement.type == "gap":
        _add(period["gaps"], index, GAPS_MAX)


def parts(
    keys: Iterable[Key],
    newest: Newest,
    plant: Plant,
    minutes: Mapping[str, int],
    fits: Fits,
    work: Work,
) -> list[dict[str, Any]]:
    """`nodes` and `late` of each part of a close; the keys' periods begin anew.

    `minutes` are hour meters as read, by equipment; `fits` tells whether nodes and late
    indices have room in one statement.
    """
    nodes, late = [], []
    for key in sorted(keys, key=lambda key: (key.name, key.enrol_index)):
        period = key.info.get("period")
        if key.role != "node" or period is None:
            continue
        late += period["late"]
        entry = _entry(key, period, newest(key))
        if entry is not None:
            nodes.append(entry)
        key.info["period"] = None
        work.keys[key.id] = key
    _tell_meters(nodes, plant, minutes)
    found = [{"nodes": group, "late": []} for group in _groups(nodes, fits)]
    late.sort()
    groups = [late[at : at + LATE_MAX] for at in range(0, len(late), LATE_MAX)][:PARTS_MAX]
    if len(groups) == 1 and found and fits(found[-1]["nodes"], groups[0]):
        found[-1]["late"] = groups.pop()
    found += [{"nodes": [], "late": group} for group in groups]
    return found[:PARTS_MAX] or [{"nodes": [], "late": []}]


def _open(key: Key) -> dict[str, Any]:
    period: dict[str, Any] | None = key.info.get("period")
    if period is None:
        period = key.info["period"] = {"first": None, "gaps": [], "late": []}
    return period


def _add(found: list[int], index: int, count_max: int) -> None:
    if len(found) < count_max:
        found.append(index)


def _entry(
    key: Key, period: dict[str, Any], newest: tuple[int, str, Registers] | None
) -> dict[str, Any] | None:
    first = period["first"]
    if first is None or newest is None or newest[0] < first:
        return None
    last, head, registers = newest
    before = key.info.get("closed", {}).get("registers", {})
    key.info["closed"] = {"seq": last, "registers": registers}
    return {
        "node": key.name,
        "keyid": key.keyid,
        "firstSeq": first,
        "lastSeq": last,
        "head": head,
        "registers": [_delta(name, values, before) for name, values in registers.items()],
        "gaps": period["gaps"],
        "hourMeters": [],
    }


def _delta(name: str, values: Sequence[int], before: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    grown = [max(0, now - then) for now, then in zip(values, before.get(name, _NONE), strict=True)]
    return {"id": name, **dict(zip(("runMs", "starts", "volumeMl"), grown, strict=True))}


def _tell_meters(nodes: Sequence[dict[str, Any]], plant: Plant, minutes: Mapping[str, int]) -> None:
    """Hour meters stand with the last key of the node that meters the equipment."""
    last = {entry["node"]: entry for entry in nodes}
    for item in plant.equipment.values():
        if item.node in last:
            last[item.node]["hourMeters"].append({"id": item.id, "minutes": minutes.get(item.id)})


def _groups(nodes: Iterable[dict[str, Any]], fits: Fits) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    for entry in nodes:
        if found and len(found[-1]) < NODES_MAX and fits([*found[-1], entry], []):
            found[-1].append(entry)
        else:
            found.append([entry])
    return found
