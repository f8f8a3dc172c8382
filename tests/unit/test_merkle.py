"""Sorted-pair trees, against a second implementation. tests/behaviour asks the pool itself."""

from __future__ import annotations

import pytest
from Crypto.Hash import keccak as pycryptodome
from hypothesis import given
from hypothesis import strategies as st

from footnote.merkle import merkle_proof, merkle_root, proof_length, verify_proof

LEAVES = st.lists(st.binary(min_size=32, max_size=32).filter(any), min_size=1, max_size=40)


def hashed(data: bytes) -> bytes:
    return pycryptodome.new(digest_bits=256, data=data).digest()


def root_by_hand(leaves: list[bytes]) -> bytes:
    """The definition, as a recursion over a tree padded with zeros where a level is odd."""
    if len(leaves) == 1:
        return leaves[0]
    padded = leaves + [bytes(32)] * (len(leaves) % 2)
    return root_by_hand(
        [hashed(b"".join(sorted(padded[i : i + 2]))) for i in range(0, len(padded), 2)]
    )


def test_nothing_has_the_zero_root() -> None:
    assert merkle_root([]) == bytes(32)


def test_one_leaf_is_its_own_root_with_an_empty_proof() -> None:
    leaf = hashed(b"one")
    assert (merkle_root([leaf]), merkle_proof([leaf], 0)) == (leaf, [])
    assert verify_proof(leaf, [], leaf, 1)


@given(LEAVES)
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == root_by_hand(leaves)


@given(LEAVES)
def test_every_leaf_proves_itself_with_a_proof_of_the_known_length(leaves: list[bytes]) -> None:
    root = merkle_root(leaves)
    for index, leaf in enumerate(leaves):
        proof = merkle_proof(leaves, index)
        assert len(proof) == proof_length(len(leaves))
        assert verify_proof(leaf, proof, root, len(leaves))


@given(LEAVES.filter(lambda leaves: len(leaves) > 1))
def test_an_inner_node_never_passes_for_a_leaf(leaves: list[bytes]) -> None:
    root = merkle_root(leaves)
    inner = hashed(b"".join(sorted((leaves[0], leaves[1]))))
    assert not verify_proof(inner, merkle_proof(leaves, 0)[1:], root, len(leaves))
    assert not verify_proof(root, [], root, len(leaves))


@pytest.mark.parametrize("count", range(1, 18))
def test_the_zero_padding_is_no_leaf(count: int) -> None:
    leaves = [hashed(bytes([i])) for i in range(count)]
    root = merkle_root(leaves)
    for index in range(count):
        assert not verify_proof(bytes(32), merkle_proof(leaves, index), root, count)


def test_a_changed_leaf_proof_or_count_proves_nothing() -> None:
    leaves = [hashed(bytes([i])) for i in range(5)]
    root, proof = merkle_root(leaves), merkle_proof(leaves, 2)
    assert verify_proof(leaves[2], proof, root, 5)
    assert not verify_proof(hashed(b"x"), proof, root, 5)
    assert not verify_proof(leaves[2], [*proof[:2], hashed(b"x")], root, 5)
    assert not verify_proof(leaves[2], proof, root, 9)
    assert not verify_proof(leaves[2], [*proof, bytes(32)], root, 5)


def test_a_place_outside_the_tree_has_no_proof() -> None:
    for index in (-1, 2):
        with pytest.raises(IndexError):
            merkle_proof([hashed(b"a"), hashed(b"b")], index)
