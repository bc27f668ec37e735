"""What the gateway knows of a machine, as facts for the licence engine. Pure.

Only what statements, plant and papers show: what nobody measured stays unknown, and what is
unknown never passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raffinate.evidence import notes
from raffinate.licence.balance import UNKNOWN, Metered, period_ms, told, used
from raffinate.licence.facts import By, Facts
from raffinate.licence.papers import Acknowledgement, Report
from raffinate.licence.parts import OPERATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.evidence.office import Known
    from raffinate.licence.document import Licence, Quota
    from raffinate.licence.facts import Bounds, Used
    from raffinate.licence.papers import Paper, Vouched
    from raffinate.model import Equipment, Plant


@dataclass(frozen=True, slots=True)
class Case:
    """One machine under one licence; `machines` of the licence that this plant has."""

    item: Equipment
    licence: Licence
    machines: tuple[Equipment, ...]
    newest: bool
    by: By
    papers: tuple[Vouched, ...]

    def vouched_papers(self) -> tuple[Paper, ...]:
        """Papers that somebody vouches for: only they can tell an amount."""
        return tuple(item.paper for item in self.papers if item.by is not None)


def gather(
    plant: Plant,
    case: Case,
    known: Known,
    spent: Mapping[int, Used | None],
    discharge: Mapping[tuple[str, str], Bounds | None],
) -> Facts:
    """The facts of `case`, for leave to start it: as they were if it ran now.

    `spent` are its `amounts`, `discharge` what its outfalls measured. Elements, purity and reports
    are told by papers alone, which the engine reads itself: besides them there are none.
    """
    item = case.item
    key, _ = known.holders[item.id]
    activities = known.activities.get(item.id, ())
    kinds = dict.fromkeys(
        section.kind
        for section in plant.sections
        if any(stage.id in item.stages for stage in section.stages)
    )
    return Facts(
        vouched=case.by,
        newest=case.newest,
        clock=key.info.get("clock"),
        serial=item.serial,
        site=plant.site,
        elements=(),
        purity={},
        activity=notes.under_way(activities, known.now_ms) or OPERATION,
        start="none",
        stages=item.stages,
        sections=tuple(kinds),
        papers=case.papers,
        used={
            place: told(quota, spent.get(place)) for place, quota in enumerate(case.licence.quotas)
        },
        acknowledged=_acknowledged(case, known.acknowledged.get(item.id, ())),
        discharge=discharge,
        reports={},
        changed=tuple(
            dict.fromkeys(one["what"] for one in notes.unexplained(key.info, activities))
        ),
    )


def amounts(case: Case, known: Known) -> Mapping[int, Used | None]:
    """What was used of each quota, by its place in the licence."""
    papers = case.vouched_papers()
    found: dict[int, Used | None] = {}
    for place, quota in enumerate(case.licence.quotas):
        from_ms = period_ms(case.licence, quota, known.now_ms)[0]
        metered = _metered(case, quota, known, from_ms)
        found[place] = used(quota, metered, papers, from_ms, known.now_ms)
    return found


def _metered(case: Case, quota: Quota, known: Known, from_ms: int) -> Metered:
    """Sums over the machines of the licence; one that is not of this plant has no upper bound."""
    totals = [0, 0, 0, 0]
    for item in case.machines:
        holder = known.holders.get(item.id)
        if holder is None or (quota.quantity == "run-h" and "registers" not in holder[0].info):
            continue  # nothing was metered yet
        low, high = known.history.used(holder[0], item.id, from_ms)
        for place, value in enumerate((low[0], high[0], low[2], high[2])):
            totals[place] += value
    if len(case.machines) < len(case.licence.serials):
        totals[1] = totals[3] = UNKNOWN
    return Metered(*totals)


def _acknowledged(case: Case, remembered: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a signed acknowledgement of this licence's conditions stands in the log."""
    if any(
        one["state"] == "conditions" and one["licence"] == case.licence.sha256 for one in remembered
    ):
        return True
    return any(
        isinstance(paper.members, Acknowledgement)
        and paper.members.of == "conditions"
        and paper.members.licence == case.licence.sha256
        for paper in (item.paper for item in case.papers)
    )


def reports(case: Case) -> Mapping[str, tuple[int, ...]]:
    """When each duty of the licence was done, by vouched reports."""
    found: dict[str, list[int]] = {duty.what: [] for duty in case.licence.duties}
    for paper in case.vouched_papers():
        report = paper.members
        if isinstance(report, Report) and report.licence == case.licence.number:
            found.setdefault(report.duty, []).append(report.filed_ms)
    return {what: tuple(sorted(times)) for what, times in found.items()}
