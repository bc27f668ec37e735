"""RFC 6962 tree hashing and proofs over SHA-256. Hashes are 32 bytes."""

PROOF_HASHES_MAX = 63


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    raise NotImplementedError


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    raise NotImplementedError


def empty_root() -> bytes:
    """Return the root of no entries: SHA-256 of nothing."""
    raise NotImplementedError


def root_of(leaf_hashes: "list[bytes]") -> bytes:
    """Return the root of a list of leaf hashes."""
    raise NotImplementedError


def verify_inclusion(leaf: bytes, index: int, size: int, proof: "list[bytes]", root: bytes) -> None:
    """Check that leaf hash `leaf` is entry `index` of the tree; raise `bad-proof`."""
    raise NotImplementedError


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: "list[bytes]"
) -> None:
    """Check that the new tree extends the old one; raise `bad-proof`."""
    raise NotImplementedError
