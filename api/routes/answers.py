"""Questions in, answers out: whole, or told while they are made."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import schemas
from api.access import Asking
from api.asking import answered
from api.events import EventWriter
from api.responses import json_response
from api.services import Provided
from api.streaming import Telling, streamed, whole
from footnote.errors import NotFound
from footnote.model import Question
from rewards.answered import with_live_status

router = APIRouter(prefix="/v1", tags=["answers"], responses=schemas.PROBLEMS)


@router.post(
    "/answers",
    response_model=schemas.Answer,
    responses=schemas.streamed("Whole, or as events.") | schemas.ANSWERING,
)
async def ask(
    request: schemas.AnswerRequest,
    services: Provided,
    caller: Asking,
    http: Request,
    idempotency_key: schemas.IdempotencyKey = None,
) -> Response:
    """Answer a question from one Datanet, with citations and a receipt.

    The answer and its receipt are durable before a whole response begins, and before
    `answer.completed` with `stream`. Whoever leaves a stream before owes nothing.
    """
    question = Question(
        request.datanet, request.question, request.k, request.answerer, request.adapter
    )
    body = request.model_dump(exclude={"stream"})  # the answer is the same

    def make(telling: Telling) -> dict[str, object]:
        return answered(services, caller, question, idempotency_key, body, telling)

    if request.stream:
        return await streamed(services.turns, make, EventWriter(), caller.who)
    return json_response(await whole(services.turns, make, http, caller.who))


@router.get("/answers/{answer_id}", response_model=schemas.Answer)
def answer(answer_id: str, services: Provided, caller: Asking) -> Response:
    """A stored answer; the status of its rewards is read live."""
    found = services.journal.answer(answer_id, caller.asker.tenant)
    if not caller.visible([found["datanet"]]):
        raise NotFound("no such answer", "check its id")
    return json_response(with_live_status(services.journal, found))
