"""Every fault the twin plays: what it does to the plant's operation and to its sensors."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from raffinate_rig.twin.equilibrium import Array
from raffinate_rig.twin.operation import Operation

INJECTIONS_MAX = 64
FOULED_RESPONSE_S = 300.0
FOULED_SLOPE_LOST = 0.15
FOULING_S = 600.0
REFERENCE_DRIFT_MV_PER_S = 1.0 / 60.0
REFERENCE_DRIFT_MV_MAX = 250.0
FILM_LOST = 0.4
FILM_S = 600.0
WEIR_LOST = 0.85
INVERTED_EFFICIENCY_LOST = 0.5
CRUD_FOLD_S = 3.0 * 86400.0  # severity 1 loses a factor e of efficiency in three days
EFFICIENCY_FLOOR = 0.2


@dataclass(frozen=True)
class FaultInfo:
    """One line for people, the stage a fault of one stage strikes by default (None: the plant)."""

    summary: str
    default_stage: str | None = None


FAULTS: Mapping[str, FaultInfo] = MappingProxyType(
    {
        "sap-loss": FaultInfo("base flow lost: pH falls from the raffinate end, base flow low"),
        "feed-pump-trip": FaultInfo("feed stops: one flow first, then a wave along the stages"),
        "discharge-acid": FaultInfo(
            "neutralisation lost: acid reaches the outfall, o01's pH falls"
        ),
        "scrub-acid-loss": FaultInfo("scrub acid lost: the last scrub stage's pH rises"),
        "phase-inversion": FaultInfo(
            "organic-continuous mixer: conductivity jumps to near 0", "e04"
        ),
        "weir-blockage": FaultInfo("aqueous weir blocked: level rises, outflow lags inflow", "e03"),
        "crud": FaultInfo("crud and entrainment: efficiency falls over days, noisy cell", "e04"),
        "electrode-fouled": FaultInfo("coated pH electrode: slow, low slope", "e02"),
        "glass-broken": FaultInfo("cracked pH glass: fixed near pH 7", "e02"),
        "reference-drift": FaultInfo("poisoned reference: one pH ramps steadily", "e02"),
        "stuck-value": FaultInfo("pH value frozen: no variance", "e02"),
        "stuck-flow": FaultInfo("aqueous flow value frozen: no variance", "e02"),
        "stuck-cond": FaultInfo("conductivity value frozen: no variance", "e02"),
        "flow-air": FaultInfo("air in the aqueous flow meter: spikes, low mean", "e03"),
        "cell-film": FaultInfo("organic film on a conductivity cell: slow and low", "e03"),
    }
)

# Faults whose severity alone says what a sensor does, by the member of Wear that takes it.
SEVERITY_OF = {
    "glass-broken": "glass",
    "stuck-value": "stuck_ph",
    "stuck-flow": "stuck_flow",
    "stuck-cond": "stuck_cond",
    "flow-air": "air",
    "phase-inversion": "inverted",
    "crud": "crud",
}


@dataclass(frozen=True)
class Injection:
    """A fault at work from `at_s` on; severity 1 is the fault in full, rates scale with it."""

    fault: str
    at_s: float
    stage: str | None
    severity: float


@dataclass(frozen=True)
class Wear:
    """What sensor faults do at one instant, an array of n stages each.

    Electrode: response s, slope (fraction of the calibrated), offset mV; the rest are severities
    (0: healthy).
    """

    response_s: Array
    slope: Array
    offset_mv: Array
    glass: Array
    stuck_ph: Array
    stuck_flow: Array
    stuck_cond: Array
    air: Array
    film: Array
    inverted: Array
    crud: Array

    def holds(self) -> bool:
        """Tell whether a value is stuck anywhere."""
        return bool((self.stuck_ph + self.stuck_flow + self.stuck_cond).any())


def check(fault: str, stage: str | None, severity: float, stages: tuple[str, ...]) -> str | None:
    """Return the stage the fault strikes (None: the plant); raises ValueError naming the remedy."""
    if fault not in FAULTS:
        raise ValueError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
    default = FAULTS[fault].default_stage
    if default is None and stage is not None:
        raise ValueError(f"{fault} strikes the whole plant: leave the stage out")
    if default is not None and stage is None:
        stage = default if default in stages else stages[0]
    if stage is not None and stage not in stages:
        raise ValueError(f"no stage {stage!r}; there are {', '.join(stages)}")
    top = 100.0 if fault in ("crud", "reference-drift") else 1.0
    if not 0.0 < severity <= top:
        raise ValueError(f"the severity of {fault} is above 0 and at most {top:g}, not {severity}")
    return stage


def operate(
    normal: Operation, active: Iterable[Injection], time_s: float, index: Mapping[str, int]
) -> Operation:
    """Apply faults of the process to what the plant is told to do."""
    operation = replace(
        normal, efficiency=normal.efficiency.copy(), aqueous_weir=normal.aqueous_weir.copy()
    )
    for injection in active:
        left = max(1.0 - injection.severity, 0.0)
        at = index.get(injection.stage or "", -1)
        match injection.fault:
            case "sap-loss":
                operation = replace(operation, saponified_mol_l=operation.saponified_mol_l * left)
            case "feed-pump-trip":
                operation = replace(operation, feed_l_s=operation.feed_l_s * left)
            case "scrub-acid-loss":
                operation = replace(operation, scrub_l_s=operation.scrub_l_s * left)
            case "phase-inversion":
                operation.efficiency[at] *= 1.0 - INVERTED_EFFICIENCY_LOST * injection.severity
            case "weir-blockage":
                operation.aqueous_weir[at] *= 1.0 - WEIR_LOST * injection.severity
            case "crud":
                age_s = time_s - injection.at_s
                kept = math.exp(-age_s * injection.severity / CRUD_FOLD_S)
                operation.efficiency[at] = max(operation.efficiency[at] * kept, EFFICIENCY_FLOOR)
    return operation


def dose_lost(active: Iterable[Injection]) -> float:
    """Share of the neutralisation's base that fails, 0 to 1."""
    lost = (entry.severity for entry in active if entry.fault == "discharge-acid")
    return min(max(lost, default=0.0), 1.0)


def wear(
    active: Iterable[Injection], time_s: float, index: Mapping[str, int], response_s: float
) -> Wear:
    """Collect the sensor faults of one instant; `response_s` is a clean electrode's."""
    count = len(index)
    result = Wear(
        response_s=np.full(count, response_s),
        slope=np.ones(count),
        **{name: np.zeros(count) for name in ("offset_mv", "film", *SEVERITY_OF.values())},
    )
    for injection in active:
        at, severity = index.get(injection.stage or "", -1), injection.severity
        age_s = time_s - injection.at_s
        if injection.fault in SEVERITY_OF:
            getattr(result, SEVERITY_OF[injection.fault])[at] = min(severity, 1.0)
        elif injection.fault == "electrode-fouled":
            grown = severity * -math.expm1(-age_s / FOULING_S)
            result.response_s[at] += FOULED_RESPONSE_S * severity
            result.slope[at] *= 1.0 - FOULED_SLOPE_LOST * grown
        elif injection.fault == "reference-drift":
            drift_mv = REFERENCE_DRIFT_MV_PER_S * severity * age_s
            result.offset_mv[at] -= min(drift_mv, REFERENCE_DRIFT_MV_MAX)
        elif injection.fault == "cell-film":
            result.film[at] = FILM_LOST * severity * -math.expm1(-age_s / FILM_S)
    return result
