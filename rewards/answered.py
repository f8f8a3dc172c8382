"""An answer as the API returns and the journal keeps it, and where the money of it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from footnote.addresses import format_address
from footnote.ids import ZERO_HASH, sha256
from footnote.model import OFFSET_UNIT, Answer, Citation, Claim, Definition, Hit
from rewards.journal.journal import Journal
from rewards.journal.records import StoredReceipt
from rewards.receipt import Line

INELIGIBLE, PENDING, BATCHED, SETTLED = "ineligible", "pending", "batched", "settled"


def answer_object(answer: Answer, receipt: StoredReceipt, salt: bytes) -> dict[str, Any]:
    """The answer as the API returns and the journal keeps it; ``reward.status`` is read live."""
    by_citation: dict[str, list[Line]] = {}
    for line in receipt.lines:
        if line.citation_id is not None:
            by_citation.setdefault(line.citation_id, []).append(line)
    return {
        "id": answer.answer_id,
        "object": "answer",
        "datanet": answer.question.datanet,
        "question": answer.question.text,
        "text": answer.text,
        "refused": answer.refused,
        "refusal_reason": answer.refusal_reason,
        "confidence": answer.confidence,
        "offset_unit": OFFSET_UNIT,
        "claims": [claim_object(claim) for claim in answer.claims],
        "citations": [
            citation_object(citation, by_citation.get(citation.citation_id, []))
            for citation in answer.citations
        ],
        "retrieved": [
            hit_object(hit) | {"used": hit.chunk.chunk_id in answer.used_chunk_ids}
            for hit in answer.retrieved
        ],
        "receipt": {
            "id": "0x" + receipt.digest.hex(),
            "seq": receipt.message.seq,
            "signature": "0x" + receipt.signature.hex() if receipt.signature else None,
            "signer": format_address(receipt.signer) if receipt.signer else None,
            "salt": "0x" + salt.hex(),
            "snapshot": "sha256:" + answer.snapshot_id.hex(),
            "model": _definition_id(answer.model),
            "adapter": _definition_id(answer.adapter) if answer.adapter else None,
            "issued_at": receipt.message.issued_at,
        },
        "usage": {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        },
        "removed_markers": answer.removed_markers,
        "timings_ms": dict(answer.timings_ms),
    }


def _definition_id(definition: Definition) -> str:
    return "sha256:" + definition.definition_id.hex()


def hit_object(hit: Hit) -> dict[str, Any]:
    """What was retrieved, as answers show it."""
    document = hit.chunk.document
    return {
        "document_id": document.document_id,
        "title": document.title,
        "version": "sha256:" + document.version.hex(),
        "chunk": {"start": hit.chunk.span.start, "end": hit.chunk.span.end},
        "rank": hit.rank,
        "scores": {
            "dense": round(hit.scores.dense, 4),
            "lexical": round(hit.scores.lexical, 4),
            "fused": round(hit.scores.fused, 4),
        },
    }


def claim_object(claim: Claim) -> dict[str, Any]:
    """A claim as answers show it."""
    return {
        "id": claim.claim_id,
        "start": claim.span.start,
        "end": claim.span.end,
        "text": claim.text,
        "verdict": claim.verdict.value,
        "score": claim.score,
        "citation_ids": list(claim.citation_ids),
    }


def citation_object(citation: Citation, lines: Sequence[Line] = ()) -> dict[str, Any]:
    """A citation as answers show it, with what its ``lines`` owe."""
    amounts = {line.account: line.amount for line in lines}
    return {
        "id": citation.citation_id,
        "claim_id": citation.claim_id,
        "marker": citation.marker,
        "source": {
            "document_id": citation.document.document_id,
            "version": "sha256:" + citation.document.version.hex(),
            "title": citation.document.title,
            "url": citation.document.url,
        },
        "source_span": {"start": citation.span.start, "end": citation.span.end},
        "cited_text": citation.cited_text,
        "cited_text_sha256": sha256(citation.cited_text.encode("utf-8")).hex(),
        "verdict": citation.verdict.value,
        "score": citation.score,
        "contributors": [
            {
                "address": format_address(contributor.address),
                "name": contributor.name,
                "share_bps": contributor.share_bps,
                "amount": str(amounts.get(contributor.address, 0)),
            }
            for contributor in citation.document.contributors
        ],
        "reward": {
            "weight_ppm": citation.weight_ppm,
            "amount": str(sum(amounts.values())),
            "status": PENDING if any(amounts.values()) else INELIGIBLE,
        },
    }


def with_live_status(journal: Journal, body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` with each citation's ``reward.status`` as it stands now."""
    shown = dict(body)
    receipt = journal.receipt(bytes.fromhex(body["receipt"]["id"][2:]))
    status = reward_status(journal, receipt)
    shown["citations"] = [
        {
            **citation,
            "reward": {
                **citation["reward"],
                "status": status if int(citation["reward"]["amount"]) else INELIGIBLE,
            },
        }
        for citation in body["citations"]
    ]
    return shown


def reward_status(journal: Journal, receipt: StoredReceipt) -> str:
    """Where the money of a receipt is."""
    message = receipt.message
    if message.ledger_id == ZERO_HASH:
        return INELIGIBLE
    batch = journal.batch_with(message.ledger_id, receipt.datanet, message.seq)
    return status_at(batch.stage if batch else None)


def status_at(stage: str | None) -> str:
    """The status that the stage of a Batch means: journalled, planned or sent, or final."""
    if stage is None:
        return PENDING
    return SETTLED if stage == "final" else BATCHED
