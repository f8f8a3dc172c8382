"""Receipts, batches and what contributors earned: for everybody, without questions or answers."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from api import money_schemas, schemas
from api.access import Anybody, Caller
from api.keys import Scope
from api.responses import json_response
from api.services import Provided
from footnote.addresses import Address, format_address, parse_address
from footnote.errors import Invalid, NotFound
from rewards.journal.journal import Journal
from rewards.journal.records import DAY_SECONDS, Earned, Earning, Wanted
from rewards.journal.tables import NO_LEDGER
from rewards.published import MOST_DAYS, batch_object, day_text, receipt_object
from rewards.statement import (
    Total,
    as_csv,
    as_json,
    line_status,
    pending_and_settled,
    statement,
    totals,
)

router = APIRouter(prefix="/v1", tags=["rewards"], responses=schemas.PROBLEMS)

_CURSOR = re.compile(r"[0-9a-f]{64}\.[0-9]{1,6}")


def _hash(text: str, what: str) -> bytes:
    try:
        digest = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise NotFound(f"no such {what}", "give 0x and 64 hex digits")
    return digest


@router.get("/receipts/{receipt_id}", response_model=money_schemas.Receipt)
def receipt(receipt_id: str, services: Provided, _: Anybody) -> Response:
    """A receipt with all that is needed to check it; ``footnote verify`` reads it from a file."""
    return json_response(receipt_object(services.journal, _hash(receipt_id, "receipt")))


@router.get("/batches/{batch_id}", response_model=money_schemas.Batch)
def batch(batch_id: str, services: Provided, _: Anybody) -> Response:
    """A batch with every receipt's message, signature and lines."""
    return json_response(batch_object(services.journal, _hash(batch_id, "batch")))


@router.get("/contributors/{address}", response_model=money_schemas.Contributor)
def contributor(
    address: str,
    services: Provided,
    caller: Anybody,
    limit: Annotated[int, Query(ge=1, le=1_000, description="How many spans to show.")] = 100,
    cursor: Annotated[
        str | None, Query(description="`next` of the page before; the newest spans without it.")
    ] = None,
) -> Response:
    """What an address earned, by Datanet, with the newest cited spans behind it.

    ``claimable`` is what was settled less what was withdrawn in final blocks. Sums are of all
    spans, on whatever page; ``next`` is null on the last one. What no chain pays proves nothing,
    and is shown to those alone who may ask every Datanet.
    """
    account, paid = _account(address), not _sees_all(caller)
    after = None if cursor is None else _place(cursor)
    found = services.journal.earnings(account, Wanted(after=after, paid=paid), limit + 1)
    earned = services.journal.earned(account)
    earned = [one for one in earned if one.ledger_id != NO_LEDGER or not paid]
    pending, settled = pending_and_settled(earned)
    totals_ = totals(services.journal, account, earned)
    return json_response(
        {
            "object": "contributor",
            "address": format_address(account),
            "pending": str(pending),
            "settled": str(settled),
            "claimable": str(sum(one.claimable for one in totals_)),
            "datanets": _by_datanet(earned),
            "ledgers": _by_ledger(services.journal, totals_),
            "days": _by_day(services.journal, account),
            "spans": [_span(earning) for earning in found[:limit]],
            "next": _cursor(found[limit - 1]) if len(found) > limit else None,
        }
    )


@router.get(
    "/contributors/{address}/statement",
    responses={
        200: {
            "content": {"text/csv": {}, "application/json": {}},
            "description": "Every line, the newest first, as `footnote statement` tells it.",
        }
    },
)
def statement_(
    address: str,
    services: Provided,
    caller: Anybody,
    form: Annotated[
        Literal["csv", "json"], Query(alias="format", description="JSON also has totals.")
    ] = "csv",
) -> Response:
    """Every line that names an address, with its place, its batch, and its proof there."""
    account = _account(address)
    lines = statement(services.journal, account, Wanted(paid=not _sees_all(caller)))
    if form == "csv":
        told, media_type = as_csv(lines), "text/csv; charset=utf-8"
    else:
        of_ledgers = totals(services.journal, account, services.journal.earned(account))
        told, media_type = as_json(account, lines, of_ledgers), "application/json"
    name = f"statement-{format_address(account)}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(told, media_type=media_type, headers=headers)


def _sees_all(caller: Caller) -> bool:
    return caller.datanets is None and caller.may(Scope.ASK)


def _account(address: str) -> Address:
    try:
        return parse_address(address)
    except Invalid as error:
        raise NotFound("no such contributor", error.what_to_do) from error


def _by_ledger(journal: Journal, of_ledgers: Sequence[Total]) -> list[dict[str, Any]]:
    known = {one.ledger_id: one for one in journal.ledgers(lost=True)}
    return [
        total.as_json()
        | {
            "chain_id": known[total.ledger_id].chain_id,
            "pool": format_address(known[total.ledger_id].pool),
        }
        for total in of_ledgers
    ]


def _by_day(journal: Journal, account: Address) -> list[dict[str, str]]:
    since = int(time.time()) // DAY_SECONDS - MOST_DAYS + 1
    found = sorted(journal.days_of(account, since).items())
    return [{"date": day_text(day), "owed": str(owed)} for day, owed in found]


def _by_datanet(earned: Sequence[Earned]) -> list[dict[str, str]]:
    shown = []
    for name in sorted({one.datanet for one in earned}):
        pending, settled = pending_and_settled(one for one in earned if one.datanet == name)
        shown.append({"id": name, "pending": str(pending), "settled": str(settled)})
    return shown


def _cursor(earning: Earning) -> str:
    return f"{earning.digest.hex()}.{earning.position}"


def _place(cursor: str) -> tuple[bytes, int]:
    if not _CURSOR.fullmatch(cursor):
        raise Invalid("the cursor cannot be read", "give `next` of the page before")
    digest, _, position = cursor.partition(".")
    return bytes.fromhex(digest), int(position)


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
        "status": line_status(earning),
    }
