"""Makes facts (facts.py) of what the log states, for the checkers of frames. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raffinate.audit import facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.audit.chunk import Run, Use
    from raffinate.audit.conformity import Conformity
    from raffinate.audit.facts import Checker, Fact
    from raffinate.audit.roster import Roster, Signer


class Telling:
    """Tells every checker each fact in the order of the log."""

    def __init__(self, checkers: Iterable[Checker], conformity: Conformity, roster: Roster) -> None:
        self._checkers = tuple(checkers)
        self._conformity = conformity
        self._roster = roster

    def run(self, run: Run, signer: Signer, *, late: bool) -> None:
        """A node's usage, heartbeat or boot; others are told elsewhere."""
        if not self._checkers:
            return
        body = run.first.body
        origin = _origin(run, signer, late=late)
        digests = body["firmware"], body["config"], body["calibration"]
        if run.first.type == "boot":
            lost = body["lost"]
            place = None if lost is None else (lost["boot"], lost["frameSeq"], lost["atMostMs"])
            self._tell(facts.Booted(origin, body["boot"], place, *digests))
        elif run.first.type in ("usage", "heartbeat"):
            self._tell(
                facts.Interval(
                    origin,
                    body["boot"],
                    run.from_up_ms,
                    run.to_up_ms,
                    run.from_ms,
                    run.to_ms,
                    _frames(body["frames"], run.frames_to),
                    tuple(self._use(signer.keyid, use) for use in run.uses),
                    {
                        name: facts.Registers(*_total(signer, name, values))
                        for name, values in run.registers.items()
                    },
                    *digests,
                    body["why"],
                )
            )

    def gap(self, run: Run, owner: Signer) -> None:
        """A gap; `owner` is whose it is."""
        body = run.first.body
        self._tell(
            facts.Gap(
                _origin(run, owner),
                body["what"],
                body["cause"],
                _frames(body["frames"]),
                body["fromMs"],
                body["toMs"],
                body["fromUpMs"],
                body["toUpMs"],
            )
        )

    def activity(self, run: Run, signer: Signer) -> None:
        """Work on a machine."""
        body = run.first.body
        times = body["fromMs"], body["toMs"]
        self._tell(facts.Activity(_origin(run, signer), body["kind"], body["equipment"], *times))

    def close(self, run: Run, signer: Signer) -> None:
        """Hour meters as read."""
        body = run.first.body
        for entry in body["nodes"]:
            for meter in entry["hourMeters"]:
                if meter["minutes"] is not None:
                    metering = self._roster.get(entry["keyid"])
                    run_ms = None if metering is None else metering.total(meter["id"])[0]
                    origin = _origin(run, signer)
                    self._tell(
                        facts.MeterReading(
                            origin, meter["id"], meter["minutes"], body["toMs"], run_ms
                        )
                    )

    def finish(self) -> None:
        """All entries were seen."""
        for checker in self._checkers:
            checker.finish()

    def _use(self, keyid: str, use: Use) -> facts.Use:
        serial, volume = self._conformity.machine(keyid, use.equipment)
        numbers = use.run_ms, use.starts, use.volume_ml
        return facts.Use(use.equipment, serial, use.run, *numbers, volume)

    def _tell(self, fact: Fact) -> None:
        for checker in self._checkers:
            checker.take(fact)


def _origin(run: Run, owner: Signer, *, late: bool = False) -> facts.Origin:
    return facts.Origin(run.index, owner.name, owner.keyid, run.first.seq, late)


def _frames(
    value: dict[str, Any] | None, to: tuple[int, str] | None = None
) -> facts.FrameRange | None:
    if value is None:
        return None
    last, head = to or (value["last"], value["head"])
    return facts.FrameRange(value["boot"], value["first"], last, head)


def _total(signer: Signer, name: str, values: tuple[int, int, int]) -> tuple[int, int, int]:
    opening = signer.opening.get(name, (0, 0, 0))
    return values[0] + opening[0], values[1] + opening[1], values[2] + opening[2]
