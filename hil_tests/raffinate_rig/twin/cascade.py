"""The dynamic cascade: mixers at equilibrium, settlers as tanks in a row, weirs, a loaded tank.

Organic runs e01 -> e06 -> s01 -> s06 -> loaded tank -> t01 -> t04; aqueous runs against it, scrub
liquor from s06 to e01, feed joining in the last extraction stage, strip acid from t04 to t01.
"""

import math
from dataclasses import dataclass

import numpy as np

from raffinate_rig.twin.design import Design
from raffinate_rig.twin.equilibrium import Array, Phases, constants, equilibrate
from raffinate_rig.twin.hydraulics import Settlers
from raffinate_rig.twin.operation import SECONDS_PER_HOUR, Operation
from raffinate_rig.twin.steady import Network, SteadySolver, conserved, mixers_of

SETTLER_TANKS = 4
LOADED_TANK_TURNS_MAX = 1.5  # the strip pump follows the tank's level up to this
LOADED_TANK_HEEL = 0.2  # times its normal volume stays in below the suction
LOADED_TANK_FULL = 10.0  # times its normal volume; what comes then overflows to storage


@dataclass(frozen=True)
class Flows:
    """Flow into and out of each stage and both phases, L/s."""

    aqueous_in: Array
    aqueous_out: Array
    organic_in: Array
    organic_out: Array


class Cascade:
    """State and equations of a cascade of n stages; `vector` is all of it but the solver's guess.

    Per stage p conserved quantities: each RE, proton excess, counter-ion, extractant. A Murphree
    efficiency E lets the share 1 - E of the organic pass a mixer by.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.stages = len(design.stage_ids)
        self.quantities = len(design.elements) + 3
        counts = design.stage_counts
        self.last_extraction = counts["extraction"] - 1
        self.last_scrub = self.last_extraction + counts["scrub"]
        self.section = np.array([design.section_of(stage) for stage in design.stage_ids])
        self._k = constants(design.elements)
        self.design_aqueous_l_s, self.design_organic_l_s = self._through_flows(
            Operation.normal(design)
        )
        self.aqueous_l = self.design_aqueous_l_s * design.mixer_s
        self.organic_l = self.design_organic_l_s * design.mixer_s
        self._tank_s = design.settler_s / SETTLER_TANKS
        self.settlers = Settlers.sized(design, self.design_aqueous_l_s, self.design_organic_l_s)
        self.ln_ratio = self.guess = np.zeros(self.stages)
        self._layout = self._lay_out()
        self.vector = np.zeros(self._layout[-1][1].stop)
        self.phases: Phases
        self.flows: Flows

    def settle(self, operation: Operation, *, onward: bool = False) -> None:
        """Go to the steady state of `operation`, settlers and levels included.

        `onward` starts from the present state, as a plant would, not from a plausible one.
        Raises ValueError when there is none.
        """
        start = self.parts()["mixers"].copy() if onward else self._first_totals()
        solver = SteadySolver(
            self._network(operation.pumped()),
            self.aqueous_l,
            self.organic_l,
            self.design.elements,
            self.design.salt_constant,
        )
        self.fill(solver.solve(start), operation)

    def fill(self, totals: Array, operation: Operation) -> None:
        """Set mixers to `totals` and all behind them to what would come out of them."""
        operation = operation.pumped()
        parts = self.parts()
        parts["mixers"][:] = totals
        phases = self._equilibrate(totals)
        aqueous, organic = conserved(phases, totals[:, -1] / self.organic_l)
        fresh = self._fresh_organic(operation.saponified_mol_l)
        entering = fresh
        for stage in range(self.stages):
            share = operation.efficiency[stage]
            entering = share * organic[stage] + (1.0 - share) * entering
            parts["organic"][stage] = entering
            if stage == self.last_scrub:
                parts["loaded"][:] = entering
        parts["aqueous"][:] = aqueous[:, None, :]
        parts["fresh"][:] = operation.saponified_mol_l
        aqueous_l_s, organic_l_s = self._through_flows(operation)
        parts["interface"][:], parts["surface"][:] = self.settlers.levels_at(
            aqueous_l_s, organic_l_s, operation.aqueous_weir
        )
        parts["loaded_l"][:] = operation.organic_l_s * self.design.loaded_tank_s
        parts["loaded_l"] += LOADED_TANK_HEEL * self._loaded_tank_l
        self.refresh(operation)

    def parts(self) -> dict[str, Array]:
        """Views into the state vector by name."""
        return self._views(self.vector)

    def advance(self, dt_s: float, operation: Operation) -> None:
        """One step of Heun's method; dt_s well below the shortest lag."""
        operation = operation.pumped()
        first = self._derivative(self.vector, self.phases, operation)
        ahead = self.vector + dt_s * first
        second = self._derivative(ahead, self._equilibrate(self._views(ahead)["mixers"]), operation)
        self.vector += 0.5 * dt_s * (first + second)
        self.refresh(operation)

    def refresh(self, operation: Operation) -> None:
        """Recompute `phases` and `flows` from the state, keeping the `guess` this began from."""
        self.guess = self.ln_ratio
        parts = self.parts()
        self.phases = self._equilibrate(parts["mixers"])
        self.flows = self._flows(parts, operation.pumped())

    @property
    def _loaded_tank_l(self) -> float:
        return self.design.organic_l_h / SECONDS_PER_HOUR * self.design.loaded_tank_s

    def _lay_out(self) -> list[tuple[str, slice, tuple[int, ...]]]:
        """Name, place and shape of each part of the state vector."""
        stages, quantities = self.stages, self.quantities
        shapes = {
            "mixers": (stages, quantities),
            "aqueous": (stages, SETTLER_TANKS, quantities),
            "organic": (stages, SETTLER_TANKS, quantities),
            "loaded": (quantities,),
            "loaded_l": (1,),
            "fresh": (1,),
            "interface": (stages,),
            "surface": (stages,),
        }
        layout, start = [], 0
        for name, shape in shapes.items():
            end = start + math.prod(shape)
            layout.append((name, slice(start, end), shape))
            start = end
        return layout

    def _views(self, vector: Array) -> dict[str, Array]:
        return {name: vector[part].reshape(shape) for name, part, shape in self._layout}

    def _through_flows(self, operation: Operation) -> tuple[Array, Array]:
        """Both phases' flow through each stage at rest, L/s."""
        by_section = {
            "extraction": operation.feed_l_s + operation.scrub_l_s,
            "scrub": operation.scrub_l_s,
            "strip": operation.strip_l_s,
        }
        aqueous = np.array([by_section[name] for name in self.section])
        return aqueous, np.full(self.stages, operation.organic_l_s)

    def _liquor(self, hydrogen_mol_l: float) -> Array:
        liquor = np.zeros(self.quantities)
        liquor[-3] = hydrogen_mol_l
        return liquor

    def _feed(self) -> Array:
        feed = self._liquor(10.0**-self.design.feed_ph)
        feed[:-3] = list(self.design.feed_re_mol_l.values())
        return feed

    def _fresh_organic(self, saponified_mol_l: float) -> Array:
        fresh = np.zeros(self.quantities)
        fresh[-3:] = (-saponified_mol_l, saponified_mol_l, self.design.extractant_mol_l)
        return fresh

    def _equilibrate(self, totals: Array) -> Phases:
        phases = equilibrate(
            mixers_of(totals, self.aqueous_l, self.organic_l),
            self._k,
            self.design.salt_constant,
            self.ln_ratio,
        )
        self.ln_ratio = phases.ln_ratio
        return phases

    def _first_totals(self) -> Array:
        """Totals of a plausible start: acid liquors against half-saponified organic."""
        totals = np.empty((self.stages, self.quantities))
        acid = {
            "extraction": 10.0**-self.design.feed_ph,
            "scrub": self.design.scrub_acid_mol_l,
            "strip": self.design.strip_acid_mol_l,
        }
        for stage, section in enumerate(self.section):
            liquor = self._feed() if section == "extraction" else self._liquor(acid[section])
            fresh = self._fresh_organic(0.5 * self.design.saponified_frac)
            totals[stage] = self.aqueous_l[stage] * liquor + self.organic_l[stage] * fresh
        return totals

    def _network(self, operation: Operation) -> Network:
        """Flows at rest as matrices; the loaded tank and the settlers pass on what they get."""
        n = self.stages
        aqueous_l_s, _ = self._through_flows(operation)
        aqueous = -np.diag(aqueous_l_s)
        source = np.zeros((n, self.quantities))
        for stage in range(n):
            if stage not in (self.last_scrub, n - 1):
                aqueous[stage, stage + 1] = aqueous_l_s[stage + 1]
        source[self.last_extraction] += operation.feed_l_s * self._feed()
        source[self.last_scrub] += operation.scrub_l_s * self._liquor(self.design.scrub_acid_mol_l)
        source[n - 1] += operation.strip_l_s * self._liquor(self.design.strip_acid_mol_l)
        entering = np.zeros((n, n))
        entering_fresh = np.ones(n)
        for stage in range(1, n):
            share = operation.efficiency[stage - 1]
            entering[stage] = (1.0 - share) * entering[stage - 1]
            entering[stage, stage - 1] += share
            entering_fresh[stage] = (1.0 - share) * entering_fresh[stage - 1]
        taken = operation.efficiency * operation.organic_l_s
        organic = taken[:, None] * (entering - np.eye(n))
        fresh = self._fresh_organic(operation.saponified_mol_l)
        return Network(aqueous, organic, source + np.outer(taken * entering_fresh, fresh))

    def _flows(self, parts: dict[str, Array], operation: Operation) -> Flows:
        on = np.array([operation.running[name] for name in self.section], dtype=np.float64)
        aqueous_out, organic_out = self.settlers.outflows_l_s(
            parts["interface"], parts["surface"], operation.aqueous_weir
        )
        aqueous_out *= on
        organic_out *= on
        aqueous_in = np.append(aqueous_out[1:], operation.strip_l_s)
        aqueous_in[self.last_scrub] = operation.scrub_l_s
        aqueous_in[self.last_extraction] += operation.feed_l_s
        organic_in = np.append(operation.organic_l_s, organic_out[:-1])
        level = max(float(parts["loaded_l"][0]) / self._loaded_tank_l - LOADED_TANK_HEEL, 0.0)
        organic_in[self.last_scrub + 1] = (
            self.design.organic_l_h / SECONDS_PER_HOUR * min(level, LOADED_TANK_TURNS_MAX)
        )
        return Flows(aqueous_in * on, aqueous_out, organic_in * on, organic_out)

    def _derivative(self, vector: Array, phases: Phases, operation: Operation) -> Array:
        parts = self._views(vector)
        rates = np.zeros_like(vector)
        out = self._views(rates)
        flows = self._flows(parts, operation)
        aqueous, organic = conserved(phases, parts["mixers"][:, -1] / self.organic_l)
        into_aqueous, into_organic = self._inlets(parts, flows, operation)
        share = operation.efficiency[:, None]
        out["mixers"][:] = flows.aqueous_in[:, None] * (into_aqueous - aqueous)
        out["mixers"] += flows.organic_in[:, None] * share * (into_organic - organic)
        leaving = share * organic + (1.0 - share) * into_organic
        for name, first, flow, design_flow in (
            ("aqueous", aqueous, flows.aqueous_in, self.design_aqueous_l_s),
            ("organic", leaving, flows.organic_in, self.design_organic_l_s),
        ):
            tanks, rate = parts[name], out[name]
            turns = (flow / design_flow / self._tank_s)[:, None]
            rate[:, 0] = turns * (first - tanks[:, 0])
            rate[:, 1:] = turns[:, :, None] * (tanks[:, :-1] - tanks[:, 1:])
        self._loaded_rate(parts, flows, operation, out)
        out["fresh"][:] = (operation.saponified_mol_l - parts["fresh"]) / self.design.saponifier_s
        out["interface"][:], out["surface"][:] = self.settlers.level_rates_m_s(
            flows.aqueous_in - flows.aqueous_out, flows.organic_in - flows.organic_out
        )
        return rates

    def _inlets(
        self, parts: dict[str, Array], flows: Flows, operation: Operation
    ) -> tuple[Array, Array]:
        aqueous = np.empty((self.stages, self.quantities))
        aqueous[:-1] = parts["aqueous"][1:, -1]
        aqueous[-1] = self._liquor(self.design.strip_acid_mol_l)
        aqueous[self.last_scrub] = self._liquor(self.design.scrub_acid_mol_l)
        joined = flows.aqueous_in[self.last_extraction]
        if joined > 0.0:
            part = operation.feed_l_s / joined
            aqueous[self.last_extraction] *= 1.0 - part
            aqueous[self.last_extraction] += part * self._feed()
        organic = np.empty_like(aqueous)
        organic[1:] = parts["organic"][:-1, -1]
        organic[0] = self._fresh_organic(float(parts["fresh"][0]))
        organic[self.last_scrub + 1] = parts["loaded"]
        return aqueous, organic

    def _loaded_rate(
        self,
        parts: dict[str, Array],
        flows: Flows,
        operation: Operation,
        out: dict[str, Array],
    ) -> None:
        """Fill the loaded tank from scrub, or past it from extraction while scrub stands."""
        source = self.last_scrub if operation.running["scrub"] else self.last_extraction
        flow = float(flows.organic_out[source])
        volume = float(parts["loaded_l"][0])
        leaving = float(flows.organic_in[self.last_scrub + 1])
        out["loaded"][:] = flow / volume * (parts["organic"][source, -1] - parts["loaded"])
        full = volume >= LOADED_TANK_FULL * self._loaded_tank_l
        out["loaded_l"][:] = min(flow - leaving, 0.0) if full else flow - leaving
