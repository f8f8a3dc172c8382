"""A response that is sent while it is made.

What makes it runs in a thread and tells its parts; the first of them, or an error in its place,
decides the status. A client that leaves ends the work, at its next part or within half a second.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.events import DONE
from api.parts import Part, part_of
from api.turns import Turns
from footnote.errors import Unavailable
from rag.answerer import Found
from rag.answering.draft import Told

T = TypeVar("T")

WATCH_SECONDS = 0.5
"""How often it is looked whether a client still waits."""
QUIET_SECONDS = 15.0
"""After so long without a part a comment is sent, so that nothing between closes the line."""

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class ClientLeft(Exception):
    """Nobody reads the response any more."""


@dataclass(slots=True)
class Telling:
    """Hands parts from the thread that makes an answer to the response that sends them."""

    put: Callable[[Part | Exception | None], None]
    live: bool = True
    """Whether parts are wanted while they are made."""
    left: threading.Event = field(default_factory=threading.Event)

    def hear(self, heard: Found | Told | None) -> None:
        """What an Answerer tells; ClientLeft where nobody listens."""
        if heard is None:
            self.check()
        else:
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


async def whole(turns: Turns, work: Callable[[Telling], T], request: Request, who: str | None) -> T:
    """What ``work`` returns, when it is the turn of ``who``. Not begun, or not committed, for a
    client that left."""
    telling = Telling(lambda part: None, live=False)

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(WATCH_SECONDS)
        telling.left.set()

    watching = asyncio.create_task(watch())
    try:
        return await turns.take(lambda: work(telling), who, telling.check)
    except ClientLeft:
        raise Unavailable("nobody waits for the answer any longer", "ask again") from None
    finally:
        watching.cancel()


async def streamed(
    turns: Turns, work: Callable[[Telling], object], writer: Writer, who: str | None
) -> Response:
    """A response of what ``work`` tells when it is the turn of ``who``, as ``writer`` writes it. An
    error before the first part is raised."""
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

    making = asyncio.ensure_future(turns.take(run, who, telling.check))
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
    error = None if made.cancelled() else made.exception()
    if error is not None and not isinstance(error, ClientLeft):
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
