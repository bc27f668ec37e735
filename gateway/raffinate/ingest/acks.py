"""The ack book: what nodes are told of their frames and refused statements; pure.

It holds only what has not been told yet. What must be told again on a new session comes from the
archive, so that a killed gateway forgets nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from raffinate_wire.ack import BOOTS_MAX, REASONS_MAX, format_ack

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY_CHARS = 16


class AckBook:
    """Acks by key. `epoch` is new at each start of the gateway; `renew` gives one key another."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._epochs: dict[str, int] = {}
        self._pages: dict[str, _Page] = {}
        self._refused: dict[str, deque[tuple[int, str]]] = {}

    def tell_upto(self, node: str, key: str, boot: int, upto: int) -> None:
        """Tell how far a boot is settled; -1, nothing yet, is not told."""
        page = self._page(node, key)
        if upto >= 0:
            page.boots[boot] = upto

    def tell_rejected(self, node: str, key: str, boot: int, seq: int, reason: str) -> None:
        """Tell that a frame is rejected; a later reason for the same frame replaces it."""
        self._page(node, key).rejected[boot, seq] = reason

    def tell_refused(self, node: str, key: str, seq: int, reason: str) -> None:
        """Tell that a statement is refused, now and again on each new session."""
        known = self._refused.setdefault(key[:KEY_CHARS], deque(maxlen=REASONS_MAX))
        if (seq, reason) not in known:
            known.append((seq, reason))
        self._page(node, key).refused[seq] = reason

    def tell_again(
        self,
        node: str,
        key: str,
        boots: Iterable[tuple[int, int]],
        rejected: Iterable[tuple[int, int, str]],
    ) -> None:
        """On a new session: the boots (boot, upto) and rejections of the archive, and refusals."""
        self._page(node, key)
        for boot, upto in boots:
            self.tell_upto(node, key, boot, upto)
        for boot, seq, reason in rejected:
            self.tell_rejected(node, key, boot, seq, reason)
        for seq, reason in self._refused.get(key[:KEY_CHARS], ()):
            self.tell_refused(node, key, seq, reason)

    def renew(self, node: str, key: str, epoch: int) -> None:
        """Give one key a new epoch, at which its node sends everything again."""
        self._epochs[key[:KEY_CHARS]] = epoch
        self._page(node, key)

    def take(self) -> list[tuple[str, bytes]]:
        """(node, ack) for all that was told since the last take, within the limits of an ack."""
        found = []
        for key, page in self._pages.items():
            boots = sorted(page.boots.items())
            rejected = [(boot, seq, reason) for (boot, seq), reason in page.rejected.items()]
            refused = list(page.refused.items())
            epoch = self._epochs.get(key, self._epoch)
            while True:
                parts = boots[:BOOTS_MAX], rejected[:REASONS_MAX], refused[:REASONS_MAX]
                found.append((page.node, format_ack(key, epoch, *parts)))
                boots = boots[BOOTS_MAX:]
                rejected, refused = rejected[REASONS_MAX:], refused[REASONS_MAX:]
                if not (boots or rejected or refused):
                    break
        self._pages.clear()
        return found

    def _page(self, node: str, key: str) -> _Page:
        page = self._pages.get(key[:KEY_CHARS])
        if page is None:
            page = self._pages[key[:KEY_CHARS]] = _Page(node)
        return page


class _Page:
    """What one key's node is to be told next."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.boots: dict[int, int] = {}
        self.rejected: dict[tuple[int, int], str] = {}
        self.refused: dict[int, str] = {}
