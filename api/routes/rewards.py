"""Receipts, batches and what contributors earned: for everybody, without questions or answers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import schemas
from api.responses import json_response
from api.services import Provided
from footnote.addresses import format_address, parse_address
from footnote.errors import Invalid, NotFound
from rewards.journal.records import Earning
from rewards.published import batch_object, receipt_object
from rewards.record import INELIGIBLE, SETTLED, status_at

router = APIRouter(prefix="/v1", tags=["rewards"], responses=schemas.PROBLEMS)


def _hash(text: str, what: str) -> bytes:
    try:
        digest = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise NotFound(f"no such {what}", "give 0x and 64 hex digits")
    return digest


@router.get("/receipts/{receipt_id}", response_model=schemas.Receipt)
def receipt(receipt_id: str, services: Provided) -> Response:
    """A receipt with all that is needed to check it; ``footnote verify`` reads it from a file."""
    return json_response(receipt_object(services.journal, _hash(receipt_id, "receipt")))


@router.get("/batches/{batch_id}", response_model=schemas.Batch)
def batch(batch_id: str, services: Provided) -> Response:
    """A batch with every receipt's message, signature and lines."""
    return json_response(batch_object(services.journal, _hash(batch_id, "batch")))


@router.get("/contributors/{address}", response_model=schemas.Contributor)
def contributor(
    address: str,
    services: Provided,
    limit: Annotated[int, Query(ge=1, le=1_000, description="How many spans to show.")] = 100,
) -> Response:
    """What an address earned, by Datanet, with the newest cited spans behind it.

    ``claimable`` is what was settled less what was withdrawn in final blocks.
    """
    try:
        account = parse_address(address)
    except Invalid as error:
        raise NotFound("no such contributor", error.what_to_do) from error
    datanets: dict[str, dict[str, int]] = {}
    settled_in: dict[bytes, int] = {}
    earnings = services.journal.earnings(account)
    for earning in earnings:
        line, settled = earning.line, status_at(earning.stage) == SETTLED
        sums = datanets.setdefault(earning.datanet, {"pending": 0, "settled": 0})
        sums["settled" if settled else "pending"] += line.amount
        if settled:
            before = settled_in.get(earning.ledger_id, 0)
            settled_in[earning.ledger_id] = before + line.amount
    claimable = sum(
        settled - services.journal.claimed(ledger_id, account)
        for ledger_id, settled in settled_in.items()
    )
    return json_response(
        {
            "object": "contributor",
            "address": format_address(account),
            "pending": str(sum(sums["pending"] for sums in datanets.values())),
            "settled": str(sum(sums["settled"] for sums in datanets.values())),
            "claimable": str(claimable),
            "datanets": [
                {"id": name, "pending": str(sums["pending"]), "settled": str(sums["settled"])}
                for name, sums in sorted(datanets.items())
            ],
            "spans": [_span(earning) for earning in earnings[:limit]],
        }
    )


def _span(earning: Earning) -> dict[str, Any]:
    line = earning.line
    return {
        "datanet": earning.datanet,
        "seq": earning.seq,
        "receipt": "0x" + earning.digest.hex(),
        "issued_at": earning.issued_at,
        "part": line.part,
        "document_id": line.document_id,
        "version": "sha256:" + line.version_hash.hex(),
        "span": {"start": line.start, "end": line.end},
        "share_bps": line.share_bps,
        "weight_ppm": line.weight_ppm,
        "amount": str(line.amount),
        "status": status_at(earning.stage) if line.amount else INELIGIBLE,
    }
