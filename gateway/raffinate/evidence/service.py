"""The evidence service: statements in, log and receipts out (implements `ports.Evidence`).

One thread calls everything but `snapshot`. State in memory is what the database has; when a commit
fails its outcome is unknown, so everything is loaded again by the path that a start takes.
"""

from __future__ import annotations

import gc
from collections import deque
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from raffinate.errors import RaffinateError, RejectedError, StorageFullError
from raffinate.evidence import dsse, inbox, views
from raffinate.evidence.actions import Actions
from raffinate.evidence.anchoring import Anchoring
from raffinate.evidence.history import RegisterHistory
from raffinate.evidence.intake import Intake
from raffinate.evidence.keyring import KeyRing
from raffinate.evidence.office import Desk, keep_descriptors, withdrawn
from raffinate.evidence.receipts import ReceiptMaker
from raffinate.evidence.roster import current_nodes
from raffinate.evidence.statement import parse_statement
from raffinate.evidence.store import Finding, Key, Store
from raffinate.evidence.verifier import Verifier
from raffinate.evidence.work import Answers, Work
from raffinate.model import Outgoing
from raffinate.tlog.publish import Folder
from raffinate.tlog.sequencer import Sequencer
from raffinate_wire import statement as wire
from raffinate_wire import topics
from raffinate_wire.errors import WireError
from raffinate_wire.resume import format_resume
from raffinate_wire.status import parse_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from raffinate.evidence.anchoring import Askers
    from raffinate.evidence.documents import Registrar
    from raffinate.evidence.office import PermitOffice
    from raffinate.evidence.store import StoredPermit
    from raffinate.evidence.watch import Surroundings
    from raffinate.keys import GatewayKeys
    from raffinate.model import Inbound, Plant, StatementResult
    from raffinate_wire.status import Status

ACTOR = {"id": "gateway", "role": "service", "auth": "own key"}
RECENT_RECEIPTS_MAX = 64
PART_MAX = 1000


class EvidenceService:
    """See `ports.Evidence`. Open it with `raffinate.licence.open_evidence`."""

    def __init__(
        self, plant: Plant, keys: GatewayKeys, data: Path, office: PermitOffice, now_ms: int
    ) -> None:
        self._plant = plant
        self._ring = KeyRing(keys)
        self._data = data
        self._office = office
        self._store = Store(data / "evidence.sqlite")
        with self._store.transaction():
            self._anchoring = Anchoring(self._store.connection)
        self._verifier = Verifier()
        self._enrolled: list[tuple[str, str]] = []
        self._status: dict[str, Status] = {}
        self._stale = False
        self._descriptors_kept = False
        self._now_ms = now_ms
        self._receipt_topics = {name: self._topic(name, topics.RECEIPT) for name in plant.nodes}
        self._actions = Actions(plant, self._sign_gateway, self._shown)
        self._desk = Desk(plant, self._ring, office, self._sign_gateway)
        self._load()
        self._ring.publish()
        self._snapshot = self._view()

    def watch(self, around: Surroundings) -> None:
        """State from now on what clock, broker and silence show; first what was missed."""
        work = self._work()
        self._actions.start(around, work)
        self._commit(work)

    def close(self) -> None:
        """Release the database; everything that was returned is durable already."""
        if self._actions.watching:
            self._state_stop()
        self._verifier.close()
        self._store.close()

    def ask_outside(self, askers: Askers) -> None:
        """Ask witnesses and timestamp servers from now on. Call it before the first tick."""
        self._anchoring.attach(askers)
        self._snapshot = self._view()

    def take_documents(self, registrar: Registrar) -> None:
        """Take papers, licences and regimes by request from now on."""
        self._actions.documents.registrar = registrar

    def key_state(self, node: str, key: str) -> str:
        """State of a node's key by its first 16 or all 64 hex digits."""
        for keyid, known in self._intake.keys.items():
            if keyid.startswith(key) and known.name == node and known.role == "node":
                return "revoked" if known.revoked else "enrolled"
        for keyid, row in self._intake.pending.items():
            if keyid.startswith(key) and row.node == node:
                return "pending"
        return "unknown"

    def submit(self, batch: Sequence[Inbound]) -> StatementResult:
        """Check and log statements; every outcome is durable when it returns.

        A large batch is committed in parts, while the signatures of the next part are verified, and
        published as a whole. When a part fails those before it stay, and are known when the batch
        comes again.
        """
        self._fresh()
        if batch:
            self._now_ms = max(self._now_ms, batch[-1].received_ms)
        looked: deque[dsse.Envelope | RejectedError] = deque()
        result = Answers()
        with closing(self._verifier.results(self._look(batch, looked), len(batch))) as fits:
            for at in range(0, len(batch), PART_MAX):
                self._submit_part(batch[at : at + PART_MAX], looked, fits, result)
        self._publish()
        return result.statement_result()

    def _submit_part(
        self,
        part: Sequence[Inbound],
        looked: deque[dsse.Envelope | RejectedError],
        fits: Iterator[bool | None],
        result: Answers,
    ) -> None:
        work = self._work()
        try:
            with _uncollected():
                for message in part:
                    fit = next(fits)
                    self._intake.take(message, looked.popleft(), fit is True, work)
        except BaseException:
            self._stale = True
            raise
        self._commit(work, publish=False)
        result.add(work, self._receipts(work))

    def on_status(self, node: str, payload: bytes, now_ms: int) -> list[Outgoing]:
        """Resume, permits, and receipts again that the node may have missed."""
        self._fresh()
        self._now_ms = max(self._now_ms, now_ms)
        try:
            status = parse_status(payload)
        except WireError:
            return []
        if node not in self._plant.nodes:
            return []
        self._status[node] = status
        if not status.online or status.nonce is None:
            return []
        envelope = self._newest_envelope(status.keyid)
        resume = format_resume(status.keyid, status.boot, status.nonce, now_ms, envelope)
        found = [Outgoing(self._topic(node, topics.RESUME), resume)]
        key = self._intake.keys.get(status.keyid)
        if key is None or key.name != node or key.revoked:
            return found
        found += [
            self._permit_message(permit)
            for permit in self._permits.values()
            if permit.keyid == key.keyid
        ]
        return found + self._receipts_again(key, status.seen_size or 0)

    def tick(self, now_ms: int) -> list[Outgoing]:
        """What time makes due: overdue statements, inbox, licences, permits; a fresh snapshot."""
        self._fresh()
        self._now_ms = max(self._now_ms, now_ms)
        work = self._work()
        answers: list[inbox.Answer] = []
        try:
            self._intake.release_overdue(work)
            answers = inbox.take(self._data, self._accept_file, work)
            told = self._desk.state_versions(work)
            if not self._descriptors_kept:
                keep_descriptors(self._plant, work)
            self._desk.issue(self._actions.memory, work)
            answers += self._anchoring.work(self._data, work, self._sign_gateway)
            current = current_nodes(self._intake.keys).values()
            self._actions.tick(work, self._keys, current, now_ms)
        except BaseException:
            self._stale = True
            raise
        self._commit(work)
        self._descriptors_kept = True
        self._ring.publish()
        inbox.answer(self._data, answers, now_ms)
        self._office.told(told)
        found = self._receipts(work)
        for permit in withdrawn(work, self._permits.values(), self._intake.keys):
            found.append(Outgoing(self._permit_message(permit).topic, b"", retain=True))
        found += [self._permit_message(permit) for permit in work.permits]
        self._snapshot = self._view()
        return found

    def drain_enrolled(self) -> list[tuple[str, str]]:
        """(node, keyid) pairs enrolled since the last call."""
        found, self._enrolled = self._enrolled, []
        return found

    def snapshot(self) -> Mapping[str, Any]:
        """JSON-ready state, as of the last tick; a new object each time it changes."""
        return self._snapshot

    def accept_authority(self, envelopes: Sequence[bytes], now_ms: int) -> None:
        """Log the authority's statements that begin a log. Raises RaffinateError."""
        self._now_ms = max(self._now_ms, now_ms)
        work = self._work()
        for data in envelopes:
            self._accept_file(data, work)
        self._commit(work)

    def _state_stop(self) -> None:
        try:
            self._fresh()
            work = self._work()
            self._actions.stop(work)
            self._commit(work)
        except RaffinateError:
            return  # the next start says that there was an outage

    @property
    def _keys(self) -> GatewayKeys:
        return self._ring.keys

    def _look(
        self, batch: Sequence[Inbound], looked: deque[dsse.Envelope | RejectedError]
    ) -> Iterator[tuple[bytes, bytes, bytes] | None]:
        """What each signature must fit; what else was seen goes into `looked`."""
        for message in batch:
            envelope, item = self._intake.look(message)
            looked.append(envelope)
            yield item

    def _load(self) -> None:
        self._log = Sequencer(
            self._store.connection,
            Folder(self._data / "log"),
            self._keys.origin,
            self._keys.log,
        )
        self._intake = Intake(
            self._plant.nodes, self._plant.site, self._store, self._log, self._sign_gateway
        )
        self._ring.settle(self._intake)
        self._actions.load(self._store, self._intake, self._log)
        self._anchoring.load(self._log, [signer.verifier for signer in self._keys.log])
        self._permits = {(p.keyid, p.equipment): p for p in self._store.permits()}
        history = RegisterHistory(self._store, self._log, self._intake.keys)
        self._desk.load(
            self._store,
            self._actions.register,
            self._intake.keys,
            self._permits,
            history,
            self._intake.find,
        )
        self._given: dict[str, int] = {}
        self._recent: dict[str, deque[tuple[int, int]]] = {}
        self._stale = False

    def _fresh(self) -> None:
        if self._stale:
            self._load()

    def _work(self) -> Work:
        return Work(self._log.size, self._now_ms)

    def _commit(self, work: Work, *, publish: bool = True) -> None:
        """Write everything of a batch, or nothing. Raises StorageFullError."""
        self._actions.observe(work, self._permits)
        if not work.changes():
            return
        try:
            batch = (
                self._log.prepare(work.entries, self._now_ms, work.leaves) if work.entries else None
            )
            with self._store.transaction():
                self._write(work)
                if batch is not None:
                    self._log.record(batch)
        except BaseException:
            self._stale = True
            raise
        for permit in work.permits:
            self._permits[permit.keyid, permit.equipment] = permit
        self._enrolled += work.enrolled
        self._anchoring.committed(work)
        if batch is not None:
            self._log.adopt(batch)
            if publish:
                self._publish()

    def _publish(self) -> None:
        """The entries are committed; a full disk only delays their tiles, and the next batch."""
        try:
            self._log.publish()
        except StorageFullError:
            return

    def _write(self, work: Work) -> None:
        store = self._store
        if work.keys:
            store.save_keys(work.keys.values())
        store.add_statements(work.rows)
        if work.waiting:
            store.add_waiting(
                [(key, seq, ms, data) for (key, seq), (ms, data) in work.waiting.items()]
            )
        if work.released:
            store.remove_waiting(work.released)
        if work.unpended:
            store.remove_pending(work.unpended)
        if work.pending:
            store.save_pending(work.pending.values())
        if work.findings:
            store.add_findings(work.findings)
        for permit in work.permits:
            store.save_permit(permit)
        store.remove_documents(work.removed)
        for document in work.documents:
            store.add_document(*document)
        self._anchoring.save(work)
        store.remember(work.state, work.requests, work.now_ms)

    def _sign_gateway(
        self, kind: str, subject: list[tuple[str, str]], specific: dict[str, Any], work: Work
    ) -> int:
        pair = self._keys.gateway
        key = self._intake.keys.get(pair.keyid)
        if key is None:
            raise RaffinateError(
                "the authority has not enrolled the gateway's key in this log; give the keys "
                "folder that this data folder was made with"
            )
        common = {
            "log": self._log.origin,
            "site": self._plant.site,
            "node": "gateway",
            "keyid": pair.keyid,
            "seq": key.chain.seq + 1,
            "prev": key.chain.head.hex(),
            "timeMs": self._now_ms,
        }
        try:
            payload = wire.format_statement(subject, kind, common, {"actor": ACTOR, **specific})
        except WireError as error:
            raise RejectedError(error.code, f"that makes no statement: {error}") from None
        data = dsse.sign(payload, dsse.STATEMENT, pair)
        index = self._intake.add(key, parse_statement(payload), data, work)
        self._actions.register.note(kind, specific, index, work)
        return index

    def _accept_file(self, data: bytes, work: Work) -> dict[str, Any]:
        """Act on one file of the inbox; what the answer says. Raises RaffinateError."""
        found = self._actions.accept(data, self._keys, self._ring.has_private, work)
        self._ring.settle(self._intake)
        return found

    def _receipts(self, work: Work) -> list[Outgoing]:
        """Receipts in the order of their statements; `old` follows from one to the next."""
        return self._make_receipts(work.receipts)

    def _make_receipts(self, wanted: Sequence[tuple[Key, int, int]]) -> list[Outgoing]:
        if not wanted:
            return []
        maker = ReceiptMaker(self._log)
        size, given, found = maker.size, self._given, []
        for key, seq, index in wanted:
            keyid = key.keyid
            old = given.get(keyid)
            if old is None:
                old = min(self._seen(key), size)
            if old != size:
                given[keyid] = size
            found.append(
                Outgoing(self._receipt_topics[key.name], maker.receipt(keyid, seq, index, old))
            )
            recent = self._recent.get(keyid)
            if recent is None:
                recent = self._recent[keyid] = deque(maxlen=RECENT_RECEIPTS_MAX)
            recent.append((seq, index))
        return found

    def _receipts_again(self, key: Key, seen_size: int) -> list[Outgoing]:
        """The node's `seen` is not what the next receipt would build on: begin there anew."""
        if seen_size > self._log.size:
            self._state_finding(key, "SEEN-AHEAD", f"size {seen_size} was seen")
            return []
        if self._given.get(key.keyid, seen_size) == seen_size:
            self._given[key.keyid] = seen_size
            return []
        self._given[key.keyid] = seen_size
        missed = [(key, seq, at) for seq, at in self._recent.get(key.keyid, ()) if at >= seen_size]
        self._recent.pop(key.keyid, None)
        return self._make_receipts(missed)

    def _state_finding(self, key: Key, code: str, detail: str) -> None:
        if code in key.info.get("findings", ()):
            return
        work = self._work()
        self._intake.find(work, code, key, None, detail)
        self._commit(work)

    def _seen(self, key: Key) -> int:
        status = self._status.get(key.name)
        if status is not None and status.keyid == key.keyid and status.seen_size is not None:
            return status.seen_size
        seen = key.info.get("seen")
        return int(seen["size"]) if seen else 0

    def _newest_envelope(self, keyid: str) -> bytes:
        pending = self._intake.pending.get(keyid)
        if pending is not None:
            return pending.envelope
        key = self._intake.keys.get(keyid)
        if key is None:
            return b""
        held = self._intake.waiting.get(key.id)
        if held:
            return held[max(held)][1]
        newest = self._store.newest(key.id)
        return b"" if newest is None else self._log.entry(newest[1])

    def _permit_message(self, permit: StoredPermit) -> Outgoing:
        node = self._plant.equipment[permit.equipment].node
        topic = topics.permit_topic(self._plant.site, node, permit.equipment)
        return Outgoing(topic, permit.envelope, retain=True)

    def _topic(self, node: str, leaf: str) -> str:
        return topics.topic(self._plant.site, node, leaf)

    def log_size(self) -> int:
        """Entries in the log; safe to read from any thread."""
        return self._log.size

    def roster(self) -> list[Key]:
        """Every key of the roster."""
        return list(self._intake.keys.values())

    def findings(self) -> list[Finding]:
        """The newest findings, newest first."""
        return self._store.findings()

    def _shown(self, equipment: str) -> Mapping[str, Any] | None:
        """An equipment as the newest snapshot shows it."""
        rows = self._snapshot["equipment"]
        return next((row for row in rows if row["id"] == equipment), None)

    def _view(self) -> dict[str, Any]:
        return views.snapshot(
            self._plant,
            self._log,
            self._intake,
            self._status,
            current_nodes(self._intake.keys),
            self._permits,
            self._office,
            self._anchoring.view(self._now_ms),
            self._now_ms,
            self._actions.memory.get("acknowledged", {}),
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing that a batch makes has cycles; looking for them costs a twentieth of its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
