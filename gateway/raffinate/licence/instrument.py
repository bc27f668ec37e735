"""What a regime file says, as values: instruments, their dates, limits and sources. Pure.

A `Day` is a whole day in the zone that the regime names. The words a file may use stand first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

DAY_MS = 24 * 3600 * 1000

KINDS = ("rule", "report", "opinion")
EVIDENCE = ("legal", "announced", "reported", "rumoured")
"""From the strongest: the text itself; its issuer's word; others' word; nobody's."""
EFFECTS = (
    "licence",
    "ban",
    "approval",
    "denial",
    "exception",
    "notice",
    "record",
    "register",
    "suspension",
    "truce",
    "opinion",
)
ACTIVITIES = (
    "assembly",
    "commissioning",
    "maintenance",
    "repair",
    "upgrade",
    "calibration",
    "operation",
    "obtaining",
    "export",
    "transfer",
    "cooperation",
)
METHODS = ("solvent-extraction", "ion-exchange")
QUANTITIES = ("purity-percent", "value-share-percent", "mass-share-percent", "mass-kg", "any")
RELATIONS = ("above", "at-least", "approaching")
PRESUMPTIONS = ("denied", "likely-denied", "case-by-case", "prior-approval")
SOURCES = ("primary", "secondary")
EXEMPTIONS = ("exception", "small-amount", "waiver")
RETAINED_FROM = ("event", "calendar-year-end")


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day of the regime's zone: [start_ms, end_ms), UTC."""

    date: date
    start_ms: int

    @property
    def end_ms(self) -> int:
        """The instant after its last."""
        return self.start_ms + DAY_MS


@dataclass(frozen=True, slots=True)
class Source:
    """Where a claim was read; `kind` says whether that is the issuer's own text (primary)."""

    id: str
    title: str
    publisher: str
    kind: str
    url: str
    day: Day | None


@dataclass(frozen=True, slots=True)
class Party:
    """One party of many names, as documents write it; which is which stays a person's judgement."""

    name: str
    aliases: tuple[str, ...]
    places: tuple[str, ...]
    role: str


@dataclass(frozen=True, slots=True)
class Suspension:
    """A claim that an instrument rests from one day until another, both included."""

    start: Day
    until: Day | None
    instrument: str
    evidence: str
    as_of: Day
    sources: tuple[str, ...]
    note: str

    def covers(self, at_ms: int) -> bool:
        """True at `at_ms`."""
        return self.start.start_ms <= at_ms and (self.until is None or at_ms < self.until.end_ms)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit of the rule: `quantity` `relation` `limit`, and what then must be given."""

    quantity: str
    relation: str
    limit: Fraction | None
    element: str
    requires: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Exemption:
    """What the rule leaves free: an exception, a small amount, a waiver given on trust."""

    what: str
    kind: str
    evidence: str
    quantity: str
    limit: Fraction | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Denial:
    """Who or what use is refused, and how surely; `names` are parties as a list has them."""

    who: str
    presumption: str
    uses: tuple[str, ...]
    names: tuple[str, ...]
    evidence: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duty:
    """What must be done, recorded or watched, as discharge and waste."""

    what: str
    concerns: tuple[str, ...]
    every: str
    to: str


@dataclass(frozen=True, slots=True)
class Retention:
    """Records are kept `years` from the latest of `events`; a request of an authority stops all."""

    years: int
    counted_from: str
    events: tuple[str, ...]
    hold: bool
    offset_minutes: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """One rule, report or opinion, `limb` being a part of it that has dates of its own."""

    regime: str
    regime_sha256: str
    number: str
    limb: str
    issuer: str
    title: str
    kind: str
    evidence: str
    effect: str
    announced: Day | None
    valid_from: Day | None
    valid_to: Day | None
    as_of: Day
    review_by: Day
    steps: tuple[str, ...]
    items: tuple[str, ...]
    activities: tuple[str, ...]
    methods: tuple[str, ...]
    elements: tuple[str, ...]
    places: tuple[str, ...]
    who: tuple[str, ...]
    requires: tuple[str, ...]
    unobservable: tuple[str, ...]
    suspensions: tuple[Suspension, ...]
    thresholds: tuple[Threshold, ...]
    exemptions: tuple[Exemption, ...]
    denials: tuple[Denial, ...]
    duties: tuple[Duty, ...]
    retention: Retention | None
    conflicts_with: tuple[str, ...]
    sources: tuple[str, ...]
    note: str

    @property
    def ref(self) -> str:
        """`regime/number`, or `regime/number/limb`: how licences name it in `rests_on`."""
        return "/".join(part for part in (self.regime, self.number, self.limb) if part)


@dataclass(frozen=True, slots=True)
class Regime:
    """A regime file; every date in it is a day of its zone. A template states no rule of anyone."""

    file: str
    sha256: str
    id: str
    title: str
    issuer: str
    offset_minutes: int
    as_of: Day
    review_by: Day
    note: str
    template: bool
    sources: Mapping[str, Source]
    parties: tuple[Party, ...]
    instruments: tuple[Instrument, ...]

    def day_ms(self, day: date) -> int:
        """Begin of a calendar day in the regime's zone, UTC ms."""
        return start_ms(day, self.offset_minutes)


def start_ms(day: date, offset_minutes: int) -> int:
    """Begin of a calendar day in a zone so many minutes ahead of UTC, UTC ms."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(minutes=offset_minutes)
    return round(at.timestamp()) * 1000
