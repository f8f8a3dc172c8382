"""OpenAI's chat completions, for clients that speak nothing else. A model is a Datanet."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import schemas
from api.access import Asking
from api.asking import answered
from api.chat import ChunkWriter, completion
from api.responses import json_response
from api.services import Provided
from api.streaming import Telling, streamed, whole
from footnote.errors import Broken, Invalid
from footnote.model import Question, Turn

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=schemas.PROBLEMS)


@router.post(
    "/chat/completions",
    response_model=schemas.ChatCompletion,
    responses=schemas.streamed("Whole, or a stream of chunks.") | schemas.ANSWERING,
)
async def chat(
    request: schemas.ChatRequest,
    services: Provided,
    caller: Asking,
    http: Request,
    idempotency_key: schemas.IdempotencyKey = None,
) -> Response:
    """Answer the last message of a user, with citations as annotations.

    `model` is a Datanet, or `datanet:adapter`. Where a language model answers, the messages before
    the last one say what it refers to. Settings of sampling are accepted and do nothing. The last
    chunk of a stream comes when the answer and its receipt are durable.
    """
    datanet, _, adapter = request.model.partition(":")
    text, turns = _conversation(request)
    question = Question(
        datanet, text, answerer=request.answerer, adapter=adapter or None, turns=turns
    )
    body = request.model_dump(exclude={"stream", "stream_options"})  # the answer is the same
    home = str(http.base_url)

    def make(telling: Telling) -> dict[str, Any]:
        return answered(services, caller, question, idempotency_key, body, telling)

    if not request.stream:
        answer = await whole(services.turns, make, http, caller.who)
        return json_response(completion(answer, request.model, home))
    options = request.stream_options
    with_usage = options is not None and options.include_usage
    writer = ChunkWriter(request.model, home, with_usage=with_usage)
    return await streamed(services.turns, make, writer, caller.who)


def _conversation(request: schemas.ChatRequest) -> tuple[str, tuple[Turn, ...]]:
    """The text of the last message of a user, and what was said before it."""
    last = max((at for at, one in enumerate(request.messages) if one.role == "user"), default=None)
    if last is None:
        raise Invalid("no message of a user", "send the question as one", code="empty-question")
    earlier = [one for one in request.messages[:last] if one.role in ("user", "assistant")]
    turns = tuple(Turn(one.role, text) for one in earlier if (text := _text(one)))
    return _text(request.messages[last]), turns


def _text(message: schemas.ChatMessage) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    if all(part.type == "text" for part in message.content):
        return "\n".join(part.text or "" for part in message.content)
    raise Invalid("a message that is no text", "send text alone", code="not-text")


@router.get("/models", response_model=schemas.ModelList)
def models(services: Provided, caller: Asking) -> Response:
    """Every Datanet that answers, as a model."""
    found = []
    for name in caller.visible(services.library.names()):
        with suppress(Broken):
            published = services.library.snapshot(name).manifest.body["created"]
            created = int(datetime.fromisoformat(published).timestamp())
            found.append(
                {"id": name, "object": "model", "created": created, "owned_by": "footnote"}
            )
    return json_response({"object": "list", "data": found})
