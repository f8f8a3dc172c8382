"""The batcher over an engine that counts: who joins, waits, leaves, and who is told what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from footnote.errors import Invalid
from openlora.batcher import Batcher, Limits
from openlora.catalogue import Entry
from openlora.failures import Failure
from openlora.generation import Chosen, Joined, Sampling, Seat
from openlora.jobs import Ask, Event, Finished, Job, Piece
from openlora.residency import Residency
from openlora.tally import Tally
from openlora.texts import GrowingText

END = 0
LONG = 30_000
"""More tokens than a test waits for."""


@dataclass
class Counting:
    """Every row says 1, 2, 3 …. ``gate`` holds steps back; folders named ``bad`` do not load."""

    max_context: int = 1_000
    vocabulary: int = 1_000
    ends: frozenset[int] = frozenset({END})
    gate: threading.Event = field(default_factory=threading.Event)
    rows: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    seen: list[set[str | None]] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    broken: bool = False

    def load(self, folder: Path, name: str | None = None) -> str:
        if folder.name == "bad":
            raise Invalid("the adapter holds no weights", "save the adapter again")
        self.loaded.append(folder.name)
        return folder.name

    def size(self, adapter: str) -> int:
        return 10

    def join(self, seats: Sequence[Seat[str]]) -> list[Joined]:
        if self.broken:
            raise RuntimeError("out of memory")
        self.rows += [1] * len(seats)
        self.seen.append({seat.adapter for seat in seats})
        return [Joined(Chosen(1, failed=seat.adapter == "nan")) for seat in seats]

    def step(self) -> list[Chosen]:
        self.gate.wait(10)
        self.widths.append(len(self.rows))
        self.rows = [count + 1 for count in self.rows]
        return [Chosen(count) for count in self.rows]

    def keep(self, rows: Sequence[int]) -> None:
        self.rows = [self.rows[i] for i in rows]


@dataclass
class Asked:
    """A job and what it was told."""

    job: Job
    events: list[Event] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def tell(self, event: Event) -> None:
        self.events.append(event)
        if not isinstance(event, Piece):
            self.over.set()

    @property
    def last(self) -> Event:
        assert self.over.wait(10)
        return self.events[-1]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Piece))


Start = Callable[..., Batcher[str]]


@pytest.fixture
def engine() -> Counting:
    engine = Counting()
    engine.gate.set()
    return engine


@pytest.fixture
def start(engine: Counting) -> Iterator[Start]:
    running: list[Batcher[str]] = []

    def started(
        limits: Limits | None = None, adapters: int = 2, max_bytes: int = 1_000
    ) -> Batcher[str]:
        residency: Residency[Entry, str] = Residency(adapters, max_bytes)
        batcher = Batcher(engine, residency, limits or Limits(), Tally())
        batcher.start()
        running.append(batcher)
        return batcher

    yield started
    engine.gate.set()
    for batcher in running:
        batcher.close()


def asked(
    adapter: Entry | None = None,
    most: int = 5,
    *,
    stream: bool = False,
    deadline: float = float("inf"),
) -> Asked:
    ask = Ask([1], adapter, Sampling(), most, stream=stream, deadline=deadline)
    text = GrowingText(lambda tokens: "".join(f"{token}," for token in tokens), ())
    one = Asked(Job(ask, lambda event: one.tell(event), text, frozenset({END})))
    return one


def entry(name: str) -> Entry:
    return Entry(name, Path(name), 0)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_rows_join_and_leave_between_steps(start: Start, engine: Counting) -> None:
    engine.gate.clear()
    batcher = start()
    long, short = asked(most=50), asked(most=3)
    batcher.submit([long.job])
    until(lambda: engine.rows)
    batcher.submit([short.job])
    engine.gate.set()
    assert short.last == Finished("length", 1, 3)
    assert short.text == "1,2,3,"
    assert long.last == Finished("length", 1, 50)
    assert 2 in engine.widths
    assert engine.widths[-1] == 1


def test_requests_for_different_adapters_share_a_batch(start: Start, engine: Counting) -> None:
    batcher = start()
    jobs = [asked(entry(name) if name else None, LONG) for name in ("one", "two", "one", "")]
    batcher.submit([one.job for one in jobs])
    until(lambda: 4 in engine.widths)
    batcher.cancel([one.job for one in jobs])
    assert set().union(*engine.seen) == {"one", "two", None}
    assert sorted(engine.loaded) == ["one", "two"]


def test_an_adapter_in_use_stays_and_the_next_waits_for_its_place(
    start: Start, engine: Counting
) -> None:
    engine.gate.clear()
    batcher = start(adapters=1)
    first, second = asked(entry("one"), most=200), asked(entry("two"))
    batcher.submit([first.job])
    until(lambda: engine.rows)
    batcher.submit([second.job])
    time.sleep(0.05)
    assert engine.loaded == ["one"]
    engine.gate.set()
    assert second.last == Finished("length", 1, 5)
    assert first.over.is_set()
    assert engine.loaded == ["one", "two"]


def test_one_that_waited_long_for_a_place_is_not_passed_by_for_ever(
    start: Start, engine: Counting
) -> None:
    engine.gate.clear()
    batcher = start(Limits(patience_seconds=0.05), adapters=1)
    first, second, third = (asked(entry(name), most=60) for name in ("one", "two", "one"))
    batcher.submit([first.job])
    until(lambda: engine.rows)
    batcher.submit([second.job])
    time.sleep(0.1)
    batcher.submit([third.job])
    engine.gate.set()
    assert third.last == Finished("length", 1, 60)
    assert second.over.is_set()
    assert engine.loaded == ["one", "two", "one"]


def test_a_cancelled_row_leaves_and_nothing_more_is_told(start: Start, engine: Counting) -> None:
    engine.gate.clear()
    batcher = start()
    gone, other = asked(most=LONG), asked(most=20)
    batcher.submit([gone.job, other.job])
    until(lambda: len(engine.rows) == 2)
    batcher.cancel([gone.job])
    engine.gate.set()
    assert other.last == Finished("length", 1, 20)
    until(lambda: gone.job.over)
    assert gone.events == []
    assert engine.rows == []


def test_more_than_may_wait_are_refused_at_once(start: Start, engine: Counting) -> None:
    engine.gate.clear()
    batcher = start(Limits(max_rows=1, max_waiting=2))
    running = asked(most=3)
    batcher.submit([running.job])
    until(lambda: engine.rows)
    waiting = [asked(), asked()]
    batcher.submit([one.job for one in waiting])
    with pytest.raises(Failure) as raised:
        batcher.submit([asked().job])
    assert raised.value.status == 429
    engine.gate.set()
    assert {one.last for one in waiting} == {Finished("length", 1, 5)}


def test_a_deadline_ends_what_waits_and_what_runs(start: Start, engine: Counting) -> None:
    batcher = start(Limits(max_rows=1, deadline_seconds=0.03))
    soon = time.monotonic() + 0.03
    running, waiting = asked(most=LONG, deadline=soon), asked(deadline=soon)
    batcher.submit([running.job, waiting.job])
    for one in (running, waiting):
        assert isinstance(one.last, Failure)
        assert one.last.status == 504
    after = asked()
    batcher.submit([after.job])
    assert after.last == Finished("length", 1, 5)


def test_an_adapter_that_does_not_load_fails_its_own_requests_alone(start: Start) -> None:
    batcher = start()
    bad, good = asked(entry("bad")), asked(entry("good"))
    batcher.submit([bad.job, good.job])
    assert isinstance(bad.last, Failure)
    assert bad.last.status == 400
    assert "holds no weights" in bad.last.message
    assert good.last == Finished("length", 1, 5)


def test_a_row_without_numbers_fails_alone(start: Start, engine: Counting) -> None:
    engine.gate.clear()
    batcher = start()
    running, bad, good = asked(most=9), asked(entry("nan")), asked(entry("good"))
    batcher.submit([running.job])
    until(lambda: engine.rows)
    batcher.submit([bad.job, good.job])
    engine.gate.set()
    assert isinstance(bad.last, Failure)
    assert bad.last.status == 500
    assert running.last == Finished("length", 1, 9)
    assert good.last == Finished("length", 1, 5)


def test_an_adapter_larger_than_all_memory_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(bytes(100))
    batcher = start(max_bytes=50)
    one = asked(Entry("large", tmp_path, 0))
    batcher.submit([one.job])
    assert isinstance(one.last, Failure)
    assert one.last.status == 400


def test_a_model_that_fails_takes_its_rows_and_not_the_server(
    start: Start, engine: Counting
) -> None:
    batcher = start()
    engine.broken = True
    one = asked()
    batcher.submit([one.job])
    assert isinstance(one.last, Failure)
    assert one.last.status == 500
    engine.broken = False
    after = asked()
    batcher.submit([after.job])
    assert after.last == Finished("length", 1, 5)


def test_closing_finishes_what_was_accepted_and_takes_no_more(
    start: Start, engine: Counting
) -> None:
    engine.gate.clear()
    batcher = start(Limits(max_rows=1))
    jobs = [asked(most=20), asked(most=20)]
    batcher.submit([one.job for one in jobs])
    until(lambda: engine.rows)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    time.sleep(0.02)
    with pytest.raises(Failure) as raised:
        batcher.submit([asked().job])
    assert raised.value.status == 503
    engine.gate.set()
    closing.join(10)
    assert {one.last for one in jobs} == {Finished("length", 1, 20)}


def test_rows_times_the_longest_stay_within_the_bound(start: Start, engine: Counting) -> None:
    engine.gate.clear()
    batcher = start(Limits(max_positions=100))
    jobs = [asked(most=29) for _ in range(9)]
    batcher.submit([one.job for one in jobs])
    until(lambda: engine.rows)
    engine.gate.set()
    assert all(one.last == Finished("length", 1, 29) for one in jobs)
    assert max(engine.widths) == 3
