"""The two DER forms of P-256: SubjectPublicKeyInfo, and the signature's two integers (SEC 1)."""

from binascii import unhexlify

from raffinate_wire.errors import WireError

SPKI_BYTES = 91

_SPKI_HEAD = unhexlify("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def format_spki(x: int, y: int) -> bytes:
    """Return the 91 bytes of an uncompressed named-curve key."""
    return _SPKI_HEAD + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def split_spki(der: bytes) -> "tuple[int, int]":
    """Return the coordinates, not checked to lie on the curve; raise `bad-key`."""
    if len(der) != SPKI_BYTES or bytes(der[:27]) != _SPKI_HEAD:
        raise WireError("bad-key", "this is no P-256 key in uncompressed SubjectPublicKeyInfo DER")
    return int.from_bytes(der[27:59], "big"), int.from_bytes(der[59:], "big")


def format_signature(r: int, s: int) -> bytes:
    """Return the DER of ECDSA-Sig-Value."""
    body = _integer(r) + _integer(s)
    return bytes((0x30, len(body))) + body


def split_signature(der: bytes) -> "tuple[int, int]":
    """Return (r, s) of the one DER form there is, 70 or so bytes; raise `bad-der`."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:
        raise WireError("bad-der", "the signature is no DER sequence that fills its bytes")
    r, at = _split_integer(der, 2)
    s, at = _split_integer(der, at)
    if at != len(der):
        raise WireError("bad-der", "bytes follow the signature's second integer")
    return r, s


def _integer(value: int) -> bytes:
    body = value.to_bytes(33, "big")
    start = 0
    while start < 32 and body[start] == 0 and body[start + 1] < 0x80:
        start += 1
    return bytes((0x02, 33 - start)) + body[start:]


def _split_integer(der: bytes, at: int) -> "tuple[int, int]":
    head = der[at : at + 4]
    if len(head) < 3 or head[0] != 0x02 or not 1 <= head[1] <= 33 or at + 2 + head[1] > len(der):
        raise WireError("bad-der", f"no integer of 1 to 33 bytes at byte {at}")
    if head[2] >= 0x80:
        raise WireError("bad-der", f"a negative integer at byte {at}")
    if head[1] > 1 and head[2] == 0 and head[3] < 0x80:
        raise WireError("bad-der", f"an integer with needless zeros at byte {at}")
    end = at + 2 + head[1]
    return int.from_bytes(der[at + 2 : end], "big"), end
