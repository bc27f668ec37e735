"""C2SP tlog-proof: an inclusion proof and the checkpoint it leads to, in one file."""


class Proof:
    """index, hashes [32 bytes], checkpoint_note (bytes), extra (bytes or None)."""

    def __init__(
        self,
        index: int,
        hashes: "list[bytes]",
        checkpoint_note: bytes,
        extra: "bytes | None" = None,
    ) -> None:
        self.index = index
        self.hashes = hashes
        self.checkpoint_note = checkpoint_note
        self.extra = extra


def format_proof(
    index: int, hashes: "list[bytes]", checkpoint_note: bytes, extra: "bytes | None" = None
) -> bytes:
    """Return a proof's bytes."""
    raise NotImplementedError


def parse_proof(data: bytes) -> Proof:
    """Return the proof, nothing verified; raise WireError."""
    raise NotImplementedError
