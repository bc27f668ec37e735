"""What the node takes from the gateway: receipts and resume; see portable.py."""

import os

from evidence_tools import LOG_KEY, OTHER_KEY, Bench, started
from raffinate_wire import merkle, p256, statement


def check_a_receipt_releases_its_statement(folder):
    bench = started(folder)
    bench.scans(30)
    count = len(bench.signed)
    for seq in range(1, count + 1):
        bench.evidence.on_receipt(bench.receipt(seq))
        bench.work()
    assert bench.outbox.waiting()[3] == 0
    assert bench.evidence.seen()[0] == len(bench.log) == count
    assert not bench.evidence.status_wanted
    bench.scans(10)
    newest = bench.statements()[-1]
    assert newest.seen["size"] == count
    assert newest.body["why"] is None
    bench.restart()
    assert bench.evidence.seen()[0] == count
    bench.answer()
    bench.scan()
    bench.check_chain()


def check_receipts_of_one_head_come_together(folder):
    bench = started(folder)
    bench.scans(30)
    for seq in sorted(bench.signed):
        bench.receipt(seq)
    bench.given = 0
    for seq in sorted(bench.signed):
        bench.evidence.on_receipt(bench.receipt(seq))
    bench.work()
    assert bench.outbox.waiting()[3] == 0
    # A place in the head verified last that is another's.
    bench.scans(20)
    first, second = sorted(bench.signed)[-2:]
    bench.receipt(second)
    bench.evidence.on_receipt(bench.receipt(first, old=bench.evidence.seen()[0]))
    bad = bench.receipt(second)
    place = b"index %d" % bench.log.index(merkle.leaf_hash(bench.signed[second]))
    other = b"index %d" % bench.log.index(merkle.leaf_hash(bench.signed[first]))
    bench.evidence.on_receipt(bad.replace(place, other))
    bench.work()
    assert bench.outbox.statement(first) is None
    assert bench.outbox.statement(second) is not None
    before = p256.MULS[0]
    bench.evidence.on_receipt(bad)
    bench.work()
    assert bench.outbox.statement(second) is None
    assert p256.MULS[0] == before  # the head's signature is not verified again


def check_another_old_asks_for_the_status_and_releases_nothing(folder):
    bench = started(folder)
    bench.evidence.on_receipt(bench.receipt(1))
    bench.work()
    bench.scans(20)
    bench.evidence.on_receipt(bench.receipt(2, old=0))
    bench.work()
    assert bench.evidence.status_wanted
    assert bench.outbox.statement(2) is not None
    bench.evidence.status_wanted = False
    bench.evidence.on_receipt(bench.receipt(2, old=0))
    bench.work()
    assert not bench.evidence.status_wanted  # not for each of many
    bench.scans(10)
    bench.evidence.on_receipt(bench.receipt(2, old=0))
    bench.work()
    assert bench.evidence.status_wanted
    bench.evidence.on_receipt(bench.receipt(2, old=1))
    bench.work()
    assert bench.outbox.statement(2) is None


def check_bad_receipts_release_nothing_and_are_named(folder):
    bench = started(folder)
    bench.scans(20)
    for bad in (
        bench.receipt(1, key=OTHER_KEY),
        bench.receipt(1, old=0, origin="evil.example/raffinate/ndpr"),
        bench.receipt(1, old=0, wrong=b"r" * 32),
        bench.receipt(1, old=0)[:-3],
    ):
        bench.evidence.on_receipt(bad)
        bench.work()
    assert bench.outbox.statement(1) is not None
    assert bench.evidence.seen()[0] == 0
    bench.scans(10)
    why = bench.statements()[-1].body["why"]
    for part in ("bad receipt 1 bad-signature", "bad receipt 1 wrong-origin", "bad-proof"):
        assert part in why, why
    bench.evidence.on_receipt(bench.receipt(1, old=0))
    bench.work()
    assert bench.outbox.statement(1) is None


def check_a_log_that_forked_is_not_followed(folder):
    bench = started(folder)
    bench.scans(20)
    bench.evidence.on_receipt(bench.receipt(1))
    bench.work()
    bench.log = [b"x" * 32]
    bench.evidence.on_receipt(bench.receipt(2, old=1))
    bench.work()
    assert bench.evidence.seen()[0] == 1
    assert bench.outbox.statement(2) is not None
    assert "bad receipt 2 bad-proof" in bench.evidence._notes


def check_receipts_for_others_are_ignored(folder):
    bench = started(folder)
    good = bench.receipt(1)
    bench.evidence.on_receipt(good.replace(bench.evidence.keyid.encode(), b"ab" * 32))
    bench.work()
    assert bench.outbox.statement(1) is not None
    assert bench.evidence._notes == {}
    bench.evidence.on_receipt(good)
    bench.evidence.on_receipt(good)
    bench.work()
    assert bench.outbox.statement(1) is None
    assert bench.evidence._notes == {}


def check_receipts_are_held_within_a_limit(folder):
    bench = started(folder)
    for _ in range(100):
        bench.evidence.on_receipt(b"r" * 1000)
    assert len(bench.evidence._receipts) == 3


def check_resume_brings_a_rolled_back_flash_forward(folder):
    bench = started(folder)
    bench.run = 1
    saved = {name: bench.store.get(name) for name in ("evidence", "key")}
    bench.scans(45)
    newest = bench.statements("usage")[-1]
    envelope = bench.signed[newest.seq]
    old = folder + "-old"
    os.mkdir(old)
    other = Bench(old)
    for name, data in saved.items():
        other.store.put(name, data)
    other.store.put_int("boot", 1)
    other.restart()
    assert other.number == 2
    other.time_ms = bench.time_ms
    other.run = 1
    other.answer(envelope)
    other.scan()
    boot = other.statements("boot")[0]
    assert boot.seq == newest.seq + 1
    assert boot.body["restored"]["seq"] == newest.seq
    assert boot.body["restored"]["head"] == boot.prev == statement.envelope_hash(envelope).hex()
    assert boot.registers[0]["runMs"] >= newest.registers[0]["runMs"]
    other.restart()
    other.run = 1
    other.answer()
    other.scan()
    assert other.statements("boot")[-1].body["restored"] is None
    other.scans(15)
    usage = other.statements("usage")[0]
    grown = usage.registers[0]["runMs"] - newest.registers[0]["runMs"]
    assert usage.body["equipment"][0]["runMs"] == grown
    other.restart()
    other.answer()
    other.scan()
    assert other.statements("boot")[-1].body["restored"] is None


def check_a_resume_with_a_later_boot_resets_the_node(folder):
    bench = started(folder)
    for _ in range(3):
        bench.restart()
        bench.answer()
        bench.scan()
    envelope = bench.signed[max(bench.signed)]
    chain, key = bench.store.get("evidence"), bench.store.get("key")
    assert chain
    old = folder + "-old"
    os.mkdir(old)
    other = Bench(old)
    other.store.put("key", key)
    other.store.put_int("boot", 0)
    other.restart()
    other.answer(envelope)
    other.work()
    assert other.hal.resets == 1
    other.restart()
    other.answer(envelope)
    other.scan()
    assert other.number == bench.number + 1
    assert other.statements("boot")[0].body["restored"]["seq"] == max(bench.signed)


def check_a_forged_resume_is_no_answer(folder):
    os.mkdir(folder + "-other")
    other = Bench(folder + "-other")
    other.seed = b"another"
    other.store.remove("state/key.0")
    other.store.remove("state/key.1")
    other.restart()
    other.answer()
    other.scan()
    bench = Bench(folder)
    bench.answer(other.signed[1])
    bench.scans(5)
    assert bench.signed == {}
    bench.scans(60)
    assert bench.statements()[0].type == "boot"
    bench.scans(10)
    assert bench.statements("heartbeat")[0].body["why"] == "bad resume wrong-key"


def check_an_older_resume_changes_nothing(folder):
    bench = started(folder)
    bench.run = 1
    bench.scans(30)
    bench.restart()
    bench.answer(bench.signed[1])
    bench.scans(12)
    assert bench.statements("boot")[-1].body["restored"] is None
    bench.check_chain()


def check_the_log_key_is_the_pinned_one(folder):
    bench = started(folder)
    bench.config.keys["log"] = bench.config.keys["permit"]
    bench.evidence.on_receipt(bench.receipt(1, key=LOG_KEY))
    bench.work()
    assert bench.outbox.statement(1) is not None
