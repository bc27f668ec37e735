"""The designs a plant can be built from: flows, strengths, stage counts, residence times."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

SECTIONS = ("extraction", "scrub", "strip")
STAGES_MAX = 32
ELEMENTS_MAX = 15
EFFICIENCY_MIN = 0.5
SAPONIFIED_MAX = 0.5


@dataclass(frozen=True)
class Design:
    """A counter-current solvent extraction cascade with a strip section behind it.

    Concentrations in mol/L, flows in L/h, times in s, `*_frac` of 1. Raises ValueError on a value
    no cascade can have. Residence times are per phase at the design flows.
    """

    name: str
    feed_re_mol_l: Mapping[str, float]
    feed_ph: float = 2.5
    feed_l_h: float = 20.0
    extractant_mol_l: float = 1.0
    saponified_frac: float = 0.36
    organic_l_h: float = 50.0
    scrub_acid_mol_l: float = 3.0
    scrub_l_h: float = 2.0
    strip_acid_mol_l: float = 4.0
    strip_l_h: float = 5.0
    base_mol_l: float = 10.0
    extraction_stages: int = 6
    scrub_stages: int = 6
    strip_stages: int = 4
    efficiency: float = 0.95
    mixer_s: float = 15.0
    settler_s: float = 30.0
    settler_depth_m: float = 0.1
    saponifier_s: float = 5.0
    loaded_tank_s: float = 60.0
    weir_lag_s: float = 6.0
    salt_constant: float = 1e-4
    scale: str = "bench"

    def __post_init__(self) -> None:
        if not 1 <= len(self.feed_re_mol_l) <= ELEMENTS_MAX:
            raise ValueError(f"a feed needs 1 to {ELEMENTS_MAX} elements")
        counts = (self.extraction_stages, self.scrub_stages, self.strip_stages)
        if min(counts) < 1 or sum(counts) > STAGES_MAX:
            raise ValueError(f"each section needs a stage, and all together {STAGES_MAX} at most")
        if not EFFICIENCY_MIN <= self.efficiency <= 1.0:
            raise ValueError(f"a Murphree efficiency is between {EFFICIENCY_MIN:g} and 1")
        if not 0.0 <= self.saponified_frac <= SAPONIFIED_MAX:
            raise ValueError(
                f"between 0 and {SAPONIFIED_MAX:g} of the extractant can be saponified"
            )
        positive = {
            "extractant_mol_l": self.extractant_mol_l,
            "feed_l_h": self.feed_l_h,
            "organic_l_h": self.organic_l_h,
            "scrub_l_h": self.scrub_l_h,
            "strip_l_h": self.strip_l_h,
            "mixer_s": self.mixer_s,
            "settler_s": self.settler_s,
            "settler_depth_m": self.settler_depth_m,
            "saponifier_s": self.saponifier_s,
            "loaded_tank_s": self.loaded_tank_s,
            "weir_lag_s": self.weir_lag_s,
            "salt_constant": self.salt_constant,
        }
        for key, value in positive.items():
            if not value > 0:
                raise ValueError(f"{key} must be above 0, not {value}")
        object.__setattr__(self, "feed_re_mol_l", MappingProxyType(dict(self.feed_re_mol_l)))

    @property
    def elements(self) -> tuple[str, ...]:
        """The rare earths in the feed, in the order every array has them."""
        return tuple(self.feed_re_mol_l)

    @property
    def stage_counts(self) -> dict[str, int]:
        """Stages per section, in flow order of the organic."""
        return dict(
            zip(
                SECTIONS,
                (self.extraction_stages, self.scrub_stages, self.strip_stages),
                strict=True,
            )
        )

    @property
    def stage_ids(self) -> tuple[str, ...]:
        """`e01`.. `s01`.. `t01`.. in flow order of the organic."""
        letters = dict(zip(SECTIONS, "est", strict=True))
        return tuple(
            f"{letters[section]}{number:02d}"
            for section, count in self.stage_counts.items()
            for number in range(1, count + 1)
        )

    def section_of(self, stage: str) -> str:
        """Return the section of a stage; raises KeyError on an unknown stage."""
        if stage not in self.stage_ids:
            raise KeyError(f"no stage {stage!r}; there are {', '.join(self.stage_ids)}")
        return {"e": "extraction", "s": "scrub", "t": "strip"}[stage[0]]


REFERENCE = Design(name="la-nd-16", feed_re_mol_l={"La": 0.4, "Nd": 0.2})
PLANT_SCALE = replace(
    REFERENCE,
    name="la-nd-16-plant",
    scale="plant",
    feed_l_h=1000.0,
    organic_l_h=2500.0,
    scrub_l_h=100.0,
    strip_l_h=250.0,
    mixer_s=300.0,
    settler_s=900.0,
    settler_depth_m=0.5,
    saponifier_s=120.0,
    loaded_tank_s=1800.0,
    weir_lag_s=60.0,
)
