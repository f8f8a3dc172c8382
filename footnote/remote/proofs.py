"""What the service tells of payment: receipts, batches, and what contributors earned."""

from __future__ import annotations

from typing import Any

from footnote.remote.objects import Amount, Bounds, Told


class Line(Told):
    """What one citation owes one address, or what a named part of the fee owes its own."""

    part: str
    citation_id: str | None
    document_id: str | None
    document_hash: str
    version_hash: str
    start: int
    end: int
    cited_text_hash: str
    account: str
    weight_ppm: int
    share_bps: int
    amount: Amount
    withheld: bool


class SignedReceipt(Told):
    """EIP-712 domain and message, and the lines under its ``citationsRoot``."""

    domain: dict[str, Any]
    message: dict[str, Any]
    digest: str
    signature: str | None
    signer: str | None
    lines: tuple[Line, ...]


class SettledIn(Told):
    batch_id: str
    first: int
    last: int
    receipts_root: str
    digest: str
    tx_hash: str | None
    status: str


class Receipt(SignedReceipt):
    """A receipt with all that is needed to check it."""

    object: str
    policy: dict[str, Any] | None
    verifier: dict[str, Any] | None
    model: dict[str, Any] | None
    adapter: dict[str, Any] | None
    ledger: dict[str, Any] | None
    batch: SettledIn | None
    proof: tuple[str, ...] | None


class Payout(Told):
    address: str
    amount: Amount


class AbandonedRange(Told):
    """Numbers whose receipts were lost, and owe nothing any more."""

    first: int
    last: int
    previous: str
    digest: str
    at: int


class Batch(SettledIn):
    """A batch with everything from which its root and entries can be rebuilt."""

    object: str
    datanet: str
    datanet_id: str
    ledger: dict[str, Any] | None
    total: Amount
    held: str | None
    payouts: tuple[Payout, ...]
    policies: dict[str, dict[str, Any] | None]
    adapters: dict[str, dict[str, Any] | None]
    receipts: tuple[SignedReceipt, ...]
    abandoned: tuple[AbandonedRange, ...]
    checksum: str


class EarnedIn(Told):
    id: str
    pending: Amount
    settled: Amount


class EarnedSpan(Told):
    """One cited span and what it earned. ``issued_at`` is in seconds since 1970."""

    datanet: str
    seq: int
    receipt: str
    issued_at: int
    part: str
    document_id: str | None
    version: str
    span: Bounds
    share_bps: int
    weight_ppm: int
    amount: Amount
    status: str


class EarnedFrom(Told):
    """What a pool owes, and what was withdrawn from it by the final block seen last."""

    ledger_id: str
    chain_id: int
    pool: str
    pending: Amount
    settled: Amount
    withdrawn: Amount
    claimable: Amount


class EarnedDay(Told):
    """A UTC day."""

    date: str
    owed: Amount


class Contributor(Told):
    """What an address earned in all, and one page of the spans behind it, newest first."""

    object: str
    address: str
    pending: Amount
    settled: Amount
    claimable: Amount
    datanets: tuple[EarnedIn, ...]
    ledgers: tuple[EarnedFrom, ...]
    days: tuple[EarnedDay, ...]
    spans: tuple[EarnedSpan, ...]
    next: str | None
