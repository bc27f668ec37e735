"""JSON documents as TOML, in one form: the TOML's bytes are the document. Pure."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from raffinate.errors import ConfigError

DATE_KEYS = frozenset(
    (
        *("issued", "signed", "from", "to", "at", "produced", "sampled", "filed", "until"),
        *("revoked", "due", "as_of", "review_by"),
    )
)
"""A text under one of these keys that reads as a date or a time is one."""
JSON_BYTES_MAX = 262_144
DEPTH_MAX = 16
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def json_to_toml(file: str, data: bytes) -> bytes:
    """The TOML of a JSON object. Raises ConfigError that names file, key and remedy."""
    if len(data) > JSON_BYTES_MAX:
        raise ConfigError(f"{file}: it has {len(data)} bytes; at most {JSON_BYTES_MAX} are read")
    try:
        value = json.loads(
            data.decode(),
            parse_float=Decimal,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
        return _document(value)
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8; save the file as UTF-8") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{file}: it has half of a character (\\ud800 …); mend it") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        said = "brackets too deep" if isinstance(error, RecursionError) else str(error)[:200]
        raise ConfigError(f"{file}: no document in JSON: {said}; mend it") from None


def _document(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise ValueError("it is no object in curly brackets")  # noqa: TRY004 - one error for all
    lines: list[str] = []
    _table(value, (), lines)
    return ("\n".join(lines) + "\n").encode()


def _table(value: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    """Plain values first, then tables: a key after a table's head would be that table's."""
    if len(path) > DEPTH_MAX:
        raise ValueError(f"tables are over {DEPTH_MAX} deep")
    inner = []
    for name, item in value.items():
        if isinstance(item, dict) or _is_tables(item):
            inner.append((name, item))
        else:
            lines.append(f"{_key(name)} = {_value(name, item)}")
    for name, item in inner:
        head = ".".join(_key(part) for part in (*path, name))
        for part in [item] if isinstance(item, dict) else item:
            lines += ["", f"[{head}]" if isinstance(item, dict) else f"[[{head}]]"]
            _table(part, (*path, name), lines)


def _is_tables(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(part, dict) for part in item)


def _value(name: str, item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, Decimal)):
        return str(item)
    if isinstance(item, str):
        return item if name in DATE_KEYS and _is_time(item) else _string(item)
    if isinstance(item, list):
        if any(isinstance(part, (list, dict)) for part in item):
            raise ValueError(f"{name[:60]}: a list has values, or tables alone")
        return "[" + ", ".join(_value("", part) for part in item) + "]"
    raise ValueError(f"{name[:60]} is null; leave the key out")


def _is_time(text: str) -> bool:
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return True
        if _TIME.fullmatch(text):
            datetime.fromisoformat(text)
            return True
    except ValueError:
        return False
    return False


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:60]} stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
