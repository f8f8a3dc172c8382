"""What the journal gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from footnote.addresses import Address
from footnote.errors import Refused
from rewards.batch import Batch
from rewards.ledger import Registration
from rewards.policy import Policy
from rewards.receipt import AnswerReceipt, Domain, Line

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Head:
    """Where the next receipt of a Datanet goes. ``registration`` is None where nothing pays."""

    seq: int
    previous: bytes
    registration: Registration | None
    policy: Policy


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as committed."""

    digest: bytes
    datanet: str
    answer_id: str | None
    """None for a receipt that was admitted again from a saved one: its answer is lost."""
    domain: Domain
    message: AnswerReceipt
    signature: bytes | None
    signer: Address | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A Batch at whatever stage it is."""

    ledger_id: bytes
    datanet: str
    datanet_id: bytes
    batch_id: bytes
    batch: Batch
    stage: str
    held: str | None
    tx_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Earning:
    """A line that names an address, with its receipt's place and its Batch, if any. ``position`` is
    the line's in its receipt."""

    datanet: str
    ledger_id: bytes
    seq: int
    digest: bytes
    leaf: bytes
    issued_at: int
    position: int
    line: Line
    stage: str | None
    batch_id: bytes | None
    tx_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Earned:
    """What the lines of a Datanet in a Ledger come to whose Batches are at one stage, if any."""

    datanet: str
    ledger_id: bytes
    stage: str | None
    amount: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of an address are asked for. Times in seconds since 1970, ``until`` exclusive;
    ``after`` is the (digest, position) of the last line seen; ``paid``: only those of a Ledger."""

    datanet: str | None = None
    since: int | None = None
    until: int | None = None
    after: tuple[bytes, int] | None = None
    paid: bool = False


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Numbers whose receipts were lost, and will not be paid. ``previous`` is the digest before the
    first of them, ``digest`` that of the last, which the next receipt names."""

    first: int
    last: int
    previous: bytes
    digest: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Version:
    """A snapshot whose content root is published on chain."""

    version: int
    snapshot_id: bytes
    content_root: bytes
    uri: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Marks a request, so that asking again with the same key gives the stored answer."""

    caller: str
    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a tenant, and the key that was shown, if any. ``questions_per_day`` bounds the
    answers of that key from one Datanet in one UTC day; None for no bound."""

    tenant: str = "anonymous"
    key_id: str | None = None
    questions_per_day: int | None = None


ANONYMOUS = Asker()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: of its secret only the hash, 32 bytes. ``datanets`` None stands for all
    of them. Times in whole seconds since 1970."""

    key_id: str
    name: str
    tenant: str
    secret_hash: bytes
    scopes: tuple[str, ...]
    datanets: tuple[str, ...] | None
    questions_per_minute: int | None
    questions_per_day: int | None
    created_at: int
    revoked_at: int | None = None
    used_at: int | None = None


@dataclass(frozen=True, slots=True)
class SentOut:
    """A Batch with when it was sent last (seconds since 1970), and the wei that it cost so far."""

    stored: StoredBatch
    sent_at: float | None
    fee_paid: int | None


@dataclass(frozen=True, slots=True)
class SeenFunds:
    """What a pool held for a Datanet, in base units, when a worker looked (seconds since 1970)."""

    amount: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class SeenAudit:
    """What an audit of one Datanet, or (None) of all, found at a time in seconds since 1970."""

    datanet: str | None
    made_at: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day, counted from 1970: answers given, their fees, and what of these is owed to
    addresses, in base units."""

    day: int
    answers: int
    fees: int
    payouts: int


class QuotaSpent(Refused):
    """A key had all the answers from a Datanet that it may have in this UTC day."""

    status = 429
    default_code = "quota-spent"

    def __init__(self, questions_per_day: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"this key's {questions_per_day} questions of today are spent",
            "ask again after midnight UTC, or with another key",
        )
        self.retry_after_seconds = retry_after_seconds


class AlreadyAnswered(Exception):
    """Another request with the same Idempotency-Key committed first; names its answer."""

    def __init__(self, answer_id: str) -> None:
        super().__init__(answer_id)
        self.answer_id = answer_id


class Overtaken(Exception):
    """Another worker changed the Batch first: what was read of it is old. Read it again."""
