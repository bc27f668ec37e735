"""The in-flight window: which messages are under way, under which packet ids, in which order."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WINDOW_MAX = 8


class Slot:
    """One place of the window: a message under its packet id."""

    def __init__(self) -> None:
        self.packet_id = 0
        self.message: Any = None
        self.order = 0
        self.sent = False
        self.sent_ticks = 0
        self.dup = False


class Window:
    """At most `size` messages between their PUBLISH and their PUBACK."""

    def __init__(self, size: int) -> None:
        if not 1 <= size <= WINDOW_MAX:
            raise ValueError(f"a window of {size} is not 1 to {WINDOW_MAX}")
        self.slots = [Slot() for _ in range(size)]
        self._last_id = 0
        self._last_order = 0

    def next_id(self) -> int:
        """The next packet id that is not 0 and not in use."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            for slot in self.slots:
                if slot.message is not None and slot.packet_id == self._last_id:
                    break
            else:
                return self._last_id

    def free(self) -> "Slot | None":
        """A slot without a message, or None."""
        for slot in self.slots:
            if slot.message is None:
                return slot
        return None

    def fill(self, slot: Slot, message: "Any") -> None:
        """Put a message under a new id."""
        slot.packet_id = self.next_id()
        self._last_order += 1
        slot.order = self._last_order
        slot.message = message
        slot.sent = slot.dup = False

    def due(self) -> "Slot | None":
        """The oldest message that must be sent (again), or None."""
        oldest = None
        for slot in self.slots:
            if slot.message is None or slot.sent:
                continue
            if oldest is None or slot.order < oldest.order:
                oldest = slot
        return oldest

    def acknowledge(self, packet_id: int) -> "Any":
        """Take the message whose PUBACK came; None when nothing was sent under that id."""
        for slot in self.slots:
            if slot.message is not None and slot.sent and slot.packet_id == packet_id:
                message, slot.message, slot.sent = slot.message, None, False
                return message
        return None

    def settle(self, present: bool) -> None:
        """A connection begins: after a resume all is due again with DUP, else all is given back."""
        for slot in self.slots:
            if slot.message is None:
                continue
            if present:
                slot.dup = slot.dup or slot.sent
                slot.sent = False
            else:
                self.drop(slot)

    def drop(self, slot: Slot) -> None:
        """Give a message back to its owner unacknowledged.

        At QoS 1 the broker keeps nothing under a packet id, so the id is free.
        """
        message, slot.message, slot.sent = slot.message, None, False
        message.on_lost()
