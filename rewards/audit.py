"""Journal against chain: every settled Batch rebuilt, every event and every credit compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from footnote.addresses import Address, format_address
from footnote.errors import NotFound
from rewards.batch import Batch, batch_of
from rewards.chain import EvmChain, Settlement
from rewards.integrity import is_whole
from rewards.journal.journal import Journal
from rewards.ledger import Ledger, Registration

PAGE = 1_000
"""Receipts read at once."""


@dataclass(slots=True)
class Audit:
    """What an audit found. Amounts in base units; ``differences`` says each in words."""

    ledgers: int = 0
    batches: int = 0
    events: int = 0
    receipts: int = 0
    abandoned: int = 0
    owed: int = 0
    settled: int = 0
    credited: int = 0
    difference: int = 0
    differences: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "ledgers": self.ledgers,
            "batches": self.batches,
            "events": self.events,
            "receipts": self.receipts,
            "abandoned": self.abandoned,
            "owed": str(self.owed),
            "settled": str(self.settled),
            "pending": str(self.owed - self.settled),
            "credited": str(self.credited),
            "difference": str(self.difference),
            "differences": self.differences,
        }


@dataclass(slots=True)
class _Books:
    """What the batches of one Ledger that are both on chain and in the journal come to."""

    by_address: dict[Address, int] = field(default_factory=dict)
    by_datanet: dict[bytes, int] = field(default_factory=dict)
    batches: dict[bytes, tuple[bytes, Batch]] = field(default_factory=dict)

    def add(self, datanet_id: bytes, batch_id: bytes, batch: Batch) -> None:
        for payout in batch.payouts:
            known = self.by_address.get(payout.account, 0)
            self.by_address[payout.account] = known + payout.amount
        self.by_datanet[datanet_id] = self.by_datanet.get(datanet_id, 0) + batch.total
        self.batches[batch_id] = datanet_id, batch


def audit(
    journal: Journal, chain: EvmChain, say: Callable[[str], None] = lambda text: None
) -> Audit:
    """Compare every Ledger that this chain holds with the journal, at the final block.

    For each Datanet the chain's batches must be, one after another from 0, those that the journal's
    receipts make, and each must have been announced once, in an event; for each address, what the
    pool credits and what was withdrawn must together be what those batches owe it; and a Datanet's
    funds must be what was put in less what was settled. The receipts themselves must form one
    chain, each one whole, settled or not.
    """
    found = Audit()
    if not journal.ledgers(lost=True):
        raise NotFound("the journal knows no pool", "check FOOTNOTE_HOME, or run footnote deploy")
    for ledger in journal.ledgers(lost=True):
        if not chain.is_ledger(ledger):
            found.differences.append(
                f"the chain does not hold the pool {format_address(ledger.pool)}"
            )
            continue
        found.ledgers += 1
        _audit_ledger(journal, chain, ledger, found, say)
    return found


def _audit_ledger(
    journal: Journal, chain: EvmChain, ledger: Ledger, found: Audit, say: Callable[[str], None]
) -> None:
    block, books = chain.finalized(), _Books()
    datanets = [one for one in journal.registrations(lost=True) if one.ledger == ledger]
    for registration in datanets:
        say(f"receipts and batches of {registration.datanet}")
        _audit_datanet(journal, chain, registration, block, books, found)
    say(f"events up to block {block}")
    _audit_events(chain, ledger, block, books, datanets, found)
    say("credits")
    owed = journal.owed_in(ledger.ledger_id)
    found.owed += sum(owed.values())
    found.settled += sum(books.by_address.values())
    accounts = set(owed) | set(books.by_address)
    _audit_credits(chain, ledger, block, books.by_address, accounts, found)


def _audit_datanet(
    journal: Journal,
    chain: EvmChain,
    registration: Registration,
    block: int,
    books: _Books,
    found: Audit,
) -> None:
    ledger, datanet = registration.ledger, registration.datanet
    cursor = chain.cursor(ledger, registration.datanet_id, block)
    first = 0
    while first < cursor:
        on_chain = chain.batch_at(ledger, registration.datanet_id, first, block)
        if on_chain is None:
            found.differences.append(f"{datanet}: the chain has no batch at seq {first}")
            return
        payables = journal.payables(
            ledger.ledger_id, datanet, first, on_chain.last, on_chain.last - first + 1
        )
        if len(payables) != on_chain.last - first + 1:
            found.differences.append(
                f"{datanet}: the journal lacks receipts of batch {first}..{on_chain.last}"
            )
            return
        batch = batch_of(payables)
        if (batch.receipts_root, batch.digest) != (on_chain.receipts_root, on_chain.digest):
            found.differences.append(
                f"{datanet}: batch {first}..{on_chain.last} on the chain is not the journal's"
            )
        books.add(registration.datanet_id, on_chain.batch_id, batch)
        found.batches += 1
        found.receipts += len(payables)
        first = on_chain.last + 1
    _audit_receipt_chain(journal, registration, found)


def _audit_receipt_chain(journal: Journal, registration: Registration, found: Audit) -> None:
    """Each receipt names the digest of the one before, hashes to its own, and is signed; its lines
    hash to its root, and what a Batch would pay for it is what they say; none is missing at the
    end. So what waits is checked before it is paid. Abandoned numbers are passed over."""
    ledger, datanet = registration.ledger, registration.datanet
    lost = {gap.first: gap for gap in journal.abandoned(ledger.ledger_id, datanet)}
    found.abandoned += sum(gap.last - gap.first + 1 for gap in lost.values())
    previous, seq = bytes(32), 0
    while seq < journal.next_seq(ledger.ledger_id, datanet):
        if seq in lost:
            gap = lost[seq]
            if gap.previous != previous:
                found.differences.append(f"{datanet}: the chain of receipts breaks at seq {seq}")
                return
            previous, seq = gap.digest, gap.last + 1
            continue
        last = min([seq + PAGE, *(first for first in lost if first > seq)]) - 1
        stored = journal.receipts(ledger.ledger_id, datanet, seq, last)
        payables = journal.payables(ledger.ledger_id, datanet, seq, last)
        if not stored or len(stored) != len(payables):
            found.differences.append(f"{datanet}: receipts from seq {seq} on are not those issued")
            return
        for receipt, payable in zip(stored, payables, strict=True):
            message = receipt.message
            if (message.seq, payable.seq, message.previous) != (seq, seq, previous):
                found.differences.append(f"{datanet}: the chain of receipts breaks at seq {seq}")
                return
            if not is_whole(receipt, payable, registration):
                found.differences.append(f"{datanet}: receipt {seq} was changed")
            previous, seq = receipt.digest, seq + 1
    head = journal.head_digest(ledger.ledger_id, datanet) or bytes(32)
    if (seq, previous) != (journal.next_seq(ledger.ledger_id, datanet), head):
        found.differences.append(f"{datanet}: receipts from seq {seq} on are not those issued")


def _audit_events(
    chain: EvmChain,
    ledger: Ledger,
    block: int,
    books: _Books,
    datanets: list[Registration],
    found: Audit,
) -> None:
    """Every batch was announced once, as it is; and money that came in is held or was settled."""
    names = {registration.datanet_id: registration.datanet for registration in datanets}
    missing = dict(books.batches)
    for event in chain.settlements(ledger, block):
        if event.datanet_id not in names:
            continue  # of another operator, who uses the same pool
        found.events += 1
        where = f"{names[event.datanet_id]}: the event of batch {event.first}..{event.last}"
        expected = missing.pop(event.batch_id, None)
        if expected is None:
            found.differences.append(f"{where} is of no batch, or a second one")
        elif not _announces(event, *expected):
            found.differences.append(f"{where} is not what was settled")
    for datanet_id, batch in missing.values():
        found.differences.append(
            f"{names[datanet_id]}: batch {batch.first}..{batch.last} has no event"
        )
    money = chain.money_in(ledger, block)
    for datanet_id, datanet in names.items():
        expected_funds = money.get(datanet_id, 0) - books.by_datanet.get(datanet_id, 0)
        funds = chain.funds(ledger, datanet_id, block)
        if funds != expected_funds:
            found.differences.append(
                f"{datanet}: the pool holds {funds}, deposits less batches are {expected_funds}"
            )


def _announces(event: Settlement, datanet_id: bytes, batch: Batch) -> bool:
    said = (
        event.datanet_id, event.first, event.last, event.receipts_root, event.total, event.count,
    )  # fmt: skip
    return said == (
        datanet_id, batch.first, batch.last, batch.receipts_root, batch.total, len(batch.payouts),
    )  # fmt: skip


def _audit_credits(
    chain: EvmChain,
    ledger: Ledger,
    block: int,
    settled: dict[Address, int],
    accounts: set[Address],
    found: Audit,
) -> None:
    withdrawn: dict[Address, int] = {}
    for account, amount in chain.claims(ledger, ledger.deployment_block, block):
        withdrawn[account] = withdrawn.get(account, 0) + amount
    credits = chain.credits(ledger, sorted(accounts), block)
    for account in sorted(accounts):
        credited = credits[account] + withdrawn.get(account, 0)
        found.credited += credited
        gap = abs(credited - settled.get(account, 0))
        if gap:
            found.difference += gap
            found.differences.append(
                f"{format_address(account)} was credited {credited}, "
                f"settled receipts owe {settled.get(account, 0)}"
            )
