"""An ion-exchange column: breakthrough, effluent conductivity and pH, elution, pressure drop.

Loading follows logistic fits to laboratory curves of an aminophosphonic resin (empty-bed contact
time 176.7 min, 1.5 cm x 1 m): C/C0 = 1 / (1 + exp(k (BV50 - BV))), in bed volumes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from raffinate_rig.twin.conductivity import conductivity_ms_cm

# BV50 (bed volumes) and k (1 / bed volume).
BREAKTHROUGH: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "La": (45.6, 0.073),
        "Sm": (53.3, 0.060),
        "Dy": (55.4, 0.077),
        "Ho": (49.0, 0.082),
        "Er": (49.1, 0.078),
        "Yb": (50.4, 0.073),
    }
)
CONTACT_MIN = 176.7
BED_M, BED_DIAMETER_M = 1.0, 0.015
BEAD_M, VOIDAGE = 0.6e-3, 0.38
WATER_PA_S = 0.89e-3
KOZENY = 180.0
ELUTION_SHARPNESS = 8.0  # 1 / bed volume; assumed
NEUTRAL_PH = 7.0
FORMS = ("H", "NH4")


@dataclass(frozen=True)
class Effluent:
    """What leaves the column: RE in mol/L by element, pH, conductivity at 25 °C in mS/cm."""

    bed_volumes: float
    re_mol_l: Mapping[str, float]
    ph: float
    cond_ms_cm: float


@dataclass(frozen=True)
class Column:
    """A column fed with chlorides of `feed_re_mol_l` at `feed_ph`, its resin in one of FORMS.

    `voidage` falls as the bed clogs. Raises ValueError on an element without a fit.
    """

    feed_re_mol_l: Mapping[str, float]
    feed_ph: float = 4.0
    form: str = "H"
    voidage: float = VOIDAGE

    def __post_init__(self) -> None:
        missing = [element for element in self.feed_re_mol_l if element not in BREAKTHROUGH]
        if missing:
            raise ValueError(
                f"no breakthrough fit for {', '.join(missing)}; known are {', '.join(BREAKTHROUGH)}"
            )
        if self.form not in FORMS:
            raise ValueError(f"a resin is in the form {' or '.join(FORMS)}, not {self.form!r}")
        if not 0.0 < self.voidage < 1.0:
            raise ValueError(f"a bed's voidage is between 0 and 1, not {self.voidage}")

    def loading(self, bed_volumes: float) -> Effluent:
        """Effluent after so many bed volumes of feed; for RE taken the resin gives H or NH4."""
        re_mol_l = {
            element: feed * breakthrough(element, bed_volumes)
            for element, feed in self.feed_re_mol_l.items()
        }
        taken = 3.0 * (sum(self.feed_re_mol_l.values()) - sum(re_mol_l.values()))
        hydrogen = 10.0**-self.feed_ph + (taken if self.form == "H" else 0.0)
        return _effluent(bed_volumes, re_mol_l, hydrogen, taken if self.form == "NH4" else 0.0)

    def capacity_eq_per_bed(self) -> float:
        """Equivalents a litre of fully loaded bed holds, from the fits: the area above the curves.

        Integral of 1 - C/C0 over BV from 0: ln(1 + exp(k BV50)) / k.
        """
        return sum(
            3.0 * feed * math.log1p(math.exp(k * middle)) / k
            for feed, (middle, k) in (
                (feed, BREAKTHROUGH[element]) for element, feed in self.feed_re_mol_l.items()
            )
        )

    def elution(self, bed_volumes: float, acid_mol_l: float) -> Effluent:
        """Effluent after so many bed volumes of HCl on the loaded bed.

        First the rinse water of the voids, then RE chloride as strong as the acid (conductivity
        steps up), and the acid itself once the resin is back in H form (pH falls).
        """
        if not acid_mol_l > 0.0:
            raise ValueError(f"elution needs acid above 0 mol/L, not {acid_mol_l}")
        arrived = _logistic(ELUTION_SHARPNESS * (bed_volumes - self.voidage))
        exhausted = self.voidage + self.capacity_eq_per_bed() / acid_mol_l
        through = _logistic(ELUTION_SHARPNESS * (bed_volumes - exhausted))
        total = sum(self.feed_re_mol_l.values())
        eluted = arrived * (1.0 - through) * acid_mol_l / 3.0
        re_mol_l = {element: eluted * feed / total for element, feed in self.feed_re_mol_l.items()}
        hydrogen = 10.0**-NEUTRAL_PH + 10.0**-self.feed_ph * arrived + through * acid_mol_l
        return _effluent(bed_volumes, re_mol_l, hydrogen, 0.0)

    def pressure_drop_pa(self, flow_l_h: float) -> float:
        """Kozeny-Carman: dp = 180 mu u L (1 - e)^2 / (e^3 d^2); rises as the voids clog."""
        velocity_m_s = flow_l_h / 3.6e6 / (math.pi / 4.0 * BED_DIAMETER_M**2)
        clogging = (1.0 - self.voidage) ** 2 / self.voidage**3
        return KOZENY * WATER_PA_S * velocity_m_s * BED_M * clogging / BEAD_M**2


def breakthrough(element: str, bed_volumes: float) -> float:
    """C/C0 of an element after so many bed volumes; raises KeyError without a fit."""
    middle, k = BREAKTHROUGH[element]
    return _logistic(k * (bed_volumes - middle))


def _logistic(value: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * value))


def _effluent(
    bed_volumes: float, re_mol_l: dict[str, float], hydrogen: float, ammonium: float
) -> Effluent:
    liquor = np.array([list(re_mol_l.values())])
    kappa = conductivity_ms_cm(tuple(re_mol_l), liquor, np.array([hydrogen]), np.array([ammonium]))
    return Effluent(bed_volumes, MappingProxyType(re_mol_l), -math.log10(hydrogen), float(kappa[0]))
