"""The node's key, behind one port with two implementations.

A signer has `tier` (what `boot` states), `spki`, `keyid` and `sign_steps(digest)`: a generator that
signs a 32-byte digest in slices and returns the DER signature with s <= n/2. A step may yield how
many ms there is nothing to do. It raises OSError when it cannot sign now; then nothing is signed,
and it may be asked again.
Tier 0 keeps the private number in flash: who opens the board can copy it, and the arithmetic is not
constant-time. Tier 2 is a secure element, which the number never leaves.
"""

from raffinate_wire import p256, p256_der

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

    from raffinate_node.store import Store

KEY = "key"
KEY_BYTES = 96
# 64 bits more than the order has, so that the remainder is as good as uniform.
SEED_BYTES = 40
POINT = "element"
POINT_BYTES = 64
CODE_CHARACTERS = 16
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class SoftwareSigner:
    """Signs with a key of KEY_BYTES: the private number, then its point."""

    tier = 0

    def __init__(self, key: bytes) -> None:
        self._d = int.from_bytes(key[:32], "big")
        self.spki = _spki(key[32:])
        self.keyid = p256.keyid(self.spki)

    def sign_steps(self, digest: bytes) -> "Generator[None, None, bytes]":
        """Sign a 32-byte digest in slices."""
        return p256.sign_steps(self._d, digest)


class ElementSigner:
    """Signs with a secure element whose key's point is `point`, once the element told that point.

    `element` is an element.Element. One with another key than at the node's first start signs
    nothing: its signatures would be another's.
    """

    tier = 2

    def __init__(self, element: "Any", point: bytes, is_checked: bool) -> None:
        self._element = element
        self._point = point
        self._is_checked = is_checked
        self.spki = _spki(point)
        self.keyid = p256.keyid(self.spki)

    def sign_steps(self, digest: bytes) -> "Generator[Any, None, bytes]":
        """Sign a 32-byte digest; of the two signatures return the one with the lower s."""
        if not self._is_checked:
            _check_same(self._point, (yield from self._element.public_steps()))
            self._is_checked = True
        try:
            pair = yield from self._element.sign_steps(digest)
        except OSError:
            # It may be another one when it answers again.
            self._is_checked = False
            raise
        r, s = int.from_bytes(pair[:32], "big"), int.from_bytes(pair[32:], "big")
        if not 0 < r < p256.N or not 0 < s < p256.N:
            raise OSError("secure element: no signature")
        return p256_der.format_signature(r, min(s, p256.N - s))


def signer_steps(hal: "Any", store: "Store", place: "Any" = None) -> "Generator[Any, None, Any]":
    """Return the signer of this node's key, which is made at the first start.

    `place` says where the secure element is (bus, address, slot), None is for the key in flash.
    Raises OSError where no key can be made or told yet.
    """
    if place is None:
        return (yield from _software_steps(hal, store))
    from raffinate_node import element  # noqa: PLC0415 - only a board with one needs it

    chip = element.Element(hal.i2c(place["bus"]), place["address"], place["slot"])
    known = store.get(POINT)
    try:
        point = yield from chip.public_steps()
    except OSError:
        if known is None:
            raise
        # Frames go on under the key that is known; it signs when it answers.
        return ElementSigner(chip, known, False)
    if known is None:
        if point is None:
            point = yield from chip.create_steps()
        p256.parse_spki(_spki(point))
        store.put(POINT, point)
        known = point
    else:
        _check_same(known, point)
    return ElementSigner(chip, known, True)


def _software_steps(hal: "Any", store: "Store") -> "Generator[None, None, SoftwareSigner]":
    key = store.get(KEY)
    if key is None or len(key) != KEY_BYTES:
        d = int.from_bytes(hal.random(SEED_BYTES), "big") % (p256.N - 1) + 1
        x, y = yield from p256.public_key_steps(d)
        key = d.to_bytes(32, "big") + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        store.put(KEY, key)
    return SoftwareSigner(key)


def _check_same(known: bytes, point: "bytes | None") -> None:
    if point != known:
        raise OSError("secure element: another key than this flash knows; wipe the flash")


def _spki(point: bytes) -> bytes:
    return p256.spki(int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"))


def enrol_code(keyid: str) -> str:
    """Return the first 80 bits of a key id as XXXX-XXXX-XXXX-XXXX in base32 (RFC 4648)."""
    number = int(keyid[: CODE_CHARACTERS * 5 // 4], 16)
    code = ""
    for at in range(CODE_CHARACTERS):
        code = _BASE32[number & 31] + ("-" if at and not at % 4 else "") + code
        number >>= 5
    return code
