"""Checking a text against sources that come with the request. Nothing is stored or paid."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api import schemas
from api.access import Asking
from api.responses import json_response
from api.services import Provided
from footnote.model import OFFSET_UNIT, Citation
from rag.answering.grounding import Grounded, Source, check_text
from rewards.answered import claim_object

router = APIRouter(prefix="/v1", tags=["verify"], responses=schemas.PROBLEMS)


@router.post("/verify", response_model=schemas.Verified)
async def verify(request: schemas.VerifyRequest, services: Provided, caller: Asking) -> Response:
    """Check each sentence of a text against the sources given.

    A marker such as `[2]` names the second source. A sentence without one, or whose source does
    not support it, is held against all of them. `verifier` is what answers are checked by.
    """
    sources = [Source(source.text, source.title) for source in request.sources]
    verifier = services.answerer.verifier
    found = await services.checks.take(
        lambda: check_text(request.text, sources, verifier), caller.who
    )
    names = [source.id or str(n) for n, source in enumerate(request.sources, start=1)]
    return json_response(shown(found, names) | {"verifier": verifier.definition.body})


def shown(found: Grounded, names: list[str]) -> dict[str, Any]:
    """As JSON; ``names`` are those of the sources, in order."""
    return {
        "object": "verification",
        "offset_unit": OFFSET_UNIT,
        "text": found.text,
        "claims": [claim_object(claim) for claim in found.claims],
        "citations": [_citation(citation, names) for citation in found.citations],
        "removed_markers": found.removed_markers,
    }


def _citation(citation: Citation, names: list[str]) -> dict[str, Any]:
    number = int(citation.document.document_id)
    return {
        "id": citation.citation_id,
        "claim_id": citation.claim_id,
        "marker": citation.marker,
        "source": {"number": number, "id": names[number - 1]},
        "source_span": {"start": citation.span.start, "end": citation.span.end},
        "cited_text": citation.cited_text,
        "verdict": citation.verdict.value,
        "score": citation.score,
    }
