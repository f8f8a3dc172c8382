"""The tools at ``/mcp``, behind the door, started when the first agent comes.

The protocol's package takes a quarter of a second to load, which nobody who only asks should wait
for. It lives in a task of its own from then on, as its session manager wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import Door, calling
from api.keys import Scope as KeyScope
from api.problems import problem_of
from api.services import Services
from footnote.errors import FootnoteError

PATH = "/mcp"


class Agents:
    """An ASGI application. ``host`` is where the service is reached: on loopback agents are refused
    under any other name."""

    def __init__(self, services: Services, host: str) -> None:
        self._services = services
        self._host = host
        self._wanted = asyncio.Event()
        self._tools: asyncio.Future[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            door: Door = scope["app"].state.door
            caller = await door.caller(Request(scope), [KeyScope.ASK])
        except FootnoteError as error:
            await problem_of(error)(scope, receive, send)
            return
        assert self._tools is not None, "agents are served while the application runs"
        self._wanted.set()
        tools = await asyncio.shield(self._tools)
        with calling(caller):
            await tools(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the application runs."""
        self._tools = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(self._serve(self._tools))
        try:
            yield
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    async def _serve(self, tools: asyncio.Future[ASGIApp]) -> None:
        await self._wanted.wait()
        try:
            server, app = await anyio.to_thread.run_sync(self._build)
        except Exception as error:
            tools.set_exception(error)
            return
        async with server.session_manager.run():
            tools.set_result(app)
            await asyncio.Event().wait()  # until the application ends

    def _build(self) -> tuple[Any, ASGIApp]:
        from api.mcp import build_mcp

        server = build_mcp(self._services)
        app = server.streamable_http_app(json_response=True, stateless_http=True, host=self._host)
        return server, next(route.app for route in app.routes if getattr(route, "path", "") == PATH)  # type: ignore[attr-defined]
