"""Problems of a TOML file, collected and worded for the person who edits it."""

from __future__ import annotations

import difflib
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from raffinate.errors import ConfigError
from raffinate.toml_lines import key_lines, line_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from raffinate.toml_lines import KeyPath

PROBLEMS_SHOWN_MAX = 20
FILE_BYTES_MAX = 4 << 20

ModelT = TypeVar("ModelT", bound=BaseModel)

_REMEDIES = {
    "missing": "is missing; add it",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number without quotes",
    "float_type": "must be a number without quotes",
    "bool_type": "must be true or false",
    "list_type": "must be a list in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "date_type": "must be a date like 2026-11-01 without quotes",
}
_ID_HINT = "write 1 to 32 of a-z, 0-9 and -, the first no hyphen"
_NAME_HINT = "write 1 to 32 of a-z, 0-9 and _, the first a letter"


class Document:
    """A parsed TOML file that gathers problems and raises them together."""

    def __init__(self, file: Path, data: bytes) -> None:
        self.file = file
        self._problems: list[str] = []
        try:
            text = data.decode("utf-8")
            self.content = tomllib.loads(text)
        except UnicodeDecodeError as exc:
            line = data[: exc.start].count(b"\n") + 1
            raise ConfigError(f"{file} line {line}: not UTF-8; save the file as UTF-8") from exc
        except tomllib.TOMLDecodeError as exc:
            raise ConfigError(f"{file}: not valid TOML: {exc}; mend that line") from exc
        self._lines = key_lines(text.replace("\r\n", "\n"))

    @classmethod
    def read(cls, file: Path, remedy: str) -> Document:
        """Read a file; `remedy` is told where there is none."""
        try:
            with file.open("rb") as source:
                data = source.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError as exc:
            raise ConfigError(f"{file} does not exist; {remedy}") from exc
        except OSError as exc:
            raise ConfigError(f"{file} cannot be read: {exc.strerror}; {remedy}") from exc
        if len(data) > FILE_BYTES_MAX:
            raise ConfigError(f"{file} is larger than {FILE_BYTES_MAX} bytes; shorten it")
        return cls(file, data)

    def parse(self, model: type[ModelT]) -> ModelT:
        """The content as `model`; raises ConfigError with every problem of its shape."""
        try:
            return model.model_validate(self.content)
        except ValidationError as exc:
            for error in exc.errors(include_url=False):
                path = tuple(part for part in error["loc"] if part != "[key]")
                self.problem(path, _explain(error, model))
            self.raise_problems()
            raise

    def problem(self, path: KeyPath, message: str) -> None:
        """Note one problem; `message` says what is wrong and the remedy."""
        line = line_of(self._lines, path)
        where = f"{self.file} line {line}" if line else str(self.file)
        text = f"{where}: {path_text(path)} {message}"
        if text not in self._problems:
            self._problems.append(text)

    def raise_problems(self) -> None:
        """Raise ConfigError if there is any."""
        if not self._problems:
            return
        shown = self._problems[:PROBLEMS_SHOWN_MAX]
        more = len(self._problems) - len(shown)
        raise ConfigError("\n".join(shown) + (f"\nand {more} more" if more else ""))


def path_text(path: Sequence[str | int]) -> str:
    """A key path as people write it: `sections[0].stages[2].normal.ph`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = part if part.replace("-", "").replace("_", "").isalnum() else f'"{part}"'
            text += f".{quoted}" if text else quoted
    return text


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"], model)
    if kind in _REMEDIES:
        return _REMEDIES[kind]
    value = error.get("input")
    context = error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return f"is {value!r}; {_pattern_remedy(str(context['pattern']))}"
    if kind == "literal_error":
        return f"is {value!r}; write {context['expected']}"
    if kind == "too_long":
        return f"has {context['actual_length']} items; write at most {context['max_length']}"
    return f"is {value!r}; {error['msg'].lower()}"


def _pattern_remedy(pattern: str) -> str:
    if pattern.startswith("^http"):
        return "write an address like http://127.0.0.1:8086"
    if "/" in pattern:
        return 'write "stage/point", for example "e01/ph"'
    return _NAME_HINT if "_" in pattern else _ID_HINT


def _unknown_key(location: Sequence[str | int], model: type[BaseModel]) -> str:
    known = _known_keys(model, location)
    close = difflib.get_close_matches(str(location[-1]), known, 1)
    if close:
        return f"is no key here; did you mean {close[0]}?"
    return (
        f"is no key here; known keys: {', '.join(known)}" if known else "is no key here; remove it"
    )


def _known_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Keys of the table that holds the last key of `location`."""
    schema: dict[str, Any] = model.model_json_schema()
    node = schema
    for part in location[:-1]:
        node = _resolve(schema, node)
        if isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part, node.get("additionalProperties", {}))
    return list(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", ()):
        if "$ref" in option:
            node = option
    while "$ref" in node:
        node = schema["$defs"][str(node["$ref"]).rpartition("/")[2]]
    return node
