"""The twin: a simulated separation plant that drives a rig's sensors (docs/twin.md)."""

from raffinate_rig.twin.design import PLANT_SCALE, REFERENCE, SECTIONS, Design
from raffinate_rig.twin.faults import FAULTS, FaultInfo, Injection
from raffinate_rig.twin.outfall import OUTFALL, OutfallReading
from raffinate_rig.twin.plant import TICK_S, Battery, Electrode, Plant
from raffinate_rig.twin.sensors import StageReading

__all__ = [
    "FAULTS",
    "OUTFALL",
    "PLANT_SCALE",
    "REFERENCE",
    "SECTIONS",
    "TICK_S",
    "Battery",
    "Design",
    "Electrode",
    "FaultInfo",
    "Injection",
    "OutfallReading",
    "Plant",
    "StageReading",
]
