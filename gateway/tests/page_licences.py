"""Licences, decisions, quotas and a calendar for the page's tests, in the API's own shapes."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.evidence.handover import RefusedError
from raffinate.licence.registrar import listed, parse_any

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.web.evidence_shape import EquipmentEvidence
    from raffinate.web.licence_shape import (
        CalendarEntry,
        ConditionShown,
        LicenceShown,
        QuotaShown,
        Result,
    )

REFUSED_ACTOR = "nobody"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOSTILE = '<img src=x onerror="document.title=1">&amp;</td><script>alert(1)</script>'
RULE = "cn-mofcom-2025/56 of 11a0c9f2, as of 2025-11-15"


class Entries:
    """Takes acknowledgements and documents as the gateway does, and refuses REFUSED_ACTOR's."""

    def __init__(self, time_ms: Callable[[], int]) -> None:
        self.taken: dict[str, list[Any]] = {}
        self.documents: list[tuple[bytes, Any]] = []
        self._time_ms = time_ms

    def acknowledge(self, equipment: str, state: str, actor: str) -> dict[str, Any]:
        """See `raffinate.web.providers.Entries`."""
        if actor == REFUSED_ACTOR:
            raise RefusedError("the gateway refused it: its disk is full")
        one = {
            "state": state,
            "who": actor,
            "time_ms": self._time_ms(),
            "index": 1204 + sum(map(len, self.taken.values())),
            "sha256": "ac" * 32,
            "licence": "5e" * 32,
        }
        self.taken.setdefault(equipment, []).insert(0, one)
        return {"index": one["index"], "sha256": one["sha256"]}

    def add(self, data: bytes, actor: str) -> dict[str, Any]:
        """See `raffinate.web.providers.Entries`."""
        if actor == REFUSED_ACTOR:
            raise RefusedError("the gateway refused it: its disk is full")
        found = listed(parse_any("document", data))
        members = {"kind": found.kind, "name": found.name, "version": found.version}
        digest = sha256(data).hexdigest()
        known = next((row for _, row in self.documents if row["sha256"] == digest), None)
        index = 2000 + len(self.documents) if known is None else known["index"]
        if known is None:
            row = {
                **members,
                "sha256": digest,
                "replaces": found.replaces,
                "index": index,
                "time_ms": self._time_ms(),
                "state": "kept",
                "changed": index,
                "newest": True,
                "vouched": {"assay": "signature", "lot": "list"}.get(found.kind),
                "signed_by": "3f9ac0d1e2b34455" * 4 if found.kind == "assay" else None,
                "title": HOSTILE if found.kind == "party" else "",
            }
            for _, other in self.documents:
                same = (other["kind"], other["name"]) == (found.kind, found.name)
                other["newest"] = other["newest"] and not same
            self.documents.append((data, row))
        return {**members, "sha256": digest, "index": index, "known": known is not None}

    def check(self, data: bytes) -> list[str]:
        """See `raffinate.web.providers.Entries`."""
        found = listed(parse_any("document", data))
        same = [row for _, row in self.documents if (row["kind"], row["name"]) == found[:2]]
        digest = sha256(data).hexdigest()
        if any(row["version"] == found.version and row["sha256"] != digest for row in same):
            raise RefusedError(f"{found.kind} {found.name} version {found.version} is there")
        return [f"document: party {HOSTILE} is not in the registry"] if found.kind == "lot" else []

    def resolve(self, name: str) -> list[dict[str, Any]]:
        """See `raffinate.web.providers.Entries`."""
        like = {"name": "Magnet Works", "party": "magnet-works", "what": "party", "score": 91}
        return [like] if name.startswith("Magnet") else []

    def registry(self) -> dict[str, Any]:
        """See `raffinate.web.providers.Entries`."""
        rows = [row for _, row in reversed(self.documents)]
        alike = [
            {
                "name": f"Magnet Werke {HOSTILE}",
                "where": "licence L-2026-114",
                "like": "Magnet Works",
                "party": "magnet-works",
                "what": "party",
                "score": 91,
            }
        ]
        return {
            "documents": rows,
            "total": len(rows),
            "policy": True,
            "problem": "",
            "suggestions": alike if rows else [],
        }

    def document(self, sha256: str) -> tuple[str, bytes] | None:
        """See `raffinate.web.providers.Entries`."""
        for data, row in self.documents:
            if row["sha256"] == sha256:
                return row["kind"], data
        return None

    def seen(self, shown: EquipmentEvidence) -> EquipmentEvidence:
        """A machine with what was taken."""
        taken = self.taken.get(shown["id"], [])
        states = {one["state"] for one in taken}
        due: Any = [state for state in shown.get("to_acknowledge", []) if state not in states]
        return {
            **shown,
            "to_acknowledge": due,
            "acknowledgements": [*taken, *shown.get("acknowledgements", [])],
        }


def condition(
    code: str, result: Result, klass: str, text: str, *inputs: list[str], **over: Any
) -> ConditionShown:
    """One condition; what is not given is as the licence itself has it."""
    found: Any = {
        "code": code,
        "result": result,
        "class": klass,
        "text": text,
        "inputs": list(inputs),
        "rule": None,
        "evidence": None,
        "waived": None,
        "withholds": False,
    }
    return {**found, **over}


CONDITIONS = (
    condition(
        "dates",
        "PASS",
        "D",
        "The licence is in force",
        ["clock", "S"],
        ["from", "2026-11-01"],
        ["to", "2027-10-31"],
    ),
    condition("serial", "PASS", "D", "The machine is the licensed one", ["serial", "MS6-2041"]),
    condition(
        "stages",
        "PASS",
        "D",
        "Only licensed stages are in use",
        ["in use", "e01, e02, e03, e04, e05, e06"],
    ),
    condition(
        "quota:run-h/year",
        "PASS",
        "D",
        "Running time within the year's quota",
        ["used", "73.3 to 74.1 h"],
        ["limit", "4000 h"],
    ),
    condition(
        "elements",
        "INSUFFICIENT",
        "X",
        "Only La and Nd are handled: an assay must say so",
        ["assay", "none that anybody vouches for"],
    ),
    condition(
        "activity:commissioning",
        "EXPIRED-RULE",
        "I",
        "Commissioning is a licensed activity",
        ["activity", "operation"],
        rule=RULE,
        evidence="reported",
    ),
    condition(
        "end-use",
        "FAIL",
        "X",
        f"The end use is the licensed one {HOSTILE}",
        ["end-user-certificate", "5e" * 32],
        [HOSTILE, HOSTILE],
        rule=f"{HOSTILE} as of 2025-11-15",
        evidence="rumoured",
        withholds=True,
    ),
    condition(
        "reporting:monthly",
        "PASS",
        "I",
        "The monthly report was filed",
        rule="neutral/1 of 77aa0011, as of 2026-06-01",
        evidence="legal",
        waived="trial period, letter of 2026-10-02",
    ),
)


def quotas(now_ms: int) -> list[QuotaShown]:
    """One that is sure, one between bounds near its limit, one unknown, one used up."""
    year: Any = {"period_start_ms": now_ms - 300 * DAY_MS, "period_end_ms": now_ms + 65 * DAY_MS}
    found: list[Any] = [
        _quota("run-h", "h", 4000, 73.3, 73.3, "year"),
        _quota("reo-kg", "kg", 50, 41.2, 47.9, "year", binds="verdict"),
        _quota("reagent-kg", "kg", 800, None, None, "year", reagent="HCl", binds="verdict"),
        _quota("volume-l", "l", 1000, 1000, 1000, "year"),
    ]
    return [{**quota, **year} for quota in found]


def licence(now_ms: int, number: str, **over: Any) -> LicenceShown:
    """A licence in force with every kind of result."""
    found: Any = {
        "number": number,
        "version": 2,
        "sha256": "5e" * 32,
        "issuer": f"Licensing authority {HOSTILE}",
        "kind": "single",
        "from_ms": now_ms - 20 * DAY_MS,
        "to_ms": now_ms + 345 * DAY_MS,
        "in_force": True,
        "revoked_ms": None,
        "rests_on": ["cn-mofcom-2025/56", "neutral/1"],
        "decision": {
            "result": "FAIL",
            "at_ms": now_ms // 10_000 * 10_000,
            "conditions": list(CONDITIONS),
            "recorded": [f"political alignment {HOSTILE}"],
        },
        "quotas": quotas(now_ms // DAY_MS * DAY_MS),
        "next_duty": {
            "what": "monthly report",
            "to": "the licensing authority",
            "due_ms": now_ms // DAY_MS * DAY_MS + 8 * DAY_MS,
        },
    }
    return {**found, **over}


def passing(now_ms: int, number: str) -> LicenceShown:
    """One whose conditions all pass."""
    found = licence(now_ms, number, quotas=[], next_duty=None, issuer="Licensing authority (demo)")
    conditions = [item for item in CONDITIONS if item["result"] == "PASS"]
    at_ms = now_ms // 10_000 * 10_000
    return {
        **found,
        "decision": {
            "result": "PASS",
            "at_ms": at_ms,
            "conditions": conditions,
            "recorded": [],
        },
    }


def equipment(plain: EquipmentEvidence, start_ms: int, now_ms: int) -> EquipmentEvidence:
    """What `plain` is in the scenario `licences`: FAIL, grace, orderly stop requested."""
    number = f"L-2026-{plain['id']}"
    found: Any = {**plain, "bypass": None, "to_acknowledge": [], "acknowledgements": []}
    permit: Any = {
        **(plain["permit"] or {}),
        "volume_ml_limit": None,
        "run_ms_left": 16 * HOUR_MS,
        "volume_ml_left": None,
        "withdrawn": False,
    }
    if plain["id"] == "bat-ext":
        return {**found, "licence": licence(now_ms, number), "permit": permit}
    if plain["id"] == "bat-scrub":
        ended_ms = start_ms - 5000
        return {
            **found,
            "state": "grace",
            "reason": "permit 12 has ended; grace of 3600 s runs",
            "licence": {
                **passing(now_ms, number),
                "to_ms": ended_ms,
                "in_force": False,
            },
            "permit": {**permit, "not_after_ms": ended_ms, "grace_ms": HOUR_MS},
            "to_acknowledge": ["grace", "conditions"],
        }
    ended_ms = start_ms - 2 * HOUR_MS
    return {
        **found,
        "run": True,
        "state": "orderly-stop-requested",
        "reason": "permit 12 has ended, and so has its grace; no licence is in force: no start",
        "licence": {**passing(now_ms, number), "to_ms": ended_ms, "in_force": False},
        "permit": {**permit, "not_after_ms": ended_ms, "grace_ms": HOUR_MS, "withdrawn": True},
        "last_denial": {
            "kind": "STARTED-ANYWAY",
            "reason": "permit-ended",
            "time_ms": start_ms - HOUR_MS,
            "count": 3,
        },
        "acknowledgements": [
            {
                "state": "grace",
                "who": "op-7",
                "time_ms": start_ms - 90 * 60_000,
                "index": 1180,
                "sha256": "ac" * 32,
                "licence": "5e" * 32,
            }
        ],
    }


def calendar(start_ms: int) -> list[CalendarEntry]:
    """Past, soon and later; of one machine and of none."""
    return [
        _entry(start_ms - 3 * DAY_MS, "duty", "bat-strip", "L-2026-bat-strip", "Report of October"),
        _entry(start_ms - 2 * HOUR_MS, "licence-ends", "bat-strip", "L-2026-bat-strip", "Ended"),
        _entry(start_ms + 5 * HOUR_MS, "permit-ends", "bat-ext", "L-2026-bat-ext", "Permit 12"),
        _entry(start_ms + 8 * DAY_MS, "duty", "bat-ext", "L-2026-bat-ext", f"Monthly {HOSTILE}"),
        _entry(
            start_ms + 40 * DAY_MS, "review", None, None, "cn-mofcom-2025/56: extension rumoured"
        ),
        _entry(start_ms + 345 * DAY_MS, "licence-ends", "bat-ext", "L-2026-bat-ext", "Ends"),
    ]


def _quota(
    quantity: str,
    unit: str,
    limit: float,
    low: float | None,
    high: float | None,
    period: str,
    reagent: str | None = None,
    binds: str = "permit",
) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "reagent": reagent,
        "unit": unit,
        "limit": limit,
        "used_low": low,
        "used_high": high,
        "period": period,
        "binds": binds,
    }


def _entry(
    at_ms: int, what: Any, machine: str | None, number: str | None, text: str
) -> CalendarEntry:
    return {"at_ms": at_ms, "what": what, "equipment": machine, "licence": number, "text": text}


PARTY = b"""kind = "party"
id = "magnet-works"
names = ["Magnet Works", "\xe7\xa3\x81\xe9\x92\xa2\xe5\x8e\x82"]
country = "DE"
"""
LOT = b"""# <img src=x onerror="document.title=1">
kind = "lot"
id = "LOT-17"
element = "Nd"
purity_percent = 99.95
mass = 12.5
unit = "kg"
produced = 2026-11-02
destination = "DE"
end_user = "magnet-works"
end_use = "magnets"
"""
ASSAY = b"""kind = "assay"
id = "AS-3"
of = "lot"
subject = "LOT-17"
laboratory = "Lab 4"
sampled = 2026-11-03
[[contents]]
element = "Nd"
mass_fraction = 0.857
"""


def fill(entries: Entries) -> None:
    """Some documents, as a plant has them."""
    for data in (PARTY, LOT, ASSAY):
        entries.add(data, "op-7")
