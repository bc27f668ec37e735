"""ECDSA over P-256 with SHA-256: RFC 6979 signing with s <= n/2, strict verification.

Not constant-time: who can measure a board's timing or power can learn its key.
`*_steps` are generators that yield between slices of work, so that a board feeds its watchdog and
scans meanwhile; `run(steps)` drains one and returns its value.
"""


def run(steps):
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def public_key(d: int) -> "tuple[int, int]":
    """Return the point of a private key, 1 <= d < n."""
    raise NotImplementedError


def public_key_steps(d: int):
    """public_key in slices."""
    raise NotImplementedError


def spki(x: int, y: int) -> bytes:
    """Return SubjectPublicKeyInfo DER, 91 bytes."""
    raise NotImplementedError


def parse_spki(der: bytes) -> "tuple[int, int]":
    """Return the point of a P-256 SPKI, checked to lie on the curve; raise `bad-key`."""
    raise NotImplementedError


def keyid(der: bytes) -> str:
    """Return the key id: lowercase hex SHA-256 of the SPKI DER."""
    raise NotImplementedError


def sign(d: int, digest: bytes) -> bytes:
    """Return the DER signature of a 32-byte message digest."""
    raise NotImplementedError


def sign_steps(d: int, digest: bytes):
    """sign in slices."""
    raise NotImplementedError


def verify(key, digest: bytes, sig: bytes) -> None:
    """Check a DER signature by a point or a comb table of it; raise `bad-signature`, `high-s`, `bad-der`."""
    raise NotImplementedError


def verify_steps(key, digest: bytes, sig: bytes):
    """verify in slices."""
    raise NotImplementedError


def table_steps(point=None):
    """Build the comb table of the base point (kept, used by all signing) or of a pinned key, in slices."""
    raise NotImplementedError
