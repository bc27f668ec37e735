"""Canonical JSON: one text for every value, strings as RFC 8785, numbers as scaled decimals.

No white space, no duplicate members, no exponent and no float anywhere: a number with a point is
a `Num`. What is not in its one form is refused while it is read, so that writing a value that was
read gives the same bytes.
"""

from raffinate_wire.errors import WireError
from raffinate_wire.ids import U53_MAX
from raffinate_wire.utf8 import decode_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 8
MEMBERS_MAX = 64
ITEMS_MAX = 1024
DIGITS_MAX = 7
DECIMALS_MAX = 11
# The smallest magnitude written is 10**-TINY_DECIMALS: below it other writers use an exponent.
TINY_DECIMALS = 5

_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_UNESCAPES = {98: 8, 116: 9, 110: 10, 102: 12, 114: 13, 34: 34, 92: 92}
_HEX = b"0123456789abcdef"


class Num:
    """A decimal number with a point: mantissa / 10**decimals, without trailing zeros."""

    def __init__(self, mantissa: int, decimals: int) -> None:
        self.mantissa = mantissa
        self.decimals = decimals

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Num)
            and self.mantissa == other.mantissa
            and self.decimals == other.decimals
        )

    def __hash__(self) -> int:
        return hash((self.mantissa, self.decimals))

    def __repr__(self) -> str:
        return f"Num({self.mantissa}, {self.decimals})"


class Obj:
    """An object's members, kept in their order; reads like a dict."""

    def __init__(self, pairs: "list[tuple[str, Any]]") -> None:
        self.pairs = pairs

    def get(self, key: str, default: "Any" = None) -> "Any":
        """Return the member's value, or the default."""
        for name, value in self.pairs:
            if name == key:
                return value
        return default

    def keys(self) -> "list[str]":
        """Return the names in their order."""
        return [name for name, _ in self.pairs]

    def items(self) -> "list[tuple[str, Any]]":
        """Return the (name, value) pairs in their order."""
        return self.pairs

    def __getitem__(self, key: str) -> "Any":
        for name, value in self.pairs:
            if name == key:
                return value
        raise KeyError(key)

    def __contains__(self, key: str) -> bool:
        return any(name == key for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Obj) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(tuple(self.keys()))

    def __repr__(self) -> str:
        return f"Obj({self.pairs!r})"


def parse(data: bytes, depth_max: int = DEPTH_MAX) -> "Any":
    """Return Obj, list, str, int, Num, bool or None; raise WireError."""
    reader = _Reader(data)
    value = reader.value(depth_max)
    if reader.at != len(data):
        raise WireError("trailing-data", f"bytes follow the value at {reader.at}")
    return value


def text(value: str) -> str:
    """Return a JSON string, escaped as RFC 8785 does; raise `bad-text` for a lone surrogate."""
    plain = True
    for char in value:
        if char < " " or char in '"\\':
            plain = False
        elif 0xD800 <= ord(char) <= 0xDFFF:
            raise WireError("bad-text", "a lone surrogate is no character")
    if plain:
        return '"' + value + '"'
    return '"' + "".join([_escape(char) for char in value]) + '"'


def integer(value: int) -> str:
    """Return an integer below 2^53 in magnitude; raise `bad-integer`."""
    if not isinstance(value, int) or value is True or value is False:
        raise WireError("bad-integer", f"{value!r} is not an integer")
    if not -U53_MAX <= value <= U53_MAX:
        raise WireError("bad-integer", f"{value} is not below 2^53 in magnitude")
    return str(value)


def number(mantissa: int, decimals: int, digits_max: int = DIGITS_MAX) -> str:
    """Return mantissa / 10**decimals in its shortest form; raise `bad-number`.

    At most digits_max significant digits and 11 decimals, no trailing zero after the point, no
    exponent, no -0, and not below 0.00001 unless 0.
    """
    digits = integer(abs(mantissa))
    if not 0 <= decimals <= DECIMALS_MAX:
        raise WireError("bad-number", f"{decimals} decimals are outside 0 to {DECIMALS_MAX}")
    while decimals and digits[-1] == "0" and len(digits) > 1:
        digits = digits[:-1]
        decimals -= 1
    if digits == "0":
        return "0"
    check_digits(int(digits), decimals, digits_max)
    sign = "-" if mantissa < 0 else ""
    if not decimals:
        return sign + digits
    if len(digits) <= decimals:
        digits = "0" * (decimals + 1 - len(digits)) + digits
    return sign + digits[:-decimals] + "." + digits[-decimals:]


def check_digits(mantissa: int, decimals: int, digits_max: int) -> None:
    """Raise `bad-number` above digits_max significant digits, or below 0.00001 but not 0."""
    magnitude = abs(mantissa)
    if magnitude and magnitude * 10**TINY_DECIMALS < 10**decimals:
        raise WireError("bad-number", "a number below 0.00001 is written as 0")
    while magnitude and magnitude % 10 == 0:
        magnitude //= 10
    if magnitude >= 10**digits_max:
        raise WireError("bad-number", f"more than {digits_max} significant digits")


def _escape(char: str) -> str:
    code = ord(char)
    if code in _ESCAPES:
        return _ESCAPES[code]
    return f"\\u{code:04x}" if code < 0x20 else char


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def peek(self) -> int:
        if self.at >= len(self.data):
            raise WireError("truncated", "the text ends inside a value")
        return self.data[self.at]

    def take(self, expected: bytes) -> None:
        if self.data[self.at : self.at + len(expected)] != expected:
            self.peek()
            raise WireError("not-canonical", f"{expected!r} is expected at byte {self.at}")
        self.at += len(expected)

    def value(self, depth_left: int) -> "Any":
        lead = self.peek()
        if lead == 0x22:
            return self.string()
        if lead == 0x2D or 0x30 <= lead <= 0x39:
            return self.number()
        if lead in b"{[":
            if depth_left < 1:
                raise WireError("too-deep", f"the value at byte {self.at} is nested too deeply")
            return self.object(depth_left - 1) if lead == 0x7B else self.array(depth_left - 1)
        for word, value in ((b"true", True), (b"false", False), (b"null", None)):
            if lead == word[0]:
                self.take(word)
                return value
        raise WireError("not-canonical", f"no value begins at byte {self.at}")

    def object(self, depth_left: int) -> Obj:
        pairs: "list[tuple[str, Any]]" = []
        seen = set()
        self.at += 1
        while self.peek() != 0x7D:
            if pairs:
                self.take(b",")
            if len(pairs) == MEMBERS_MAX:
                raise WireError("too-long", f"an object has more than {MEMBERS_MAX} members")
            if self.peek() != 0x22:
                raise WireError("not-canonical", f"a member's name is expected at byte {self.at}")
            name = self.string()
            if name in seen:
                raise WireError("duplicate-member", f"the member {name!r} appears twice")
            seen.add(name)
            self.take(b":")
            pairs.append((name, self.value(depth_left)))
        self.at += 1
        return Obj(pairs)

    def array(self, depth_left: int) -> "list[Any]":
        items: "list[Any]" = []
        self.at += 1
        while self.peek() != 0x5D:
            if items:
                self.take(b",")
            if len(items) == ITEMS_MAX:
                raise WireError("too-long", f"a list has more than {ITEMS_MAX} items")
            items.append(self.value(depth_left))
        self.at += 1
        return items

    def string(self) -> str:
        self.at += 1
        start = self.at
        data = self.data
        while self.peek() not in b'"\\':
            if data[self.at] < 0x20:
                raise WireError(
                    "not-canonical", f"an unescaped control character at byte {self.at}"
                )
            self.at += 1
        if data[self.at] == 0x22:
            self.at += 1
            return decode_utf8(data[start : self.at - 1])
        return self.escaped(bytearray(data[start : self.at]))

    def escaped(self, out: bytearray) -> str:
        while True:
            code = self.peek()
            self.at += 1
            if code == 0x22:
                return decode_utf8(bytes(out))
            if code < 0x20:
                raise WireError("not-canonical", f"an unescaped control character before {self.at}")
            if code == 0x5C:
                code = self.escape()
            out.append(code)

    def escape(self) -> int:
        kind = self.peek()
        self.at += 1
        if kind in _UNESCAPES:
            return _UNESCAPES[kind]
        digits = self.data[self.at : self.at + 4]
        if kind == 0x75 and len(digits) == 4 and digits[:2] == b"00":
            high, low = _HEX.find(digits[2:3]), _HEX.find(digits[3:4])
            code = 16 * high + low
            if high in (0, 1) and low >= 0 and code not in _ESCAPES:
                self.at += 4
                return code
        raise WireError("not-canonical", f"an escape that RFC 8785 does not use before {self.at}")

    def digits(self) -> bytes:
        start = self.at
        data = self.data
        while self.at < len(data) and 0x30 <= data[self.at] <= 0x39:
            self.at += 1
        found = data[start : self.at]
        if not 0 < len(found) <= 16:
            raise WireError("bad-number", f"1 to 16 digits are expected at byte {start}")
        return bytes(found)

    def number(self) -> "int | Num":
        sign = 1
        if self.peek() == 0x2D:
            sign = -1
            self.at += 1
        whole = self.digits()
        if whole[0] == 0x30 and len(whole) > 1:
            raise WireError("not-canonical", f"a leading zero before byte {self.at}")
        follow = self.data[self.at : self.at + 1]
        if follow in (b"e", b"E"):
            raise WireError("not-canonical", f"an exponent at byte {self.at}")
        fraction = b""
        if follow == b".":
            self.at += 1
            fraction = self.digits()
            if fraction[-1] == 0x30 or len(fraction) > DECIMALS_MAX:
                raise WireError("not-canonical", f"zeros or too many digits before byte {self.at}")
            if self.data[self.at : self.at + 1] in (b"e", b"E"):
                raise WireError("not-canonical", f"an exponent at byte {self.at}")
        mantissa = int((whole + fraction).decode())
        if mantissa > U53_MAX or (not mantissa and sign < 0):
            raise WireError("bad-number", f"a number out of range before byte {self.at}")
        if not fraction:
            return sign * mantissa
        check_digits(mantissa, len(fraction), 16)
        return Num(sign * mantissa, len(fraction))
