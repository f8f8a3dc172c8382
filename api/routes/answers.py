"""Questions in, answers out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from api import schemas
from api.asking import answered
from api.responses import json_response
from api.services import Provided
from footnote.model import Question
from rewards.record import with_live_status

router = APIRouter(prefix="/v1", tags=["answers"], responses=schemas.PROBLEMS)


@router.post(
    "/answers",
    response_model=schemas.Answer,
    responses={409: {"model": schemas.Problem, "description": "Still being answered."}},
)
def ask(
    request: schemas.AnswerRequest,
    services: Provided,
    idempotency_key: Annotated[
        str | None, Header(description="The same key and body give the same answer, once.")
    ] = None,
) -> Response:
    """Answer a question from one Datanet, with citations and a receipt.

    The answer and its receipt are durable before the response begins.
    """
    question = Question(
        request.datanet, request.question, request.k, request.answerer, request.adapter
    )
    return json_response(answered(services, question, idempotency_key, request.model_dump()))


@router.get("/answers/{answer_id}", response_model=schemas.Answer)
def answer(answer_id: str, services: Provided) -> Response:
    """A stored answer; the status of its rewards is read live."""
    return json_response(with_live_status(services.journal, services.journal.answer(answer_id)))
