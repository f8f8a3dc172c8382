"""The receipt: the permanent, signed record of one Answer, as EIP-712 typed data.

This format is final. The golden receipts under ``tests/golden`` hold every preimage; a change here
that they notice would make old signatures worthless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from footnote.addresses import ZERO_ADDRESS, Address, format_address
from footnote.ids import ZERO_HASH, abi_encode, double_hash, keccak
from footnote.merkle import merkle_root

DOMAIN_NAME, DOMAIN_VERSION = "Footnote", "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
RECEIPT_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("ledgerId", "bytes32", "ledger_id"),
    ("answerId", "bytes32", "answer_id"),
    ("datanetId", "bytes32", "datanet_id"),
    ("seq", "uint64", "seq"),
    ("previous", "bytes32", "previous"),
    ("questionHash", "bytes32", "question_hash"),
    ("answerHash", "bytes32", "answer_hash"),
    ("modelId", "bytes32", "model_id"),
    ("adapterId", "bytes32", "adapter_id"),
    ("verifierId", "bytes32", "verifier_id"),
    ("policyId", "bytes32", "policy_id"),
    ("snapshotId", "bytes32", "snapshot_id"),
    ("registryVersion", "uint32", "registry_version"),
    ("citationsRoot", "bytes32", "citations_root"),
    ("fee", "uint128", "fee"),
    ("dataPool", "uint128", "data_pool"),
    ("issuedAt", "uint64", "issued_at"),
)
"""Name on the wire, Solidity type, attribute of :class:`AnswerReceipt`."""

RECEIPT_TYPE = f"AnswerReceipt({','.join(f'{kind} {name}' for name, kind, _ in RECEIPT_FIELDS)})"
_RECEIPT_TYPE_HASH = keccak(RECEIPT_TYPE.encode())


@dataclass(frozen=True, slots=True)
class Domain:
    """What a signature is bound to; zero where a Datanet has no Ledger."""

    chain_id: int = 0
    pool: Address = ZERO_ADDRESS

    @property
    def separator(self) -> bytes:
        return _separator(self.chain_id, self.pool)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": self.chain_id,
            "verifyingContract": format_address(self.pool),
        }


@dataclass(frozen=True, slots=True)
class AnswerReceipt:
    """The signed message. Hashes are 32 bytes; what is absent is zero; amounts in base units;
    ``issued_at`` in seconds since 1970."""

    ledger_id: bytes
    answer_id: bytes
    datanet_id: bytes
    seq: int
    previous: bytes
    question_hash: bytes
    answer_hash: bytes
    model_id: bytes
    adapter_id: bytes
    verifier_id: bytes
    policy_id: bytes
    snapshot_id: bytes
    registry_version: int
    citations_root: bytes
    fee: int
    data_pool: int
    issued_at: int

    @property
    def hash_struct(self) -> bytes:
        return _hash_struct(*(getattr(self, name) for _, _, name in RECEIPT_FIELDS))

    def digest(self, domain: Domain) -> bytes:
        """What is signed; also the receipt's id."""
        return keccak(b"\x19\x01" + domain.separator + self.hash_struct)

    @property
    def leaf(self) -> bytes:
        """The receipt's leaf in its batch."""
        return double_hash(
            abi_encode(
                ["bytes32", "uint64", "bytes32"], [self.datanet_id, self.seq, self.hash_struct]
            )
        )

    def as_json(self) -> dict[str, Any]:
        """The message as EIP-712 tools read it; 128-bit amounts as decimal text."""
        return {name: _shown(getattr(self, a), kind) for name, kind, a in RECEIPT_FIELDS}


@lru_cache(maxsize=256, typed=True)
def _hash_struct(*values: Any) -> bytes:
    """Asked for twice of each receipt, by its digest and by its leaf. ``typed``: True is not 1."""
    kinds = ["bytes32", *(kind for _, kind, _ in RECEIPT_FIELDS)]
    return keccak(abi_encode(kinds, [_RECEIPT_TYPE_HASH, *values]))


@lru_cache(maxsize=16, typed=True)
def _separator(chain_id: int, pool: Address) -> bytes:
    kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    names = (keccak(text.encode()) for text in (DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION))
    return keccak(abi_encode(kinds, [*names, chain_id, pool]))


def receipt_from_json(message: dict[str, Any]) -> AnswerReceipt:
    """The inverse of :meth:`AnswerReceipt.as_json`.

    Raises:
        ValueError, KeyError, TypeError: for anything else than such a message.
    """
    if set(message) != {name for name, _, _ in RECEIPT_FIELDS}:
        raise ValueError("the message does not have the fields of a receipt")
    return AnswerReceipt(**{a: _parsed(message[name], kind) for name, kind, a in RECEIPT_FIELDS})


@dataclass(frozen=True, slots=True)
class Line:
    """What one Citation owes one address, or what one named part of the fee owes its own.

    ``part`` is ``data`` or the named part; a named part has no citation. ``withheld`` marks a line
    that a daily limit set to 0.
    """

    part: str
    citation_id: str | None
    document_id: str | None
    document_hash: bytes
    version_hash: bytes
    start: int
    end: int
    cited_text_hash: bytes
    account: Address
    weight_ppm: int
    share_bps: int
    amount: int
    withheld: bool = False

    def leaf(self, index: int) -> bytes:
        return double_hash(
            abi_encode(
                ["uint32", "bytes32", "bytes32", "uint64", "uint64", "bytes32", "address",
                 "uint32", "uint128"],
                [index, self.document_hash, self.version_hash, self.start, self.end,
                 self.cited_text_hash, self.account, self.weight_ppm, self.amount],
            )
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if name == "account":
                shown[name] = format_address(value)
            elif name == "amount":
                shown[name] = str(value)
            else:
                shown[name] = "0x" + value.hex() if isinstance(value, bytes) else value
        return shown


_LINE_BITS = {"start": 64, "end": 64, "weight_ppm": 32, "share_bps": 16, "amount": 128}


def line_from_json(shown: dict[str, Any]) -> Line:
    """The inverse of :meth:`Line.as_json`; ValueError, KeyError or TypeError for anything else."""
    values = dict(shown)
    for name in ("document_hash", "version_hash", "cited_text_hash", "account"):
        values[name] = bytes.fromhex(values[name].removeprefix("0x"))
    values["amount"] = int(values["amount"])
    for name, bits in _LINE_BITS.items():
        if type(values[name]) is not int or not 0 <= values[name] < 2**bits:
            raise ValueError(f"{name} is not a whole number of {bits} bits")
    if type(values["withheld"]) is not bool:
        raise ValueError("withheld is not true or false")
    return Line(**values)


def abandoned_leaf(datanet_id: bytes, seq: int) -> bytes:
    """The leaf in its batch of a number whose receipt was lost: that of no receipt."""
    return double_hash(abi_encode(["bytes32", "uint64", "bytes32"], [datanet_id, seq, ZERO_HASH]))


def citations_root(lines: Sequence[Line]) -> bytes:
    """The Merkle root over all lines of a receipt, zero if there is none."""
    return merkle_root([line.leaf(index) for index, line in enumerate(lines)])


def salted_hash(salt: bytes, text: str) -> bytes:
    """keccak256(salt ‖ utf8 text): says nothing of the text to whoever lacks the salt."""
    return keccak(salt + text.encode("utf-8"))


def zero_if_none(value: bytes | None) -> bytes:
    return ZERO_HASH if value is None else value


def _shown(value: Any, kind: str) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if kind == "uint128" else value


def _parsed(value: Any, kind: str) -> Any:
    if kind == "bytes32":
        raw = bytes.fromhex(value.removeprefix("0x"))
        if len(raw) != 32:
            raise ValueError("a hash must be 32 bytes")
        return raw
    number = int(value)
    if number < 0 or number >= 2 ** int(kind.removeprefix("uint")):
        raise ValueError(f"a number does not fit {kind}")
    return number
