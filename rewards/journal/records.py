"""What the journal gives back."""

from __future__ import annotations

from dataclasses import dataclass

from footnote.addresses import Address
from rewards.batch import Batch
from rewards.ledger import Registration
from rewards.policy import Policy
from rewards.receipt import AnswerReceipt, Domain, Line


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
    ``after`` is the (digest, position) of the last line seen."""

    datanet: str | None = None
    since: int | None = None
    until: int | None = None
    after: tuple[bytes, int] | None = None


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


class AlreadyAnswered(Exception):
    """Another request with the same Idempotency-Key committed first; names its answer."""

    def __init__(self, answer_id: str) -> None:
        super().__init__(answer_id)
        self.answer_id = answer_id


class Overtaken(Exception):
    """Another worker changed the Batch first: what was read of it is old. Read it again."""
