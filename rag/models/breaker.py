"""Stops asking a server that keeps failing, so that questions fail at once and it can recover.

Our own because pybreaker holds its lock while a call runs, which lets one question through at a
time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from footnote.errors import Unavailable


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after ``failures`` in a row; after ``rest_seconds`` one call tries whether it is over.

    Only Unavailable is a failure: any other error is an answer.
    """

    what: str
    failures: int = 5
    rest_seconds: float = 10.0
    clock: Callable[[], float] = time.monotonic
    _failed: int = 0
    _open_until: float = 0.0
    _trying: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wraps one call; Unavailable at once while open."""
        self._admit()
        try:
            yield
        except Unavailable:
            self._note(failed=True)
            raise
        except BaseException:
            self._note(failed=False)
            raise
        self._note(failed=False)

    @property
    def failing(self) -> bool:
        """Whether the last calls failed, so that only one tries now and then."""
        return self._failed >= self.failures

    def works(self) -> None:
        """What is asked answers, though the call goes on: nobody else need wait for its end."""
        if self._failed or self._trying:
            self._note(failed=False)

    def _admit(self) -> None:
        with self._lock:
            if self._failed < self.failures:
                return
            left = self._open_until - self.clock()
            if left > 0 or self._trying:
                raise Unavailable(
                    f"{self.what} failed {self._failed} times in a row",
                    f"try again in {max(1, round(left))} seconds",
                )
            self._trying = True

    def _note(self, *, failed: bool) -> None:
        with self._lock:
            self._trying = False
            self._failed = self._failed + 1 if failed else 0
            if self._failed >= self.failures:
                self._open_until = self.clock() + self.rest_seconds
