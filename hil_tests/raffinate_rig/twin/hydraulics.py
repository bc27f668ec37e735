"""Levels of the settlers: weir outflow and the interface between the phases."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from raffinate_rig.twin.design import Design
from raffinate_rig.twin.equilibrium import Array

AQUEOUS_KG_L, ORGANIC_KG_L = 1.10, 0.83
DISCHARGE = 0.62
GRAVITY_M_S2 = 9.81
INTERFACE_FRAC = 0.5
LITRES_PER_M3 = 1000.0


@dataclass(frozen=True)
class Settlers:
    """Settlers of n stages: area m2, depth m, weir heights m and conductances (L/s per m^1.5).

    Q = 2/3 Cd b sqrt(2 g) h^1.5 over each weir. The column of both phases balances the aqueous
    leg: rho_a Ha = rho_a hi + rho_o (Ho - hi), hi the interface, Ho the surface, Ha the leg.
    """

    depth_m: float
    area_m2: Array
    aqueous_weir_m: Array
    organic_weir_m: Array
    aqueous_conductance: Array
    organic_conductance: Array

    @classmethod
    def sized(cls, design: Design, aqueous_l_s: Array, organic_l_s: Array) -> Self:
        """Settlers whose interface rests at mid-depth and whose levels lag by `weir_lag_s`."""
        density = ORGANIC_KG_L / AQUEOUS_KG_L
        depth = design.settler_depth_m
        area = (aqueous_l_s + organic_l_s) * design.settler_s / LITRES_PER_M3 / depth
        lag = 1.5 * design.weir_lag_s / LITRES_PER_M3 / area
        aqueous_head = lag * aqueous_l_s * (1.0 - density)
        organic_head = lag * organic_l_s
        leg = INTERFACE_FRAC * depth * (1.0 - density) + density * depth
        return cls(
            depth_m=depth,
            area_m2=area,
            aqueous_weir_m=leg - aqueous_head,
            organic_weir_m=depth - organic_head,
            aqueous_conductance=aqueous_l_s / aqueous_head**1.5,
            organic_conductance=organic_l_s / organic_head**1.5,
        )

    def levels_at(
        self, aqueous_l_s: Array, organic_l_s: Array, aqueous_weir: Array
    ) -> tuple[Array, Array]:
        """Interface and surface (m) at rest with these flows through."""
        density = ORGANIC_KG_L / AQUEOUS_KG_L
        surface = self.organic_weir_m + (organic_l_s / self.organic_conductance) ** (2.0 / 3.0)
        head = (aqueous_l_s / (aqueous_weir * self.aqueous_conductance)) ** (2.0 / 3.0)
        leg = self.aqueous_weir_m + head
        return (leg - density * surface) / (1.0 - density), surface

    def weir_widths_m(self) -> tuple[Array, Array]:
        """Widths of the aqueous and organic weirs that the conductances stand for."""
        per_width = 2.0 / 3.0 * DISCHARGE * np.sqrt(2.0 * GRAVITY_M_S2) * LITRES_PER_M3
        return self.aqueous_conductance / per_width, self.organic_conductance / per_width

    def outflows_l_s(
        self, interface_m: Array, surface_m: Array, aqueous_weir: Array
    ) -> tuple[Array, Array]:
        """Aqueous and organic outflow; `aqueous_weir` scales each aqueous weir, 1 when clean."""
        leg = interface_m + ORGANIC_KG_L / AQUEOUS_KG_L * (surface_m - interface_m)
        aqueous_head = np.maximum(leg - self.aqueous_weir_m, 0.0)
        organic_head = np.maximum(surface_m - self.organic_weir_m, 0.0)
        return (
            aqueous_weir * self.aqueous_conductance * aqueous_head**1.5,
            self.organic_conductance * organic_head**1.5,
        )

    def level_rates_m_s(self, aqueous_l_s: Array, organic_l_s: Array) -> tuple[Array, Array]:
        """Rates of interface and surface from each phase's inflow less outflow."""
        area_l = self.area_m2 * LITRES_PER_M3
        return aqueous_l_s / area_l, (aqueous_l_s + organic_l_s) / area_l
