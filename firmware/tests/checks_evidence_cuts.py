"""Power cuts at every write of a node's life, before and just after it; see portable.py."""

import os

from evidence_tools import Bench, CutStore, PowerCut

LIVES_MAX = 200


def live(bench):
    """A boot, a permit, runs, receipts of all statements so far."""
    bench.answer(bench.newest)
    bench.scan()
    bench.evidence.on_permit("bat-ext", bench.permit(serial=bench.number))
    bench.scan()
    bench.run = 1
    bench.pulses += 999
    bench.scans(11)
    for seq in sorted(bench.signed):
        if bench.outbox.statement(seq) is not None:
            data = bench.receipt(seq, old=bench.evidence.seen()[0])
            bench.newest = bench.signed[seq]
            bench.evidence.on_receipt(data)
            bench.work()
    bench.run = 0
    bench.scans(7)
    bench.start = bench.run = 1
    bench.scans(6)
    bench.start = 0
    bench.scans(12)


def cut_life(folder, cut, after):
    """One life that ends at write number `cut`, then another; False when none was left to cut."""
    os.mkdir(folder)
    bench = Bench(folder, CutStore)
    bench.newest = b""
    bench.store.cut, bench.store.after = cut, after
    try:
        live(bench)
    except PowerCut:
        pass
    else:
        return False
    was_permitted = bench.permissive
    seen = bench.evidence.seen()[0] if bench.outbox.waiting()[3] == 0 else 0
    bench.restart()
    bench.scan()
    if was_permitted:
        assert bench.permissive == 1, "the permit was used before it was durable"
    assert bench.evidence.seen()[0] >= seen
    live(bench)
    bench.scans(10)
    bench.check_chain()
    kinds = [one.type for one in bench.statements()]
    assert kinds[0] == "boot"
    assert 1 <= kinds.count("boot") <= 2
    for one in bench.statements("boot"):
        assert one.body["restored"] is None
    run_ms = sum(
        one.body["equipment"][0]["runMs"]
        for one in bench.statements()
        if "equipment" in one.body and one.type in ("usage", "heartbeat")
    )
    last = [one for one in bench.statements() if one.type in ("usage", "heartbeat")][-1]
    assert run_ms == last.registers[0]["runMs"], "the deltas do not add up to the register"
    return True


def check_a_power_cut_before_each_write(folder):
    cuts = 0
    while cut_life("%s/%d" % (folder, cuts), cuts, False):
        cuts += 1
        assert cuts < LIVES_MAX
    assert cuts >= 12


def check_a_power_cut_after_each_write(folder):
    cuts = 0
    while cut_life("%s/%d" % (folder, cuts), cuts, True):
        cuts += 1
        assert cuts < LIVES_MAX
    assert cuts >= 12
