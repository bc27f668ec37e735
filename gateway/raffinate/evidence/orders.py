"""Orders: what the authority is asked to sign, as values and as a file carried to its machine.

A request file is JSON: `{"v":1,"origin":…,"orders":[{"type":"enrol",…}]}`, each order with the
members of its predicate (docs/formats/statement.md; `spki` in base64). It is not signed: whoever
signs reads it first, and `describe` says it in words. What comes back is a text of envelopes, one
a line.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from raffinate.errors import RaffinateError, RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.codes import format_code
from raffinate.evidence.statement import parse_statement
from raffinate_wire.errors import WireError
from raffinate_wire.ids import check_origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from raffinate.evidence.authority import Authority
    from raffinate.keys import KeyPair

ORDERS_MAX = 100
FILE_BYTES_MAX = 1 << 20
TYPES = ("enrol", "rotate", "revoke", "retire")


@dataclass(frozen=True, slots=True)
class Order:
    """One roster statement to be signed; `members` as JSON has them."""

    type: str
    members: Mapping[str, Any]

    def sign(self, authority: Authority, now_ms: int) -> bytes:
        """The envelope. Raises RaffinateError for members that make no statement."""
        members = dict(self.members)
        try:
            if "spki" in members:
                members["spki"] = b64decode(members["spki"], validate=True)
            return authority.sign(self.type, members, now_ms)
        except (WireError, ValueError, KeyError, TypeError) as error:
            raise RaffinateError(f"the order {self.type} makes no statement: {error}") from None


def describe(order: Order) -> str:
    """An order in words, for the person who signs."""
    said = order.members
    role, name, key = (str(said.get(member, "?")) for member in ("role", "name", "key"))
    text = f"{order.type} the {role} key {key[:16]} of {name}"
    if order.type == "enrol" and role == "node":
        text += f", code {_code(key)}: it must be the one on the board"
        opening = said.get("opening")
        if opening is not None:
            text += (
                f"; it replaces key {str(opening['keyid'])[:16]} from number {opening['seq']} on"
            )
    elif order.type == "rotate" and said["predecessor"] is not None:
        text += f"; it takes the place of {str(said['predecessor']['keyid'])[:16]}"
    elif order.type == "revoke":
        listed = len(said["trusted"])
        text += f"; trusted up to {said['lastSeq']}, {listed} listed beyond; {said['reason']}"
    elif order.type == "retire":
        text += f"; good up to {said['lastSeq']}; {said['reason']}"
    return text


def first_order(role: str, pair: KeyPair) -> Order:
    """Enrol the first gateway or permit key of a log."""
    members = {"role": role, "name": "gateway", "key": pair.keyid}
    return Order("enrol", {**members, "spki": b64encode(pair.spki).decode(), "opening": None})


def rotation(spki: bytes) -> Order:
    """The authority's key gives its place to another; the signer fills in itself."""
    members = {"role": "authority", "name": "authority", "key": sha256(spki).hexdigest()}
    return Order("rotate", {**members, "spki": b64encode(spki).decode(), "predecessor": None})


def format_request(origin: str, orders: Sequence[Order]) -> bytes:
    """The request file."""
    listed = [{"type": order.type, **order.members} for order in orders]
    value = {"v": 1, "origin": origin, "orders": listed}
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def read_request(data: bytes) -> tuple[str, list[Order]]:
    """(origin, orders) of a request file. Raises RaffinateError."""
    try:
        value = orjson.loads(data[: FILE_BYTES_MAX + 1])
        version, origin, listed = value["v"], check_origin(value["origin"]), list(value["orders"])
        orders = [_order(item) for item in listed]
        for order in orders:
            describe(order)
    except (ValueError, TypeError, KeyError, WireError) as error:
        raise RaffinateError(f"this is no request to the authority: {error!r}") from None
    if any(order.members["role"] == "authority" for order in orders if order.type == "rotate"):
        raise RaffinateError("the authority's key is rotated by `raffinate keys authority rotate`")
    if version != 1 or not 0 < len(orders) <= ORDERS_MAX:
        raise RaffinateError(f"the request is of another version, or has not 1 to {ORDERS_MAX}")
    return origin, orders


def read_signed(data: bytes) -> list[tuple[int, bytes]]:
    """(number, envelope) of each line of a signed file. Raises RaffinateError."""
    lines = data.split(b"\n")
    if len(data) > FILE_BYTES_MAX or lines[-1] or not 1 < len(lines) <= ORDERS_MAX + 1:
        raise RaffinateError("this is no file that `raffinate keys authority sign` wrote")
    found = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            statement = parse_statement(dsse.decode_envelope(line).payload)
        except RejectedError as error:
            raise RaffinateError(f"line {number} is no signed statement: {error}") from None
        found.append((statement.seq, line))
    return found


def _order(item: Mapping[str, Any]) -> Order:
    members = dict(item)
    kind = members.pop("type")
    if kind not in TYPES:
        raise ValueError(f"there is no order {kind!r}")
    return Order(kind, members)


def _code(keyid: str) -> str:
    try:
        return format_code(keyid)
    except ValueError:
        return "?"
