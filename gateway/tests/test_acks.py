"""The ack book: exact acks, within their limits, nothing told twice without need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raffinate.ingest.acks import AckBook
from raffinate_wire.ack import ACK_BYTES_MAX, BOOTS_MAX, REASONS_MAX, parse_ack

KEY = "3f9ac0d1e2b34455"
KEYID = KEY + "0" * 48


def test_an_ack_says_what_was_told_since_the_last():
    book = AckBook(7)
    book.tell_upto("n01", KEY, 2, 41)
    book.tell_rejected("n01", KEY, 2, 40, "too-long")
    book.tell_refused("n01", KEYID, 9, "wrong-site")
    expected = (
        b'{"key":"3f9ac0d1e2b34455","epoch":7,"boots":[[2,41]],'
        b'"rejected":[[2,40,"too-long"]],"refused":[[9,"wrong-site"]]}'
    )
    assert book.take() == [("n01", expected)]
    assert book.take() == []


def test_a_boot_of_which_nothing_is_settled_is_not_told():
    book = AckBook(7)
    book.tell_upto("n01", KEY, 2, -1)
    [(_, data)] = book.take()
    assert parse_ack(data).boots == []


def test_a_new_session_hears_refusals_again_and_the_archive_s_word():
    book = AckBook(7)
    book.tell_refused("n01", KEYID, 9, "wrong-site")
    book.take()
    book.tell_again("n01", KEY, [(1, 5), (2, 0)], [(1, 3, "conflict")])
    [(_, data)] = book.take()
    ack = parse_ack(data)
    assert ack.boots == [(1, 5), (2, 0)]
    assert ack.rejected == [(1, 3, "conflict")]
    assert ack.refused == [(9, "wrong-site")]


def test_a_renewed_key_alone_gets_another_epoch():
    book = AckBook(7)
    book.renew("n01", KEYID, 8)
    book.tell_upto("n02", "f" * 16, 1, 0)
    acks = {node: parse_ack(data) for node, data in book.take()}
    assert (acks["n01"].epoch, acks["n02"].epoch) == (8, 7)
    assert acks["n01"].boots == []
    book.tell_upto("n01", KEY, 1, 0)
    assert parse_ack(book.take()[0][1]).epoch == 8


@given(
    boots=st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), max_size=40),
    rejected=st.dictionaries(st.tuples(st.integers(0, 99), st.integers(0, 99)), st.just("a" * 48)),
    refused=st.integers(0, 150),
)
def test_however_much_is_told_every_ack_keeps_its_limits_and_nothing_is_left_out(
    boots, rejected, refused
):
    book = AckBook(1)
    for boot, upto in boots.items():
        book.tell_upto("n01", KEY, boot, upto)
    for (boot, seq), reason in rejected.items():
        book.tell_rejected("n01", KEY, boot, seq, reason)
    for seq in range(refused):
        book.tell_refused("n01", KEYID, seq, "wrong-site")
    acks = [parse_ack(data) for _, data in book.take()]
    assert {boot: upto for ack in acks for boot, upto in ack.boots} == boots
    told = {(boot, seq): reason for ack in acks for boot, seq, reason in ack.rejected}
    assert told == rejected
    assert sorted(seq for ack in acks for seq, _ in ack.refused) == list(range(refused))
    for ack in acks:
        assert len(ack.boots) <= BOOTS_MAX
        assert max(len(ack.rejected), len(ack.refused)) <= REASONS_MAX
    assert ACK_BYTES_MAX >= 12288
