"""The model client against a real HTTP server that behaves as told, by the name of the model."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from cli.stack import free_port
from footnote.errors import Broken, Invalid, NotFound, Unavailable
from footnote.model import Usage
from rag.models.llm import RETRIES, OpenAIChatModel

ASKED = [("user", "Hello?")]
CUT = {
    "cut-after": "It is 55 metres high. [1] The owner of the",
    "cut-number": "It is old. [1][2] It is 3.",
    "cut-first": "The height of the",
}
"""Replies that ended by their length."""
COUNTED = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class Scene:
    """What was asked how often, and whether a stream was left early."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.left = threading.Event()

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/chat/completions", response_model=None)
        async def chat(body: dict[str, Any]) -> Any:
            name = body["model"]
            self.asked[name] += 1
            if body.get("stream"):
                return StreamingResponse(self.events(name), media_type="text/event-stream")
            return await self.reply(name)

        @app.post("/v1/completions", response_model=None)
        async def completions(body: dict[str, Any]) -> Any:
            tokens = ["The ", "sky ", "is ", "blue."]
            found = {
                "tokens": tokens,
                "token_logprobs": [None, -1.5, None if body["model"] == "nan" else -0.5, -0.25],
                "text_offset": [0, 4, 8, 11],
            }
            assert (body["echo"], body["max_tokens"]) == (True, 0)
            choice = {
                "index": 0, "text": body["prompt"], "finish_reason": "length",
                "logprobs": None if body["model"] == "mute" else found,
            }  # fmt: skip
            return {"id": "1", "object": "text_completion", "created": 0, "model": "m",
                    "choices": [choice]}  # fmt: skip

        return app

    async def reply(self, name: str) -> Any:
        failing = {"down": 503, "busy": 429, "unknown": 404, "wrong": 400}
        if name in failing:
            error = {"error": {"message": f"it is {name}"}}
            return JSONResponse(error, failing[name], {"retry-after-ms": "1"})
        if name == "recovers" and self.asked[name] == 1:
            return JSONResponse({"error": {"message": "wait"}}, 429, {"retry-after-ms": "1"})
        if name == "drip":
            return StreamingResponse(self.spaces(), media_type="application/json")
        if name == "garbled":
            return PlainTextResponse("<html>no", media_type="application/json")
        if name == "slow":
            await asyncio.sleep(5)
        content = {"number": 5, "list": [{"type": "text"}], "half": "a\ud800b"}.get(name, "Hi.")
        choice = self.choice({"role": "assistant", "content": CUT.get(name, content)})
        if name in CUT:
            choice["finish_reason"] = "length"
        counted = COUNTED | ({"prompt_tokens": -5} if name == "negative" else {})
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": name,
                 "choices": [] if name == "empty" else [choice],
                 "usage": None if name == "uncounted" else counted}  # fmt: skip
        return Response(json.dumps(reply), media_type="application/json")

    async def spaces(self) -> AsyncIterator[str]:
        for _ in range(40):
            yield " "
            await asyncio.sleep(0.1)

    @staticmethod
    def choice(message: dict[str, Any]) -> dict[str, Any]:
        return {"index": 0, "finish_reason": "stop", "message": message}

    async def events(self, name: str) -> AsyncIterator[str]:
        def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
            body = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": name,
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                    **more}  # fmt: skip
            return f"data: {json.dumps(body)}\n\n"

        for piece in ("Hi", ". ", "It is", " 1.5 ", "m. Really"):
            yield event({"content": piece})
        try:
            while name in ("endless", "long"):
                yield event({"content": "on " if name == "long" else "On. "})
                await asyncio.sleep(0.01)
        finally:
            self.left.set()
        if name == "cut":
            return
        yield event({}, "length" if name == "short" else "stop")
        usage = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": name,
                 "choices": [], "usage": COUNTED}  # fmt: skip
        yield f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n"


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def model(scene: Scene) -> Iterator[OpenAIChatModel]:
    port = free_port()
    config = uvicorn.Config(scene.app(), host="127.0.0.1", port=port, log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    yield OpenAIChatModel(f"http://127.0.0.1:{port}/v1", "plain", api_key=None, timeout_seconds=0.5)
    running.should_exit = True
    thread.join()


def test_a_reply_comes_with_its_tokens_counted(model: OpenAIChatModel) -> None:
    reply = model.complete(ASKED, None)
    assert (reply.text, reply.usage) == ("Hi.", Usage(7, 3))
    assert model.complete(ASKED, "uncounted").usage == Usage(0, 0)


def test_an_adapter_that_the_server_does_not_know_is_said_so(model: OpenAIChatModel) -> None:
    with pytest.raises(NotFound, match="does not know that adapter"):
        model.complete(ASKED, "unknown")
    with pytest.raises(Invalid):
        model.complete(ASKED, "../secrets")


@pytest.mark.parametrize("name", ["down", "busy"])
def test_a_server_that_is_down_is_asked_again_and_no_oftener(
    model: OpenAIChatModel, scene: Scene, name: str
) -> None:
    with pytest.raises(Unavailable, match="the model server does not answer"):
        model.complete(ASKED, name)
    assert scene.asked[name] == 1 + RETRIES


def test_a_server_that_recovers_meanwhile_is_no_error(model: OpenAIChatModel, scene: Scene) -> None:
    assert model.complete(ASKED, "recovers").text == "Hi."
    assert scene.asked["recovers"] == 2


def test_a_refused_request_is_not_repeated_and_says_why(
    model: OpenAIChatModel, scene: Scene
) -> None:
    with pytest.raises(Broken, match=r"refused the request \(400"):
        model.complete(ASKED, "wrong")
    assert scene.asked["wrong"] == 1


@pytest.mark.parametrize("name", ["garbled", "empty", "number", "list", "half", "negative"])
def test_what_is_no_completion_is_broken(model: OpenAIChatModel, name: str) -> None:
    with pytest.raises(Broken, match="the model server answers no completion"):
        model.complete(ASKED, name)


@pytest.mark.parametrize("name", ["slow", "drip"])
def test_the_timeout_bounds_the_whole_wait(model: OpenAIChatModel, scene: Scene, name: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="the model server does not answer"):
        model.complete(ASKED, name)
    assert time.monotonic() - began < 1.0
    assert scene.asked[name] == 1, "no time was left to ask again"


def test_a_sentence_that_the_length_cut_off_is_not_taken_as_whole(model: OpenAIChatModel) -> None:
    assert model.complete(ASKED, "cut-after").text == "It is 55 metres high. [1]"
    assert model.complete(ASKED, "cut-number").text == "It is old. [1][2]"
    with pytest.raises(Broken, match="cut off in its first sentence"):
        model.complete(ASKED, "cut-first")


def test_the_base_is_no_adapter_and_an_adapters_name_no_path(model: OpenAIChatModel) -> None:
    with pytest.raises(NotFound, match="no adapter"):
        model.complete(ASKED, "plain")
    with pytest.raises(Invalid):
        model.complete(ASKED, "somebody/something")


def test_a_stream_gives_sentences_as_they_end_and_then_its_tokens(model: OpenAIChatModel) -> None:
    streamed = model.stream(ASKED, None)
    assert list(streamed) == ["Hi.", " It is 1.5 m.", " Really"]
    assert streamed.usage == Usage(7, 3)
    cut_off = model.stream(ASKED, "short")
    assert list(cut_off) == ["Hi.", " It is 1.5 m."], "a sentence that was cut off is none"
    assert cut_off.usage == Usage(7, 3)


def test_a_stream_that_breaks_off_is_an_error_and_not_an_answer(model: OpenAIChatModel) -> None:
    read: list[str] = []
    with pytest.raises(Unavailable, match="broke off"):
        read.extend(piece for piece in model.stream(ASKED, "cut"))
    assert read == ["Hi.", " It is 1.5 m."]


def test_the_timeout_bounds_a_stream_as_a_whole(model: OpenAIChatModel, scene: Scene) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="takes too long"):
        list(model.stream(ASKED, "long"))
    assert time.monotonic() - began < 3
    assert scene.left.wait(5)


def test_no_more_than_so_many_ask_the_model_at_once(scene: Scene, model: OpenAIChatModel) -> None:
    narrow = OpenAIChatModel(model.address, "plain", api_key=None, timeout_seconds=0.5, at_once=1)
    first = iter(narrow.stream(ASKED, "endless"))
    next(first)
    with pytest.raises(Unavailable, match="too much to do"):
        narrow.complete(ASKED, None)
    first.close()  # type: ignore[attr-defined]
    assert narrow.complete(ASKED, None).text == "Hi."


def test_leaving_a_stream_ends_it_on_the_server(model: OpenAIChatModel, scene: Scene) -> None:
    streamed = iter(model.stream(ASKED, "endless"))
    assert next(streamed) == "Hi."
    streamed.close()  # type: ignore[attr-defined]
    assert scene.left.wait(5)


def test_a_completion_is_scored_by_its_own_tokens(model: OpenAIChatModel) -> None:
    assert model.score("The sky ", "is blue.") == -0.75
    assert model.score("The sk", "y is blue.") == -2.25, "a token that straddles them counts"
    with pytest.raises(Broken, match="no log-probabilities"):
        model.score("The sky ", "is blue.", "mute")
    with pytest.raises(Broken, match="no number"):
        model.score("The sky ", "is blue.", "nan")


def test_after_five_failures_in_a_row_the_server_is_left_alone(
    model: OpenAIChatModel, scene: Scene
) -> None:
    for _ in range(5):
        with pytest.raises(Unavailable):
            model.complete(ASKED, "down")
    with pytest.raises(Unavailable, match="failed 5 times in a row"):
        model.complete(ASKED, None)
    assert scene.asked["plain"] == 0
