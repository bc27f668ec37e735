"""Documents as the page fills them in: their forms, and what becomes of them before they are sent.

Forms come from the readers of documents themselves (`licence.sketch`), so that a key which a
reader takes is a field here, and nothing else is.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError
from raffinate.licence.document import read_licence
from raffinate.licence.papers import KINDS, read_paper
from raffinate.licence.registrar import check_dates, listed, parse_any
from raffinate.licence.sketch import Field, sketch
from raffinate.licence.table import TableError
from raffinate.licence.writing import write_document
from raffinate.web.problem import BadRequestError

if TYPE_CHECKING:
    from raffinate.web.registry_shape import FieldJson, KindJson, PreviewJson

LICENCE = "licence"
_FILE = "document"


@cache
def forms() -> dict[str, tuple[Field, ...]]:
    """The fields of each kind that has a form."""
    found = {kind: sketch(lambda table: read_paper(table, ""), kind=kind) for kind in KINDS}
    return {LICENCE: sketch(lambda table: read_licence(table, "")), **found}


def kinds_json() -> list[KindJson]:
    """Every form, for the page."""
    return [
        {"kind": kind, "fields": [_field_json(field) for field in fields]}
        for kind, fields in forms().items()
    ]


def preview(value: dict[str, Any], now_ms: int) -> PreviewJson:
    """The bytes of a filled in form (`kind`, `members`) or of a file (`toml`), if they are good.

    Raises BadRequestError that names the field.
    """
    if "toml" in value:
        if len(value) > 1 or not isinstance(value["toml"], str) or not value["toml"]:
            raise BadRequestError("toml: give the text of one file, and nothing beside it", "toml")
        return read_document(value["toml"], now_ms)
    kind, members = value.get("kind"), value.get("members")
    if not isinstance(kind, str) or kind not in forms():
        raise BadRequestError(f"kind: known are {', '.join(forms())}", "kind")
    if not isinstance(members, dict):
        raise BadRequestError("members: give an object of the document's keys", "members")
    first = {} if kind == LICENCE else {"kind": kind}
    try:
        text = write_document(forms()[kind], members, first)
    except ConfigError as error:
        raise BadRequestError(str(error), "members") from None
    return read_document(text, now_ms)


def read_document(text: str, now_ms: int) -> PreviewJson:
    """What a document's text is, its bytes being its UTF-8. Raises BadRequestError."""
    data = text.encode()
    try:
        found = listed(check_dates(parse_any(_FILE, data), now_ms))
    except TableError as error:
        raise BadRequestError(str(error), ".".join(map(str, error.path)), error.words) from None
    except ConfigError as error:
        raise BadRequestError(str(error)) from None
    return {
        "kind": found.kind,
        "name": found.name,
        "version": found.version,
        "replaces": found.replaces,
        "sha256": sha256(data).hexdigest(),
        "bytes": len(data),
        "toml": text,
        "notes": [],
    }


def members_of(data: bytes) -> dict[str, Any]:
    """A document's keys as a form holds them: texts, lists and objects. {} for what is no TOML."""
    try:
        return dict(_texts(tomllib.loads(data.decode(), parse_float=Decimal)))
    except (ValueError, RecursionError):
        return {}


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, (date, datetime)):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def _field_json(field: Field) -> FieldJson:
    found: Any = asdict(field)
    found["fields"] = [_field_json(inner) for inner in field.fields]
    return found  # type: ignore[no-any-return]
