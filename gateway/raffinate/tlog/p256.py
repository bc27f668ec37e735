"""ECDSA signatures of this project: DER, strictly encoded, s in the lower half (protocol 4)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HALF = ORDER >> 1
_SIGNATURE_BYTES_MAX = 72
_INTEGER = 0x02
_SEQUENCE = 0x30


class SignatureError(ValueError):
    """A signature is not strict DER, or its s is in the upper half."""


def check_der(signature: bytes) -> None:
    """Raise SignatureError unless `signature` is minimal DER with 0 < r < n and 0 < s <= n/2."""
    size = len(signature)
    if not 8 <= size <= _SIGNATURE_BYTES_MAX or signature[0] != _SEQUENCE:  # noqa: PLR2004
        raise SignatureError("the signature is not DER")
    cut = 4 + signature[3]
    if (
        signature[1] != size - 2
        or signature[2] != _INTEGER
        or cut + 2 >= size
        or signature[cut] != _INTEGER
        or signature[cut + 1] != size - cut - 2
    ):
        raise SignatureError("the signature is not DER")
    r, s = _integer(signature[4:cut]), _integer(signature[cut + 2 :])
    if not 0 < r < ORDER or not 0 < s <= HALF:
        raise SignatureError("the signature's r or s is out of range (s must be at most n/2)")


def low_s(signature: bytes) -> bytes:
    """The same signature with s in the lower half."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, ORDER - s))


def _integer(data: bytes) -> int:
    if not data or data[0] & 0x80 or (len(data) > 1 and data[0] == 0 and not data[1] & 0x80):
        raise SignatureError("the signature is not minimal DER")
    return int.from_bytes(data, "big")
