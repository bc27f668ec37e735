"""Receipts: the proof that a statement is in the log, and that the log only grew.

`statement <keyid> <seq>`, `old <size>`, consistency lines, an empty line, then a tlog-proof.
"""

from raffinate_wire import ids, merkle, note, p256, proof
from raffinate_wire.errors import WireError
from raffinate_wire.lines import parse_size, take_line
from raffinate_wire.statement import envelope_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

RECEIPT_BYTES_MAX = 8192


class Receipt:
    """A receipt's parts: which statement, from which tree size on, both proofs and the note."""

    def __init__(
        self,
        keyid: str,
        seq: int,
        old: int,
        consistency: "list[bytes]",
        index: int,
        inclusion: "list[bytes]",
        checkpoint_note: bytes,
    ) -> None:
        self.keyid = keyid
        self.seq = seq
        self.old = old
        self.consistency = consistency
        self.index = index
        self.inclusion = inclusion
        self.checkpoint_note = checkpoint_note


def format_receipt(
    keyid: str,
    seq: int,
    old: int,
    consistency: "list[bytes]",
    index: int,
    inclusion: "list[bytes]",
    checkpoint_note: bytes,
) -> bytes:
    """Return a receipt's bytes; raise WireError, `too-long` above 8 KiB."""
    head = [f"statement {ids.check_keyid(keyid)} {ids.check_uint(seq, 'seq')}"]
    head.append(f"old {ids.check_uint(old, 'old')}")
    head.extend(proof.format_hashes(consistency))
    tail = proof.format_proof(index, inclusion, checkpoint_note)
    data = "\n".join(head).encode() + b"\n\n" + tail
    if len(data) > RECEIPT_BYTES_MAX:
        raise WireError("too-long", f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    return data


def parse_receipt(data: bytes) -> Receipt:
    """Return the receipt, nothing in it verified; raise WireError."""
    if len(data) > RECEIPT_BYTES_MAX:
        raise WireError("too-long", f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    line, at = take_line(data, 0)
    parts = line.split(b" ")
    if len(parts) != 3 or parts[0] != b"statement":
        raise WireError("bad-receipt", "the line `statement <keyid> <seq>` is missing")
    keyid = ids.check_keyid("".join([chr(octet) for octet in parts[1]]))
    seq = parse_size(parts[2])
    line, at = take_line(data, at)
    if line[:4] != b"old ":
        raise WireError("bad-receipt", "the line `old <size>` is missing")
    old = parse_size(line[4:])
    consistency, at = proof.parse_hashes(data, at)
    rest = proof.parse_proof(data[at:])
    if rest.extra is not None:
        raise WireError("bad-receipt", "a receipt's proof has no extra line")
    return Receipt(keyid, seq, old, consistency, rest.index, rest.hashes, rest.checkpoint_note)


def check_receipt(
    receipt: Receipt,
    envelope: bytes,
    log_origin: str,
    log_key: "Any",
    seen_size: int,
    seen_root: bytes,
) -> "tuple[int, bytes]":
    """Return the (size, root) that is now seen; raise WireError.

    `envelope` is the statement's bytes as sent. log_key is an SPKI, a point or a p256.Key. Codes:
    `wrong-old` (receipt.old is not seen_size: ignore it, publish status), `wrong-origin`,
    `bad-proof`, and those of note.verify_note_p256.
    """
    seen: "tuple[int, bytes]" = p256.run(
        check_receipt_steps(receipt, envelope, log_origin, log_key, seen_size, seen_root)
    )
    return seen


def check_receipt_steps(
    receipt: Receipt,
    envelope: bytes,
    log_origin: str,
    log_key: "Any",
    seen_size: int,
    seen_root: bytes,
) -> "Generator[None, None, tuple[int, bytes]]":
    """Do check_receipt in slices. The cheap checks come first, the signature last."""
    if receipt.old != seen_size:
        raise WireError("wrong-old", f"the receipt starts at {receipt.old}, not at {seen_size}")
    head = note.parse_checkpoint(note.parse_note(receipt.checkpoint_note).text)
    if head.origin != log_origin:
        raise WireError("wrong-origin", f"the receipt is of the log {head.origin!r}")
    merkle.verify_consistency(seen_size, head.size, seen_root, head.root, receipt.consistency)
    yield
    merkle.verify_inclusion(
        envelope_hash(envelope), receipt.index, head.size, receipt.inclusion, head.root
    )
    yield
    yield from note.verify_note_p256_steps(receipt.checkpoint_note, log_origin, log_key)
    return head.size, head.root
