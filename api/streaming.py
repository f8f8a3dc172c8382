"""A response that is sent while it is made.

What makes it runs in a thread and tells its parts; the first of them, or an error in its place,
decides the status. A client that leaves is noticed at the next part, which ends the work.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.events import DONE
from api.parts import Part, part_of
from api.turns import Turns
from rag.answerer import Found
from rag.answering.draft import Told

QUIET_SECONDS = 15.0
"""After so long without a part a comment is sent, so that nothing between closes the line."""

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class ClientLeft(Exception):
    """Nobody reads the response any more."""


@dataclass(slots=True)
class Telling:
    """Hands parts from the thread that makes an answer to the response that sends them."""

    put: Callable[[Part | Exception | None], None]
    left: threading.Event = field(default_factory=threading.Event)

    def hear(self, heard: Found | Told) -> None:
        """What an Answerer tells; ClientLeft where nobody listens."""
        self.part(part_of(heard))

    def part(self, part: Part) -> None:
        self.check()
        self.put(part)

    def check(self) -> None:
        """Raise ClientLeft where nobody listens."""
        if self.left.is_set():
            raise ClientLeft


class Writer(Protocol):
    """Parts to the bytes of a format."""

    def part(self, part: Part) -> Iterator[bytes]: ...

    def error(self, error: Exception) -> bytes: ...


async def streamed(turns: Turns, work: Callable[[Telling], object], writer: Writer) -> Response:
    """A response of what ``work`` tells, as ``writer`` writes it. An error before the first part is
    raised."""
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[Part | Exception | None] = asyncio.Queue()
    telling = Telling(lambda part: _handed(loop, parts, part))

    def run() -> None:
        try:
            work(telling)
        except ClientLeft:
            return
        except Exception as error:
            telling.put(error)
        else:
            telling.put(None)

    making = asyncio.ensure_future(turns.take(run))
    making.add_done_callback(lambda done: _refused(done, parts))
    first = await parts.get()
    if isinstance(first, Exception):
        raise first
    return _Stream(telling, _body(first, parts, writer))


def _handed(loop: asyncio.AbstractEventLoop, parts: asyncio.Queue[Any], part: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(parts.put_nowait, part)


def _refused(made: asyncio.Future[None], parts: asyncio.Queue[Any]) -> None:
    """Where there was no turn, the error is the first part."""
    if not made.cancelled() and (error := made.exception()) is not None:
        parts.put_nowait(error)


async def _body(
    part: Part | Exception | None, parts: asyncio.Queue[Part | Exception | None], writer: Writer
) -> AsyncIterator[bytes]:
    while part is not None:
        if isinstance(part, Exception):
            yield writer.error(part)
            break
        for piece in writer.part(part):
            yield piece
        while True:
            try:
                part = await asyncio.wait_for(parts.get(), QUIET_SECONDS)
                break
            except TimeoutError:
                yield b": still at it\n\n"
    yield DONE


class _Stream(StreamingResponse):
    """Tells the work when it is over, however it ended."""

    def __init__(self, telling: Telling, body: AsyncIterator[bytes]) -> None:
        super().__init__(body, media_type="text/event-stream", headers=_HEADERS)
        self._telling = telling

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._telling.left.set()
