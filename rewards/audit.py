"""Journal against chain: every settled Batch rebuilt, every credit compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from footnote.addresses import Address, format_address
from footnote.errors import NotFound
from rewards.batch import batch_of
from rewards.chain import EvmChain
from rewards.integrity import is_whole
from rewards.journal.journal import Journal
from rewards.ledger import Ledger, Registration


@dataclass(slots=True)
class Audit:
    """What an audit found. Amounts in base units; ``differences`` says each in words."""

    ledgers: int = 0
    batches: int = 0
    receipts: int = 0
    owed: int = 0
    settled: int = 0
    credited: int = 0
    difference: int = 0
    differences: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "ledgers": self.ledgers,
            "batches": self.batches,
            "receipts": self.receipts,
            "owed": str(self.owed),
            "settled": str(self.settled),
            "pending": str(self.owed - self.settled),
            "credited": str(self.credited),
            "difference": str(self.difference),
            "differences": self.differences,
        }


def audit(journal: Journal, chain: EvmChain) -> Audit:
    """Compare every Ledger that this chain holds with the journal, at the final block.

    For each Datanet the chain's batches must be, one after another from 0, those that the journal's
    receipts make; for each address, what the pool credits and what was withdrawn must together be
    what those batches owe it. The receipts themselves must form one chain, each one whole, settled
    or not.
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
        block = chain.finalized()
        settled: dict[Address, int] = {}
        for registration in journal.registrations(lost=True):
            if registration.ledger.ledger_id == ledger.ledger_id:
                _audit_datanet(journal, chain, registration, block, settled, found)
        owed = journal.owed_in(ledger.ledger_id)
        found.owed += sum(owed.values())
        found.settled += sum(settled.values())
        _audit_credits(chain, ledger, block, settled, set(owed) | set(settled), found)
    return found


def _audit_datanet(
    journal: Journal,
    chain: EvmChain,
    registration: Registration,
    block: int,
    settled: dict[Address, int],
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
        for payout in batch.payouts:
            settled[payout.account] = settled.get(payout.account, 0) + payout.amount
        found.batches += 1
        found.receipts += len(payables)
        first = on_chain.last + 1
    _audit_receipt_chain(journal, registration, found)


def _audit_receipt_chain(journal: Journal, registration: Registration, found: Audit) -> None:
    """Each receipt names the digest of the one before, hashes to its own, and is signed; its lines
    hash to its root, and what a Batch would pay for it is what they say; none is missing at the
    end. So what waits is checked before it is paid."""
    ledger, datanet = registration.ledger, registration.datanet
    previous, seq = bytes(32), 0
    while stored := journal.receipts(ledger.ledger_id, datanet, seq, seq + 999):
        payables = journal.payables(ledger.ledger_id, datanet, seq, seq + 999)
        for receipt, payable in zip(stored, payables, strict=True):
            message = receipt.message
            if (message.seq, payable.seq, message.previous) != (seq, seq, previous):
                found.differences.append(f"{datanet}: the chain of receipts breaks at seq {seq}")
                return
            if not is_whole(receipt, payable, registration):
                found.differences.append(f"{datanet}: receipt {seq} was changed")
            previous, seq = receipt.digest, seq + 1
    if seq != journal.next_seq(ledger.ledger_id, datanet):
        found.differences.append(f"{datanet}: receipts from seq {seq} on are not those issued")


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
