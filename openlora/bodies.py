"""Request bodies, whole and bounded, before anything reads them."""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openlora.failures import Failure, bad_request

MAX_BODY_BYTES = 1 << 20
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""What may write half a character, which no text holds."""


class BoundedBodies:
    """Answers 413 to a body over ``MAX_BODY_BYTES``, and 400 to one that is no Unicode text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(receive)
        except Failure as failure:
            await JSONResponse(failure.body, failure.status)(scope, receive, send)
            return
        if body is None:
            return
        first: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body}]

        async def replayed() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, replayed, send)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where whoever sent it went away."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            most = f"The request is larger than {MAX_BODY_BYTES} bytes."
            raise Failure(413, "BadRequestError", most)
        more = message.get("more_body", False)
    body = b"".join(parts)
    if not _is_text(body):
        raise bad_request("The request is not UTF-8, or holds half a character.")
    return body


def _is_text(body: bytes) -> bool:
    """Python's reader of JSON lets half characters pass, escaped or not."""
    try:
        text = body.decode()
        if _HALF.search(body):
            json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeError:
        return False
    except (ValueError, RecursionError):
        return True  # no JSON: whoever reads it says so
    return "\0" not in text
