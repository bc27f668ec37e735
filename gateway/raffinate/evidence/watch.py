"""What the gateway states of itself and of silent nodes, by watching clock, broker and receipts.

Meaning of each statement: docs/formats/statement.md. What was stated is remembered in the same
transaction, so that a gateway killed and started again states nothing twice. All is bounded: one
statement about the clock a minute, two about an outage or a silence, each of a minute or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.evidence import roster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from raffinate.evidence.intake import SignGateway
    from raffinate.evidence.store import Key
    from raffinate.evidence.work import Work
    from raffinate.model import Plant

OUTAGE_MS_MIN = 60_000
ALIVE_MS = 60_000
CLOCK_STEP_MS_MAX = 2000
CLOCK_HOLD_MS = 60_000
SILENT_INTERVALS = 3
SILENT_MS_MIN = 120_000
GATEWAY = sha256(b"gateway").hexdigest()
BROKER = sha256(b"broker").hexdigest()
_ADMIN = ("action", "object", "before", "after", "fromMs", "toMs")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a running gateway knows beside its evidence; times in milliseconds.

    `monotonic_ms` goes on while the machine sleeps. `close_hour_utc` is when a day is closed, None
    for never.
    """

    config_sha256: str
    broker_up: Callable[[], bool]
    monotonic_ms: Callable[[], int]
    close_hour_utc: int | None = None


class Watch:
    """One run's watch; `state` is what earlier runs remembered."""

    def __init__(
        self, plant: Plant, around: Surroundings, state: dict[str, Any], sign: SignGateway
    ) -> None:
        self._plant = plant
        self._around = around
        self._state = state
        self._sign = sign
        self._heard: dict[int, int] = {}
        self._down_ms: int | None = None
        self._up_ms = 0
        self._clock: tuple[int, int] | None = None
        self._clock_stated_ms = -CLOCK_HOLD_MS
        self._saved = self._memory()

    def reload(self, state: dict[str, Any]) -> None:
        """The last tick could not be committed: it did not happen."""
        self._state = state
        self._down_ms, self._up_ms, self._clock, self._clock_stated_ms = self._saved

    def start(self, work: Work) -> None:
        """State what happened while no gateway ran."""
        now_ms = self._up_ms = work.now_ms
        config = self._around.config_sha256
        before = self._state.get("config")
        if config != before:
            self._admin(work, "configuration", before=before, after=config)
            self._remember(work, "config", config)
        alive_ms, stopped_ms = self._state.get("alive_ms"), self._state.get("stopped_ms")
        if stopped_ms is not None:
            self._end_outage(work, GATEWAY, stopped_ms, now_ms)
            self._remember(work, "stopped_ms", None)
        elif alive_ms is not None and now_ms - alive_ms >= OUTAGE_MS_MIN + ALIVE_MS:
            self._end_outage(work, GATEWAY, alive_ms, now_ms)
        if alive_ms is not None and alive_ms - now_ms > CLOCK_STEP_MS_MAX:
            self._admin(work, "time-set", from_ms=alive_ms, to_ms=now_ms)
        self._remember(work, "alive_ms", now_ms)

    def stop(self, work: Work) -> None:
        """State that this gateway stops in order."""
        self._admin(work, "outage-begin", thing=GATEWAY, from_ms=work.now_ms)
        self._remember(work, "stopped_ms", work.now_ms)

    def heard(self, work: Work) -> None:
        """Statements of these keys just came."""
        for key_id, _, _ in work.rows:
            self._heard[key_id] = work.now_ms

    def tick(self, work: Work, current: Iterable[Key], now_ms: int) -> None:
        """What time makes due; `current` are the keys in use of each node, `now_ms` the clock."""
        self._saved = self._memory()
        alive_ms = self._state.get("alive_ms")
        if alive_ms is None or abs(now_ms - alive_ms) >= ALIVE_MS:
            self._remember(work, "alive_ms", now_ms)
        self._check_clock(work, now_ms)
        self._check_broker(work)
        if self._down_ms is None:
            for key in current:
                self._check_silence(work, key)

    def _memory(self) -> tuple[int | None, int, tuple[int, int] | None, int]:
        return self._down_ms, self._up_ms, self._clock, self._clock_stated_ms

    def _check_clock(self, work: Work, now_ms: int) -> None:
        monotonic_ms = self._around.monotonic_ms()
        if self._clock is None:
            self._clock = (now_ms, monotonic_ms)
            return
        expected_ms = self._clock[0] + monotonic_ms - self._clock[1]
        if abs(now_ms - expected_ms) <= CLOCK_STEP_MS_MAX:
            self._clock = (now_ms, monotonic_ms)
        elif monotonic_ms - self._clock_stated_ms >= CLOCK_HOLD_MS:
            self._admin(work, "time-set", from_ms=max(0, expected_ms), to_ms=max(0, now_ms))
            self._clock, self._clock_stated_ms = (now_ms, monotonic_ms), monotonic_ms

    def _check_broker(self, work: Work) -> None:
        now_ms, since_ms = work.now_ms, self._state.get("broker_down_ms")
        if self._around.broker_up():
            if self._down_ms is not None:
                self._down_ms, self._up_ms = None, now_ms
            if since_ms is not None:
                self._end_outage(work, BROKER, since_ms, now_ms)
                self._remember(work, "broker_down_ms", None)
            return
        if self._down_ms is None:
            self._down_ms = now_ms
        if since_ms is None and now_ms - self._down_ms >= OUTAGE_MS_MIN:
            self._admin(work, "outage-begin", thing=BROKER, from_ms=self._down_ms)
            self._remember(work, "broker_down_ms", self._down_ms)

    def _check_silence(self, work: Work, key: Key) -> None:
        node = self._plant.nodes.get(key.name)
        if node is None:
            return
        heard_ms = self._heard.get(key.id)
        silent = key.info.get("silent_ms")
        if silent is not None:
            if heard_ms is not None and heard_ms > silent:
                self._gap(work, key, silent, heard_ms)
                key.info["silent_ms"] = None
                work.keys[key.id] = key
            return
        since_ms = self._up_ms if heard_ms is None else heard_ms
        quiet_ms = max(SILENT_INTERVALS * node.statement_s * 1000, SILENT_MS_MIN)
        if work.now_ms - max(since_ms, self._up_ms) < quiet_ms:
            return
        key.info["silent_ms"] = since_ms
        self._gap(work, key, since_ms, None)
        work.keys[key.id] = key

    def _gap(self, work: Work, key: Key, from_ms: int, to_ms: int | None) -> None:
        before = key.info.get("silent_registers")
        registers = roster.register_list(key)
        specific = {
            "what": "statements",
            "frames": None,
            "fromMs": from_ms,
            "toMs": to_ms,
            "fromUpMs": None,
            "toUpMs": None,
            "cause": "silent",
            "registersFrom": registers if to_ms is None else before,
            "registersTo": None if to_ms is None else registers,
            "statements": None,
            "about": {"node": key.name, "keyid": key.keyid},
        }
        key.info["silent_registers"] = registers if to_ms is None else None
        self._sign("gap", [(f"key/{key.name}", key.keyid)], specific, work)

    def _end_outage(self, work: Work, thing: str, from_ms: int, to_ms: int) -> None:
        self._admin(work, "outage-end", thing=thing, from_ms=from_ms, to_ms=max(from_ms, to_ms))

    def _admin(
        self,
        work: Work,
        action: str,
        *,
        thing: str | None = None,
        before: str | None = None,
        after: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> None:
        values = (action, thing, before, after, from_ms, to_ms)
        subject = [("plant.toml", self._around.config_sha256)]
        self._sign("admin", subject, dict(zip(_ADMIN, values, strict=True)), work)

    def _remember(self, work: Work, name: str, value: Any) -> None:
        self._state[name] = work.state[name] = value
