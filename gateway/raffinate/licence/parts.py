"""The parts of a licence: what it allows, limits, demands and waives (docs/formats/licence-toml).

Pure. Every condition that a part makes has a `code`, which decisions show and waivers name.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fractions import Fraction

OPERATION = "operation"
ACTIVITIES = (
    OPERATION,
    "assembly",
    "commissioning",
    "maintenance",
    "repair",
    "upgrade",
    "calibration",
)
SECTIONS = ("extraction", "scrub", "strip", "wash", "column")
PERIODS = ("licence", "year", "month", "day")
BASE_UNITS = MappingProxyType(
    {"run-h": 3_600_000, "volume-l": 1000, "reo-kg": 1_000_000, "reagent-kg": 1_000_000}
)
"""Base units in one unit of a quota's quantity: run time in ms, volume in ml, masses in mg."""
EVERY_MONTHS = MappingProxyType({"month": 1, "quarter": 3, "year": 12})
"""Months of a duty's calendar period."""
CODES = (
    "dates",
    "serial",
    "seal",
    "site",
    "start",
    "stages",
    "sections",
    "activity",
    "unchanged",
    "elements",
    "element-group",
    "end-use",
    "end-user",
    "screening",
    "no-retransfer",
    "no-military-use",
    "no-unlisted-parties",
    "small-amount",
    "acknowledgement",
)
"""Conditions that stand once in a licence and may be waived."""


class Coded(Protocol):
    """A part that makes a condition."""

    @property
    def code(self) -> str:
        """What decisions show and waivers name."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who the licence is for: ids of party papers or names as written; "" where it names nobody."""

    exporter: str = ""
    consignee: str = ""
    end_user: str = ""
    intermediaries: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        """Everybody whom it names, none twice."""
        named = (self.exporter, self.consignee, self.end_user, *self.intermediaries)
        return tuple(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True, slots=True)
class Item:
    """One licensed thing; `parameters` (name, value) in the order of the file."""

    control_code: str
    maker: str
    model: str
    serial: str
    quantity: int
    value: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Use:
    """What the licence allows its machines for; an empty member limits nothing."""

    site: str = ""
    sections: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    end_use: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """The purest `element` may be; within `margin_percent` of it parameters must be given."""

    element: str
    purity_max_percent: Fraction
    margin_percent: Fraction

    @property
    def code(self) -> str:
        """`purity:Nd`."""
        return f"purity:{self.element}"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` of `quantity` in each `period` (UTC calendar; `licence`: its whole life)."""

    quantity: str
    limit: Fraction
    period: str
    reagent: str = ""

    @property
    def code(self) -> str:
        """`quota:run-h/year`, `quota:reagent-kg:hcl/month`."""
        reagent = f":{self.reagent}" if self.reagent else ""
        return f"quota:{self.quantity}{reagent}/{self.period}"

    @property
    def limit_base(self) -> Fraction:
        """The limit in BASE_UNITS."""
        return self.limit * BASE_UNITS[self.quantity]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A document that must be there; `shows` is the unobservable condition (from 1) it answers."""

    document: str
    name: str = ""
    before_start: bool = False
    shows: int | None = None

    @property
    def code(self) -> str:
        """`document:approval`, `document:approval/A-7`."""
        return f"document:{self.document}" + (f"/{self.name}" if self.name else "")


@dataclass(frozen=True, slots=True)
class Waiver:
    """The condition of this code does not bind before `until_ms`."""

    condition: str
    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class DischargeLimit:
    """Bounds of an outfall's point in wire units, both included; None where unbounded."""

    outfall: str
    point: str
    low: Fraction | None
    high: Fraction | None

    @property
    def code(self) -> str:
        """`discharge:o01/ph`."""
        return f"discharge:{self.outfall}/{self.point}"


@dataclass(frozen=True, slots=True)
class Duty:
    """A report: once by `due_ms`, or for `every` calendar period within so many days of its end."""

    what: str
    to: str
    every: str
    due_ms: int | None
    within_days: int

    @property
    def code(self) -> str:
        """`duty:` and what is to be done."""
        return f"duty:{self.what}"


@dataclass(frozen=True, slots=True)
class Terms:
    """Conditions on conduct; `unobservable` is recorded in the licence's words, never evaluated."""

    no_retransfer: bool = False
    no_military_use: bool = False
    no_unlisted_parties: bool = False
    sealed: bool = False
    acknowledge: bool = False
    unobservable: tuple[str, ...] = ()


NO_PARTIES, ANY_USE, NO_TERMS = Parties(), Use(), Terms()
