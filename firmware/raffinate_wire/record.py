"""Objects with a fixed order of members, described by one line of text each.

A schema reads `name:kind name:kind ...`. A kind is a scalar of this module (`uint`, `id`, ...),
words to choose from (`a|b`, `=a`), or the name of another schema in `records`. `*4` after it makes
a list of at most 4, and `?` at the end allows null. Lines of text, because a board's heap would
not like the same in nested tuples.
"""

from raffinate_wire import b64, ids, jsonc
from raffinate_wire.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

FREE_CHARS_MAX = 256
NO_RECORDS: "dict[str, str]" = {}


def write(schema: str, values: "Any", records: "dict[str, str]" = NO_RECORDS) -> str:
    """Return the JSON object of a dict or Obj; a member that may be null may be left out.

    Raises WireError: `missing-member`, `unknown-member`, or what a member's kind raises.
    """
    parts = []
    names = []
    for field in schema.split():
        name, kind = field.split(":")
        names.append(name)
        if name not in values and kind[-1] != "?":
            raise WireError("missing-member", f"the member {name} is missing")
        parts.append(f'"{name}":' + _named(_write_value, name, kind, values.get(name), records))
    for name in values.keys():  # noqa: SIM118 - an Obj is no iterable of names
        if name not in names:
            raise WireError("unknown-member", f"there is no member {name}")
    return "{" + ",".join(parts) + "}"


def read(schema: str, value: "Any", records: "dict[str, str]" = NO_RECORDS) -> jsonc.Obj:
    """Return the parsed object with every member checked; raise WireError.

    Besides the codes of write: `wrong-type`, `member-order`.
    """
    if not isinstance(value, jsonc.Obj):
        raise WireError("wrong-type", "an object is expected")
    fields = [field.split(":") for field in schema.split()]
    check_names([name for name, _ in fields], value)
    return jsonc.Obj(
        [
            (name, _named(_read_value, name, kind, member, records))
            for (name, kind), (_, member) in zip(fields, value.pairs)  # noqa: B905 - not on boards
        ]
    )


def check_names(names: "list[str]", value: jsonc.Obj) -> None:
    """Raise unless the object has exactly these members in this order."""
    found = value.keys()
    if found == names:
        return
    for name in names:
        if name not in found:
            raise WireError("missing-member", f"the member {name} is missing")
    for name in found:
        if name not in names:
            raise WireError("unknown-member", f"there is no member {name!r}")
    raise WireError("member-order", f"the members are not in the order {', '.join(names)}")


def _named(
    action: "Callable[..., Any]", name: str, kind: str, value: "Any", records: "Any"
) -> "Any":
    try:
        return action(kind, value, records)
    except WireError as error:
        raise WireError(error.code, f"{name}: {error.args[0]}") from None


def _write_value(kind: str, value: "Any", records: "dict[str, str]") -> str:
    kind, items_max, nullable = _shape(kind)
    if value is None:
        _check_null(nullable)
        return "null"
    if items_max:
        _check_list(value, items_max)
        return "[" + ",".join([_write_value(kind, item, records) for item in value]) + "]"
    if kind in records:
        return write(records[kind], value, records)
    return _write_scalar(b64.encode(value) if kind == "b64" else _check(kind, value))


def _write_scalar(value: "str | int") -> str:
    if isinstance(value, str):
        return jsonc.text(value)
    if value is True or value is False:
        return "true" if value else "false"
    return jsonc.integer(value)


def _read_value(kind: str, value: "Any", records: "dict[str, str]") -> "Any":
    kind, items_max, nullable = _shape(kind)
    if value is None:
        _check_null(nullable)
        return None
    if items_max:
        _check_list(value, items_max)
        return [_read_value(kind, item, records) for item in value]
    if kind in records:
        return read(records[kind], value, records)
    if kind == "b64":
        return b64.decode(_check("string", value))
    return _check(kind, value)


def _shape(kind: str) -> "tuple[str, int, bool]":
    nullable = kind[-1] == "?"
    if nullable:
        kind = kind[:-1]
    if "*" in kind:
        kind, most = kind.split("*")
        return kind, int(most), nullable
    return kind, 0, nullable


def _check_null(nullable: bool) -> None:
    if not nullable:
        raise WireError("wrong-type", "null is not allowed here")


def _check_list(value: "Any", items_max: int) -> None:
    if not isinstance(value, (list, tuple)):
        raise WireError("wrong-type", "a list is expected")
    if len(value) > items_max:
        raise WireError("too-long", f"a list has more than {items_max} items")


def _check(kind: str, value: "Any") -> "Any":
    if kind[0] == "=" or "|" in kind:
        words = kind.replace("=", "").split("|")
        if value not in words:
            raise WireError("bad-word", f"{value!r} is none of {', '.join(words)}")
        return value
    return _SCALARS[kind](value)


def _bool(value: "Any") -> bool:
    if value is not True and value is not False:
        raise WireError("wrong-type", f"true or false is expected, not {value!r}")
    return bool(value)


def _positive(value: "Any") -> int:
    if ids.check_uint(value) < 1:
        raise WireError("bad-integer", "the number begins at 1")
    return int(value)


def _string(value: "Any") -> str:
    if not isinstance(value, str):
        raise WireError("wrong-type", f"a string is expected, not {value!r}")
    return value


def _free(value: "Any") -> str:
    if len(_string(value)) > FREE_CHARS_MAX:
        raise WireError("too-long", f"a text has more than {FREE_CHARS_MAX} characters")
    return str(value)


def _signer(value: "Any") -> str:
    return _string(value) if value in ids.RESERVED_NODES else ids.check_id(value)


_SCALARS: "dict[str, Callable[[Any], Any]]" = {
    "uint": ids.check_uint,
    "positive": _positive,
    "bool": _bool,
    "id": ids.check_id,
    "node": ids.check_node,
    "signer": _signer,
    "keyid": ids.check_keyid,
    "digest": ids.check_keyid,
    "key16": ids.check_key16,
    "nonce": ids.check_nonce,
    "origin": ids.check_origin,
    "code": ids.check_code,
    "text": ids.check_text,
    "string": _string,
    "free": _free,
}
