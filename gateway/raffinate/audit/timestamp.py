"""RFC 3161 time-stamp responses, read and verified with `cryptography` alone. Pure.

A CMS SignedData (RFC 5652) over a TSTInfo, strictly DER, one signer, RSA PKCS #1 v1.5 or ECDSA.
The signer's certificate is one of the policy's, or issued by one of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from raffinate.tlog.checkpoint import format_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.tlog.checkpoint import Checkpoint

TOKEN_BYTES_MAX = 65_536
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_SHA256 = bytes.fromhex("608648016503040201")
_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    _SHA256: hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
_INTEGER, _OCTETS, _OID, _TIME, _SEQUENCE, _SET = 0x02, 0x04, 0x06, 0x18, 0x30, 0x31
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_LONG = 0x80
_LENGTH_BYTES_MAX = 3

Element = tuple[int, bytes, bytes]


class TimestampError(ValueError):
    """A token is malformed, of something else, or not signed under the policy's certificates."""


def read_timestamp(data: bytes, head: Checkpoint, trusted: Iterable[x509.Certificate]) -> int:
    """The token's time over the checkpoint's text, UTC milliseconds. Raises TimestampError."""
    if len(data) > TOKEN_BYTES_MAX:
        raise TimestampError(f"a token has at most {TOKEN_BYTES_MAX} bytes")
    status, token = _take(_one(data, _SEQUENCE), _SEQUENCE, _SEQUENCE)[:2]
    granted = _take(status[1], _INTEGER)[0][1]
    if granted not in (b"\0", b"\x01"):
        raise TimestampError("the server granted no time-stamp")
    kind, content = _take(token[1], _OID, _CONTEXT_0)[:2]
    if kind[1] != _SIGNED_DATA:
        raise TimestampError("the token is no SignedData")
    parts = _take(_one(content[1], _SEQUENCE), _INTEGER, _SET, _SEQUENCE)
    signed = _take(parts[2][1], _OID, _CONTEXT_0)
    if signed[0][1] != _TST_INFO:
        raise TimestampError("the token signs no TSTInfo")
    info = _one(signed[1][1], _OCTETS)
    certificates = _certificates(
        item[2] for part in parts if part[0] == _CONTEXT_0 for item in _all(part[1])
    )
    if parts[-1][0] != _SET:
        raise TimestampError("the token has no signer")
    time_ms = _check_info(info, sha256(format_checkpoint(head)).digest())
    signer = _check_signer(_one(parts[-1][1], _SEQUENCE), info, certificates)
    _check_trust(signer, certificates, list(trusted), time_ms)
    return time_ms


def _check_info(info: bytes, digest: bytes) -> int:
    """The time in a TSTInfo over `digest`."""
    parts = _take(_one(info, _SEQUENCE), _INTEGER, _OID, _SEQUENCE, _INTEGER, _TIME)
    algorithm, imprint = _take(parts[2][1], _SEQUENCE, _OCTETS)
    if _take(algorithm[1], _OID)[0][1] != _SHA256 or imprint[1] != digest:
        raise TimestampError("the token is over something else than the checkpoint")
    text = parts[4][1].decode("ascii", "replace")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    try:
        time = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return int(time.timestamp()) * 1000 + int(fraction[:3].ljust(3, "0"))
    except ValueError:
        raise TimestampError(f"unreadable time {text!r}") from None


def _check_signer(
    data: bytes, info: bytes, certificates: list[x509.Certificate]
) -> x509.Certificate:
    """The certificate whose key signed the attributes that name `info`'s digest."""
    parts = _all(data)
    if [part[0] for part in parts[2:6]] != [_SEQUENCE, _CONTEXT_0, _SEQUENCE, _OCTETS]:
        raise TimestampError("the signer's form is not known")
    algorithm = _HASHES.get(_take(parts[2][1], _OID)[0][1])
    if algorithm is None:
        raise TimestampError("the signer's digest is none of SHA-256, SHA-384, SHA-512")
    attributes = {}
    for item in _all(parts[3][1]):
        name, values = _take(item[1], _OID, _SET)[:2]
        attributes[name[1]] = values[1]
    digest = hashes.Hash(algorithm)
    digest.update(info)
    if (
        _one(attributes.get(_CONTENT_TYPE, b""), _OID) != _TST_INFO
        or _one(attributes.get(_MESSAGE_DIGEST, b""), _OCTETS) != digest.finalize()
    ):
        raise TimestampError("the signed attributes name another content")
    signed = bytes((_SET,)) + parts[3][2][1:]
    for certificate in certificates:
        key = certificate.public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(parts[5][1], signed, padding.PKCS1v15(), algorithm)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(parts[5][1], signed, ec.ECDSA(algorithm))
            else:
                continue
        except (ValueError, InvalidSignature):
            continue
        return certificate
    raise TimestampError("no certificate in the token made its signature")


def _check_trust(
    signer: x509.Certificate,
    certificates: list[x509.Certificate],
    trusted: list[x509.Certificate],
    time_ms: int,
) -> None:
    """The signer may stamp time and is, or descends from, a certificate of the policy."""
    try:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise TimestampError("the signer's certificate is not for time-stamping") from None
    if ExtendedKeyUsageOID.TIME_STAMPING not in usage:
        raise TimestampError("the signer's certificate is not for time-stamping")
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    if not signer.not_valid_before_utc <= at <= signer.not_valid_after_utc:
        raise TimestampError("the signer's certificate was not valid at that time")
    found = signer
    for _ in range(len(certificates) + 1):
        if found in trusted or any(_issued(found, other) for other in trusted):
            return
        issuer = next((one for one in certificates if one != found and _issued(found, one)), None)
        if issuer is None:
            break
        found = issuer
    raise TimestampError("the signer's certificate is none of the policy's, nor issued by one")


def _certificates(ders: Iterable[bytes]) -> list[x509.Certificate]:
    """The certificates that can be read."""
    found = []
    for der in ders:
        try:
            certificate = x509.load_der_x509_certificate(der)
            certificate.public_key()
        except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
            continue
        found.append(certificate)
    return found


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (
        ValueError,
        TypeError,
        InvalidSignature,
        UnsupportedAlgorithm,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
    ):
        return False
    return limits.ca


def _all(data: bytes) -> list[Element]:
    """(tag, content, whole) of each DER element in a row."""
    found, place = [], 0
    while place < len(data):
        start, place = place, place + 2
        length = int.from_bytes(data[start + 1 : place], "big")
        if length & _LONG:
            count = length & ~_LONG
            length = int.from_bytes(data[place : place + count], "big")
            place += count
            if not 1 <= count <= _LENGTH_BYTES_MAX or length < _LONG:
                raise TimestampError("not DER")
        end = place + length
        if end > len(data) or start + 2 > len(data):
            raise TimestampError("DER cut short")
        found.append((data[start], data[place:end], data[start:end]))
        place = end
    return found


def _take(data: bytes, *tags: int) -> list[Element]:
    """The elements, of which the first have these tags."""
    found = _all(data)
    if tuple(item[0] for item in found[: len(tags)]) != tags:
        raise TimestampError("the token's form is not known")
    return found


def _one(data: bytes, tag: int) -> bytes:
    """The content of the one element there is."""
    found = _take(data, tag)
    if len(found) != 1:
        raise TimestampError("the token's form is not known")
    return found[0][1]
