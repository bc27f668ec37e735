"""The line-wise texts of C2SP's formats: lines, decimal sizes, hashes in base64."""

from raffinate_wire import b64
from raffinate_wire.errors import WireError
from raffinate_wire.ids import U53_MAX

SIZE_DIGITS_MAX = 16


def take_line(data: bytes, at: int) -> "tuple[bytes, int]":
    """Return the line that begins at `at`, without its newline, and the place after that."""
    end = data.find(b"\n", at)
    if end < 0:
        raise WireError("truncated", "the text does not end in a newline")
    return data[at:end], end + 1


def parse_size(digits: bytes) -> int:
    """Return a decimal number without sign, blank or leading zero, below 2^53; raise `bad-size`."""
    if not 0 < len(digits) <= SIZE_DIGITS_MAX or (digits[0] == 0x30 and len(digits) > 1):
        raise WireError("bad-size", f"{digits!r} is no decimal number in its one form")
    for digit in digits:
        if not 0x30 <= digit <= 0x39:
            raise WireError("bad-size", f"{digits!r} is no decimal number in its one form")
    size = int(bytes(digits).decode())
    if size > U53_MAX:
        raise WireError("bad-size", f"{size} is above 2^53 - 1")
    return size


def parse_hash(line: bytes) -> bytes:
    """Return the 32 bytes of a base64 line; raise `bad-base64`."""
    try:
        value = b64.decode(bytes(line).decode())
    except UnicodeError:
        raise WireError("bad-base64", "this is not base64") from None
    if len(value) != 32:
        raise WireError("bad-base64", "a hash line has 32 bytes in base64")
    return value
