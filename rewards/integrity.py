"""Whether a stored receipt still is what was signed. Asked before anything is paid for it."""

from __future__ import annotations

from rewards.batch import Payable
from rewards.journal.records import StoredReceipt
from rewards.keys import recover
from rewards.ledger import Registration
from rewards.receipt import citations_root


def is_whole(receipt: StoredReceipt, payable: Payable, registration: Registration) -> bool:
    """Message, lines, signature, and what a Batch would pay for it all say one thing."""
    message, lines = receipt.message, receipt.lines
    signer = recover(receipt.digest, receipt.signature or b"")
    return (
        receipt.domain == registration.ledger.domain
        and message.digest(receipt.domain) == receipt.digest
        and (message.seq, message.leaf) == (payable.seq, payable.leaf)
        and citations_root(lines) == message.citations_root
        and sum(line.amount for line in lines if line.part == "data") == message.data_pool
        and tuple((line.account, line.amount) for line in lines) == payable.owed
        and signer is not None
        and signer == receipt.signer
    )


def is_vouched_for(receipt: StoredReceipt, registration: Registration) -> bool:
    """Whether its signer may still be believed: registered for that time, and not compromised."""
    term = registration.term_of(receipt.signer) if receipt.signer else None
    return term is not None and not term.compromised and term.covers(receipt.message.issued_at)
