"""Fast checks compiled from the schemas of `raffinate_wire.record`, over what orjson parsed.

They answer yes or no; why not is asked of `raffinate_wire`, which reads the same schemas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

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
    scope: dict[str, Any] = dict(_SCOPE)
    fields = [field.split(":") for field in schema.split()]
    scope["names"] = tuple(name for name, _ in fields)
    places = [f"m{number}" for number in range(len(fields))]
    tests = [
        _test(kind, place, records, scope) for (_, kind), place in zip(fields, places, strict=True)
    ]
    source = (
        "def check(value):\n"
        "    if type(value) is not dict or tuple(value) != names:\n"
        "        return False\n"
        f"    {', '.join(places)}, = value.values()\n"
        f"    return {' and '.join(tests)}\n"
    )
    exec(source, scope)  # noqa: S102 - made of the schemas alone; four times as fast as closures
    check: Check = scope["check"]
    return check


def _test(kind: str, place: str, records: Mapping[str, str], scope: dict[str, Any]) -> str:
    """A Python expression that is true when the variable `place` is of `kind`."""
    if kind.endswith("?"):
        return f"({place} is None or {_test(kind[:-1], place, records, scope)})"
    if "*" in kind:
        kind, most = kind.split("*")
        inner = f"all([{_test(kind, 'item', records, scope)} for item in {place}])"
        return f"(type({place}) is list and len({place}) <= {int(most)} and {inner})"
    if kind in records:
        name = f"check_{kind}"
        if name not in scope:
            scope[name] = compile_schema(records[kind], records)
        return f"{name}({place})"
    if "|" in kind:
        name = f"words_{len(scope)}"
        scope[name] = frozenset(kind.split("|"))
        return f"(type({place}) is str and {place} in {name})"
    return "(" + _SCALARS[kind].replace("$", place) + ")"


_SCOPE = {
    "is_id": _ID,
    "is_hex64": _HEX64,
    "is_hex32": _HEX32,
    "is_hex16": _HEX16,
    "is_code": _CODE,
    "is_text": _TEXT,
    "is_base64": _BASE64,
    "is_origin": _ORIGIN,
    "RESERVED": frozenset(ids.RESERVED_NODES),
}
# `$` stands for the value.
_SCALARS = {
    "uint": f"type($) is int and 0 <= $ <= {ids.U53_MAX}",
    "positive": f"type($) is int and 1 <= $ <= {ids.U53_MAX}",
    "bool": "$ is True or $ is False",
    "id": "type($) is str and is_id($) is not None",
    "node": "type($) is str and is_id($) is not None and $ not in RESERVED",
    "signer": "type($) is str and is_id($) is not None",
    "keyid": "type($) is str and is_hex64($) is not None",
    "digest": "type($) is str and is_hex64($) is not None",
    "key16": "type($) is str and is_hex16($) is not None",
    "nonce": "type($) is str and is_hex32($) is not None",
    "origin": (f"type($) is str and len($) <= {ids.ORIGIN_CHARS_MAX} and is_origin($) is not None"),
    "code": "type($) is str and is_code($) is not None",
    "text": "type($) is str and is_text($) is not None",
    "string": "type($) is str",
    "free": f"type($) is str and len($) <= {FREE_CHARS_MAX}",
    "b64": "type($) is str and is_base64($) is not None",
}
