"""Near-duplicates, and what a Datanet's owner rules about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import document_schemas, jobs, schemas
from api.access import Ingesting
from api.responses import json_response
from api.routes.documents import accepted
from api.services import Provided
from api.uploads import incoming
from footnote.errors import Invalid
from rag.index.clusters import check_ruling, clusters

router = APIRouter(prefix="/v1/datanets", tags=["documents"], responses=schemas.PROBLEMS)


@router.get("/{datanet}/review", response_model=document_schemas.Review)
def review(
    datanet: str,
    services: Provided,
    caller: Ingesting,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> Response:
    """Documents that share much text, in clusters. A flag is no verdict."""
    snapshot = services.library.snapshot(caller.check(datanet))
    lineage = snapshot.catalogue.lineage()
    documents = {one.document_id: one for one in snapshot.catalogue.documents()}
    found = clusters(documents, lineage)
    return json_response(
        {
            "object": "review",
            "snapshot": snapshot.manifest.snapshot_hex,
            "clusters": found[:limit],
            "total": len(found),
            "unrelated": sorted(list(one) for one in lineage.unrelated),
        }
    )


@router.post(
    "/{datanet}/rulings",
    status_code=202,
    response_model=document_schemas.Job,
    responses=document_schemas.UPLOAD_PROBLEMS,
)
def rule(
    datanet: str, ruling: document_schemas.Ruling, services: Provided, caller: Ingesting
) -> Response:
    """Rule on near-duplicates; a job publishes it, for answers from then on."""
    snapshot = services.library.snapshot(caller.check(datanet))
    said = ruling.model_dump()
    if not any(said.values()):
        raise Invalid("the ruling says nothing", "name documents in first, unrelated or related")
    check_ruling(ruling.unrelated, ruling.related)
    named = {name for pair in (*ruling.unrelated, *ruling.related) for name in pair}
    for name in {*ruling.first, *named}:
        snapshot.catalogue.document(name)  # refuses what is not there
    jobs.check_room(services.settings.home, datanet)
    with incoming(services.settings.home) as upload:
        upload.rule(said)
        return accepted(datanet, jobs.accept(services.settings, datanet, upload, None))
