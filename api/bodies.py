"""Bodies in: JSON, UTF-8, at most 256 KiB, without the traps that frameworks let through.

A middleware, so that a hostile body is refused before anything parses it: by length while it
streams, then by content type, then as strict JSON. Two routes take other bodies: documents are sent
as files and may be larger, which :mod:`api.routes.documents` bounds while they stream, and a job is
retried without any.
"""

from __future__ import annotations

import asyncio
import re

from fastapi.responses import Response
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from footnote import strict_json

MAX_BODY_BYTES = 256 * 1024
WAIT_SECONDS = 30.0
"""For all of a body."""
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 256, 128
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_OTHER_BODIES = re.compile(r"/v1/datanets/[^/]+/(?:documents|jobs/[^/]+/retry)")


class StrictJsonBodies:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._routes: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_checked(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = _refused_headers(request)
        body = b""
        if refusal is None:
            read = await _read(request)
            if isinstance(read, Response):
                refusal = read
            else:
                body, refusal = read, _refused_body(read)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    def _is_checked(self, scope: Scope) -> bool:
        """Whether something takes a JSON body here; else the answer is 404 or 405, whatever the
        body, or it is read elsewhere."""
        method, path = scope["method"], scope["path"]
        if method not in _WITH_BODY or _OTHER_BODIES.fullmatch(path):
            return False
        if (method, path) in self._routes:
            return True
        routes = scope["app"].router.routes
        if not any(route.matches(scope)[0] is Match.FULL for route in routes):
            return False
        if len(self._routes) >= _MOST_REMEMBERED:
            self._routes.clear()
        if len(path) <= _LONGEST_REMEMBERED:
            self._routes.add((method, path))
        return True


def _refused_headers(request: Request) -> Response | None:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        return problem(
            415, "unsupported-media-type", "Send JSON, with Content-Type: application/json."
        )
    charset = request.headers.get("content-type", "").lower().partition("charset=")[2].strip(' "')
    if charset not in ("", "utf-8", "utf8"):
        return problem(415, "unsupported-media-type", "Send JSON in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return problem(415, "unsupported-media-type", "Send the body without a content encoding.")
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        return _too_large()
    return None


async def _read(request: Request) -> bytes | Response:
    body = bytearray()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    return _too_large()
    except (TimeoutError, ClientDisconnect):
        headers = {"Connection": "close"}
        return problem(408, "too-slow", "The body stopped in the middle; send it again.", headers)
    return bytes(body)


def _refused_body(body: bytes) -> Response | None:
    try:
        value = strict_json.loads(body)
    except ValueError as error:
        duplicate, surrogate = "twice" in str(error), "surrogate" in str(error)
        if duplicate:
            return problem(422, "duplicate-field", "A key stands twice; send each once.")
        if surrogate:
            return problem(422, "invalid-unicode", "A lone surrogate is no character; take it out.")
        return problem(400, "malformed-json", f"The body cannot be read: {error}.")
    if not isinstance(value, dict):
        return problem(422, "invalid-request", "Send one JSON object.")
    return None


def _too_large() -> Response:
    return problem(
        413,
        "body-too-large",
        f"Keep the body within {MAX_BODY_BYTES} bytes.",
        {"Connection": "close"},
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives ``body`` once, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
