"""Which keys count, and how far: the roster of docs/formats/statement.md as the verifier reads it.

Written apart from the gateway's own (evidence/roster.py), so that one checks the other. Pure.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from raffinate.errors import RejectedError
from raffinate.evidence import dsse
from raffinate.evidence.chain import Chain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from raffinate.evidence.statement import Statement

    Registers = dict[str, tuple[int, int, int]]

LISTED_MAX = 4096
_NAMES = {"gateway": "gateway", "permit": "gateway", "authority": "authority"}
_NO_HEAD = "0" * 64
# What an order that brings a key in says of it.
_BRINGS = ("role", "name", "key", "spki", "opening", "predecessor")


class RosterError(ValueError):
    """A statement of the authority contradicts the roster as it stands."""


@dataclass(slots=True)
class Standing:
    """How far an ended key is good; with several ends each must hold (None: no such bound).

    `last` is the highest good number, for a permit key a size of the log; below `before` alone an
    entry is good; `listed` leaves are good all the same.
    """

    revoked: bool = False
    ended: bool = False
    last: int | None = None
    before: int | None = None
    listed: set[str] = field(default_factory=set)

    def trusts(self, number: int, index: int, leaf: bytes) -> bool:
        """True when the entry of that number (a permit: index + 1) counts."""
        if not self.ended:
            return True
        good = (self.last is None or number <= self.last) and (
            self.before is None or index < self.before
        )
        return good or leaf.hex() in self.listed

    def end(self, last: int | None, before: int | None) -> None:
        """One more end."""
        self.ended = True
        self.last = last if self.last is None or last is None else min(self.last, last)
        self.before = before if self.before is None or before is None else min(self.before, before)


@dataclass(slots=True)
class Signer:
    """A key of the roster, its chain, and what its newest good statement said."""

    keyid: str
    role: str
    name: str
    spki: bytes
    public: ec.EllipticCurvePublicKey
    index: int = -1
    chain: Chain = field(default_factory=Chain)
    standing: Standing = field(default_factory=Standing)
    good_number: int = 0
    good_head: bytes = bytes(32)
    doubted: int = 0
    opening: Registers = field(default_factory=dict)
    predecessor: str | None = None
    registers: Registers = field(default_factory=dict)
    expected: tuple[int, str] | None = None
    replaced: bool = False
    brought: dict[str, Any] = field(default_factory=dict)

    def total(self, equipment: str) -> tuple[int, int, int]:
        """The machine's registers: the opening ones and this key's own."""
        own, opening = (book.get(equipment, (0, 0, 0)) for book in (self.registers, self.opening))
        return own[0] + opening[0], own[1] + opening[1], own[2] + opening[2]


class Roster:
    """Keys by keyid. `foreseen` are the standings that an earlier pass over the log found."""

    def __init__(self, authority_spki: bytes, foreseen: dict[str, Standing]) -> None:
        self.signers: dict[str, Signer] = {}
        self._foreseen = foreseen
        self.stale = False
        self._add("authority", "authority", authority_spki, -1)

    def get(self, keyid: str) -> Signer | None:
        """The key, once it was brought in."""
        return self.signers.get(keyid)

    def trusts(self, signer: Signer, number: int, index: int, leaf: bytes) -> bool:
        """True when the entry counts, by all that the whole log says where that is known."""
        standing = self._foreseen.get(signer.keyid, signer.standing)
        good = standing.trusts(number, index, leaf)
        if good and number > signer.good_number:
            signer.good_number, signer.good_head = number, leaf
        elif not good:
            signer.doubted += 1
        return good

    def known(self, keyid: str) -> Standing:
        """The key's standing by all that is known of the log."""
        found = self.signers.get(keyid)
        own = found.standing if found is not None else Standing()
        return self._foreseen.get(keyid, own)

    def apply(self, statement: Statement, index: int) -> str | None:
        """Carry out a statement of the authority; a code for a notice. Raises RosterError."""
        body, kind = statement.body, statement.type
        if body["role"] == "log":
            return "UNSUPPORTED"
        if kind not in ("enrol", "rotate"):
            self._end(kind, body, index)
            return "REVOCATION" if kind == "revoke" else None
        order = {"kind": kind, **{name: body[name] for name in _BRINGS if name in body}}
        known = self.signers.get(body["key"])
        if known is not None and known.brought == order:
            return "ENROLMENT-REPEATED"
        if kind == "enrol":
            code = self._enrol(body, index)
        else:
            self._rotate(statement, body, index)
            code = "KEY-ROTATED"
        self.signers[body["key"]].brought = order
        return code

    def _add(self, role: str, name: str, spki: bytes, index: int) -> Signer:
        try:
            public = dsse.public_key(spki)
        except RejectedError as error:
            raise RosterError(str(error)) from None
        keyid = sha256(spki).hexdigest()
        signer = self.signers[keyid] = Signer(keyid, role, name, spki, public, index)
        return signer

    def _enrol(self, body: dict[str, Any], index: int) -> str | None:
        role, name, opening = body["role"], body["name"], body["opening"]
        self._check_new(body)
        before = None
        if opening is not None:
            before = self._predecessor(role, name, opening)
        earlier = [one for one in self.signers.values() if (one.role, one.name) == (role, name)]
        if role != "node" and any(not one.standing.ended for one in earlier):
            raise RosterError(f"there is a {role} key in use: it is rotated, not enrolled")
        signer = self._add(role, name, b64decode(body["spki"]), index)
        if before is not None:
            signer.predecessor, before.replaced = before.keyid, True
            signer.opening = {name: before.total(name) for name in before.registers}
            before.standing.end(opening["seq"], None)
            self._doubt(before, before.good_number > opening["seq"])
            return "KEY-REPLACED"
        if role == "node" and earlier:
            return "OPENING-ABSENT"
        return "KEY-REPLACED" if earlier else None

    def _predecessor(self, role: str, name: str, opening: dict[str, Any]) -> Signer:
        before = self.signers.get(opening["keyid"])
        if before is None or (before.role, before.name) != (role, name) or role != "node":
            raise RosterError(f"the predecessor is no earlier node key of {name}")
        if before.replaced:
            raise RosterError("the predecessor was replaced before")
        stated = {
            item["id"]: (item["runMs"], item["starts"], item["volumeMl"])
            for item in opening["registers"]
        }
        if (opening["seq"], opening["head"]) != (before.chain.seq, before.chain.head.hex()):
            raise RosterError(
                f"the opening names statement {opening['seq']}, the log has {before.chain.seq}"
            )
        if stated != before.registers:
            raise RosterError("the opening registers are not the last that the predecessor stated")
        return before

    def _rotate(self, statement: Statement, body: dict[str, Any], index: int) -> None:
        role, name, last = body["role"], body["name"], body["predecessor"]
        self._check_new(body)
        before = self.signers.get(last["keyid"])
        if before is None or before.role != role or before.standing.ended:
            raise RosterError(f"the predecessor is not the {role} key in use")
        if role == "authority":
            named = (statement.seq - 1, statement.prev.hex())
            if before.keyid != statement.keyid or (last["seq"], last["head"]) != named:
                raise RosterError("a rotation of the authority names its own key and number")
        elif last["seq"] > before.chain.seq:
            raise RosterError(f"the log has no statement {last['seq']} of the predecessor")
        self._add(role, name, b64decode(body["spki"]), index)
        before.standing.end(None, index + 1 if role == "authority" else index)

    def _end(self, kind: str, body: dict[str, Any], index: int) -> None:
        signer = self.signers.get(body["key"])
        if signer is None or (signer.role, signer.name) != (body["role"], body["name"]):
            raise RosterError(f"{kind} names a key that the roster has not: {body['key'][:16]}")
        standing = signer.standing
        if not standing.ended and signer.role in ("gateway", "authority"):
            raise RosterError(f"the {signer.role} key in use is rotated before it is ended")
        if kind == "retire":
            if signer.role == "permit":
                if body["head"] != _NO_HEAD:
                    raise RosterError("a permit key has no head")
            else:
                if body["lastSeq"] == 0 and body["head"] != _NO_HEAD:
                    raise RosterError("statement 0 has no head")
                signer.expected = (body["lastSeq"], body["head"])
            standing.end(body["lastSeq"], None)
        else:
            new = set(body["trusted"]) - standing.listed
            if len(standing.listed) + len(new) > LISTED_MAX:
                raise RosterError(f"more than {LISTED_MAX} leaves are listed for one key")
            self._doubt(signer, bool(new) and signer.doubted > 0)
            standing.listed |= new
            standing.revoked = True
            standing.end(body["lastSeq"], index)
        self._doubt(signer, signer.good_number > body["lastSeq"])

    def _doubt(self, signer: Signer, wrong: bool) -> None:
        """Note that entries before this one were judged by less than is known now."""
        if wrong and signer.keyid not in self._foreseen:
            self.stale = True

    def _check_new(self, body: dict[str, Any]) -> None:
        keyid = sha256(b64decode(body["spki"])).hexdigest()
        if keyid != body["key"]:
            raise RosterError("the keyid is not that of the key")
        if keyid in self.signers:
            raise RosterError("the key is in the roster already")
        role, name = body["role"], body["name"]
        if _NAMES.get(role, name) != name or (role == "node" and name in _NAMES):
            raise RosterError(f"a {role} key has not the name {name}")
