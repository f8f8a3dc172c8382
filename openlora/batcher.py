"""Rows from many requests through one model. One thread joins, steps and drops them.

Every step generates one token for every row, whatever its adapter. Between two steps finished and
cancelled rows leave and waiting ones join. A row joins once its adapter is in memory; loading
happens on a thread beside, so that rows that run do not wait for a disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

from footnote.errors import FootnoteError
from openlora.catalogue import Entry
from openlora.failures import (
    Failure,
    bad_request,
    broken,
    no_numbers,
    of_error,
    queue_full,
    stopping,
    too_late,
)
from openlora.generation import A, Engine, Seat
from openlora.jobs import Job
from openlora.residency import Residency
from openlora.tally import Tally
from openlora.validation import WEIGHTS

_log = logging.getLogger(__name__)

_GLANCE_SECONDS = 0.05
"""How often deadlines are looked at while nothing else happens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``window_seconds`` is how long an idle server waits for company after a first request.
    ``patience_seconds`` is how long a request whose adapter finds no room lets others pass by.
    ``max_positions`` bounds rows times the longest of them, prompt and reply together."""

    max_rows: int = 32
    max_waiting: int = 256
    max_positions: int = 1 << 17
    deadline_seconds: float = 60.0
    window_seconds: float = 0.003
    patience_seconds: float = 1.0


class Batcher(Generic[A]):
    """Runs jobs on an engine until it is closed."""

    def __init__(
        self,
        engine: Engine[A],
        residency: Residency[Entry, A],
        limits: Limits,
        tally: Tally,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._residency = engine, residency
        self._limits, self._tally, self._clock = limits, tally, clock
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._errands: list[Callable[[], None]] = []
        self._wake = threading.Condition()
        self._closing = False
        self._loaders = ThreadPoolExecutor(2, "load")
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, jobs: list[Job]) -> None:
        """Let all of ``jobs`` wait for their turn.

        Raises:
            Failure: too many wait already, or the server is stopping.
        """
        with self._wake:
            if self._closing:
                raise stopping()
            if len(self._waiting) + len(jobs) > self._limits.max_waiting:
                self._tally.finished["429"] += len(jobs)
                raise queue_full()
            for job in jobs:
                job.arrived = self._clock()
            self._waiting += jobs
            self._wake.notify()

    def cancel(self, jobs: list[Job]) -> None:
        """Whoever asked is gone."""
        with self._wake:
            for job in jobs:
                job.cancelled = True
            self._wake.notify()

    def forget(self, entry: Entry) -> None:
        """Let an adapter's memory go once no row uses it."""
        self._do(lambda: self._residency.drop(entry))

    def close(self) -> None:
        """Finish what was accepted, then end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._loaders.shutdown()

    def _do(self, errand: Callable[[], None]) -> None:
        with self._wake:
            self._errands.append(errand)
            self._wake.notify()

    def _run(self) -> None:
        new: list[tuple[Job, A | None]] = []
        while self._rest(stuck=not (new or self._running)):
            self._clear()
            new = self._admit()
            if new:
                self._guarded(lambda new=new: self._join(new))  # type: ignore[misc]
            elif self._running:
                self._guarded(self._step)
            self._leave()
            self._count()

    def _rest(self, *, stuck: bool) -> bool:
        """Wait until there is something to do; False when all is done and closed. ``stuck`` says
        that whoever waits does so for an adapter."""
        with self._wake:
            if not (self._running or self._waiting or self._errands):
                self._wake.wait_for(lambda: self._waiting or self._errands or self._closing)
                if not (self._waiting or self._errands):
                    return False
                full = self._limits.max_rows
                self._wake.wait_for(lambda: len(self._waiting) >= full, self._limits.window_seconds)
            elif stuck and not self._errands:
                self._wake.wait(_GLANCE_SECONDS)
            errands, self._errands = self._errands, []
        for errand in errands:
            errand()
        return True

    def _clear(self) -> None:
        """End what is cancelled or too late, waiting or running."""
        now = self._clock()
        for job in [*self._waiting, *self._running]:
            if job.cancelled:
                job.over = True
                self._tally.finished["cancelled"] += 1
            elif now >= job.ask.deadline:
                self._fail(job, too_late(self._limits.deadline_seconds))
        with self._wake:
            self._waiting = [job for job in self._waiting if not job.over]
        self._leave()

    def _admit(self) -> list[tuple[Job, A | None]]:
        """Those that can join now, their adapters pinned, first come first served."""
        admitted: list[tuple[Job, A | None]] = []
        now = self._clock()
        for job in list(self._waiting):
            if not self._fits([*self._running, *(one for one, _ in admitted), job]):
                break
            entry = job.ask.adapter
            adapter = None if entry is None else self._residency.get(entry)
            if entry is not None and adapter is None:
                found_room = self._residency.is_coming(entry) or self._load(entry, job)
                if not found_room and now - job.arrived > self._limits.patience_seconds:
                    break
                continue
            if entry is not None:
                self._residency.pin(entry)
            admitted.append((job, adapter))
        taken = {id(job) for job, _ in admitted}
        with self._wake:
            self._waiting = [j for j in self._waiting if id(j) not in taken and not j.over]
        return admitted

    def _fits(self, jobs: list[Job]) -> bool:
        if len(jobs) == 1:
            return True
        longest = max(len(job.ask.prompt) + job.ask.max_tokens for job in jobs)
        fits = len(jobs) * longest <= self._limits.max_positions
        return fits and len(jobs) <= self._limits.max_rows

    def _load(self, entry: Entry, job: Job) -> bool:
        """Begin to bring an adapter into memory; False while there is no room for it."""
        try:
            size = (entry.folder / WEIGHTS).stat().st_size
        except OSError:
            size = 0  # loading says what is wrong
        if size > self._residency.max_bytes:
            self._fail(job, bad_request("The adapter is larger than all memory for adapters."))
            return True
        if not self._residency.reserve(entry, size):
            return False
        began = time.perf_counter()
        loading = self._loaders.submit(self._engine.load, entry.folder, entry.name)
        loading.add_done_callback(
            lambda done: self._do(lambda: self._loaded(entry, done, time.perf_counter() - began))
        )
        return True

    def _loaded(self, entry: Entry, loaded: Future[A], seconds: float) -> None:
        error = loaded.exception()
        if error is None:
            adapter = loaded.result()
            self._residency.put(entry, adapter, self._engine.size(adapter))
            self._tally.loads += 1
            self._tally.load_seconds += seconds
            return
        self._residency.abandon(entry)
        self._tally.load_failures += 1
        failure = of_error(error) if isinstance(error, FootnoteError) else broken()
        _log.error("adapter %s cannot be loaded: %r", entry.name, error)
        for job in self._waiting:
            if job.ask.adapter == entry:
                self._fail(job, failure)
        with self._wake:
            self._waiting = [job for job in self._waiting if not job.over]

    def _join(self, new: list[tuple[Job, A | None]]) -> None:
        self._running += [job for job, _ in new]
        seats = [
            Seat(job.ask.prompt, adapter, job.ask.sampling, job.ask.echo) for job, adapter in new
        ]
        for (job, _), joined in zip(new, self._engine.join(seats), strict=True):
            if any(one.failed for one in (joined.first, *joined.prompt)):
                self._fail(job, no_numbers())
            else:
                job.joined(joined)

    def _step(self) -> None:
        self._tally.steps += 1
        self._tally.rows_stepped += len(self._running)
        self._tally.mixed_steps += len({job.ask.adapter for job in self._running}) > 1
        for job, chosen in zip(self._running, self._engine.step(), strict=True):
            if chosen.failed:
                self._fail(job, no_numbers())
            else:
                job.add(chosen)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A model that fails takes the rows with it, and not the server."""
        try:
            work()
        except Exception:
            _log.exception("the model failed")
            for job in self._running:
                if not job.over:
                    self._fail(job, broken())

    def _leave(self) -> None:
        """Drop the rows that are over."""
        staying = [i for i, job in enumerate(self._running) if not job.over]
        if len(staying) == len(self._running):
            return
        for job in self._running:
            if job.over and job.ask.adapter is not None:
                self._residency.unpin(job.ask.adapter)
            if job.over and job.finish_reason is not None:
                self._tally.finished[job.finish_reason] += 1
                self._tally.prompt_tokens += len(job.ask.prompt)
                self._tally.reply_tokens += job.count
        self._engine.keep(staying)
        self._running = [self._running[i] for i in staying]

    def _fail(self, job: Job, failure: Failure) -> None:
        self._tally.finished[str(failure.status)] += 1
        job.fail(failure)

    def _count(self) -> None:
        tally, residency = self._tally, self._residency
        tally.waiting, tally.running = len(self._waiting), len(self._running)
        tally.resident, tally.resident_bytes = len(residency), residency.size
        tally.evictions = residency.evictions
