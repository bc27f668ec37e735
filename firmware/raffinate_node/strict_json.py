"""JSON as a person writes it, read strictly and with line numbers; and its canonical form.

White space is free; duplicate members, exponents and nesting deeper than 8 are refused. A number
with a fraction becomes jsonc.Num without trailing zeros, so that 3.0 is 3 as in RFC 8785.
"""

from raffinate_wire import jsonc
from raffinate_wire.errors import WireError
from raffinate_wire.utf8 import decode_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 8
BYTES_MAX = 65536
_SPACE = b" \t\r\n"
_DIGITS = b"0123456789"
_ESCAPES = {98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 34: 34, 92: 92, 47: 47}
_WORDS = ((b"true", True), (b"false", False), (b"null", None))


def parse(data: bytes) -> "Any":
    """Return dict, list, str, int, jsonc.Num, bool or None; raise ValueError naming the line."""
    if len(data) > BYTES_MAX:
        raise ValueError(f"{len(data)} bytes are more than {BYTES_MAX}")
    reader = _Reader(data)
    value = reader.value(DEPTH_MAX)
    reader.space()
    if reader.at < len(data):
        raise reader.error("something follows the last brace")
    return value


def canonical(value: "Any") -> bytes:
    """Return a parsed value as RFC 8785 writes it: no white space, members sorted by name."""
    return _written(value).encode()


def _written(value: "Any") -> str:
    for word, meaning in _WORDS:
        if value is meaning:
            return word.decode()
    if isinstance(value, str):
        return jsonc.text(value)
    if isinstance(value, int):
        return jsonc.integer(value)
    if isinstance(value, jsonc.Num):
        return jsonc.number(value.mantissa, value.decimals, 15)
    if isinstance(value, list):
        return "[" + ",".join([_written(item) for item in value]) + "]"
    members = [jsonc.text(name) + ":" + _written(value[name]) for name in sorted(value)]
    return "{" + ",".join(members) + "}"


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def error(self, problem: str) -> ValueError:
        line = self.data[: self.at].count(b"\n") + 1
        return ValueError(f"line {line}: {problem}")

    def space(self) -> None:
        while self.at < len(self.data) and self.data[self.at] in _SPACE:
            self.at += 1

    def here(self) -> int:
        return self.data[self.at] if self.at < len(self.data) else 0

    def peek(self) -> int:
        self.space()
        if self.at >= len(self.data):
            raise self.error("the file ends too early")
        return self.data[self.at]

    def take(self, expected: str) -> None:
        if self.peek() != ord(expected):
            raise self.error(f"{expected} is expected, not {chr(self.data[self.at])}")
        self.at += 1

    def value(self, depth_left: int) -> "Any":
        lead = self.peek()
        if lead == 0x22:
            return self.string()
        if lead in b"{[":
            if depth_left < 1:
                raise self.error(f"nested deeper than {DEPTH_MAX}")
            return self.object(depth_left - 1) if lead == 0x7B else self.array(depth_left - 1)
        if lead == 0x2D or lead in _DIGITS:
            return self.number()
        for word, value in _WORDS:
            if self.data[self.at : self.at + len(word)] == word:
                self.at += len(word)
                return value
        raise self.error(f"no value begins with {chr(lead)}")

    def object(self, depth_left: int) -> "dict[str, Any]":
        members: "dict[str, Any]" = {}
        self.take("{")
        while self.peek() != 0x7D:
            if members:
                self.take(",")
            if self.peek() != 0x22:
                raise self.error("a name in quotes is expected")
            name = self.string()
            if name in members:
                raise self.error(f"{name} appears twice")
            self.take(":")
            members[name] = self.value(depth_left)
        self.at += 1
        return members

    def array(self, depth_left: int) -> "list[Any]":
        items: "list[Any]" = []
        self.take("[")
        while self.peek() != 0x5D:
            if items:
                self.take(",")
            items.append(self.value(depth_left))
        self.at += 1
        return items

    def string(self) -> str:
        self.at += 1
        out = bytearray()
        while True:
            code = self.here()
            if code < 0x20:
                raise self.error("a text in quotes does not end on its line")
            self.at += 1
            if code == 0x22:
                break
            if code == 0x5C:
                self.escape(out)
            else:
                out.append(code)
        try:
            return decode_utf8(bytes(out))
        except WireError as error:
            raise self.error(str(error)) from None

    def escape(self, out: bytearray) -> None:
        kind = self.here()
        self.at += 1
        if kind in _ESCAPES:
            out.append(_ESCAPES[kind])
            return
        if kind == 0x75:
            code = self.unit()
            if 0xD800 <= code < 0xDC00 and self.data[self.at : self.at + 2] == b"\\u":
                self.at += 2
                low = self.unit()
                if 0xDC00 <= low < 0xE000:
                    code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
            if not 0xD800 <= code < 0xE000:
                out.extend(chr(code).encode())
                return
        raise self.error("an escape that is not known here")

    def unit(self) -> int:
        digits = self.data[self.at : self.at + 4]
        self.at += 4
        if len(digits) == 4:
            for digit in digits:
                if digit not in b"0123456789abcdefABCDEF":
                    break
            else:
                return int(digits.decode(), 16)
        raise self.error("four hexadecimal digits are expected")

    def number(self) -> "int | jsonc.Num":
        sign = 1
        if self.here() == 0x2D:
            sign = -1
            self.at += 1
        whole = self.digits()
        fraction = ""
        if self.here() == 0x2E:
            self.at += 1
            fraction = self.digits()
        if self.here() in b"eE":
            raise self.error("write the number without an exponent")
        if whole[0] == "0" and len(whole) > 1:
            raise self.error("a number begins with no zero")
        while fraction[-1:] == "0":
            fraction = fraction[:-1]
        mantissa = sign * int(whole + fraction)
        try:
            if fraction:
                jsonc.number(mantissa, len(fraction), 15)
            else:
                jsonc.integer(mantissa)
        except WireError as error:
            raise self.error(str(error)) from None
        return jsonc.Num(mantissa, len(fraction)) if fraction else mantissa

    def digits(self) -> str:
        start = self.at
        while self.here() in _DIGITS:
            self.at += 1
        if not 0 < self.at - start <= 16:
            raise self.error("a number of 1 to 16 digits is expected")
        return self.data[start : self.at].decode()
