"""Receipts and batches as everybody may see them: hashes and amounts, no question, no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from footnote.addresses import format_address
from footnote.ids import ZERO_HASH, sha256
from rewards.batch import proof_in_batch
from rewards.journal.journal import Journal
from rewards.journal.records import (
    DAY_SECONDS,
    Abandoned,
    SeenAudit,
    SentOut,
    StoredBatch,
    StoredReceipt,
)
from rewards.status import hold_of, place_of

MOST_DAYS = 90
"""Shown of what was answered and earned by day."""

_FIRST_DAY = date(1970, 1, 1).toordinal()


def receipt_object(journal: Journal, digest: bytes) -> dict[str, Any]:
    """A receipt with what is needed to check it; saved, that is what ``footnote verify`` reads.

    ``batch`` and ``proof`` are null until its Batch is mined.
    """
    receipt = journal.receipt(digest)
    message = receipt.message
    batch = journal.batch_with(message.ledger_id, receipt.datanet, message.seq)
    settled = batch if batch is not None and batch.stage in ("mined", "final") else None
    proof = None
    if settled is not None:
        payables = journal.payables(
            message.ledger_id, receipt.datanet, settled.batch.first, settled.batch.last
        )
        proof = ["0x" + node.hex() for node in proof_in_batch(payables, message.seq)]
    return {
        "object": "receipt",
        **_signed(receipt),
        "policy": journal.definition(message.policy_id),
        "verifier": journal.definition(message.verifier_id),
        "model": journal.definition(message.model_id),
        "adapter": (
            None if message.adapter_id == ZERO_HASH else journal.definition(message.adapter_id)
        ),
        "ledger": _ledger(journal, message.ledger_id),
        "batch": _settled(settled) if settled else None,
        "proof": proof,
    }


def activity_object(journal: Journal, datanet: str, days: int, now: float) -> dict[str, Any]:
    """What a Datanet answered and owed on each of the last UTC ``days``, and what pays for it."""
    today = int(now) // DAY_SECONDS
    registration = journal.registration(datanet)
    money = None
    if registration is not None:
        ledger_id = registration.ledger.ledger_id
        place = place_of(journal, registration)
        seen = journal.funds_seen(ledger_id, datanet)
        money = {
            "owed": str(place.standing.owed),
            "settled": str(place.standing.settled),
            "pending": str(place.standing.pending),
            "in_flight": str(place.in_flight),
            "funds": None if seen is None else str(seen.amount),
            "funds_seen_at": None if seen is None else seen.seen_at,
            "answers_left": place.answers_left,
        }
    return {
        "object": "activity",
        "days": [
            {
                "date": day_text(one.day),
                "answers": one.answers,
                "fees": str(one.fees),
                "payouts": str(one.payouts),
            }
            for one in journal.days(datanet, today - days + 1)
        ],
        "money": money,
    }


def day_text(day: int) -> str:
    """A UTC day, counted from 1970, as ISO 8601 has it."""
    return date.fromordinal(_FIRST_DAY + day).isoformat()


def newest_batch_object(sent: SentOut) -> dict[str, Any]:
    """A Batch in short, for whoever runs the service."""
    stored = sent.stored
    hold = hold_of(stored.held)
    return {
        "batch_id": "0x" + stored.batch_id.hex(),
        "datanet": stored.datanet,
        "first": stored.batch.first,
        "last": stored.batch.last,
        "total": str(stored.batch.total),
        "stage": stored.stage,
        "held": hold.as_json() if hold else None,
        "tx_hash": "0x" + stored.tx_hash.hex() if stored.tx_hash else None,
        "sent_at": None if sent.sent_at is None else int(sent.sent_at),
        "fee_paid_wei": None if sent.fee_paid is None else str(sent.fee_paid),
    }


def audit_object(seen: SeenAudit) -> dict[str, Any]:
    """What an audit found, in short."""
    shown = ("agrees", "difference", "differences", "unchecked")
    return {
        "datanet": seen.datanet,
        "made_at": seen.made_at,
        **{name: seen.body[name] for name in shown},
    }


def batch_object(journal: Journal, batch_id: bytes) -> dict[str, Any]:
    """A Batch with every receipt's message, signature and lines, from which anyone can rebuild its
    root and entries; saved, that is what ``footnote verify --batch`` reads."""
    stored = journal.batch(batch_id)
    batch = stored.batch
    receipts = journal.receipts(stored.ledger_id, stored.datanet, batch.first, batch.last)
    policies = {receipt.message.policy_id for receipt in receipts}
    adapters = {receipt.message.adapter_id for receipt in receipts} - {ZERO_HASH}
    shown = {
        "object": "batch",
        "datanet": stored.datanet,
        "datanet_id": "0x" + stored.datanet_id.hex(),
        "ledger": _ledger(journal, stored.ledger_id),
        **_settled(stored),
        "total": str(batch.total),
        "held": stored.held,
        "payouts": [
            {"address": format_address(payout.account), "amount": str(payout.amount)}
            for payout in batch.payouts
        ],
        "policies": {"0x" + p.hex(): journal.definition(p) for p in sorted(policies)},
        "adapters": {"0x" + a.hex(): journal.definition(a) for a in sorted(adapters)},
        "receipts": [_signed(receipt) for receipt in receipts],
        "abandoned": [
            abandoned_object(gap)
            for gap in journal.abandoned(stored.ledger_id, stored.datanet)
            if gap.first <= batch.last and gap.last >= batch.first
        ],
    }
    return {**shown, "checksum": checksum(shown)}


def checksum(shown: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical JSON of all that ``shown`` holds besides its checksum: it tells
    a damaged file, even where nothing else vouches for a value. Numbers here are whole and keys
    ASCII, so this is what RFC 8785 gives."""
    rest = {name: value for name, value in shown.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + sha256(text.encode("utf-8")).hex()


def abandoned_object(gap: Abandoned) -> dict[str, Any]:
    """A range of numbers whose receipts were lost; ``digest`` is that of the last one."""
    return {
        "first": gap.first,
        "last": gap.last,
        "previous": "0x" + gap.previous.hex(),
        "digest": "0x" + gap.digest.hex(),
        "at": gap.at,
    }


def _ledger(journal: Journal, ledger_id: bytes) -> dict[str, Any] | None:
    found = (one for one in journal.ledgers(lost=True) if one.ledger_id == ledger_id)
    return next((ledger.as_json() for ledger in found), None)


def _signed(receipt: StoredReceipt) -> dict[str, Any]:
    return {
        "domain": receipt.domain.as_json(),
        "message": receipt.message.as_json(),
        "digest": "0x" + receipt.digest.hex(),
        "signature": "0x" + receipt.signature.hex() if receipt.signature else None,
        "signer": format_address(receipt.signer) if receipt.signer else None,
        "lines": [line.as_json() for line in receipt.lines],
    }


def _settled(stored: StoredBatch) -> dict[str, Any]:
    batch = stored.batch
    return {
        "batch_id": "0x" + stored.batch_id.hex(),
        "first": batch.first,
        "last": batch.last,
        "receipts_root": "0x" + batch.receipts_root.hex(),
        "digest": "0x" + batch.digest.hex(),
        "tx_hash": "0x" + stored.tx_hash.hex() if stored.tx_hash else None,
        "status": stored.stage,
    }
