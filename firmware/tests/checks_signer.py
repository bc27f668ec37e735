"""The node's key and its permits; see portable.py."""

from evidence_tools import OTHER_KEY, T0, Bench, Hal, seal
from raffinate_node import permits
from raffinate_node.signer import enrol_code, signer_steps
from raffinate_node.store import Store
from raffinate_wire import dsse, p256
from raffinate_wire.errors import WireError


def check_a_key_is_made_once(folder):
    first = p256.run(signer_steps(Hal(folder), Store(folder)))
    again = p256.run(signer_steps(Hal(folder, b"another"), Store(folder)))
    assert first.spki == again.spki
    assert first.keyid == p256.keyid(first.spki)
    assert first.tier == 0
    p256.parse_spki(first.spki)


def check_a_signature_verifies_and_comes_in_slices(folder):
    signer = p256.run(signer_steps(Hal(folder), Store(folder)))
    p256.verify(signer.spki, b"d" * 32, p256.run(signer.sign_steps(b"d" * 32)))
    slices = worst = 0
    steps = signer.sign_steps(b"d" * 32)
    while True:
        before = p256.MULS[0]
        try:
            next(steps)
        except StopIteration:
            break
        slices += 1
        worst = max(worst, p256.MULS[0] - before)
    assert slices >= 10
    assert worst <= 130


def check_enrol_codes(_):
    # RFC 4648: 80 zero bits, 80 one bits, and its own example "foobar" continued.
    assert enrol_code("0" * 64) == "AAAA-AAAA-AAAA-AAAA"
    assert enrol_code("f" * 64) == "7777-7777-7777-7777"
    assert enrol_code("666f6f62617266" + "0" * 50) == "MZXW-6YTB-OJTA-AAAA"


def refusal(bench, data, held=None):
    steps = permits.check_steps(data, held, bench.config, bench.evidence.keyid, "bat-ext")
    try:
        p256.run(steps)
    except WireError as error:
        return error.code
    return None


def check_a_permit_is_read(folder):
    bench = Bench(folder)
    data = bench.permit(serial=7, volume_ml_limit=5)
    steps = permits.check_steps(data, None, bench.config, bench.evidence.keyid, "bat-ext")
    found = p256.run(steps)
    hour = 3_600_000
    assert found[0] == 7
    assert found[2] == b"\xcd" * 32
    assert found[3:] == (T0, T0, T0 + hour, 60_000, hour + 60_000, 5)
    assert permits.is_known(found, data)
    assert not permits.is_known(found, data + b" ")
    permits.save(bench.store, "bat-ext", found)
    assert permits.load(Store(folder), "bat-ext") == found
    assert permits.load(Store(folder), "bat-scrub") is None


def check_permits_of_others_are_refused(folder):
    bench = Bench(folder)
    for changes in (
        {"site": "other"},
        {"node": "n02"},
        {"keyid": "ab" * 32},
        {"equipment": "bat-scrub"},
    ):
        assert refusal(bench, bench.permit(**changes)) == "foreign"


def check_forged_permits_are_refused(folder):
    bench = Bench(folder)
    good = bench.permit()
    assert refusal(bench, good) is None
    assert refusal(bench, bench.permit(key=OTHER_KEY)) == "wrong-key"
    payload = dsse.parse_envelope(good).payload
    other = dsse.parse_envelope(bench.permit(serial=2))
    swapped = dsse.format_envelope(dsse.PAYLOAD_PERMIT, payload, other.keyid, other.sig)
    assert refusal(bench, swapped) == "bad-signature"
    assert refusal(bench, seal(payload, dsse.PAYLOAD_STATEMENT, 1002)) == "wrong-payload-type"
    assert refusal(bench, good[:-1]) is not None


def check_serials_only_grow(folder):
    bench = Bench(folder)
    steps = permits.check_steps(
        bench.permit(serial=5), None, bench.config, bench.evidence.keyid, "bat-ext"
    )
    held = p256.run(steps)
    assert refusal(bench, bench.permit(serial=4), held) == "old-serial"
    assert refusal(bench, bench.permit(serial=5, purpose="x"), held) == "same-serial"
    assert refusal(bench, bench.permit(serial=6), held) is None
