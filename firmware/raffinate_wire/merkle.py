"""RFC 6962 tree hashing and proofs over SHA-256. Hashes are 32 bytes."""

import hashlib

from raffinate_wire.errors import WireError

HASH_BYTES = 32
PROOF_HASHES_MAX = 63


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    digest = hashlib.sha256(b"\x00")
    digest.update(entry)
    return digest.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    digest = hashlib.sha256(b"\x01")
    digest.update(left)
    digest.update(right)
    return digest.digest()


def empty_root() -> bytes:
    """Return the root of no entries: SHA-256 of nothing."""
    return hashlib.sha256(b"").digest()


def root_of(leaf_hashes: "list[bytes]") -> bytes:
    """Return the root over a list of leaf hashes."""
    # One hash a level: the roots of the full subtrees on the left, largest first.
    stack: "list[bytes]" = []
    for index, leaf in enumerate(leaf_hashes):
        node = leaf
        full = index
        while full & 1:
            node = node_hash(stack.pop(), node)
            full >>= 1
        stack.append(node)
    if not stack:
        return empty_root()
    root = stack.pop()
    while stack:
        root = node_hash(stack.pop(), root)
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, proof: "list[bytes]", root: bytes) -> None:
    """Check that leaf hash `leaf` is entry `index` of the tree (RFC 9162, 2.1.3.2).

    Raises WireError `bad-proof`.
    """
    if not 0 <= index < size:
        raise WireError("bad-proof", f"entry {index} is not in a tree of {size}")
    _check_hashes(proof, leaf, root)
    at, last = index, size - 1
    node = leaf
    for sibling in proof:
        if not last:
            raise WireError("bad-proof", "the inclusion proof is too long")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        at >>= 1
        last >>= 1
    if last or node != root:
        raise WireError("bad-proof", "the inclusion proof does not lead to the root")


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: "list[bytes]"
) -> None:
    """Check that the new tree extends the old one (RFC 9162, 2.1.4.2); raise `bad-proof`.

    The proof from an empty or an equal tree is empty.
    """
    if not 0 <= old_size <= new_size:
        raise WireError("bad-proof", f"a tree of {new_size} does not extend one of {old_size}")
    _check_hashes(proof, old_root, new_root)
    if not old_size or old_size == new_size:
        expected = new_root if old_size else empty_root()
        if proof or old_root != expected or (not new_size and new_root != expected):
            raise WireError("bad-proof", "the roots differ, or the proof is not empty")
        return
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    rest = list(proof)
    if not at:
        rest.insert(0, old_root)
    if not rest:
        raise WireError("bad-proof", "the consistency proof is too short")
    old, new, last = _fold(at, last, rest)
    if last or old != old_root or new != new_root:
        raise WireError("bad-proof", "the consistency proof does not lead to both roots")


def _fold(at: int, last: int, nodes: "list[bytes]") -> "tuple[bytes, bytes, int]":
    # Both roots that the nodes lead to, and what of the new tree's height they leave over.
    old = new = nodes[0]
    for node in nodes[1:]:
        if not last:
            raise WireError("bad-proof", "the consistency proof is too long")
        if at & 1 or at == last:
            old = node_hash(node, old)
            new = node_hash(node, new)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        at >>= 1
        last >>= 1
    return old, new, last


def _check_hashes(proof: "list[bytes]", *hashes: bytes) -> None:
    if len(proof) > PROOF_HASHES_MAX:
        raise WireError("bad-proof", f"a proof has at most {PROOF_HASHES_MAX} hashes")
    for value in list(hashes) + proof:
        if len(value) != HASH_BYTES:
            raise WireError("bad-proof", "a hash has 32 bytes")
