"""OpenAI's chat completions, for clients that speak nothing else. A model is a Datanet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from api import schemas
from api.asking import answered
from api.chat import chunks, completion
from api.responses import json_bytes, json_response
from api.services import Provided
from footnote.errors import Broken, Invalid
from footnote.model import Question

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=schemas.PROBLEMS)


@router.post(
    "/chat/completions",
    response_model=schemas.ChatCompletion,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Whole, or a stream of chunks."},
        409: {"model": schemas.Problem, "description": "Still being answered."},
    },
)
def chat(
    request: schemas.ChatRequest,
    services: Provided,
    http: Request,
    idempotency_key: Annotated[
        str | None, Header(description="The same key and body give the same answer, once.")
    ] = None,
) -> Response:
    """Answer the last message of a user, with citations as annotations.

    `model` is a Datanet, or `datanet:adapter`. Earlier messages and sampling settings are accepted
    and do nothing. A stream begins when the answer and its receipt are durable.
    """
    datanet, _, adapter = request.model.partition(":")
    question = Question(
        datanet, _last_question(request), answerer="openlora" if adapter else None,
        adapter=adapter or None,
    )  # fmt: skip
    answer = answered(services, question, idempotency_key, request.model_dump())
    home = str(http.base_url)
    if not request.stream:
        return json_response(completion(answer, request.model, home))
    options = request.stream_options
    with_usage = options is not None and options.include_usage
    events = chunks(answer, request.model, home, with_usage=with_usage)
    return StreamingResponse(_sent(events), media_type="text/event-stream")


def _sent(events: Iterator[dict[str, object]]) -> Iterator[bytes]:
    for event in events:
        yield b"data: " + json_bytes(event) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _last_question(request: schemas.ChatRequest) -> str:
    """The text of the last message of a user."""
    for message in reversed(request.messages):
        if message.role == "user":
            if isinstance(message.content, str):
                return message.content
            if message.content and all(part.type == "text" for part in message.content):
                return "\n".join(part.text or "" for part in message.content)
            raise Invalid("a message that is no text", "send text alone", code="not-text")
    raise Invalid("no message of a user", "send the question as one", code="empty-question")


@router.get("/models", response_model=schemas.ModelList)
def models(services: Provided) -> Response:
    """Every Datanet that answers, as a model."""
    found = []
    for name in services.library.names():
        with suppress(Broken):
            published = services.library.snapshot(name).manifest.body["created"]
            created = int(datetime.fromisoformat(published).timestamp())
            found.append(
                {"id": name, "object": "model", "created": created, "owned_by": "footnote"}
            )
    return json_response({"object": "list", "data": found})
