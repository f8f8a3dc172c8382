"""Answers that are recorded at the same time share one commit, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from footnote.errors import Broken, Conflict, FootnoteError, StorageFull, Unavailable
from footnote.model import Answer
from rewards.journal.answers import Commit
from rewards.journal.databases import Contended
from rewards.journal.journal import Journal
from rewards.journal.records import Asker, QuotaSpent, Retry
from rewards.journal.together import Together
from rewards.marks import Mark, Marks
from rewards.record import Recorder
from tests.behaviour.test_journal import (
    LEDGER_ID,
    SIGNER,
    assert_whole,
    in_threads,
    registration,
    retry,
)
from tests.money import FAR, journal_url, paying

Record = Callable[[], dict[str, Any]]


class GatedJournal(Journal):
    """Counts commits; one waits at ``gate`` before it begins, and ends before it commits with what
    ``failures`` says of its number."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.commits = 0
        self.failures: dict[int, Exception] = {}

    @contextmanager
    def committing(self) -> Iterator[Commit]:
        self.entered.set()
        self.gate.wait()
        with super().committing() as commit:
            self.commits += 1
            yield commit
            if self.commits in self.failures:
                raise self.failures[self.commits]


@dataclass(frozen=True)
class CountingMarks(Marks):
    """Keeps what was noted, and in which order."""

    noted: list[Mark] = field(default_factory=list)

    def note(self, ledger_id: bytes, datanet: str, mark: Mark) -> None:
        self.noted.append(mark)
        Marks.note(self, ledger_id, datanet, mark)


@pytest.fixture
def journal(journal_folder: Path) -> Iterator[GatedJournal]:
    with closing(GatedJournal(journal_url(journal_folder))) as opened:
        opened.add_ledger(FAR)
        opened.register(registration())
        opened.register(registration(datanet="rfcs"))
        yield opened


@pytest.fixture
def recorder(journal: GatedJournal) -> Recorder:
    return Recorder(journal, SIGNER)


Outcome = dict[str, Any] | BaseException


def together(recorder: Recorder, records: Sequence[Record]) -> list[Outcome]:
    """What comes of ``records``, all waiting while one more answer is being committed."""
    journal = recorder.journal
    assert isinstance(journal, GatedJournal)
    outcomes: list[Outcome | None] = [None] * len(records)

    def run(number: int) -> None:
        try:
            outcomes[number] = records[number]()
        except FootnoteError as error:
            outcomes[number] = error

    journal.gate.clear()
    journal.entered.clear()
    first = threading.Thread(target=recorder.record, args=(paying(),))
    first.start()
    journal.entered.wait()
    threads = []
    for number in range(len(records)):
        threads.append(threading.Thread(target=run, args=(number,)))
        threads[-1].start()
        while len(recorder._together._row) < number + 1:  # they wait in this order
            threading.Event().wait(0.001)
    journal.gate.set()
    for thread in (first, *threads):
        thread.join()
    return [outcome for outcome in outcomes if outcome is not None]


def test_answers_that_wait_for_a_commit_share_the_next_one(
    journal: GatedJournal, recorder: Recorder
) -> None:
    bodies = together(recorder, [lambda: recorder.record(paying())] * 6)
    assert journal.commits == 2
    assert [body["receipt"]["seq"] for body in bodies if isinstance(body, dict)] == [*range(1, 7)]
    assert_whole(journal, 7)


def test_an_answer_that_comes_alone_waits_for_nobody(
    journal: GatedJournal, recorder: Recorder
) -> None:
    for _ in range(3):
        recorder.record(paying())
    assert journal.commits == 3
    assert_whole(journal, 3)


def test_one_that_is_refused_harms_none_of_the_others(
    journal: GatedJournal, recorder: Recorder
) -> None:
    recorder.record(paying(), retry("used"))
    asker = Asker("acme", "k1", 1)
    taken = paying()
    records: list[Record] = [
        lambda: recorder.record(paying(), asker=asker),
        lambda: recorder.record(paying(), asker=asker),
        lambda: recorder.record(paying(), retry("used", b"another body")),
        lambda: recorder.record(taken),
        lambda: recorder.record(taken),
        lambda: recorder.record(paying(1, "rfcs")),
        lambda: recorder.record(paying()),
    ]
    outcomes = together(recorder, records)
    assert journal.commits == 3
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [dict, QuotaSpent, Conflict, dict, Broken, dict, dict]
    assert_whole(journal, 5)
    assert journal.next_seq(LEDGER_ID, "rfcs") == 1


def test_the_first_answer_ever_may_fail_in_a_group(
    journal: GatedJournal, recorder: Recorder
) -> None:
    nothing_left = Asker("acme", "k1", 0)
    outcomes = together(
        recorder,
        [
            lambda: recorder.record(paying(1, "rfcs"), asker=nothing_left),
            lambda: recorder.record(paying(1, "rfcs")),
        ],
    )
    assert isinstance(outcomes[0], QuotaSpent)
    assert isinstance(outcomes[1], dict)
    assert outcomes[1]["receipt"]["seq"] == 0


def test_a_datanet_that_answers_nothing_stays_unknown(
    journal: GatedJournal, recorder: Recorder
) -> None:
    with pytest.raises(QuotaSpent):
        recorder.record(paying(1, "rfcs"), asker=Asker("acme", "k1", 0))
    assert not journal.knows("rfcs")


def test_of_one_key_in_one_group_one_answer_is_recorded_and_both_get_it(
    journal: GatedJournal, recorder: Recorder
) -> None:
    outcomes = together(recorder, [lambda: recorder.record(paying(), retry("k"))] * 3)
    assert journal.commits == 2
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert isinstance(outcomes[0], dict)
    assert_whole(journal, 2)


@pytest.mark.parametrize("failure", [Unavailable, StorageFull])
def test_a_commit_that_fails_fails_for_all_of_its_answers(
    journal: GatedJournal, recorder: Recorder, failure: type[FootnoteError]
) -> None:
    journal.failures = {2: failure("it failed", "try again")}
    outcomes = together(recorder, [lambda: recorder.record(paying())] * 4)
    assert [type(outcome) for outcome in outcomes] == [failure] * 4
    assert_whole(journal, 1)
    recorder.record(paying())
    assert_whole(journal, 2)


def test_a_commit_that_stood_in_anothers_way_is_done_again(
    journal: GatedJournal, recorder: Recorder
) -> None:
    undone = Contended("undone", "try again")
    journal.failures = dict.fromkeys((1, 2, 3, 5, 6, 7, 8), undone)
    assert recorder.record(paying())["receipt"]["seq"] == 0
    assert journal.commits == 4
    with pytest.raises(Unavailable):
        recorder.record(paying())
    assert_whole(journal, 1)


# Marks and crashes


def test_a_group_notes_one_mark_for_a_datanet_the_newest(
    journal: GatedJournal, tmp_path: Path
) -> None:
    marks = CountingMarks(tmp_path / "marks")
    recorder = Recorder(journal, SIGNER, marks)
    records: list[Record] = [lambda: recorder.record(paying())] * 4
    outcomes = together(recorder, [*records, lambda: recorder.record(paying(1, "rfcs"))])
    assert [mark.seq for mark in marks.noted] == [0, 4, 0]
    newest = marks.of("eips")[LEDGER_ID]
    assert isinstance(outcomes[3], dict)
    assert outcomes[3]["receipt"]["id"] == "0x" + newest.digest.hex()
    recorder.record(paying())
    assert_whole(journal, 6)


def test_where_a_mark_cannot_be_noted_its_datanet_alone_gets_no_answer(
    journal: GatedJournal, tmp_path: Path
) -> None:
    class Full(CountingMarks):
        def note(self, ledger_id: bytes, datanet: str, mark: Mark) -> None:
            if datanet == "eips" and mark.seq:
                raise StorageFull("no room for the high-water mark", "free some disk space")
            super().note(ledger_id, datanet, mark)

    recorder = Recorder(journal, SIGNER, Full(tmp_path / "marks"))
    records: list[Record] = [lambda: recorder.record(paying())] * 2
    outcomes = together(recorder, [*records, lambda: recorder.record(paying(1, "rfcs"))])
    assert [type(outcome) for outcome in outcomes] == [StorageFull, StorageFull, dict]


def test_a_mark_that_cannot_be_used_harms_no_other_datanet(
    journal: GatedJournal, tmp_path: Path
) -> None:
    marks = Marks(tmp_path / "marks")
    recorder = Recorder(journal, SIGNER, marks)
    recorder.record(paying(1, "rfcs"))
    (file,) = marks.folder.iterdir()
    file.unlink()
    file.mkdir()
    records: list[Record] = [
        lambda: recorder.record(paying(1, "rfcs")),
        lambda: recorder.record(paying()),
    ]
    outcomes = together(recorder, records)
    assert [type(outcome) for outcome in outcomes] == [Unavailable, dict]
    assert journal.next_seq(LEDGER_ID, "rfcs") == 1


def test_nobody_is_answered_before_the_commit_and_the_mark(
    journal: GatedJournal, tmp_path: Path
) -> None:
    marks, steps = Marks(tmp_path / "marks"), list[tuple[str, int, int | None]]()

    def note(name: str) -> None:
        mark = marks.of("eips").get(LEDGER_ID)
        steps.append((name, journal.next_seq(LEDGER_ID, "eips"), mark.seq if mark else None))

    recorder = Recorder(journal, SIGNER, marks, crash_point=note)
    together(recorder, [lambda: recorder.record(paying())] * 3)
    assert steps == [
        ("after commit", 1, None), ("after mark", 1, 0),
        ("after commit", 4, 0), ("after mark", 4, 3),
    ]  # fmt: skip


def test_a_crash_between_the_first_commit_and_its_mark_stops_nothing(
    journal: GatedJournal, tmp_path: Path
) -> None:
    class Crash(Exception):
        pass

    def crash(point: str) -> None:
        raise Crash(point)

    marks = Marks(tmp_path / "marks")
    with pytest.raises(Crash, match="after commit"):
        Recorder(journal, SIGNER, marks, crash_point=crash).record(paying())
    recorder = Recorder(journal, SIGNER, marks)
    recorder.check("eips")
    recorder.record(paying())
    assert_whole(journal, 2)
    (file,) = marks.folder.iterdir()
    file.unlink()
    with pytest.raises(Broken, match="mark of eips is missing"):
        recorder.record(paying())


# Many at once


def test_many_threads_of_several_datanets_keep_every_chain_whole(
    journal: GatedJournal, tmp_path: Path
) -> None:
    recorder = Recorder(journal, SIGNER, Marks(tmp_path / "marks"))
    names = ("eips", "rfcs")
    in_threads(16, lambda n: [recorder.record(paying(n + 1, names[(n + i) % 2])) for i in range(6)])
    assert journal.commits < 96
    assert_whole(journal, 48)
    assert journal.next_seq(LEDGER_ID, "rfcs") == 48


def test_two_recorders_of_one_journal_as_two_processes_have_keep_the_chain_whole(
    journal: GatedJournal, tmp_path: Path
) -> None:
    """Groups of both hold several Datanets at once, and wait for each other's."""
    with closing(GatedJournal(journal_url(tmp_path))) as other:
        recorders = [Recorder(journal, SIGNER), Recorder(other, SIGNER)]
        names = ("eips", "rfcs")
        in_threads(
            12,
            lambda n: [
                recorders[n % 2].record(paying(n + 1, names[(n // 2 + i) % 2])) for i in range(6)
            ],
        )
    assert_whole(journal, 36)
    assert journal.next_seq(LEDGER_ID, "rfcs") == 36


def test_requests_with_one_key_to_two_datanets_at_once_are_one_answer(
    journal: GatedJournal, tmp_path: Path
) -> None:
    with closing(GatedJournal(journal_url(tmp_path))) as other:
        recorders = [Recorder(journal, SIGNER), Recorder(other, SIGNER)]
        names, ids = ("eips", "rfcs"), list[str]()

        def ask(n: int) -> None:
            one = Retry("anonymous", f"k{n // 2}", b"x" * 32)
            ids.append(recorders[n % 2].record(paying(1, names[n % 2]), one)["id"])

        in_threads(10, ask)
    assert len(set(ids)) == 5
    total = sum(journal.next_seq(LEDGER_ID, name) for name in names)
    assert total == 5


# The row


def test_a_group_is_bounded_and_the_next_is_led_by_the_first_that_waits() -> None:
    gate, groups = threading.Event(), list[list[int]]()

    def work(asked: Sequence[int]) -> Sequence[int]:
        gate.wait()
        groups.append(list(asked))
        return [number * 2 for number in asked]

    row, given = Together(work, most=3), dict[int, int]()
    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=lambda n=number: given.update({n: row.do(n)})))
        threads[-1].start()
        while len(row._row) < number:  # the first one works, and the others wait
            threading.Event().wait(0.001)
    gate.set()
    for thread in threads:
        thread.join()
    assert groups == [[0], [1, 2, 3], [4, 5, 6], [7]]
    assert given == {number: number * 2 for number in range(8)}


def test_work_that_fails_leaves_the_row_usable() -> None:
    def work(asked: Sequence[Answer]) -> Sequence[Answer]:
        raise RuntimeError("a bug")

    row = Together(work)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a bug"):
            row.do(paying())


def test_a_copy_of_a_recorder_has_a_row_of_its_own(recorder: Recorder) -> None:
    later = replace(recorder, clock=lambda: 2_000_000_000.0)
    assert later.record(paying())["receipt"]["issued_at"] == 2_000_000_000
    assert recorder.record(paying())["receipt"]["issued_at"] < 2_000_000_000
