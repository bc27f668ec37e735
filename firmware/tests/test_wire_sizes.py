"""The largest messages fit their limits, and the wire package fits a board's heap."""

import pytest

from raffinate_wire import dsse, merkle, note, p256, receipt, statement

KEYID = "ab" * 32
U53 = (1 << 53) - 1
LONG = "a" * 32
REGISTERS = [
    {"id": f"{LONG[:31]}{at}", "runMs": U53, "starts": U53, "volumeMl": U53} for at in range(4)
]


def _largest_usage():
    common = {
        "log": "a" * 57 + "/raffinate/" + LONG,
        "site": LONG,
        "node": LONG,
        "keyid": KEYID,
        "seq": U53,
        "prev": KEYID,
        "boot": U53,
        "upMs": U53,
        "timeMs": U53,
        "clock": "S",
        "firmware": KEYID,
        "config": KEYID,
        "calibration": KEYID,
        "unreceipted": U53,
        "seen": {"size": U53, "root": KEYID},
        "registers": REGISTERS,
    }
    use = {"state": "orderly-stop-requested", "run": True, "permit": U53, "startRequests": U53}
    specific = {
        "interval": {"fromUpMs": U53, "toUpMs": U53, "fromMs": U53, "toMs": U53},
        "frames": {"boot": U53, "first": U53, "last": U53, "head": KEYID},
        "equipment": [{**use, **registers} for registers in REGISTERS],
        "why": "x" * 128,
    }
    subject = [(f"equipment/{LONG}.toml", KEYID)] * 4 + [(f"licences/{LONG}.toml", KEYID)] * 4
    return statement.format_statement(subject, "usage", common, specific)


def test_the_largest_usage_of_four_equipment_fits_an_envelope():
    payload = _largest_usage()
    assert statement.parse_statement(payload).seq == U53
    envelope = dsse.format_envelope(dsse.PAYLOAD_STATEMENT, payload, KEYID, bytes(72))
    assert len(envelope) <= dsse.ENVELOPE_BYTES_MAX


def test_the_largest_payload_fits_an_envelope_and_no_larger_one():
    largest = b"x" * statement.PAYLOAD_BYTES_MAX
    for more, fits in ((0, True), (3, False)):
        envelope = dsse.format_envelope(
            dsse.PAYLOAD_STATEMENT, largest + b"x" * more, KEYID, bytes(72), bytes_max=10000
        )
        assert (len(envelope) <= dsse.ENVELOPE_BYTES_MAX) is fits


def test_a_receipt_from_a_tree_of_2_to_the_53_fits():
    text = note.format_checkpoint("a" * 100, U53, bytes(32))
    lines = [("w" * 60, bytes(4), bytes(72))] * 16
    signed = note.format_note(text, lines)
    hashes = [bytes(32)] * 53
    data = receipt.format_receipt(KEYID, U53, U53 - 1, hashes, U53 - 1, hashes, signed)
    assert len(data) <= receipt.RECEIPT_BYTES_MAX


CHECK_RECEIPT = """
import gc
import hashlib
from raffinate_wire import dsse, merkle, note, p256, receipt

LOG = 12345
ORIGIN = "example.org/raffinate/ndpr"
point = p256.public_key(LOG)
spki = p256.spki(*point)
gc.collect()
before = gc.mem_alloc()
key = p256.run(p256.prepare_steps(point))
gc.collect()
print("table bytes", gc.mem_alloc() - before)

keyid = p256.keyid(spki)
payload = b"p" * 3000
sig = p256.sign(LOG, dsse.digest(dsse.PAYLOAD_STATEMENT, payload))
envelope = dsse.format_envelope(dsse.PAYLOAD_STATEMENT, payload, keyid, sig)
leaves = [merkle.leaf_hash(b"0"), merkle.leaf_hash(envelope)]
text = note.format_checkpoint(ORIGIN, 2, merkle.root_of(leaves))
line = (ORIGIN, note.key_id_ecdsa(spki), p256.sign(LOG, hashlib.sha256(text).digest()))
signed = note.format_note(text, [line])
data = receipt.format_receipt(keyid, 1, 1, [leaves[1]], 1, [leaves[0]], signed)
for verifier in (spki, point, key):
    read = receipt.parse_receipt(data)
    size, root = receipt.check_receipt(read, envelope, ORIGIN, verifier, 1, leaves[0])
    dsse.open_envelope(envelope, verifier, dsse.PAYLOAD_STATEMENT)
assert size == 2
gc.collect()
print("free bytes", gc.mem_free())
"""


@pytest.mark.micropython
def test_signing_and_receipts_run_in_a_boards_heap(micropython):
    output = micropython.run(CHECK_RECEIPT, mpy=True, heapsize="160K")
    sizes = dict(line.rsplit(" ", 1) for line in output.splitlines())
    assert int(sizes["table bytes"]) < 5 * 1024
    assert int(sizes["free bytes"]) > 60 * 1024


@pytest.mark.micropython
def test_a_scan_leaves_nothing_behind_in_the_builder(micropython):
    script = """
import gc
from raffinate_wire import frame
builder = frame.FrameBuilder("ndpr", "n07", "3f9ac0d1e2b34455", 8192)
stages = [[("e%02d/p%d" % (s, p), "pH", 1234567, 6) for p in range(6)] for s in range(4)]
prev = bytes(32)
def scan(seq):
    builder.begin(1, seq, prev, "S", 1795255200125 + seq * 1000, 1000 * seq)
    for stage in stages:
        builder.add_stage(stage)
    return frame.frame_hash(builder.finish())
marks = []
for seq in range(2000):
    prev = scan(seq)
    if seq in (200, 1999):
        gc.collect()
        marks.append(gc.mem_alloc())
print(marks[1] - marks[0])
"""
    output = micropython.run(script, mpy=True, heapsize="160K")
    assert abs(int(output)) <= 256


def test_nothing_here_costs_a_board_an_import_it_does_not_need(micropython):
    script = "import sys; import raffinate_wire.statement; print(sorted(sys.modules))"
    assert "predicates_rest" not in micropython.run(script)


def test_the_signature_of_the_largest_key_is_72_bytes_at_most():
    assert len(p256.sign(p256.N - 1, bytes(32))) <= dsse.SIG_BYTES_MAX
    assert merkle.PROOF_HASHES_MAX >= 53
