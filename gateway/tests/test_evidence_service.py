"""Statements through the real service: keys, chain, log, receipts, restarts."""

from __future__ import annotations

import pytest

from evidence_site import NONCE, START_MS, Site, enrolled_site
from node_simulator import SITE, SimulatedNode
from raffinate.errors import RaffinateError, StorageFullError
from raffinate.evidence.dsse import decode_envelope
from raffinate.evidence.intake import PENDING_KEYS_MAX, WAITING_MAX
from raffinate.evidence.statement import parse_statement
from raffinate.model import GapCover, Inbound
from raffinate.tlog.hashing import leaf_hash
from raffinate_wire.receipt import check_receipt, format_receipt, parse_receipt
from raffinate_wire.resume import parse_resume
from raffinate_wire.statement import EMPTY_ROOT


def receipts(messages):
    return [
        parse_receipt(message.payload) for message in messages if message.topic.endswith("/receipt")
    ]


def accept(site, node, messages):
    """Check every receipt as the node does; the numbers it may let go of."""
    released = []
    log_key = site.service._keys.log[1].verifier.spki
    for receipt in receipts(messages):
        seen = check_receipt(
            receipt,
            node.sent[receipt.seq],
            site.service._keys.origin,
            log_key,
            node.seen["size"],
            bytes.fromhex(node.seen["root"]),
        )
        node.seen = {"size": seen[0], "root": seen[1].hex()}
        released.append(receipt.seq)
    return released


def codes(site):
    return [finding.code for finding in site.service.findings()]


@pytest.fixture
def site(tmp_path):
    made, nodes = enrolled_site(tmp_path)
    yield made, nodes[0]
    made.close()


def test_statements_are_logged_and_receipted_as_the_board_checks_it(site):
    site, node = site
    result = site.submit(node, node.boot(), node.usage(), node.usage(0))
    assert accept(site, node, result.outgoing) == [1, 2, 3]
    assert result.quarantine == ()
    assert result.refused == {}
    assert codes(site) == []
    result = site.submit(node, node.usage(), node.denial())
    assert accept(site, node, result.outgoing) == [4, 5]
    assert node.seen["size"] == site.service._log.size == 8


def test_receipts_are_the_bytes_that_the_wire_package_writes(site):
    site, node = site
    made = [*site.submit(node, node.boot()).outgoing, *site.submit(node, node.usage()).outgoing]
    for message in made:
        found = parse_receipt(message.payload)
        assert message.payload == format_receipt(
            found.keyid,
            found.seq,
            found.old,
            found.consistency,
            found.index,
            found.inclusion,
            found.checkpoint_note,
        )


def test_a_pending_key_gets_its_resume_and_nothing_else(tmp_path):
    site = Site(tmp_path)
    node = SimulatedNode()
    assert site.service.key_state("n01", node.keyid) == "unknown"
    boot, usage = node.boot(), node.usage()
    result = site.submit(node, boot, usage)
    assert (result.outgoing, result.quarantine, result.refused) == ((), (), {})
    assert site.service.key_state("n01", node.keyid[:16]) == "pending"
    (answer,) = site.status(node)
    resume = parse_resume(answer.payload)
    assert (resume.envelope, resume.time_ms, resume.nonce) == (boot, START_MS, NONCE)
    site.reopen()
    assert site.service.key_state("n01", node.keyid) == "pending"
    node.boot_number = 2
    again = node.boot()
    site.submit(node, again)
    assert parse_resume(site.status(node)[0].payload).envelope == again
    assert site.service.snapshot()["nodes"][0]["code"] is None
    site.enrol(node)
    assert site.service.drain_enrolled() == [("n01", node.keyid)]
    assert site.service.drain_enrolled() == []
    assert site.service.key_state("n01", node.keyid) == "enrolled"
    result = site.submit(node, boot, usage, again)
    assert accept(site, node, result.outgoing) == [1, 2, 3]
    site.close()


def test_the_keys_that_wait_are_limited(tmp_path):
    site = Site(tmp_path)
    for number in range(PENDING_KEYS_MAX + 3):
        node = SimulatedNode("n01", 5000 + number)
        site.submit(node, node.boot())
    assert len(site.service._intake.pending) == PENDING_KEYS_MAX
    site.reopen()
    assert len(site.service._intake.pending) == PENDING_KEYS_MAX
    assert site.service.key_state("n01", node.keyid) == "pending"
    site.close()


def test_a_boot_statement_under_a_foreign_key_does_not_become_pending(tmp_path):
    site = Site(tmp_path)
    node, thief = SimulatedNode(), SimulatedNode("n01", 99)
    node.pair = thief.pair
    result = site.submit(node, node.boot())
    assert [code for _, code in result.quarantine] == ["wrong-key"]
    assert site.service.key_state("n01", node.keyid) == "unknown"
    site.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"site": "other"}, "wrong-site"),
        ({"log": "demo.example/raffinate/other"}, "wrong-log"),
        ({"node": "n02"}, "wrong-node"),
    ],
)
def test_statements_of_another_place_are_refused_by_number(site, changes, code):
    site, node = site
    result = site.submit(node, node.boot(**changes))
    assert [found for _, found in result.quarantine] == [code]
    assert result.refused == {node.keyid: ((1, code),)}
    assert site.service._log.size == 3


def test_what_no_key_signed_is_quarantined_and_never_refused_by_number(site):
    site, node = site
    good = node.boot()
    forged = bytearray(good)
    place = good.index(b'"sig":"') + 30
    forged[place] = ord("A") if forged[place] != ord("A") else ord("B")
    other = Inbound(f"raffinate/1/{SITE}/n02/statement", good, 0, START_MS)
    stranger = Inbound(f"raffinate/1/{SITE}/zzz/statement", good, 0, START_MS)
    elsewhere = Inbound("raffinate/1/x/n01/statement", good, 0, START_MS)
    batch = [site.message(node, bytes(forged)), site.message(node, b"x"), other, stranger]
    batch += [elsewhere, site.message(node, b"{" * 9000)]
    result = site.service.submit(batch)
    assert [code for _, code in result.quarantine] == [
        "signature",
        "envelope",
        "wrong-node",
        "unknown-node",
        "unknown-node",
        "too-long",
    ]
    assert result.refused == {}
    assert result.outgoing == ()


def test_a_statement_that_comes_again_gets_its_receipt_again(site):
    site, node = site
    first = site.submit(node, node.boot(), node.usage())
    again = site.submit(node, node.sent[2], node.sent[1])
    assert [receipt.seq for receipt in receipts(again.outgoing)] == [2, 1]
    assert accept(site, node, first.outgoing) == [1, 2]
    assert accept(site, node, again.outgoing) == [2, 1]
    assert site.service._log.size == 5


def test_disorder_within_the_wait_is_put_right_without_a_finding(site):
    site, node = site
    made = [node.boot(), *(node.usage() for _ in range(5))]
    result = site.submit(node, made[4], made[2], made[0])
    assert accept(site, node, result.outgoing) == [1]
    site.reopen()
    site.status(node)
    result = site.submit(node, made[1], made[5])
    assert accept(site, node, result.outgoing) == [2, 3]
    result = site.submit(node, made[3])
    assert accept(site, node, result.outgoing) == [4, 5, 6]
    assert codes(site) == []


def test_a_hole_is_logged_over_after_60_s_and_its_filling_is_late(site):
    site, node = site
    made = [node.boot(), *(node.usage() for _ in range(4))]
    assert accept(site, node, site.submit(node, made[0], made[2], made[4]).outgoing) == [1]
    assert accept(site, node, site.tick(59_999)) == []
    found = site.tick(1)
    assert accept(site, node, found) == [3, 5]
    assert codes(site) == ["MISSING", "MISSING"]
    assert accept(site, node, site.submit(node, made[1]).outgoing) == [2]
    assert codes(site)[0] == "LATE"
    assert accept(site, node, site.submit(node, made[3]).outgoing) == [4]
    (key,) = [key for key in site.service._intake.keys.values() if key.name == "n01"]
    assert key.chain.holes == []


def test_a_number_skipped_by_a_power_cut_does_not_wait(site):
    site, node = site
    accept(site, node, site.submit(node, node.boot()).outgoing)
    node.skip(2)
    result = site.submit(node, node.usage())
    assert accept(site, node, result.outgoing) == [4]
    assert codes(site) == ["SKIPPED"]


def test_too_many_waiting_statements_are_logged_with_the_finding(site):
    site, node = site
    node.boot()
    made = [node.usage() for _ in range(WAITING_MAX + 1)]
    result = site.submit(node, *made)
    assert len(receipts(result.outgoing)) == WAITING_MAX + 1
    assert codes(site) == ["MISSING"]


def test_two_statements_of_one_number_are_stated_as_a_fork(site):
    site, node = site
    site.submit(node, node.boot())
    clone = SimulatedNode(number=1000)
    clone.boot()
    clone.registers["bat-ext"][0] = 7
    first, second = node.usage(), clone.usage(3)
    site.submit(node, first)
    result = site.submit(node, second)
    assert result.outgoing == ()
    assert codes(site) == ["FORK"]
    documents = {row[0]: row for row in site.service._store.documents()}
    assert documents[leaf_hash(second).hex()][3] == second
    size = site.service._log.size
    site.submit(node, second)
    assert site.service._log.size == size
    stated = parse_statement(decode_envelope(site.service._log.entry(size - 1)).payload)
    assert stated.type == "fork"
    assert stated.body["second"] == leaf_hash(second).hex()
    assert site.service._log.entry(stated.body["index"]) == first


def test_a_second_statement_of_a_waiting_number_is_a_fork_too(site):
    site, node = site
    node.boot()
    node.usage()
    clone = SimulatedNode(number=1000)
    clone.boot()
    clone.usage()
    clone.registers["bat-ext"][0] = 7
    site.submit(node, node.usage(), clone.usage(1))
    assert codes(site) == ["FORK", "MISSING"]


def test_registers_seen_and_boots_that_fall_are_findings(site):
    site, node = site
    accept(site, node, site.submit(node, node.boot(), node.usage()).outgoing)
    site.submit(node, node.usage())
    node.registers["bat-ext"][0] = 5
    node.seen = {"size": 1, "root": EMPTY_ROOT}
    node.boot_number = 0
    site.submit(node, node.usage())
    assert set(codes(site)) == {"REGISTER-FELL", "SEEN-FELL", "SEEN-MISMATCH", "BOOT-FELL"}
    node.seen = {"size": 999, "root": EMPTY_ROOT}
    site.submit(node, node.usage())
    assert "SEEN-AHEAD" in codes(site)
    (shown,) = [row for row in site.service.snapshot()["nodes"] if row["node"] == "n01"]
    assert shown["chain"] == "ok"
    site.tick(1)
    (shown,) = [row for row in site.service.snapshot()["nodes"] if row["node"] == "n01"]
    assert shown["chain"] == shown["findings"][0] == "REGISTER-FELL"


def test_gaps_are_told_as_soon_as_they_verify(site):
    site, node = site
    node.boot()
    result = site.submit(node, node.gap(3, 10, 20))
    assert result.gaps == (GapCover(node.keyid[:16], 3, 10, 20),)
    assert result.outgoing == ()


def test_a_gap_that_comes_again_is_told_again(site):
    """The gateway may have been killed after the log had it, before the archive did."""
    site, node = site
    boot, gap = node.boot(), node.gap(3, 10, 20)
    site.submit(node, boot, gap)
    site.reopen()
    assert site.submit(node, gap).gaps == (GapCover(node.keyid[:16], 3, 10, 20),)


def test_resume_has_the_newest_envelope_logged_or_waiting(site):
    site, node = site
    site.submit(node, node.boot(), node.usage())
    assert parse_resume(site.status(node)[0].payload).envelope == node.sent[2]
    node.usage()
    site.submit(node, node.usage())
    assert parse_resume(site.status(node)[0].payload).envelope == node.sent[4]
    site.reopen()
    assert parse_resume(site.status(node)[0].payload).envelope == node.sent[4]


def test_after_a_restart_receipts_build_on_what_the_node_has_seen(site):
    site, node = site
    accept(site, node, site.submit(node, node.boot(), node.usage()).outgoing)
    missed = site.submit(node, node.usage())
    assert receipts(missed.outgoing)[0].old == node.seen["size"]
    site.reopen()
    site.status(node)
    result = site.submit(node, node.usage())
    assert accept(site, node, result.outgoing) == [4]


def test_a_node_with_another_seen_gets_the_receipts_it_missed(site):
    site, node = site
    accept(site, node, site.submit(node, node.boot()).outgoing)
    site.submit(node, node.usage())
    site.submit(node, node.usage())
    found = site.status(node)
    assert accept(site, node, found) == [2, 3]
    assert site.status(node)[1:] == []


def test_a_receipt_to_one_node_never_moves_anothers(tmp_path):
    site, (one, two) = enrolled_site(tmp_path, 2)
    for _ in range(3):
        for node in (one, two):
            made = node.boot() if node.seq == 0 else node.usage()
            assert accept(site, node, site.submit(node, made).outgoing) == [node.seq]
    site.close()


def test_a_full_disk_keeps_nothing_and_goes_on_when_there_is_room(site):
    site, node = site
    store = site.service._store
    site.submit(node, node.boot())
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    made = [node.usage() for _ in range(200)]
    size = site.service._log.size
    with pytest.raises(StorageFullError, match=r"evidence\.sqlite"):
        site.submit(node, *made)
    store.connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    assert site.service._log.size == size
    result = site.submit(node, *made)
    assert len(accept(site, node, result.outgoing)) == 200
    assert site.service._log.size == size + 200
    assert codes(site) == []


def test_a_log_that_is_gone_is_never_begun_again(tmp_path):
    site, _ = enrolled_site(tmp_path)
    site.close()
    (site.data / "evidence.sqlite").unlink()
    with pytest.raises(RaffinateError, match="restore it"):
        site.open()
