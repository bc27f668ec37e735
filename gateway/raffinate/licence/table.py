"""Tables of a TOML document, read key by key; every error names file, line, key and remedy. Pure.

A reader asks a Table for each key that it knows and then calls `done`, which refuses the others.
Numbers are exact: an int or a Fraction, never a float.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from raffinate.errors import ConfigError
from raffinate.toml_lines import key_lines, line_of, loads
from raffinate_wire import ids
from raffinate_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Collection

    from raffinate.toml_lines import KeyPath

TEXT_CHARS_MAX = 512
LIST_COUNT_MAX = 256
NUMBER_DIGITS_MAX = 18
DAY_MS = 24 * 3600 * 1000
NAME_CHARS_MAX = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_SHOWN_CHARS_MAX = 60
_KNOWN_SHOWN_MAX = 20
_YEAR_MIN, _YEAR_MAX = 1970, 2999
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


def open_table(file: str, data: bytes, bytes_max: int) -> Table:
    """The root table of a TOML file's bytes. Raises ConfigError."""
    if len(data) > bytes_max:
        raise ConfigError(f"{file}: it has {len(data)} bytes; at most {bytes_max} are read")
    text = _decode(file, data)
    try:
        value = loads(text, _decimal)
        lines = key_lines(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not TOML: {error}; mend that line") from None
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{file}: not TOML: a number or date out of range, or brackets too deep; mend it"
        ) from None
    return Table(file, value, (), lines)


class TableError(ConfigError):
    """A key is wrong: `path` is where it stands, `words` what is wrong and the remedy."""

    def __init__(self, where: str, path: KeyPath, words: str) -> None:
        super().__init__(f"{where}: {_path_text(path)} {words}")
        self.path = path
        self.words = words


class Table:
    """One table; `path` is where it stands in the file."""

    def __init__(
        self, file: str, value: dict[str, Any], path: KeyPath, lines: dict[KeyPath, int]
    ) -> None:
        self.file = file
        self._value = value
        self._path = path
        self._lines = lines
        self._asked: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def fail(self, name: str | int, message: str) -> NoReturn:
        """Raise the TableError of a key of this table; `message` has the remedy."""
        path = (*self._path, name)
        line = line_of(self._lines, path)
        where = self.file if line is None else f"{self.file} line {line}"
        raise TableError(where, path, message)

    def done(self) -> None:
        """Refuse every key that was not asked for."""
        for name in self._value:
            if name not in self._asked:
                close = difflib.get_close_matches(name, self._asked, 1) if _is_short(name) else []
                known = ", ".join(self._asked[:_KNOWN_SHOWN_MAX])
                remedy = f"did you mean {close[0]}?" if close else f"known keys: {known}"
                self.fail(name, f"is no key here; {remedy}")

    def text(self, name: str, chars_max: int = TEXT_CHARS_MAX) -> str:
        """A text that must be there: printable characters of any script, not empty."""
        return self._text(name, self._need(name), chars_max)

    def text_or(self, name: str, default: str = "", chars_max: int = TEXT_CHARS_MAX) -> str:
        """A text, or `default` where there is none."""
        found = self._take(name)
        return default if found is None else self._text(name, found, chars_max)

    def plain(self, name: str) -> str:
        """A text as statements carry it: printable ASCII without quote and backslash."""
        found = self.text(name, ids.TEXT_CHARS_MAX)
        try:
            return ids.check_text(found)
        except WireError as error:
            self.fail(name, f"cannot stand in the log: {error}")

    def free(self, name: str, chars_max: int) -> str:
        """Any text, "" where there is none."""
        found = self._take(name)
        if found is not None and (not isinstance(found, str) or len(found) > chars_max):
            self.fail(name, f"is {_show(found)}; write text of at most {chars_max} characters")
        return found or ""

    def scalar(self, name: str) -> str:
        """A text, or a number as it is written, that must be there."""
        found = self._need(name)
        if type(found) is int or isinstance(found, Decimal):
            self._number(name, found, -(10**NUMBER_DIGITS_MAX), 10**NUMBER_DIGITS_MAX)
            return str(found)
        return self._text(name, found, TEXT_CHARS_MAX)

    def name(self, name: str) -> str:
        """An identifier of a document, party, lot or reagent that must be there."""
        return self._name(name, self._need(name))

    def name_or(self, name: str, default: str = "") -> str:
        """An identifier, or `default` where there is none."""
        found = self._take(name)
        return default if found is None else self._name(name, found)

    def names(self, name: str, *, count_min: int = 0) -> tuple[str, ...]:
        """A list of identifiers, none twice; a single one may stand without brackets."""
        return tuple(self._name(name, item) for item in self._list(name, count_min))

    def texts(
        self, name: str, *, count_min: int = 0, chars_max: int = TEXT_CHARS_MAX
    ) -> tuple[str, ...]:
        """A list of texts, none twice; a single one may stand without brackets."""
        return tuple(self._text(name, item, chars_max) for item in self._list(name, count_min))

    def word(self, name: str, known: Collection[str]) -> str:
        """One of the known words; must be there."""
        return self._word(name, self._need(name), known)

    def word_or(self, name: str, known: Collection[str], default: str = "") -> str:
        """One of the known words, or `default` where there is none."""
        found = self._take(name)
        return default if found is None else self._word(name, found, known)

    def words(self, name: str, known: Collection[str], *, count_min: int = 0) -> tuple[str, ...]:
        """A list of known words, none twice; a single one may stand without brackets."""
        return tuple(self._word(name, item, known) for item in self._list(name, count_min))

    def number(self, name: str, low: int, high: int) -> Fraction:
        """An exact number from `low` to `high` that must be there."""
        return self._number(name, self._need(name), low, high)

    def number_or(self, name: str, low: int, high: int) -> Fraction | None:
        """An exact number, None where there is none."""
        found = self._take(name)
        return None if found is None else self._number(name, found, low, high)

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number that must be there."""
        return self._integer(name, self._need(name), low, high)

    def integer_or(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number, or `default` where there is none."""
        found = self._take(name)
        return default if found is None else self._integer(name, found, low, high)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        found = self._take(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            self.fail(name, f"is {_show(found)}; write true or false")
        return found

    def time_ms(self, name: str, *, end: bool = False) -> int:
        """A date or a time with its zone, UTC ms, that must be there.

        A date alone is its begin in UTC, or with `end` the instant after its last.
        """
        return self._time_ms(name, self._need(name), end)

    def instant_ms(self, name: str) -> int:
        """A time with its zone, UTC ms, that must be there; a date alone is refused."""
        found = self._need(name)
        if isinstance(found, date) and not isinstance(found, datetime):
            self.fail(name, "has no zone; write it as 2026-11-01T00:00:00Z (UTC)")
        return self._time_ms(name, found, end=False)

    def time_ms_or(self, name: str, *, end: bool = False) -> int | None:
        """A date or a time with its zone, None where there is none."""
        found = self._take(name)
        return None if found is None else self._time_ms(name, found, end)

    def span_ms(self, start: str = "from", stop: str = "to") -> tuple[int | None, int | None]:
        """[start, stop): both may be missing. Refuses an end that is not after the begin."""
        from_ms, to_ms = self.time_ms_or(start), self.time_ms_or(stop, end=True)
        if from_ms is not None and to_ms is not None and to_ms <= from_ms:
            self.fail(stop, f"is not after {start}; mend one of the two")
        return from_ms, to_ms

    def day(self, name: str) -> date:
        """A calendar day without time or zone that must be there."""
        return self._day(name, self._need(name))

    def day_or(self, name: str) -> date | None:
        """A calendar day, None where there is none."""
        found = self._take(name)
        return None if found is None else self._day(name, found)

    def digest(self, name: str) -> str:
        """A SHA-256 that must be there."""
        return self._digest(name, self._need(name))

    def digest_or(self, name: str) -> str | None:
        """A SHA-256, None where there is none."""
        found = self._take(name)
        return None if found is None else self._digest(name, found)

    def digests(self, name: str) -> tuple[str, ...]:
        """A list of SHA-256, none twice."""
        return tuple(self._digest(name, item) for item in self._list(name, 0))

    def tables(self, name: str, *, count_min: int = 0) -> list[Table]:
        """An array of tables."""
        found = self._need(name) if count_min else self._take(name)
        items = [] if found is None else found
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            self.fail(name, f"must be tables under [[{name}]]")
        if not count_min <= len(items) <= LIST_COUNT_MAX:
            self.fail(name, f"has {len(items)} tables; {count_min} to {LIST_COUNT_MAX} are read")
        return [
            Table(self.file, item, (*self._path, name, place), self._lines)
            for place, item in enumerate(items)
        ]

    def table(self, name: str) -> Table | None:
        """A table inside this one, None where there is none."""
        found = self._take(name)
        if found is None:
            return None
        if not isinstance(found, dict):
            self.fail(name, f"must be a table under [{name}]")
        return Table(self.file, found, (*self._path, name), self._lines)

    def keys(self) -> list[str]:
        """Names that stand in this table, for tables whose keys are the user's own."""
        if len(self._value) > LIST_COUNT_MAX:
            self.fail(next(iter(self._value)), f"is one of over {LIST_COUNT_MAX} keys")
        return list(self._value)

    def _take(self, name: str) -> Any:
        self._asked.append(name)
        return self._value.get(name)

    def _need(self, name: str) -> Any:
        found = self._take(name)
        if found is None:
            others = [key for key in self._value if key not in self._asked and _is_short(key)]
            close = difflib.get_close_matches(name, others[:LIST_COUNT_MAX], 1)
            self.fail(name, f"is missing; is {close[0]} meant?" if close else "is missing; add it")
        return found

    def _list(self, name: str, count_min: int) -> list[Any]:
        found = self._need(name) if count_min else self._take(name)
        items = [] if found is None else found if isinstance(found, list) else [found]
        if not count_min <= len(items) <= LIST_COUNT_MAX:
            self.fail(name, f"has {len(items)} items; {count_min} to {LIST_COUNT_MAX} are read")
        for place, item in enumerate(items):
            if item in items[:place]:
                self.fail(name, f"has {_show(item)} twice; remove one")
        return items

    def _text(self, name: str, found: Any, chars_max: int) -> str:
        if not isinstance(found, str):
            self.fail(name, f"is {_show(found)}; write text in quotes")
        if not found.strip() or len(found) > chars_max:
            self.fail(name, f"has {len(found)} characters; write 1 to {chars_max}, not only blanks")
        for char in found:
            if not char.isprintable():
                self.fail(
                    name,
                    f"has the character U+{ord(char):04X}, which nobody sees; remove it, or write "
                    "a plain space",
                )
        return found

    def _name(self, name: str, found: Any) -> str:
        if (
            not isinstance(found, str)
            or len(found) > NAME_CHARS_MAX
            or not _NAME.fullmatch(found)
            or not found.isascii()
        ):
            self.fail(
                name,
                f"is {_show(found)}; write 1 to {NAME_CHARS_MAX} of A-Z, a-z, 0-9 and . _ / -, the "
                "first a letter or digit",
            )
        return found

    def _word(self, name: str, found: Any, known: Collection[str]) -> str:
        if not isinstance(found, str) or found not in known:
            close = difflib.get_close_matches(found, known, 1) if _is_short(found) else []
            shown = ", ".join(sorted(known)[:_KNOWN_SHOWN_MAX])
            more = " …" if len(known) > _KNOWN_SHOWN_MAX else ""
            remedy = f"did you mean {close[0]}?" if close else f"known are {shown}{more}"
            self.fail(name, f"is {_show(found)}, which is unknown; {remedy}")
        return found

    def _number(self, name: str, found: Any, low: int, high: int) -> Fraction:
        value = _exact(found)
        if value is None or not low <= value <= high:
            self.fail(name, f"is {_show(found)}; write a number from {low} to {high}, no quotes")
        return value

    def _integer(self, name: str, found: Any, low: int, high: int) -> int:
        if type(found) is not int or not low <= found <= high:
            self.fail(name, f"is {_show(found)}; write a whole number from {low} to {high}")
        return found

    def _time_ms(self, name: str, found: Any, end: bool) -> int:
        if isinstance(found, datetime):
            if found.tzinfo is None:
                self.fail(name, "has no zone; write it as 2026-11-01T00:00:00Z (UTC)")
            moment = found
        elif isinstance(found, date):
            moment = datetime(found.year, found.month, found.day, tzinfo=UTC)
        else:
            self.fail(name, f"is {_show(found)}; write a date as 2026-11-01, without quotes")
        if not _YEAR_MIN <= moment.year <= _YEAR_MAX:  # a retention or a grace is added to it
            self.fail(name, f"is {_show(found)}; write a date of {_YEAR_MIN} to {_YEAR_MAX}")
        whole_day = end and not isinstance(found, datetime)
        return round(moment.timestamp() * 1000) + (DAY_MS if whole_day else 0)

    def _day(self, name: str, found: Any) -> date:
        if isinstance(found, datetime) or not isinstance(found, date):
            self.fail(name, f"is {_show(found)}; write a day as 2026-11-01, without quotes or time")
        return found

    def _digest(self, name: str, found: Any) -> str:
        try:
            return ids.check_keyid(found)
        except WireError:
            self.fail(name, f"is {_show(found)}; write a SHA-256 as 64 digits 0-9 a-f")


def _decode(file: str, data: bytes) -> str:
    if data.startswith(_BOM):
        raise ConfigError(f"{file} line 1: it begins with a byte order mark; save it without one")
    if data.startswith(_WIDE_BOMS) or b"\0" in data[:64]:
        raise ConfigError(f"{file} line 1: it is UTF-16 or no text; save it as UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{file} line {line}: not UTF-8 (GBK or another encoding?); save it as UTF-8"
        ) from None


def _decimal(text: str) -> Decimal:
    """A number exactly; one that is none of ours becomes NaN, which its key's reader refuses."""
    try:
        return Decimal(text) if len(text) <= 2 * NUMBER_DIGITS_MAX else Decimal("NaN")
    except InvalidOperation:
        return Decimal("NaN")


def _exact(found: Any) -> Fraction | None:
    if type(found) is int:
        return Fraction(found)
    if isinstance(found, Decimal) and found.is_finite():
        exponent = found.as_tuple().exponent
        if isinstance(exponent, int) and abs(exponent) <= NUMBER_DIGITS_MAX:
            return Fraction(found)
    return None


def _is_short(found: Any) -> bool:
    return isinstance(found, str) and len(found) <= NAME_CHARS_MAX


def _show(found: Any) -> str:
    if isinstance(found, (list, dict)):
        return "a list" if isinstance(found, list) else "a table"
    if isinstance(found, Decimal):
        return "a number out of range" if found.is_nan() else str(found)
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) >= 1 << 64:
        return "a number out of range"
    text = str(found) if isinstance(found, date) else repr(found)
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…"


def _path_text(path: KeyPath) -> str:
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            quoted = part if part.replace("-", "").replace("_", "").isalnum() else repr(part)[:80]
            text += f".{quoted}" if text else quoted
    return text
