"""The published log as an outsider's request needs it: newest checkpoint, proofs from older sizes.

Safe beside a writing gateway: tiles never change, and one that became full is cut to its width.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raffinate.errors import ConfigError, RaffinateError
from raffinate.keys import load_public
from raffinate.tlog.checkpoint import Checkpoint, open_checkpoint
from raffinate.tlog.note import NoteError, parse_vkey
from raffinate.tlog.proof import consistency
from raffinate.tlog.publish import Folder
from raffinate.tlog.sequencer import CHECKPOINT
from raffinate.tlog.tiles import TileError, TileReader
from raffinate.witness.protocol import format_request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from raffinate.tlog.note import Verifier


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint, its note as published."""

    checkpoint: Checkpoint
    note: bytes


def open_published(keys: Path, data: Path) -> PublishedLog:
    """The log of a gateway, by its keys folder's `public.json` alone. Raises ConfigError."""
    public = load_public(keys)
    try:
        lines: Any = public["log"]
        verifiers = [parse_vkey(line) for line in lines]
    except (KeyError, TypeError, AttributeError, NoteError) as error:
        raise ConfigError(f"{keys / 'public.json'}: log: {error}; restore it") from None
    return PublishedLog(data / "log", str(public["origin"]), verifiers)


class PublishedLog:
    """`<data>/log` under its origin and keys. Any thread may ask."""

    def __init__(self, folder: Path, origin: str, verifiers: Sequence[Verifier]) -> None:
        self._folder = Folder(folder)
        self._verifiers = tuple(verifiers)
        self._lock = threading.Lock()
        self._round: tuple[Head, float] | None = None
        self.origin = origin

    def round_head(self, now_s: float, round_s: float) -> Head:
        """The head that all witnesses are asked about for `round_s`; `now_s` is monotonic.

        So that a quorum of them cosigns one and the same head. Raises RaffinateError.
        """
        with self._lock:
            if self._round is None or now_s - self._round[1] >= round_s:
                self._round = self.head(), now_s
            return self._round[0]

    def head(self) -> Head:
        """The published head. Raises RaffinateError."""
        note = self._folder.read(CHECKPOINT)
        try:
            return Head(open_checkpoint(note, self.origin, self._verifiers), note)
        except NoteError as error:
            raise RaffinateError(f"{self._folder.root / CHECKPOINT}: {error}") from None

    def request(self, old: int, head: Head) -> bytes:
        """An `add-checkpoint` request from `old` to `head`; `old` is not above its size."""
        size = head.checkpoint.size
        try:
            proof = consistency(TileReader(self._folder.read_tile, size).node, old, size)
        except TileError as error:
            raise RaffinateError(f"{self._folder.root}: {error}") from None
        return format_request(old, proof, head.note)
