"""Base64 that has exactly one text for every byte string (RFC 4648, sections 4 and 5).

The decoders of CPython and MicroPython skip characters outside the alphabet, so the text is
encoded again and compared.
"""

from binascii import a2b_base64, b2a_base64

from raffinate_wire.errors import WireError

# Long texts are made and checked in pieces, so that no second copy of them is needed.
CHUNK_BYTES = 48
CHUNK_CHARS = 64


def encode(data: bytes) -> str:
    """Return padded standard base64 without a newline."""
    return b2a_base64(data)[:-1].decode()


def encode_into(out: bytearray, at: int, data: "bytes | bytearray") -> int:
    """Write padded standard base64 of data into `out` from `at`; return where it ends."""
    for start in range(0, len(data), CHUNK_BYTES):
        line = b2a_base64(bytes(data[start : start + CHUNK_BYTES]))
        end = at + len(line) - 1
        out[at:end] = line[:-1]
        at = end
    return at


def encoded_chars(data_bytes: int) -> int:
    """How long the padded base64 of so many bytes is."""
    return (data_bytes + 2) // 3 * 4


def decode(text: str) -> bytes:
    """Return the bytes of padded standard base64 with zero trailing bits; raise `bad-base64`."""
    try:
        data = a2b_base64(text)
    except (ValueError, TypeError):
        raise WireError("bad-base64", "this is not base64") from None
    if encoded_chars(len(data)) != len(text):
        raise WireError("bad-base64", "this base64 is not in its canonical form")
    for start in range(0, len(data), CHUNK_BYTES):
        at = start // CHUNK_BYTES * CHUNK_CHARS
        if encode(data[start : start + CHUNK_BYTES]) != text[at : at + CHUNK_CHARS]:
            raise WireError("bad-base64", "this base64 is not in its canonical form")
    return data


def encode_url(data: bytes) -> str:
    """Return base64 with the URL alphabet and without padding."""
    return encode(data).replace("+", "-").replace("/", "_").replace("=", "")


def decode_url(text: str) -> bytes:
    """Return the bytes of unpadded URL-alphabet base64; raise `bad-base64`."""
    if not isinstance(text, str) or "+" in text or "/" in text or "=" in text:
        raise WireError("bad-base64", "this is not unpadded base64 of the URL alphabet")
    plain = text.replace("-", "+").replace("_", "/")
    return decode(plain + "=" * (-len(plain) % 4))
