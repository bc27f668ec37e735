"""What the outbox hands to the link, and what it has counted."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from raffinate_node.outbox import Outbox

FRAME, STATEMENT = 0, 1


class Item:
    """A frame or statement in the link's hands; the outbox owns a fixed number of them."""

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox = outbox
        self.kind = FRAME
        self.boot = 0
        self.seq = 0
        self.busy = False

    def size(self) -> "int | None":
        """Bytes, or None when it need not be sent any more."""
        return self._outbox.size_of(self)

    def read_into(self, offset: int, view: memoryview) -> int:
        """Fill view with the bytes from offset on; return how many, 0 when it is gone."""
        return self._outbox.read_into(self, offset, view)


class Counters:
    """What the outbox has seen since boot."""

    def __init__(self) -> None:
        self.frames = 0
        self.frames_spilled = 0
        self.frames_dropped = 0
        self.frames_rejected = 0
        self.statements_refused = 0
        self.sent_again = 0
        self.flash_errors = 0
        self.sign_errors = 0
