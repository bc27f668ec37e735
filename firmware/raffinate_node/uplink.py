"""What the node says and hears: status, statements and frames out; answers of the gateway in.

Out: the status first, for the gateway answers it with the time; then a statement and a frame in
turn while both wait, each oldest first, so that neither starves the other.
In: ack, resume, receipt, permit, cmd. What does not parse is counted and dropped; nothing that
comes from the network can end a task.
"""

from binascii import hexlify

from raffinate_node import aio
from raffinate_node.link import Link
from raffinate_node.outbox_item import STATEMENT, Item
from raffinate_wire import topics
from raffinate_wire.ack import parse_ack
from raffinate_wire.errors import WireError
from raffinate_wire.resume import parse_resume
from raffinate_wire.status import format_online, format_will

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from raffinate_node.clock import Clock
    from raffinate_node.outbox import Outbox

NONCE_BYTES = 16
ANSWER_MS_MAX = 10000
# The time is wrong by half an answer's way at most; two boots must agree within the 2 s that a
# step back may have. A slow answer is asked for again before it is taken.
PROMPT_MS_MAX = 2000
SLOW_MAX = 5
ASK_MS = 3600000
ASK_AGAIN_MS_MIN = 30000
ASK_AGAIN_MS_MAX = 600000
TICK_MS = 1000
IDENTIFY = b'{"cmd":"identify"}'


class Counters:
    """What the uplink has seen since boot."""

    def __init__(self) -> None:
        self.acks = 0
        self.receipts = 0
        self.permits = 0
        self.answers = 0
        self.times_refused = 0
        self.malformed = 0
        self.foreign = 0
        self.commands_refused = 0


class ItemMessage:
    """A frame or statement on its way; as many exist as the window has places."""

    retain = False

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox = outbox
        self.item: Item | None = None
        self.topic = b""

    def carry(self, item: Item, topic: bytes) -> None:
        """Take an item to the broker under a topic."""
        self.item, self.topic = item, topic

    def size(self) -> "int | None":
        """Bytes, None when it need not be sent any more."""
        return None if self.item is None else self.item.size()

    def read_into(self, offset: int, view: memoryview) -> int:
        """Fill view from the item's bytes; return how many."""
        return 0 if self.item is None else self.item.read_into(offset, view)

    def hold(self) -> None:
        """Its bytes are being read."""
        if self.item is not None:
            self._outbox.hold(self.item)

    def unhold(self) -> None:
        """Reading is over."""
        self._outbox.unhold()

    def on_puback(self) -> None:
        """The broker has it."""
        item, self.item = self.item, None
        if item is not None:
            self._outbox.on_puback(item)

    def on_lost(self) -> None:
        """The link gave it back."""
        item, self.item = self.item, None
        if item is not None:
            self._outbox.on_lost(item)


class StatusMessage:
    """The retained status; only the newest is worth sending."""

    retain = True

    def __init__(self, topic: bytes) -> None:
        self.topic = topic
        self.data = b""
        self.is_under_way = False

    def size(self) -> "int | None":
        """Bytes."""
        return len(self.data)

    def read_into(self, offset: int, view: memoryview) -> int:
        """Fill view from the status; return how many bytes."""
        data = self.data[offset : offset + len(view)]
        view[: len(data)] = data
        return len(data)

    def hold(self) -> None:
        """The bytes do not change while they are read: see Uplink.next_message."""

    def unhold(self) -> None:
        """See hold."""

    def on_puback(self) -> None:
        """The broker has it."""
        self.is_under_way = False

    def on_lost(self) -> None:
        """The link gave it back; a new session brings a new status."""
        self.is_under_way = False


class Uplink:
    """The link's source, and the two tasks that the supervisor runs.

    `names` needs site, node, broker (node.json's members). `evidence` has keyid, seen(),
    on_resume(), on_receipt(), on_permit() and status_wanted; `boot` is the number of this boot.
    """

    def __init__(
        self,
        hal: "Any",
        names: "dict[str, Any]",
        link_limits: "dict[str, int] | None",
        outbox: "Outbox",
        clock: "Clock",
        evidence: "Any",
        boot: int,
    ) -> None:
        self._hal = hal
        self._outbox = outbox
        self._clock = clock
        self._evidence = evidence
        self.boot = boot
        site, node = names["site"], names["node"]
        self._site, self._node = site, node
        self._frame_topic = topics.topic(site, node, topics.FRAME).encode()
        self._statement_topic = topics.topic(site, node, topics.STATEMENT).encode()
        self._status_topic = topics.topic(site, node, topics.STATUS)
        self._messages: list[ItemMessage] = []
        self._status = StatusMessage(self._status_topic.encode())
        self._status_due = False
        self._nonce: str | None = None
        self._asked_up_ms: int | None = None
        self._ask_up_ms = 0
        self._ask_again_ms = ASK_AGAIN_MS_MIN
        self._epoch: int | None = None
        # Slow answers since the last one whose time was taken.
        self._slow = 0
        self._reason = ""
        self.on_identify: Callable[[], None] | None = None
        self.counters = Counters()
        self.link = Link(hal, names["broker"], f"{site}_{node}", self, link_limits)

    async def run_link(self, beat: "Callable[[], None]") -> None:
        """Keep the session, for ever."""
        await self.link.run(beat)

    async def run_housekeeping(self, beat: "Callable[[], None]") -> None:
        """Each second: outbox and clock, time questions, and a nudge for the link; for ever."""
        while True:
            beat()
            self.tick()
            await aio.sleep_ms(TICK_MS)

    def tick(self) -> None:
        """One round of the housekeeping."""
        self._outbox.tick()
        self._clock.tick()
        if self._evidence.status_wanted:
            self._evidence.status_wanted = False
            self.ask()
        elif self.link.is_up and not self._status_due and self._clock.up_ms() >= self._ask_up_ms:
            self.ask()
        self.link.wake()

    def ask(self) -> None:
        """Publish the status soon, with a new nonce, which asks for the time."""
        self._status_due = True
        self.link.wake()

    # What the link calls

    def topics(self) -> "list[str]":
        """What a node subscribes to."""
        site, node = self._site, self._node
        leaves = (topics.RESUME, topics.ACK, topics.RECEIPT, topics.CMD)
        filters = [topics.topic(site, node, leaf) for leaf in leaves]
        filters.append(f"{topics.PREFIX}/{site}/{node}/{topics.PERMIT}/+")
        return filters

    def will(self) -> "tuple[str, bytes]":
        """What the broker publishes when the node is gone."""
        return self._status_topic, format_will(self.boot, self._evidence.keyid)

    def on_session(self, present: bool) -> None:
        """A session is up: say so and ask for the time; without the old session send all again."""
        if self._reason:
            self._hal.console(f"raffinate link up after: {self._reason}")
            self._reason = ""
        self._ask_again_ms = ASK_AGAIN_MS_MIN
        if not present:
            self._outbox.new_session()
        self.ask()

    def on_down(self, reason: str) -> None:
        """The connection ended or was not made; each new reason is said once."""
        if reason != self._reason:
            self._reason = reason
            self._hal.console(f"raffinate error link: {reason}")

    def next_message(self) -> "Any":
        """What the link sends next, or None."""
        if self._status_due and not self._status.is_under_way:
            self._make_status()
            return self._status
        item = self._outbox.next_to_send()
        if item is None:
            return None
        statement = item.kind == STATEMENT
        message = self._free_message()
        message.carry(item, self._statement_topic if statement else self._frame_topic)
        return message

    def on_message(self, topic: str, payload: "bytes | None") -> None:
        """Take one message of the gateway; payload None was above the size limit."""
        try:
            site, node, leaf, equipment = topics.parse_topic(topic)
            if site != self._site or node != self._node:
                self.counters.foreign += 1
            elif payload is None:
                self.counters.malformed += 1
            elif leaf == topics.ACK:
                self._on_ack(payload)
            elif leaf == topics.RESUME:
                self._on_resume(payload)
            elif leaf == topics.RECEIPT:
                self._on_receipt(payload)
            elif leaf == topics.PERMIT:
                self._on_permit(equipment, payload)
            elif leaf == topics.CMD:
                self._on_command(payload)
        except WireError as error:
            self.counters.malformed += 1
            self._hal.console(f"raffinate error message {topic}: {error}")

    def _free_message(self) -> ItemMessage:
        # There are never more of them than the outbox has items.
        for message in self._messages:
            if message.item is None:
                return message
        self._messages.append(ItemMessage(self._outbox))
        return self._messages[-1]

    # What comes in

    def _on_ack(self, payload: bytes) -> None:
        ack = parse_ack(payload)
        if ack.key != self._evidence.keyid[:16]:
            self.counters.foreign += 1
            return
        self.counters.acks += 1
        self._outbox.on_ack(ack)
        if ack.epoch != self._epoch:
            # Another run of the gateway: what the last one was asked may never be answered.
            is_first = self._epoch is None and self._clock.state() != "U"
            if not is_first and not self._is_asking():
                self.ask()
            self._epoch = ack.epoch
        self.link.wake()

    def _on_resume(self, payload: bytes) -> None:
        """Only the answer to the nonce last asked counts; its time only within 10 s."""
        resume = parse_resume(payload)
        if resume.keyid != self._evidence.keyid or resume.nonce != self._nonce:
            self.counters.foreign += 1
            return
        asked_up_ms = self._asked_up_ms
        self._nonce = self._asked_up_ms = None
        if asked_up_ms is None:
            return
        self.counters.answers += 1
        now_ms = self._clock.up_ms()
        if now_ms - asked_up_ms > PROMPT_MS_MAX and self._slow < SLOW_MAX:
            # its evidence comes again too, and what is signed then has a time
            self._slow += 1
            self.ask()
            return
        if now_ms - asked_up_ms <= ANSWER_MS_MAX:
            self._slow = 0
            self._ask_again_ms = ASK_AGAIN_MS_MIN
            self._ask_up_ms = now_ms + ASK_MS
            if not self._clock.accept(resume.time_ms, asked_up_ms):
                self.counters.times_refused += 1
        self._evidence.on_resume(resume)

    def _on_receipt(self, payload: bytes) -> None:
        self.counters.receipts += 1
        seq = self._evidence.on_receipt(payload)
        if seq is not None:
            self._outbox.release_statement(seq)
        if self._evidence.status_wanted:
            self._evidence.status_wanted = False
            self.ask()

    def _on_permit(self, equipment: "str | None", payload: bytes) -> None:
        if equipment is not None and payload:
            self.counters.permits += 1
            self._evidence.on_permit(equipment, payload)

    def _on_command(self, payload: bytes) -> None:
        """Only identify may come unsigned; signed commands are not built yet and are refused."""
        if payload != IDENTIFY:
            self.counters.commands_refused += 1
            self._hal.console("raffinate error command refused: not identify")
            return
        self._hal.console(f"raffinate identify {self._site}/{self._node}")
        if self.on_identify is not None:
            self.on_identify()

    # What goes out

    def _is_asking(self) -> bool:
        asked_up_ms = self._asked_up_ms
        return asked_up_ms is not None and self._clock.up_ms() - asked_up_ms <= ANSWER_MS_MAX

    def _make_status(self) -> None:
        """A status with a new nonce; unanswered it is asked again, later each time."""
        now_ms = self._clock.up_ms()
        self._nonce = hexlify(self._hal.random(NONCE_BYTES)).decode()
        self._asked_up_ms = now_ms
        self._ask_up_ms = now_ms + self._ask_again_ms
        self._ask_again_ms = min(ASK_AGAIN_MS_MAX, self._ask_again_ms * 2)
        seen_size = self._evidence.seen()[0]
        self._status.data = format_online(self.boot, self._evidence.keyid, self._nonce, seen_size)
        self._status.is_under_way = True
        self._status_due = False
