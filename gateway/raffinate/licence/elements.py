"""The rare-earth elements, and what each weighs as the oxide by which trade counts it. Pure.

Atomic weights: IUPAC, Standard atomic weights of the elements 2021, Pure Appl. Chem. 94 (2022) 573,
rounded to mg/mol; promethium has none, so the mass number of its longest-lived isotope stands.
Oxides are those by which assays state REO: R2O3, but CeO2, Pr6O11 and Tb4O7. Groups as Chinese
usage has them: light La to Nd, middle Sm to Gd, heavy Tb to Lu with Y; scandium stands with the
heavy, as announcement No. 18 of 2025 lists it among medium and heavy ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUPS = ("light", "middle", "heavy")
OXYGEN_MG_MOL = 15_999


@dataclass(frozen=True, slots=True)
class Element:
    """A rare-earth element; `oxygens` is how many oxygen atoms `oxide` has per atom of metal."""

    symbol: str
    name: str
    group: str
    number: int
    metal_mg_mol: int
    oxide: str
    oxygens: Fraction

    @property
    def oxide_mg_mol(self) -> Fraction:
        """Mass of the oxide that holds one mole of the metal, mg."""
        return self.metal_mg_mol + OXYGEN_MG_MOL * self.oxygens

    @property
    def reo_per_metal(self) -> Fraction:
        """Mass of oxide per mass of metal."""
        return self.oxide_mg_mol / self.metal_mg_mol


_SESQUI = Fraction(3, 2)
_TABLE = (
    Element("Sc", "scandium", "heavy", 21, 44_956, "Sc2O3", _SESQUI),
    Element("Y", "yttrium", "heavy", 39, 88_906, "Y2O3", _SESQUI),
    Element("La", "lanthanum", "light", 57, 138_905, "La2O3", _SESQUI),
    Element("Ce", "cerium", "light", 58, 140_116, "CeO2", Fraction(2)),
    Element("Pr", "praseodymium", "light", 59, 140_908, "Pr6O11", Fraction(11, 6)),
    Element("Nd", "neodymium", "light", 60, 144_242, "Nd2O3", _SESQUI),
    Element("Pm", "promethium", "light", 61, 145_000, "Pm2O3", _SESQUI),
    Element("Sm", "samarium", "middle", 62, 150_360, "Sm2O3", _SESQUI),
    Element("Eu", "europium", "middle", 63, 151_964, "Eu2O3", _SESQUI),
    Element("Gd", "gadolinium", "middle", 64, 157_250, "Gd2O3", _SESQUI),
    Element("Tb", "terbium", "heavy", 65, 158_925, "Tb4O7", Fraction(7, 4)),
    Element("Dy", "dysprosium", "heavy", 66, 162_500, "Dy2O3", _SESQUI),
    Element("Ho", "holmium", "heavy", 67, 164_930, "Ho2O3", _SESQUI),
    Element("Er", "erbium", "heavy", 68, 167_259, "Er2O3", _SESQUI),
    Element("Tm", "thulium", "heavy", 69, 168_934, "Tm2O3", _SESQUI),
    Element("Yb", "ytterbium", "heavy", 70, 173_045, "Yb2O3", _SESQUI),
    Element("Lu", "lutetium", "heavy", 71, 174_967, "Lu2O3", _SESQUI),
)
ELEMENTS: Mapping[str, Element] = MappingProxyType({item.symbol: item for item in _TABLE})
"""By symbol, in the order of the periodic table."""
