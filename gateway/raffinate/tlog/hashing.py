"""RFC 6962 hashing over SHA-256, and how a tree of n leaves falls into complete subtrees."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    NodeReader = Callable[[int, int], bytes]

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): RFC 6962 2.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): RFC 6962 2.1."""
    return sha256(b"\x01" + left + right).digest()


def peaks(low: int, high: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees of leaves [low, high), left to right.

    `low` is a multiple of the largest power of two below high - low, as every RFC 6962 split is.
    """
    found = []
    while low < high:
        level = (high - low).bit_length() - 1
        found.append((level, low >> level))
        low += 1 << level
    return found


def range_hash(read: NodeReader, low: int, high: int) -> bytes:
    """Hash of the leaves [low, high) of an RFC 6962 split; `read(level, index)` gives nodes."""
    if low == high:
        return EMPTY_ROOT
    return fold([read(level, index) for level, index in peaks(low, high)])


def fold(hashes: list[bytes]) -> bytes:
    """One hash over peaks, smallest (rightmost) first."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result
