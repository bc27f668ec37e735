"""The steady state of a cascade: implicit pseudo-time steps with a full Jacobian.

At rest a settler passes on what it gets, so only the mixers' totals are unknown. A stage without
aqueous flow keeps the chloride it holds, so such a state depends on where it starts from.
"""

from dataclasses import dataclass

import numpy as np

from raffinate_rig.twin.equilibrium import Array, Mixers, Phases, constants, equilibrate

STEPS_MAX = 400
STEP_S_FIRST, STEP_S_MAX, STEP_S_MIN = 5.0, 1e7, 1e-6
GROWTH = 2.0
RESIDUAL_MAX = 1e-11  # of design flow times 1 mol/L
DIFFERENCE = 1e-7


@dataclass(frozen=True)
class Network:
    """The flows of a cascade at rest, for n stages and p conserved quantities (L/s, mol/L).

    `aqueous` and `organic` are n x n: the rate of totals is aqueous @ a + organic @ o + source,
    with a and o (n x p) the phases' concentrations of what is conserved.
    """

    aqueous: Array
    organic: Array
    source: Array


def conserved(phases: Phases, extractant_mol_l: Array) -> tuple[Array, Array]:
    """Aqueous and organic concentrations (n x p) of RE, proton excess, counter-ion, extractant."""
    zero = np.zeros_like(phases.hydrogen)
    aqueous = np.column_stack(
        (phases.aqueous_re, phases.hydrogen, phases.counter_ion, zero),
    )
    bound = phases.salt + 3.0 * phases.organic_re.sum(axis=1)
    organic = np.column_stack((phases.organic_re, -bound, phases.salt, extractant_mol_l))
    return aqueous, organic


def mixers_of(totals: Array, aqueous_l: Array, organic_l: Array) -> Mixers:
    """View totals (n x p) as the mixers of the equilibrium solver."""
    return Mixers(aqueous_l, organic_l, totals[:, :-3], totals[:, -3], totals[:, -2], totals[:, -1])


@dataclass
class SteadySolver:
    """Finds totals at which nothing changes, from a start; raises ValueError when it cannot."""

    network: Network
    aqueous_l: Array
    organic_l: Array
    elements: tuple[str, ...]
    salt_constant: float

    def solve(self, totals: Array) -> Array:
        """Totals (n x p) at rest, reached from `totals`."""
        scale = float(np.abs(np.diag(self.network.organic)).max())
        step_s = STEP_S_FIRST
        rate, jacobian = self._linearise(totals)
        for _ in range(STEPS_MAX):
            if np.abs(rate).max() < RESIDUAL_MAX * scale:
                return totals
            system = np.eye(totals.size) / step_s - jacobian
            trial = totals + np.linalg.solve(system, rate.ravel()).reshape(totals.shape)
            if not self._possible(trial):
                step_s *= 0.25
                if step_s < STEP_S_MIN:
                    break
                continue
            totals = self._tidy(trial)
            rate, jacobian = self._linearise(totals)
            step_s = min(step_s * GROWTH, STEP_S_MAX)
        raise ValueError(
            "no steady state found for this design: check flows, strengths and saponification"
        )

    def _rate(self, totals: Array) -> tuple[Array, Array, Array]:
        phases = equilibrate(
            mixers_of(totals, self.aqueous_l, self.organic_l),
            constants(self.elements),
            self.salt_constant,
        )
        aqueous, organic = conserved(phases, totals[:, -1] / self.organic_l)
        network = self.network
        rate = network.aqueous @ aqueous + network.organic @ organic + network.source
        return rate, aqueous, organic

    def _linearise(self, totals: Array) -> tuple[Array, Array]:
        stages, quantities = totals.shape
        rate, aqueous, organic = self._rate(totals)
        d_aqueous = np.empty((stages, quantities, quantities))
        d_organic = np.empty_like(d_aqueous)
        for column in range(quantities):
            moved = totals.copy()
            delta = DIFFERENCE * (self.aqueous_l + self.organic_l)
            moved[:, column] += delta
            _, a_moved, o_moved = self._rate(moved)
            d_aqueous[:, :, column] = (a_moved - aqueous) / delta[:, None]
            d_organic[:, :, column] = (o_moved - organic) / delta[:, None]
        blocks = np.einsum("ij,jpq->ipjq", self.network.aqueous, d_aqueous)
        blocks += np.einsum("ij,jpq->ipjq", self.network.organic, d_organic)
        return rate, blocks.reshape(totals.size, totals.size)

    def _possible(self, totals: Array) -> bool:
        slack = -1e-9 * (self.aqueous_l + self.organic_l)[:, None]
        chloride = 3.0 * totals[:, :-3].sum(axis=1) + totals[:, -3] + totals[:, -2]
        amounts = np.delete(totals, -3, axis=1)
        return bool(np.isfinite(totals).all() and (amounts > slack).all() and (chloride > 0).all())

    @staticmethod
    def _tidy(totals: Array) -> Array:
        tidy = np.maximum(totals, 0.0)
        tidy[:, -3] = totals[:, -3]
        return tidy
