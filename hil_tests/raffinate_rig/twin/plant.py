"""The plant a rig drives: simulated time, readings, faults, batteries, save and restore."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from raffinate_rig.twin.cascade import Cascade
from raffinate_rig.twin.design import SECTIONS, Design
from raffinate_rig.twin.electrode import RESPONSE_S
from raffinate_rig.twin.equilibrium import Array
from raffinate_rig.twin.faults import (
    INJECTIONS_MAX,
    Injection,
    Wear,
    check,
    dose_lost,
    operate,
    wear,
)
from raffinate_rig.twin.operation import SECONDS_PER_HOUR, Operation
from raffinate_rig.twin.outfall import OUTFALL, OutfallReading, OutfallTank
from raffinate_rig.twin.sensors import (
    NOISE_FLOW,
    STREAM_PUMPS,
    Sensors,
    StageReading,
    checked,
    random,
)

TICK_S = 0.5
STATE_VERSION = 1
SEED_MAX = 2**63 - 1


@dataclass(frozen=True)
class Battery:
    """One section's machines: turning or not, and whether a start is being asked for."""

    running: bool
    start_requested: bool


@dataclass(frozen=True)
class Electrode:
    """A pH electrode as its last calibration found it."""

    slope_pct: float
    offset_mv: float


class Plant:
    """A cascade with its sensors, at the steady state of its design from the first moment on.

    Time moves in whole ticks of TICK_S; readings are those of the last tick and depend on design,
    seed, ticks and what was injected, stopped and started at which tick - never on how `step` was
    divided or how often something was read. `state` is what `save` gave: raises ValueError when it
    is of another design or seed.
    """

    def __init__(self, design: Design, seed: int, state: Mapping[str, Any] | None = None) -> None:
        if not 0 <= seed <= SEED_MAX:
            raise ValueError(f"a seed is between 0 and {SEED_MAX}, not {seed}")
        self.design = design
        self.seed = seed
        self.time_s = 0.0
        self._tick = 0
        self._normal = Operation.normal(design)
        self._index = {stage: at for at, stage in enumerate(design.stage_ids)}
        self._injections: list[Injection] = []
        self._running = dict.fromkeys(SECTIONS, True)
        self._requested = dict.fromkeys(SECTIONS, False)
        self.cascade = Cascade(design)
        if state is None:
            self.cascade.settle(self._operation())
            self.sensors = Sensors(self.cascade, seed)
            self.sensors.sense(self._tick, self._wear(), self._running_stages())
        else:
            self._load(state)
        self.outfall = OutfallTank(self._raffinate(), seed)
        if state is not None and "outfall" in state:
            self._load_outfall(state["outfall"])
        self.outfall.sense(self._tick, TICK_S)

    def step(self, dt_s: float) -> None:
        """Advance by dt_s simulated seconds; raises ValueError on a negative or endless step."""
        if not (math.isfinite(dt_s) and dt_s >= 0.0):
            raise ValueError(f"a step is a finite time of 0 s or more, not {dt_s}")
        self.time_s += dt_s
        # The margin keeps ten steps of 0.1 s as good as one of 1 s.
        last = math.floor(self.time_s / TICK_S + 1e-6)
        while self._tick < last:
            self._advance(look=self._tick + 1 == last)

    def stage_ids(self) -> list[str]:
        """Stages in flow order of the organic: e01.., s01.., t01.."""
        return list(self.design.stage_ids)

    def reading(self, stage: str) -> StageReading | OutfallReading:
        """What the stage's sensor elements give now; raises KeyError on an unknown stage."""
        if stage == OUTFALL:
            return self.outfall.reading
        self.design.section_of(stage)
        return self.sensors.readings[self._index[stage]]

    def electrode(self, stage: str) -> Electrode:
        """Slope and offset that the stage's pH instrument was calibrated to, before any fault."""
        if stage == OUTFALL:
            return Electrode(100.0, 0.0)
        self.design.section_of(stage)
        at = self._index[stage]
        return Electrode(100.0 * float(self.sensors.slope[at]), float(self.sensors.offset_mv[at]))

    def alpha_pct_per_k(self, stage: str) -> float:
        """Temperature coefficient of the stage's liquor, as a configuration would have it."""
        self.design.section_of(stage)
        return float(self.sensors.alpha_pct_per_k()[self._index[stage]])

    def efficiency(self, stage: str) -> float:
        """Murphree efficiency of a stage as it is now."""
        self.design.section_of(stage)
        return float(self._operation().efficiency[self._index[stage]])

    def flows_l_h(self) -> dict[str, float]:
        """Pumped flows by their meters: feed, organic, base, scrub, strip."""
        operation = self._operation().pumped()
        base_l_s = operation.organic_l_s * operation.saponified_mol_l / self.design.base_mol_l
        pumped = {
            "feed": operation.feed_l_s,
            "organic": operation.organic_l_s,
            "base": base_l_s,
            "scrub": operation.scrub_l_s,
            "strip": operation.strip_l_s,
        }
        noise = random(self.seed, STREAM_PUMPS, self._tick).standard_normal(len(pumped)).tolist()
        return {
            name: flow * SECONDS_PER_HOUR * (1.0 + NOISE_FLOW * gust)
            for (name, flow), gust in zip(pumped.items(), noise, strict=True)
        }

    def inject(
        self,
        fault: str,
        at_s: float | None = None,
        stage: str | None = None,
        severity: float = 1.0,
    ) -> None:
        """Let a fault of FAULTS begin at simulated time `at_s` (None: at once).

        Raises ValueError on an unknown fault or stage, a time gone by, or too many faults.
        """
        at_s = self.time_s if at_s is None else at_s
        if not (math.isfinite(at_s) and at_s >= self.time_s):
            raise ValueError(f"{fault} at {at_s} s: the plant is at {self.time_s:.1f} s already")
        if len(self._injections) >= INJECTIONS_MAX:
            raise ValueError(f"{INJECTIONS_MAX} faults are at work or waiting: clear some first")
        stage = check(fault, stage, severity, self.design.stage_ids)
        self._injections.append(Injection(fault, at_s, stage, severity))

    def clear(self, fault: str) -> None:
        """End a fault wherever it is at work, and forget it where it is waiting."""
        check(fault, None, 1.0, self.design.stage_ids)
        self._injections = [entry for entry in self._injections if entry.fault != fault]

    def injections(self) -> list[Injection]:
        """Faults at work or waiting."""
        return list(self._injections)

    def batteries(self) -> dict[str, Battery]:
        """Batteries by section: extraction, scrub, strip."""
        return {name: Battery(self._running[name], self._requested[name]) for name in SECTIONS}

    def stop(self, battery: str) -> None:
        """Stop a battery, its pumps and mixers, and withdraw a request to start it."""
        self._known(battery)
        self._running[battery] = False
        self._requested[battery] = False

    def request_start(self, battery: str, permitted: bool, bridged: bool = False) -> bool:
        """Press start: it runs if its permissive contact is closed or bridged.

        A request that is refused stays up until `stop` or a start; asking again is a new try.
        """
        self._known(battery)
        self._requested[battery] = not (permitted or bridged)
        self._running[battery] = self._running[battery] or permitted or bridged
        return self._running[battery]

    def save(self) -> dict[str, Any]:
        """Everything that a plant of the same design and seed needs to go on; JSON-able."""
        return {
            "version": STATE_VERSION,
            "design": _identity(self.design),
            "seed": self.seed,
            "time_s": self.time_s,
            "tick": self._tick,
            "vector": self.cascade.vector.tolist(),
            "guess": self.cascade.guess.tolist(),
            "sensors": self.sensors.save(),
            "outfall": self.outfall.save(),
            "injections": [asdict(entry) for entry in self._injections],
            "running": dict(self._running),
            "requested": dict(self._requested),
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        wanted = {
            "version": STATE_VERSION,
            "design": _identity(self.design),
            "seed": self.seed,
        }
        for key, value in wanted.items():
            if state.get(key) != value:
                raise ValueError(
                    f"the saved plant has another {key}: start it anew, or with the old {key}"
                )
        try:
            self.time_s = float(state["time_s"])
            self._tick = int(state["tick"])
            self._injections = [Injection(**entry) for entry in state["injections"]]
            self._running = {name: bool(state["running"][name]) for name in SECTIONS}
            self._requested = {name: bool(state["requested"][name]) for name in SECTIONS}
            self.cascade.vector[:] = checked(state["vector"], self.cascade.vector.shape)
            self.cascade.ln_ratio = checked(state["guess"], (self.cascade.stages,))
            self.cascade.refresh(self._operation())
            self.sensors = Sensors(self.cascade, self.seed)
            self.sensors.load(state["sensors"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the saved plant is damaged ({error}): start it anew without it"
            ) from error

    def _load_outfall(self, state: Mapping[str, Any]) -> None:
        try:
            self.outfall.load(state)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the saved outfall is damaged ({error}): start the plant anew without it"
            ) from error

    def _raffinate(self) -> Array:
        """What leaves the settler of the first stage, mol/L."""
        found: Array = self.cascade.parts()["aqueous"][0, -1]
        return found

    def _advance(self, *, look: bool) -> None:
        """One tick; sensors are read when someone can look or a value is to be held."""
        self._tick += 1
        self.cascade.advance(TICK_S, self._operation())
        worn = self._wear()
        self.sensors.tick(TICK_S, self._tick * TICK_S, worn, self._running_stages())
        flow = float(self.cascade.flows.aqueous_out[0] / self.cascade.design_aqueous_l_s[0])
        self.outfall.tick(TICK_S, self._raffinate(), flow, dose_lost(self._active()))
        if look or worn.holds():
            self.sensors.sense(self._tick, worn, self._running_stages())
        if look:
            self.outfall.sense(self._tick, TICK_S)

    def _active(self) -> list[Injection]:
        return [entry for entry in self._injections if entry.at_s <= self._tick * TICK_S]

    def _operation(self) -> Operation:
        normal = self._normal.with_running(self._running)
        return operate(normal, self._active(), self._tick * TICK_S, self._index)

    def _wear(self) -> Wear:
        return wear(self._active(), self._tick * TICK_S, self._index, RESPONSE_S)

    def _running_stages(self) -> Array:
        return np.array([self._running[name] for name in self.cascade.section], dtype=np.float64)

    def _known(self, battery: str) -> None:
        if battery not in SECTIONS:
            raise KeyError(f"no battery {battery!r}; there are {', '.join(SECTIONS)}")


def _identity(design: Design) -> dict[str, Any]:
    """Return the design as JSON-able members, to compare a saved plant's with this one's."""
    values = {entry.name: getattr(design, entry.name) for entry in fields(design)}
    return values | {"feed_re_mol_l": dict(design.feed_re_mol_l)}
