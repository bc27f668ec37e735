"""A licence that sets every condition, the papers and facts that meet it, and ways to break it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

from raffinate.licence.decide import decide
from raffinate.licence.document import parse_licence
from raffinate.licence.facts import Bounds, Facts, Used
from raffinate.licence.papers import Vouched, parse_paper
from raffinate.licence.regime import parse_regime

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MINIMAL = """number = "L-1"
issuer = "Authority"
equipment = "SN-1"
stages = ["e01", "e02"]
from = 2026-11-01T00:00:00Z
to = 2027-11-01T00:00:00Z
grace_s = 3600
"""
FULL = (
    MINIMAL
    + """purpose = "Nd/Pr separation"
rests_on = ["test/1"]

[parties]
exporter = "exporter"
consignee = "works"
end_user = "magnets"
intermediaries = ["forwarder"]

[[items]]
control_code = "2B999"
serial = "SN-1"
parameters = { stages = 12, seal = "double" }

[use]
site = "ndpr"
sections = ["extraction", "scrub"]
activities = ["operation", "maintenance"]
elements = ["Nd", "Pr"]
end_use = "magnets for wind turbines"

[[products]]
element = "Nd"
purity_max_percent = 99.9
margin_percent = 0.4

[[quotas]]
quantity = "run-h"
limit = 600
period = "month"

[[quotas]]
quantity = "volume-l"
limit = 1000
period = "day"

[[quotas]]
quantity = "reo-kg"
limit = 50
period = "year"

[[quotas]]
quantity = "reagent-kg"
reagent = "hcl"
limit = 12.5
period = "licence"

[[requires]]
document = "approval"
before_start = true

[[requires]]
document = "visit"
shows = 2

[[discharge]]
outfall = "o01"
point = "ph"
unit = "pH"
low = 6
high = 9.5

[[discharge]]
outfall = "o01"
point = "radiation"
high = 20

[[duties]]
what = "usage report"
every = "month"
to = "Authority"

[[duties]]
what = "commissioning report"
due = 2026-12-15
to = "Authority"

[conditions]
no_retransfer = true
no_military_use = true
no_unlisted_parties = true
sealed = true
unobservable = ["the end user stays politically aligned", "staff are trained"]
"""
)
REGIME = """v = 1
id = "test"
title = "Rules for tests"
issuer = "Authority"
utc_offset = "+08:00"
as_of = 2026-10-01
review_by = 2027-10-01

[sources.text]
title = "The text"
publisher = "Authority"
kind = "primary"

[[instruments]]
number = "1"
title = "Extraction equipment"
kind = "rule"
evidence = "legal"
effect = "licence"
valid_from = 2026-01-01
sources = ["text"]
"""


class Day(str):
    """A date, written without quotes."""

    __slots__ = ()


def ms(text: str) -> int:
    """UTC ms of `2026-11-10` or `2026-11-10T12:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _text(value: object) -> str:
    if isinstance(value, Day):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)


AT_MS = ms("2026-12-10T12:00")


def licence_of(text: str = FULL):
    return parse_licence("licence.toml", text.encode())


def regime_of(text: str = REGIME):
    return parse_regime("regime.toml", text.encode())


def paper(kind: str, name: str, vouched: str | None = "list", **members: object) -> Vouched:
    """A paper by its members; a member that is a list of dicts is an array of tables."""
    tables = {key: value for key, value in members.items() if _is_tables(value)}
    lines = [f'kind = "{kind}"', f'id = "{name}"']
    lines += [f"{key} = {_text(value)}" for key, value in members.items() if key not in tables]
    for key, items in tables.items():
        for item in items:
            lines.append(f"[[{key}]]")
            lines += [f"{inner} = {_text(value)}" for inner, value in item.items()]
    return Vouched(parse_paper(f"{name}.toml", ("\n".join(lines) + "\n").encode()), vouched)


def certificate(**changed: object) -> Vouched:
    members = {
        "end_user": "magnets",
        "signed_by": "Director",
        "signed": Day("2026-10-15"),
        "end_use": "magnets for wind turbines",
        "commitments": ["no-retransfer", "no-military-use", "no-unlisted-parties"],
    }
    vouched = changed.pop("vouched", "list")
    name = changed.pop("name", "EUC-1")
    return paper("end-user-certificate", name, vouched, **{**members, **changed})


def lot(**changed: object) -> Vouched:
    members = {
        "element": "Nd",
        "purity_percent": 99.2,
        "mass": 100,
        "unit": "kg",
        "produced": Day("2026-11-20"),
        "destination": "Hanau",
        "consignee": "works",
        "end_user": "magnets",
        "end_use": "magnets for wind turbines",
        "equipment": ["SN-1"],
    }
    vouched = changed.pop("vouched", "list")
    name = changed.pop("name", "LOT-1")
    return paper("lot", name, vouched, **{**members, **changed})


def assay(purity: float = 99.2, **changed: object) -> Vouched:
    members = {
        "of": "lot",
        "subject": "LOT-1",
        "laboratory": "Lab",
        "sampled": Day("2026-11-21"),
        "contents": [
            {"element": changed.pop("element", "Nd"), "mass_fraction": 0.85,
             "purity_percent": purity},
            {"element": "La", "mass_fraction": 0.001},
        ],
    }  # fmt: skip
    vouched = changed.pop("vouched", "list")
    name = changed.pop("name", "ASSAY-1")
    return paper("assay", name, vouched, **{**members, **changed})


def approval(**changed: object) -> Vouched:
    members = {"what": "start of the works", "by": "Authority", "from": Day("2026-11-01")}
    vouched = changed.pop("vouched", "list")
    name = changed.pop("name", "A-1")
    return paper("approval", name, vouched, **{**members, "licence": "L-1", **changed})


def screening(**changed: object) -> Vouched:
    members = {
        "list": "Entity list",
        "at": Day("2026-11-01"),
        "cleared": ["exporter", "works", "magnets", "forwarder"],
    }
    vouched = changed.pop("vouched", "list")
    name = changed.pop("name", "S-1")
    return paper("screening", name, vouched, **{**members, **changed})


def transfer(**changed: object) -> Vouched:
    members = {"to": "works", "at": Day("2026-11-25"), "equipment": ["SN-1"]}
    vouched = changed.pop("vouched", "list")
    return paper("transfer", changed.pop("name", "T-1"), vouched, **{**members, **changed})


def party(name: str, **members: object) -> Vouched:
    vouched = members.pop("vouched", "list")
    return paper("party", name, vouched, **{"names": [name], "country": "DE", **members})


def parameters(**changed: object) -> Vouched:
    members = {"subject": "LOT-1", "element": "Nd", "values": [{"name": "form", "text": "powder"}]}
    return paper("parameters", "P-1", changed.pop("vouched", "list"), **{**members, **changed})


def report(what: str, filed: str, **changed: object) -> Vouched:
    members = {"licence": "L-1", "duty": what, "to_whom": "Authority", "filed": Day(filed)}
    vouched = changed.pop("vouched", "list")
    return paper("report", changed.pop("name", f"R-{filed}"), vouched, **{**members, **changed})


def visit(**changed: object) -> Vouched:
    members = {"by": "Inspector", "at": Day("2026-11-11")}
    return paper(
        "visit",
        changed.pop("name", "V-1"),
        changed.pop("vouched", "list"),
        **{**members, **changed},
    )


PAPERS = (
    certificate(),
    lot(),
    assay(),
    approval(),
    screening(),
    visit(),
)
GOOD = Facts(
    vouched="list",
    newest=True,
    clock="S",
    serial="SN-1",
    site="ndpr",
    sealed=True,
    activity="operation",
    start="permitted",
    stages=("e01",),
    sections=("extraction",),
    elements=(),
    plateau=("Nd", "Pr"),
    used={
        0: Used(100 * HOUR_MS, 100 * HOUR_MS),
        1: Used(500_000, 501_000),
        2: Used(10_000_000, 12_000_000),
        3: Used(1_000_000, 1_000_000),
    },
    purity={"Nd": Bounds(Fraction(992, 10), Fraction(992, 10))},
    papers=PAPERS,
    acknowledged=True,
    discharge={
        ("o01", "ph"): Bounds(Fraction(7), Fraction(8)),
        ("o01", "radiation"): Bounds(0, 12),
    },
    reports={"usage report": (ms("2026-12-05"),), "commissioning report": (ms("2026-12-01"),)},
    changed=(),
)


def outcome(code: str, licence=None, facts: Facts = GOOD, at_ms: int = AT_MS, regimes=None):
    """The result of one condition; a licence without it is an error."""
    decision = decide(
        licence or licence_of(), (regime_of(),) if regimes is None else regimes, facts, at_ms
    )
    return next(item for item in decision.conditions if item.code == code)


def with_papers(*papers: Vouched, without: tuple[str, ...] = ()) -> Facts:
    """Good facts with these papers for those of the same kind and id, and some kinds left out."""
    names = {(item.paper.kind, item.paper.id) for item in papers}
    kept = [
        item
        for item in PAPERS
        if (item.paper.kind, item.paper.id) not in names and item.paper.kind not in without
    ]
    return replace(GOOD, papers=(*kept, *papers))
