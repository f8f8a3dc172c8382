"""Simulated processes: threads of which only one runs at a time, and only when it is told to.

Every chain call, journal transaction, crash point and wait of the code under test is a *point*. At
a point the schedule decides: go on, let others go first, fail, or end this process. So any
interleaving of any number of workers can happen, and the same seed gives the same one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Crash(BaseException):
    """The process ends here and now. No code of ours catches it."""


class Task:
    """One simulated process. ``body`` runs in a thread of its own, between :meth:`resume` and the
    next :meth:`rest`, while everybody else stands still."""

    def __init__(self, name: str, body: Callable[[Task], None]) -> None:
        self.name = name
        self.wakes_at = 0.0
        self.deaf = True
        """Whether it sleeps through wake-ups."""
        self.doomed = False
        self.over = False
        self.failure: BaseException | None = None
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._body = body
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Let it run until it rests or ends.

        Raises:
            BaseException: whatever it failed with, other than a Crash.
        """
        self._mine.release()
        self._theirs.acquire()
        if self.over:
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    def rest(self) -> None:
        """Called within: let the others run."""
        self._theirs.release()
        self._mine.acquire()
        if self.doomed:
            raise Crash

    def end(self) -> None:
        """End it wherever it rests."""
        self.doomed = True
        while not self.over:
            self.resume()

    def _run(self) -> None:
        self._mine.acquire()
        try:
            if not self.doomed:
                self._body(self)
        except Crash:
            pass
        except BaseException as failure:
            self.failure = failure
        self.over = True
        self._theirs.release()
