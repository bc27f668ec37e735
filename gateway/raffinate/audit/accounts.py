"""What the reports say of each machine under each licence. Values only; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raffinate.audit.ledger import Ledger

if TYPE_CHECKING:
    from raffinate.licence.document import Quota
    from raffinate.licence.facts import Used
    from raffinate.licence.outcome import ConditionResult

DENIALS_MAX = 256


@dataclass(slots=True)
class ConditionSeen:
    """One condition over all decisions: how it stands last, and the worst that counts.

    `first_ms` is when that worst was found first, `decisions` how often the condition was decided,
    `against` how often otherwise than PASS.
    """

    last: ConditionResult
    at_ms: int
    licence_sha256: str
    worst: str
    first_ms: int | None = None
    decisions: int = 0
    against: int = 0


@dataclass(frozen=True, slots=True)
class QuotaSeen:
    """A quota in a period with use: the amount, None unknown; `at_ms` is in the period."""

    quota: Quota
    at_ms: int
    used: Used | None


@dataclass(slots=True)
class Account:
    """One machine under one licence number (of one issuer): its use, its decisions.

    `versions`: SHA-256 of the licence's versions under which it was permitted or used, in order.
    """

    serial: str
    number: str
    issuer: str
    ledger: Ledger = field(default_factory=Ledger)
    versions: list[str] = field(default_factory=list)
    permits: int = 0
    conditions: dict[str, ConditionSeen] = field(default_factory=dict)
    quotas: list[QuotaSeen] = field(default_factory=list)
    recorded: tuple[str, ...] = ()
    as_of_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DenialSeen:
    """A refused start, or one without leave, as stated at an entry of the log."""

    serial: str
    kind: str
    reason: str
    count: int
    index: int
    node: str
    time_ms: int | None
