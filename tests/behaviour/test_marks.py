"""What notices that a journal lost receipts, and how issuing goes on."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import footnote
from cli.stack import clean_environment
from footnote.errors import Broken, Invalid, Refused, Unavailable
from footnote.ids import keccak
from rewards.audit import audit
from rewards.marks import SLOT_BYTES, Mark, Marks, RolledBack
from rewards.published import batch_object, receipt_object
from rewards.record import Recorder
from rewards.resume import _check_unsettled, resume
from tests.conftest import rpc
from tests.money import Place, Pool, deployed, journal_at, paying, place

LEDGER = keccak(b"ledger")


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "elsewhere")


@pytest.fixture
def at(instant_pool: Pool, tmp_path: Path) -> Place:
    home = tmp_path / "home"
    home.mkdir()
    return place(deployed(instant_pool.url, instant_pool.chain), home)


def record(at: Place, marks: Marks, *numbers: int) -> list[str]:
    """Ids of the receipts of new answers."""
    recorder = Recorder(at.journal, at.signer, marks)
    return [recorder.record(paying(number))["receipt"]["id"] for number in numbers]


def back_up(at: Place) -> Path:
    copy = at.folder / "older.sqlite"
    at.journal.back_up(copy)
    return copy


def restore(at: Place, copy: Path) -> None:
    """As an operator does it: nothing uses the journal meanwhile."""
    at.journal.close()
    for path in at.folder.glob("journal.sqlite*"):
        path.unlink()
    shutil.copy(copy, at.folder / "journal.sqlite")


def saved(at: Place, ids: list[str]) -> list[dict[str, object]]:
    return [receipt_object(at.journal, bytes.fromhex(i[2:])) for i in ids]


def shown(seq: int) -> Mark:
    return Mark(seq, keccak(seq.to_bytes(8, "big")))


def file_of(marks: Marks) -> Path:
    (path,) = marks.folder.iterdir()
    return path


# The mark


def test_a_mark_only_rises(marks: Marks) -> None:
    assert marks.read(LEDGER, "eips") is None
    for seq in (3, 4, 2, 4, 0):
        marks.note(LEDGER, "eips", shown(seq))
    assert marks.read(LEDGER, "eips") == shown(4)
    assert marks.read(LEDGER, "rfcs") is None
    assert marks.read(keccak(b"other"), "eips") is None
    marks.reset(LEDGER, "eips", shown(1))
    assert marks.read(LEDGER, "eips") == shown(1)
    marks.note(LEDGER, "eips", shown(2))
    assert marks.read(LEDGER, "eips") == shown(2)


@pytest.mark.parametrize("torn", range(0, SLOT_BYTES, 13))
def test_a_note_that_is_torn_leaves_the_one_before(marks: Marks, torn: int) -> None:
    for seq in (5, 6):
        marks.note(LEDGER, "eips", shown(seq))
    before = file_of(marks).read_bytes()
    marks.note(LEDGER, "eips", shown(7))
    after = file_of(marks).read_bytes()
    changed = [i for i in range(len(before)) if before[i] != after[i]]
    start = changed[0] // SLOT_BYTES * SLOT_BYTES
    assert changed[-1] < start + SLOT_BYTES, "one slot is written"
    mixed = before[:start] + after[start : start + torn] + before[start + torn :]
    file_of(marks).write_bytes(mixed)
    assert marks.read(LEDGER, "eips") in (shown(6), shown(7))
    marks.note(LEDGER, "eips", shown(8))
    assert marks.read(LEDGER, "eips") == shown(8)


def test_every_changed_byte_of_a_mark_is_noticed(marks: Marks) -> None:
    marks.note(LEDGER, "eips", shown(5))
    whole = file_of(marks).read_bytes()
    for index in range(len(whole)):
        changed = bytearray(whole)
        changed[index] ^= 1
        file_of(marks).write_bytes(changed)
        with contextlib.suppress(RolledBack):
            assert marks.read(LEDGER, "eips") == shown(5), index


def test_a_mark_that_cannot_be_read_stops_issuing(at: Place, marks: Marks) -> None:
    record(at, marks, 1)
    file_of(marks).write_bytes(b"x" * 2 * SLOT_BYTES)
    with pytest.raises(RolledBack, match="cannot be read"):
        record(at, marks, 2)


def test_marks_of_several_writers_end_at_the_highest(marks: Marks) -> None:
    code = (
        "import sys; from pathlib import Path; from rewards.marks import Mark, Marks\n"
        "from footnote.ids import keccak\n"
        "for seq in map(int, sys.argv[2:]):\n"
        "    Marks(Path(sys.argv[1])).note(keccak(b'ledger'), 'eips',"
        " Mark(seq, keccak(seq.to_bytes(8, 'big'))))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, marks.folder, *map(str, range(n, 60, 3))])
        for n in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert marks.read(LEDGER, "eips") == shown(59)


# Issuing


def test_a_mark_behind_the_journal_is_normal(at: Place, marks: Marks) -> None:
    class Crash(Exception):
        pass

    def crash(point: str) -> None:
        raise Crash(point)

    record(at, marks, 1)
    with pytest.raises(Crash, match="after commit"):
        Recorder(at.journal, at.signer, marks, crash_point=crash).record(paying(2))
    mark = marks.read(at.ledger_id, "eips")
    assert mark is not None
    assert (mark.seq, at.journal.next_seq(at.ledger_id, "eips")) == (0, 2)
    record(at, marks, 3)
    mark = marks.read(at.ledger_id, "eips")
    assert mark is not None
    assert mark.seq == 2


def test_an_answer_that_is_given_again_raises_the_mark(at: Place, marks: Marks) -> None:
    body = at.recorder.record(paying(1))  # cut off before its mark
    Recorder(at.journal, at.signer, marks).again(body["id"])
    mark = marks.read(at.ledger_id, "eips")
    assert mark is not None
    assert "0x" + mark.digest.hex() == body["receipt"]["id"]


def test_an_older_journal_issues_nothing_and_pays_what_it_holds(at: Place, marks: Marks) -> None:
    record(at, marks, 1, 2)
    copy = back_up(at)
    record(at, marks, 3, 4, 5)
    restore(at, copy)
    recorder = Recorder(at.journal, at.signer, marks)
    with pytest.raises(RolledBack, match="receipts up to 4 of eips were issued"):
        recorder.record(paying(6))
    with pytest.raises(RolledBack):
        recorder.check("eips")
    at.settle()
    assert at.cursor() == 2
    assert at.credited() == at.owed()


def test_a_journal_with_other_receipts_in_their_place_issues_nothing(
    at: Place, marks: Marks
) -> None:
    record(at, marks, 1)
    copy = back_up(at)
    record(at, marks, 2)
    restore(at, copy)
    other = Recorder(at.journal, at.signer, None)
    for number in (3, 4):
        other.record(paying(number))
    with pytest.raises(RolledBack, match="receipt 1 of eips is not the one that was issued"):
        record(at, marks, 5)


def test_nothing_is_recorded_that_could_not_be_noted(at: Place, marks: Marks) -> None:
    record(at, marks, 1)
    path = file_of(marks)
    whole = path.read_bytes()
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match="high-water mark cannot be used"):
        record(at, marks, 2)
    assert at.journal.next_seq(at.ledger_id, "eips") == 1
    path.rmdir()
    path.write_bytes(whole)
    record(at, marks, 3)


@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_without_its_mark_a_journal_issues_nothing_until_it_is_resumed(
    at: Place, marks: Marks, damage: str
) -> None:
    record(at, marks, 1)
    copy = back_up(at)
    record(at, marks, 2, 3)
    at.settle()
    if damage == "gone":
        file_of(marks).unlink()
    else:
        file_of(marks).write_bytes(b"")
    with pytest.raises(RolledBack, match="mark of eips is missing"):
        record(at, marks, 4)
    restore(at, copy)
    with pytest.raises(Refused, match="the chain settled up to seq 2"):
        resume(at.journal, marks, at.pool.chain, at.registration, [], abandon=True)


def test_a_journal_that_holds_all_goes_on_with_a_new_mark(at: Place, marks: Marks) -> None:
    record(at, marks, 1)
    at.settle()
    file_of(marks).unlink()
    resume(at.journal, marks, at.pool.chain, at.registration, [], abandon=False)
    record(at, marks, 2)
    mark = marks.read(at.ledger_id, "eips")
    assert mark is not None
    assert mark.seq == 1


def test_one_number_for_two_receipts_is_noticed(marks: Marks) -> None:
    marks.note(LEDGER, "eips", shown(3))
    with pytest.raises(RolledBack, match="issued twice"):
        marks.note(LEDGER, "eips", Mark(3, keccak(b"another")))


def test_other_files_beside_the_marks_hinder_nobody(at: Place, marks: Marks) -> None:
    record(at, marks, 1)
    (marks.folder / "eips.copy.mark").write_bytes(file_of(marks).read_bytes())
    (marks.folder / f"eips.{'0' * 63}.mark").touch()
    record(at, marks, 2)


# Resuming


def lose_tail(at: Place, marks: Marks) -> tuple[list[str], list[dict[str, object]]]:
    """Two receipts stay in the journal, three are lost; what was saved of those."""
    record(at, marks, 1, 2)
    copy = back_up(at)
    lost = record(at, marks, 3, 4, 5)
    kept = saved(at, lost)
    restore(at, copy)
    return lost, kept


def test_saved_receipts_bring_a_lost_tail_back_and_are_paid(at: Place, marks: Marks) -> None:
    lost, kept = lose_tail(at, marks)
    journal = at.journal
    done = resume(journal, marks, None, at.registration, reversed(kept), abandon=False)
    assert (done.readmitted, done.abandoned, done.next_seq) == (3, (), 5)
    record(at, marks, 6)
    assert [r.digest.hex() for r in journal.receipts(at.ledger_id, "eips", 2, 4)] == [
        i[2:] for i in lost
    ]
    at.settle()
    assert at.cursor() == 6
    assert at.credited() == at.owed()
    assert audit(journal, at.pool.chain).differences == []


def test_without_all_of_them_nothing_changes_unless_the_rest_is_abandoned(
    at: Place, marks: Marks
) -> None:
    lost, kept = lose_tail(at, marks)
    journal, chain = at.journal, at.pool.chain
    before = journal.owed_in(at.ledger_id)
    for given in ([], kept[:1], kept[1:]):
        with pytest.raises(Refused, match="were issued, and no saved one"):
            resume(journal, marks, chain, at.registration, given, abandon=False)
    assert journal.owed_in(at.ledger_id) == before
    with pytest.raises(Refused, match="set FOOTNOTE_RPC_URL"):
        resume(journal, marks, None, at.registration, kept[:1], abandon=True)
    done = resume(journal, marks, chain, at.registration, kept[:1], abandon=True)
    assert done.readmitted == 1
    (gap,) = done.abandoned
    assert (gap.first, gap.last) == (3, 4)
    assert "0x" + gap.digest.hex() == lost[-1]
    (after,) = record(at, marks, 6)
    receipt = journal.receipt(bytes.fromhex(after[2:]))
    assert "0x" + receipt.message.previous.hex() == lost[-1], "the lost ones stay in the chain"
    at.settle()
    assert at.cursor() == 6
    assert at.credited() == at.owed()
    assert journal.settled_to(at.ledger_id, "eips") == 6


def test_only_what_nobody_saved_is_abandoned(at: Place, marks: Marks) -> None:
    """The first of three lost ones was not saved; the two after it were."""
    _, kept = lose_tail(at, marks)
    done = resume(at.journal, marks, at.pool.chain, at.registration, kept[1:], abandon=True)
    assert done.readmitted == 2
    assert [(gap.first, gap.last) for gap in done.abandoned] == [(2, 2)]
    record(at, marks, 6)
    at.settle()
    assert at.credited() == at.owed()
    assert audit(at.journal, at.pool.chain).differences == []


def test_nothing_is_abandoned_on_another_chain_or_while_a_settlement_is_on_its_way(
    at: Place, marks: Marks
) -> None:
    lose_tail(at, marks)
    chain, registration = at.pool.chain, at.registration
    other = replace(registration, ledger=replace(registration.ledger, genesis_hash=LEDGER))
    with pytest.raises(Refused, match="does not hold that pool"):
        _check_unsettled(chain, other, 2, ())
    rpc(at.pool.url, "evm_setAutomine", False)
    try:
        chain.send(
            at.distributor.sign_transaction(
                chain.empty_transfer(at.pool.ledger, at.distributor.address, 0, chain.fees())
            )[0]
        )
        with pytest.raises(Refused, match="is on its way"):
            resume(
                at.journal, marks, chain, registration, [], abandon=True,
                distributors=[at.distributor.address],
            )  # fmt: skip
    finally:
        rpc(at.pool.url, "evm_mine")
        rpc(at.pool.url, "evm_setAutomine", True)


def test_what_no_signature_covers_must_follow_from_what_it_does(at: Place, marks: Marks) -> None:
    _, kept = lose_tail(at, marks)
    for name, value in (("document_id", "other"), ("citation_id", "cit_9"), ("share_bps", 1)):
        changed = json.loads(json.dumps(kept[0]))
        changed["lines"][0][name] = value
        with pytest.raises(Invalid):
            resume(at.journal, marks, None, at.registration, [changed], abandon=False)


def test_what_the_chain_settled_is_never_abandoned(at: Place, marks: Marks) -> None:
    record(at, marks, 1)
    copy = back_up(at)
    lost = record(at, marks, 2, 3)
    at.settle()
    (batch,) = at.journal.batches(at.ledger_id)
    public = batch_object(at.journal, batch.batch_id)
    restore(at, copy)
    journal = at.journal
    with pytest.raises(Refused, match="the chain settled up to seq 2"):
        resume(journal, marks, at.pool.chain, at.registration, [], abandon=True)
    done = resume(journal, marks, at.pool.chain, at.registration, public["receipts"], abandon=True)
    assert (done.readmitted, done.abandoned) == (2, ())
    at.settle()
    assert journal.settled_to(at.ledger_id, "eips") == 3
    assert at.credited() == at.owed()
    assert len(lost) == 2


def test_a_saved_receipt_that_was_changed_or_signed_by_a_stranger_is_refused(
    at: Place, marks: Marks
) -> None:
    _, kept = lose_tail(at, marks)
    journal = at.journal
    changed = json.loads(json.dumps(kept[0]))
    changed["lines"][0]["amount"] = "1"
    stranger = replace(at.registration, signers=())
    for given, registration in ((changed, at.registration), (kept[0], stranger), ({}, stranger)):
        with pytest.raises(Invalid):
            resume(journal, marks, None, registration, [given], abandon=False)
    assert journal.next_seq(at.ledger_id, "eips") == 2


def test_days_limits_count_what_came_back(at: Place, marks: Marks) -> None:
    _, kept = lose_tail(at, marks)
    journal = at.journal
    resume(journal, marks, None, at.registration, kept, abandon=False)
    with journal.issuing("eips") as issue:
        day = journal.receipts(at.ledger_id, "eips", 0, 0)[0].message.issued_at // 86_400
        spent = issue.spent(day, journal.owed_in(at.ledger_id)).by_address
    assert spent == {a: n for a, n in journal.owed_in(at.ledger_id).items() if n}


def test_the_command_reads_folders_of_saved_receipts(at: Place, marks: Marks) -> None:
    _, kept = lose_tail(at, marks)
    folder = at.folder / "saved"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(kept[0]))
    (folder / "rest.jsonl").write_text("\n".join(map(json.dumps, kept[1:])))
    environment = {**clean_environment(**at.settings()), "FOOTNOTE_MARKS": str(marks.folder)}
    call = ["journal", "resume", "eips"]
    refused = CliRunner().invoke(footnote, call, env=environment)
    assert isinstance(refused.exception, Refused)
    done = CliRunner().invoke(footnote, [*call, str(folder)], env=environment)
    assert done.exception is None
    assert json.loads(done.stdout) == {
        "datanet": "eips",
        "ledgers": [
            {
                "ledger_id": "0x" + at.ledger_id.hex(),
                "readmitted": 3,
                "abandoned": [],
                "next_seq": 5,
            }
        ],
    }


def test_what_an_older_ledger_lost_stops_issuing_into_a_new_one(
    at: Place, marks: Marks, tmp_path: Path
) -> None:
    lost, kept = lose_tail(at, marks)
    newer = place(deployed(at.pool.url, at.pool.chain), tmp_path)
    at.journal.add_ledger(newer.pool.ledger)
    at.journal.register(newer.registration)
    recorder = Recorder(at.journal, newer.signer, marks)
    with pytest.raises(RolledBack, match="receipts up to 4 of eips were issued"):
        recorder.record(paying(6))
    resume(at.journal, marks, None, at.registration, kept, abandon=False)
    recorder.record(paying(6))
    assert at.journal.next_seq(newer.ledger_id, "eips") == 1
    assert at.journal.next_seq(at.ledger_id, "eips") == 5
    at.settle()
    assert at.credited() == at.owed()
    assert len(lost) == 3


def test_a_ledger_that_the_journal_never_knew_is_forgotten_only_openly(
    at: Place, marks: Marks
) -> None:
    marks.note(LEDGER, "eips", shown(3))
    with pytest.raises(RolledBack):
        record(at, marks, 1)
    environment = {**clean_environment(**at.settings()), "FOOTNOTE_MARKS": str(marks.folder)}
    call = ["journal", "resume", "eips"]
    assert isinstance(CliRunner().invoke(footnote, call, env=environment).exception, Refused)
    assert CliRunner().invoke(footnote, [*call, "--abandon"], env=environment).exception is None
    record(at, marks, 1)


def test_an_answer_process_stops_and_goes_on_after_the_resume(at: Place, marks: Marks) -> None:
    """Two threads issue while the journal is behind: both are refused, none half done."""
    lose_tail(at, marks)
    journal = at.journal
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(Recorder(journal_at(at.folder), at.signer, marks).record(paying(7)))
        except Broken as error:
            outcomes.append(error.code)

    for _ in range(2):
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        resume(journal, marks, at.pool.chain, at.registration, [], abandon=True)
    assert outcomes[:2] == ["journal-rolled-back"] * 2
    assert all(isinstance(one, dict) for one in outcomes[2:])
    assert journal.next_seq(at.ledger_id, "eips") == 7
