"""Sorted-pair Merkle trees that OpenZeppelin's ``MerkleProof`` can check.

Leaves stand in the order given. Each pair of nodes is sorted, then hashed; the last node of an odd
level is paired with 32 zero bytes, so that all leaves lie at one depth, ``ceil(log2(n))``, and a
proof of any other length proves nothing: an inner node never passes for a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence

from footnote.ids import ZERO_HASH, keccak


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over ``leaves``, 32 bytes each; zero where there are none."""
    if not leaves:
        return ZERO_HASH
    return _levels(leaves)[-1][0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings that lead from the leaf at ``index`` to the root, lowest first."""
    return MerkleTree(leaves).proof(index)


class MerkleTree:
    """All levels over ``leaves``, for whoever needs several proofs."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._count = len(leaves)
        self._levels = _levels(leaves) if leaves else []

    def proof(self, index: int) -> list[bytes]:
        """The siblings that lead from the leaf at ``index`` to the root, lowest first."""
        if not 0 <= index < self._count:
            raise IndexError("no such leaf")
        return [level[(index >> height) ^ 1] for height, level in enumerate(self._levels[:-1])]


def proof_length(count: int) -> int:
    """The length of every proof in a tree of ``count`` leaves."""
    return max(count - 1, 0).bit_length()


def verify_proof(leaf: bytes, proof: Sequence[bytes], root: bytes, count: int) -> bool:
    """Whether ``leaf`` is one of the ``count`` leaves under ``root``."""
    if leaf == ZERO_HASH or len(proof) != proof_length(count):
        return False
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    return node == root


def _pair(a: bytes, b: bytes) -> bytes:
    return keccak(min(a, b) + max(a, b))


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels from the leaves up; every one but the root's has an even length."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        if len(below) % 2:
            below.append(ZERO_HASH)
        levels.append([_pair(below[i], below[i + 1]) for i in range(0, len(below), 2)])
    return levels
