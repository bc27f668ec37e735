"""What happens to the plant, and when: `sap-loss@60s`, `stop extraction@150s`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from raffinate_rig.twin import FAULTS, SECTIONS

Kind = Literal["fault", "clear", "stop", "start", "start-when-permitted", "bridge", "unbridge"]
KINDS: tuple[Kind, ...] = (
    "fault",
    "clear",
    "stop",
    "start",
    "start-when-permitted",
    "bridge",
    "unbridge",
)
TIME_S_MAX = 30 * 86400.0
_FORM = re.compile(
    r"(?:(?P<kind>[a-z-]+) +)?(?P<target>[a-z][a-z-]*)(?::(?P<stage>[a-z][a-z0-9-]*))?"
    r"(?: *@ *(?P<time>[0-9]+(?:\.[0-9]+)?) *(?P<unit>ms|s|min|h)?)?"
)
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


class ActionError(ValueError):
    """A text that is no action; the message says what is and which names there are."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do `at_s` after the rig's start; `target` is a fault or a battery."""

    at_s: float
    kind: Kind
    target: str
    stage: str | None = None

    def __str__(self) -> str:
        where = f":{self.stage}" if self.stage else ""
        return f"{self.kind} {self.target}{where} @ {self.at_s:g} s"


def parse_action(text: str, default: Kind = "fault") -> Action:
    """`[KIND] TARGET[:STAGE][@TIME]`, TIME in ms, s (default), min or h; raises ActionError.

    KIND is one of KINDS, without it `default`; without TIME it happens at once.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ActionError(
            f"{text!r} is no action: write FAULT@TIME (sap-loss@60s) or KIND TARGET@TIME "
            f"(stop extraction@150s) with KIND one of {', '.join(KINDS)}"
        )
    kind = form["kind"] or default
    if kind not in KINDS:
        raise ActionError(f"{kind!r} is nothing the rig can do; it can {', '.join(KINDS)}")
    targets = FAULTS if kind in ("fault", "clear") else SECTIONS
    if form["target"] not in targets:
        what = "fault" if targets is FAULTS else "battery"
        raise ActionError(f"there is no {what} {form['target']!r}: choose {', '.join(targets)}")
    if form["stage"] is not None and kind != "fault":
        raise ActionError(f"{text!r}: only a fault strikes a single stage")
    at_s = float(form["time"] or 0) * _UNITS_S[form["unit"] or "s"]
    if at_s > TIME_S_MAX:
        raise ActionError(f"{text!r}: the latest time is {TIME_S_MAX:g} s")
    return Action(at_s, cast("Kind", kind), form["target"], form["stage"])
