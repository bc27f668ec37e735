"""Period-close statements, held against what the log itself has (statement.md). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.audit.chunk import Run
    from raffinate.audit.roster import Signer

GAPS_MAX = 16
LATE_MAX = 1024
_NONE = (0, 0, 0)


@dataclass(slots=True)
class Period:
    """A key's statements since the last close: lowest number, indices of gaps and late ones."""

    first: int | None = None
    gaps: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)


class Closes:
    """Recomputes each close when its first part comes; `problem` says what differs."""

    def __init__(self) -> None:
        self._to = 0
        self._periods: dict[str, Period] = {}
        self._closed: dict[str, tuple[int, dict[str, tuple[int, int, int]]]] = {}
        self._expected: dict[str, dict[str, Any]] = {}
        self._late: list[int] = []

    def note(self, run: Run, signer: Signer) -> None:
        """A good run of a node."""
        period = self._periods.setdefault(signer.keyid, Period())
        seq = run.first.seq
        if seq <= self._closed.get(signer.keyid, (0, {}))[0]:
            if len(period.late) < LATE_MAX:
                period.late.append(run.index)
        elif period.first is None or seq < period.first:
            period.first = seq

    def gap(self, index: int, keyid: str) -> None:
        """A gap by or about a node's key."""
        period = self._periods.setdefault(keyid, Period())
        if len(period.gaps) < GAPS_MAX:
            period.gaps.append(index)

    def problem(self, body: dict[str, Any], index: int, signers: Iterable[Signer]) -> str | None:
        """What a part of a close says otherwise than the log; None if nothing."""
        part = body["part"]
        if part == 1:
            if body["from"] != self._to:
                return f"it begins at {body['from']}, the close before ended at {self._to}"
            self._close(signers)
            self._to = body["to"]
        if index != body["to"] + part - 1 or body["to"] != self._to:
            return f"part {part} of the close up to {body['to']} stands at entry {index}"
        for entry in body["nodes"]:
            problem = self._of_node(entry)
            if problem is not None:
                return problem
        late = self._late[: len(body["late"])]
        self._late = self._late[len(late) :]
        if body["late"] != late:
            return "its late statements are others than the log's"
        if part == body["parts"] and (self._expected or (self._late and part < LATE_MAX // 16)):
            return "it leaves out a node or a late statement"
        return None

    def _of_node(self, entry: dict[str, Any]) -> str | None:
        expected = self._expected.pop(entry["keyid"], None)
        if expected is None:
            return f"it names {entry['node']}, which stated nothing since"
        names = [name for name, value in expected.items() if entry[name] != value]
        return f"{', '.join(names)} of {entry['node']} differ from the log's" if names else None

    def _close(self, signers: Iterable[Signer]) -> None:
        self._expected, self._late = {}, []
        for signer in signers:
            period = self._periods.pop(signer.keyid, None)
            if period is None or signer.role != "node":
                continue
            self._late += period.late
            if period.first is None:
                continue
            before = self._closed.get(signer.keyid, (0, {}))[1]
            self._closed[signer.keyid] = (signer.good_number, dict(signer.registers))
            self._expected[signer.keyid] = {
                "node": signer.name,
                "firstSeq": period.first,
                "lastSeq": signer.good_number,
                "head": signer.good_head.hex(),
                "registers": [
                    _delta(name, values, before) for name, values in signer.registers.items()
                ],
                "gaps": period.gaps,
            }
        self._late.sort()


def _delta(
    name: str, values: tuple[int, int, int], before: dict[str, tuple[int, int, int]]
) -> dict[str, Any]:
    then = before.get(name, _NONE)
    run_ms, starts, volume_ml = (max(0, a - b) for a, b in zip(values, then, strict=True))
    return {"id": name, "runMs": run_ms, "starts": starts, "volumeMl": volume_ml}
