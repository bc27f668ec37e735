"""What a decision is made of: results in their order, one condition's result, the whole. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fractions import Fraction

Result = Literal["PASS", "FAIL", "INSUFFICIENT", "EXPIRED-RULE"]
Class = Literal["D", "I", "X"]

PASS: Result = "PASS"  # noqa: S105 - a verdict
FAIL: Result = "FAIL"
INSUFFICIENT: Result = "INSUFFICIENT"
EXPIRED_RULE: Result = "EXPIRED-RULE"
ORDER: tuple[Result, ...] = (FAIL, EXPIRED_RULE, INSUFFICIENT, PASS)
"""Worst first."""

_DECIMALS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS_KEPT = 4096

NOT_LEGAL_ADVICE = "Not legal advice."


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """One condition of a licence at one time.

    `code` is unique in a decision and what a waiver names: the family, or family:part as
    `quota:run-h/year`. `klass`: D direct from telemetry, I inferred, X by documents alone. `inputs`
    (name, value) are what it rests on; a document stands in them by its SHA-256. `rule`:
    instrument, regime digest and as-of date of the rule it rests on; `evidence` that rule's level.
    `waived`: why the licence waives it, None where it does not. `withholds`: it keeps a start
    permit back.
    """

    code: str
    result: Result
    klass: Class
    text: str
    inputs: tuple[tuple[str, str], ...] = ()
    rule: str | None = None
    evidence: str | None = None
    waived: str | None = None
    withholds: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """All conditions of a licence at `at_ms`; `result` is the worst of them.

    `recorded`: conditions that no machine can check and no document is asked for, in the licence's
    words; they are shown and never evaluated.
    """

    result: Result
    at_ms: int
    licence_sha256: str
    conditions: tuple[ConditionResult, ...]
    recorded: tuple[str, ...] = ()

    def withheld(self) -> tuple[ConditionResult, ...]:
        """Conditions for which a start permit is withheld."""
        return tuple(item for item in self.conditions if item.withholds)


def worst(results: tuple[Result, ...]) -> Result:
    """The worst of some results; PASS of none."""
    return min(results, key=ORDER.index, default=PASS)


@lru_cache(_TEXTS_KEPT)
def day(at_ms: int) -> str:
    """An instant for people: UTC, to the second, or in ms where it is beyond the calendar."""
    try:
        moment = _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return f"{at_ms} ms"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(_TEXTS_KEPT)
def plain(number: int | Fraction) -> str:
    """A number for people: at most 6 decimals, none that is only a zero."""
    scaled = round(number * 10**_DECIMALS)
    whole, rest = divmod(abs(scaled), 10**_DECIMALS)
    decimals = f".{rest:0{_DECIMALS}}".rstrip("0").rstrip(".")
    return f"{'-' if scaled < 0 else ''}{whole}{decimals}"
