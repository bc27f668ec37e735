"""What a machine's registers were at a time, from the statements in the log alone.

Nothing of it is stored: a gateway that starts again finds the same, and so does an auditor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.statement import Statement, parse_statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raffinate.evidence.store import Key, Store
    from raffinate.tlog.sequencer import Sequencer

    Registers = tuple[int, int, int]
    """run_ms, starts, volume_ml."""

KEPT_MAX = 4096
UNTIMED_MAX = 256
PREDECESSORS_MAX = 64
NONE = (0, 0, 0)


class RegisterHistory:
    """Over the statements of `store` and `log`; `keys` is the roster by keyid."""

    def __init__(self, store: Store, log: Sequencer, keys: Mapping[str, Key]) -> None:
        self._store = store
        self._log = log
        self._keys = keys
        self._known: dict[tuple[int, int], tuple[dict[str, Registers], dict[str, Registers]]] = {}
        self._before: dict[str, tuple[Key | None, dict[str, Registers]]] = {}

    def total(self, key: Key, equipment: str) -> Registers:
        """What was metered up to the newest statement, under this key and those before it."""
        total = key.info.get("registers", {}).get(equipment, NONE)
        for _, last in self._predecessors(key):
            total = _plus(total, last.get(equipment, NONE))
        return _triple(total)

    def used(self, key: Key, equipment: str, from_ms: int) -> tuple[Registers, Registers]:
        """(at least, at most) metered from `from_ms` to the newest statement.

        What a statement's interval across `from_ms` metered counts to the most alone; statements
        without a time lie between those with one.
        """
        newest = key.info.get("registers", {})
        low = high = NONE
        for one, last in [(key, newest), *self._predecessors(key)]:
            before, after = self._at(one, from_ms)
            now = last.get(equipment, NONE)
            high = _plus(high, _minus(now, before.get(equipment, NONE)))
            low = _plus(low, _minus(now, after.get(equipment, now)))
        return low, high

    def _predecessors(self, key: Key) -> list[tuple[Key, dict[str, Registers]]]:
        """Keys whose registers this one's begin on, each with the last that count."""
        found: list[tuple[Key, dict[str, Registers]]] = []
        while len(found) < PREDECESSORS_MAX:
            before, last = self._opening(key)
            if before is None:
                return found
            found.append((before, last))
            key = before
        return found

    def _opening(self, key: Key) -> tuple[Key | None, dict[str, Registers]]:
        known = self._before.get(key.keyid)
        if known is not None:
            return known
        opening = None
        if 0 <= key.enrol_index < self._log.size:
            opening = self._statement(key.enrol_index).body.get("opening")
        found: tuple[Key | None, dict[str, Registers]] = (None, {})
        if opening is not None:
            last = {
                item["id"]: (item["runMs"], item["starts"], item["volumeMl"])
                for item in opening["registers"]
            }
            found = (self._keys.get(opening["keyid"]), last)
        self._before[key.keyid] = found
        return found

    def _at(self, key: Key, at_ms: int) -> tuple[dict[str, Registers], dict[str, Registers]]:
        """Registers of the last timed statement up to `at_ms`, and of the first after it.

        The second is empty where there is none yet.
        """
        known = self._known.get((key.id, at_ms))
        if known is not None:
            return known
        low, high = 0, key.chain.seq + 1
        while high - low > 1:
            middle = (low + high) // 2
            time_ms = self._time_before(key, middle, low)
            if time_ms is None or time_ms <= at_ms:
                low = middle
            else:
                high = middle
        before = self._timed(key, low, newer=False)
        after = self._timed(key, low, newer=True)
        found = ({} if before is None else before, {} if after is None else after)
        if after is not None:
            if len(self._known) >= KEPT_MAX:
                self._known.clear()
            self._known[key.id, at_ms] = found
        return found

    def _time_before(self, key: Key, seq: int, above: int) -> int | None:
        """Time of the newest timed statement in (above, seq]; None where there is none."""
        for _ in range(UNTIMED_MAX):
            row = self._store.newest(key.id, seq)
            if row is None or row[0] <= above:
                return None
            time_ms = self._statement(row[1]).body["timeMs"]
            if time_ms is not None:
                return int(time_ms)
            seq = row[0] - 1
        return None

    def _timed(self, key: Key, seq: int, *, newer: bool) -> dict[str, Registers] | None:
        """Registers of the next timed statement from `seq` on, which lies at or before it."""
        for _ in range(UNTIMED_MAX):
            row = self._store.following(key.id, seq) if newer else self._store.newest(key.id, seq)
            if row is None:
                return None
            statement = self._statement(row[1])
            if statement.body["timeMs"] is not None:
                return statement.registers()
            seq = row[0] if newer else row[0] - 1
        return None

    def _statement(self, index: int) -> Statement:
        try:
            return parse_statement(dsse.decode_envelope(self._log.entry(index)).payload)
        except RejectedError as error:  # what the log has was parsed when it came
            raise ValueError(f"log entry {index} is no statement: {error}") from error


def _triple(values: tuple[int, ...] | list[int]) -> Registers:
    run_ms, starts, volume_ml = values
    return run_ms, starts, volume_ml


def _plus(one: Registers, other: Registers) -> Registers:
    return _triple([a + b for a, b in zip(one, other, strict=True)])


def _minus(one: Registers, other: Registers) -> Registers:
    return _triple([max(0, a - b) for a, b in zip(one, other, strict=True)])
