"""Facts of one machine for the engine, from what the bundle shows. Pure.

Seals and the plateau's pH are in no statement and stay unknown. Elements, purity and
reports are told by papers alone, which the engine reads itself: besides them there are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.licence.facts import IDLE, Bounds, Facts
from raffinate.licence.papers import Acknowledgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from raffinate.audit.documents import Documents
    from raffinate.audit.machines import Machine
    from raffinate.licence.document import Licence
    from raffinate.licence.facts import Used
    from raffinate.licence.papers import Vouched

CONDITIONS = "conditions"


def gather(
    machine: Machine,
    licence: Licence,
    documents: Documents,
    at_ms: int,
    *,
    site: str,
    activity: str,
    start: str,
    used: Mapping[int, Used | None],
    discharge: Mapping[tuple[str, str], Bounds | None],
    changed: tuple[str, ...] | None,
) -> Facts:
    """Facts of `machine` under `licence` with the documents that are in force now."""
    papers = documents.papers
    return Facts(
        vouched=documents.by(licence.sha256),
        newest=documents.is_newest(licence, at_ms),
        clock=machine.clock,
        serial=machine.descriptor.serial,
        site=site,
        activity=activity,
        start=start,
        stages=() if activity == IDLE else machine.descriptor.stages,
        sections=() if activity == IDLE else machine.descriptor.sections,
        elements=(),
        used=used,
        purity={},
        papers=papers,
        acknowledged=is_acknowledged(licence, papers),
        discharge=discharge,
        reports={},
        changed=changed,
    )


def is_acknowledged(licence: Licence, papers: Iterable[Vouched]) -> bool:
    """True when an acknowledgement of exactly this version's conditions stands in the log."""
    found = (item.paper.members for item in papers)
    return any(
        isinstance(item, Acknowledgement)
        and (item.of, item.licence) == (CONDITIONS, licence.sha256)
        for item in found
    )
