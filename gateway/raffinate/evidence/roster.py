"""Which keys count, and how far (docs/formats/statement.md, Roster). Pure.

`check` says what speaks against a statement of the authority as the keys stand, `apply` carries it
out; both work on `Key` values, so that a command asks before it signs what the gateway decides
after.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.errors import RejectedError
from raffinate.evidence import dsse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from raffinate.evidence.store import Key

    LeafAt = Callable[[Key, int], str | None]
    """Hex leaf hash of a key's logged statement, None where there is none."""

LISTED_MAX = 4096
OWN_NAME = {"gateway": "gateway", "permit": "gateway", "authority": "authority"}
_NO_HEAD = "0" * 64


@dataclass(slots=True)
class Standing:
    """How far an ended key is good; `word` is revoked, retired, replaced or rotated.

    `last` is the highest good number (for a permit key: a size of the log), `before` the log index
    below which alone it is good; None: no such bound.
    """

    word: str = ""
    last: int | None = None
    before: int | None = None
    listed: set[str] = field(default_factory=set)

    def trusts(self, seq: int | None, index: int, leaf: str) -> bool:
        """True when an entry of the key counts; `seq` is None for a permit."""
        if leaf in self.listed:
            return True
        number = index + 1 if seq is None else seq
        return (self.last is None or number <= self.last) and (
            self.before is None or index < self.before
        )

    def end(self, word: str, last: int | None, before: int | None) -> None:
        """One more end: the lower bounds hold; revoked is the strongest word."""
        if self.word != "revoked":
            self.word = word
        self.last = _lower(self.last, last)
        self.before = _lower(self.before, before)

    def document(self) -> dict[str, Any]:
        """For the store."""
        return {"last": self.last, "before": self.before, "listed": sorted(self.listed)}

    @classmethod
    def of(cls, key: Key) -> Standing:
        """The standing that the store keeps with a key."""
        said = key.info.get("standing")
        if said is None:
            return cls()
        return cls(key.revoked, said["last"], said["before"], set(said["listed"]))


def check(kind: str, body: Mapping[str, Any], keys: Mapping[str, Key], leaf_at: LeafAt) -> None:
    """Raise RejectedError where a roster statement contradicts the roster as it stands.

    `body` has the predicate's own members as parsed (`spki` in base64).
    """
    if body["role"] == "log":
        raise RejectedError(
            "log-key",
            "the keys of a log are its identity and are not replaced inside it; begin a new log "
            "under another origin",
        )
    if kind in ("enrol", "rotate"):
        _check_new(body, keys)
    if kind == "enrol":
        _check_enrol(body, keys)
    elif kind == "rotate":
        _check_rotate(body, keys, leaf_at)
    else:
        _check_end(kind, body, keys, leaf_at)


def apply(kind: str, body: Mapping[str, Any], keys: Mapping[str, Key], index: int) -> Key | None:
    """Carry out what `check` let pass, logged at `index`; the key whose standing changed."""
    if kind == "enrol":
        if body["opening"] is None:
            return None
        return _end(keys[body["opening"]["keyid"]], "replaced", body["opening"]["seq"], None)
    if kind == "rotate":
        before = index + 1 if body["role"] == "authority" else index
        return _end(keys[body["predecessor"]["keyid"]], "rotated", None, before)
    key = keys[body["key"]]
    if kind == "retire":
        return _end(key, "retired", body["lastSeq"], None)
    return _end(key, "revoked", body["lastSeq"], index, body["trusted"])


def in_use(role: str, keys: Mapping[str, Key]) -> Key | None:
    """The gateway, permit or authority key that is not ended; the last brought in."""
    found = [key for key in keys.values() if key.role == role and not key.revoked]
    return max(found, key=lambda key: key.enrol_index, default=None)


def current_nodes(keys: Mapping[str, Key]) -> dict[str, Key]:
    """The last enrolled key of each node, ended or not."""
    nodes = [key for key in keys.values() if key.role == "node"]
    return {key.name: key for key in sorted(nodes, key=lambda key: key.enrol_index)}


def last_of(key: Key) -> dict[str, Any]:
    """`seq` and `head` of a key's highest logged number."""
    return {"seq": key.chain.seq, "head": key.chain.head.hex()}


def register_list(key: Key) -> list[dict[str, Any]]:
    """Registers that a key stated last, as statements write them."""
    return [
        {"id": name, "runMs": run, "starts": starts, "volumeMl": volume}
        for name, (run, starts, volume) in key.info.get("registers", {}).items()
    ]


def _end(
    key: Key, word: str, last: int | None, before: int | None, listed: tuple[str, ...] = ()
) -> Key:
    standing = Standing.of(key)
    standing.end(word, last, before)
    standing.listed.update(listed)
    key.revoked = standing.word
    key.info["standing"] = standing.document()
    return key


def _check_new(body: Mapping[str, Any], keys: Mapping[str, Key]) -> None:
    spki = b64decode(body["spki"])
    dsse.public_key(spki)
    if sha256(spki).hexdigest() != body["key"]:
        raise RejectedError("wrong-key", "the keyid is not that of the key")
    known = keys.get(body["key"])
    if known is not None:
        raise RejectedError("known", f"the key is in the roster: {known.role} {known.name}")
    _check_name(body["role"], body["name"])


def _check_name(role: str, name: str) -> None:
    if (role == "node") == (name in OWN_NAME.values()) or name != OWN_NAME.get(role, name):
        raise RejectedError("wrong-node", f"a key of role {role} has not the name {name}")


def _check_enrol(body: Mapping[str, Any], keys: Mapping[str, Key]) -> None:
    opening, role = body["opening"], body["role"]
    if role != "node":
        if in_use(role, keys) is not None or opening is not None:
            raise RejectedError("known", f"there is a {role} key already: rotate it")
        return
    if opening is None:
        return
    key = keys.get(opening["keyid"])
    if key is None or (key.role, key.name) != ("node", body["name"]):
        raise RejectedError("wrong-key", f"the predecessor is no key of {body['name']}")
    if key.revoked == "replaced":
        raise RejectedError("known", f"key {key.keyid[:16]} has a successor already")
    same = {name: opening[name] for name in ("seq", "head")} == last_of(key)
    if not same or opening["registers"] != register_list(key):
        raise RejectedError(
            "opening",
            f"key {key.keyid[:16]} has meanwhile said more (it is at {key.chain.seq}); ask again",
        )


def _check_rotate(body: Mapping[str, Any], keys: Mapping[str, Key], leaf_at: LeafAt) -> None:
    said, role = body["predecessor"], body["role"]
    key = in_use(role, keys)
    if key is None or key.keyid != said["keyid"]:
        raise RejectedError("wrong-key", f"the predecessor is not the {role} key in use")
    _check_head(key, said["seq"], said["head"], leaf_at)


def _check_end(
    kind: str, body: Mapping[str, Any], keys: Mapping[str, Key], leaf_at: LeafAt
) -> None:
    key, role = keys.get(body["key"]), body["role"]
    if key is None or (key.role, key.name) != (role, body["name"]):
        raise RejectedError("wrong-key", f"the roster has no {role} key {body['key'][:16]} of it")
    if kind == "retire" and key.revoked:
        raise RejectedError("known", f"the key is {key.revoked} already")
    if role in ("gateway", "authority") and in_use(role, keys) is key:
        raise RejectedError("in-use", f"the {role} key is in use: rotate it first")
    if kind == "retire":
        _check_head(key, 0 if role == "permit" else body["lastSeq"], body["head"], leaf_at)
        return
    if len(Standing.of(key).listed) + len(body["trusted"]) > LISTED_MAX:
        raise RejectedError("too-long", f"more than {LISTED_MAX} statements of the key are listed")


def _check_head(key: Key, seq: int, head: str, leaf_at: LeafAt) -> None:
    found = _NO_HEAD if seq == 0 else leaf_at(key, seq)
    if found != head:
        raise RejectedError(
            "head", f"the log has no statement {seq} of key {key.keyid[:16]} with that hash"
        )


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
