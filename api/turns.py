"""How many answers are made at once, and how many may wait for their turn.

A caller has half of the turns at most, however much they ask: the other half is for others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TypeVar

import anyio
import anyio.to_thread

from footnote.errors import Unavailable

WAITING_PER_TURN = 8

T = TypeVar("T")


class Turns:
    """Threads that make answers, so many and no more; who comes when too many wait is told so at
    once, instead of being answered when nobody waits any longer.

    Args:
        at_once: threads.
        waiting: how many may wait for one; eight for each thread by default.
        under_way: a context that each one is in, from its coming to its end.
    """

    def __init__(
        self,
        at_once: int,
        waiting: int | None = None,
        under_way: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._at_once = at_once
        self._most = at_once + (WAITING_PER_TURN * at_once if waiting is None else waiting)
        self._under_way = under_way
        self._here = 0
        self._of: Counter[str] = Counter()
        self._shares: dict[str, anyio.CapacityLimiter] = {}

    @cached_property
    def _limiter(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(self._at_once)

    async def take(
        self,
        work: Callable[[], T],
        who: str | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> T:
        """What ``work`` returns, done in a thread when it is the turn of ``who``; ``check`` is
        called just before, and may raise.

        Raises:
            Unavailable: too many wait already, or too many of this caller's.
        """

        def checked() -> T:
            check()
            return work()

        with self._counted(who), self._under_way():
            async with self._share_of(who):
                return await anyio.to_thread.run_sync(checked, limiter=self._limiter)

    @contextmanager
    def _counted(self, who: str | None) -> Iterator[None]:
        own = self._of[who] if who is not None else 0
        if self._here >= self._most or own >= max(1, self._most // 2):
            raise Unavailable(
                "too many questions are waiting", "ask again shortly", code="overloaded"
            )
        self._here += 1
        if who is not None:
            self._of[who] += 1
        try:
            yield
        finally:
            self._here -= 1
            if who is not None:
                self._of[who] -= 1
                if not self._of[who]:
                    del self._of[who]
                    self._shares.pop(who, None)

    def _share_of(self, who: str | None) -> nullcontext[None] | anyio.CapacityLimiter:
        if who is None:
            return nullcontext()
        if who not in self._shares:
            self._shares[who] = anyio.CapacityLimiter(max(1, self._at_once // 2))
        return self._shares[who]
