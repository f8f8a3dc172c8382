"""How many answers are made at once, and how many may wait for their turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TypeVar

import anyio
import anyio.to_thread

from footnote.errors import Unavailable

WAITING_PER_TURN = 8

T = TypeVar("T")


class Turns:
    """Threads that make answers, so many and no more; who comes when too many wait is told so at
    once, instead of being answered when nobody waits any longer."""

    def __init__(
        self,
        at_once: int,
        waiting: int | None = None,
        under_way: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._at_once = at_once
        self._under_way = under_way
        self._most_waiting = WAITING_PER_TURN * at_once if waiting is None else waiting

    @cached_property
    def _limiter(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(self._at_once)

    async def take(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, done in a thread when it is its turn.

        Raises:
            Unavailable: too many wait already.
        """
        taken = self._limiter.statistics()
        if taken.borrowed_tokens + taken.tasks_waiting >= self._at_once + self._most_waiting:
            raise Unavailable(
                "too many questions are waiting", "ask again shortly", code="overloaded"
            )
        with self._under_way():
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
