"""A simulated process: its clock, its line to the nodes, its journal, and its wake-ups."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.engine import Connection

from rewards.journal.journal import Journal
from rewards.marks import Mark, Marks
from tests.simulator import chain as model
from tests.simulator.tasks import Task


class Environment(Protocol):
    """What decides at every point; the schedule."""

    now: float

    def visit(self, process: Process, place: str) -> None:
        """Others may go first, or the process ends here (``Crash``)."""

    def node_for(self, process: Process, name: str) -> model.Node:
        """The node that answers, or Unavailable."""

    def hand_over(self, process: Process, node: model.Node, raw: bytes) -> None:
        """Signed bytes reach a node, or Unavailable."""

    def before_reading(self, process: Process) -> None:
        """Raises what a database raises that cannot be read."""

    def before_writing(self, process: Process) -> None:
        """Raises what a database raises that cannot write."""

    def after_writing(self, process: Process) -> None:
        """Raises what a database raises that wrote and could not say so."""

    @property
    def net(self) -> model.Net: ...
    @property
    def redis_away(self) -> bool: ...
    def wake(self) -> None:
        """Wake whoever waits for a wake-up."""


class Process:
    """One life of an API or a worker, from its start to its end."""

    def __init__(
        self, world: Environment, name: str, body: Callable[[Process], None], number: int
    ) -> None:
        self.world = world
        self.name = name
        self.number = number
        self.skew = 0.0
        self.node = 0
        self.task = Task(name, lambda _: body(self))

    def clock(self) -> float:
        return self.world.now + self.skew

    def point(self, place: str) -> None:
        self.world.visit(self, place)

    def sleep(self, seconds: float, *, deaf: bool = True) -> None:
        self.task.deaf = deaf
        self.task.wakes_at = self.world.now + seconds
        self.task.rest()
        self.task.deaf = True

    # A line to the nodes

    @property
    def net(self) -> model.Net:
        return self.world.net

    def call(self, name: str) -> model.Node:
        self.point(f"chain {name}")
        return self.world.node_for(self, name)

    def sent(self, node: model.Node, raw: bytes) -> None:
        self.world.hand_over(self, node, raw)
        self.point("after send")


class ScheduledJournal(Journal):
    """A real Journal; before and after each of its transactions is a point."""

    def __init__(self, url: str, process: Process) -> None:
        self._process = process
        self._inside = False
        super().__init__(url)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if not self._inside:
            self._process.point("journal read")
            self._process.world.before_reading(self._process)
        with super()._reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._process.point("before a transaction")
        self._process.world.before_writing(self._process)
        self._inside = True
        try:
            with super()._writing() as connection:
                yield connection
        finally:
            self._inside = False
        self._process.point("transaction done")
        self._process.world.after_writing(self._process)


@dataclass(frozen=True, slots=True)
class ScheduledMarks(Marks):
    """Real Marks, on a disk that may be full."""

    process: Process

    def note(self, ledger_id: bytes, datanet: str, mark: Mark) -> None:
        self.process.world.before_writing(self.process)
        Marks.note(self, ledger_id, datanet, mark)


class SimulatedWakeUps:
    """A queue that can be wiped and can be away."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def announce(self, datanet: str) -> None:
        self._process.point("announce")
        if not self._process.world.redis_away:
            self._process.world.wake()

    def wait(self, seconds: float) -> bool:
        until = self._process.world.now + seconds
        self._process.sleep(seconds, deaf=self._process.world.redis_away)
        return self._process.world.now < until

    def healthy(self) -> bool:
        return not self._process.world.redis_away


class NeverStopped(threading.Event):
    """A worker's stop that is never set; waiting for it takes simulated time."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def wait(self, timeout: float | None = None) -> bool:
        self._process.sleep(timeout or 0.0)
        return False
