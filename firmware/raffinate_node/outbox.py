"""What the node still owes the gateway: frames until their ack, statements until their receipt.

Frames wait in RAM and are spilled to flash in groups, by bytes and by age, whatever the link does:
a broker without a gateway behind it looks like a good link. Statements are on flash before they can
be sent. Everything is sent oldest first, the same bytes each time, and again when the session is
new, when the gateway's epoch changes, or when something PUBACKed is not acked in time.
When flash is full the oldest frames go, in one stretch of an eighth, after their range was handed
to `on_overflow` for a signed gap; what cannot be signed yet is kept durably and offered again.
"""

from raffinate_node.outbox_item import FRAME, STATEMENT, Counters, Item
from raffinate_node.overflow import Dropped, Lost
from raffinate_node.ring import Ring
from raffinate_node.spill import BLOCK_BYTES, DIGEST_BYTES, SEGMENTS_MAX, Segment, Spill
from raffinate_node.statements import Statements
from raffinate_node.store import RECORD_HEAD_BYTES, make_folder
from raffinate_node.window import WINDOW_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from raffinate_node.clock import Clock
    from raffinate_node.store import Store

FOLDER = "outbox"
FRAME_BYTES_MAX = 16384
RAM_FRAMES_MAX = 64
# Of the frames that RAM is to hold: a frame with three values.
FRAME_BYTES_LEAST = 300
SKIPS_MAX = 64
AGAIN_MS_MIN = 30000
AGAIN_MS_MAX = 600000
GAP_S = 60
RETRY_SPILL_MS = 10000
# A group's frames wait group_ms, then at most this long for tick() to spill them.
SPILL_LATE_MS = 2000
STATEMENT_INTERVAL_S_MAX = 3600


class Outbox:
    """See the module. `limits` is node.json's "outbox", `boot` the number of this boot.

    `on_overflow(boot, first, last, head)` returns True once a gap for these frames is stored, None
    while it is being signed, False where it cannot be now.
    """

    def __init__(self, store: "Store", limits: "dict[str, int]", clock: "Clock", boot: int) -> None:
        make_folder(store.path(FOLDER))
        self._limits = limits
        self._clock = clock
        flash = limits["flash_bytes_max"]
        ram_frames = min(RAM_FRAMES_MAX, max(16, limits["ram_bytes_max"] // FRAME_BYTES_LEAST))
        self._ring = Ring(limits["ram_bytes_max"], ram_frames)
        self._spill = Spill(store, FOLDER, max(8192, min(65536, flash // 32)))
        self._statements = Statements(store, FOLDER, limits["statement_bytes_max"])
        self._dropped = Dropped(store)
        self._boot = boot
        self._next_seq = 0  # of the boot that puts frames now
        self._lost = Lost(store, boot, self._known(), self._statements.is_clean)
        self._upto: dict[int, int] = {}
        self._skip: list[tuple[int, int]] = []
        self._cursor = (0, 0)
        self._watch: tuple[int, int, int] | None = None  # boot, seq, when PUBACKed
        self._last_puback: tuple[int, int, int] | None = None
        self._again_ms = AGAIN_MS_MIN
        self._epoch: int | None = None
        self._statement_next = True
        self._gap_up_ms = -STATEMENT_INTERVAL_S_MAX * 1000
        self._retry_up_ms = 0
        self._held: Item | None = None
        self._release_late: int | None = None
        self._items: list[Item] = []
        self.on_overflow: Callable[[int, int, int, bytes], bool | None] | None = None
        self.counters = Counters()

    # What the node puts in

    def put_frame(self, boot: int, seq: int, data: "bytes | memoryview", digest: bytes) -> None:
        """Take a frame's wire bytes and their SHA-256; they are copied."""
        if not 0 < len(data) <= FRAME_BYTES_MAX or len(digest) != DIGEST_BYTES:
            raise ValueError(f"frame {seq}: {len(data)} bytes, digest of {len(digest)}")
        self.counters.frames += 1
        parts = (digest, data)
        now = self._tenths()
        if not self._ring.put(boot, seq, now, parts):
            if self._may_spill():
                self._spill_ring()
            while not self._ring.put(boot, seq, now, parts) and self._ring.count:
                self._drop_from_ring()
            if not self._ring.count and not self._append_frames(boot, [(seq, parts)]):
                self._drop(boot, seq, seq, digest, 1)
        self._boot, self._next_seq = boot, seq + 1
        if self._ring.bytes_used >= self._limits["group_bytes"] and self._may_spill():
            self._spill_ring()

    def put_statement(self, seq: int, data: bytes) -> None:
        """Make a statement durable; raise StoreFullError or OSError, then it is not stored."""
        mark = self._known_now()
        try:
            self._statements.put(seq, data, mark)
        except OSError:
            # Statements go before frames: give up the oldest frames' flash and try once more.
            if not self._spill.segments:
                raise
            self._drop_segments(1, False)
            self._statements.put(seq, data, mark)

    def statement(self, seq: "int | None" = None) -> "tuple[int, bytes] | None":
        """(seq, envelope) of a statement without a receipt yet, the newest without seq; or None."""
        return self._statements.read(seq)

    def statement_fill(self) -> float:
        """How full the statement store is, 0 to 1; see statement_interval_s."""
        return self._statements.fill()

    def unreceipted(self) -> int:
        """How many statements the broker took and no receipt released."""
        return self._statements.unreceipted()

    def lost(self) -> "tuple[int, int, int] | None":
        """(boot, frameSeq, atMostMs) for the boot statement: what may be lost of earlier boots."""
        since = self._lost.since
        if since is None:
            return None
        per_boot = self._limits["group_ms"] + SPILL_LATE_MS
        return since[0], since[1], self._lost.at_most_ms(per_boot)

    def lost_stated(self) -> None:
        """The boot statement that carries lost() is stored."""
        self._lost.stated()

    def waiting(self) -> "tuple[int, int, int, int]":
        """(frames in RAM, bytes of frames in RAM, bytes of frames on flash, statements)."""
        ring, spill = self._ring, self._spill
        return ring.count, ring.bytes_used, spill.bytes_used(), self._statements.count

    def tick(self) -> None:
        """Each second: spill by age, sign gaps that wait, send again what is not acked in time."""
        now_ms = self._clock.up_ms()
        if self._ring.count and self._may_spill():
            age_ms = (self._tenths() - self._ring.at(0)) * 100
            if age_ms >= self._limits["group_ms"]:
                self._spill_ring()
        if self._dropped.ranges and self._sign_gaps():
            self._save_gaps()
        since_ms = None if self._watch is None else self._watch[2]
        oldest = self._statements.oldest_puback()
        if oldest is not None and (since_ms is None or oldest * 100 < since_ms):
            since_ms = oldest * 100
        if since_ms is not None and now_ms - since_ms >= self._again_ms:
            self._again_ms = min(AGAIN_MS_MAX, self._again_ms * 2)
            self._send_again(False)

    def close(self) -> None:
        """Before an orderly reset: spill what is in RAM and note that nothing is lost."""
        self._spill_ring()
        if not self._ring.count:
            self._statements.note_clean((self._boot, self._next_seq))

    # What the link takes out

    def next_to_send(self) -> "Item | None":
        """The next item, or None. A statement and a frame take turns while both wait."""
        free = None
        for item in self._items:
            if not item.busy:
                free = item
                break
        if free is None:
            if len(self._items) >= WINDOW_MAX:
                return None
            free = Item(self)
            self._items.append(free)
        if self._statement_next and self._take_statement(free):
            self._statement_next = False
            return free
        self._statement_next = True
        if self._take_frame(free) or self._take_statement(free):
            return free
        return None

    def hold(self, item: Item) -> None:
        """Its bytes are being read: keep them until unhold(), whatever is acked meanwhile."""
        self._held = item

    def unhold(self) -> None:
        """Reading is over; let go of what was released meanwhile."""
        self._held = None
        if self._release_late is not None:
            seq, self._release_late = self._release_late, None
            self._statements.release(seq)
        self._trim()

    def size_of(self, item: Item) -> "int | None":
        """Bytes of an item, None when it need not be sent any more."""
        if item.kind == STATEMENT:
            return self._statements.size_of(item.seq)
        if self._is_settled(item.boot, item.seq):
            return None
        place = self._place(item)
        if place >= 0:
            return len(self._ring.view(place)) - DIGEST_BYTES
        return self._spill.size_of(item.boot, item.seq)

    def read_into(self, item: Item, offset: int, view: memoryview) -> int:
        """Fill view from an item's bytes; return how many, 0 when it is gone."""
        if item.kind == STATEMENT:
            return self._statements.read_into(item.seq, offset, view)
        place = self._place(item)
        if place < 0:
            return self._spill.read_into(item.boot, item.seq, offset, view)
        data = self._ring.view(place)[DIGEST_BYTES + offset :]
        n = min(len(data), len(view))
        view[:n] = data[:n]
        return n

    def on_puback(self, item: Item) -> None:
        """The broker has it, which never lets go of it; from now its ack is awaited."""
        item.busy = False
        now_ms = self._clock.up_ms()
        if item.kind == STATEMENT:
            self._statements.set_pubacked(item.seq, now_ms // 100)
        elif not self._is_settled(item.boot, item.seq):
            self._last_puback = (item.boot, item.seq, now_ms)
            if self._watch is None:
                self._watch = self._last_puback

    def on_lost(self, item: Item) -> None:
        """The link gave it back unacknowledged."""
        item.busy = False
        if item.kind == STATEMENT:
            self._statements.set_sent(item.seq, False)
        elif (item.boot, item.seq) < self._cursor and self.size_of(item) is not None:
            self._cursor = (item.boot, item.seq)

    def new_session(self) -> None:
        """The broker forgot the session: everything goes again."""
        self._again_ms = AGAIN_MS_MIN
        self._send_again(True)

    def new_epoch(self) -> None:
        """Another run of the gateway: everything it did not ack goes again."""
        self._again_ms = AGAIN_MS_MIN
        self._send_again(False)

    # What the gateway answers

    def on_ack(self, ack: "Any") -> None:
        """Let go of what the gateway holds; send again when its epoch is another."""
        for boot, upto in ack.boots:
            self._advance(boot, upto)
        for boot, seq, _ in ack.rejected:
            self._reject(boot, seq)
        for seq, _ in ack.refused:
            self.counters.statements_refused += self._statements.refuse(seq)
        self._next_watch()
        self._trim()
        if ack.epoch != self._epoch:
            self._epoch = ack.epoch
            self.new_epoch()

    def release_statement(self, seq: int) -> bool:
        """Its verified receipt is here: let it go. False when it was not here."""
        self._again_ms = AGAIN_MS_MIN
        held = self._held
        if held is not None and held.kind == STATEMENT and held.seq == seq:
            self._release_late = seq
            return True
        return self._statements.release(seq)

    # Sending

    def _take_statement(self, item: Item) -> bool:
        seq = self._statements.next_waiting()
        if seq is None:
            return False
        self._statements.set_sent(seq, True)
        item.kind, item.boot, item.seq, item.busy = STATEMENT, 0, seq, True
        return True

    def _take_frame(self, item: Item) -> bool:
        while True:
            found = self._spill.find(*self._cursor)
            if found is None:
                place = self._ring.find(*self._cursor)
                if place < 0:
                    return False
                found = self._ring.key(place)
            boot, seq = found
            self._cursor = (boot, seq + 1)
            if self._is_settled(boot, seq) or self._is_under_way(boot, seq):
                continue
            item.kind, item.boot, item.seq, item.busy = FRAME, boot, seq, True
            return True

    def _is_under_way(self, boot: int, seq: int) -> bool:
        return any(
            item.busy and item.kind == FRAME and item.boot == boot and item.seq == seq
            for item in self._items
        )

    def _is_settled(self, boot: int, seq: int) -> bool:
        return seq <= self._upto.get(boot, -1) or (boot, seq) in self._skip

    def _send_again(self, all_of_them: bool) -> None:
        self.counters.sent_again += 1
        self._cursor = (0, 0)
        self._watch = self._last_puback = None
        self._statements.send_again(all_of_them)

    def _place(self, item: Item) -> int:
        place = self._ring.find(item.boot, item.seq)
        if place >= 0 and self._ring.key(place) == (item.boot, item.seq):
            return place
        return -1

    # Letting go

    def _advance(self, boot: int, upto: int) -> None:
        """Note the gateway's upto, never above what this node has put."""
        highest = self._next_seq - 1 if boot == self._boot else -1
        for segment in self._spill.segments:
            if segment.boot == boot:
                highest = max(highest, segment.last)
        for place in range(self._ring.count):
            if self._ring.key(place)[0] == boot:
                highest = max(highest, self._ring.key(place)[1])
        upto = min(upto, highest)
        if upto <= self._upto.get(boot, -1):
            return
        self._upto[boot] = upto
        self._again_ms = AGAIN_MS_MIN
        self._skip = [key for key in self._skip if key[0] != boot or key[1] > upto]

    def _reject(self, boot: int, seq: int) -> None:
        if not self._is_settled(boot, seq) and len(self._skip) < SKIPS_MAX:
            self._skip.append((boot, seq))
            self.counters.frames_rejected += 1

    def _next_watch(self) -> None:
        """Watch for the ack of what was PUBACKed last, once the watched one is settled."""
        if self._watch is not None and self._is_settled(self._watch[0], self._watch[1]):
            last = self._last_puback
            self._watch = None
            if last is not None and not self._is_settled(last[0], last[1]):
                self._watch = last

    def _trim(self) -> None:
        """Let go of settled frames at the old end, but of nothing that is being read."""
        held = self._held
        held_key = (held.boot, held.seq) if held is not None and held.kind == FRAME else None
        ring = self._ring
        while ring.count and self._is_settled(*ring.key(0)) and ring.key(0) != held_key:
            ring.pop()
        for segment in list(self._spill.segments):
            if segment.last > self._upto.get(segment.boot, -1):
                continue
            if held_key is None or held_key[0] != segment.boot or held_key[1] > segment.last:
                self._spill.remove(segment)
        for boot in list(self._upto):
            if boot != self._boot and all(one.boot != boot for one in self._spill.segments):
                del self._upto[boot]

    # Flash

    def _may_spill(self) -> bool:
        return self._clock.up_ms() >= self._retry_up_ms

    def _spill_ring(self) -> None:
        """Append all frames in RAM to flash, as one group a boot; on failure they stay in RAM."""
        ring = self._ring
        while ring.count:
            boot = ring.key(0)[0]
            frames = []
            for place in range(ring.count):
                at_boot, seq = ring.key(place)
                if at_boot != boot:
                    break
                frames.append((seq, (ring.view(place),)))
            if not self._append_frames(boot, frames):
                return
            for _ in frames:
                ring.pop()

    def _append_frames(self, boot: int, frames: "list[tuple[int, Any]]") -> bool:
        need = BLOCK_BYTES
        for _, parts in frames:
            need += RECORD_HEAD_BYTES + sum([len(part) for part in parts])
        self._make_room(need)
        for attempt in (0, 1):
            try:
                self._spill.append(boot, frames)
            except OSError:
                self.counters.flash_errors += 1
                if attempt or not self._spill.segments:
                    break
                self._drop_segments(1, True)
            else:
                self.counters.frames_spilled += len(frames)
                return True
        self._retry_up_ms = self._clock.up_ms() + RETRY_SPILL_MS
        return False

    def _make_room(self, need: int) -> None:
        """Drop the oldest segments, an eighth of the limit at a time, until `need` bytes fit."""
        segments = self._spill.segments
        flash = self._limits["flash_bytes_max"]
        if self._spill.bytes_used() + need <= flash and len(segments) < SEGMENTS_MAX:
            return
        wanted = max(need, flash // 8)
        count = 0
        while count < len(segments) and wanted > 0:
            wanted -= segments[count].size
            count += 1
        self._drop_segments(count, True)

    # Overflow

    def _drop_segments(self, count: int, may_sign: bool) -> None:
        """Drop the oldest segments: range noted, signed or made durable, then the files removed."""
        doomed = self._spill.segments[:count]
        for segment in doomed:
            first = max(segment.first, self._upto.get(segment.boot, -1) + 1)
            if first <= segment.last:
                head = self._head_of(segment)
                self._dropped.add(segment.boot, first, segment.last, head)
                self.counters.frames_dropped += segment.last - first + 1
        if may_sign:
            self._sign_gaps()
        self._save_gaps()
        for segment in doomed:
            self._spill.remove(segment)

    def _drop_from_ring(self) -> None:
        """RAM is full and flash takes nothing: the oldest frame goes."""
        boot, seq = self._ring.key(0)
        head = bytes(self._ring.view(0)[:DIGEST_BYTES])
        self._drop(boot, seq, seq, head, 0 if self._is_settled(boot, seq) else 1)
        self._ring.pop()

    def _drop(self, boot: int, first: int, last: int, head: bytes, count: int) -> None:
        if count:
            self._dropped.add(boot, first, last, head)
            self.counters.frames_dropped += count
            self._sign_gaps()
            self._save_gaps()

    def _head_of(self, segment: Segment) -> bytes:
        try:
            return self._spill.head_of(segment)
        except (OSError, IndexError):
            self.counters.flash_errors += 1
            return b"\x00" * DIGEST_BYTES

    def _sign_gaps(self) -> bool:
        """Offer dropped ranges for signing, no more often than statements are due."""
        now_ms = self._clock.up_ms()
        if now_ms - self._gap_up_ms < statement_interval_s(GAP_S, self.statement_fill()) * 1000:
            return False
        try:
            signed = self._dropped.sign(self.on_overflow)
        except Exception:  # noqa: BLE001 - what cannot be signed must not stop the sampling
            self.counters.sign_errors += 1
            signed = False
        if signed:
            self._gap_up_ms = now_ms
        return signed

    def _save_gaps(self) -> None:
        try:
            self._dropped.save()
        except OSError:
            self.counters.flash_errors += 1

    # What is known to be safe

    def _known(self) -> "tuple[int, int] | None":
        """After a start: the newest frame before which none was only in RAM."""
        known = self._statements.mark
        for segment in self._spill.segments:
            key = (segment.boot, segment.last + 1)
            if known is None or key > known:
                known = key
        return known

    def _known_now(self) -> "tuple[int, int]":
        return self._ring.key(0) if self._ring.count else (self._boot, self._next_seq)

    def _tenths(self) -> int:
        return self._clock.up_ms() // 100


def statement_interval_s(base_s: int, fill: float) -> int:
    """The interval between statements: doubled at each eighth above a half full, up to 1 h."""
    eighths = int(fill * 8)
    interval_s = base_s
    for _ in range(max(0, eighths - 4)):
        interval_s = min(max(base_s, STATEMENT_INTERVAL_S_MAX), interval_s * 2)
    return interval_s
