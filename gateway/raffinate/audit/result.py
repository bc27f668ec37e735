"""What a verification found: findings, and the verdicts that follow from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raffinate.audit.extremes import Extremes
from raffinate.audit.findings import CODES, LICENCE, NOTICE, PASS, QUESTIONS, WORST_FIRST

if TYPE_CHECKING:
    from raffinate.audit.accounts import Account, DenialSeen
    from raffinate.audit.machines import Descriptor
    from raffinate.audit.timeline import Timeline
    from raffinate.licence.document import Licence
    from raffinate.licence.outcome import ConditionResult
    from raffinate.licence.papers import Paper

    Register = tuple[int, int, int]

FINDINGS_KEPT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation: its code, the log entry or file it rests on, whom it concerns.

    `condition`: the licence's condition that was decided otherwise than PASS.
    """

    code: str
    detail: str
    index: int | None = None
    file: str | None = None
    node: str | None = None
    seq: int | None = None
    equipment: str | None = None
    condition: ConditionResult | None = None


@dataclass(slots=True)
class Meter:
    """A machine's (run ms, starts, volume ml) in the first and newest statement that count."""

    node: str
    begin_ms: int | None
    begin: Register
    end_ms: int | None
    end: Register


@dataclass(frozen=True, slots=True)
class LicenceSeen:
    """A licence that the log names; `vouched` by the policy's "list", a "signature", or None."""

    sha256: str
    licence: Licence | None
    vouched: str | None


@dataclass(frozen=True, slots=True)
class PaperSeen:
    """A version of a document (or regime) that the log states, and who vouches for it.

    `readable` False: its bytes are not in the bundle, or say otherwise. `paper` None: no paper.
    """

    kind: str
    name: str
    version: int
    sha256: str
    index: int
    vouched: str | None
    readable: bool
    paper: Paper | None


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A key of the roster: the entry that enrolled it (-1: the policy), and what it said.

    `seq` is its newest number, 0 for permit keys; `clocks` its clock states other than S.
    """

    role: str
    name: str
    keyid: str
    index: int
    state: str
    seq: int
    last_ms: int | None = None
    clocks: tuple[str, ...] = ()
    firmware: str | None = None
    calibration: str | None = None


@dataclass(slots=True)
class Result:
    """The outcome, by machines' serials: licence verdicts, and how their time is accounted for.

    The first `anchored` entries were there at `anchor_ms`; what follows is the unwitnessed suffix.
    `accounts` are by (serial, licence number, issuer); `undeclared` has by keyid which digests of
    the board changed without an activity; `extremes` what frames show of points with limits;
    `as_of_ms` is the newest time stated in the log.
    """

    origin: str = ""
    size: int = 0
    root: bytes = b""
    entries: int = 0
    statements: int = 0
    permits: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    machines: dict[str, str] = field(default_factory=dict)
    timelines: dict[str, Timeline] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    licences: dict[str, LicenceSeen] = field(default_factory=dict)
    keys: list[KeySeen] = field(default_factory=list)
    papers: list[PaperSeen] = field(default_factory=list)
    accounts: dict[tuple[str, str, str], Account] = field(default_factory=dict)
    denials: list[DenialSeen] = field(default_factory=list)
    descriptors: dict[str, Descriptor] = field(default_factory=dict)
    undeclared: dict[str, list[str]] = field(default_factory=dict)
    extremes: Extremes = field(default_factory=Extremes)
    as_of_ms: int | None = None
    anchor_ms: int | None = None
    anchored: int = 0
    _first: dict[str, Finding] = field(default_factory=dict)

    def add(
        self,
        code: str,
        detail: str,
        *,
        index: int | None = None,
        file: str | None = None,
        node: str | None = None,
        seq: int | None = None,
        equipment: str | None = None,
        condition: ConditionResult | None = None,
    ) -> None:
        """Take a finding; beyond the first thousand only their number is kept."""
        finding = Finding(code, detail, index, file, node, seq, equipment, condition)
        self.counts[code] += 1
        effect, question = CODES[code].effect, CODES[code].question
        kept = self.counts.total() <= FINDINGS_KEPT_MAX or self.counts[code] == 1
        if kept:
            self.findings.append(finding)
        if effect == NOTICE:
            return
        for name in QUESTIONS if question is None else (question,):
            known = self._first.get(name)
            if known is None or _is_worse(effect, CODES[known.code].effect):
                self._first[name] = finding
        if question == LICENCE and equipment is not None:
            worst = self.machines.get(equipment, PASS)
            self.machines[equipment] = effect if _is_worse(effect, worst) else worst

    def verdict(self, question: str) -> str:
        """PASS, INSUFFICIENT, FAIL, or for licences EXPIRED-RULE: the worst of its findings."""
        first = self._first.get(question)
        return PASS if first is None else CODES[first.code].effect

    def first(self, question: str) -> Finding | None:
        """The first of the findings that make the verdict what it is; None with PASS."""
        return self._first.get(question)


def _is_worse(one: str, other: str) -> bool:
    return WORST_FIRST.index(one) < WORST_FIRST.index(other)
