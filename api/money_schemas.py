"""The shapes of receipts, batches, earnings and where they stand."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.schemas import Bounds, Strict


class Line(Strict):
    part: Literal["data", "model_host", "stakers", "platform"]
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
    amount: str
    withheld: bool


class SignedReceipt(Strict):
    """EIP-712 domain and message, and the lines under its ``citationsRoot``."""

    domain: dict[str, Any]
    message: dict[str, Any]
    digest: str
    signature: str | None
    signer: str | None
    lines: list[Line]


class SettledIn(Strict):
    batch_id: str
    first: int
    last: int
    receipts_root: str
    digest: str
    tx_hash: str | None
    status: str


class Receipt(SignedReceipt):
    """What ``footnote verify`` reads."""

    object: Literal["receipt"]
    policy: dict[str, Any] | None
    verifier: dict[str, Any] | None
    model: dict[str, Any] | None
    adapter: dict[str, Any] | None
    ledger: dict[str, Any] | None
    batch: SettledIn | None
    proof: list[str] | None


class Payout(Strict):
    address: str
    amount: str


class AbandonedRange(Strict):
    """Numbers whose receipts were lost, and owe nothing any more."""

    first: int
    last: int
    previous: str
    digest: str
    at: int


class Batch(SettledIn):
    """Everything from which its root and entries can be rebuilt."""

    object: Literal["batch"]
    datanet: str
    datanet_id: str
    ledger: dict[str, Any] | None
    total: str
    held: str | None
    payouts: list[Payout]
    policies: dict[str, dict[str, Any] | None]
    adapters: dict[str, dict[str, Any] | None]
    receipts: list[SignedReceipt]
    abandoned: list[AbandonedRange]
    checksum: str


class EarnedIn(Strict):
    id: str
    pending: str
    settled: str


class EarnedSpan(Strict):
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
    amount: str
    status: Literal["pending", "batched", "settled", "ineligible"]


class EarnedFrom(Strict):
    """What a pool owes, and what was withdrawn from it by the final block seen last."""

    ledger_id: str
    chain_id: int
    pool: str
    pending: str
    settled: str
    withdrawn: str
    claimable: str


class EarnedDay(Strict):
    date: str
    owed: str


class Contributor(Strict):
    object: Literal["contributor"]
    address: str
    pending: str
    settled: str
    claimable: str
    datanets: list[EarnedIn]
    ledgers: list[EarnedFrom]
    days: list[EarnedDay] = Field(description="UTC days of the last 90 that earned.")
    spans: list[EarnedSpan]
    next: str | None


class ActiveDay(Strict):
    date: str = Field(description="A UTC day.")
    answers: int
    fees: str = Field(description="Of that day's answers, in base units.")
    payouts: str = Field(description="What of these is owed to addresses, settled or not.")


class Money(Strict):
    """Amounts in base units. Funds are those that a worker saw last."""

    owed: str
    settled: str
    pending: str
    in_flight: str
    funds: str | None
    funds_seen_at: int | None
    answers_left: int | None = Field(description="As dear as those so far on the average.")


class Activity(Strict):
    object: Literal["activity"]
    days: list[ActiveDay]
    money: Money | None = Field(description="Null where nothing pays.")


class ReceiptCounts(Strict):
    issued: int
    settled: int
    waiting: int
    abandoned: int


class StatusHold(Strict):
    name: str
    reason: str
    what_to_do: str


class StatusBatch(Strict):
    stage: str
    first: int
    last: int
    total: str
    addresses: int
    key: str | None
    nonce: int | None
    attempts: int
    tx_hash: str | None
    purpose: str | None
    max_fee_wei: str | None
    priority_fee_wei: str | None
    sent_at: int | None
    held: StatusHold | None


class StatusDatanet(Strict):
    datanet: str
    ledger_id: str
    pool: str
    lost: str | None
    receipts: ReceiptCounts
    owed: str
    settled: str
    pending: str
    in_flight: str
    final_batches: int
    oldest_unsettled_seconds: int | None
    batch: StatusBatch | None
    funds: str | None
    answers_left: int | None


class StatusLedger(Strict):
    ledger_id: str
    chain_id: int
    pool: str
    fees_spent_wei: str
    lost: str | None


class NewestBatch(Strict):
    batch_id: str
    datanet: str
    first: int
    last: int
    total: str
    stage: str
    held: StatusHold | None
    tx_hash: str | None
    sent_at: int | None
    fee_paid_wei: str | None


class StatusAudit(Strict):
    datanet: str | None = Field(description="Null: all of them.")
    made_at: int
    agrees: bool
    difference: str
    differences: list[str]
    unchecked: list[str]


class OperatorStatus(Strict):
    """What `footnote status` shows, the newest batches, and what audits found."""

    object: Literal["status"]
    at: int
    datanets: list[StatusDatanet]
    unpaid: dict[str, int]
    ledgers: list[StatusLedger]
    leaders: dict[str, str]
    batches: list[NewestBatch]
    audits: list[StatusAudit]
