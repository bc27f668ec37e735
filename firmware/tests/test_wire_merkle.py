"""Merkle proofs of every small tree, made by RFC 6962's own recursive definitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raffinate_wire import merkle
from raffinate_wire.errors import WireError


def _split(size):
    return 1 << (size - 1).bit_length() - 1


def _root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else merkle.empty_root()
    split = _split(len(leaves))
    return merkle.node_hash(_root(leaves[:split]), _root(leaves[split:]))


def _path(index, leaves):
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*_path(index, leaves[:split]), _root(leaves[split:])]
    return [*_path(index - split, leaves[split:]), _root(leaves[:split])]


def _extension(old, leaves, *, whole=True):
    if old == len(leaves):
        return [] if whole else [_root(leaves)]
    split = _split(len(leaves))
    if old <= split:
        return [*_extension(old, leaves[:split], whole=whole), _root(leaves[split:])]
    return [*_extension(old - split, leaves[split:], whole=False), _root(leaves[:split])]


LEAVES = [merkle.leaf_hash(b"%d" % at) for at in range(40)]


@given(st.integers(0, 40))
def test_roots(size):
    assert merkle.root_of(LEAVES[:size]) == _root(LEAVES[:size])


@given(st.data())
def test_an_entry_is_proved_at_its_own_index_only(data):
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    proof, root = _path(index, leaves), _root(leaves)
    merkle.verify_inclusion(leaves[index], index, size, proof, root)
    for wrong in range(size):
        if wrong != index:
            with pytest.raises(WireError):
                merkle.verify_inclusion(leaves[index], wrong, size, proof, root)
            with pytest.raises(WireError):
                merkle.verify_inclusion(leaves[wrong], index, size, proof, root)


@given(st.data())
def test_growth_is_proved_and_a_changed_proof_is_not(data):
    new = data.draw(st.integers(1, 40))
    old = data.draw(st.integers(1, new))
    old_root, new_root = _root(LEAVES[:old]), _root(LEAVES[:new])
    proof = _extension(old, LEAVES[:new])
    merkle.verify_consistency(old, new, old_root, new_root, proof)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], merkle.leaf_hash(b"other"), *proof[at + 1 :]]
        with pytest.raises(WireError):
            merkle.verify_consistency(old, new, old_root, new_root, changed)
        with pytest.raises(WireError):
            merkle.verify_consistency(old, new, old_root, new_root, proof[:at] + proof[at + 1 :])


@given(st.data())
def test_a_rewritten_history_is_not_growth(data):
    new = data.draw(st.integers(2, 40))
    old = data.draw(st.integers(1, new - 1))
    changed_at = data.draw(st.integers(0, old - 1))
    rewritten = list(LEAVES[:new])
    rewritten[changed_at] = merkle.leaf_hash(b"rewritten")
    proof = _extension(old, rewritten)
    with pytest.raises(WireError):
        merkle.verify_consistency(old, new, _root(LEAVES[:old]), _root(rewritten), proof)
