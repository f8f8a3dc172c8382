"""Passages without an answer: what fits a question, and where it stands."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api import schemas
from api.access import Asking
from api.objects import hits_object
from api.responses import json_response
from api.services import Provided
from footnote.model import Question
from rag.answerer import check_question

router = APIRouter(prefix="/v1", tags=["answers"], responses=schemas.PROBLEMS)


@router.post("/search", response_model=schemas.SearchResult)
async def search(request: schemas.SearchRequest, services: Provided, caller: Asking) -> Response:
    """The chunks that fit a question best. Nothing is credited for being found."""
    caller.check(request.datanet)
    check_question(Question(request.datanet, request.question, request.k))
    found = await services.answerer.search_soon(request.datanet, request.question, request.k)
    return json_response(hits_object(*found))
