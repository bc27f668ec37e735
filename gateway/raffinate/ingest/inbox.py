"""The bounded queue between the MQTT client's thread and the ingest worker."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raffinate.model import Inbound

MESSAGES_MAX = 4000
BATCH_MAX = 1000
GATHER_S = 0.02
SLICE_S = 0.002
WAIT_S = 0.05


class Inbox:
    """Messages in order of arrival. A full inbox holds up the network, not the memory."""

    def __init__(self, messages_max: int = MESSAGES_MAX) -> None:
        self._messages: deque[Inbound] = deque()
        self._messages_max = messages_max
        self._arrived = threading.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Inbound) -> None:
        """Append; waits while the inbox is full and open."""
        while len(self._messages) >= self._messages_max and not self._closed:
            time.sleep(SLICE_S)
        self._messages.append(message)
        if not self._arrived.is_set():
            self._arrived.set()

    def take(self, wait_s: float) -> list[Inbound]:
        """What has come: waits up to `wait_s` for the first, then a little for more."""
        if not self._arrived.wait(wait_s):
            return []
        messages, deadline = self._messages, time.monotonic() + GATHER_S
        while (count := len(messages)) < BATCH_MAX and time.monotonic() < deadline:
            time.sleep(SLICE_S)
            if len(messages) == count:
                break
        self._arrived.clear()
        taken = [messages.popleft() for _ in range(min(BATCH_MAX, len(messages)))]
        if messages:
            self._arrived.set()
        return taken

    def wake(self) -> None:
        """Let a waiting `take` return."""
        self._arrived.set()

    def close(self) -> None:
        """Hold nobody up any more."""
        self._closed = True
        self._arrived.set()
