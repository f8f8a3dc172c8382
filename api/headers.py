"""What a browser is told of every response besides the page's own: to run and frame nothing of it.

A document's text is somebody else's words at our own address. Sniffed as a script it would pass the
page's policy, and would read the key of whoever looks at it.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = b"content-security-policy"
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_NOTHING = b"default-src 'none'; frame-ancestors 'none'; sandbox"
_FRAMED_NOWHERE = b"frame-ancestors 'none'"
_DESCRIPTIONS = ("/docs", "/redoc", "/static-offline-docs")
"""Pages of the framework, which bring scripts of their own."""


class Unframed:
    """ASGI middleware around the application; what a response says itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        described = scope["path"].startswith(_DESCRIPTIONS)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                if _POLICY not in known:
                    policy = _FRAMED_NOWHERE if described else _NOTHING
                    message["headers"] = [*message["headers"], *_ALWAYS, (_POLICY, policy)]
            await send(message)

        await self._app(scope, receive, told)
