"""DSSE 1.0.2 envelopes in one narrow form: one signature, canonical bytes, ECDSA P-256.

`{"payload":"…","payloadType":"…","signatures":[{"keyid":"…","sig":"…"}]}`
"""

import hashlib

from raffinate_wire import b64, ids, p256
from raffinate_wire.errors import WireError
from raffinate_wire.jsonc import Obj, parse, text
from raffinate_wire.record import check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

PAYLOAD_STATEMENT = "application/vnd.in-toto+json"
PAYLOAD_PERMIT = "application/vnd.raffinate.permit+json"
ENVELOPE_BYTES_MAX = 6144
SIG_BYTES_MAX = 72
_HEAD = b'{"payload":"'


class Envelope:
    """An envelope's payload_type, payload, keyid (64 hex digits) and sig (DER)."""

    def __init__(self, payload_type: str, payload: bytes, keyid: str, sig: bytes) -> None:
        self.payload_type = payload_type
        self.payload = payload
        self.keyid = keyid
        self.sig = sig


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed; lengths count bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def digest(payload_type: str, payload: "bytes | bytearray") -> bytes:
    """Return SHA-256 of pae(...), which p256.sign and p256.verify take."""
    kind = payload_type.encode()
    whole = hashlib.sha256(b"DSSEv1 %d %s %d " % (len(kind), kind, len(payload)))
    whole.update(payload)
    return whole.digest()


def format_envelope(
    payload_type: str,
    payload: bytes,
    keyid: str,
    sig: bytes,
    bytes_max: int = ENVELOPE_BYTES_MAX,
) -> bytes:
    """Return the envelope's bytes; raise WireError, `too-long` above bytes_max."""
    return bytes(build_envelope(payload_type, payload, keyid, sig, bytes_max))


def build_envelope(
    payload_type: str,
    payload: "bytes | bytearray",
    keyid: str,
    sig: bytes,
    bytes_max: int = ENVELOPE_BYTES_MAX,
) -> bytearray:
    """Do format_envelope in one buffer, for a small heap."""
    ids.check_keyid(keyid)
    kind = text(ids.check_text(payload_type))
    tail = (
        f'","payloadType":{kind},"signatures":[{{"keyid":"{keyid}","sig":"{b64.encode(sig)}"}}]}}'
    )
    payload_end = len(_HEAD) + b64.encoded_chars(len(payload))
    if payload_end + len(tail) > bytes_max:
        raise WireError("too-long", f"the envelope has more than {bytes_max} bytes")
    envelope = bytearray(payload_end + len(tail))
    envelope[: len(_HEAD)] = _HEAD
    b64.encode_into(envelope, len(_HEAD), payload)
    envelope[payload_end:] = tail.encode()
    return envelope


def parse_envelope(data: bytes, bytes_max: int = ENVELOPE_BYTES_MAX) -> Envelope:
    """Return the envelope, nothing in it verified; raise WireError."""
    if len(data) > bytes_max:
        raise WireError("too-long", f"the envelope has more than {bytes_max} bytes")
    value = _object(parse(data, 3), ["payload", "payloadType", "signatures"])
    signatures = value["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise WireError("signature-count", "an envelope has exactly one signature")
    signature = _object(signatures[0], ["keyid", "sig"])
    sig = b64.decode(signature["sig"])
    if not 0 < len(sig) <= SIG_BYTES_MAX:
        raise WireError("bad-der", f"a signature has 1 to {SIG_BYTES_MAX} bytes")
    return Envelope(
        ids.check_text(value["payloadType"]),
        b64.decode(value["payload"]),
        ids.check_keyid(signature["keyid"]),
        sig,
    )


def open_envelope(
    data: bytes,
    key: "Any",
    payload_type: "str | None" = None,
    bytes_max: int = ENVELOPE_BYTES_MAX,
) -> Envelope:
    """Return the envelope whose signature verifies under `key`; raise WireError.

    `key` is an SPKI, a point or a p256.Key. Codes: `wrong-key` when the keyid is another key's,
    `wrong-payload-type` when one is given and differs, `bad-signature`, `high-s`, `bad-der`. Parse
    the payload only after this.
    """
    envelope: Envelope = p256.run(open_steps(data, key, payload_type, bytes_max))
    return envelope


def open_steps(
    data: bytes,
    key: "Any",
    payload_type: "str | None" = None,
    bytes_max: int = ENVELOPE_BYTES_MAX,
) -> "Generator[None, None, Envelope]":
    """Do open_envelope in slices: a generator that returns the envelope."""
    envelope = parse_envelope(data, bytes_max)
    point = p256.as_key(key)
    x, y = p256.point_of(point)
    if envelope.keyid != p256.keyid(p256.spki(x, y)):
        raise WireError("wrong-key", "the envelope names another key")
    if payload_type is not None and envelope.payload_type != payload_type:
        raise WireError("wrong-payload-type", f"the payload is no {payload_type}")
    yield
    yield from p256.verify_steps(
        point, digest(envelope.payload_type, envelope.payload), envelope.sig
    )
    return envelope


def _object(value: "Any", names: "list[str]") -> Obj:
    if not isinstance(value, Obj):
        raise WireError("wrong-type", "an object is expected")
    check_names(names, value)
    return value
