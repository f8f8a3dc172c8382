"""Receipts to Batches, and the stages of a Batch as types, so that their order cannot be wrong.

A Batch is a pure function of the receipts in its range: the same bytes on every replay, whoever
computes them. Its stages on the way to the chain:

    PlannedBatch → NoncedBatch → SignedBatch → SentBatch → MinedBatch → FinalBatch

Each step is stored before the next begins. *Mined* can be undone by a reorg, *final* cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from footnote import ids
from footnote.addresses import Address
from footnote.ids import abi_encode, keccak
from footnote.merkle import merkle_proof, merkle_root
from rewards.policy import MAX_AMOUNT

MAX_ENTRIES = 500
"""The pool's limit, and what fits one transaction under EIP-7825 when every address is new."""

MAX_RECEIPTS = 5_000
"""Receipts of one Batch, so that a proof stays short and a replay cheap."""


@dataclass(frozen=True, slots=True)
class Payable:
    """A receipt as a Batch sees it: its place, its leaf, and what it owes to whom. An abandoned
    number has no receipt any more and owes nothing."""

    seq: int
    leaf: bytes
    issued_at: int
    owed: tuple[tuple[Address, int], ...]
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Payout:
    """An address and what it is credited."""

    account: Address
    amount: int

    @property
    def entry(self) -> bytes:
        """``bytes20(account) || uint96(amount)``"""
        return self.account + self.amount.to_bytes(12, "big")


@dataclass(frozen=True, slots=True)
class Batch:
    """The receipts ``first..last`` of one Datanet and the Payouts that follow from them."""

    first: int
    last: int
    receipts_root: bytes
    payouts: tuple[Payout, ...]

    @property
    def total(self) -> int:
        return sum(payout.amount for payout in self.payouts)

    @property
    def entries(self) -> list[bytes]:
        return [payout.entry for payout in self.payouts]

    @property
    def digest(self) -> bytes:
        """``keccak256(abi.encode(total, entries))``, as the pool stores it."""
        return keccak(abi_encode(["uint256", "bytes32[]"], [self.total, self.entries]))

    def batch_id(self, chain_id: int, pool: bytes, datanet_id: bytes) -> bytes:
        return ids.batch_id(chain_id, pool, datanet_id, self.first, self.last, self.receipts_root)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pool lets one Batch be."""

    max_total: int = MAX_AMOUNT
    max_entries: int = MAX_ENTRIES
    max_receipts: int = MAX_RECEIPTS


def batch_of(receipts: Sequence[Payable]) -> Batch:
    """The Batch over ``receipts``, which must be at least one and follow each other by seq."""
    if any(b.seq != a.seq + 1 for a, b in pairwise(receipts)):
        raise ValueError("receipts of a batch must follow each other")
    return Batch(
        receipts[0].seq,
        receipts[-1].seq,
        merkle_root([receipt.leaf for receipt in receipts]),
        tuple(Payout(account, amount) for account, amount in sorted(_paid_by(receipts).items())),
    )


def proof_in_batch(receipts: Sequence[Payable], seq: int) -> list[bytes]:
    """The Merkle proof of the receipt ``seq`` within its Batch's ``receipts``."""
    return merkle_proof([receipt.leaf for receipt in receipts], seq - receipts[0].seq)


def longest_prefix(receipts: Iterable[Payable], limits: Limits) -> tuple[list[Payable], bool]:
    """The longest run from the first that fits one Batch, and whether another would not fit."""
    chosen: list[Payable] = []
    paid: dict[Address, int] = {}
    total = 0
    for receipt in receipts:
        added = _paid_by([receipt])
        total += sum(added.values())
        fits = (
            len(chosen) < limits.max_receipts
            and total <= limits.max_total
            and len(paid) + len(added.keys() - paid.keys()) <= limits.max_entries
            and all(paid.get(a, 0) + amount <= MAX_AMOUNT for a, amount in added.items())
        )
        if not fits:
            return chosen, True
        chosen.append(receipt)
        for account, amount in added.items():
            paid[account] = paid.get(account, 0) + amount
    return chosen, False


def _paid_by(receipts: Iterable[Payable]) -> dict[Address, int]:
    """What ``receipts`` owe by address, leaving out addresses that they owe nothing."""
    owed: dict[Address, int] = {}
    for receipt in receipts:
        for account, amount in receipt.owed:
            if amount:
                owed[account] = owed.get(account, 0) + amount
    return owed


def is_due(
    receipts: Sequence[Payable],
    full: bool,
    now: float,
    age_seconds: float,
    idle_age_seconds: float,
) -> bool:
    """Whether a Batch over ``receipts`` should go out: it is full, or its first owing receipt is
    old enough, or its first receipt at all has waited the idle age. A receipt from far ahead was
    issued by a clock that was wrong, and does not wait for that time."""
    if not receipts:
        return False
    owing = next((r.issued_at for r in receipts if any(a for _, a in r.owed)), None)
    return (
        full
        or (owing is not None and abs(now - owing) >= age_seconds)
        or abs(now - receipts[0].issued_at) >= idle_age_seconds
    )


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A Batch that the journal holds; ``held`` says why it cannot go on now."""

    ledger_id: bytes
    datanet: str
    datanet_id: bytes
    batch_id: bytes
    batch: Batch
    held: str | None = None


@dataclass(frozen=True, slots=True)
class NoncedBatch:
    """A Batch that owns a nonce of ``key``; nothing is signed yet."""

    planned: PlannedBatch
    key: Address
    nonce: int


class Purpose(StrEnum):
    """What a transaction is for: to settle a Batch, or only to spend the nonce of one that no
    longer can be."""

    SETTLE = "settle"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Signed bytes for a nonce. All attempts of a nonce are one logical transaction. Fees in wei
    for one unit of gas; ``sent_at`` in seconds since 1970."""

    tx_hash: bytes
    raw: bytes
    max_fee: int
    priority_fee: int
    sent_at: float | None = None
    purpose: Purpose = Purpose.SETTLE


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """Its bytes are stored; nobody has seen them yet."""

    nonced: NoncedBatch
    attempts: tuple[Attempt, ...]

    @property
    def latest(self) -> Attempt:
        return self.attempts[-1]


@dataclass(frozen=True, slots=True)
class SentBatch:
    """Its bytes may be anywhere: only the chain says what became of them."""

    signed: SignedBatch


@dataclass(frozen=True, slots=True)
class MinedBatch:
    """The pool holds it, in a block that a reorg can still undo. ``sent`` is None where another
    worker's transaction, unknown to this journal, did it."""

    planned: PlannedBatch
    sent: SentBatch | None
    tx_hash: bytes | None


@dataclass(frozen=True, slots=True)
class FinalBatch:
    """It is paid."""

    planned: PlannedBatch
    tx_hash: bytes | None


OpenBatch = PlannedBatch | NoncedBatch | SignedBatch | SentBatch | MinedBatch
