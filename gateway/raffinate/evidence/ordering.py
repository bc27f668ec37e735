"""Orders about the roster of a running gateway: made from its database, signed, handed over.

The database is read only, and what speaks against an order is said before it is signed; the
gateway decides again when it takes it.
"""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError, RaffinateError, RejectedError
from raffinate.evidence import roster
from raffinate.evidence.authority import open_authority
from raffinate.evidence.handover import check_running, hand_over, read_only
from raffinate.evidence.orders import Order, read_signed
from raffinate.evidence.store import Key, read_keys
from raffinate.keys import load_gateway_keys, make_spare, write_public
from raffinate.tlog.hashing import leaf_hash
from raffinate.tlog.publish import Folder
from raffinate.tlog.tiles import TILE_WIDTH, decode_bundle, entries_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from raffinate.evidence.handover import Sleep
    from raffinate.keyfile import Ask

PREFIX_DIGITS_MIN = 8
_ZEROS = "0" * 64


@dataclass(frozen=True, slots=True)
class Roster:
    """The keys of a log as its database has them; `size` entries are in the log."""

    data: Path
    keys: dict[str, Key]
    size: int

    def find(self, text: str) -> Key:
        """The key whose id begins with `text`, at least 8 digits. Raises RaffinateError."""
        found = [key for keyid, key in self.keys.items() if keyid.startswith(text.lower())]
        if len(text) < PREFIX_DIGITS_MIN or len(found) != 1:
            raise RaffinateError(
                f"{text!r} begins the id of {len(found)} keys; give at least {PREFIX_DIGITS_MIN} "
                "digits of one that `raffinate keys list` shows"
            )
        return found[0]

    def check(self, order: Order) -> Order:
        """The order, if nothing speaks against it. Raises RaffinateError."""
        with read_only(self.data) as connection:
            try:
                roster.check(
                    order.type,
                    order.members,
                    self.keys,
                    lambda key, seq: self._leaf_of(connection, key, seq),
                )
            except RejectedError as error:
                raise RaffinateError(f"this cannot be ordered: {error}") from None
        return order

    def leaf_at(self, index: int) -> str:
        """Hex leaf hash of an entry of the published log. Raises RaffinateError."""
        return leaf_hash(self.entry(index)).hex()

    def entry(self, index: int) -> bytes:
        """An entry of the published log. Raises RaffinateError."""
        if not 0 <= index < self.size:
            raise RaffinateError(f"the log has no entry {index}; it has {self.size}")
        bundle, place = divmod(index, TILE_WIDTH)
        width = min(TILE_WIDTH, self.size - bundle * TILE_WIDTH)
        folder = Folder(self.data / "log")
        if (folder.root / entries_path(bundle)).exists():
            width = TILE_WIDTH
        return decode_bundle(folder.read(entries_path(bundle, width)), width)[place]

    def _leaf_of(self, connection: sqlite3.Connection, key: Key, seq: int) -> str | None:
        if seq == key.chain.seq:
            return key.chain.head.hex()
        row = connection.execute(
            "SELECT idx FROM statements WHERE key = ? AND seq = ?", (key.id, seq)
        ).fetchone()
        return None if row is None else self.leaf_at(row[0])


def read_roster(data: Path) -> Roster:
    """The roster as it stands now. Raises RaffinateError."""
    with read_only(data) as connection:
        keys = {key.keyid: key for key in read_keys(connection)}
        (size,) = connection.execute("SELECT size FROM log_head").fetchone()
    return Roster(data, keys, size)


def enrol_order(found: Roster, node: str, spki: bytes, keyid: str, replaces: str | None) -> Order:
    """Enrol a node's key; with `replaces` as the successor of another one."""
    opening = None
    if replaces is not None:
        before = found.find(replaces)
        registers = roster.register_list(before)
        opening = {"keyid": before.keyid, **roster.last_of(before), "registers": registers}
    members = {"role": "node", "name": node, "key": keyid, "spki": b64encode(spki).decode()}
    return found.check(Order("enrol", {**members, "opening": opening}))


def rotate_order(found: Roster, keys: Path, role: str) -> Order:
    """Rotate the gateway's or permit key: the private half of the next one is made in `keys`."""
    used = roster.in_use(role, found.keys)
    pair = make_spare(keys, role, frozenset(found.keys))
    members = {"role": role, "name": roster.OWN_NAME[role], "key": pair.keyid}
    members["spki"] = b64encode(pair.spki).decode()
    if used is None:
        return found.check(Order("enrol", {**members, "opening": None}))
    predecessor = {"keyid": used.keyid, **roster.last_of(used)}
    return found.check(Order("rotate", {**members, "predecessor": predecessor}))


def retire_order(found: Roster, key: Key, reason: str) -> Order:
    """Retire a key as of its newest statement; a permit key as of the log's size."""
    last: dict[str, Any] = roster.last_of(key)
    if key.role == "permit":
        last = {"seq": found.size, "head": _ZEROS}
    return found.check(
        Order(
            "retire",
            {**_ended(key), "lastSeq": last["seq"], "head": last["head"], "reason": reason},
        )
    )


def revoke_order(
    found: Roster, key: Key, last_seq: int, reason: str, trusted: Sequence[str]
) -> Order:
    """Revoke a key; `trusted` are leaf hashes, or indices of entries of the log."""
    listed = [found.leaf_at(int(item)) if len(item) < len(_ZEROS) else item for item in trusted]
    members = {**_ended(key), "lastSeq": last_seq, "reason": reason, "trusted": listed}
    return found.check(Order("revoke", members))


def sign_and_submit(
    keys: Path,
    data: Path,
    orders: Sequence[Order],
    wait_s: float,
    now_ms: int,
    *,
    ask: Ask | None = None,
    sleep: Sleep = time.sleep,
) -> list[dict[str, Any]]:
    """Sign with the authority's key in `keys`, and await the gateway. Raises RaffinateError."""
    check_running(data)
    if not (keys / "authority.key").exists():
        raise ConfigError(
            f"{keys} has no authority.key: give --request FILE, have it signed where the "
            "authority's key is (`raffinate keys authority sign`), then `raffinate keys submit`"
        )
    answers = []
    with open_authority(keys, ask) as authority:
        _check_authority(data, authority.keyid)
        for order in orders:
            envelope = order.sign(authority, now_ms)
            answers.append(_submit(data, read_signed(envelope + b"\n")[0], wait_s, sleep))
    adopt(keys, data)
    return answers


def submit(
    keys: Path, data: Path, signed: bytes, wait_s: float, *, sleep: Sleep = time.sleep
) -> list[dict[str, Any]]:
    """Hand over a signed file and await the gateway. Raises RaffinateError."""
    check_running(data)
    answers = [_submit(data, item, wait_s, sleep) for item in read_signed(signed)]
    adopt(keys, data)
    return answers


def adopt(keys: Path, data: Path) -> None:
    """Bring `public.json` up to the keys in use, for a gateway that may not write there."""
    found = read_roster(data).keys
    mine = load_gateway_keys(keys)
    for role in ("gateway", "permit"):
        key = roster.in_use(role, found)
        if key is not None:
            mine = mine.using(role, key.keyid)
    used = roster.in_use("authority", found)
    write_public(mine if used is None else mine.with_authority(used.spki))


def _ended(key: Key) -> dict[str, Any]:
    return {"role": key.role, "name": key.name, "key": key.keyid}


def _check_authority(data: Path, keyid: str) -> None:
    """Sign nothing with a key that the log does not take."""
    used = roster.in_use("authority", read_roster(data).keys)
    if used is not None and used.keyid != keyid:
        raise RaffinateError(
            f"this authority key {keyid[:16]} is not the one in use, {used.keyid[:16]}"
        )


def _submit(data: Path, item: tuple[int, bytes], wait_s: float, sleep: Sleep) -> dict[str, Any]:
    seq, envelope = item
    name = f"order-{seq:010d}-{leaf_hash(envelope).hex()[:16]}"
    return hand_over(data, name, envelope, wait_s, sleep)
