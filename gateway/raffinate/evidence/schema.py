"""Fast checks compiled from the schemas of `raffinate_wire.record`, over what orjson parsed.

They answer yes or no; why not is asked of `raffinate_wire`, which reads the same schemas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from raffinate_wire import ids
from raffinate_wire.record import FREE_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[object], bool]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}").fullmatch
_HEX64 = re.compile(r"[0-9a-f]{64}").fullmatch
_HEX32 = re.compile(r"[0-9a-f]{32}").fullmatch
_HEX16 = re.compile(r"[0-9a-f]{16}").fullmatch
_CODE = re.compile(rf"[A-Za-z0-9-]{{1,{ids.CODE_CHARS_MAX}}}").fullmatch
_TEXT = re.compile(rf"[ !#-\[\]-~]{{0,{ids.TEXT_CHARS_MAX}}}").fullmatch
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"
).fullmatch
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_ORIGIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*/raffinate/[a-z0-9][a-z0-9-]{{0,31}}").fullmatch


def compile_schema(schema: str, records: Mapping[str, str]) -> Check:
    """A check of one object: exactly these members, in this order, each of its kind."""
    fields = [field.split(":") for field in schema.split()]
    names = tuple(name for name, _ in fields)
    checks = tuple(_compile_kind(kind, records) for _, kind in fields)

    def check(value: object) -> bool:
        if type(value) is not dict or tuple(value) != names:
            return False
        return all(test(item) for test, item in zip(checks, value.values(), strict=True))

    return check


def _compile_kind(kind: str, records: Mapping[str, str]) -> Check:
    if kind.endswith("?"):
        inner = _compile_kind(kind[:-1], records)
        return lambda value: value is None or inner(value)
    if "*" in kind:
        kind, most = kind.split("*")
        inner, items_max = _compile_kind(kind, records), int(most)
        return lambda value: (
            type(value) is list and len(value) <= items_max and all(map(inner, value))
        )
    if kind in records:
        return compile_schema(records[kind], records)
    if "|" in kind:
        words = frozenset(kind.split("|"))
        return lambda value: type(value) is str and value in words
    return _SCALARS[kind]


def _uint(value: object) -> bool:
    return type(value) is int and 0 <= value <= ids.U53_MAX


def _positive(value: object) -> bool:
    return type(value) is int and 1 <= value <= ids.U53_MAX


def _text_of(match: Callable[[str], object]) -> Check:
    return lambda value: type(value) is str and match(value) is not None


_SCALARS: dict[str, Check] = {
    "uint": _uint,
    "positive": _positive,
    "bool": lambda value: value is True or value is False,
    "id": _text_of(_ID),
    "node": lambda value: (
        type(value) is str and _ID(value) is not None and value not in ids.RESERVED_NODES
    ),
    "signer": _text_of(_ID),
    "keyid": _text_of(_HEX64),
    "digest": _text_of(_HEX64),
    "key16": _text_of(_HEX16),
    "nonce": _text_of(_HEX32),
    "origin": lambda value: (
        type(value) is str and len(value) <= ids.ORIGIN_CHARS_MAX and _ORIGIN(value) is not None
    ),
    "code": _text_of(_CODE),
    "text": _text_of(_TEXT),
    "string": lambda value: type(value) is str,
    "free": lambda value: type(value) is str and len(value) <= FREE_CHARS_MAX,
    "b64": _text_of(_BASE64),
}
