"""Checks of the outbox, on any Python; times are moved by hand."""

# ruff: noqa: RUF005 - the dialect has no [*x]

import raffinate_node.store as store_module
from outbox_tools import Ack, Bench, digest, frame, read
from raffinate_node.outbox import AGAIN_MS_MAX, AGAIN_MS_MIN, statement_interval_s
from raffinate_node.store import StoreFullError


def keys(boot, first, last):
    return [(boot, seq) for seq in range(first, last + 1)]


def check_frames_go_once_oldest_first_and_leave_by_ack_alone(folder):
    bench = Bench(folder)
    bench.put(4)
    assert bench.send_all() == keys(1, 0, 3)
    assert bench.send_all() == []
    assert bench.box.waiting()[0] == 4
    bench.box.on_ack(Ack([(1, 2)]))
    assert bench.box.waiting()[:2] == (1, 732)
    bench.box.on_ack(Ack([(1, 3)]))
    assert bench.box.waiting() == (0, 0, 0, 0)


def check_acked_frames_never_touch_flash(folder):
    bench = Bench(folder)
    for seq in range(50):
        bench.put()
        assert bench.send_all() == [(1, seq)]
        bench.box.on_ack(Ack([(1, seq)]))
        bench.pass_ms(1000)
    assert bench.box.counters.frames_spilled == 0


def check_spill_by_bytes_also_with_a_good_link(folder):
    bench = Bench(folder)
    bench.put(4)
    bench.send_all()
    assert bench.box.counters.frames_spilled == 0
    bench.put(1)
    assert bench.box.counters.frames_spilled == 5
    assert bench.box.waiting()[0] == 0
    assert bench.send_all() == [(1, 4)]


def check_spill_by_age(folder):
    bench = Bench(folder)
    bench.put(1)
    bench.pass_ms(14000)
    assert bench.box.counters.frames_spilled == 0
    bench.pass_ms(1000)
    assert bench.box.counters.frames_spilled == 1


def check_frames_larger_than_ram_go_straight_to_flash(folder):
    bench = Bench(folder)
    bench.put(2)
    bench.put(1, 16384)
    bench.put(1)
    assert bench.send_all(expected_size=None) == keys(1, 0, 3)


def check_sizes_at_the_limits(folder):
    bench = Bench(folder)
    for data in (b"", b"x" * 16385):
        try:
            bench.box.put_frame(1, 0, data, digest(data))
        except ValueError:
            continue
        raise AssertionError(len(data))


def check_after_a_power_cut_spilled_frames_of_earlier_boots_go_first(folder):
    bench = Bench(folder)
    bench.put(7)
    bench.restart()
    bench.put(6)
    bench.restart()
    bench.put(2)
    expected = keys(1, 0, 4) + keys(2, 0, 4) + keys(3, 0, 1)
    assert bench.send_all() == expected
    bench.box.on_ack(Ack([(1, 4), (2, 3)]))
    bench.box.new_session()
    assert bench.send_all() == [(2, 4)] + keys(3, 0, 1)


def check_lost_names_the_first_frame_that_was_only_in_ram(folder):
    bench = Bench(folder)
    assert bench.box.lost() is None
    bench.put(7)
    bench.restart()
    assert bench.box.lost() == (1, 5, 17000)
    # Not stated before the next cut: it stays, and covers one boot more.
    bench.put(6)
    bench.restart()
    assert bench.box.lost() == (1, 5, 34000)
    bench.statement(1)
    bench.box.lost_stated()
    assert bench.box.lost() is None
    bench.put(3)
    bench.restart()
    assert bench.box.lost() == (3, 0, 17000)


def check_lost_knows_what_was_acked_when_a_statement_was_stored(folder):
    bench = Bench(folder)
    bench.put(2)
    bench.send_all()
    bench.box.on_ack(Ack([(1, 1)]))
    bench.statement(1)
    bench.put(1)
    bench.restart()
    assert bench.box.lost() == (1, 2, 17000)


def check_an_orderly_end_loses_nothing(folder):
    bench = Bench(folder)
    bench.put(3)
    bench.statement(1)
    bench.box.close()
    bench.restart()
    assert bench.box.lost() is None
    assert bench.send_all() == [1] + keys(1, 0, 2)
    bench.restart()
    assert bench.box.lost() == (2, 0, 17000)


def check_all_goes_again_with_a_new_session(folder):
    bench = Bench(folder)
    bench.put(6)
    bench.statement(1)
    first = bench.send_all()
    assert sorted(first, key=str) == sorted([1] + keys(1, 0, 5), key=str)
    bench.box.on_ack(Ack([(1, 1)]))
    bench.send_all()
    bench.box.new_session()
    assert bench.send_all() == [1] + keys(1, 2, 5)


def check_all_unacked_goes_again_when_the_epoch_changes(folder):
    bench = Bench(folder)
    bench.put(3)
    bench.statement(1)
    bench.box.on_ack(Ack(epoch=7))
    bench.send_all()
    bench.box.on_ack(Ack([(1, 0)], epoch=7))
    assert bench.send_all() == []
    bench.box.on_ack(Ack([(1, 0)], epoch=8))
    assert bench.send_all() == [1] + keys(1, 1, 2)


def check_unacked_goes_again_after_30_s_and_later_each_time(folder):
    bench = Bench(folder)
    bench.put(2)
    assert bench.send_all() == keys(1, 0, 1)
    wait_ms = AGAIN_MS_MIN
    waits = []
    for _ in range(7):
        bench.pass_ms(wait_ms - 1000)
        assert bench.send_all() == []
        bench.pass_ms(1000)
        assert bench.send_all() == keys(1, 0, 1), wait_ms
        waits.append(wait_ms // 1000)
        wait_ms = min(AGAIN_MS_MAX, wait_ms * 2)
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    # An ack that moves starts the waits anew.
    bench.box.on_ack(Ack([(1, 0)], epoch=1))
    assert bench.send_all() == [(1, 1)]
    bench.pass_ms(AGAIN_MS_MIN)
    assert bench.send_all() == [(1, 1)]


def check_what_is_acked_meanwhile_is_no_reason_to_send_again(folder):
    bench = Bench(folder)
    bench.box.on_ack(Ack(epoch=1))
    for seq in range(100):
        bench.put()
        assert bench.send_all() == [(1, seq)], seq
        bench.pass_ms(1000)
        if seq:
            bench.box.on_ack(Ack([(1, seq - 1)]))
    # The last was PUBACKed before the ack of the one before came, and its ack never comes.
    bench.pass_ms(AGAIN_MS_MIN)
    assert bench.send_all() == [(1, 99)]


def check_a_statement_goes_again_after_30_s_and_leaves_by_receipt_alone(folder):
    bench = Bench(folder)
    bench.statement(1)
    assert bench.send_all() == [1]
    bench.pass_ms(AGAIN_MS_MIN - 1000)
    assert bench.send_all() == []
    bench.pass_ms(1000)
    assert bench.send_all() == [1]
    bench.box.on_ack(Ack([(1, 500)]))
    assert bench.box.waiting()[3] == 1
    assert bench.box.release_statement(1)
    assert not bench.box.release_statement(1)
    assert bench.box.waiting()[3] == 0


def check_statements_and_frames_take_turns(folder):
    bench = Bench(folder)
    bench.put(4)
    for seq in range(1, 8):
        bench.statement(seq)
    expected = [1, (1, 0), 2, (1, 1), 3, (1, 2), 4, (1, 3), 5, 6, 7]
    assert bench.send_all() == expected


def check_what_is_under_way_is_not_taken_twice(folder):
    bench = Bench(folder)
    bench.put(3)
    first, key = bench.take()
    assert key == (1, 0)
    bench.box.new_epoch()
    assert bench.send_all() == keys(1, 1, 2)
    bench.box.on_lost(first)
    assert bench.send_all() == keys(1, 0, 2)


def check_the_link_can_have_eight_at_most(folder):
    bench = Bench(folder)
    bench.put(12)
    items = [bench.box.next_to_send() for _ in range(9)]
    assert items[8] is None
    assert [(item.boot, item.seq) for item in items[:8]] == keys(1, 0, 7)
    bench.box.on_puback(items[3])
    assert bench.box.next_to_send() is items[3]
    assert (items[3].boot, items[3].seq) == (1, 8)


def check_what_is_acked_while_it_is_read_stays_until_it_is_read(folder):
    bench = Bench(folder, group_bytes=6000)
    bench.put(2)
    item = bench.box.next_to_send()
    bench.box.hold(item)
    half = bytearray(350)
    assert item.read_into(0, half) == 350
    bench.box.on_ack(Ack([(1, 1)]))
    bench.put(7)
    rest = bytearray(350)
    assert item.read_into(350, rest) == 350
    assert bytes(half + rest) == frame(1, 0)
    bench.box.unhold()
    assert item.size() is None
    bench.box.on_lost(item)
    assert bench.send_all() == keys(1, 2, 8)


def check_what_is_spilled_while_it_is_read_is_read_on_from_flash(folder):
    bench = Bench(folder)
    bench.put(1)
    item = bench.box.next_to_send()
    bench.box.hold(item)
    half = bytearray(350)
    item.read_into(0, half)
    bench.put(4)
    assert bench.box.waiting()[0] == 0
    rest = bytearray(350)
    assert item.read_into(350, rest) == 350
    assert bytes(half + rest) == frame(1, 0)


def check_a_receipt_while_its_statement_is_read(folder):
    bench = Bench(folder)
    bench.statement(1)
    item = bench.box.next_to_send()
    bench.box.hold(item)
    assert bench.box.release_statement(1)
    assert len(read(item)) == 900
    bench.box.unhold()
    assert bench.box.waiting()[3] == 0
    assert item.size() is None


def check_rejected_frames_are_not_sent_again(folder):
    bench = Bench(folder)
    bench.put(7)
    bench.send_all()
    bench.box.on_ack(Ack(rejected=[(1, 0, "bad"), (1, 3, "bad"), (1, 6, "bad")]))
    assert bench.send_all() == [(1, 1), (1, 2), (1, 4), (1, 5)]
    assert bench.box.counters.frames_rejected == 3
    bench.box.on_ack(Ack([(1, 6)]))
    assert bench.box.waiting() == (0, 0, 0, 0)


def check_a_refused_statement_is_kept_counted_and_not_sent_again(folder):
    bench = Bench(folder)
    bench.statement(1)
    bench.statement(2)
    assert bench.box.unreceipted() == 0
    bench.send_all()
    assert bench.box.unreceipted() == 2
    bench.box.on_ack(Ack(refused=[(1, "bad-chain")]))
    bench.box.new_session()
    assert bench.send_all() == [2]
    bench.box.release_statement(2)
    bench.statement(3)
    assert bench.box.unreceipted() == 1
    bench.restart()
    assert bench.send_all() == [3]
    assert bench.box.waiting()[3] == 2
    assert bench.box.unreceipted() == 2
    assert bench.box.counters.statements_refused == 0


def check_an_upto_above_what_was_put_lets_go_of_nothing_later(folder):
    bench = Bench(folder)
    bench.put(2)
    bench.box.on_ack(Ack([(1, 10**6), (2, 5), (9, 9)]))
    assert bench.box.waiting()[0] == 0
    bench.put(2)
    assert bench.send_all() == keys(1, 2, 3)


def check_overflow_drops_the_oldest_behind_a_gap(folder):
    bench = Bench(folder)
    bench.put(200)
    assert bench.gaps
    boot, first, last, head = bench.gaps[0]
    assert (boot, first) == (1, 0)
    assert head == digest(frame(1, last))
    left = bench.send_all()
    dropped = bench.box.counters.frames_dropped
    assert left == keys(1, dropped, 199)
    assert bench.box.waiting()[2] <= 65536
    # Later drops of the same minute wait for their gap, joined into one.
    bench.pass_ms(60000)
    assert [gap[:3] for gap in bench.gaps] == [(1, 0, last), (1, last + 1, dropped - 1)]
    assert bench.gaps[1][3] == digest(frame(1, dropped - 1))


def check_a_gap_that_cannot_be_signed_yet_outlives_a_power_cut(folder):
    bench = Bench(folder)
    bench.sign = False
    bench.put(200)
    dropped = bench.box.counters.frames_dropped
    assert dropped
    assert bench.gaps == []
    bench.restart()
    bench.pass_ms(1000)
    assert bench.gaps == []
    bench.sign = True
    bench.restart()
    bench.pass_ms(1000)
    assert [gap[:3] for gap in bench.gaps] == [(1, 0, dropped - 1)]
    bench.restart()
    bench.pass_ms(120000)
    assert len(bench.gaps) == 1


def check_a_signer_that_fails_does_not_stop_the_frames(folder):
    bench = Bench(folder)

    def fails(*_):
        raise OSError(28)

    bench.box.on_overflow = fails
    bench.put(200)
    dropped = bench.box.counters.frames_dropped
    assert dropped
    assert bench.box.counters.sign_errors
    assert bench.send_all() == keys(1, dropped, 199)
    bench.box.on_overflow = bench.on_overflow
    bench.pass_ms(60000)
    assert [gap[:3] for gap in bench.gaps] == [(1, 0, dropped - 1)]


def check_gaps_of_several_boots(folder):
    bench = Bench(folder)
    for _ in range(8):
        bench.put(40)
        bench.restart()
        bench.pass_ms(1000)
    ranges = [gap[:3] for gap in bench.gaps]
    assert len({boot for boot, _, _ in ranges}) > 2
    left = bench.send_all()
    for boot, first, last in ranges:
        assert not [key for key in left if key[0] == boot and first <= key[1] <= last]
    covered = set(left)
    for boot, first, last in ranges:
        covered.update(keys(boot, first, last))
    for boot in range(1, 9):
        for seq in range(39):
            assert (boot, seq) in covered, (boot, seq)


def check_a_flash_that_takes_nothing(folder):
    bench = Bench(folder)
    real = store_module._write

    def fails(_file, _data):
        raise OSError(5)

    store_module._write = fails
    try:
        bench.put(30)
        bench.put(1, 9000)  # larger than RAM: nowhere to go
        try:
            bench.statement(1)
            raise AssertionError("stored")
        except OSError:
            pass
        assert bench.box.counters.flash_errors > 0
    finally:
        store_module._write = real
    dropped = bench.box.counters.frames_dropped
    assert dropped == 31
    bench.put(5)
    bench.pass_ms(70000)
    assert [gap[:3] for gap in bench.gaps] == [(1, 0, 0), (1, 1, 30)]
    assert bench.box.counters.frames_spilled == 5
    assert bench.send_all() == keys(1, 31, 35)
    bench.statement(1)
    assert bench.send_all() == [1]
    bench.restart()
    assert bench.send_all() == [1] + keys(1, 31, 35)


def check_acked_frames_in_a_dropped_segment_are_not_in_the_gap(folder):
    bench = Bench(folder)
    bench.put(10)
    bench.send_all()
    bench.box.on_ack(Ack([(1, 2)]))
    bench.put(190)
    assert bench.gaps[0][:2] == (1, 3)


def check_a_full_statement_store_drops_none_and_says_so(folder):
    bench = Bench(folder)
    seq = 0
    fills = []
    while True:
        try:
            bench.statement(seq + 1)
        except StoreFullError:
            break
        seq += 1
        fills.append(bench.box.statement_fill())
    assert fills == sorted(fills)
    assert fills[-1] == 1.0
    assert fills.index(1.0) < seq - 2
    assert bench.send_all() == list(range(1, seq + 1))
    bench.restart()
    assert bench.send_all() == list(range(1, seq + 1))
    for one in range(1, seq + 1):
        assert bench.box.release_statement(one)
    bench.statement(seq + 1)
    assert bench.box.statement_fill() < 0.5


def check_the_smallest_statement_store(folder):
    bench = Bench(folder, statement_bytes_max=16384)
    for seq in range(1, 40):
        bench.statement(seq, 2000)
        assert bench.send_all() == [seq]
        assert bench.box.release_statement(seq)
    try:
        Bench(folder + "/small", statement_bytes_max=16383)
    except ValueError:
        return
    raise AssertionError("taken")


def check_a_refused_statement_does_not_hold_the_flash_of_its_neighbours(folder):
    bench = Bench(folder)
    for seq in range(1, 400):
        bench.statement(seq)
        bench.send_all()
        if seq in (1, 40, 77):
            bench.box.on_ack(Ack(refused=[(seq, "bad")]))
        else:
            bench.box.release_statement(seq)
    assert bench.box.waiting()[3] == 3
    assert bench.box.statement_fill() < 0.95
    bench.restart()
    assert bench.box.waiting()[3] == 3 or bench.box.waiting()[3] == 4
    for seq in (1, 40, 77):
        assert bench.box.release_statement(seq)


def check_the_statement_interval_doubles_at_each_eighth_above_half(_):
    rule = statement_interval_s
    fills = (0.0, 0.5, 0.62, 0.625, 0.75, 0.875, 1.0)
    assert [rule(60, fill) for fill in fills] == [60, 60, 60, 120, 240, 480, 960]
    assert rule(1800, 0.9) == 3600
    assert rule(7200, 0.9) == 7200


def check_statements_must_grow(folder):
    bench = Bench(folder)
    bench.statement(5)
    for seq in (5, 4):
        try:
            bench.statement(seq)
        except ValueError:
            continue
        raise AssertionError(seq)
