"""Strict UTF-8: MicroPython's own decoder takes overlong forms and surrogates."""

from raffinate_wire.errors import WireError


def decode_utf8(data: bytes) -> str:
    """Return the text of well-formed UTF-8 (RFC 3629); raise `bad-utf8`."""
    at = 0
    length = len(data)
    while at < length:
        lead = data[at]
        at += 1
        if lead < 0x80:
            continue
        more, low, high = _follow(lead)
        if at + more > length or not low <= data[at] <= high:
            raise WireError("bad-utf8", f"byte {at} does not continue a UTF-8 character")
        for offset in range(1, more):
            if data[at + offset] & 0xC0 != 0x80:
                raise WireError(
                    "bad-utf8", f"byte {at + offset} does not continue a UTF-8 character"
                )
        at += more
    return bytes(data).decode()


def _follow(lead: int) -> "tuple[int, int, int]":
    # How many bytes follow, and the bounds of the first of them (RFC 3629, section 4).
    if 0xC2 <= lead <= 0xDF:
        return 1, 0x80, 0xBF
    if 0xE0 <= lead <= 0xEF:
        return 2, 0xA0 if lead == 0xE0 else 0x80, 0x9F if lead == 0xED else 0xBF
    if 0xF0 <= lead <= 0xF4:
        return 3, 0x90 if lead == 0xF0 else 0x80, 0x8F if lead == 0xF4 else 0xBF
    raise WireError("bad-utf8", f"{lead:#04x} begins no UTF-8 character")
