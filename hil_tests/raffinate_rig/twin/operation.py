"""What a plant is being told to do: pump flows, strengths, which batteries run, what is worn."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from raffinate_rig.twin.design import Design
from raffinate_rig.twin.equilibrium import Array

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Operation:
    """Flows in L/s, `saponified_mol_l` of the organic entering stage 1, per-stage arrays of n.

    `aqueous_weir` scales each aqueous weir's conductance, 1 when clean.
    """

    feed_l_s: float
    organic_l_s: float
    scrub_l_s: float
    strip_l_s: float
    saponified_mol_l: float
    running: dict[str, bool]
    efficiency: Array
    aqueous_weir: Array

    @classmethod
    def normal(cls, design: Design) -> Self:
        """Everything running as designed."""
        stages = len(design.stage_ids)
        return cls(
            feed_l_s=design.feed_l_h / SECONDS_PER_HOUR,
            organic_l_s=design.organic_l_h / SECONDS_PER_HOUR,
            scrub_l_s=design.scrub_l_h / SECONDS_PER_HOUR,
            strip_l_s=design.strip_l_h / SECONDS_PER_HOUR,
            saponified_mol_l=design.saponified_frac * design.extractant_mol_l,
            running=dict.fromkeys(design.stage_counts, True),
            efficiency=np.full(stages, design.efficiency),
            aqueous_weir=np.ones(stages),
        )

    def with_running(self, running: dict[str, bool]) -> Self:
        """The same with these batteries running."""
        return replace(self, running=dict(running))

    def pumped(self) -> Self:
        """The same with the pumps of stopped batteries at rest."""
        extraction = self.running["extraction"]
        return replace(
            self,
            feed_l_s=self.feed_l_s if extraction else 0.0,
            organic_l_s=self.organic_l_s if extraction else 0.0,
            scrub_l_s=self.scrub_l_s if self.running["scrub"] else 0.0,
            strip_l_s=self.strip_l_s if self.running["strip"] else 0.0,
        )
