"""Boots inside one transaction: what is there already, chain links, order, steps."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from raffinate.archive import tables
from raffinate.archive.batch import Rejected
from raffinate.archive.boot import (
    BROKEN_CHAIN,
    CLOCK_JUMP,
    CLOCK_JUMP_MS,
    CLOCK_STEP,
    HOLE,
    Boot,
    Place,
    place_alone,
    runs,
    with_steps,
)
from raffinate.archive.spans import Spans
from raffinate.model import StoredFrame
from raffinate_wire.frame import ZERO_PREV

if TYPE_CHECKING:
    import sqlite3

    from raffinate.archive.batch import Incoming
    from raffinate.model import Frame

BOOTS_CACHED_MAX = 4096
SPANS_MAX = 4096
CONFLICT = "conflict"
TOO_MANY_HOLES = "too-many-holes"


class Ledger:
    """The boots of an archive. Changes live in memory until `save`; `forget` drops them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._boots: OrderedDict[tuple[str, int], Boot] = OrderedDict()
        self._rows: list[tuple[object, ...]] = []
        self._unlinked: list[tuple[int, int, bytes]] = []
        self.touched: dict[tuple[str, int], Boot] = {}
        self.findings: list[tuple[str, str, int, int, str, int]] = []

    def find(self, key: str, boot: int) -> Boot | None:
        """A boot that the archive has heard of."""
        known = self._boots.get((key, boot))
        if known is not None:
            self._boots.move_to_end((key, boot))
            return known
        row = self._db.execute(
            "SELECT id, node, spans, step_max, offset_ms, timed FROM boots WHERE key=? AND boot=?",
            (key, boot),
        ).fetchone()
        if row is None:
            return None
        number, node, spans, step_max, offset_ms, timed = row
        last = self._db.execute(tables.BEFORE, (number, 1 << 62)).fetchone()
        found = Boot(
            number,
            key,
            boot,
            node,
            Spans(orjson.loads(spans)),
            Place(*last) if last else None,
            step_max,
            offset_ms,
            bool(timed),
        )
        self._boots[key, boot] = found
        return found

    def touch(self, node: str, key: str, boot: int) -> Boot:
        """A boot that this transaction changes, made when it is new."""
        found = self.touched.get((key, boot))
        if found is not None:
            return found
        found = self.find(key, boot)
        if found is None:
            cursor = self._db.execute(
                "INSERT INTO boots(key, boot, node, spans, step_max, timed, changed)"
                " VALUES (?,?,?,'[]',0,0,0)",
                (key, boot, node),
            )
            found = self._boots[key, boot] = Boot(cursor.lastrowid or 0, key, boot, node)
        self.touched[key, boot] = found
        return found

    def take(self, incoming: Incoming, position: int) -> StoredFrame | Rejected | None:
        """The frame as it will be stored at `position`; None for a duplicate."""
        frame = incoming.frame
        boot = self.touch(frame.node, frame.key, frame.boot)
        digest = sha256(frame.data).digest()
        newest = boot.last is None or frame.seq > boot.last.seq
        known = None if newest else self._digest(boot, frame.seq)
        if known == digest:
            return None
        reason = CONFLICT if known is not None else ""
        if len(boot.spans) >= SPANS_MAX and boot.spans.stands_alone(frame.seq):
            reason = TOO_MANY_HOLES
        if reason:
            return Rejected(frame.node, frame.key, frame.boot, frame.seq, reason)
        if newest:
            place = self._newest(boot, frame, digest)
            broken = self._broken_after(boot, frame)
        else:
            place = self._late(boot, frame, digest)
            broken = self._broken_between(boot, frame, digest, incoming.received_ms)
        return self._store(boot, incoming, position, place, broken=broken, newest=newest)

    def _store(
        self,
        boot: Boot,
        incoming: Incoming,
        position: int,
        place: Place,
        *,
        broken: bool,
        newest: bool,
    ) -> StoredFrame:
        frame, findings = incoming.frame, incoming.findings
        if broken:
            findings += (BROKEN_CHAIN,)
        if place.step > boot.step_max:
            boot.step_max = place.step
            # Under clock U the times are the gateway's estimate: no clock of a board stepped.
            if frame.clock != "U" and (boot.timed or runs(frame.scans) > 1):
                findings += (CLOCK_STEP,)
        if newest:
            if self._clock_jumped(boot, frame):
                findings += (CLOCK_JUMP,)
            boot.last = place
        if place.step:
            step_first = place.step - runs(frame.scans) + 1
            frame = replace(frame, scans=with_steps(frame.scans, step_first))
        boot.spans.add(frame.seq, frame.seq)
        self._rows.append(
            (
                boot.id,
                place.seq,
                place.digest,
                place.step,
                place.first_ms,
                place.first_up_ms,
                place.last_ms,
                place.last_up_ms,
            )
        )
        for code in findings:
            self.findings.append(
                (frame.node, frame.key, frame.boot, frame.seq, code, incoming.received_ms)
            )
        return StoredFrame(position, frame, incoming.received_ms, incoming.estimate_ms, findings)

    def pass_over(self, node: str, key: str, boot: int, first: int, last: int) -> None:
        """Let acks pass over frames that are rejected or covered, while holes are not too many."""
        spans = self.touch(node, key, boot).spans
        if len(spans) < SPANS_MAX or not spans.stands_alone(first):
            spans.add(first, last)

    def note_hole(self, key: str, boot: int, first: int, now_ms: int) -> None:
        """State the finding of a hole that begins at frame `first`."""
        known = self.find(key, boot)
        if known is not None:
            self.findings.append((known.node, key, boot, first, HOLE, now_ms))

    def save(self, change: int) -> None:
        """Write what the transaction changed; `change` orders boots by when they last did."""
        self._flush()
        self._db.executemany(tables.ADD_FINDING, self.findings)
        self._db.executemany(
            tables.SAVE_BOOT,
            [
                (
                    orjson.dumps(boot.spans.pairs()).decode(),
                    boot.step_max,
                    boot.offset_ms,
                    boot.timed,
                    change,
                    boot.id,
                )
                for boot in self.touched.values()
            ],
        )

    def finish(self) -> None:
        """The transaction is durable: go on from its state."""
        self.touched, self.findings = {}, []
        while len(self._boots) > BOOTS_CACHED_MAX:
            self._boots.popitem(last=False)

    def forget(self) -> None:
        """The transaction failed: know nothing but what is on disk."""
        self._boots.clear()
        self._rows, self._unlinked = [], []
        self.finish()

    def _flush(self) -> None:
        """Rows of this transaction become visible to its own queries."""
        if self._rows:
            self._db.executemany(tables.ADD_FRAME, self._rows)
            self._rows = []
        if self._unlinked:
            self._db.executemany("INSERT INTO unlinked VALUES (?,?,?)", self._unlinked)
            self._unlinked = []

    def _digest(self, boot: Boot, seq: int) -> bytes | None:
        if boot.last is not None and boot.last.seq == seq:
            return boot.last.digest
        self._flush()
        row = self._db.execute(
            "SELECT digest FROM frames WHERE boot=? AND seq=?", (boot.id, seq)
        ).fetchone()
        return row[0] if row else None

    def _broken_after(self, boot: Boot, frame: Frame) -> bool:
        """Whether a new newest frame does not follow the one before it."""
        last = boot.last
        if last is not None and frame.seq == last.seq + 1:
            return frame.prev != last.digest
        if frame.seq == 0:
            return frame.prev != ZERO_PREV
        self._unlinked.append((boot.id, frame.seq, frame.prev))
        return False

    def _broken_between(self, boot: Boot, frame: Frame, digest: bytes, received_ms: int) -> bool:
        """The same for a late frame; what its successor said of it is checked too."""
        self._flush()
        row = self._db.execute(
            "DELETE FROM unlinked WHERE boot=? AND seq=? RETURNING prev", (boot.id, frame.seq + 1)
        ).fetchone()
        if row is not None and row[0] != digest:
            self.findings.append(
                (frame.node, frame.key, frame.boot, frame.seq + 1, BROKEN_CHAIN, received_ms)
            )
        if frame.seq == 0:
            return frame.prev != ZERO_PREV
        before = self._digest(boot, frame.seq - 1)
        if before is None:
            self._unlinked.append((boot.id, frame.seq, frame.prev))
            return False
        return frame.prev != before

    def _newest(self, boot: Boot, frame: Frame, digest: bytes) -> Place:
        last = boot.last
        if runs(frame.scans) > 1:
            return self._broken_run(boot, frame, digest)
        place = place_alone(frame.seq, digest, frame.scans, last.step if last else 0)
        if last is None or last.precedes(place):
            return place
        return replace(place, step=boot.step_max + 1)

    def _late(self, boot: Boot, frame: Frame, digest: bytes) -> Place:
        """The place of a frame between archived ones: the step of a neighbour, if it fits there."""
        if runs(frame.scans) > 1:
            return self._broken_run(boot, frame, digest)
        self._flush()
        around = (boot.id, frame.seq)
        place = place_alone(frame.seq, digest, frame.scans, 0)
        neighbours = [
            Place(*row)
            for row in (
                self._db.execute(tables.BEFORE, around).fetchone(),
                self._db.execute(tables.AFTER, around).fetchone(),
            )
            if row
        ]
        for step in dict.fromkeys(neighbour.step for neighbour in neighbours):
            before = self._db.execute(tables.BEFORE_AT_STEP, (*around, step)).fetchone()
            after = self._db.execute(tables.AFTER_AT_STEP, (*around, step)).fetchone()
            if (before is None or Place(*before).precedes(place)) and (
                after is None or place.precedes(Place(*after))
            ):
                return replace(place, step=step)
        return replace(place, step=boot.step_max + 1)

    @staticmethod
    def _broken_run(boot: Boot, frame: Frame, digest: bytes) -> Place:
        """The clock stepped back inside the frame: every run in it gets a step of its own."""
        scans = frame.scans
        start = len(scans) - 1
        while start and scans[start].time_ms > scans[start - 1].time_ms:
            start -= 1
        return place_alone(frame.seq, digest, scans[start:], boot.step_max + runs(scans))

    @staticmethod
    def _clock_jumped(boot: Boot, frame: Frame) -> bool:
        """Whether time left uptime by more than CLOCK_JUMP_MS since the boot's frame before."""
        scan = frame.scans[-1]
        offset, known = scan.time_ms - scan.up_ms, boot.offset_ms
        timed, was_timed = frame.clock != "U", boot.timed
        if timed or not was_timed:
            boot.offset_ms, boot.timed = offset, timed
        return timed and was_timed and known is not None and abs(offset - known) > CLOCK_JUMP_MS
