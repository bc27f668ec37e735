"""Where in a TOML file each key stands, so that an error can name its line."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

KeyPath = tuple[str | int, ...]

KEY_PARTS_MAX = 32
_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
# A key begins after a blank or a bracket: sought from every letter, one long word takes minutes.
_LONG_KEY = re.compile(rf"(?<![^\s{{,\[])(?:{_PART}[ \t]*+\.[ \t]*+){{{KEY_PARTS_MAX}}}")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)


def loads(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """A file of others as tomllib reads it, but for keys of many parts: those take gigabytes there.

    Raises TOMLDecodeError; ValueError for a number or date beyond Python's own; RecursionError.
    """
    long = _LONG_KEY.search(text)
    if long is not None:
        line = text.count("\n", 0, long.start()) + 1
        raise tomllib.TOMLDecodeError(f"a name with {KEY_PARTS_MAX} dots or more (at line {line})")
    return tomllib.loads(text, parse_float=parse_float)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every key, table and array element of `text`, which tomllib has accepted."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Line of `path`, or of the nearest table around it that the file has."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counts: dict[KeyPath, int] = {}

    def document(self) -> None:
        prefix: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                prefix = self._header()
            else:
                self._pair(prefix)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        taken = match.group() if match else ""
        self._at += len(taken)
        self._line += taken.count("\n")
        return taken

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                keys.append(_unquote(self._skip(_STRING)))
            else:
                keys.append(self._skip(_BARE))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _header(self) -> KeyPath:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            self.lines.setdefault(path, self._line)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, keys[-1])
        if brackets == 2:  # noqa: PLR2004 - [[ opens the next element of an array of tables
            index = self._counts.get(path, 0)
            self._counts[path] = index + 1
            self.lines.setdefault(path, self._line)
            path = (*path, index)
        self.lines.setdefault(path, self._line)
        return path

    def _pair(self, prefix: KeyPath) -> None:
        line = self._line
        path = prefix
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._at += 1
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._skip(_STRING)
        elif first == "[":
            self._at += 1
            index = 0
            while self._another("]"):
                self.lines[(*path, index)] = self._line
                self._value((*path, index))
                index += 1
        elif first == "{":
            self._at += 1
            while self._another("}"):
                self._pair(path)
        else:
            self._skip(_SCALAR)

    def _another(self, end: str) -> bool:
        """Step over blanks and a comma; False once the bracket is closed."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] == end:
            self._at += 1
            return False
        return True


def _unquote(key: str) -> str:
    """A quoted key's text."""
    return key[1:-1] if "\\" not in key else next(iter(tomllib.loads(f"{key} = 0")))
