"""A plant of two stages for series tests."""

from __future__ import annotations

from raffinate.model import Plant, Point, Stage


def plant() -> Plant:
    """Stages e01 and e02 of the extraction section on node n01, with ph and cond."""
    stages = {}
    points = {}
    for stage in ("e01", "e02"):
        own = tuple(
            Point(f"{stage}/{name}", stage, name, unit, (0.0, 14.0), None, {})
            for name, unit in (("ph", "pH"), ("cond", "S/m"))
        )
        points.update({point.id: point for point in own})
        stages[stage] = Stage(stage, "extraction", "n01", own)
    return Plant("ndpr", "", "", (), {}, {}, stages, points)
