"""The node's key: a signer has `tier`, `spki`, `keyid` and `sign_steps(digest)`.

sign_steps is a generator that yields between slices of work and returns a DER signature, s <= n/2.
Tier 0, here, keeps the private number in flash: who opens the board can copy it. The arithmetic is
not constant-time. A secure element is tier 2 and has the same four members.
"""

from raffinate_wire import p256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

    from raffinate_node.store import Store

KEY = "key"
KEY_BYTES = 96
# 64 bits more than the order has, so that the remainder is as good as uniform.
SEED_BYTES = 40
CODE_CHARACTERS = 16
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class SoftwareSigner:
    """Signs with a key of KEY_BYTES: the private number, then its point."""

    tier = 0

    def __init__(self, key: bytes) -> None:
        self._d = int.from_bytes(key[:32], "big")
        x, y = int.from_bytes(key[32:64], "big"), int.from_bytes(key[64:], "big")
        self.spki = p256.spki(x, y)
        self.keyid = p256.keyid(self.spki)

    def sign_steps(self, digest: bytes) -> "Generator[None, None, bytes]":
        """Sign a 32-byte digest in slices."""
        return p256.sign_steps(self._d, digest)


def key_steps(hal: "Any", store: "Store") -> "Generator[None, None, SoftwareSigner]":
    """Return the signer of the key in flash, which is made here at the first start."""
    key = store.get(KEY)
    if key is None or len(key) != KEY_BYTES:
        d = int.from_bytes(hal.random(SEED_BYTES), "big") % (p256.N - 1) + 1
        x, y = yield from p256.public_key_steps(d)
        key = d.to_bytes(32, "big") + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        store.put(KEY, key)
    return SoftwareSigner(key)


def enrol_code(keyid: str) -> str:
    """Return the first 80 bits of a key id as XXXX-XXXX-XXXX-XXXX in base32 (RFC 4648)."""
    number = int(keyid[: CODE_CHARACTERS * 5 // 4], 16)
    code = ""
    for at in range(CODE_CHARACTERS):
        code = _BASE32[number & 31] + ("-" if at and not at % 4 else "") + code
        number >>= 5
    return code
