"""A node's course: its chain, boots, registers, clock, what it has seen, what it covers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from raffinate.audit.bounds import Span
from raffinate.audit.result import KeySeen, Meter
from raffinate.audit.timeline import Timeline
from raffinate.evidence.chain import KNOWN, LATE, fallen

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.bounds import Bounds
    from raffinate.audit.chunk import Run
    from raffinate.audit.result import Result
    from raffinate.audit.roster import Signer

TIME_BACK_MS_MAX = 2000
FUTURE_MS = 1 << 47


@dataclass(slots=True)
class State:
    """What a key's good statements said last, and the time they leave uncovered."""

    boot: int = 0
    up_ms: int = 0
    time_ms: int | None = None
    seen: int = 0
    covered_boot: int = -1
    covered_up_ms: int = 0
    covered_ms: int | None = None
    uncovered_ms: int = 0
    gap_ms: int = 0
    clocks: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    begin: dict[str, tuple[int | None, tuple[int, int, int]]] = field(default_factory=dict)
    digests: tuple[str | None, str | None] = (None, None)


class Courses:
    """Judges runs of nodes in the order of the log.

    `serial(keyid, equipment)` names a machine; its time line is kept under that name. Of time that
    is not covered, what lies in the auditor's own `period` [from, to) counts.
    """

    def __init__(
        self,
        result: Result,
        bounds: Bounds,
        serial: Callable[[str, str], str],
        period: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._period = period
        self._result = result
        self._bounds = bounds
        self._serial = serial
        self._states: dict[str, State] = {}
        self.newest_ms = 0

    def chain(self, run: Run, signer: Signer) -> bool | None:
        """Place a run in its key's chain. True: newest; False: late; None: stood there before."""
        chain, first = signer.chain, run.first
        place = chain.place(first.seq, first.prev)
        if place == KNOWN:
            self._add("DOUBLE-NUMBER", f"number {first.seq} stands in the log before", run, signer)
            return None
        for code in chain.extend(first.seq, first.prev, run.head):
            if code != "MISSING":
                self._add(code, f"statement {first.seq} of {signer.name}", run, signer)
        if place == LATE:
            return False
        chain.seq, chain.head = run.last_seq, run.head
        return True

    def take(self, run: Run, signer: Signer, *, newest: bool) -> None:
        """A good run, in its chain: what it covers and, if newest, whether all goes forward."""
        state = self._state(signer)
        body = run.first.body
        if newest:
            self._forward(run, signer, state)
        clock = body["clock"]
        if clock != "S" and clock not in state.clocks:
            state.clocks.add(clock)
            self._add("CLOCK", f"clock state {clock}, first here", run, signer)
        if body["seen"]["size"] > run.index:
            size = body["seen"]["size"]
            self._add("SEEN-AHEAD", f"size {size} at entry {run.index}", run, signer)
        elif run.seen_wrong is not None:
            self._add("SEEN-MISMATCH", f"another root at size {run.seen_wrong}", run, signer)
        if run.to_up_ms:
            self._cover(run, signer, state, newest=newest)
        self._bounds.add(
            Span(
                run.index,
                run.last_index,
                signer.name,
                run.first.seq,
                signer.keyid,
                body["boot"],
                body["upMs"],
                self._bounds.low_of_seen(body["seen"]["size"]),
                body["timeMs"],
                run.last_time_ms,
                run.count,
            )
        )

    def gap(self, run: Run, signer: Signer) -> None:
        """A signed gap in metering or in statements explains what is not covered."""
        body = run.first.body
        if body["what"] not in ("metering", "statements"):
            return
        state = self._state(signer)
        if body["what"] == "metering" and None not in (body["fromUpMs"], body["toUpMs"]):
            length_ms = body["toUpMs"] - body["fromUpMs"]
            state.gap_ms += max(0, length_ms - self._outside(body["fromMs"], body["toMs"]))
        if body["fromMs"] is None or body["toMs"] is None:
            return
        for name in state.machines:
            self._line(name).gap(body["fromMs"], body["toMs"], body["cause"])

    def finish(self, signers: list[Signer], gap_s_max: int) -> None:
        """Holes in chains, the time after each node's last statement, sums of uncovered time."""
        for signer in signers:
            for hole in signer.chain.missing():
                self._result.add(
                    "MISSING",
                    f"statements {hole.low} to {hole.high} of {signer.name}",
                    node=signer.name,
                    seq=hole.low,
                )
            state = self._states.get(signer.keyid)
            if state is None:
                continue
            if not signer.standing.ended and state.covered_ms is not None:
                self._miss(state, state.covered_ms, self.newest_ms)
            gap_s = (state.uncovered_ms + state.gap_ms) // 1000
            if gap_s > gap_s_max:
                self._result.add(
                    "UNCOVERED-TIME",
                    f"{gap_s} s of {signer.name} are not covered by its statements",
                    node=signer.name,
                )
        for line in self._result.timelines.values():
            line.settle()
        for signer in signers:
            self._sum_up(signer, self._states.get(signer.keyid))

    def _sum_up(self, signer: Signer, state: State | None) -> None:
        """What the key's statements said first and last, for the reports."""
        standing = signer.standing
        ended = "revoked" if standing.revoked else "ended" if standing.ended else "in use"
        seen = KeySeen(
            signer.role, signer.name, signer.keyid, signer.index, ended, signer.chain.seq
        )
        if state is not None:
            clocks, digests = tuple(sorted(state.clocks)), state.digests
            seen = replace(
                seen,
                last_ms=state.time_ms,
                clocks=clocks,
                firmware=digests[0],
                calibration=digests[1],
            )
            for name, (begin_ms, values) in state.begin.items():
                end = signer.total(name)
                opening = signer.opening.get(name, (0, 0, 0))
                begin = values[0] + opening[0], values[1] + opening[1], values[2] + opening[2]
                meter = self._result.meters.setdefault(
                    self._serial(signer.keyid, name),
                    Meter(signer.name, begin_ms, begin, state.time_ms, end),
                )
                meter.node, meter.end_ms, meter.end = signer.name, state.time_ms, end
        self._result.keys.append(seen)

    def _state(self, signer: Signer) -> State:
        state = self._states.get(signer.keyid)
        if state is None:
            state = self._states[signer.keyid] = State()
            before = self._states.get(signer.predecessor or "")
            if before is not None:
                state.covered_ms, state.time_ms = before.covered_ms, before.time_ms
                state.machines = set(before.machines)
        return state

    def _forward(self, run: Run, signer: Signer, state: State) -> None:
        first = run.first
        body = first.body
        registers = first.registers() if run.count > 1 else run.registers
        for name in fallen(signer.registers, registers):
            self._add("REGISTER-FELL", f"registers of {name}", run, signer)
        signer.registers = run.registers
        state.digests = body["firmware"], body["calibration"]
        if len(state.begin) < len(registers):
            for name, values in registers.items():
                state.begin.setdefault(name, (body["timeMs"], values))
        boot, up_ms, time_ms = body["boot"], body["upMs"], body["timeMs"]
        if boot < state.boot:
            self._add("BOOT-FELL", f"boot {boot} after {state.boot}", run, signer)
        back_ms = state.up_ms - up_ms if boot == state.boot else 0
        if time_ms is not None and state.time_ms is not None:
            back_ms = max(back_ms, state.time_ms - time_ms)
        if back_ms > TIME_BACK_MS_MAX:
            self._add("TIME-BACK", f"{back_ms} ms back", run, signer)
        state.boot, state.up_ms = boot, run.last_up_ms
        if run.last_time_ms is not None:
            state.time_ms = run.last_time_ms
            self.newest_ms = max(self.newest_ms, run.last_time_ms)
        size = body["seen"]["size"]
        if size < state.seen:
            self._add("SEEN-FELL", f"size {size} after {state.seen}", run, signer)
        state.seen = run.last_seen

    def _cover(self, run: Run, signer: Signer, state: State, *, newest: bool) -> None:
        """Add up what is between a key's intervals; a late one takes its length back."""
        boot = run.first.body["boot"]
        names = [self._serial(signer.keyid, use.equipment) for use in run.uses]
        state.machines.update(names)
        known = run.from_ms is not None and run.to_ms is not None and run.to_ms < FUTURE_MS
        if not newest:
            length_ms = run.to_up_ms - run.from_up_ms - self._outside(run.from_ms, run.to_ms)
            state.uncovered_ms = max(0, state.uncovered_ms - max(0, length_ms))
        elif boot == state.covered_boot:
            missed_ms = run.from_up_ms - state.covered_up_ms
            if missed_ms > 0 and run.from_ms is not None:
                self._miss(state, run.from_ms - missed_ms, run.from_ms)
            else:
                state.uncovered_ms += max(0, missed_ms)
        elif state.covered_ms is not None and run.from_ms is not None:
            self._miss(state, state.covered_ms, run.from_ms)
        if newest:
            state.covered_boot, state.covered_up_ms = boot, run.to_up_ms
            state.covered_ms = run.to_ms or state.covered_ms
        if known and run.from_ms is not None and run.to_ms is not None:
            for name, use in zip(names, run.uses, strict=True):
                self._line(name).use(run.from_ms, run.to_ms, use.run_ms, late=not newest)

    def _miss(self, state: State, from_ms: int, to_ms: int) -> None:
        state.uncovered_ms += max(0, to_ms - from_ms) - self._outside(from_ms, to_ms)
        if 0 <= from_ms < to_ms < FUTURE_MS:
            for name in state.machines:
                self._line(name).miss(from_ms, to_ms)

    def _outside(self, from_ms: int | None, to_ms: int | None) -> int:
        """How much of a stretch of time lies outside the period; nothing where its time is null."""
        if from_ms is None or to_ms is None or to_ms <= from_ms:
            return 0
        low, high = self._period
        inside_from = from_ms if low is None else max(low, from_ms)
        inside_to = to_ms if high is None else min(high, to_ms)
        return to_ms - from_ms - max(0, inside_to - inside_from)

    def _line(self, name: str) -> Timeline:
        return self._result.timelines.setdefault(name, Timeline())

    def _add(self, code: str, detail: str, run: Run, signer: Signer) -> None:
        self._result.add(code, detail, index=run.index, node=signer.name, seq=run.first.seq)
