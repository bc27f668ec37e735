"""ECDSA over P-256 with SHA-256: RFC 6979 signing with s <= n/2, strict verification.

Not constant-time: who can measure a board's timing or power can learn its key.
`*_steps` are generators that yield between slices of work, so that a board can feed its watchdog
and scan meanwhile, and return their result; `run(steps)` drains one.
A verifying key is an SPKI (bytes), a point (x, y), or the `Key` that prepare_steps makes of one.
"""

import hashlib

from raffinate_wire import p256_curve as curve
from raffinate_wire import p256_der
from raffinate_wire.errors import WireError
from raffinate_wire.ids import to_hex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

    from raffinate_wire.p256_curve import Affine

N = curve.N
# Modular multiplications done since start: MULS[0].
MULS = curve.MULS

_BLOCK_BYTES = 64


class Key:
    """A verifying key with its comb table: a pinned key that verifies often, at half the price."""

    def __init__(self, x: int, y: int, table: curve.Table) -> None:
        self.x = x
        self.y = y
        self.table = table


def run(steps: "Generator[None, None, Any]") -> "Any":
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def public_key(d: int) -> "tuple[int, int]":
    """Return the point of a private key; raise `bad-key` unless 1 <= d < n."""
    point: "Affine" = run(public_key_steps(d))
    return point


def public_key_steps(d: int) -> "Generator[None, None, Affine]":
    """Do public_key in slices."""
    _check_private(d)
    product = yield from curve.sum_steps([curve.CombLane(curve.BASE, d)])
    return (yield from curve.affine_steps([product]))[0]


def spki(x: int, y: int) -> bytes:
    """Return a point's SubjectPublicKeyInfo DER, 91 bytes."""
    return p256_der.format_spki(x, y)


def parse_spki(der: bytes) -> "tuple[int, int]":
    """Return the point of a P-256 SPKI, checked to lie on the curve; raise `bad-key`."""
    return _check_point(p256_der.split_spki(der))


def keyid(der: bytes) -> str:
    """Return the key id of an SPKI: its SHA-256 in lowercase hex."""
    return to_hex(hashlib.sha256(der).digest())


def as_key(key: "Any") -> "Affine | Key":
    """Return a point or Key for any form of verifying key; raise `bad-key`."""
    if isinstance(key, Key):
        return key
    return _check_point(key) if isinstance(key, tuple) else parse_spki(key)


def point_of(key: "Affine | Key") -> "Affine":
    """Return the point of what as_key returned."""
    return (key.x, key.y) if isinstance(key, Key) else key


def prepare_steps(key: "Any") -> "Generator[None, None, Key]":
    """Return the Key of an SPKI or point; its table takes about as long as two verifications."""
    x, y = point_of(as_key(key))
    table = yield from curve.table_steps((x, y))
    return Key(x, y, table)


def sign(d: int, digest: bytes) -> bytes:
    """Return the DER signature of a 32-byte message digest."""
    signature: bytes = run(sign_steps(d, digest))
    return signature


def sign_steps(d: int, digest: bytes) -> "Generator[None, None, bytes]":
    """Sign in slices."""
    _check_private(d)
    e = _check_digest(digest)
    nonces = Nonces(d, digest)
    while True:
        k, blind = nonces.take()
        product = yield from curve.sum_steps([curve.CombLane(curve.BASE, k)])
        r = (yield from curve.affine_steps([product]))[0][0] % N
        # The inverse is of a blinded nonce: its running time tells nothing of the nonce.
        inverse = yield from curve.invert_steps(k * blind % N, N)
        s = inverse * blind % N * (e + r * d) % N
        MULS[0] += 4
        if r and s:
            return p256_der.format_signature(r, min(s, N - s))


def verify(key: "Any", digest: bytes, sig: bytes) -> None:
    """Check a DER signature of a 32-byte digest; raise `bad-signature`, `high-s`, `bad-der`."""
    run(verify_steps(key, digest, sig))


def verify_steps(key: "Any", digest: bytes, sig: bytes) -> "Generator[None, None, None]":
    """Verify in slices."""
    key = as_key(key)
    e = _check_digest(digest)
    r, s = p256_der.split_signature(sig)
    if not 0 < r < N or not 0 < s < N:
        raise WireError("bad-signature", "the signature's integers are out of range")
    if s > N >> 1:
        raise WireError("high-s", "the signature is the other one of two: s is above n/2")
    inverse = yield from curve.invert_steps(s, N)
    u1 = e * inverse % N
    u2 = r * inverse % N
    lane: "Any"
    if isinstance(key, Key):
        lane = curve.CombLane(key.table, u2)
    else:
        lane = curve.NafLane((yield from curve.odd_multiples_steps(key)), u2)
    x, _, z = yield from curve.sum_steps([lane, curve.CombLane(curve.BASE, u1)])
    MULS[0] += 5
    square = z * z % curve.P
    matches = (r * square - x) % curve.P == 0
    if not matches and r + N < curve.P:
        matches = ((r + N) * square - x) % curve.P == 0
    if not z or not matches:
        raise WireError("bad-signature", "the signature does not belong to this key and message")


def table_steps(key: "Any" = None) -> "Generator[None, None, Key | None]":
    """Do prepare_steps for a key; the base point's own table is part of the program."""
    if key is None:
        return None
    return (yield from prepare_steps(key))


class Nonces:
    """The nonces of RFC 6979, section 3.2, each with a number to blind its inversion with."""

    def __init__(self, d: int, digest: bytes) -> None:
        secret = d.to_bytes(32, "big") + (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
        self._v = b"\x01" * 32
        self._k = bytes(32)
        for mark in (b"\x00", b"\x01"):
            self._k = hmac_sha256(self._k, self._v + mark + secret)
            self._v = hmac_sha256(self._k, self._v)

    def take(self) -> "tuple[int, int]":
        """Return the next nonce and its blind, both in 1 to n - 1."""
        while True:
            self._v = hmac_sha256(self._k, self._v)
            k = int.from_bytes(self._v, "big")
            blind = int.from_bytes(hmac_sha256(self._k, self._v + b"blind"), "big") % N
            self._k = hmac_sha256(self._k, self._v + b"\x00")
            self._v = hmac_sha256(self._k, self._v)
            if 0 < k < N and blind:
                return k, blind


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA-256 (RFC 2104)."""
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK_BYTES - len(key))
    inner = hashlib.sha256(bytes([octet ^ 0x36 for octet in key]) + message).digest()
    return hashlib.sha256(bytes([octet ^ 0x5C for octet in key]) + inner).digest()


def _check_private(d: int) -> None:
    if not 0 < d < N:
        raise WireError("bad-key", "a private key is a number from 1 to n - 1")


def _check_digest(digest: bytes) -> int:
    if len(digest) != 32:
        raise WireError("bad-digest", "a message digest has 32 bytes")
    return int.from_bytes(digest, "big")


def _check_point(point: "Affine") -> "Affine":
    if not curve.on_curve(point[0], point[1]):
        raise WireError("bad-key", "the point does not lie on P-256")
    return point
