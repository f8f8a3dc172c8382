"""Every request observed: an id of its own, a line in the log where that is wanted, a count.

ASGI middleware outside of everything else, so that what the others refuse is seen too. The route's
template is kept, never the path; of the body nothing.
"""

from __future__ import annotations

import logging
import re
import time
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.telemetry import Telemetry
from footnote.logs import of_request

log = logging.getLogger(__name__)

HEADER = b"x-request-id"
_FORM = re.compile(rb"[A-Za-z0-9._-]{1,80}")


class Observed:
    """Around the application; ``every``: log each request, not only those that fail here."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, *, every: bool) -> None:
        self._app = app
        self._telemetry = telemetry
        self._every = every
        if every:
            log.setLevel(logging.INFO)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(scope)
        began, status = time.perf_counter(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id)]
            await send(message)

        with of_request(request_id.decode()):
            try:
                await self._app(scope, receive, seen)
            finally:
                self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if route != "none" else "any"
        self._telemetry.request(route, method, status, seconds)
        if self._every:
            key_id = scope.get("state", {}).get("key_id")
            log.info(
                "request",
                extra={
                    "method": method, "route": route, "status": status,
                    "milliseconds": round(seconds * 1_000, 2), "key": key_id,
                },
            )  # fmt: skip


def _id_of(scope: Scope) -> bytes:
    """The caller's own id where it is harmless, so that logs of several services join; else a new
    one."""
    for name, value in scope["headers"]:
        if name == HEADER and _FORM.fullmatch(value):
            return bytes(value)
    return uuid4().hex.encode()
