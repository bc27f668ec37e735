"""Registers at a time, found in the log, against a plain list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raffinate.evidence.history import RegisterHistory

STEPS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, 1000), st.booleans()), min_size=1, max_size=12
)


@given(STEPS, st.integers(-10, 400))
def test_use_since_a_time_is_bounded_as_the_statements_say(steps, from_s):
    """(seconds later, run time, clock known) of each statement, against a plain list."""
    statements, now_ms, run_ms = [], 0, 0
    for after_s, run, timed in steps:
        now_ms, run_ms = now_ms + after_s * 1000, run_ms + run
        statements.append((now_ms if timed else None, run_ms))
    from_ms = from_s * 1000
    timed = [(time_ms, run) for time_ms, run in statements if time_ms is not None]
    before = max((run for time_ms, run in timed if time_ms <= from_ms), default=0)
    after = min((run for time_ms, run in timed if time_ms > from_ms), default=run_ms)
    history = _history(statements)
    low, high = history.used(history.key, "m", from_ms)
    assert (low[0], high[0]) == (run_ms - after, run_ms - before)


def _history(statements):
    """A RegisterHistory over statements of one key, numbered from 1, that lie in a list."""

    class Listed(RegisterHistory):
        def __init__(self):
            super().__init__(_Rows(len(statements)), None, {})
            self.key = _Key(len(statements), statements[-1][1])

        def _opening(self, _):
            return None, {}

        def _statement(self, index):
            return _Stated(*statements[index])

    return Listed()


class _Rows:
    def __init__(self, count):
        self.count = count

    def newest(self, _, seq):
        seq = min(seq, self.count)
        return (seq, seq - 1) if seq >= 1 else None

    def following(self, _, seq):
        return (seq + 1, seq) if seq < self.count else None


class _Key:
    def __init__(self, seq, run_ms):
        self.id, self.keyid, self.info = 1, "k", {"registers": {"m": (run_ms, 0, 0)}}
        self.chain = type("Chain", (), {"seq": seq})


class _Stated:
    def __init__(self, time_ms, run_ms):
        self.body, self.run_ms = {"timeMs": time_ms}, run_ms

    def registers(self):
        return {"m": (self.run_ms, 0, 0)}
