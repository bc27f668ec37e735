"""Receipts: the proof that a statement is in the log, and that the log only grew."""

RECEIPT_BYTES_MAX = 8192


class Receipt:
    """keyid, seq, old, consistency [32 bytes], index, inclusion [32 bytes], checkpoint_note (bytes)."""

    def __init__(self, keyid, seq, old, consistency, index, inclusion, checkpoint_note) -> None:
        self.keyid = keyid
        self.seq = seq
        self.old = old
        self.consistency = consistency
        self.index = index
        self.inclusion = inclusion
        self.checkpoint_note = checkpoint_note


def format_receipt(
    keyid: str, seq: int, old: int, consistency, index: int, inclusion, checkpoint_note: bytes
) -> bytes:
    """Return a receipt's bytes; raise WireError, `too-long` above 8 KiB."""
    raise NotImplementedError


def parse_receipt(data: bytes) -> Receipt:
    """Return the receipt, nothing verified; raise WireError."""
    raise NotImplementedError


def check_receipt(
    receipt: Receipt, envelope: bytes, log_origin: str, log_key, seen_size: int, seen_root: bytes
) -> "tuple[int, bytes]":
    """Return the (size, root) now seen; raise WireError.

    `wrong-old` when receipt.old is not seen_size, `wrong-origin`, `no-signature`, `bad-signature`,
    `bad-proof`. log_key: point, SPKI or comb table.
    """
    raise NotImplementedError


def check_receipt_steps(
    receipt: Receipt, envelope: bytes, log_origin: str, log_key, seen_size: int, seen_root: bytes
):
    """check_receipt in slices."""
    raise NotImplementedError
