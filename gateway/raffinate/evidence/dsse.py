"""DSSE envelopes at full speed: the same bytes as `raffinate_wire.dsse`, checked by OpenSSL.

Envelope (DSSE 1.0.2, protocol 4): `{"payload":"<b64>","payloadType":"<type>",
"signatures":[{"keyid":"<64 hex>","sig":"<b64 DER>"}]}`, exactly so.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from raffinate.errors import RejectedError
from raffinate.tlog.note import NoteError, load_p256
from raffinate.tlog.p256 import SignatureError, check_der, low_s
from raffinate_wire.statement import PAYLOAD_BYTES_MAX

STATEMENT = b"application/vnd.in-toto+json"
PERMIT = b"application/vnd.raffinate.permit+json"
MANIFEST = b"application/vnd.raffinate.manifest+json"
LICENCE = b"application/vnd.raffinate.licence+toml"
DOCUMENT = b"application/vnd.raffinate.document+toml"
ENVELOPE_BYTES_MAX = 6144
_KEYID_DIGITS = 64
_HEAD = b'{"payload":"'
_TYPE = b'","payloadType":"'
_KEYID = b'","signatures":[{"keyid":"'
_SIG = b'","sig":"'
_END = b'"}]}'
_USUAL_SIG_CHARS = 96
_SIG_START = -len(_END) - _USUAL_SIG_CHARS
_TAIL_START = _SIG_START - len(_TYPE + STATEMENT + _KEYID + _SIG) - _KEYID_DIGITS
TAIL = slice(_TAIL_START, _SIG_START)
_STATEMENT_PAE = b"DSSEv1 %d %b " % (len(STATEMENT), STATEMENT)
# Strict DER of usual length with s well below n/2; what differs is looked at by `check_der`.
_USUAL_FORM = re.compile(
    rb"0(?:D\x02 [\x01-\x7f]|E\x02!\0[\x80-\xfe]).{31}\x02 [\x01-\x7e].{31}", re.DOTALL
).fullmatch
_HEX = frozenset(b"0123456789abcdef")
# How base64 ends when the bits that padding leaves over are zero.
_ONE_PAD = frozenset(b"%c=" % char for char in b"AEIMQUYcgkosw048")
_TWO_PADS = frozenset(b"%c==" % char for char in b"AQgw")
_MIDDLES_KEPT = 1024
_TYPE_BYTES_KEPT = 64
_MIDDLES: dict[bytes, tuple[bytes, str]] = {}
_SHA256 = ec.ECDSA(hashes.SHA256())
_PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))


class SigningKey(Protocol):
    """A private P-256 key and its keyid."""

    @property
    def private(self) -> ec.EllipticCurvePrivateKey:
        """The key."""

    @property
    def keyid(self) -> str:
        """Lowercase hex SHA-256 of the SPKI DER."""


class Envelope(NamedTuple):
    """A well-formed envelope; nothing in it is verified until `verify`."""

    payload: bytes
    payload_type: bytes
    keyid: str
    signature: bytes


def decode_envelope(data: bytes, bytes_max: int = ENVELOPE_BYTES_MAX) -> Envelope:
    """Take an envelope apart. Raises RejectedError `envelope` or `too-long`."""
    if len(data) > bytes_max:
        raise RejectedError("too-long", f"an envelope has at most {bytes_max} bytes")
    end, start = data.find(b'"', len(_HEAD)), data.rfind(b'"', 0, -len(_END)) + 1
    middle = data[end:start]
    found = _MIDDLES.get(middle)
    if not (found and data.startswith(_HEAD) and data.endswith(_END)):
        return _decode_new(data)
    payload_type, keyid = found
    return Envelope(
        _base64(data[len(_HEAD) : end]), payload_type, keyid, _base64(data[start : -len(_END)])
    )


def statement_tail(keyid: str) -> bytes:
    """What stands at `TAIL` in a statement's envelope of this key, if its signature is usual."""
    return b"".join((_TYPE, STATEMENT, _KEYID, keyid.encode(), _SIG))


class Opening:
    """Reads envelopes of statements whose payloads begin with `head`, which is not decoded again.

    What `read` gives of a payload begins `skip` bytes (0 to 2) before the end of the head.
    """

    __slots__ = ("_begin", "_decoded", "_last", "_signed", "_start", "head", "skip")

    def __init__(self, head: bytes) -> None:
        self.head, self.skip = head, len(head) % 3
        cut = len(head) - self.skip
        self._decoded, self._last = head[:cut], head[cut:]
        self._begin = _HEAD + b2a_base64(self._decoded, newline=False)
        self._start = len(self._begin)
        self._signed: dict[int, bytes] = {}

    def read(self, data: bytes) -> tuple[bytes, bytes, bytes] | None:
        """(rest of the payload, signature, SHA-256 of what is signed) of a statement's envelope.

        The caller has found the `statement_tail` of a key at `TAIL`. None: ask `decode_envelope`,
        of which this is the quick half.
        """
        if not data.startswith(self._begin) or not data.endswith(_END):
            return None
        text, last = data[self._start : _TAIL_START], data[_SIG_START : -len(_END)]
        try:
            rest, signature = a2b_base64(text, strict_mode=True), a2b_base64(last, strict_mode=True)
        except Base64Error:
            return None
        signed = self._signed.get(len(rest)) or self._begin_signed(len(rest))
        if not (signed and rest.startswith(self._last)):
            return None
        # _is_loose, without its calls
        if text[-2:] not in _ONE_PAD and text[-3:] not in _TWO_PADS and text.endswith(b"="):
            return None
        if last[-2:] not in _ONE_PAD and last[-3:] not in _TWO_PADS and last.endswith(b"="):
            return None
        return rest, signature, sha256(signed + rest).digest()

    def _begin_signed(self, rest_bytes: int) -> bytes:
        """How what is signed begins, for so many bytes to follow; nothing when there are too many.

        The envelope of a payload of at most PAYLOAD_BYTES_MAX has at most ENVELOPE_BYTES_MAX.
        """
        size = len(self._decoded) + rest_bytes
        if size > PAYLOAD_BYTES_MAX:
            return b""
        found = self._signed[rest_bytes] = b"%b%d %b" % (_STATEMENT_PAE, size, self._decoded)
        return found


def verify_digest(signature: bytes, digest: bytes, key: ec.EllipticCurvePublicKey) -> None:
    """Check a signature as `verify` does, over a SHA-256. Raises RejectedError `signature`."""
    if _USUAL_FORM(signature) is None:
        _check_form(signature)
    try:
        key.verify(signature, digest, _PREHASHED)
    except InvalidSignature:
        raise RejectedError("signature", "the signature does not verify") from None


def encode_envelope(payload: bytes, payload_type: bytes, keyid: str, signature: bytes) -> bytes:
    """The envelope's bytes."""
    return b"".join(
        (
            _HEAD,
            b2a_base64(payload, newline=False),
            _TYPE,
            payload_type,
            _KEYID,
            keyid.encode(),
            _SIG,
            b2a_base64(signature, newline=False),
            _END,
        )
    )


def pae(payload: bytes, payload_type: bytes) -> bytes:
    """DSSE's pre-authentication encoding; lengths in bytes."""
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type, len(payload), payload)


def digest(envelope: Envelope) -> bytes:
    """SHA-256 of what is signed."""
    return sha256(pae(envelope.payload, envelope.payload_type)).digest()


def verify(envelope: Envelope, key: ec.EllipticCurvePublicKey) -> None:
    """Check the signature, strict DER and low s included. Raises RejectedError `signature`."""
    _check_form(envelope.signature)
    try:
        key.verify(envelope.signature, pae(envelope.payload, envelope.payload_type), _SHA256)
    except InvalidSignature:
        raise RejectedError("signature", "the signature does not verify") from None


def check_form(envelope: Envelope) -> None:
    """Check that the signature is strict DER with a low s. Raises RejectedError `signature`."""
    if _USUAL_FORM(envelope.signature) is None:
        _check_form(envelope.signature)


def sign(payload: bytes, payload_type: bytes, pair: SigningKey) -> bytes:
    """An envelope signed by a key of the gateway or of the authority."""
    signature = low_s(pair.private.sign(pae(payload, payload_type), _SHA256))
    return encode_envelope(payload, payload_type, pair.keyid, signature)


def public_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """A P-256 key of canonical SPKI DER. Raises RejectedError `key`."""
    try:
        return load_p256(spki)
    except NoteError as error:
        raise RejectedError("key", str(error)) from None


def _check_form(signature: bytes) -> None:
    try:
        check_der(signature)
    except SignatureError as error:
        raise RejectedError("signature", str(error)) from None


def _decode_new(data: bytes) -> Envelope:
    """Take any envelope apart; what stands between payload and signature is remembered."""
    payload, mark, rest = data[len(_HEAD) :].partition(_TYPE)
    payload_type, mark2, rest = rest.partition(_KEYID)
    keyid, mark3, rest = rest.partition(_SIG)
    if not (data.startswith(_HEAD) and rest.endswith(_END) and mark and mark2 and mark3):
        raise RejectedError("envelope", "not an envelope in its one canonical form")
    if len(keyid) != _KEYID_DIGITS or not _HEX.issuperset(keyid):
        raise RejectedError("envelope", "the keyid is not 64 lowercase hexadecimal digits")
    if b'"' in payload_type or b"\\" in payload_type or not payload_type.isascii():
        raise RejectedError("envelope", "the payload type is not plain ASCII")
    found = Envelope(_base64(payload), payload_type, keyid.decode(), _base64(rest[: -len(_END)]))
    if len(payload_type) <= _TYPE_BYTES_KEPT:
        if len(_MIDDLES) >= _MIDDLES_KEPT:
            _MIDDLES.clear()
        _MIDDLES[b"".join((_TYPE, payload_type, _KEYID, keyid, _SIG))] = payload_type, found.keyid
    return found


def _base64(text: bytes) -> bytes:
    try:
        data = a2b_base64(text, strict_mode=True)
    except Base64Error:
        raise RejectedError("envelope", "not padded standard base64") from None
    if _is_loose(text):
        raise RejectedError("envelope", "base64 with trailing bits that are not zero")
    return data


def _is_loose(text: bytes) -> bool:
    """True when the bits that padding leaves over are not zero."""
    return text[-2:] not in _ONE_PAD and text[-3:] not in _TWO_PADS and text.endswith(b"=")
