"""The outbox: its rules as checks, and a machine that cuts the power where it likes."""

import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import checks_outbox
import raffinate_node.store as store_module
from outbox_tools import Ack, Bench
from portable import checks_of, run_on_micropython


@pytest.mark.parametrize("check", checks_of(checks_outbox))
def test_outbox(check, tmp_path):
    check(str(tmp_path))


@pytest.mark.micropython
def test_outbox_on_micropython(micropython, tmp_path):
    run_on_micropython(micropython, checks_outbox, tmp_path)


class OutboxMachine(RuleBasedStateMachine):
    """A frame put is acked, or there to send, or in a gap, or from `lost` on; always.

    The gateway acks what it saw without holes. Power cuts come anywhere, also in a flash write.
    """

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(self.folder.name, flash_bytes_max=32768, ram_bytes_max=4000)
        self.put_keys = []
        self.seen = set()
        self.upto = {}
        self.lost_from = []
        self.statements = set()
        self.receipted = set()
        self.next_statement = 1

    def teardown(self):
        self.folder.cleanup()

    @rule(count=st.integers(1, 12), size=st.integers(100, 2500))
    def put(self, count, size):
        for _ in range(count):
            self.put_keys.append((self.bench.boot, self.bench.seq))
            self.bench.put(1, size)

    @rule(seconds=st.integers(1, 40))
    def pass_time(self, seconds):
        self.bench.pass_ms(seconds * 1000)

    @rule(count=st.integers(1, 30), deliver=st.booleans())
    def send(self, count, deliver):
        last = None
        for _ in range(count):
            item, key = self.bench.take(None)
            if item is None:
                return
            if isinstance(key, tuple):
                assert key in self.put_keys
                assert last is None or key > last
                last = key
                if deliver:
                    self.seen.add(key)
            self.bench.box.on_puback(item)

    @rule(new_epoch=st.booleans())
    def ack(self, new_epoch):
        boots = []
        gaps = [gap[:3] for gap in self.bench.gaps]
        for boot in sorted({key[0] for key in self.seen}):
            upto = -1
            while (boot, upto + 1) in self.seen or any(
                gap[0] == boot and gap[1] <= upto + 1 <= gap[2] for gap in gaps
            ):
                upto += 1
            if upto >= 0:
                boots.append((boot, upto))
                self.upto[boot] = max(upto, self.upto.get(boot, -1))
        self.bench.box.on_ack(Ack(boots[-16:], epoch=self.bench.boot if new_epoch else 1))

    @rule()
    def session(self):
        self.bench.box.new_session()

    @rule(can_sign=st.booleans())
    def signing(self, can_sign):
        self.bench.sign = can_sign

    @rule()
    def statement(self):
        seq, self.next_statement = self.next_statement, self.next_statement + 1
        try:
            self.bench.statement(seq)
        except store_module.StoreFullError:
            return
        self.statements.add(seq)

    @rule(data=st.data())
    def receipt(self, data):
        if self.statements:
            seq = data.draw(st.sampled_from(sorted(self.statements)))
            assert self.bench.box.release_statement(seq)
            self.statements.discard(seq)
            self.receipted.add(seq)

    @rule()
    def power_cut(self):
        self._restart()

    @rule(at=st.integers(1, 12), persists=st.booleans())
    def power_cut_in_a_flash_write(self, at, persists):
        real = store_module._write
        writes = 0

        def cut(file, data):
            nonlocal writes
            writes += 1
            if writes > at:
                raise _CutError
            if writes == at:
                real(file, data[: len(data) // 2] if not persists else data)
                file.flush()
                raise _CutError
            real(file, data)

        store_module._write = cut
        seq = self.next_statement
        try:
            for _ in range(6):
                self.put_keys.append((self.bench.boot, self.bench.seq))
                self.bench.put(1, 900)
            self.bench.statement(seq)
            self.statements.add(seq)
        except (_CutError, store_module.StoreFullError):
            pass
        finally:
            store_module._write = real
        self.next_statement = seq + 1
        self._restart(maybe={seq})

    def _restart(self, maybe=frozenset()):
        self.bench.restart()
        lost = self.bench.box.lost()
        if lost is not None:
            self.lost_from.append(lost[:2])
        held = set(self.bench.box._statements.seqs())
        assert self.statements <= held
        # A release is durable with the next statement; until then it may come back, and is sent.
        assert held <= self.statements | self.receipted | maybe
        self.statements = held
        self.receipted -= held

    @invariant()
    def nothing_vanishes(self):
        box = self.bench.box
        held = set()
        for place in range(box._ring.count):
            held.add(box._ring.key(place))
        for segment in box._spill.segments:
            held.update((segment.boot, seq) for seq, _, _ in box._spill._frames(segment))
        gaps = [gap[:3] for gap in self.bench.gaps] + [one[:3] for one in box._dropped.ranges]
        for key in self.put_keys:
            if key in held or key[1] <= self.upto.get(key[0], -1):
                continue
            in_gap = any(boot == key[0] and a <= key[1] <= b for boot, a, b in gaps)
            in_lost = key[0] < self.bench.boot and any(key >= since for since in self.lost_from)
            assert in_gap or in_lost, key

    @invariant()
    def limits_hold(self):
        box = self.bench.box
        assert box._ring.bytes_used <= 4000
        assert box._spill.bytes_used() <= 32768
        assert box.statement_fill() <= 1.0


class _CutError(Exception):
    """The power is gone."""


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
