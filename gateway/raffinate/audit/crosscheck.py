"""Holds what statements say of a machine against its flow and against each other. Pure.

Flow is inferred (class I): liquor may be pumped through a machine that stands, and a machine may
idle without flow. Registers and digests are direct (class D). docs/findings.md has every code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raffinate.audit.facts import Activity, Booted, Interval, MeterReading
from raffinate.audit.frames import FrameChecker, Watchers

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.facts import Context, Fact, Origin, Registers, Use
    from raffinate.audit.framefile import FrameLine

ON_SHARE, OFF_SHARE = 0.05, 0.02  # of the highest flow of the point so far
FLOW_MS_MIN = 300_000
IDLE_MS_MIN = 600_000
VOLUME_MS_MIN = 600_000
VOLUME_SHARE_MAX = 0.02
WINDOW_MS = 16_000  # how far back a flow reaches (ADR 32)
ROUNDING_ML = 5.0
SCAN_MS_MAX = 15_000  # further apart, the flow between two scans is not known
RUN_MS_SLACK = 120_000
RUN_SHARE_MAX = 0.01
METER_MINUTES_SLACK = 2
METER_SHARE_MAX = 0.02
ACTIVITY_SLACK_MS = 3_600_000
CHANGES_MAX = 1000
ACTIVITIES_MAX = 10_000
MACHINES_MAX = 10_000
_UNREAD = "run unread"
_UNDECLARED = {
    "firmware": "FIRMWARE-UNDECLARED",
    "config": "CONFIG-UNDECLARED",
    "calibration": "CALIBRATION-UNDECLARED",
}
_ALLOWS = {
    "config": {
        "upgrade",
        "repair",
        "maintenance",
        "commissioning",
        "assembly",
        "calibration",
    },
    "firmware": {"upgrade", "repair", "maintenance", "commissioning", "assembly"},
    "calibration": {"calibration", "repair", "maintenance", "commissioning", "assembly"},
}
_NUMBER = rb"(-?[0-9.]{1,32})"


@dataclass(slots=True)
class Flow:
    """Flow of one point over one interval: what was integrated, and how long it flowed or not."""

    volume_ml: float = 0.0
    on_ms: int = 0
    off_ms: int = 0
    unknown_ms: int = 0
    peak_l_s: float = 0.0
    last_up_ms: int | None = None


@dataclass(slots=True)
class _Streak:
    """A condition that holds from interval to interval."""

    ms: int = 0
    from_ms: int | None = None
    to_ms: int | None = None
    from_seq: int = 0
    origin: Origin | None = None


@dataclass(slots=True)
class _Volume:
    """Register and integrated flow since `from_seq`."""

    stated_ml: int = 0
    measured_ml: float = 0.0
    ms: int = 0
    unknown_ms: int = 0
    from_seq: int = 0


@dataclass(slots=True)
class _Machine:
    """One machine under one key."""

    serial: str | None = None
    boot: int = -1
    to_up_ms: int = -1
    run: bool = False
    registers: Registers | None = None
    steady_ms: int = 0
    steady_run_ms: int = 0
    flowing: bool = False
    last_l_s: float | None = None
    last_up_ms: int = 0
    flow_boot: int = -1
    peak_l_s: float = 0.0
    flow_alone: _Streak = field(default_factory=_Streak)
    run_alone: _Streak = field(default_factory=_Streak)
    volume: _Volume = field(default_factory=_Volume)
    volume_boot: int = -1
    reading: tuple[int, int] | None = None


@dataclass(slots=True)
class _Change:
    """A digest that changed between two times that are known, by the node's clock."""

    what: str
    origin: Origin
    machines: frozenset[str]
    from_ms: int | None
    to_ms: int | None = None


@dataclass(slots=True)
class _Board:
    """What a key's statements said last of its board."""

    firmware: str
    config: str
    calibration: str
    machines: frozenset[str] = frozenset()
    time_ms: int | None = None
    open: list[_Change] = field(default_factory=list)


class UseChecker:
    """`facts.Checker` of everything that frames show: they are read once for both halves."""

    def __init__(self, context: Context) -> None:
        self._cross = CrossChecker(context)
        watchers = self._cross, context.result.extremes
        self._frames = FrameChecker(context, Watchers(watchers))

    def take(self, fact: Fact) -> None:
        """One fact more, in the order of the log."""
        self._frames.take(fact)
        self._cross.take(fact)

    def finish(self) -> None:
        """All entries were seen."""
        self._frames.finish()
        self._cross.finish()


class CrossChecker:
    """`facts.Checker` of registers and digests, and `frames.Watcher` of flow."""

    def __init__(self, context: Context) -> None:
        self._result = context.result
        self._machines: dict[tuple[str, str], _Machine] = {}
        self._boards: dict[str, _Board] = {}
        self._changes: list[_Change] = []
        self._activities: list[Activity] = []

    def take(self, fact: Fact) -> None:
        """One fact more, in the order of the log; what came late is not held against others."""
        if isinstance(fact, Interval) and not fact.origin.late:
            self._digests(fact)
            for use in fact.uses:
                self._registers(fact, use)
        elif isinstance(fact, Booted) and not fact.origin.late:
            self._digests(fact)
        elif isinstance(fact, Activity) and len(self._activities) < ACTIVITIES_MAX:
            self._activities.append(fact)
        elif isinstance(fact, MeterReading):
            self._read_meter(fact)

    def finish(self) -> None:
        """What goes on at the end, and changes that no activity explains."""
        for machine in self._machines.values():
            self._end_flow(machine)
        for change in self._changes:
            if not any(_explains(activity, change) for activity in self._activities):
                self._result.undeclared.setdefault(change.origin.keyid, []).append(change.what)
                self._result.add(
                    _UNDECLARED[change.what],
                    f"{change.what} of {change.origin.node} changed without an activity",
                    index=change.origin.index,
                    node=change.origin.node,
                    seq=change.origin.seq,
                )

    def gauge(self, interval: Interval) -> FlowGauge | None:
        """What measures the flows of an interval's machines; None where none names its point."""
        machines = {
            use.volume.encode(): self._machine(interval.origin.keyid, use)
            for use in interval.uses
            if use.volume is not None
        }
        return FlowGauge(interval, machines, self._measured) if machines else None

    def _measured(self, interval: Interval, flows: dict[bytes, Flow], whole: bool) -> None:
        """Judge the flows of an interval against run contact and register."""
        for use in interval.uses:
            if use.volume is None:
                continue
            flow = flows[use.volume.encode()]
            machine = self._machine(interval.origin.keyid, use)
            self._judge_run(interval, use, machine, flow)
            self._judge_volume(interval, use, machine, flow, whole=whole)

    def _machine(self, keyid: str, use: Use) -> _Machine:
        found = self._machines.get((keyid, use.equipment))
        if found is None:
            found = _Machine()
            if len(self._machines) < MACHINES_MAX:
                self._machines[keyid, use.equipment] = found
        found.serial = use.serial or use.equipment
        return found

    def _registers(self, interval: Interval, use: Use) -> None:
        """Deltas against absolute registers, and run time against the time there was."""
        machine = self._machine(interval.origin.keyid, use)
        now = interval.registers.get(use.equipment)
        before = machine.registers
        follows = machine.boot == interval.boot and machine.to_up_ms == interval.from_up_ms
        if follows and now is not None and before is not None:
            grown = (
                now.run_ms - before.run_ms,
                now.starts - before.starts,
                now.volume_ml - before.volume_ml,
            )
            if grown != (use.run_ms, use.starts, use.volume_ml):
                self._add(
                    "REGISTER-SUM",
                    f"registers grew by {grown}, deltas are "
                    f"{(use.run_ms, use.starts, use.volume_ml)} (ms, starts, ml)",
                    interval.origin,
                    machine,
                )
        if follows:
            self._judge_contact(interval, use, machine)
        else:
            machine.steady_ms = machine.steady_run_ms = 0
        machine.boot, machine.to_up_ms = interval.boot, interval.to_up_ms
        machine.run, machine.registers = use.run, now

    def _judge_contact(self, interval: Interval, use: Use, machine: _Machine) -> None:
        """Run time while the contact did not change from statement to statement."""
        if not machine.run and not use.run and not use.starts and use.run_ms:
            detail = f"{use.run_ms} ms of run time without a start, the contact open at both ends"
            self._add("RUN-MISMATCH", detail, interval.origin, machine)
        if _UNREAD in (interval.why or ""):
            machine.steady_ms = machine.steady_run_ms = 0
            return
        if machine.run and use.run and not use.starts:
            machine.steady_ms += interval.to_up_ms - interval.from_up_ms
            machine.steady_run_ms += use.run_ms
        else:
            machine.steady_ms = machine.steady_run_ms = 0
        apart_ms = machine.steady_run_ms - machine.steady_ms
        if abs(apart_ms) > RUN_MS_SLACK + RUN_SHARE_MAX * machine.steady_ms:
            detail = (
                f"the contact was closed for {machine.steady_ms} ms, the register grew by "
                f"{machine.steady_run_ms} ms"
            )
            self._add("RUN-MISMATCH", detail, interval.origin, machine)
            machine.steady_ms = machine.steady_run_ms = 0

    def _judge_run(self, interval: Interval, use: Use, machine: _Machine, flow: Flow) -> None:
        span_ms = interval.to_up_ms - interval.from_up_ms
        idle = not use.run and not use.run_ms
        if idle and flow.on_ms:
            _extend(machine.flow_alone, flow.on_ms, interval)
        elif not idle or flow.off_ms:
            self._end_flow_alone(machine)
        running = use.run and use.run_ms >= span_ms - SCAN_MS_MAX
        if running and flow.off_ms and not flow.on_ms:
            _extend(machine.run_alone, flow.off_ms, interval)
        elif not running or flow.on_ms:
            self._end_run_alone(machine)

    def _end_flow(self, machine: _Machine) -> None:
        self._end_flow_alone(machine)
        self._end_run_alone(machine)

    def _end_flow_alone(self, machine: _Machine) -> None:
        streak, machine.flow_alone = machine.flow_alone, _Streak()
        if streak.ms >= FLOW_MS_MIN and streak.origin is not None:
            detail = f"flow for {streak.ms // 1000} s{_span(streak)}, and no run time"
            self._add("FLOW-WITHOUT-RUN", detail, streak.origin, machine)

    def _end_run_alone(self, machine: _Machine) -> None:
        streak, machine.run_alone = machine.run_alone, _Streak()
        if streak.ms >= IDLE_MS_MIN and streak.origin is not None:
            detail = f"no flow for {streak.ms // 1000} s{_span(streak)}, while it ran"
            self._add("RUN-WITHOUT-FLOW", detail, streak.origin, machine)

    def _judge_volume(
        self, interval: Interval, use: Use, machine: _Machine, flow: Flow, *, whole: bool
    ) -> None:
        """Add up over at least VOLUME_MS_MIN, so that what a window drags along cancels."""
        total = machine.volume
        # The first interval of a boot has what was counted before it, in the boot before.
        begins, machine.volume_boot = machine.volume_boot != interval.boot, interval.boot
        if begins or not whole or flow.last_up_ms is None:
            machine.volume = _Volume()
            return
        total.from_seq = total.from_seq or interval.origin.seq
        total.stated_ml += use.volume_ml
        total.measured_ml += flow.volume_ml
        total.ms += interval.to_up_ms - interval.from_up_ms
        total.unknown_ms += flow.unknown_ms
        if total.ms < VOLUME_MS_MIN:
            return
        machine.volume = _Volume()
        edge_ms = interval.to_up_ms - flow.last_up_ms
        loose_ms = 2 * WINDOW_MS + 2 * edge_ms + total.unknown_ms
        allowed_ml = (
            VOLUME_SHARE_MAX * max(total.stated_ml, total.measured_ml)
            + machine.peak_l_s * loose_ms
            + ROUNDING_ML
        )
        if abs(total.stated_ml - total.measured_ml) > allowed_ml:
            detail = (
                f"statements {total.from_seq} to {interval.origin.seq}: the register grew by "
                f"{total.stated_ml} ml, the frames' flow is {total.measured_ml:.0f} ml "
                f"(allowed: {allowed_ml:.0f})"
            )
            self._add("VOLUME-MISMATCH", detail, interval.origin, machine)

    def _read_meter(self, fact: MeterReading) -> None:
        """A machine's own hour meter against its run register, from reading to reading."""
        if fact.run_ms is None:
            return
        key = (fact.origin.keyid, fact.equipment)
        machine = self._machines.get(key)
        if machine is None:
            if len(self._machines) >= MACHINES_MAX:
                return
            machine = self._machines[key] = _Machine(serial=fact.equipment)
        before, machine.reading = machine.reading, (fact.minutes, fact.run_ms)
        if before is None:
            return
        minutes, run_minutes = fact.minutes - before[0], (fact.run_ms - before[1]) / 60_000
        allowed = METER_MINUTES_SLACK + METER_SHARE_MAX * max(minutes, run_minutes)
        if abs(minutes - run_minutes) > allowed:
            detail = f"its own meter went on by {minutes} min, its register by {run_minutes:.1f}"
            self._add("HOUR-METER", detail, fact.origin, machine)

    def _digests(self, fact: Interval | Booted) -> None:
        board = self._boards.get(fact.origin.keyid)
        time_ms = fact.to_ms if isinstance(fact, Interval) else None
        if board is None:
            board = _Board(fact.firmware, fact.config, fact.calibration)
            self._boards[fact.origin.keyid] = board
        if isinstance(fact, Interval):
            board.machines = frozenset(use.equipment for use in fact.uses)
        for what, old, new in (
            ("firmware", board.firmware, fact.firmware),
            ("config", board.config, fact.config),
            ("calibration", board.calibration, fact.calibration),
        ):
            if old != new and len(self._changes) < CHANGES_MAX:
                change = _Change(what, fact.origin, board.machines, board.time_ms)
                board.open.append(change)
                self._changes.append(change)
        board.firmware, board.config = fact.firmware, fact.config
        board.calibration = fact.calibration
        if time_ms is not None:
            for change in board.open:
                change.to_ms = time_ms
            board.open.clear()
            board.time_ms = time_ms

    def _add(self, code: str, detail: str, origin: Origin, machine: _Machine) -> None:
        self._result.add(
            code,
            detail,
            index=origin.index,
            node=origin.node,
            seq=origin.seq,
            equipment=machine.serial,
        )


class FlowGauge:
    """`frames.Gauge`: integrates the flow of each machine's point from scan to scan.

    A flow counts for the time since the scan before. It flows from ON_SHARE of the highest flow
    so far, until below OFF_SHARE of it.
    """

    def __init__(
        self,
        interval: Interval,
        machines: dict[bytes, _Machine],
        judge: Callable[[Interval, dict[bytes, Flow], bool], None],
    ) -> None:
        self._interval = interval
        self._judge = judge
        self._flows = {point: Flow() for point in machines}
        self._machines = machines
        names = b"|".join(re.escape(point) for point in sorted(machines))
        self._records = re.compile(
            rb'"n":"up","u":"s","v":' + _NUMBER + rb'\}|"n":"(' + names + rb')",'
            rb'(?:"u":"l/s","v":' + _NUMBER + rb'\}|"vs":)'
        )
        for machine in machines.values():
            if machine.flow_boot != interval.boot:
                machine.flow_boot = interval.boot
                machine.last_l_s, machine.last_up_ms = None, 0

    def take(self, frame: FrameLine) -> None:
        """One frame more."""
        up_ms = 0
        for found in self._records.finditer(frame.data):
            up, point, value = found.groups()
            try:
                if up is not None:
                    up_ms = round(float(up) * 1000)
                else:
                    self._add(point, up_ms, None if value is None else float(value))
            except ValueError:  # a number that is none: its frame is no frame
                continue

    def done(self, *, whole: bool) -> None:
        """All have passed."""
        self._judge(self._interval, self._flows, whole)

    def _add(self, point: bytes, up_ms: int, flow_l_s: float | None) -> None:
        flow, machine = self._flows[point], self._machines[point]
        passed_ms = up_ms - machine.last_up_ms
        known = machine.last_l_s is not None or machine.last_up_ms
        if known and passed_ms > 0:
            if flow_l_s is None or passed_ms > SCAN_MS_MAX:
                flow.unknown_ms += passed_ms
            else:
                flow.volume_ml += flow_l_s * passed_ms
                self._time(flow, machine, flow_l_s, passed_ms)
        machine.last_l_s, machine.last_up_ms = flow_l_s, up_ms
        flow.last_up_ms = up_ms

    @staticmethod
    def _time(flow: Flow, machine: _Machine, flow_l_s: float, passed_ms: int) -> None:
        machine.peak_l_s = max(machine.peak_l_s, flow_l_s)
        share = OFF_SHARE if machine.flowing else ON_SHARE
        machine.flowing = flow_l_s > 0 and flow_l_s >= share * machine.peak_l_s
        if machine.flowing:
            flow.on_ms += passed_ms
        else:
            flow.off_ms += passed_ms


def _extend(streak: _Streak, ms: int, interval: Interval) -> None:
    if streak.origin is None:
        streak.from_ms, streak.from_seq = interval.from_ms, interval.origin.seq
    streak.ms += ms
    streak.to_ms = interval.to_ms
    streak.origin = interval.origin


def _span(streak: _Streak) -> str:
    last = streak.origin.seq if streak.origin is not None else streak.from_seq
    return f" (statements {streak.from_seq} to {last}, {streak.from_ms} to {streak.to_ms} ms)"


def _explains(activity: Activity, change: _Change) -> bool:
    """Whether work of the right kind on the board's machines may have been at that time."""
    if activity.kind not in _ALLOWS[change.what]:
        return False
    if activity.equipment not in change.machines and activity.equipment != change.origin.node:
        return False
    begins = activity.from_ms - ACTIVITY_SLACK_MS
    ends = None if activity.to_ms is None else activity.to_ms + ACTIVITY_SLACK_MS
    return (change.to_ms is None or begins <= change.to_ms) and (
        ends is None or change.from_ms is None or ends >= change.from_ms
    )
