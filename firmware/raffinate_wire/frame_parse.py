"""Reading frames: what the gateway does, and a board never."""

from raffinate_wire import b64, ids, jsonc
from raffinate_wire.errors import WireError
from raffinate_wire.frame import (
    CLOCKS,
    FRAME_BYTES_MAX,
    SCANS_MAX,
    VALUES_MAX,
    Frame,
    check_name,
    check_quality,
    check_unit,
)
from raffinate_wire.record import check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from raffinate_wire.frame import Scan, Value

_HEADER_RECORDS = 5


def parse(data: bytes) -> Frame:
    """Return the frame; raise WireError (frame.parse_frame is its public name)."""
    if len(data) > FRAME_BYTES_MAX:
        raise WireError("too-long", f"a frame has at most {FRAME_BYTES_MAX} bytes")
    pack = jsonc.parse(data, 2)
    if not isinstance(pack, list) or len(pack) <= _HEADER_RECORDS:
        raise WireError("bad-frame", "a frame is a list of a header and at least one scan")
    first = pack[0]
    timed = isinstance(first, jsonc.Obj) and "bt" in first
    key16 = ids.check_key16(_header(first, "key", "vs", ("bn", "bt") if timed else ("bn",)))
    site, node = _base_name(first["bn"])
    boot = ids.check_uint(_header(pack[1], "boot", "v"), "boot")
    seq = ids.check_uint(_header(pack[2], "seq", "v"), "seq")
    prev = b64.decode_url(_header(pack[3], "prev", "vd"))
    clock = _header(pack[4], "clock", "vs")
    if clock not in CLOCKS or len(prev) != 32:
        raise WireError("bad-frame", "a clock state and 32 bytes of prev are expected")
    scans = _scans(pack, first, clock)
    return Frame(site, node, key16, boot, seq, prev, clock, scans)


def _header(record: "Any", name: str, member: str, base: "tuple[str, ...]" = ()) -> "Any":
    # A header record and its value; `base` are the members before its name.
    if not isinstance(record, jsonc.Obj):
        raise WireError("wrong-type", "a frame's records are objects")
    names = list(base)
    names.extend(("n", member))
    check_names(names, record)
    if record["n"] != name:
        raise WireError("bad-frame", f"the record {name} is missing from its place")
    return record[member]


def _base_name(text: "Any") -> "tuple[str, str]":
    parts = text.split("/") if isinstance(text, str) else []
    if len(parts) != 3 or parts[2]:
        raise WireError("bad-frame", f"the base name reads <site>/<node>/, not {text!r}")
    return ids.check_id(parts[0]), ids.check_node(parts[1])


def _scans(pack: "list[Any]", first: jsonc.Obj, clock: str) -> "list[Scan]":
    scans: "list[Scan]" = []
    values: "list[Value]" = []
    names: "set[str]" = set()
    count = 0
    for record in pack[_HEADER_RECORDS:]:
        if not isinstance(record, jsonc.Obj):
            raise WireError("wrong-type", "a frame's records are objects")
        if record.get("n") == "up":
            values = []
            names.clear()
            scans.append(_scan_start(record, None if scans else first, clock, values))
            continue
        if not scans:
            raise WireError("bad-frame", "a scan begins with up")
        value = _parse_value(record)
        if value[0] in names:
            raise WireError("duplicate-name", f"{value[0]} appears twice in one scan")
        names.add(value[0])
        values.append(value)
        count += 1
    if count > VALUES_MAX or len(scans) > SCANS_MAX:
        raise WireError("too-long", f"{len(scans)} scans with {count} values are too many")
    return scans


def _scan_start(
    record: jsonc.Obj, first: "jsonc.Obj | None", clock: str, values: "list[Value]"
) -> "Scan":
    # The first scan's bt stands in the frame's first record, a later one's beside its up.
    holder = first or record
    timed = clock != "U"
    check_names(["bt", "n", "u", "v"] if timed and not first else ["n", "u", "v"], record)
    if ("bt" in holder) != timed:
        raise WireError("bad-frame", "bt is left out under clock U, and only there")
    if record["u"] != "s":
        raise WireError("bad-unit", "up is given in seconds")
    bt_ms = _milliseconds(holder["bt"], "bt") if timed else None
    return bt_ms, _milliseconds(record["v"], "up"), values


def _milliseconds(value: "Any", name: str) -> int:
    if isinstance(value, jsonc.Num):
        if value.decimals > 3:
            raise WireError("bad-number", f"{name} has more than 3 decimals")
        return ids.check_uint(value.mantissa * 10 ** (3 - value.decimals), name)
    return ids.check_uint(ids.check_uint(value, name) * 1000, name)


def _parse_value(record: jsonc.Obj) -> "Value":
    name = check_name(record.get("n"))
    if "vs" in record:
        check_names(["n", "vs"], record)
        return name, None, check_quality(record["vs"]), 0
    unit = ""
    if "u" in record:
        check_names(["n", "u", "v"], record)
        unit = check_unit(record["u"])
    else:
        check_names(["n", "v"], record)
    value = record["v"]
    if isinstance(value, jsonc.Num):
        jsonc.check_digits(value.mantissa, value.decimals, jsonc.DIGITS_MAX)
        return name, unit, value.mantissa, value.decimals
    jsonc.integer(value)
    jsonc.check_digits(value, 0, jsonc.DIGITS_MAX)
    return name, unit, value, 0
