"""Inclusion and consistency proofs (RFC 6962 2.1.1, 2.1.2) and c2sp.org/tlog-proof@v1 text."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from binascii import b2a_base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raffinate.tlog.hashing import EMPTY_ROOT, HASH_BYTES, node_hash, peaks, range_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from raffinate.tlog.hashing import NodeReader

PROOF_LINES_MAX = 63
NUMBER_MAX = (1 << 53) - 1
PROOF_HEADER = "c2sp.org/tlog-proof@v1"


class ProofError(ValueError):
    """A proof does not lead to the root it should, or is not well formed."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed tlog-proof: the leaf's index, its path, the signed checkpoint's bytes."""

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None


class InclusionProver:
    """Inclusion proofs for many leaves under one tree size; what they share is computed once."""

    def __init__(self, read: NodeReader, size: int) -> None:
        self._read = read
        self._peaks = peaks(0, size)
        self._text: dict[tuple[int, int], bytes] = {}
        hashes = [read(level, index) for level, index in self._peaks]
        self._left = hashes
        self._right: list[bytes | None] = [None] * len(hashes)
        suffix: bytes | None = None
        for place in range(len(hashes) - 1, -1, -1):
            self._right[place] = suffix
            suffix = hashes[place] if suffix is None else node_hash(hashes[place], suffix)
        self.root = EMPTY_ROOT if suffix is None else suffix
        self.size = size

    def path(self, index: int) -> list[bytes]:
        """Sibling hashes from the leaf upwards. Raises ProofError beyond the tree."""
        place = self._peak(index)
        height, read = self._peaks[place][0], self._read
        found = [read(level, (index >> level) ^ 1) for level in range(height)]
        return found + self._above(place)

    def lines(self, index: int) -> bytes:
        """`path` as base64 lines; what neighbours share is made once."""
        if index ^ 1 >= self.size:
            return self._climb(0, index, 0, self._peak(index))
        above = self._text.get((1, index >> 1))
        if above is None:
            place = self._peak(index)
            above = self._climb(1, index >> 1, self._peaks[place][0], place)
        return b2a_base64(self._read(0, index ^ 1)) + above

    def _peak(self, index: int) -> int:
        """Which peak is above a leaf: that of the highest bit in which index and size differ."""
        if not 0 <= index < self.size:
            raise ProofError(f"leaf {index} is not in a tree of {self.size}")
        return (self.size >> (index ^ self.size).bit_length()).bit_count()

    def _above(self, place: int) -> list[bytes]:
        right = self._right[place]
        found = [] if right is None else [right]
        return found + (self._left[place - 1 :: -1] if place else [])

    def _climb(self, level: int, index: int, height: int, place: int) -> bytes:
        found = self._text.get((level, index))
        if found is None:
            if level == height:
                found = b"".join(b2a_base64(value) for value in self._above(place))
            else:
                found = b2a_base64(self._read(level, index ^ 1)) + self._climb(
                    level + 1, index >> 1, height, place
                )
            self._text[level, index] = found
        return found


def consistency(read: NodeReader, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 2.1.2; empty for old 0 and for old == new."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        return []
    found: list[bytes] = []
    low, high, known = 0, new, True
    while old != high:
        split = low + (1 << ((high - low - 1).bit_length() - 1))
        if old <= split:
            found.append(range_hash(read, split, high))
            high = split
        else:
            found.append(range_hash(read, low, split))
            low, known = split, False
    if not known:
        found.append(range_hash(read, low, high))
    found.reverse()
    return found


def inclusion_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that `path` leads to (RFC 9162 2.1.3.2). Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    if len(leaf) != HASH_BYTES:
        raise ProofError(f"a leaf's hash has {HASH_BYTES} bytes")
    result = leaf
    for left, sibling in _climb(index, size - 1, path):
        result = node_hash(sibling, result) if left else node_hash(result, sibling)
    return result


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` is entry `index` under (size, root). Raises ProofError."""
    if inclusion_root(leaf, index, size, path) != root:
        raise ProofError(f"the inclusion proof of entry {index} leads to another root")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that (new, new_root) extends (old, old_root): RFC 9162 2.1.4.2. Raises ProofError."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        if path or old_root != (EMPTY_ROOT if old == 0 else new_root):
            raise ProofError("trees of one size differ, or an empty proof was expected")
        return
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofError("the consistency proof is too short")
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    first = second = hashes[0]
    for left, sibling in _climb(number, last, hashes[1:]):
        first = node_hash(sibling, first) if left else first
        second = node_hash(sibling, second) if left else node_hash(second, sibling)
    if first != old_root or second != new_root:
        raise ProofError(f"the tree of {new} does not extend the tree of {old}")


def format_hashes(hashes: Sequence[bytes]) -> str:
    """One base64 line a hash."""
    return "".join(b64encode(value).decode() + "\n" for value in hashes)


def format_proof(index: int, path: Sequence[bytes], note: bytes) -> bytes:
    """A tlog-proof without extra data."""
    return f"{PROOF_HEADER}\nindex {index}\n{format_hashes(path)}\n".encode() + note


def parse_proof(data: bytes) -> TlogProof:
    """Strictly parse a tlog-proof. Raises ProofError."""
    head, found, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofError("the proof is not ASCII") from None
    if not found or not note or lines[0] != PROOF_HEADER:
        raise ProofError(f"a proof begins with {PROOF_HEADER}")
    extra = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _base64(lines.pop(1)[6:])
    if len(lines) < 2 or not lines[1].startswith("index "):  # noqa: PLR2004
        raise ProofError("the proof has no index line")
    return TlogProof(parse_decimal(lines[1][6:]), parse_hashes(lines[2:]), note, extra)


def parse_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    """Base64 lines to 32-byte hashes, at most 63. Raises ProofError."""
    if len(lines) > PROOF_LINES_MAX:
        raise ProofError(f"more than {PROOF_LINES_MAX} hashes in a proof")
    hashes = tuple(_base64(line) for line in lines)
    if any(len(value) != HASH_BYTES for value in hashes):
        raise ProofError(f"a proof's hash has {HASH_BYTES} bytes")
    return hashes


def parse_decimal(text: str) -> int:
    """A decimal number of ASCII digits below 2^53, no sign, no leading zero. Raises ProofError."""
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0"):
        raise ProofError(f"not a decimal number: {text[:24]!r}")
    if len(text) > len(str(NUMBER_MAX)) or int(text) > NUMBER_MAX:
        raise ProofError(f"a number is at most {NUMBER_MAX}")
    return int(text)


def _climb(number: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """(sibling is on the left, sibling) from the leaf to the root; the length must fit."""
    for sibling in path:
        if last == 0:
            raise ProofError("the proof is too long")
        left = bool(number & 1) or number == last
        while left and number and not number & 1:
            number >>= 1
            last >>= 1
        number >>= 1
        last >>= 1
        yield left, sibling
    if last != 0:
        raise ProofError("the proof is too short")


def _base64(text: str) -> bytes:
    try:
        value = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise ProofError(f"not base64: {text[:24]!r}") from None
    if b64encode(value).decode() != text:
        raise ProofError(f"not canonical base64: {text[:24]!r}")
    return value
