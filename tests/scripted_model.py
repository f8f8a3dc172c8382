"""A model server that says what it is told to, a word at a time, as slowly as it is told to."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from cli.stack import free_port

BASE = "scripted"
COMMENT = ": processing\n\n"
"""What keeps a line open and says nothing."""


class ScriptedModel:
    """``replies`` are given in turn, the last one for ever. ``breaks_after``: words after which the
    line is cut. ``first`` is sent before all else, a COMMENT without end."""

    def __init__(self) -> None:
        self.replies = ["Nothing."]
        self.pause_seconds = 0.0
        self.breaks_after: int | None = None
        self.finish = "stop"
        self.first: str | None = None
        self.asked: list[list[dict[str, str]]] = []
        self.words_sent = 0
        self.left = threading.Event()
        self.url = ""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/chat/completions")
        async def chat(body: dict[str, Any]) -> Response:
            self.asked.append(body["messages"])
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            if body.get("stream"):
                return StreamingResponse(self._events(reply), media_type="text/event-stream")
            until = time.monotonic() + 20
            while self.first == COMMENT and time.monotonic() < until:
                await asyncio.sleep(0.05)
            message = {"role": "assistant", "content": reply}
            choice = {"index": 0, "message": message, "finish_reason": self.finish}
            return JSONResponse(self._head("chat.completion") | {
                "choices": [choice], "usage": _COUNTED,
            })  # fmt: skip

        return app

    async def _events(self, reply: str) -> AsyncIterator[str]:
        try:
            if self.first is not None:
                yield self.first
            while self.first == COMMENT:
                await asyncio.sleep(0.05)
                yield COMMENT
            for number, word in enumerate(reply.split(" ")):
                if number == self.breaks_after:
                    return
                yield self._event({"content": word if number == 0 else f" {word}"})
                self.words_sent = number + 1
                await asyncio.sleep(self.pause_seconds)
            yield self._event({}, self.finish)
            usage = self._head("chat.completion.chunk") | {"choices": [], "usage": _COUNTED}
            yield f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n"
        except asyncio.CancelledError:
            self.left.set()
            raise

    def _event(self, delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = self._head("chat.completion.chunk") | {"choices": [choice]}
        return f"data: {json.dumps(body)}\n\n"

    @staticmethod
    def _head(kind: str) -> dict[str, Any]:
        return {"id": "1", "object": kind, "created": 0, "model": BASE}


_COUNTED = {"prompt_tokens": 90, "completion_tokens": 12, "total_tokens": 102}


@contextmanager
def scripted() -> Iterator[ScriptedModel]:
    """One that is being served."""
    model = ScriptedModel()
    port = free_port()
    config = uvicorn.Config(model.app(), host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    model.url = f"http://127.0.0.1:{port}/v1"
    try:
        while not server.started:
            time.sleep(0.01)
        yield model
    finally:
        server.should_exit = True
        thread.join()
