"""What `evidence()` says of licences: decision, quotas, duties, acknowledgements, the calendar.

Times are UTC milliseconds. Not legal advice: a decision holds for `at_ms` and for the rules as
they are dated and sourced in the regime files; `evidence` is the weakest level among its sources.
"""

from __future__ import annotations

from typing import Literal

# pydantic, which describes these in OpenAPI, needs typing_extensions before Python 3.12.
from typing_extensions import TypedDict

Result = Literal["PASS", "FAIL", "INSUFFICIENT", "EXPIRED-RULE"]

# `class` is a word of Python, so that the members stand in a call.
ConditionShown = TypedDict(
    "ConditionShown",
    {
        "code": str,
        "result": Result,
        "class": Literal["D", "I", "X"],
        "text": str,
        "inputs": list[list[str]],
        "rule": str | None,
        "evidence": str | None,
        "waived": str | None,
        "withholds": bool,
    },
)
"""One condition: `class` D direct from telemetry, I inferred, X by documents alone; `inputs` are
[name, value] pairs; `rule` the instrument, `evidence` its level (legal, announced, reported,
rumoured); `waived`: why the licence waives it; `withholds`: no start permit is given for it."""


class DecisionShown(TypedDict):
    """What the licence engine says at `at_ms`; `result` is the worst of `conditions`.

    `recorded`: what no machine can check, in the licence's words.
    """

    result: Result
    at_ms: int
    conditions: list[ConditionShown]
    recorded: list[str]


class QuotaShown(TypedDict):
    """Use against one quota in its period [period_start_ms, period_end_ms).

    `unit`: h, l or kg; `used_low`, `used_high`: bounds of what was used, null where nothing can
    say it; `binds`: "permit" where the permit's limits hold it, "verdict" where only the auditor's.
    """

    quantity: Literal["run-h", "volume-l", "reo-kg", "reagent-kg"]
    reagent: str | None
    unit: Literal["h", "l", "kg"]
    limit: float
    used_low: float | None
    used_high: float | None
    period: Literal["licence", "year", "month", "day"]
    period_start_ms: int
    period_end_ms: int
    binds: Literal["permit", "verdict"]


class DutyShown(TypedDict):
    """A reporting duty of the licence and when it falls due next; null: not dated."""

    what: str
    to: str
    due_ms: int | None


class AcknowledgementShown(TypedDict):
    """Someone took note, as a signed statement; `who` is a pseudonym, `index` its log entry.

    `sha256` of the paper, `licence` that of the licence it was under.
    """

    state: Literal["grace", "orderly-stop", "conditions", "bypass"]
    who: str
    time_ms: int
    index: int | None
    sha256: str
    licence: str | None


class LicenceShown(TypedDict):
    """The licence that permits rest on, in force in [from_ms, to_ms).

    With none in force it is the last that was, or the next: then `in_force` is false.
    """

    number: str
    version: int
    sha256: str
    issuer: str
    kind: Literal["single", "general"]
    from_ms: int
    to_ms: int
    in_force: bool
    revoked_ms: int | None
    rests_on: list[str]
    decision: DecisionShown | None
    quotas: list[QuotaShown]
    next_duty: DutyShown | None


class BypassShown(TypedDict):
    """The keyed bypass is on: since when, by the node's word, and the log entry that says so."""

    since_ms: int
    index: int | None


class CalendarEntry(TypedDict):
    """A date to know of. `equipment` and `licence` are null where it is no single one's."""

    at_ms: int
    what: Literal["licence-ends", "licence-begins", "permit-ends", "review", "duty", "quota-period"]
    equipment: str | None
    licence: str | None
    text: str
