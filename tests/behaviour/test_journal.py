"""The journal: gap-free, durable, all or nothing, under threads, processes and kills; in SQLite and
in PostgreSQL."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from cli.stack import free_port
from footnote.errors import (
    Broken,
    Conflict,
    Invalid,
    Misconfigured,
    NotFound,
    StorageFull,
    Unavailable,
)
from footnote.ids import keccak, sha256
from rewards.answered import with_live_status
from rewards.batch import (
    Attempt,
    Batch,
    FinalBatch,
    MinedBatch,
    NoncedBatch,
    Payout,
    PlannedBatch,
    SentBatch,
    SignedBatch,
    batch_of,
)
from rewards.journal.answers import Commit
from rewards.journal.journal import Journal
from rewards.journal.records import (
    DAY_SECONDS,
    ApiKey,
    Asker,
    Overtaken,
    QuotaSpent,
    Retry,
    SeenFunds,
    StoredReceipt,
)
from rewards.keys import recover
from rewards.ledger import Ledger, Registration, SignerTerm
from rewards.owed import Spent
from rewards.policy import Policy
from rewards.receipt import citations_root
from rewards.record import Recorder
from tests.money import (
    FAR,
    address,
    answer,
    document,
    journal_at,
    journal_url,
    key_of,
    paying,
    refusal,
    supported,
)
from tests.postgres import Postgres

SIGNER = key_of("journal signer")
LEDGER_ID = FAR.ledger_id
UNLIMITED = Policy(daily_budget=None, daily_limit_per_address=None)


def registration(ledger: Ledger = FAR, datanet: str = "eips") -> Registration:
    terms = (SignerTerm(SIGNER.address, 1_700_000_000),)
    return Registration(datanet, ledger, sha256(datanet.encode()), address(80), terms)


@pytest.fixture
def journal(journal_folder: Path) -> Iterator[Journal]:
    with closing(registered(journal_folder)) as opened:
        yield opened


@pytest.fixture
def sqlite_journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(registered(tmp_path)) as opened:
        yield opened


@pytest.fixture
def postgres_journal(postgres: Postgres, tmp_path: Path) -> Iterator[Journal]:
    with postgres.database() as url:
        (tmp_path / "journal.url").write_text(url)
        with closing(registered(tmp_path)) as opened:
            yield opened


def registered(folder: Path) -> Journal:
    opened = journal_at(folder)
    opened.add_ledger(FAR)
    opened.register(registration())
    return opened


@pytest.fixture
def recorder(journal: Journal) -> Recorder:
    return Recorder(journal, SIGNER)


def stored(journal: Journal, ledger_id: bytes = LEDGER_ID) -> list[StoredReceipt]:
    return journal.receipts(ledger_id, "eips", 0, 10_000)


def assert_whole(journal: Journal, count: int, ledger_id: bytes = LEDGER_ID) -> None:
    """Numbers without gaps, each receipt naming the one before, signed, its lines hashed."""
    found = stored(journal, ledger_id)
    assert [receipt.message.seq for receipt in found] == list(range(count))
    previous = bytes(32)
    for receipt in found:
        assert receipt.message.previous == previous
        previous = receipt.message.digest(receipt.domain)
        assert receipt.digest == previous
        assert citations_root(receipt.lines) == receipt.message.citations_root
        assert receipt.signature is not None
        assert recover(receipt.digest, receipt.signature) == SIGNER.address
        assert receipt.answer_id is not None
        assert journal.answer(receipt.answer_id)["receipt"]["seq"] == receipt.message.seq
    assert journal.next_seq(ledger_id, "eips") == count


# Numbers


def in_threads(count: int, work: Callable[[int], object]) -> None:
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def test_seq_has_no_gaps_and_no_doubles_under_many_threads(
    journal: Journal, recorder: Recorder
) -> None:
    in_threads(12, lambda n: [recorder.record(paying(n + 1)) for _ in range(5)])
    assert_whole(journal, 60)


RECORDING = """
import sys
from pathlib import Path
from rewards.record import Recorder
from tests.behaviour.test_journal import SIGNER
from tests.money import journal_at, paying
recorder = Recorder(journal_at(Path(sys.argv[1])), SIGNER)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    recorder.record(paying())
    print("done", flush=True)
"""


def recording(folder: Path, count: int) -> subprocess.Popen[str]:
    """Another process that records answers once it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", RECORDING, str(folder), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def line_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_seq_has_no_gaps_and_no_doubles_under_several_processes(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    processes = [recording(tmp_path, 10) for _ in range(2)]
    for process in processes:
        assert line_from(process) == "ready"
    for process in processes:
        go(process)
    in_threads(4, lambda n: [recorder.record(paying(n + 1)) for _ in range(5)])
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert_whole(journal, 40)


def test_what_a_killed_process_was_told_is_recorded_stays_and_nothing_half(
    journal: Journal, tmp_path: Path
) -> None:
    process = recording(tmp_path, 10_000)
    assert line_from(process) == "ready"
    go(process)
    told = 0
    while told < 7:
        assert line_from(process) == "done"
        told += 1
    process.kill()
    rest, _ = process.communicate()
    told += rest.count("done")
    count = journal.next_seq(LEDGER_ID, "eips")
    assert told <= count <= told + 1
    assert_whole(journal, count)


OPENING = """
import sys
from pathlib import Path
from tests.money import journal_at
print("ready", flush=True)
sys.stdin.readline()
journal_at(Path(sys.argv[1])).check()
"""


def open_at_once(folder: Path) -> None:
    """Four processes open the journal of ``folder`` together, then eight threads."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert line_from(process) == "ready"
    for process in processes:
        go(process)
    for process in processes:
        _, said = process.communicate()
        assert process.returncode == 0, said


def check_at(folder: Path) -> None:
    with closing(journal_at(folder)) as opened:
        opened.check()


def test_several_processes_may_open_a_new_journal_at_once(tmp_path: Path) -> None:
    open_at_once(tmp_path)


def test_several_processes_may_open_a_new_journal_in_postgresql_at_once(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.database("template0") as url:
        (tmp_path / "journal.url").write_text(url)
        open_at_once(tmp_path)


def test_many_threads_may_open_a_new_journal_at_once(tmp_path: Path) -> None:
    for round_ in range(5):
        folder = tmp_path / str(round_)
        in_threads(8, lambda n, folder=folder: check_at(folder))  # type: ignore[misc]


def test_many_threads_may_open_a_new_journal_in_postgresql_at_once(
    postgres: Postgres, tmp_path: Path
) -> None:
    for _ in range(3):
        with postgres.database("template0") as url:
            (tmp_path / "journal.url").write_text(url)
            in_threads(8, lambda n: check_at(tmp_path))


def test_each_datanet_has_its_own_numbers(journal: Journal, recorder: Recorder) -> None:
    journal.register(registration(datanet="rfcs"))
    for name in ("eips", "rfcs", "eips"):
        recorder.record(paying(1, name))
    assert journal.next_seq(LEDGER_ID, "eips") == 2
    assert journal.next_seq(LEDGER_ID, "rfcs") == 1


def test_a_new_ledger_begins_its_own_numbers_and_history_stays_where_it_is(
    journal: Journal, recorder: Recorder
) -> None:
    recorder.record(paying())
    recorder.record(paying())
    other = replace(FAR, pool=address(95), created_at=FAR.created_at + 1)
    journal.add_ledger(other)
    journal.register(registration(other))
    body = recorder.record(paying())
    assert body["receipt"]["seq"] == 0
    assert_whole(journal, 2)
    assert_whole(journal, 1, other.ledger_id)


# Idempotency


def test_days_and_earnings_are_those_of_the_receipts(journal: Journal) -> None:
    now = [1_700_000_000]
    recorder = Recorder(journal, SIGNER, clock=lambda: now[0])
    recorder.record(paying(1))
    recorder.record(paying(2))
    now[0] += 3 * DAY_SECONDS
    recorder.record(paying(2))
    recorder.record(refusal())
    first = 1_700_000_000 // DAY_SECONDS
    per_answer = sum(line.amount for line in stored(journal)[0].lines)
    days = journal.days("eips", 0)
    assert [(one.day, one.answers) for one in days] == [(first, 2), (first + 3, 2)]
    assert days[0].payouts == 2 * per_answer
    assert days[0].fees == 2 * stored(journal)[0].message.fee
    assert journal.days("eips", first + 1) == days[1:]
    assert journal.days("nobody", 0) == []
    owed = journal.owed_in(LEDGER_ID)
    assert journal.earned_by("eips") == {a: n for a, n in owed.items() if n}
    for account, amount in owed.items():
        assert sum(journal.days_of(account, 0).values()) == amount
    twice = journal.days_of(address(2), 0)
    assert set(twice) == {first, first + 3}
    assert journal.days_of(address(2), first + 1) == {first + 3: twice[first + 3]}


def test_what_was_seen_of_the_chain_is_kept_as_seen_last(journal: Journal) -> None:
    assert journal.funds_seen(LEDGER_ID, "eips") is None
    journal.note_funds(LEDGER_ID, "eips", 2**100, 5)
    journal.note_funds(LEDGER_ID, "eips", 2**99, 6)
    journal.note_funds(LEDGER_ID, "handbook", 0, 7)
    assert journal.funds_seen(LEDGER_ID, "eips") == SeenFunds(2**99, 6)
    assert journal.audits() == []
    journal.note_audit(None, {"agrees": True}, 10)
    journal.note_audit("eips", {"agrees": True}, 11)
    journal.note_audit("eips", {"agrees": False}, 12)
    assert [(one.datanet, one.made_at, one.body["agrees"]) for one in journal.audits()] == [
        ("eips", 12, False), (None, 10, True),
    ]  # fmt: skip


def retry(key: str, body: bytes = b"body", caller: str = "anonymous") -> Retry:
    return Retry(caller, key, sha256(body))


def test_the_same_key_and_body_give_the_same_answer_and_one_receipt(
    journal: Journal, recorder: Recorder
) -> None:
    first = recorder.record(paying(1), retry("k"))
    again = recorder.record(paying(2), retry("k"))
    assert again == first
    assert journal.retried(retry("k")) == first["id"]
    assert_whole(journal, 1)


def test_another_body_under_the_same_key_is_refused_and_records_nothing(
    journal: Journal, recorder: Recorder
) -> None:
    recorder.record(paying(), retry("k"))
    for act in (
        lambda: recorder.record(paying(), retry("k", b"other")),
        lambda: journal.retried(retry("k", b"other")),
    ):
        with pytest.raises(Conflict, match="another body") as refused:
            act()
        assert (refused.value.status, refused.value.code) == (409, "idempotency-key-reused")
    assert_whole(journal, 1)


def test_an_erased_answer_leaves_its_receipt_and_nothing_of_what_was_said(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    body = recorder.record(paying())
    kept = recorder.record(paying())
    digest = bytes.fromhex(body["receipt"]["id"][2:])
    before = journal.receipt(digest)
    assert journal.erase(body["id"], 1_800_000_000) == digest
    with pytest.raises(NotFound, match="was erased"):
        journal.answer(body["id"])
    with pytest.raises(NotFound, match="was erased"):
        journal.erase(body["id"], 1_800_000_000)
    assert journal.receipt(digest) == before
    assert journal.answer(kept["id"])["text"] == kept["text"]
    for file in tmp_path.glob("*.sqlite*"):
        assert body["receipt"]["salt"].encode() not in file.read_bytes(), file.name


def test_keys_are_per_caller(journal: Journal, recorder: Recorder) -> None:
    recorder.record(paying(), retry("k", caller="a"))
    recorder.record(paying(), retry("k", b"other", caller="b"))
    assert_whole(journal, 2)


def test_of_many_requests_with_one_key_at_once_one_is_recorded(
    journal: Journal, recorder: Recorder
) -> None:
    answers: list[str] = []
    in_threads(8, lambda n: answers.append(recorder.record(paying(n + 1), retry("k"))["id"]))
    assert len(set(answers)) == 1
    assert_whole(journal, 1)


# All or nothing


class Interrupted(Exception):
    pass


class Failing(Journal):
    """Fails after everything was written and before it commits."""

    @contextmanager
    def committing(self) -> Iterator[Commit]:
        with super().committing() as commit:
            yield commit
            raise Interrupted


def test_nothing_is_visible_if_the_transaction_fails(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.record(paying())
    given = answer([supported(1, document("a"))], answer_id="ans_lost")
    with closing(Failing(journal_url(tmp_path))) as failing, pytest.raises(Interrupted):
        Recorder(failing, SIGNER).record(given, retry("k"))
    assert_whole(journal, 1)
    with pytest.raises(NotFound):
        journal.answer("ans_lost")
    assert journal.retried(retry("k")) is None
    recorder.record(paying(), retry("k", b"other"))
    assert_whole(journal, 2)


def test_an_answer_id_that_exists_is_refused_and_records_nothing(
    journal: Journal, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    given = answer([supported(1, document("a"))], question="Is this SECRET?", answer_id="ans_1")
    recorder.record(given)
    with pytest.raises(Broken) as refused, caplog.at_level(logging.DEBUG):
        recorder.record(given)
    assert_whole(journal, 1)
    assert "SECRET" not in f"{refused.value} {refused.value.__cause__}", "errors are logged"


def test_a_full_disk_says_so_and_records_nothing(sqlite_journal: Journal) -> None:
    journal, recorder = sqlite_journal, Recorder(sqlite_journal, SIGNER)
    recorder.record(paying())

    @event.listens_for(journal._engine, "connect")
    def no_more_pages(connection: Any, _: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    journal._engine.dispose()

    def fill() -> None:
        for _ in range(100):
            recorder.record(answer([supported(1, document("a"))], text="long " * 5_000))

    with pytest.raises(StorageFull) as refused:
        fill()
    assert (refused.value.status, refused.value.exit_code) == (507, 74)
    event.remove(journal._engine, "connect", no_more_pages)
    journal._engine.dispose()
    assert_whole(journal, journal.next_seq(LEDGER_ID, "eips"))
    recorder.record(paying())


def test_a_servers_full_disk_says_so_and_records_nothing(postgres_journal: Journal) -> None:
    journal, recorder = postgres_journal, Recorder(postgres_journal, SIGNER)
    recorder.record(paying())
    with journal._writing() as connection:
        connection.execute(sa.text(FULL))
        connection.execute(sa.text(ON_LINES))
    with pytest.raises(StorageFull) as refused:
        recorder.record(paying())
    assert (refused.value.status, refused.value.exit_code) == (507, 74)
    assert_whole(journal, 1)
    with journal._writing() as connection:
        connection.execute(sa.text("DROP TRIGGER no_room ON lines"))
    recorder.record(paying())
    assert_whole(journal, 2)


FULL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$
"""
ON_LINES = "CREATE TRIGGER no_room AFTER INSERT ON lines EXECUTE FUNCTION no_room()"


def test_what_is_committed_is_synced_to_disk(sqlite_journal: Journal) -> None:
    with sqlite_journal._engine.connect() as connection:
        settings = {
            name: connection.execute(sa.text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    ("default", "used"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")]
)
def test_what_a_server_commits_is_synced_to_disk_whatever_its_default(
    postgres: Postgres, postgres_journal: Journal, tmp_path: Path, default: str, used: str
) -> None:
    name = journal_url(tmp_path).rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = {default}")
    with closing(journal_at(tmp_path)) as opened, opened._writing() as connection:
        assert connection.execute(sa.text("SHOW synchronous_commit")).scalar() == used


def test_a_server_that_does_not_wait_for_its_disk_is_noticed(
    postgres: Postgres, postgres_journal: Journal
) -> None:
    assert postgres_journal.flushes()

    try:
        postgres.execute("ALTER SYSTEM SET full_page_writes = off")
        postgres.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 10
        while postgres_journal.flushes():
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        postgres.execute("ALTER SYSTEM RESET full_page_writes")
        postgres.execute("SELECT pg_reload_conf()")


# A server that is away


def test_a_server_that_ends_our_connections_is_reached_again(
    postgres: Postgres, postgres_journal: Journal, tmp_path: Path
) -> None:
    recorder = Recorder(postgres_journal, SIGNER)
    recorder.record(paying())
    postgres.end_connections(journal_url(tmp_path))
    recorder.record(paying())
    assert_whole(postgres_journal, 2)


def test_nothing_is_recorded_whose_connection_is_lost_before_the_commit(
    postgres: Postgres, postgres_journal: Journal, tmp_path: Path
) -> None:
    def lose() -> None:
        with postgres_journal.issuing("eips") as issue:
            issue.abandon(3, keccak(b"x"), 0)
            postgres.end_connections(journal_url(tmp_path))

    with pytest.raises(Unavailable):
        lose()
    assert_whole(postgres_journal, 0)


def test_a_server_that_is_away_is_unavailable_and_its_password_is_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Unavailable) as refused, caplog.at_level(logging.DEBUG):
        Journal(f"postgresql://somebody:SECRET@127.0.0.1:{free_port()}/none")
    assert "SECRET" not in f"{refused.value} {refused.value.__cause__} {caplog.text}"


def test_every_name_of_postgresql_is_understood(postgres_journal: Journal, tmp_path: Path) -> None:
    url = journal_url(tmp_path)
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        with closing(Journal(url.replace("postgresql", scheme, 1))) as opened:
            assert [one.datanet for one in opened.registrations()] == ["eips"]


@pytest.mark.parametrize("url", ["mysql://x@y/z", "postgresql+asyncpg://x@y/z", "no address"])
def test_another_database_is_refused_by_the_settings_name(url: str) -> None:
    with pytest.raises(Misconfigured, match="FOOTNOTE_JOURNAL_URL"):
        Journal(url)


def test_a_copy_of_a_server_is_made_with_its_own_tool(
    postgres_journal: Journal, tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match="pg_dump"):
        postgres_journal.back_up(tmp_path / "copy")


def test_a_restart_goes_on_where_it_was(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    body = recorder.record(paying(), retry("k"))
    journal.close()
    reopened = journal_at(tmp_path)
    assert reopened.answer(body["id"]) == body
    assert reopened.retried(retry("k")) == body["id"]
    Recorder(reopened, SIGNER).record(paying())
    assert_whole(reopened, 2)
    reopened.close()


def test_a_newer_schema_is_refused(journal: Journal, tmp_path: Path) -> None:
    with journal._writing() as connection:
        connection.execute(sa.text("UPDATE meta SET value = '99'"))
    with pytest.raises(Broken, match="newer Footnote"):
        journal_at(tmp_path)


# Money


def test_amounts_beyond_64_bits_are_kept_exactly(journal: Journal, recorder: Recorder) -> None:
    fee = 2**95 + 1
    journal.set_policy("eips", replace(UNLIMITED, price_per_answer=fee, max_per_answer=2**96 - 1))
    for _ in range(3):
        recorder.record(answer([supported(1, document("a", (1, 10_000)))]))
    half = UNLIMITED.parts(fee).data
    assert half > 2**93
    assert journal.owed_in(LEDGER_ID) == {address(1): 3 * half}
    assert [p.owed for p in journal.payables(LEDGER_ID, "eips", 0)] == [((address(1), half),)] * 3
    assert stored(journal)[2].message.fee == fee
    with journal.issuing("eips") as issue:
        day = stored(journal)[0].message.issued_at // 86_400
        assert issue.spent(day, [address(1), address(2)]) == Spent(3 * fee, {address(1): 3 * half})


def test_the_days_budget_holds_under_many_threads(journal: Journal, recorder: Recorder) -> None:
    policy = replace(UNLIMITED, price_per_answer=100, daily_budget=750)
    journal.set_policy("eips", policy)
    clocked = replace(recorder, clock=lambda: 1_750_000_000.0)
    in_threads(10, lambda n: [clocked.record(paying(n + 1)) for _ in range(2)])
    paid = [r for r in stored(journal) if any(line.amount for line in r.lines)]
    assert len(paid) == 7
    assert [r.message.seq for r in paid] == list(range(7)), "in the order of seq"
    assert sum(journal.owed_in(LEDGER_ID).values()) == 7 * 50


def test_limits_begin_anew_with_each_utc_day(journal: Journal, recorder: Recorder) -> None:
    journal.set_policy("eips", replace(UNLIMITED, price_per_answer=100, daily_budget=100))
    midnight = 20_000 * 86_400
    for at in (midnight - 2, midnight - 1, midnight, midnight + 1):
        replace(recorder, clock=lambda at=at: float(at)).record(paying())  # type: ignore[misc]
    assert [r.message.data_pool for r in stored(journal)] == [50, 0, 50, 0]


def test_a_withheld_line_stays_withheld_and_counts_for_nothing(
    journal: Journal, recorder: Recorder
) -> None:
    journal.set_policy(
        "eips", replace(UNLIMITED, price_per_answer=100, daily_limit_per_address=120)
    )
    for _ in range(4):
        recorder.record(answer([supported(1, document("a", (1, 10_000)))]))
    lines = [line for receipt in stored(journal) for line in receipt.lines]
    assert [(line.amount, line.withheld) for line in lines] == [
        (50, False), (50, False), (0, True), (0, True),
    ]  # fmt: skip


def test_a_new_policy_acts_on_later_answers_only(journal: Journal, recorder: Recorder) -> None:
    journal.set_policy("eips", replace(UNLIMITED, price_per_answer=100))
    recorder.record(paying())
    version = journal.set_policy("eips", replace(UNLIMITED, price_per_answer=200))
    assert version == 2
    assert journal.set_policy("eips", replace(UNLIMITED, price_per_answer=200)) == 2
    recorder.record(paying())
    assert [r.message.fee for r in stored(journal)] == [100, 200]
    assert stored(journal)[0].message.policy_id != stored(journal)[1].message.policy_id
    for receipt in stored(journal):
        body = journal.definition(receipt.message.policy_id)
        assert body is not None
        assert int(body["price_per_answer"]) == receipt.message.fee


def queries_of(journal: Journal, read: Callable[[], object]) -> int:
    """How many statements ``read`` runs."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(journal._engine, "before_cursor_execute", note)
    read()
    event.remove(journal._engine, "before_cursor_execute", note)
    return len(seen)


def test_many_receipts_take_no_more_queries_than_one(journal: Journal, recorder: Recorder) -> None:
    for number in range(1, 30):
        recorder.record(paying(number))
    recorder.record(refusal())
    for read in (journal.receipts, journal.payables):
        few = queries_of(journal, lambda read=read: read(LEDGER_ID, "eips", 0, 0))  # type: ignore[misc]
        many = queries_of(journal, lambda read=read: read(LEDGER_ID, "eips", 0, 29))  # type: ignore[misc]
        assert few == many


def test_what_waits_is_read_only_as_far_as_it_is_asked_for(
    journal: Journal, recorder: Recorder
) -> None:
    for number in range(1, 8):
        recorder.record(paying(number))
    whole = journal.payables(LEDGER_ID, "eips", 0)
    assert [payable.seq for payable in whole] == list(range(7))
    assert journal.payables(LEDGER_ID, "eips", 2, limit=3) == whole[2:5]
    assert journal.payables(LEDGER_ID, "eips", 2, 4) == whole[2:5]
    assert journal.payables(LEDGER_ID, "eips", 7) == []
    assert [len(payable.owed) for payable in whole] == [2] * 7


def test_a_refusal_has_a_receipt_and_owes_nothing(journal: Journal, recorder: Recorder) -> None:
    body = recorder.record(refusal())
    assert (body["refused"], body["citations"], body["receipt"]["seq"]) == (True, [], 0)
    assert_whole(journal, 1)
    assert journal.owed_in(LEDGER_ID) == {}
    assert stored(journal)[0].message.fee == 0


# Without a chain, or with another one


def test_without_a_registration_answers_are_numbered_unsigned_and_owe_nothing(
    journal_folder: Path,
) -> None:
    journal = journal_at(journal_folder)
    bodies = [Recorder(journal, SIGNER).record(paying()) for _ in range(2)]
    assert [body["receipt"]["seq"] for body in bodies] == [0, 1]
    assert bodies[0]["receipt"]["signature"] is None
    reward = bodies[0]["citations"][0]["reward"]
    assert reward == {"weight_ppm": 1_000_000, "amount": "0", "status": "ineligible"}
    journal.add_ledger(FAR)
    journal.register(registration())
    body = Recorder(journal, SIGNER).record(paying())
    assert body["receipt"]["seq"] == 0
    assert_whole(journal, 1)
    assert with_live_status(journal, bodies[0]) == bodies[0], "they never join a Ledger later"
    journal.close()


def test_nothing_is_issued_into_a_lost_ledger(journal: Journal, recorder: Recorder) -> None:
    recorder.record(paying())
    journal.lose_ledger(LEDGER_ID, "the chain was reset")
    body = recorder.record(paying())
    assert body["receipt"]["signature"] is None
    assert body["citations"][0]["reward"]["status"] == "ineligible"
    assert_whole(journal, 1)
    journal.add_ledger(FAR)
    assert journal.ledgers() == [], "noting it again does not bring it back"


@pytest.mark.parametrize("key", [None, key_of("somebody else")])
def test_a_registered_datanet_is_not_answered_without_its_signer(
    journal: Journal, key: Any
) -> None:
    with pytest.raises(Misconfigured, match="FOOTNOTE_SIGNER_KEYSTORE"):
        Recorder(journal, key).record(paying())
    assert_whole(journal, 0)


def test_a_receipt_is_never_issued_outside_its_signers_term(journal: Journal) -> None:
    ended = SignerTerm(SIGNER.address, 1_700_000_000, 1_700_000_100)
    journal.register(replace(registration(), signers=(ended,)))
    early = Recorder(journal, SIGNER, clock=lambda: 1_600_000_000.0)
    early.record(paying())
    assert stored(journal)[0].message.issued_at == 1_700_000_000, "the chain's clock is ahead"
    with pytest.raises(Misconfigured):
        Recorder(journal, SIGNER, clock=lambda: 1_700_000_100.0).record(paying())


# Stages of a Batch


def planned_batch(journal: Journal) -> PlannedBatch:
    batch = batch_of(journal.payables(LEDGER_ID, "eips", 0))
    batch_id = batch.batch_id(FAR.chain_id, FAR.pool, registration().datanet_id)
    return PlannedBatch(LEDGER_ID, "eips", registration().datanet_id, batch_id, batch)


ATTEMPT = Attempt(keccak(b"one"), b"raw one", 2**70, 2**69)
BUMPED = Attempt(keccak(b"two"), b"raw two", 2**71, 2**70)


def opened(folder: Path) -> object:
    """What another process sees."""
    journal = journal_at(folder)
    try:
        return journal.open_batch(LEDGER_ID, "eips")
    finally:
        journal.close()


def test_every_stage_is_read_back_as_it_was_stored(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.record(paying())
    assert opened(tmp_path) is None
    planned = journal.plan(planned_batch(journal))
    assert opened(tmp_path) == planned
    journal.hold(planned, "InsufficientFunds")
    assert opened(tmp_path) == replace(planned, held="InsufficientFunds")
    nonced = journal.take_nonce(planned, address(60), 7)
    assert nonced == NoncedBatch(planned, address(60), 7)
    assert opened(tmp_path) == nonced
    signed = journal.store_attempt(nonced, ATTEMPT)
    assert opened(tmp_path) == signed == SignedBatch(nonced, (ATTEMPT,))
    sent = journal.mark_sent(signed, 12.5)
    assert sent == SentBatch(SignedBatch(nonced, (replace(ATTEMPT, sent_at=12.5),)))
    assert opened(tmp_path) == sent
    signed = journal.store_attempt(nonced, BUMPED, sent.signed.attempts)
    assert signed.latest == BUMPED
    sent = journal.mark_sent(signed, 13.5)
    mined = journal.mark_mined(sent, BUMPED.tx_hash)
    read = opened(tmp_path)
    assert isinstance(read, MinedBatch)
    assert (read.tx_hash, read.planned) == (BUMPED.tx_hash, planned)
    assert read == mined
    journal.mark_unmined(mined)
    assert opened(tmp_path) == sent
    mined = journal.mark_mined(sent, BUMPED.tx_hash)
    assert journal.mark_final(mined, 9) == FinalBatch(planned, BUMPED.tx_hash)
    assert opened(tmp_path) is None
    assert journal.settled_to(LEDGER_ID, "eips") == 1


def test_a_key_has_one_transaction_in_flight(journal: Journal, recorder: Recorder) -> None:
    journal.register(registration(datanet="rfcs"))
    recorder.record(paying())
    recorder.record(paying(1, "rfcs"))
    first = journal.plan(planned_batch(journal))
    other = journal.plan(replace(first, datanet="rfcs", batch_id=keccak(b"other")))
    nonced = journal.take_nonce(first, address(60), 7)
    assert nonced is not None
    assert journal.take_nonce(other, address(60), 8) is None
    taken = journal.take_nonce(other, address(61), 7)
    assert taken is not None, "another key is free"
    sent = journal.mark_sent(journal.store_attempt(nonced, ATTEMPT), 1.0)
    journal.mark_mined(sent, ATTEMPT.tx_hash)
    journal.release_nonce(taken, "x")
    assert journal.take_nonce(other, address(60), 7) is None, "7 is that of a mined batch"
    assert journal.take_nonce(other, address(60), 8) is not None


def test_a_batch_takes_its_nonce_once(journal: Journal, recorder: Recorder) -> None:
    recorder.record(paying())
    planned = journal.plan(planned_batch(journal))
    assert journal.take_nonce(planned, address(60), 7) is not None
    with pytest.raises(Overtaken):
        journal.take_nonce(planned, address(61), 7)


def test_a_plan_gives_way_to_a_longer_one(journal: Journal, recorder: Recorder) -> None:
    recorder.record(paying())
    journal.plan(planned_batch(journal))
    recorder.record(paying(5))
    longer = journal.plan(planned_batch(journal))
    assert journal.open_batch(LEDGER_ID, "eips") == longer
    assert [b.batch.last for b in journal.batches(LEDGER_ID)] == [1]


def test_a_final_batch_never_goes_back(journal: Journal, recorder: Recorder) -> None:
    """A worker that was slow acts on what it read before another one finished the batch."""
    recorder.record(paying())
    planned = journal.plan(planned_batch(journal))
    nonced = journal.take_nonce(planned, address(60), 7)
    assert nonced is not None
    signed = journal.store_attempt(nonced, ATTEMPT)
    sent = journal.mark_sent(signed, 1.0)
    mined = journal.mark_mined(sent, ATTEMPT.tx_hash)
    journal.mark_final(mined, 9)
    late: list[Callable[[], object]] = [
        lambda: journal.plan(planned),
        lambda: journal.adopt(planned, BUMPED.tx_hash),
        lambda: journal.take_nonce(planned, address(60), 8),
        lambda: journal.release_nonce(nonced, "refused"),
        lambda: journal.store_attempt(nonced, BUMPED),
        lambda: journal.store_attempt(nonced, BUMPED, signed.attempts),
        lambda: journal.mark_sent(signed, 2.0),
        lambda: journal.mark_mined(sent, BUMPED.tx_hash),
        lambda: journal.mark_unmined(mined),
        lambda: journal.give_up_nonce(sent, "reverted"),
        lambda: journal.mark_final(mined, 9),
    ]
    for change in late:
        with pytest.raises(Overtaken):
            change()
    journal.hold(planned, "paused")
    (batch,) = journal.batches(LEDGER_ID)
    assert (batch.stage, batch.tx_hash, batch.held) == ("final", ATTEMPT.tx_hash, None)
    assert journal.open_batch(LEDGER_ID, "eips") is None


def test_a_batch_from_the_chain_takes_the_place_of_our_plan(
    journal: Journal, recorder: Recorder
) -> None:
    for number in (1, 2):
        recorder.record(paying(number))
    journal.plan(planned_batch(journal))
    shorter = batch_of(journal.payables(LEDGER_ID, "eips", 0, 0))
    theirs = replace(planned_batch(journal), batch=shorter, batch_id=keccak(b"theirs"))
    journal.adopt(theirs, keccak(b"their tx"))
    assert journal.open_batch(LEDGER_ID, "eips") == MinedBatch(theirs, None, keccak(b"their tx"))


def test_a_batch_keeps_its_payouts_to_the_unit(journal: Journal, recorder: Recorder) -> None:
    recorder.record(paying())
    batch = Batch(0, 0, keccak(b"r"), (Payout(address(1), 1), Payout(address(2), 2**96 - 1)))
    planned = journal.plan(replace(planned_batch(journal), batch=batch))
    assert journal.batch(planned.batch_id).batch == batch


def test_withdrawals_add_up_and_the_scan_goes_on_from_its_mark(journal: Journal) -> None:
    assert journal.claims_scanned_to(LEDGER_ID) is None
    journal.add_claims(LEDGER_ID, [(address(1), 2**70), (address(1), 1)], 0, 10)
    journal.add_claims(LEDGER_ID, [(address(1), 5)], 11, 20)
    journal.add_claims(LEDGER_ID, [(address(1), 5)], 11, 20)  # by another worker
    assert journal.claimed(LEDGER_ID, address(1)) == 2**70 + 6
    assert journal.claimed(LEDGER_ID, address(2)) == 0
    assert journal.claims_scanned_to(LEDGER_ID) == 20


def test_a_journal_that_somebody_holds_for_a_moment_is_waited_for(
    journal: Journal, recorder: Recorder
) -> None:
    with journal.issuing("eips"):
        thread = threading.Thread(target=recorder.record, args=(paying(),))
        thread.start()
        time.sleep(0.3)
        assert journal.next_seq(LEDGER_ID, "eips") == 0
    thread.join()
    assert_whole(journal, 1)


def test_a_key_has_one_row_of_nonces_in_all_ledgers_of_a_chain(
    journal: Journal, recorder: Recorder
) -> None:
    recorder.record(paying())
    newer = replace(FAR, pool=address(77))
    elsewhere = replace(FAR, genesis_hash=keccak(b"elsewhere"))
    for ledger in (newer, elsewhere):
        journal.add_ledger(ledger)
    first = journal.plan(planned_batch(journal))
    second = journal.plan(replace(first, ledger_id=newer.ledger_id, batch_id=keccak(b"second")))
    third = journal.plan(replace(first, ledger_id=elsewhere.ledger_id, batch_id=keccak(b"third")))
    nonced = journal.take_nonce(first, address(60), 7)
    assert nonced is not None
    assert journal.take_nonce(second, address(60), 8) is None, "one transaction is in flight"
    assert journal.take_nonce(third, address(60), 7) is not None, "another chain counts by itself"
    sent = journal.mark_sent(journal.store_attempt(nonced, ATTEMPT), 1.0)
    fees = ATTEMPT.max_fee, ATTEMPT.priority_fee
    assert journal.fees_tried(address(60), newer.ledger_id, 7) == fees
    assert journal.fees_tried(address(60), elsewhere.ledger_id, 7) == (0, 0)
    journal.mark_mined(sent, ATTEMPT.tx_hash)
    assert journal.take_nonce(second, address(60), 7) is None, "7 is that of a mined batch"
    assert journal.nonces_owned(address(60), newer.ledger_id) == {7}
    assert journal.take_nonce(second, address(60), 8) is not None


# Who asks


NOON = 20_000 * DAY_SECONDS + DAY_SECONDS / 2


def asker(questions_per_day: int | None = 2, key_id: str = "k1") -> Asker:
    return Asker("acme", key_id, questions_per_day)


def test_a_key_has_its_answers_of_a_day_from_each_datanet_and_no_more(
    journal: Journal, recorder: Recorder
) -> None:
    now = [NOON]
    clocked = replace(recorder, clock=lambda: now[0])
    journal.register(registration(datanet="rfcs"))
    for _ in range(2):
        clocked.record(paying(), asker=asker())
    with pytest.raises(QuotaSpent) as spent:
        clocked.record(paying(), asker=asker())
    assert (spent.value.status, spent.value.code) == (429, "quota-spent")
    assert spent.value.retry_after_seconds == DAY_SECONDS / 2
    assert_whole(journal, 2)
    assert journal.answered_today("k1", "eips", 20_000) == 2
    clocked.record(paying(1, "rfcs"), asker=asker())
    clocked.record(paying(), asker=asker(key_id="k2"))
    clocked.record(paying())
    now[0] += DAY_SECONDS / 2
    clocked.record(paying(), asker=asker())
    assert journal.answered_today("k1", "eips", 20_001) == 1


def test_a_request_that_was_answered_costs_no_quota_again(
    journal: Journal, recorder: Recorder
) -> None:
    first = recorder.record(paying(), retry("k"), asker(1))
    assert recorder.record(paying(), retry("k"), asker(1)) == first
    assert_whole(journal, 1)


ASKING = """
import sys
from pathlib import Path
from rewards.journal.records import Asker, QuotaSpent
from rewards.record import Recorder
from tests.behaviour.test_journal import NOON, SIGNER
from tests.money import journal_at, paying
recorder = Recorder(journal_at(Path(sys.argv[1])), SIGNER, clock=lambda: NOON)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    try:
        recorder.record(paying(), asker=Asker("acme", "k1", 17))
    except QuotaSpent:
        pass
"""


def test_the_days_quota_is_exact_however_many_processes_ask(
    journal: Journal, tmp_path: Path
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASKING, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert line_from(process) == "ready"
    for process in processes:
        go(process)
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert journal.answered_today("k1", "eips", 20_000) == 17
    assert_whole(journal, 17)


def test_another_tenants_answer_is_as_unknown_as_one_that_never_was(
    journal: Journal, recorder: Recorder
) -> None:
    theirs = recorder.record(paying(), asker=asker())["id"]
    nobodys = recorder.record(paying())["id"]
    assert journal.answer(theirs)["id"] == theirs
    assert journal.answer(theirs, "acme")["id"] == theirs
    assert journal.answer(nobodys, "anonymous")["id"] == nobodys
    said = set()
    for answer_id, tenant in ((theirs, "anonymous"), (nobodys, "acme"), ("ans_x", "acme")):
        with pytest.raises(NotFound) as refused:
            journal.answer(answer_id, tenant)
        said.add(str(refused.value))
    assert len(said) == 1


def test_a_name_that_no_database_keeps_names_nothing(journal: Journal, recorder: Recorder) -> None:
    recorder.record(paying())
    with pytest.raises(NotFound):
        journal.answer("ans\0", "anonymous\0")
    assert not journal.knows("eips\0")
    assert journal.key("k\0") is None


KEY = ApiKey("k1", "laptop", "acme", sha256(b"s"), ("ask", "ingest"), ("eips",), 60, None, 1_000)


def test_a_key_is_kept_as_it_was_made(journal: Journal) -> None:
    assert not journal.has_keys()
    everywhere = replace(KEY, key_id="k0", datanets=None, questions_per_day=5, created_at=2_000)
    for key in (everywhere, KEY):
        journal.create_key(key)
    assert journal.keys() == [KEY, everywhere]
    assert journal.key("k0") == everywhere
    assert journal.key("k2") is None
    with pytest.raises(Broken):
        journal.create_key(KEY)


def test_a_revoked_key_stays_known_so_that_the_service_stays_closed(journal: Journal) -> None:
    journal.create_key(KEY)
    assert journal.revoke_key("k1", 1_500)
    assert not journal.revoke_key("k1", 1_600)
    assert not journal.revoke_key("k2", 1_600)
    assert journal.key("k1") == replace(KEY, revoked_at=1_500)
    assert journal.has_keys()


def test_the_use_of_a_key_is_noted_once_a_minute(journal: Journal) -> None:
    journal.create_key(KEY)
    used = []
    for at in (2_000, 2_060, 2_061, 2_000):
        journal.note_key_used("k1", at)
        key = journal.key("k1")
        assert key is not None
        used.append(key.used_at)
    journal.note_key_used("nobody's", 9_000)
    assert used == [2_000, 2_000, 2_061, 2_061]


# Workers side by side


def test_of_two_workers_that_plan_at_once_one_goes_on(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.record(paying())
    planned = planned_batch(journal)
    outcomes: list[str] = []

    def plan(number: int) -> None:
        with closing(journal_at(tmp_path)) as mine:
            try:
                mine.plan(planned)
                taken = mine.take_nonce(planned, address(60 + number), 7)
                outcomes.append("taken" if taken else "busy")
            except Overtaken:
                outcomes.append("overtaken")

    in_threads(6, plan)
    assert sorted(outcomes) == ["overtaken"] * 5 + ["taken"]


def test_a_key_that_many_workers_use_at_once_has_one_transaction_in_flight(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    names = [f"d{number}" for number in range(6)]
    recorder.record(paying())
    first = planned_batch(journal)
    plans = [
        journal.plan(replace(first, datanet=name, batch_id=keccak(name.encode()))) for name in names
    ]
    outcomes: list[object] = []

    def take(number: int) -> None:
        with closing(journal_at(tmp_path)) as mine:
            outcomes.append(mine.take_nonce(plans[number], address(60), 7 + number))

    in_threads(6, take)
    assert len([taken for taken in outcomes if taken]) == 1
    assert len(journal.in_flight(address(60))) == 1


def test_of_many_that_want_a_lease_at_once_one_leads(journal: Journal, tmp_path: Path) -> None:
    leading: list[bool] = []

    def lead(number: int) -> None:
        with closing(journal_at(tmp_path)) as mine:
            leading.append(mine.lead("settle", f"worker {number}", 10, 1_000))

    in_threads(6, lead)
    assert leading.count(True) == 1


def test_policies_registrations_and_withdrawals_noted_at_once_are_all_kept(
    journal: Journal, tmp_path: Path
) -> None:
    ledgers = [replace(FAR, pool=address(200 + number)) for number in range(6)]

    def note(number: int) -> None:
        with closing(journal_at(tmp_path)) as mine:
            mine.set_policy("eips", replace(UNLIMITED, price_per_answer=100 + number))
            mine.add_ledger(ledgers[number])
            mine.register(registration(ledgers[number]))
            mine.add_claims(LEDGER_ID, [(address(1), 5)], 0, 10)

    in_threads(6, note)
    assert journal.set_policy("eips", UNLIMITED) == 7
    assert len(journal.registrations()) == 7
    newest = journal.registration("eips")
    assert newest is not None
    positions = sa.text("SELECT position FROM registrations ORDER BY position")
    with journal._reading() as connection:
        assert connection.execute(positions).scalars().all() == [1, 2, 3, 4, 5, 6, 7]
    assert journal.claimed(LEDGER_ID, address(1)) == 5, "the same blocks count once"


def test_what_is_read_at_once_is_of_one_moment(
    journal: Journal, recorder: Recorder, tmp_path: Path
) -> None:
    """A reader that began before an answer was recorded sees nothing of it."""
    recorder.record(paying())
    count = sa.text("SELECT count(*) FROM receipts")
    with journal._reading() as connection:
        assert connection.execute(count).scalar() == 1
        recorder.record(paying())
        assert connection.execute(count).scalar() == 1
    assert_whole(journal, 2)
