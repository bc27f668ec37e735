"""Decides what becomes of each statement: logged, waiting, refused, pending or known already.

Signature first, then the parse of the verified bytes, then signer, site, node and log, then the
chain (protocol 2 and 4). Everything decided is put into a `Work`; nothing is written here. The
caller loads a new Intake when a Work could not be committed.
"""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from raffinate.errors import RejectedError
from raffinate.evidence import dsse, notes, period
from raffinate.evidence.chain import AHEAD, KNOWN, fallen
from raffinate.evidence.roster import Standing
from raffinate.evidence.statement import Statement, parse_statement
from raffinate.evidence.store import Finding, Key, Pending
from raffinate.model import GapCover
from raffinate.tlog.hashing import leaf_hash, range_hash
from raffinate_wire import topics
from raffinate_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate.evidence.store import Store
    from raffinate.evidence.work import Work
    from raffinate.model import Inbound
    from raffinate.tlog.sequencer import Sequencer

    Looked = tuple[dsse.Envelope | RejectedError, tuple[bytes, bytes, bytes] | None]

PENDING_KEYS_MAX = 64
FORKS_MAX = 64
WAITING_MAX = 1000
WAITING_MS_MAX = 60_000
AFTER_END_MAX = 1000
_ROOTS_KEPT = 256
_TOPICS_KEPT = 10_000


class SignGateway(Protocol):
    """Signs a statement of the gateway and logs it in `work`; returns its index."""

    def __call__(
        self, kind: str, subject: list[tuple[str, str]], specific: dict[str, Any], work: Work
    ) -> int:
        """`subject` is (name, SHA-256 hex); `specific` the predicate's own members but `actor`."""


class Intake:
    """The keys and what waits for a predecessor, as the store has them plus the Work at hand."""

    def __init__(
        self, nodes: Iterable[str], site: str, store: Store, log: Sequencer, sign: SignGateway
    ) -> None:
        self._nodes = frozenset(nodes)
        self._site = site
        self._store = store
        self._log = log
        self._sign = sign
        self._topics: dict[str, str | None] = {}
        self._roots: dict[int, str] = {}
        self.keys = {key.keyid: key for key in store.all_keys()}
        self.by_id = {key.id: key for key in self.keys.values()}
        self.pending = {row.keyid: row for row in store.pending()}
        self.waiting: dict[int, dict[int, tuple[int, bytes]]] = {}
        for key_id, seq, received_ms, data in store.waiting():
            self.waiting.setdefault(key_id, {})[seq] = (received_ms, data)

    def look(self, message: Inbound) -> Looked:
        """What a message seems to be, and what its signature must fit; nothing is verified."""
        try:
            envelope = dsse.decode_envelope(message.payload)
        except RejectedError as error:
            return error, None
        key = self.keys.get(envelope.keyid)
        if key is None:
            return envelope, None
        return envelope, (key.spki, envelope.signature, dsse.digest(envelope))

    def take(
        self, message: Inbound, looked: dsse.Envelope | RejectedError, verified: bool, work: Work
    ) -> None:
        """Decide about one message; every outcome is in `work`.

        `verified` tells that a Verifier found the signature to fit.
        """
        try:
            if isinstance(looked, RejectedError):
                raise looked
            node = self._node(message.topic)
            key = self.keys.get(looked.keyid)
            if key is None:
                self._take_pending(node, looked, message, work)
                return
            _check_sender(key, node)
            statement = self.check(looked, key, work.refused, verified=verified)
            _check_quota(key, statement, work)
        except RejectedError as error:
            work.quarantine.append((message, error.code))
            return
        self._place(key, statement, message.payload, message.received_ms, work)

    def check(
        self,
        envelope: dsse.Envelope,
        key: Key,
        refused: dict[str, list[tuple[int, str]]] | None = None,
        *,
        verified: bool = False,
    ) -> Statement:
        """The statement of an envelope signed by `key` for this site and log.

        Raises RejectedError; what its key signed and is refused anyhow is put into `refused`.
        """
        if verified:
            dsse.check_form(envelope)
        else:
            dsse.verify(envelope, key.public)
        try:
            return self._read(envelope, key)
        except RejectedError as error:
            seq = _seq_of(envelope.payload)
            if seq is not None and refused is not None:
                refused.setdefault(key.keyid, []).append((seq, error.code))
            raise

    def add(self, key: Key, statement: Statement, data: bytes, work: Work) -> int:
        """Log one statement now; its index."""
        leaf = leaf_hash(data)
        newest = statement.seq > key.chain.seq
        index = work.add_entry(data, leaf)
        try:
            codes = key.chain.extend(statement.seq, statement.prev, leaf)
        except ValueError:
            codes = ["CHAIN-BROKEN"]
        work.rows.append((key.id, statement.seq, index))
        work.indices[key.id, statement.seq] = index
        work.keys[key.id] = key
        if key.revoked and not Standing.of(key).trusts(statement.seq, index, leaf.hex()):
            key.info["after_end"] = key.info.get("after_end", 0) + 1
            codes.append("KEY-REVOKED" if key.revoked == "revoked" else "KEY-ENDED")
        else:
            if statement.type == "denial":
                self._note_denial(key, statement)
            if newest:
                codes += self._note_newest(key, statement, index, work)
            period.note(key, statement, index, self.keys, work)
        for code in codes:
            self.find(work, code, key, statement.seq)
        return index

    def add_key(self, key: Key, work: Work) -> None:
        """Take a key that the authority enrolled."""
        self.keys[key.keyid] = self.by_id[key.id] = key
        work.keys[key.id] = key
        if self.pending.pop(key.keyid, None) is not None:
            work.unpended.append(key.keyid)
        if key.role == "node":
            work.enrolled.append((key.name, key.keyid))

    def index_of(self, key: Key, seq: int, work: Work) -> int | None:
        """Log index of a key's statement, None when it is not logged."""
        index = work.indices.get((key.id, seq))
        return self._store.index_of(key.id, seq) if index is None else index

    def leaf_of(self, key: Key, seq: int, work: Work) -> str | None:
        """Hex leaf hash of a key's logged statement, None when it is not logged."""
        index = self.index_of(key, seq, work)
        return None if index is None else self._leaf(index, work).hex()

    def release_overdue(self, work: Work) -> None:
        """Log statements that waited long enough, each with what is missing before it."""
        for key_id, held in list(self.waiting.items()):
            while held:
                oldest_ms = min(received_ms for received_ms, _ in held.values())
                if oldest_ms > work.now_ms - WAITING_MS_MAX:
                    break
                self._release_lowest(self.by_id[key_id], work)

    def find(self, work: Work, code: str, key: Key, seq: int | None, detail: str = "") -> None:
        """Keep a finding about one of a key's statements."""
        work.findings.append(Finding(work.now_ms, code, key.name, key.keyid, seq, detail))
        found = key.info.setdefault("findings", [])
        if code not in found:
            found.append(code)
        work.keys[key.id] = key

    def _read(self, envelope: dsse.Envelope, key: Key) -> Statement:
        """Parse verified bytes; signer, node, site and log must be the right ones."""
        if envelope.payload_type != dsse.STATEMENT:
            raise RejectedError("wrong-payload-type", "the payload is no in-toto statement")
        statement = parse_statement(envelope.payload)
        body = statement.body
        if statement.keyid != key.keyid:
            raise RejectedError("wrong-key", "the statement names another key than signed it")
        if statement.node != key.name:
            raise RejectedError("wrong-node", f"key {key.keyid[:16]} is not of that node")
        if body["site"] != self._site:
            raise RejectedError("wrong-site", f"the statement is of site {body['site']}")
        if body["log"] != self._log.origin:
            raise RejectedError("wrong-log", f"the statement is for log {body['log']}")
        return statement

    def _place(
        self, key: Key, statement: Statement, data: bytes, received_ms: int, work: Work
    ) -> None:
        where = key.chain.place(statement.seq, statement.prev)
        if where == KNOWN:
            self._take_again(key, statement, data, work)
            return
        _note_gap(key, statement, work)
        if where == AHEAD:
            self._wait(key, statement, data, received_ms, work)
            return
        index = self.add(key, statement, data, work)
        work.receipts.append((key, statement.seq, index))
        self._release_next(key, work)

    def _take_again(self, key: Key, statement: Statement, data: bytes, work: Work) -> None:
        index = self.index_of(key, statement.seq, work)
        if index is None:
            index = self.add(key, statement, data, work)
        leaf = leaf_hash(data)
        if self._leaf(index, work) == leaf:
            work.receipts.append((key, statement.seq, index))
            # A gateway killed after this statement's commit told nobody yet of its gap.
            _note_gap(key, statement, work)
            return
        self.state_fork(key, statement.seq, index, leaf, data, work)

    def _leaf(self, index: int, work: Work) -> bytes:
        return work.leaves[index - work.first] if index >= work.first else self._log.leaf(index)

    def state_fork(
        self, key: Key, seq: int, index: int, leaf: bytes, data: bytes, work: Work
    ) -> None:
        """State that one key signed two statements of one number; once for each second one."""
        name = leaf.hex()
        forks = key.info.setdefault("forks", [])
        if name in forks or len(forks) >= FORKS_MAX:
            return
        forks.append(name)
        work.documents.append((name, "fork", f"blobs/{name}", data))
        specific = {
            "about": {"node": key.name, "keyid": key.keyid},
            "forkSeq": seq,
            "index": index,
            "second": name,
        }
        self._sign("fork", [(f"key/{key.name}", key.keyid)], specific, work)
        self.find(work, "FORK", key, seq, f"index {index} and leaf {name}")

    def _wait(
        self, key: Key, statement: Statement, data: bytes, received_ms: int, work: Work
    ) -> None:
        held = self.waiting.setdefault(key.id, {})
        other = held.get(statement.seq)
        if other is not None:
            if other[1] != data:
                while statement.seq in held:
                    self._release_lowest(key, work)
                self._take_again(key, statement, data, work)
            return
        held[statement.seq] = (received_ms, data)
        work.waiting[key.id, statement.seq] = (received_ms, data)
        if len(held) > WAITING_MAX:
            self._release_lowest(key, work)

    def _release_lowest(self, key: Key, work: Work) -> None:
        seq = min(self.waiting[key.id])
        self._release(key, seq, work)
        self._release_next(key, work)

    def _release_next(self, key: Key, work: Work) -> None:
        """Log what waited for what was just logged."""
        held = self.waiting.get(key.id)
        while held:
            seq = min(held)
            statement = parse_statement(dsse.decode_envelope(held[seq][1]).payload)
            if key.chain.place(seq, statement.prev) == AHEAD:
                return
            self._release(key, seq, work)

    def _release(self, key: Key, seq: int, work: Work) -> None:
        _, data = self.waiting[key.id].pop(seq)
        if work.waiting.pop((key.id, seq), None) is None:
            work.released.append((key.id, seq))
        statement = parse_statement(dsse.decode_envelope(data).payload)
        index = self.add(key, statement, data, work)
        work.receipts.append((key, seq, index))

    def _take_pending(
        self, node: str, envelope: dsse.Envelope, message: Inbound, work: Work
    ) -> None:
        """Keep a boot statement that verifies under the key it names; drop all else silently."""
        statement = parse_statement(envelope.payload)
        if statement.type != "boot":
            return
        spki = b64decode(statement.body["spki"])
        dsse.public_key(spki)
        key = Key(0, envelope.keyid, "node", node, spki, -1)
        if statement.keyid != envelope.keyid or sha256(spki).hexdigest() != envelope.keyid:
            raise RejectedError("wrong-key", "the boot statement names another key than signed it")
        self.check(envelope, key)
        known = self.pending.get(key.keyid)
        boot = statement.body["boot"]
        if known is not None and (known.boot, known.seq) >= (boot, statement.seq):
            return
        row = Pending(
            key.keyid, node, spki, boot, statement.seq, message.received_ms, message.payload
        )
        self.pending.pop(key.keyid, None)
        self.pending[key.keyid] = work.pending[key.keyid] = row
        while len(self.pending) > PENDING_KEYS_MAX:
            oldest = next(iter(self.pending))
            del self.pending[oldest]
            work.pending.pop(oldest, None)
            work.unpended.append(oldest)

    def _note_newest(self, key: Key, statement: Statement, index: int, work: Work) -> list[str]:
        """Keep what the page shows; the codes of what fell since the statement before."""
        info, body, codes = key.info, statement.body, []
        registers = statement.registers()
        before = info.get("registers", {})
        if registers != before and fallen(before, registers):
            codes.append("REGISTER-FELL")
        info["registers"] = registers
        if (info.get("boot") or 0) > (body["boot"] or 0):
            codes.append("BOOT-FELL")
        seen = body["seen"]
        if seen is not None and seen != info.get("seen"):
            codes += self._check_seen(info.get("seen"), seen)
            info["seen"] = seen
        info["boot"], info["clock"] = body["boot"], body["clock"]
        info["unreceipted"] = body["unreceipted"] or 0
        info["last"] = {"seq": statement.seq, "type": statement.type, "time_ms": body["timeMs"]}
        info["receipt"] = {"seq": statement.seq, "index": index}
        notes.note(key, statement, index)
        if statement.type in ("usage", "heartbeat"):
            info["use"] = body["equipment"]
            to_ms = body["interval"]["toMs"]
            if body["frames"] is not None and to_ms is not None:
                info["covered_ms"] = to_ms
            if any(use["starts"] or use["startRequests"] for use in body["equipment"]):
                work.uses.append((key, body))
        return codes

    def _check_seen(self, before: dict[str, Any] | None, seen: dict[str, Any]) -> list[str]:
        size = seen["size"]
        codes = ["SEEN-FELL"] if before is not None and size < before["size"] else []
        if size > self._log.size:
            return [*codes, "SEEN-AHEAD"]
        if size not in self._roots:
            if len(self._roots) > _ROOTS_KEPT:
                self._roots.clear()
            self._roots[size] = range_hash(self._log.node, 0, size).hex()
        return codes if self._roots[size] == seen["root"] else [*codes, "SEEN-MISMATCH"]

    def _note_denial(self, key: Key, statement: Statement) -> None:
        body = statement.body
        denials = key.info.setdefault("denials", {})
        before = denials.get(body["equipment"], {"count": 0})
        denials[body["equipment"]] = {
            "kind": body["kind"],
            "reason": body["reason"],
            "time_ms": body["timeMs"],
            "count": before["count"] + body["count"],
        }

    def _node(self, topic: str) -> str:
        """The node that a statement's topic names. Raises RejectedError."""
        if topic not in self._topics:
            if len(self._topics) >= _TOPICS_KEPT:
                self._topics.clear()
            self._topics[topic] = self._parse_topic(topic)
        node = self._topics[topic]
        if node is None:
            raise RejectedError("unknown-node", f"{topic} names no node of this plant")
        return node

    def _parse_topic(self, topic: str) -> str | None:
        try:
            site, node, leaf, _ = topics.parse_topic(topic)
        except WireError:
            return None
        known = site == self._site and node in self._nodes and leaf == topics.STATEMENT
        return node if known else None


def _check_sender(key: Key, node: str) -> None:
    if key.role != "node" or key.name != node:
        raise RejectedError("wrong-node", f"key {key.keyid[:16]} is not one of {node}")


def _check_quota(key: Key, statement: Statement, work: Work) -> None:
    """Of an ended key only so many new statements are logged: who stole it fills no log."""
    if (
        key.revoked
        and key.info.get("after_end", 0) >= AFTER_END_MAX
        and key.chain.place(statement.seq, statement.prev) != KNOWN
    ):
        work.refused.setdefault(key.keyid, []).append((statement.seq, "key-revoked"))
        raise RejectedError("key-revoked", f"the key is {key.revoked}")


def _note_gap(key: Key, statement: Statement, work: Work) -> None:
    if statement.type != "gap" or statement.body["what"] != "frames":
        return
    frames = statement.body["frames"]
    if frames is not None:
        work.gaps.append(GapCover(key.keyid[:16], frames["boot"], frames["first"], frames["last"]))


def _seq_of(payload: bytes) -> int | None:
    """The seq of a payload that its key signed but that is refused."""
    try:
        seq = orjson.loads(payload)["predicate"]["seq"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return seq if type(seq) is int and 0 < seq < 1 << 53 else None
