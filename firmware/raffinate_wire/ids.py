"""Identifiers, hexadecimal digests and integers as every format of this package writes them."""

from binascii import hexlify, unhexlify

from raffinate_wire.errors import WireError

U53_MAX = (1 << 53) - 1
ID_CHARS_MAX = 32
ORIGIN_CHARS_MAX = 100
TEXT_CHARS_MAX = 128
CODE_CHARS_MAX = 48
NONCE_BYTES = 16
# A statement's `node` for the two signers that are no boards, so no board may have these names.
RESERVED_NODES = ("gateway", "authority")

_ID = "abcdefghijklmnopqrstuvwxyz0123456789-"
_HEX = "0123456789abcdef"


def check_id(text: str) -> str:
    """Return a site, node, section, stage or equipment name; raise `bad-id`."""
    _check_chars(text, _ID, ID_CHARS_MAX, "bad-id")
    if text[0] == "-":
        raise WireError("bad-id", f"the name {text!r} begins with a hyphen")
    return text


def check_node(text: str) -> str:
    """Return a board's name: an id that is not one of RESERVED_NODES; raise `bad-id`."""
    if text in RESERVED_NODES:
        raise WireError(
            "bad-id", f"the name {text!r} is reserved for statements that no node signs"
        )
    return check_id(text)


def check_keyid(text: str) -> str:
    """Return a key id or digest, 64 lowercase hexadecimal digits; raise `bad-keyid`."""
    return _check_hex(text, 64, "bad-keyid")


def check_key16(text: str) -> str:
    """Return the first 16 digits of a key id, as frames and acks carry it; raise `bad-keyid`."""
    return _check_hex(text, 16, "bad-keyid")


def check_nonce(text: str) -> str:
    """Return a nonce, 32 lowercase hexadecimal digits; raise `bad-nonce`."""
    return _check_hex(text, 2 * NONCE_BYTES, "bad-nonce")


def check_origin(text: str) -> str:
    """Return a log origin `<domain>/raffinate/<site>` of at most 100 characters.

    Raises `bad-origin`, or `bad-id` for the site.
    """
    parts = text.split("/") if isinstance(text, str) else []
    if len(parts) != 3 or parts[1] != "raffinate" or len(text) > ORIGIN_CHARS_MAX:
        raise WireError("bad-origin", f"a log origin reads <domain>/raffinate/<site>, not {text!r}")
    _check_chars(parts[0], _ID + ".", ORIGIN_CHARS_MAX, "bad-origin")
    for label in parts[0].split("."):
        if not label or label[0] == "-" or label[-1] == "-":
            raise WireError("bad-origin", f"{parts[0]!r} is no domain name")
    check_id(parts[2])
    return text


def check_text(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return a string a node may write: printable ASCII without `"` and backslash.

    Raises `bad-text`.
    """
    if not isinstance(text, str) or len(text) > chars_max:
        raise WireError("bad-text", f"a text of at most {chars_max} characters is expected")
    for char in text:
        if not " " <= char <= "~" or char in '"\\':
            raise WireError("bad-text", f"the character {char!r} is not allowed in {text!r}")
    return text


def check_code(text: str) -> str:
    """Return a reason code, `[A-Za-z0-9-]{1,48}`; raise `bad-code`."""
    return _check_chars(text, _ID + "ABCDEFGHIJKLMNOPQRSTUVWXYZ", CODE_CHARS_MAX, "bad-code")


def check_uint(number: int, name: str = "number") -> int:
    """Return an integer in 0..U53_MAX; raise `bad-integer`."""
    if not isinstance(number, int) or number is True or number is False:
        raise WireError("bad-integer", f"{name} is not an integer")
    if not 0 <= number <= U53_MAX:
        raise WireError("bad-integer", f"{name} is {number}, outside 0 to 2^53 - 1")
    return number


def hex_bytes(text: str) -> bytes:
    """Return the bytes of lowercase hexadecimal text; raise `bad-hex`."""
    if not isinstance(text, str) or len(text) % 2:
        raise WireError("bad-hex", "hexadecimal text has an even number of digits")
    return unhexlify(_check_hex(text, len(text), "bad-hex"))


def to_hex(data: bytes) -> str:
    """Return lowercase hexadecimal text."""
    return hexlify(data).decode()


def _check_hex(text: str, digits: int, code: str) -> str:
    if not isinstance(text, str) or len(text) != digits:
        raise WireError(code, f"{digits} lowercase hexadecimal digits are expected, not {text!r}")
    for char in text:
        if char not in _HEX:
            raise WireError(code, f"{char!r} is no lowercase hexadecimal digit")
    return text


def _check_chars(text: str, allowed: str, chars_max: int, code: str) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= chars_max:
        raise WireError(code, f"1 to {chars_max} characters are expected, not {text!r}")
    for char in text:
        if char not in allowed:
            raise WireError(code, f"the character {char!r} is not allowed in {text!r}")
    return text
