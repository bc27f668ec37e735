"""Sizes of files and disks as people read them."""

from __future__ import annotations

_STEP = 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def format_size(count: int) -> str:
    """Bytes with three significant digits and a decimal unit: `18.2 GB`, `999 bytes`."""
    if count < _STEP:
        return f"{count} {_UNITS[0]}"
    value, unit = float(count), 0
    # what would be shown as 1000 of a unit is 1 of the next
    while float(f"{value:.3g}") >= _STEP and unit < len(_UNITS) - 1:
        value /= _STEP
        unit += 1
    return f"{value:.3g} {_UNITS[unit]}" if value < _STEP else f"{value:.0f} {_UNITS[unit]}"
