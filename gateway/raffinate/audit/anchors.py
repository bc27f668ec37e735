"""Outside times: witnesses' cosignatures and RFC 3161 tokens, as the policy trusts them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from raffinate.audit.timestamp import TimestampError, read_timestamp
from raffinate.tlog.checkpoint import Checkpoint, open_checkpoint
from raffinate.tlog.note import Note, NoteError, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from raffinate.audit.policy import Policy
    from raffinate.evidence.statement import Statement

SIZES_KEPT_MAX = 64


class AnchorError(ValueError):
    """A time-anchor or cosignature is not what it says."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Entries below `size` were there by `high_ms`; what knows the anchor came after `low_ms`."""

    size: int
    low_ms: int
    high_ms: int


class Anchors:
    """Collects cosignatures until the policy's quorum is reached; a token counts by itself."""

    def __init__(self, policy: Policy, root_at: Callable[[int], bytes | None]) -> None:
        self._policy = policy
        self.root_at = root_at
        self._known = {witness.name: witness for witness in policy.witnesses}
        self._times: dict[int, dict[str, int]] = {}

    def of_checkpoint(self, note: Note, size: int) -> Anchor | None:
        """The anchor that the bundle's own checkpoint is. Raises AnchorError."""
        anchor = None
        for witness in self._policy.witnesses:
            if any(witness.made(line) for line in note.signatures):
                anchor = self._cosigned(note, witness.name, size) or anchor
        return anchor

    def of_statement(
        self, statement: Statement, index: int, read: Callable[[str], bytes | None]
    ) -> Anchor | None:
        """The anchor that a time-anchor statement makes, or None if the policy does not know it.

        Raises AnchorError.
        """
        body = statement.body
        size, root = body["size"], bytes.fromhex(body["root"])
        if size > index:
            raise AnchorError(f"it is over {size} entries, and stands at {index}")
        if self.root_at(size) != root:
            raise AnchorError(f"the log has another root at size {size}")
        cosigned = body["kind"] == "cosignature"
        if cosigned and body["source"] not in self._known:
            return None
        if not cosigned and not self._policy.timestamps:
            return None
        blob = read(f"blobs/{body['token']}")
        if blob is None or sha256(blob).hexdigest() != body["token"]:
            raise AnchorError("its cosigned checkpoint or token is not in the bundle")
        head = Checkpoint(self._policy.origin, size, root)
        if cosigned:
            return self._of_cosigned(body["source"], blob, head, body["anchorMs"])
        return self._of_token(blob, head, body["anchorMs"])

    def _of_cosigned(self, name: str, blob: bytes, head: Checkpoint, said_ms: int) -> Anchor | None:
        try:
            found = open_checkpoint(blob, self._policy.origin, self._policy.log_keys)
            note = parse_note(blob)
        except NoteError as error:
            raise AnchorError(f"its checkpoint: {error}") from None
        if found != head:
            raise AnchorError("its checkpoint is another")
        anchor = self._cosigned(note, name, head.size)
        if self._times[head.size][name] * 1000 != said_ms:
            raise AnchorError("it states another time than the cosignature")
        return anchor

    def _of_token(self, blob: bytes, head: Checkpoint, said_ms: int) -> Anchor:
        try:
            time_ms = read_timestamp(blob, head, self._policy.timestamps)
        except TimestampError as error:
            raise AnchorError(f"its token: {error}") from None
        if time_ms != said_ms:
            raise AnchorError("it states another time than the token")
        return Anchor(head.size, time_ms, time_ms)

    def _cosigned(self, note: Note, name: str, size: int) -> Anchor | None:
        try:
            time_s = self._known[name].time_s(note)
        except NoteError as error:
            raise AnchorError(str(error)) from None
        times = self._times.setdefault(size, {})
        times[name] = time_s
        if len(self._times) > SIZES_KEPT_MAX:
            del self._times[next(iter(self._times))]
        if len(times) < self._policy.quorum:
            return None
        ordered = sorted(times.values())
        return Anchor(size, 1000 * ordered[0], 1000 * ordered[self._policy.quorum - 1] + 999)
