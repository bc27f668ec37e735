"""Receipts: inclusion of a statement, and consistency with what its node saw (protocol 6)."""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING

from raffinate.tlog.proof import PROOF_HEADER, consistency

if TYPE_CHECKING:
    from raffinate.tlog.sequencer import Sequencer

RECEIPT_BYTES_MAX = 8192


class ReceiptMaker:
    """Receipts under the log's newest head; shares what the receipts of a batch share."""

    def __init__(self, log: Sequencer) -> None:
        self._log = log
        self._lines = log.prover().lines
        self._consistency: dict[int, bytes] = {}
        self.size = log.size

    def receipt(self, keyid: str, seq: int, index: int, old: int) -> bytes:
        """The receipt of entry `index` to a node that last saw size `old`."""
        middle = self._consistency.get(old)
        if middle is None:
            hashes = consistency(self._log.node, old, self.size)
            lines = b"".join([b2a_base64(value) for value in hashes])
            middle = b"old %d\n%b\n%b" % (old, lines, PROOF_HEADER.encode())
            self._consistency[old] = middle
        return b"statement %b %d\n%b\nindex %d\n%b\n%b" % (
            keyid.encode(),
            seq,
            middle,
            index,
            self._lines(index),
            self._log.note,
        )
