"""Identity is content: every id is a hash of what it names.

The door of ``eth_hash`` (keccak-256), ``eth_abi`` (Solidity's ``abi.encode``) and ``rfc8785``
(canonical JSON). All hashes here are 32 bytes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785
from eth_abi.abi import encode as _abi_encode
from eth_abi.exceptions import EncodingError
from eth_hash.auto import keccak as _keccak

ZERO_HASH = bytes(32)


def keccak(data: bytes) -> bytes:
    """The keccak-256 of ``data``, as Ethereum uses it."""
    return bytes(_keccak(data))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def abi_encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Solidity's ``abi.encode`` of ``values``; ValueError for what does not fit its type."""
    try:
        return bytes(_abi_encode(types, values))
    except EncodingError as error:
        raise ValueError("a value does not fit its Solidity type") from error


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 bytes of ``value``; integers beyond 2**53 must be given as text."""
    return bytes(rfc8785.dumps(dict(value)))


def content_id(value: Mapping[str, Any]) -> bytes:
    """The id of a model, adapter, verifier or policy: the SHA-256 of its canonical JSON."""
    return sha256(canonical_json(value))


def version_of(text: str) -> bytes:
    """The version of a Document: the SHA-256 of its text in UTF-8."""
    return sha256(text.encode("utf-8"))


def new_answer_id() -> str:
    """``ans_`` and 128 random bits."""
    return "ans_" + secrets.token_hex(16)


def double_hash(encoded: bytes) -> bytes:
    """A Merkle leaf: hashed twice, so that no inner node can pass for one."""
    return keccak(keccak(encoded))


def ledger_id(
    chain_id: int,
    genesis_hash: bytes,
    pool: bytes,
    deployment_tx: bytes,
    deployment_block_hash: bytes,
) -> bytes:
    return keccak(
        abi_encode(
            ["uint256", "bytes32", "address", "bytes32", "bytes32"],
            [chain_id, genesis_hash, pool, deployment_tx, deployment_block_hash],
        )
    )


def datanet_id(chain_id: int, registry: bytes, owner: bytes, salt: bytes) -> bytes:
    return keccak(
        abi_encode(["uint256", "address", "address", "bytes32"], [chain_id, registry, owner, salt])
    )


def batch_id(
    chain_id: int, pool: bytes, datanet_id: bytes, first: int, last: int, receipts_root: bytes
) -> bytes:
    return keccak(
        abi_encode(
            ["uint256", "address", "bytes32", "uint64", "uint64", "bytes32"],
            [chain_id, pool, datanet_id, first, last, receipts_root],
        )
    )
