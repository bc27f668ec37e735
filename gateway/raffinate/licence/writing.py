"""Documents written from what someone filled in: TOML text, key by key, by a sketch's fields. Pure.

Nothing is judged here: what is no number, date or known key is written so that the document's own
parser refuses it at its key and says why.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.licence.sketch import Field

ITEMS_MAX = 256
KEYS_MAX = 256
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,35})(?:\.[0-9]{1,35})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_DAY = r"\d{4}-\d\d-\d\d"
_ZONED = r"[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)"
_TIMES = {
    "day": re.compile(_DAY, re.ASCII),
    "time": re.compile(f"{_DAY}(?:{_ZONED})?", re.ASCII),
    "instant": re.compile(f"{_DAY}(?:{_ZONED})?", re.ASCII),
}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_document(
    fields: Sequence[Field], members: Mapping[str, Any], first: Mapping[str, str]
) -> str:
    """The TOML text of `members`, texts and lists of texts by name; `first` are words before them.

    A text that is empty is left out. Raises ConfigError for what no form can hold.
    """
    for name in first:
        if name in members:
            raise ConfigError(f"{name}: is given already")
    lines = [f"{_key(name)} = {_string(word)}" for name, word in first.items()]
    _write(fields, members, (), lines)
    return "\n".join(lines) + "\n"


def _write(
    fields: Sequence[Field], members: Mapping[str, Any], path: tuple[str, ...], lines: list[str]
) -> None:
    """Keys first, then the tables inside: a key after a table's head would be that table's."""
    if len(members) > KEYS_MAX:
        raise ConfigError(f"{'.'.join(path) or 'the form'}: more than {KEYS_MAX} keys")
    known = {field.name: field for field in fields}
    inner: list[tuple[Field, Any]] = []
    for name in sorted(members, key=lambda name: list(known).index(name) if name in known else -1):
        field, value = known.get(name), members[name]
        if field is not None and field.kind in ("table", "tables", "pairs"):
            inner.append((field, value))
        elif (text := _value(field, value, (*path, name))) is not None:
            lines.append(f"{_key(name)} = {text}")
    for field, value in inner:
        _write_inner(field, value, (*path, field.name), lines)


def _write_inner(field: Field, value: Any, path: tuple[str, ...], lines: list[str]) -> None:
    head = ".".join(map(_key, path))
    if field.kind == "tables":
        if not isinstance(value, list) or len(value) > ITEMS_MAX:
            raise ConfigError(f"{head}: give a list of at most {ITEMS_MAX} tables")
        for item in value:
            lines += ["", f"[[{head}]]"]
            _write(field.fields, _object(item, head), path, lines)
        return
    found = _object(value, head)
    if any(item not in ("", None, [], {}, False) for item in found.values()):
        lines += ["", f"[{head}]"]
        _write(field.fields, found, path, lines)


def _object(value: Any, head: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{head}: give an object of its keys")
    return value


def _value(field: Field | None, value: Any, path: tuple[str, ...]) -> str | None:
    """A key's value as TOML; None for one that is left out."""
    if isinstance(value, list):
        if len(value) > ITEMS_MAX:
            raise ConfigError(f"{'.'.join(path)}: a list has at most {ITEMS_MAX} items")
        items = [_value(field, item, path) for item in value if not isinstance(item, list)]
        texts = [item for item in items if item is not None]
        return f"[{', '.join(texts)}]" if texts else None
    if isinstance(value, bool):
        return "true" if value else None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigError(f"{'.'.join(path)}: give it as text")
    return _string(value) if field is None else _plain(field.kind, value.strip()) or _string(value)


def _plain(kind: str, text: str) -> str | None:
    """A number or date as it is written without quotes, None for what is neither."""
    if kind in ("number", "integer"):
        pattern = _NUMBER if kind == "number" else _INTEGER
        return text if pattern.fullmatch(text) else None
    times = _TIMES.get(kind)
    if times is None or not times.fullmatch(text):
        return None
    read = date.fromisoformat if len(text) == len("2026-11-01") else datetime.fromisoformat
    try:
        read(text.upper())
    except ValueError:
        return None
    return text


def _string(text: str) -> str:
    """A basic string; what TOML forbids in one is escaped, so that a parser names it."""
    made = "".join(
        _ESCAPES.get(char)
        or (f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else char)  # noqa: PLR2004
        for char in text
    )
    return f'"{made}"'


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)
