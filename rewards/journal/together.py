"""Work that several threads ask for is done at once: who comes first does it for all who wait.

A commit waits for the disk. While one does, others come; the next commit is all of theirs. Who
comes alone waits for nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Done = TypeVar("Done")

MOST = 64
"""How many are done at once, so that nobody waits for a group without end."""


@dataclass(eq=False, slots=True)
class _Place(Generic[Asked, Done]):
    """Of one caller in the row. ``called`` is set when its turn has come, or all is done."""

    asked: Asked
    called: threading.Event = field(default_factory=threading.Event)
    done: Done | BaseException | None = None


class Together(Generic[Asked, Done]):
    """``work`` does a group and gives for each what came of it, a result or an error. Safe to call
    from several threads; only one group is being worked on at any moment."""

    def __init__(
        self, work: Callable[[Sequence[Asked]], Sequence[Done | BaseException]], most: int = MOST
    ) -> None:
        self._work = work
        self._most = most
        self._lock = threading.Lock()
        self._row: list[_Place[Asked, Done]] = []
        self._working = False

    def do(self, asked: Asked) -> Done:
        """What came of ``asked``, once its whole group is done.

        Raises:
            BaseException: the error that came of it, or what ended the work of its group.
        """
        place: _Place[Asked, Done] = _Place(asked)
        if not self._first(place):
            place.called.wait()
        if place.done is None:
            self._lead()
        assert place.done is not None
        if isinstance(place.done, BaseException):
            raise place.done
        return place.done

    def _first(self, place: _Place[Asked, Done]) -> bool:
        """Whether nobody is working, so that the caller does now."""
        with self._lock:
            self._row.append(place)
            first, self._working = not self._working, True
            return first

    def _lead(self) -> None:
        """Work for those in front of the row, the caller's place among them; then call the next."""
        with self._lock:
            group = self._row[: self._most]
            del self._row[: self._most]
        try:
            outcomes = self._work([place.asked for place in group])
            for place, outcome in zip(group, outcomes, strict=True):
                place.done = outcome
        except BaseException as error:
            for place in group:
                place.done = error
        finally:
            with self._lock:
                self._working = bool(self._row)
                if self._row:
                    self._row[0].called.set()
            for place in group:
                place.called.set()
