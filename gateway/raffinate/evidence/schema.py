"""Regular expressions compiled from the schemas of `raffinate_wire.record`.

Each matches exactly the canonical text of an object: members, order, kinds and JSON's one form in
a single step. They answer yes or no; why not is asked of `raffinate_wire`, which reads the same
schemas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from raffinate_wire import ids

if TYPE_CHECKING:
    from collections.abc import Mapping

HEX64 = "[0-9a-f]{64}"
# 0 to 2^53 - 1 = 9007199254740991, without leading zeros.
POSITIVE = (
    r"(?:[1-9]\d{0,14}|[1-8]\d{15}|900[0-6]\d{12}|90070\d{11}|90071[0-8]\d{10}|900719[0-8]\d{9}"
    r"|9007199[01]\d{8}|90071992[0-4]\d{7}|900719925[0-3]\d{6}|9007199254[0-6]\d{5}"
    r"|90071992547[0-3]\d{4}|9007199254740[0-8]\d{2}|90071992547409[0-8]\d|900719925474099[01])"
)
UINT = f"(?:0|{POSITIVE})"
ID = "[a-z0-9][a-z0-9-]{0,31}"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_BOARD = "|".join(f'{name}"' for name in ids.RESERVED_NODES)
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"
_SCALARS = {
    "uint": UINT,
    "positive": POSITIVE,
    "bool": "(?:true|false)",
    "id": f'"{ID}"',
    "node": f'"(?!{_BOARD}){ID}"',
    "signer": f'"{ID}"',
    "keyid": f'"{HEX64}"',
    "digest": f'"{HEX64}"',
    "origin": (rf'"(?![^"]{{{ids.ORIGIN_CHARS_MAX + 1}}}){_LABEL}(?:\.{_LABEL})*/raffinate/{ID}"'),
    "code": rf'"[A-Za-z0-9-]{{1,{ids.CODE_CHARS_MAX}}}"',
    "text": rf'"[ !#-\[\]-~]{{0,{ids.TEXT_CHARS_MAX}}}"',
    "b64": f'"{_BASE64}"',
}


def pattern(schema: str, records: Mapping[str, str]) -> str:
    """The expression of one object's text."""
    fields = (field.split(":") for field in schema.split())
    return r"\{" + ",".join(f'"{name}":{_value(kind, records)}' for name, kind in fields) + r"\}"


def _value(kind: str, records: Mapping[str, str]) -> str:
    if kind.endswith("?"):
        return f"(?:null|{_value(kind[:-1], records)})"
    if "*" in kind:
        kind, most = kind.split("*")
        item = _value(kind, records)
        return rf"\[(?:{item}(?:,{item}){{0,{int(most) - 1}}})?\]"
    if kind in records:
        return pattern(records[kind], records)
    if "|" in kind:
        return '"(?:' + "|".join(re.escape(word) for word in kind.split("|")) + ')"'
    return _SCALARS[kind]
