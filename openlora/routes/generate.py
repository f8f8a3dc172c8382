"""Chats, completions and their tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from openlora import replies
from openlora.failures import Failure, bad_request
from openlora.generation import Chosen
from openlora.jobs import Finished, Piece
from openlora.replies import Frame, Places
from openlora.schemas import ChatBody, CompletionBody, Message, TokenizeBody
from openlora.service import Running, Service, Whole

router = APIRouter()

T = TypeVar("T")
Choice = Callable[[int, Piece], dict[str, Any]]


@router.post("/v1/chat/completions")
async def chat(body: ChatBody, request: Request) -> Response:
    service: Service = request.app.state.service
    body.check()
    adapter = service.adapter(body.model)
    count = (body.top_logprobs or 0) if body.logprobs else None
    prompt = await _chat_tokens(service, body.messages, reply=True)
    most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    ask = service.ask(body, adapter, prompt, most, body.sampling(count))
    running = service.run([ask])
    model = body.model or service.base

    def logprobs(tokens: Sequence[Chosen]) -> dict[str, Any] | None:
        words = service.tokens
        return None if count is None else replies.chat_logprobs(tokens, words.piece, words.spelled)

    if body.stream:
        first: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": ""}}

        def delta(_: int, piece: Piece) -> dict[str, Any]:
            said = {"content": piece.text} if piece.text else {}
            return {"index": 0, "delta": said, "logprobs": logprobs(piece.tokens)}

        frame = Frame.new("chat.completion.chunk", model, service.fingerprint)
        opening = [{**first, "logprobs": None, "finish_reason": None}]
        return await _streamed(frame, running, delta, opening, usage=body.counts_usage)

    whole = await _unless_gone(request, running.whole())
    if whole is None:
        return Response(status_code=499)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": whole[0].text},
        "logprobs": logprobs(whole[0].tokens),
        "finish_reason": whole[0].finished.reason,
    }
    frame = Frame.new("chat.completion", model, service.fingerprint)
    return _json(frame.around([choice], [whole[0].finished]))


@router.post("/v1/completions")
async def complete(body: CompletionBody, request: Request) -> Response:
    service: Service = request.app.state.service
    body.check()
    adapter = service.adapter(body.model)
    prompts = await run_in_threadpool(_prompts, service, body)
    if not prompts:
        raise bad_request("The prompt is empty.", "prompt")
    scored = body.echo and body.logprobs is not None
    sampling = body.sampling(body.logprobs)
    running = service.run(
        [
            service.ask(body, adapter, tokens, body.max_tokens, sampling, echo=scored)
            for tokens, _, _ in prompts
        ]
    )
    places = [Places(len(text) if body.echo else 0) for _, text, _ in prompts]
    begun = [False] * len(prompts)

    def choice(index: int, piece: Piece) -> dict[str, Any]:
        shown = prompts[index][1] if body.echo and not begun[index] else ""
        begun[index] = True
        logprobs = None
        if body.logprobs is not None:
            words, at = service.tokens, places[index]
            tokens = (*piece.prompt, *piece.tokens)
            offsets = [*(prompts[index][2] if piece.prompt else ())]
            offsets += [at.next(words.shown(one.token)) for one in piece.tokens]
            logprobs = replies.completion_logprobs(tokens, words.piece, offsets, body.logprobs)
        return {"index": index, "text": shown + piece.text, "logprobs": logprobs}

    frame = Frame.new("text_completion", body.model or service.base, service.fingerprint)
    if body.stream:
        return await _streamed(frame, running, choice, [], usage=body.counts_usage)
    whole = await _unless_gone(request, running.whole())
    if whole is None:
        return Response(status_code=499)
    choices = [
        choice(index, Piece(one.text, one.tokens, one.prompt))
        | {"finish_reason": one.finished.reason}
        for index, one in enumerate(whole)
    ]
    return _json(frame.around(choices, [one.finished for one in whole]))


@router.post("/tokenize")
async def tokenize(body: TokenizeBody, request: Request) -> dict[str, Any]:
    """As vLLM does; with it a client can score a reply to a chat by token ids."""
    service: Service = request.app.state.service
    service.adapter(body.model)
    if body.messages is not None:
        tokens = await _chat_tokens(service, body.messages, reply=body.add_generation_prompt)
    elif body.prompt is not None:
        service.check_length(len(body.prompt))
        special = body.add_special_tokens
        tokens = await run_in_threadpool(service.tokens.encode, body.prompt, special=special)
    else:
        raise bad_request("Give a prompt or messages.", "prompt")
    return {"count": len(tokens), "max_model_len": service.engine.max_context, "tokens": tokens}


def _prompts(service: Service, body: CompletionBody) -> list[tuple[list[int], str, list[int]]]:
    """Each prompt's tokens, its text, and where in it each token begins."""
    found = []
    for one in body.prompts:
        if isinstance(one, str):
            service.check_length(len(one))
            tokens, places = service.tokens.encode_placed(one, special=body.add_special_tokens)
            found.append((tokens, one, places))
        else:
            at = Places()
            service.check_tokens(one)
            places = [at.next(service.tokens.shown(token)) for token in one]
            found.append((one, service.tokens.decode(one), places))
    return found


async def _chat_tokens(service: Service, messages: Sequence[Message], *, reply: bool) -> list[int]:
    service.check_length(sum(len(message.text) for message in messages))
    return await run_in_threadpool(service.tokens.encode_chat, _plain(messages), reply=reply)


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in messages]


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


async def _streamed(
    frame: Frame,
    running: Running,
    choice: Choice,
    opening: Sequence[dict[str, Any]],
    *,
    usage: bool,
) -> Response:
    """A stream that begins once there is something to say, so that what fails before has a
    status of its own."""
    events = running.events()
    try:
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise

    async def chunks() -> AsyncIterator[bytes]:
        finished: list[Finished] = []
        async with contextlib.aclosing(events):
            if opening:
                yield replies.event(frame.around(opening, None))
            try:
                yield replies.event(_chunk(frame, choice, finished, *first))
                async for index, event in events:
                    yield replies.event(_chunk(frame, choice, finished, index, event))
            except Failure as failure:
                yield replies.event(failure.body)
            else:
                if usage:
                    yield replies.event(frame.around([], finished))
            yield replies.DONE

    return StreamingResponse(chunks(), media_type="text/event-stream")


def _chunk(
    frame: Frame, choice: Choice, finished: list[Finished], index: int, event: Piece | Finished
) -> dict[str, Any]:
    if isinstance(event, Finished):
        finished.append(event)
        empty = choice(index, Piece("", ())) | {"logprobs": None}
        return frame.around([empty | {"finish_reason": event.reason}], None)
    return frame.around([choice(index, event) | {"finish_reason": None}], None)


async def _unless_gone(request: Request, replying: Awaitable[list[Whole]]) -> list[Whole] | None:
    """The reply; None where whoever asked went away first, which ends the rows."""
    work = asyncio.ensure_future(replying)
    watch = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        watch.cancel()
        work.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
