"""The ingest worker: one thread takes what came, makes it durable, then acknowledges it.

Three outcomes for a message: kept (archived, logged, or known already), rejected (quarantine), or
held while a store is full. Only what is kept or rejected is acknowledged, to the broker and, by
an ack of our own, to the node. Any other exception ends the gateway: starting is the recovery.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from raffinate.archive import Batch, Incoming, Quarantined, Rejected
from raffinate.archive.chunk import with_times
from raffinate.errors import RejectedError, StorageFullError
from raffinate.ingest.acks import AckBook
from raffinate.ingest.estimate import estimates
from raffinate.ingest.holes import HoleWatch
from raffinate.ingest.state import IngestState
from raffinate.ingest.validate import FrameDecoder, read_identity
from raffinate.model import Outgoing
from raffinate_wire import topics
from raffinate_wire.ack import BOOTS_MAX, REASONS_MAX
from raffinate_wire.errors import WireError
from raffinate_wire.status import parse_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from raffinate.archive import Commit, FrameArchive
    from raffinate.ingest.inbox import Inbox
    from raffinate.model import Frame, GapCover, Inbound, Plant, StatementResult, StoredFrame
    from raffinate.ports import Evidence

HELD_MESSAGES_MAX = 4000
RETRY_S = 1.0
TICK_S = 1.0
WAIT_S = 0.25
NODE_LEVEL = 3  # of a topic
KEY_REVOKED = "key-revoked"
KNOWN_STATES = ("enrolled", "revoked")  # a pending or unknown key gets no answer but resume

log = logging.getLogger("raffinate.ingest")


class Uplink(Protocol):
    """What the worker needs of the broker session."""

    def ack(self, mids: Iterable[int]) -> None:
        """Acknowledge messages to the broker."""

    def publish(self, messages: Iterable[Outgoing]) -> None:
        """Send to nodes."""

    def reconnect(self) -> None:
        """Have the broker send again what is not acknowledged."""


class IngestWorker:
    """Owns the archive's and the evidence's writing side; everything it does is on one thread.

    `on_stored` is told of stored frames after their commit.
    """

    def __init__(
        self,
        plant: Plant,
        inbox: Inbox,
        uplink: Uplink,
        archive: FrameArchive,
        evidence: Evidence,
        on_stored: Callable[[Sequence[StoredFrame]], None],
        time_ms: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plant = plant
        self._inbox = inbox
        self._uplink = uplink
        self._archive = archive
        self._evidence = evidence
        self._on_stored = on_stored
        self._time_ms = time_ms
        self._monotonic_s = monotonic_s
        self._decoder = FrameDecoder(plant)
        self._topics: dict[str, tuple[str, str, str]] = {}
        self._acks = AckBook(archive.next_epoch(time_ms()))
        self._holes = HoleWatch()
        self._key_states: dict[tuple[str, str], str] = {}
        self._node_of: dict[str, str] = {}
        self._frames: list[tuple[Inbound, str, str]] = []
        self._statements: list[Inbound] = []
        self._covers: list[tuple[str, GapCover]] = []
        self._quarantine: list[Quarantined] = []
        self._enrolled: list[tuple[str, str]] = []
        self._done: list[int] = []
        self._retry_s = self._tick_s = 0.0
        self._missed = False
        self._stopping = threading.Event()
        self.state = IngestState(plant)

    def run(self) -> None:
        """Work until `stop`; then finish what can be finished."""
        while not self._stopping.is_set():
            self.step(WAIT_S)
        self.step(0.0)
        self.state.stopped()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stopping.set()
        self._inbox.wake()

    def step(self, wait_s: float) -> None:
        """Take what has come within `wait_s` and bring it as far as it goes."""
        messages = self._inbox.take(wait_s)
        now_s = self._monotonic_s()
        try:
            self._sort_all(messages)
            if not self.state.full or now_s >= self._retry_s:
                self._settle(due=now_s >= self._tick_s)
                self._settled(now_s)
        except StorageFullError as exc:
            if not self.state.full:
                log.error("nothing is acknowledged: %s", exc)  # noqa: TRY400 - no defect
            self._retry_s = now_s + RETRY_S
            self.state.storage_full(str(exc))
        self.state.queue = len(self._inbox) + len(self._frames) + len(self._statements)
        self._send_acks()

    def _settled(self, now_s: float) -> None:
        """Everything held is durable: go on as ever."""
        if now_s >= self._tick_s:
            self._tick_s = now_s + TICK_S
        if self.state.full:
            log.warning("there is room again: messages are acknowledged")
            self.state.has_room()
        if self._missed:
            self._missed = False
            self._uplink.reconnect()

    def _sort_all(self, messages: Sequence[Inbound]) -> None:
        """A status that cannot be answered is left to come again; the others go on."""
        failed: StorageFullError | None = None
        for message in messages:
            try:
                self._sort(message)
            except StorageFullError as exc:
                self._missed, failed = True, exc
        if failed is not None:
            raise failed

    def _sort(self, message: Inbound) -> None:
        place = self._topics.get(message.topic)
        if place is None:
            place = self._parse_topic(message.topic)
            if place is None:
                self._refuse(message, "bad-topic")
                return
        site, node, leaf = place
        if leaf == topics.STATUS:
            self._take_status(node, message)
            return
        if len(self._frames) + len(self._statements) >= HELD_MESSAGES_MAX:
            self._missed = True
        elif message.topic not in self._topics:
            self._refuse(message, "unknown-node" if site == self._plant.site else "wrong-site")
        elif leaf == topics.FRAME:
            self._frames.append((message, site, node))
        else:
            self._statements.append(message)

    def _parse_topic(self, topic: str) -> tuple[str, str, str] | None:
        try:
            site, node, leaf, _ = topics.parse_topic(topic)
        except WireError:
            return None
        if node in self._plant.nodes and site == self._plant.site:
            self._topics[topic] = (site, node, leaf)
        return site, node, leaf

    def _take_status(self, node: str, message: Inbound) -> None:
        """Answer a node at once, also while stores are full; its acks are told again."""
        try:
            status = parse_status(message.payload)
        except WireError as exc:
            self._refuse(message, exc.code)
            return
        if node not in self._plant.nodes:
            self._refuse(message, "unknown-node")
            return
        self._done.append(message.mid)
        self.state.node_online(node, online=status.online)
        self._uplink.publish(self._evidence.on_status(node, message.payload, message.received_ms))
        self._key_states.clear()
        if status.online:
            self._tell_again(node, status.keyid)

    def _tell_again(self, node: str, keyid: str) -> None:
        key = keyid[:16]
        if self._key_state(node, key) not in KNOWN_STATES:
            return
        boots = [(boot.boot, boot.spans.upto()) for boot in self._archive.boots(key, BOOTS_MAX)]
        self._acks.tell_again(node, key, boots, self._archive.rejected(key, REASONS_MAX))

    def _settle(self, *, due: bool) -> None:
        """Statements, then frames, each durable before it is acknowledged."""
        if self._statements:
            result = self._evidence.submit(self._statements)
            self._key_states.clear()
            self._take_result(result)
        if due:
            self._tick()
        if self._frames or self._covers or self._quarantine or due:
            self._archive_frames(due=due)
        if self._done:
            self._uplink.ack(self._done)
            self._done = []

    def _take_result(self, result: StatementResult) -> None:
        self._done += [message.mid for message in self._statements]
        nodes = {message.topic.split("/")[NODE_LEVEL] for message in self._statements}
        self._statements = []
        self._covers += [(self._owner(cover.key, nodes), cover) for cover in result.gaps]
        for keyid, refused in result.refused.items():
            for seq, reason in refused:
                self._acks.tell_refused(self._owner(keyid[:16], nodes), keyid, seq, reason)
        for message, reason in result.quarantine:
            self._quarantine.append(
                Quarantined(message.received_ms, message.topic, reason, message.payload)
            )
        self._uplink.publish(result.outgoing)

    def _owner(self, key: str, nodes: Iterable[str] = ()) -> str:
        """The node of an enrolled or revoked key; `nodes` are those to ask about a new one."""
        if key not in self._node_of:
            for node in nodes:
                self._key_state(node, key)
        return self._node_of.get(key, "")

    def _tick(self) -> None:
        self._uplink.publish(self._evidence.tick(self._time_ms()))
        self._key_states.clear()
        self._enrolled += self._evidence.drain_enrolled()
        while self._enrolled:
            node, keyid = self._enrolled[-1]
            self._acks.renew(node, keyid, self._archive.next_epoch(self._time_ms()))
            self._tell_again(node, keyid)
            self._enrolled.pop()

    def _archive_frames(self, *, due: bool) -> None:
        checked, rejected, refused, dropped = self._check_frames()
        now_ms = self._time_ms()
        holes = self._holes.due(now_ms) if due else []
        commit = self._archive.commit(
            Batch(
                frames=checked,
                rejected=rejected,
                covers=self._covers,
                quarantined=self._quarantine + refused,
                holes=[(key, boot, first, now_ms) for key, boot, first in holes],
            )
        )
        self._holes.stated(holes)
        self._done += [message.mid for message, _, _ in self._frames]
        self.state.count(commit, rejected, self._quarantine + refused, dropped)
        self._frames, self._covers, self._quarantine = [], [], []
        self._tell(commit, rejected, now_ms)
        if commit.stored:
            self._on_stored(commit.stored)
        if due:
            self.state.look(self._archive, self._holes)

    def _check_frames(
        self,
    ) -> tuple[list[Incoming], list[Rejected], list[Quarantined], int]:
        """Decode held frames; those of keys not enrolled are dropped, and counted."""
        checked: list[tuple[Frame, Inbound, tuple[str, ...]]] = []
        rejected: list[Rejected] = []
        refused: list[Quarantined] = []
        dropped = 0
        for message, site, node in self._frames:
            try:
                frame, findings = self._decoder.decode(message.payload, site, node)
                state = self._key_state(node, frame.key)
                if state == "enrolled":
                    checked.append((frame, message, findings))
                    continue
                if state != "revoked":
                    dropped += 1
                    continue
                code = KEY_REVOKED
            except RejectedError as exc:
                code = exc.code
            refused.append(Quarantined(message.received_ms, message.topic, code, message.payload))
            identity = read_identity(message.payload)
            if identity is not None and self._key_state(node, identity[0]) in KNOWN_STATES:
                rejected.append(Rejected(node, *identity, code))
        times = estimates(
            [(frame, message.received_ms) for frame, message, _ in checked], self._offset
        )
        incoming = [
            Incoming(
                frame if estimate is None else with_times(frame, estimate),
                message.received_ms,
                estimate,
                findings,
                message.topic,
            )
            for (frame, message, findings), estimate in zip(checked, times, strict=True)
        ]
        return incoming, rejected, refused, dropped

    def _offset(self, key: str, boot: int) -> tuple[int, bool] | None:
        known = self._archive.boot(key, boot)
        if known is None or known.offset_ms is None:
            return None
        return known.offset_ms, known.timed

    def _key_state(self, node: str, key: str) -> str:
        known = self._key_states.get((node, key))
        if known is None:
            known = self._key_states[node, key] = self._evidence.key_state(node, key)
            if known in KNOWN_STATES:
                self._node_of[key] = node
        return known

    def _tell(self, commit: Commit, rejected: Sequence[Rejected], now_ms: int) -> None:
        for (key, boot), upto in commit.upto.items():
            self._acks.tell_upto(self._owner(key), key, boot, upto)
        for item in (*rejected, *commit.conflicts):
            self._acks.tell_rejected(item.node, item.key, item.boot, item.seq, item.reason)
        for (key, boot), holes in commit.holes.items():
            self._holes.note(key, boot, holes, now_ms)

    def _send_acks(self) -> None:
        acks = self._acks.take()
        if acks:
            site = self._plant.site
            self._uplink.publish(
                [
                    Outgoing(topics.topic(site, node, topics.ACK), data)
                    for node, data in acks
                    if node
                ]
            )

    def _refuse(self, message: Inbound, reason: str) -> None:
        """To quarantine at the next commit; acknowledged after it."""
        if len(self._quarantine) >= HELD_MESSAGES_MAX:
            self._missed = True
            return
        self._quarantine.append(
            Quarantined(message.received_ms, message.topic, reason, message.payload)
        )
        self._done.append(message.mid)
