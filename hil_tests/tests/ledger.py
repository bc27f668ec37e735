"""What was promised against what was kept: the spy's record, the archive and the log compared.

Every frame that a node got to the broker must be in the archive, value for value, exactly once.
Every receipted statement must stand in the log where its receipt says, every statement once. Every
frame number that is missing must be covered by a signed gap or by a boot statement's `lost`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from raffinate_wire import dsse, note
from raffinate_wire.statement import parse_statement
from system import entries_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raffinate_wire.frame import Frame
    from raffinate_wire.statement import Statement
    from spy import Spy
    from system import Row, Site

Rows = Counter[tuple[object, ...]]
SHOWN_MAX = 10
# What no kill may bring about.
WRONG_CODES = ("MISSING", "CHAIN-BROKEN", "FORK", "REGISTER-FELL", "SEEN-FELL", "SEEN-MISMATCH")


@dataclass
class Judgement:
    """Counts, and the first few of each kind of failure."""

    frames: int = 0
    frames_acked: int = 0
    rows: int = 0
    statements: int = 0
    receipts: int = 0
    holes: int = 0
    boots: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def fail(self, kind: str, what: Iterable[object]) -> None:
        """Note failures of a kind, if there are any."""
        found = [str(item) for item in what]
        if found:
            cut = found[:SHOWN_MAX]
            self.failures.setdefault(kind, []).extend(
                [*cut, f"and {len(found) - len(cut)} more"] if len(found) > len(cut) else cut
            )


def judge(site: Site, spy: Spy, *, deaf: bool = False) -> Judgement:
    """Compare; the gateway may run, but nothing may be under way any more.

    `deaf`: the broker lost the spy's session too, so that the gateway may have heard more. Acks
    then stand for the frames they pass over.
    """
    found = Judgement()
    found.fail("changed after it was sent", spy.changed)
    found.fail("malformed", spy.problems)
    found.fail("ack taken back", spy.taken_back())
    bundle = site.bundle()
    entries = [data for _, data in entries_in(bundle)]
    keys = {keyid[:16] for keyid, _ in spy.statements}
    statements = _judge_log(spy, entries, found, deaf=deaf)
    covers = _covers(statements)
    _judge_frames(site, spy, keys, covers if deaf else [], found, deaf=deaf)
    _judge_holes(spy, statements, covers, found, deaf=deaf)
    result = site.verify(bundle)
    found.verdicts, found.codes = result["verdicts"], result["counts"]
    if result["verdicts"]["authentic"] != "PASS":
        found.fail("not authentic", [result["first"]["authentic"]])
    found.fail("wrong by the verifier", [code for code in WRONG_CODES if code in found.codes])
    return found


def _judge_frames(
    site: Site, spy: Spy, keys: set[str], covers: list[Cover], found: Judgement, *, deaf: bool
) -> None:
    """Rows of the archive against the frames heard; frames without a time by their values."""
    timed: Rows = Counter()
    untimed: Rows = Counter()
    frames = [(place, frame) for place, frame in spy.frames.items() if place[0] in keys]
    for place, frame in frames:
        # a broker that lost its sessions may have taken a frame that the gateway never got
        if not any(cover.signed_gap and cover.has(place) for cover in covers):
            for time_ms, row in _rows(frame):
                if time_ms is None:
                    untimed[row] += 1
                else:
                    timed[(time_ms, *row)] += 1
    rows = site.rows()
    kept: Rows = Counter((row.time_ms, row.point, row.value, row.quality) for row in rows)
    rest: Rows = Counter()
    for (_, *row), count in (kept - timed).items():
        rest[tuple(row)] += count
    found.frames, found.rows = len(frames), len(rows)
    found.frames_acked = len(frames) - len(spy.unacked())
    found.fail("sample lost", [*(timed - kept), *(untimed - rest)])
    if deaf:
        found.fail("more samples than frames", _surplus(spy, rows))
    else:
        found.fail("sample doubled, or nobody sent it", rest - untimed)
    found.fail("frame never acked", [frame for frame in spy.unacked() if frame[0] in keys])
    found.fail("frame rejected", spy.rejected.items())


def _judge_log(spy: Spy, entries: list[bytes], found: Judgement, *, deaf: bool) -> list[Statement]:
    """The log's statements; each heard one is there once, each receipt is true of this log."""
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    statements = []
    for index, data in enumerate(entries):
        envelope = dsse.parse_envelope(data)
        if envelope.payload_type == dsse.PAYLOAD_STATEMENT:
            statement = parse_statement(envelope.payload)
            statements.append(statement)
            places[statement.keyid, statement.seq].append(index)
    found.statements, found.receipts = len(statements), len(spy.receipts)
    found.fail("statement doubled", [key for key, at in places.items() if len(at) > 1])
    found.fail("statement not in the log", [key for key in spy.statements if key not in places])
    if not deaf:
        found.fail("statement never receipted", spy.unreceipted())
    root = _roots(entries)
    wrong = []
    for key, receipt in spy.receipts.items():
        head = note.parse_checkpoint(note.parse_note(receipt.checkpoint_note).text)
        at = receipt.index
        if (
            head.size > len(entries)
            or head.root != root(head.size)
            or entries[at] != spy.statements.get(key, entries[at])
            or places[key] != [at]
        ):
            wrong.append(f"{key} at {at} of {head.size}")
    found.fail("receipted statement lost", wrong)
    return statements


def _judge_holes(
    spy: Spy,
    statements: list[Statement],
    covers: list[Cover],
    found: Judgement,
    *,
    deaf: bool,
) -> None:
    """Missing numbers up to the last frame that was heard, acked or named by a statement."""
    ends: dict[tuple[str, int], int] = dict(spy.upto)
    for key, boot, seq in spy.frames:
        ends[key, boot] = max(seq, ends.get((key, boot), -1))
    newest: dict[str, int] = {}
    for key, boot in ends:
        newest[key] = max(boot, newest.get(key, 0))
    for statement in statements:
        key, body = statement.keyid[:16], statement.body
        if statement.type in ("usage", "heartbeat") and body["frames"] is not None:
            boot = body["frames"]["boot"]
            if boot < newest.get(key, 0):
                ends[key, boot] = max(body["frames"]["last"], ends.get((key, boot), -1))
    missing = [
        (key, boot, seq)
        for (key, boot), end in ends.items()
        if any(keyid.startswith(key) for keyid, _ in spy.statements)
        for seq in range(end + 1)
        if (key, boot, seq) not in spy.frames
        and not (deaf and seq <= spy.upto.get((key, boot), -1))
    ]
    found.boots, found.holes = len(ends), len(missing)
    found.fail(
        "hole without a signed gap",
        [place for place in missing if not any(cover.has(place) for cover in covers)],
    )


@dataclass(frozen=True)
class Cover:
    """Frames (boot, seq) from `first` to `last` of a key that a logged statement accounts for."""

    key: str
    first: tuple[int, int]
    last: tuple[int, int]
    signed_gap: bool

    def has(self, place: tuple[str, int, int]) -> bool:
        return place[0] == self.key and self.first <= place[1:] <= self.last


def _covers(statements: list[Statement]) -> list[Cover]:
    """What gaps name, and what boot statements say may be lost."""
    found = []
    for statement in statements:
        key, body = statement.keyid[:16], statement.body
        if statement.type == "gap" and body["frames"] is not None:
            frames = body["frames"]
            boot = frames["boot"]
            found.append(Cover(key, (boot, frames["first"]), (boot, frames["last"]), True))
        elif statement.type == "boot" and body["lost"] is not None:
            lost = body["lost"]
            # up to the end of the boot before this one
            end = (statement.boot or 0, -1)
            found.append(Cover(key, (lost["boot"], lost["frameSeq"]), end, False))
    return found


def _surplus(spy: Spy, rows: list[Row]) -> list[str]:
    """Points with more rows than their keys have frames up to the last ack."""
    keys: dict[str, set[str]] = defaultdict(set)
    for (key, _, _), frame in list(spy.frames.items()):
        for _, (point, _, _) in _rows(frame):
            keys[point].add(key)
    most = {
        point: sum(upto + 1 for (key, _), upto in spy.upto.items() if key in of)
        for point, of in keys.items()
    }
    counts = Counter(row.point for row in rows)
    return [
        f"{point}: {count} rows of {most.get(point, 0)} frames"
        for point, count in counts.items()
        if count > most.get(point, 0)
    ]


def _rows(frame: Frame) -> Iterable[tuple[int | None, tuple[str, float | None, str]]]:
    for time_ms, _, values in frame.scans:
        for name, unit, content, decimals in values:
            if unit is None:
                yield time_ms, (name, None, str(content))
            else:
                yield time_ms, (name, int(content) / 10**decimals, "good")


def _roots(entries: list[bytes]) -> Any:
    """The RFC 6962 root of the first `size` entries, from the RFC's own recursion."""
    leaves = [hashlib.sha256(b"\x00" + data).digest() for data in entries]

    @cache
    def tree(start: int, end: int) -> bytes:
        if end - start == 1:
            return leaves[start]
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return hashlib.sha256(b"\x01" + tree(start, middle) + tree(middle, end)).digest()

    return lambda size: tree(0, size) if size else hashlib.sha256().digest()
