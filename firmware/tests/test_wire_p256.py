"""P-256 against cryptography, and how it behaves in slices."""

import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from raffinate_wire import p256, p256_curve
from raffinate_wire.errors import WireError

SHA256 = ec.ECDSA(hashes.SHA256())
DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
secrets = st.integers(1, p256.N - 1) | st.sampled_from([1, 2, 3, p256.N - 1, p256.N - 2, 1 << 255])


def _other(secret):
    return ec.derive_private_key(secret, ec.SECP256R1())


def _der(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _low(sig):
    r, s = decode_dss_signature(sig)
    return encode_dss_signature(r, min(s, p256.N - s))


@given(secrets, st.binary(max_size=64))
@settings(max_examples=40)
def test_signatures_are_those_of_cryptography(secret, message):
    other = _other(secret)
    digest = hashlib.sha256(message).digest()
    sig = p256.sign(secret, digest)
    assert sig == _low(other.sign(message, DETERMINISTIC))
    other.public_key().verify(sig, message, SHA256)


@given(secrets, st.binary(max_size=64))
@settings(max_examples=40)
def test_cryptographys_random_signatures_verify(secret, message):
    other = _other(secret)
    sig = _low(other.sign(message, SHA256))
    digest = hashlib.sha256(message).digest()
    spki = _der(other)
    p256.verify(spki, digest, sig)
    p256.verify(p256.parse_spki(spki), digest, sig)


@given(secrets, st.binary(max_size=8), st.integers(0, 71), st.integers(1, 255))
@settings(max_examples=40)
def test_a_changed_octet_is_refused_where_cryptography_refuses(secret, message, at, change):
    other = _other(secret)
    digest = hashlib.sha256(message).digest()
    sig = bytearray(p256.sign(secret, digest))
    sig[at % len(sig)] ^= change
    with pytest.raises(WireError):
        p256.verify(_der(other), digest, bytes(sig))
    with pytest.raises(InvalidSignature):
        other.public_key().verify(bytes(sig), message, SHA256)


@given(secrets)
@settings(max_examples=40)
def test_public_keys_are_those_of_cryptography(secret):
    der = _der(_other(secret))
    x, y = p256.public_key(secret)
    assert p256.spki(x, y) == der
    assert p256.parse_spki(der) == (x, y)
    assert p256.keyid(der) == hashlib.sha256(der).hexdigest()


@given(secrets, st.binary(max_size=8))
@settings(max_examples=10)
def test_a_prepared_key_verifies_the_same_signatures(secret, message):
    spki = _der(_other(secret))
    digest = hashlib.sha256(message).digest()
    key = p256.run(p256.prepare_steps(spki))
    p256.verify(key, digest, p256.sign(secret, digest))
    with pytest.raises(WireError, match="does not belong"):
        p256.verify(key, digest[::-1], p256.sign(secret, digest))


def test_the_built_in_table_is_the_base_points():
    base = (p256_curve.GX, p256_curve.GY)
    table = p256.run(p256_curve.table_steps(base, p256_curve.BASE_TEETH))
    assert table.packed == p256_curve.BASE.packed
    assert p256_curve.on_curve(*base)


def test_addition_is_right_where_its_formula_is_not():
    base = (p256_curve.GX, p256_curve.GY)
    once = (*base, 1)
    twice = p256_curve.double(once)
    assert p256_curve.add(once, base) == twice
    assert p256_curve.add(once, (base[0], p256_curve.P - base[1]))[2] == 0
    assert p256_curve.add((1, 1, 0), base) == once
    assert p256_curve.double((1, 1, 0))[2] == 0


@given(st.integers(1, p256_curve.P - 1))
@settings(max_examples=50)
def test_inverses(value):
    for modulus in (p256_curve.P, p256.N):
        inverse = p256.run(p256_curve.invert_steps(value % modulus or 1, modulus))
        assert inverse == pow(value % modulus or 1, -1, modulus)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_hmac_is_pythons(key, message):
    assert p256.hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


@pytest.mark.parametrize("secret", [0, p256.N, p256.N + 1, -1])
def test_a_private_key_out_of_range_is_refused(secret):
    for call in (p256.public_key, lambda d: p256.sign(d, bytes(32))):
        with pytest.raises(WireError) as caught:
            call(secret)
        assert caught.value.code == "bad-key"


def test_a_digest_has_32_bytes():
    for call in (
        lambda: p256.sign(1, bytes(31)),
        lambda: p256.verify(p256.public_key(1), bytes(33), b""),
    ):
        with pytest.raises(WireError) as caught:
            call()
        assert caught.value.code == "bad-digest"


def test_work_is_done_in_slices_of_bounded_size():
    digest = bytes(32)
    spki = p256.spki(*p256.public_key(5))
    sig = p256.sign(5, digest)
    for steps in (
        p256.sign_steps(5, digest),
        p256.public_key_steps(5),
        p256.verify_steps(spki, digest, sig),
        p256.prepare_steps(spki),
    ):
        largest = 0
        before = p256.MULS[0]
        for _ in steps:
            largest = max(largest, p256.MULS[0] - before)
            before = p256.MULS[0]
        assert 0 < largest <= 2 * p256_curve.SLICE_MULS
        assert p256.MULS[0] - before <= 4 * p256_curve.SLICE_MULS


def test_the_price_of_work_is_known():
    digest = hashlib.sha256(b"price").digest()
    point = p256.public_key(7)
    sig = p256.sign(7, digest)
    key = p256.run(p256.prepare_steps(point))

    def muls(call, *arguments):
        before = p256.MULS[0]
        call(*arguments)
        return p256.MULS[0] - before

    assert muls(p256.sign, 7, digest) < 1000
    assert muls(p256.verify, point, digest, sig) < 3400
    assert muls(p256.verify, key, digest, sig) < 1800
