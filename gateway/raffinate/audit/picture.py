"""A machine's coverage time line as SVG, readable without colour. Pure.

Each column of the lane is a stretch of time; its height is shared by running (at the bottom),
idle, gap and unaccounted, as their parts of the stretch are. White is time without any word.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from raffinate.audit.markup import span, text, utc
from raffinate.audit.timeline import GAP, IDLE, RUNNING, UNACCOUNTED

if TYPE_CHECKING:
    from raffinate.audit.timeline import Timeline

NAMES = {
    RUNNING: "attested running",
    IDLE: "attested idle",
    GAP: "gap with stated cause",
    UNACCOUNTED: "unaccounted",
}
GAPS_NUMBERED_MAX = 40
_FILLS = {RUNNING: "#1d4f7c", IDLE: "#d5dde4", GAP: "url(#gap)", UNACCOUNTED: "url(#unacc)"}
_LEFT, _WIDTH, _TOP, _HEIGHT, _ALL = 10, 700, 18, 46, 104
_STEPS = 40
_TICKS_MAX = 6
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200)
_NARROW = 3
_DAY_MS = 86_400_000


def patterns() -> str:
    """The two hatchings, once for all pictures of a page."""
    return (
        '<svg width="0" height="0" aria-hidden="true" focusable="false"><defs>'
        '<pattern id="gap" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="7" height="7" fill="#fff"/>'
        '<rect width="2" height="7" fill="#555"/></pattern>'
        '<pattern id="unacc" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<rect width="6" height="6" fill="#c62f2f"/><circle cx="3" cy="3" r="1.6" fill="#fff"/>'
        "</pattern></defs></svg>"
    )


def legend() -> str:
    """What the fillings mean."""
    items = "".join(
        f'<li><svg width="28" height="14" aria-hidden="true" focusable="false"><rect x="0.5" '
        f'y="0.5" width="27" height="13" fill="{_FILLS[state]}" stroke="#333"/></svg> {name}</li>'
        for state, name in NAMES.items()
    )
    return (
        f'<ul class="legend">{items}<li>&#9660; above the lane: unaccounted time, however short'
        "</li><li>numbers below the lane: signed gaps, as listed</li></ul>"
    )


def picture(name: str, line: Timeline, number: int) -> str:
    """The time line of the machine `name`; `number` makes the ids of one page differ."""
    low = line.low or 0
    scale = _Scale(low, max(line.high, low + 1))
    totals = line.totals()
    said = ", ".join(f"{NAMES[state]} {span(totals[state])}" for state in NAMES)
    parts = [
        (
            f'<svg class="line" viewBox="0 0 {_LEFT * 2 + _WIDTH} {_ALL}" role="img" '
            f'aria-labelledby="t{number} d{number}">'
        ),
        f'<title id="t{number}">Coverage of {text(name)}</title>',
        (
            f'<desc id="d{number}">From {utc(low)} to {utc(line.high)}: {said}; '
            f"{len(line.gaps)} signed gaps.</desc>"
        ),
        *_columns(line, scale),
        (
            f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
            'stroke="#333" stroke-width="0.8"/>'
        ),
        *_marks(line, scale),
        *_gaps(line, scale),
        *_axis(scale),
        "</svg>",
    ]
    return "\n".join(parts)


class _Scale:
    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def x(self, time_ms: int) -> float:
        inside = min(max(time_ms, self.low), self.high)
        return _LEFT + _WIDTH * (inside - self.low) / (self.high - self.low)


def _columns(line: Timeline, scale: _Scale) -> list[str]:
    """Rectangles; neighbours with the same shares are one."""
    found: list[tuple[int, int, tuple[int, ...]]] = []
    for number, cell in sorted(line.bins.items()):
        start = max(number * line.bin_ms, scale.low)
        end = min((number + 1) * line.bin_ms, scale.high)
        whole = max(sum(cell), end - start, 1)
        wanted = tuple(-(-_STEPS * cell[state] // whole) for state in NAMES)
        if found and found[-1][1] == start and found[-1][2] == wanted:
            found[-1] = (found[-1][0], end, wanted)
        else:
            found.append((start, end, wanted))
    parts = []
    for start, end, wanted in found:
        left, right, foot = scale.x(start), scale.x(end), float(_TOP + _HEIGHT)
        room, shares = _STEPS, dict.fromkeys(NAMES, 0)
        for state in (UNACCOUNTED, GAP, RUNNING, IDLE):  # what matters most is never squeezed out
            shares[state] = min(wanted[state], room)
            room -= shares[state]
        for state in NAMES:
            height = _HEIGHT * shares[state] / _STEPS
            if height:
                foot -= height
                parts.append(
                    f'<rect x="{left:.2f}" y="{foot:.2f}" width="{max(right - left, 0.4):.2f}" '
                    f'height="{height:.2f}" fill="{_FILLS[state]}"/>'
                )
    return parts


def _marks(line: Timeline, scale: _Scale) -> list[str]:
    """A triangle above each stretch that has unaccounted time; those that would touch are one."""
    parts, last = [], -10.0
    for number, cell in sorted(line.bins.items()):
        if cell[UNACCOUNTED]:
            x = scale.x(number * line.bin_ms + line.bin_ms // 2)
            if x - last >= 2 * _NARROW:
                parts.append(
                    f'<path d="M{x - 4:.2f} {_TOP - 9} h8 l-4 7 z" fill="#c62f2f" stroke="#333" '
                    'stroke-width="0.5"/>'
                )
                last = x
    return parts


def _gaps(line: Timeline, scale: _Scale) -> list[str]:
    """Where each signed gap lies, numbered as in the table below the picture."""
    parts, last = [], -100.0
    y = _TOP + _HEIGHT + 3
    for number, (from_ms, to_ms, _) in enumerate(line.gaps[:GAPS_NUMBERED_MAX], 1):
        left, right = scale.x(from_ms), scale.x(to_ms)
        parts.append(
            f'<rect x="{left:.2f}" y="{y}" width="{max(right - left, 1.5):.2f}" height="3" '
            'fill="#333"/>'
        )
        middle = (left + right) / 2
        if middle - last >= 12:  # noqa: PLR2004 - the width of a number
            parts.append(
                f'<text x="{middle:.2f}" y="{y + 13}" font-size="9" text-anchor="middle">'
                f"{number}</text>"
            )
            last = middle
    return parts


def _axis(scale: _Scale) -> list[str]:
    """Ticks at round times of UTC."""
    y = _TOP + _HEIGHT + 18
    parts = [
        f'<line x1="{_LEFT}" y1="{y}" x2="{_LEFT + _WIDTH}" y2="{y}" stroke="#333"/>',
    ]
    length = scale.high - scale.low
    minutes = next((step for step in _MINUTES if length <= step * 60_000 * _TICKS_MAX), None)
    step_ms = minutes * 60_000 if minutes is not None else -(-length // _TICKS_MAX)
    step_ms = max(step_ms, 1)
    time_ms, day = -(-scale.low // step_ms) * step_ms, -1
    while time_ms <= scale.high:
        x = scale.x(time_ms)
        parts.append(
            f'<line x1="{x:.2f}" y1="{y}" x2="{x:.2f}" y2="{y + 4}" stroke="#333"/>'
            f'<text x="{x:.2f}" y="{y + 13}" font-size="9" text-anchor="{_anchor(x)}">'
            f"{_label(time_ms, step_ms, new=time_ms // _DAY_MS != day)}</text>"
        )
        day = time_ms // _DAY_MS
        time_ms += step_ms
    return parts


def _label(time_ms: int, step_ms: int, *, new: bool) -> str:
    """The date where it is new, and the time where ticks are closer than a day."""
    try:
        found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    except OverflowError:
        return text(time_ms)
    if step_ms >= _DAY_MS:
        return found.strftime("%Y-%m-%d")
    return found.strftime("%Y-%m-%d %H:%M" if new else "%H:%M")


def _anchor(x: float) -> str:
    """Labels at the edges stay inside."""
    room = 45
    if x < _LEFT + room:
        return "start"
    return "end" if x > _LEFT + _WIDTH - room else "middle"
