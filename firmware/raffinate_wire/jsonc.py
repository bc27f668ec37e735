"""Canonical JSON: one text for every value, in the style of RFC 8785 but with scaled decimals.

No white space, no duplicate members, no exponents, no float anywhere: a number with a point is a
`Num`, mantissa and decimals. Whatever is not in its one form is refused while it is read.
"""

from raffinate_wire.errors import WireError
from raffinate_wire.ids import U53_MAX

if False:  # for the type checker alone: boards have no typing module
    from typing import Any, Iterator

DEPTH_MAX = 8
MEMBERS_MAX = 1024
DIGITS_MAX = 7
DECIMALS_MAX = 11
TINY_DECIMALS = 5


class Num:
    """A decimal number with a point: mantissa / 10**decimals, without trailing zeros."""

    def __init__(self, mantissa: int, decimals: int) -> None:
        self.mantissa = mantissa
        self.decimals = decimals


class Obj:
    """An object's members, kept in their order. Reads like a dict."""

    def __init__(self, pairs: "list[tuple[str, Any]]") -> None:
        self.pairs = pairs

    def get(self, key: str, default: "Any" = None) -> "Any":
        """Return the member's value, or the default."""
        raise NotImplementedError

    def keys(self) -> "list[str]":
        """Return the names in their order."""
        raise NotImplementedError

    def items(self) -> "list[tuple[str, Any]]":
        """Return (name, value) pairs in their order."""
        raise NotImplementedError


def parse(data: bytes, depth_max: int = DEPTH_MAX) -> "Any":
    """Return the value of canonical JSON: Obj, list, str, int, Num, bool or None; raise WireError."""
    raise NotImplementedError


def text(value: str) -> str:
    """Return a JSON string, escaped as RFC 8785 does."""
    raise NotImplementedError


def integer(value: int) -> str:
    """Return an integer below 2^53 in magnitude; raise `bad-integer`."""
    raise NotImplementedError


def number(mantissa: int, decimals: int, digits_max: int = DIGITS_MAX) -> str:
    """Return mantissa / 10**decimals by protocol 1; raise `bad-number`.

    At most digits_max significant digits, no trailing zero, no exponent, not below 0.00001 unless 0.
    """
    raise NotImplementedError
