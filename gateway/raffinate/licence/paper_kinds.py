"""What papers say, by kind: typed, exact and frozen (docs/formats/papers.md). Pure.

Times are UTC ms, an end is the first instant that no longer counts; `equipment` has serials; None
or an empty text is what the paper does not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fractions import Fraction

MASS_G = {"g": 1, "kg": 1000, "t": 1_000_000}
VOLUME_ML = {"mL": 1, "L": 1000, "m3": 1_000_000}
ACTIVITIES = ("assembly", "commissioning", "maintenance", "repair", "upgrade", "calibration")
ACKNOWLEDGED = ("grace", "orderly-stop", "conditions", "bypass")
COMMITMENTS = (
    "no-retransfer",
    "no-military-use",
    "no-unlisted-parties",
    "stated-end-use",
    "site-visits",
)
REAGENT_FLOWS = ("used", "received", "stock")


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact quantity with its unit: a key of MASS_G (then `base` is grams) or VOLUME_ML (mL)."""

    value: Fraction
    unit: str

    @property
    def is_mass(self) -> bool:
        """True for a mass, False for a volume."""
        return self.unit in MASS_G

    @property
    def base(self) -> Fraction:
        """Grams or millilitres."""
        return self.value * (MASS_G if self.is_mass else VOLUME_ML)[self.unit]


@dataclass(frozen=True, slots=True)
class EndUserCertificate:
    """What an end user committed to; in force in [from_ms, to_ms), None where unbounded."""

    end_user: str
    signed_by: str
    signed_ms: int
    contract: str
    end_use: str
    site: str
    commitments: tuple[str, ...]
    terms: tuple[str, ...]
    equipment: tuple[str, ...]
    elements: tuple[str, ...]
    consignee: str
    from_ms: int | None
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Party:
    """A person or company: `names[0]` is the one to print; `owners` are ids of parties."""

    names: tuple[str, ...]
    aliases: tuple[str, ...]
    country: str
    addresses: tuple[str, ...]
    registrations: tuple[str, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lot:
    """Product of one element; `share_percent` is the controlled material's share in it."""

    element: str
    compound: str
    purity_percent: Fraction
    mass: Amount
    produced_ms: int
    destination: str
    consignee: str
    end_user: str
    end_use: str
    share_percent: Fraction | None
    equipment: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """One element of an assay: its part of the mass (0 to 1) and its purity, where stated."""

    element: str
    mass_fraction: Fraction
    purity_percent: Fraction | None


@dataclass(frozen=True, slots=True)
class Assay:
    """A laboratory's analysis of `subject` (a lot's id, or a stream's name)."""

    of: Literal["lot", "stream"]
    subject: str
    contents: tuple[Content, ...]
    reo_g_per_l: Fraction | None
    laboratory: str
    sampled_ms: int
    from_ms: int | None
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """An order to do `activity` on machines; `digests` it brings in (configuration, firmware)."""

    equipment: tuple[str, ...]
    activity: str
    who: str
    what: str
    from_ms: int | None
    to_ms: int | None
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reagent:
    """An amount of a reagent or auxiliary material used, received or in stock over a period.

    `base_mol`: equivalents of base in it (mol), for one that neutralises what extraction sets free.
    """

    name: str
    flow: str
    quantity: Amount
    from_ms: int
    to_ms: int
    equipment: tuple[str, ...]
    base_mol: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A prior approval of `what` by an authority or owner."""

    what: str
    by: str
    licence: str
    activities: tuple[str, ...]
    equipment: tuple[str, ...]
    from_ms: int
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who took note of what, when; `licence` is a SHA-256 or None."""

    of: str
    by: str
    at_ms: int
    licence: str | None
    equipment: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A technical parameter as its author writes it: a number with unit, or words."""

    name: str
    value: Fraction | str
    unit: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """Technical parameters of a machine (its serial) or product (a lot's id)."""

    subject: str
    element: str
    purity_percent: Fraction | None
    values: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Screening:
    """One list, as read on a day, against parties: denied, scrutinised, cleared (ids or names)."""

    list: str
    source: str
    at_ms: int
    to_ms: int | None
    denied: tuple[str, ...]
    scrutinised: tuple[str, ...]
    cleared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Machines, lots or goods that went to another party."""

    to: str
    sender: str
    at_ms: int
    equipment: tuple[str, ...]
    lots: tuple[str, ...]
    goods: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, slots=True)
class Visit:
    """An inspection on site."""

    by: str
    at_ms: int
    site: str
    equipment: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Report:
    """A duty's report, filed with `to`; `licence` is its number, `duty` the licence's words."""

    licence: str
    duty: str
    to: str
    filed_ms: int
    from_ms: int | None
    to_ms: int | None
    reference: str


Members = (
    EndUserCertificate
    | Party
    | Lot
    | Assay
    | WorkOrder
    | Reagent
    | Approval
    | Acknowledgement
    | Parameters
    | Screening
    | Transfer
    | Visit
    | Report
)
