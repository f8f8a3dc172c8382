"""What a Datanet holds, and the texts that citations point into."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import document_schemas, money_schemas, schemas
from api.access import Asking
from api.objects import contributors_object, datanet_object
from api.responses import json_response
from api.services import Provided
from footnote.addresses import format_address
from footnote.errors import Broken, NotFound
from rewards.published import MOST_DAYS, activity_object

router = APIRouter(prefix="/v1/datanets", tags=["datanets"], responses=schemas.PROBLEMS)


@router.get("", response_model=document_schemas.DatanetList)
def datanets(services: Provided, caller: Asking) -> Response:
    """All published Datanets that are whole; ``/readyz`` names the others."""
    found = []
    for name in caller.visible(services.library.names()):
        with suppress(Broken):
            found.append(datanet_object(services, name))
    return json_response({"object": "list", "data": found})


@router.get("/{datanet}", response_model=document_schemas.Datanet)
def datanet(datanet: str, services: Provided, caller: Asking) -> Response:
    """One Datanet: its snapshot, its policy, and where its answers are paid."""
    caller.check(datanet)
    manifest = services.library.snapshot(datanet).manifest
    registration = services.journal.registration(datanet)
    policy = services.journal.policy(datanet).definition
    body = datanet_object(services, datanet)
    body |= {
        "embedder": manifest.embedder,
        "chunker": manifest.chunker,
        "vectors": manifest.vector_kind.value,
        "content_root": "0x" + manifest.content_root.hex(),
        "policy": {"id": "0x" + policy.definition_id.hex(), **policy.body},
        "registry_version": None
        if registration is None
        else services.journal.version_on_chain(registration, manifest.snapshot_id),
        "registration": None
        if registration is None
        else {
            "datanet_id": "0x" + registration.datanet_id.hex(),
            "owner": format_address(registration.owner),
            "ledger_id": "0x" + registration.ledger.ledger_id.hex(),
            "chain_id": registration.ledger.chain_id,
            "pool": format_address(registration.ledger.pool),
            "signers": [format_address(term.signer) for term in registration.signers],
        },
    }
    return json_response(body)


@router.get("/{datanet}/activity", response_model=money_schemas.Activity)
def activity(
    datanet: str,
    services: Provided,
    caller: Asking,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="How far back.")] = MOST_DAYS,
) -> Response:
    """Answers and fees by UTC day, today included, and what the pool holds for what is owed."""
    services.library.snapshot(caller.check(datanet))
    return json_response(activity_object(services.journal, datanet, days, time.time()))


@router.get("/{datanet}/contributors", response_model=document_schemas.DatanetContributors)
def contributors(
    datanet: str,
    services: Provided,
    caller: Asking,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> Response:
    """Who contributed, those who earned most first."""
    found = contributors_object(services, caller.check(datanet))
    return json_response({"object": "list", "data": found[:limit], "total": len(found)})


@router.get(
    "/{datanet}/texts/{version}",
    responses={200: {"content": {"text/plain": {}}, "description": "The text, unaltered."}},
)
def text(datanet: str, version: str, services: Provided, caller: Asking) -> Response:
    """The whole text of a Document version, by its SHA-256; also of versions since replaced."""
    caller.check(datanet)
    try:
        digest = bytes.fromhex(version.removeprefix("sha256:"))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise NotFound("no text of that version", "give the 64 hex digits of its SHA-256")
    found = services.library.snapshot(datanet).text(digest)
    return Response(found.encode("utf-8"), media_type="text/plain; charset=utf-8")
