"""What is known of one machine at one time, for the engine to hold against its licence. Pure.

Who builds Facts (the permit office from the running log, the verifier from a bundle alone) says
only what the evidence shows: None, or a key that is not there, means unknown, and what is unknown
never passes. Amounts are integers in a quantity's base unit (`parts.BASE_UNITS`), percentages and
wire units ints or Fractions; nothing that is compared with a limit is a float.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from raffinate.licence.papers import Vouched

By = Literal["list", "signature"] | None
"""Who vouches for a file: the auditor's policy lists its digest, an issuer key of it signed it."""

IDLE = "idle"
START_KINDS = ("none", "permitted", "hand", "bypass")
TRUSTED_CLOCKS = ("S", "I")


@dataclass(frozen=True, slots=True)
class Used:
    """Bounds of an amount in base units, low <= high.

    `agree` is False where two ways to know the amount (assay times flow, base used) contradict.
    """

    low: int
    high: int
    agree: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most of a measured quantity, both included."""

    low: int | Fraction
    high: int | Fraction


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine at one time under one licence.

    None is unknown; an empty tuple or mapping means looked for, and there is none.

    `vouched`: who vouches for the licence file; `newest`: no later version of the licence takes its
    place; `clock`: the letter of the clock (protocol 3). `serial`, `site`, `sealed` (False: its
    tamper input opened) of the machine. `activity`: "idle" or one of `parts.ACTIVITIES`; `start`:
    one of START_KINDS, how it was started. `stages`, `sections` (kinds) in use, empty when idle.
    `elements`, `purity` (percent, by element): what others than papers say, which counts only
    against the plant. `plateau`: elements that the pH of the extraction plateau fits.
    `used`: index of a quota -> amount in its period so far. `papers`: all that are known, whoever
    vouches. `acknowledged`: a signed acknowledgement of this version's conditions stands in the
    log. `discharge`: (outfall, point) -> bounds in wire units. `reports`: a duty's `what` -> times
    (UTC ms) at which it was done. `changed`: digests (firmware, config, calibration) that changed
    without a matching activity.
    """

    vouched: By = None
    newest: bool | None = None
    clock: str | None = None
    serial: str | None = None
    site: str | None = None
    sealed: bool | None = None
    activity: str | None = None
    start: str | None = None
    stages: tuple[str, ...] | None = None
    sections: tuple[str, ...] | None = None
    elements: tuple[str, ...] | None = None
    plateau: tuple[str, ...] | None = None
    used: Mapping[int, Used | None] = field(default_factory=lambda: MappingProxyType({}))
    purity: Mapping[str, Bounds] | None = None
    papers: tuple[Vouched, ...] = ()
    acknowledged: bool | None = None
    discharge: Mapping[tuple[str, str], Bounds | None] = field(
        default_factory=lambda: MappingProxyType({})
    )
    reports: Mapping[str, tuple[int, ...]] | None = None
    changed: tuple[str, ...] | None = None
