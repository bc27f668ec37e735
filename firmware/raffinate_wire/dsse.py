"""DSSE 1.0.2 envelopes in one narrow form: one signature, canonical bytes, ECDSA P-256."""

PAYLOAD_STATEMENT = "application/vnd.in-toto+json"
PAYLOAD_PERMIT = "application/vnd.raffinate.permit+json"
ENVELOPE_BYTES_MAX = 6144


class Envelope:
    """payload_type (str), payload (bytes), keyid (str), sig (DER bytes)."""

    def __init__(self, payload_type: str, payload: bytes, keyid: str, sig: bytes) -> None:
        self.payload_type = payload_type
        self.payload = payload
        self.keyid = keyid
        self.sig = sig


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed; lengths are in bytes."""
    raise NotImplementedError


def digest(payload_type: str, payload: bytes) -> bytes:
    """Return SHA-256 of pae(...), what p256.sign and p256.verify take."""
    raise NotImplementedError


def format_envelope(
    payload_type: str, payload: bytes, keyid: str, sig: bytes, bytes_max: int = ENVELOPE_BYTES_MAX
) -> bytes:
    """Return the envelope's bytes; raise WireError, `too-long` above bytes_max."""
    raise NotImplementedError


def parse_envelope(data: bytes, bytes_max: int = ENVELOPE_BYTES_MAX) -> Envelope:
    """Return the envelope, nothing in it verified; raise WireError."""
    raise NotImplementedError


def open_envelope(
    data: bytes,
    key: "bytes | tuple[int, int]",
    payload_type: "str | None" = None,
    bytes_max: int = ENVELOPE_BYTES_MAX,
) -> Envelope:
    """Return the envelope whose signature verifies under `key` (SPKI DER or point); raise WireError.

    `wrong-key` when its keyid is another key's, `wrong-payload-type` when payload_type is given and
    differs, `bad-signature`. Parse the payload only after this.
    """
    raise NotImplementedError


def open_steps(
    data: bytes,
    key: "bytes | tuple[int, int]",
    payload_type: "str | None" = None,
    bytes_max: int = ENVELOPE_BYTES_MAX,
):
    """open_envelope in slices: a generator that returns the envelope."""
    raise NotImplementedError
