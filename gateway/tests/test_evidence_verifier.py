"""Verification in a process of its own gives what this process gives, and may fail at any time."""

from __future__ import annotations

import os
import signal
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from evidence_site import enrolled_site
from node_simulator import SimulatedNode, pair
from raffinate.evidence import dsse
from raffinate.evidence.verifier import BATCH_MIN, CHUNK, CHUNKS_AHEAD, KEYS_KEPT, Verifier
from raffinate.tlog.p256 import low_s

SHA256 = ec.ECDSA(hashes.SHA256())


def items_of(count):
    node = SimulatedNode()
    node.boot()
    made = []
    for _ in range(count):
        envelope = dsse.decode_envelope(node.usage())
        made.append((node.pair.spki, envelope.signature, dsse.digest(envelope)))
    return made


@pytest.fixture
def verifier():
    made = Verifier()
    yield made
    made.close()


@pytest.mark.parametrize("count", [BATCH_MIN, 2 * CHUNK, 2 * CHUNK + 1, 8 * CHUNK + 7])
def test_answers_are_in_order_and_right(verifier, count):
    items = items_of(count)
    expected = [True] * count
    for place in range(0, count, 5):
        spki, signature, _ = items[place]
        items[place] = (spki, signature, bytes(32))
        expected[place] = False
    items[1] = None
    expected[1] = None
    assert list(verifier.results(items, len(items))) == expected
    assert list(verifier.results(items, len(items))) == expected


def test_a_small_batch_starts_no_process(verifier):
    assert list(verifier.results(items_of(3), 3)) == [None] * 3
    assert verifier.pids == []


def test_a_killed_process_only_leaves_the_work_to_the_caller(verifier):
    items = items_of(BATCH_MIN)
    assert all(verifier.results(items, len(items)))
    for pid in verifier.pids:
        os.kill(pid, signal.SIGKILL)
    assert list(verifier.results(items, len(items))) == [None] * BATCH_MIN
    assert list(verifier.results(items, len(items))) == [None] * BATCH_MIN


def test_a_process_killed_between_two_chunks_loses_no_answer(verifier):
    items = items_of(5 * CHUNK) * CHUNKS_AHEAD
    found = []
    for number, answer in enumerate(verifier.results(items, len(items))):
        found.append(answer)
        if number == CHUNK:
            os.kill(verifier.pids[-1], signal.SIGKILL)
    assert len(found) == len(items)
    assert False not in found
    assert found[-1] is None


def test_answers_that_nobody_took_are_not_taken_for_the_next_batch(verifier):
    items = items_of(4 * CHUNK)
    forged = [(spki, signature, bytes(32)) for spki, signature, _ in items]
    answers = verifier.results(items, len(items))
    assert next(answers)
    pids = verifier.pids
    answers.close()
    assert list(verifier.results(forged, len(forged))) == [False] * len(forged)
    assert not set(pids) & set(verifier.pids)


def test_more_keys_than_are_kept(verifier):
    (item, *_), made = items_of(1), []
    for number in range(KEYS_KEPT + 2 * CHUNK):
        other = pair(5000 + number)
        made += [item, (other.spki, low_s(other.private.sign(b"x", SHA256)), sha256(b"x").digest())]
    assert list(verifier.results(made, len(made))) == [True] * len(made)
    assert list(verifier.results(made[:CHUNK], BATCH_MIN)) == [True] * CHUNK


def test_large_batches_of_the_service_are_judged_as_small_ones(tmp_path):
    site, (node,) = enrolled_site(tmp_path)
    made = [node.boot(), *(node.usage() for _ in range(2 * BATCH_MIN))]
    forged = dsse.decode_envelope(made[7])
    other = dsse.decode_envelope(made[8])
    made[7] = dsse.encode_envelope(
        forged.payload, forged.payload_type, forged.keyid, other.signature
    )
    made[30] = b"junk"
    result = site.submit(node, *made)
    assert site.service._verifier.pids
    assert [code for _, code in result.quarantine] == ["signature", "envelope"]
    assert result.refused == {}
    assert len(result.outgoing) == 7
    result = site.submit(node, node.sent[8], node.sent[31])
    assert len(result.outgoing) == 2 * BATCH_MIN + 1 - 7
    site.close()
