"""The oracle of the trials sees what it is there to see."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bench.asking import Told, told_by
from bench.reckoning import missing
from footnote.ids import sha256
from rewards.journal.records import Retry
from rewards.ledger import Registration, SignerTerm
from rewards.record import Recorder
from tests.money import FAR, address, journal_at, key_of, paying

SIGNER = key_of("signer")


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Told]:
    """Three paying answers in a journal, and what their clients were told."""
    journal = journal_at(tmp_path)
    term = SignerTerm(SIGNER.address, 1, 2**64 - 1, False)
    journal.add_ledger(FAR)
    journal.register(Registration("eips", FAR, sha256(b"eips"), address(92), (term,)))
    recorder = Recorder(journal, SIGNER)
    bodies = {
        key: recorder.record(paying(), Retry("anonymous", key, sha256(b"body"))) for key in "abc"
    }
    journal.close()
    return {key: told_by(body) for key, body in bodies.items()}


def test_nothing_is_missing_from_a_whole_journal(told: dict[str, Told], tmp_path: Path) -> None:
    assert all(amount for one in told.values() for _, amount in one.owed)
    assert missing(told, tmp_path / "journal.sqlite") == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("DELETE FROM idempotency WHERE key = 'b'", "stored is None"),
        ("UPDATE idempotency SET answer_id = (SELECT answer_id FROM idempotency WHERE key = 'a') "
         "WHERE key = 'b'", "b was answered by"),
        ("DELETE FROM receipts WHERE seq = 1", "has no receipt"),
        ("UPDATE lines SET amount = amount + 1 WHERE position = 0 AND digest = "
         "(SELECT digest FROM receipts WHERE seq = 1)", "its lines owe otherwise"),
        ("DELETE FROM lines WHERE digest = (SELECT digest FROM receipts WHERE seq = 1)",
         "its lines owe otherwise"),
    ],
)  # fmt: skip
def test_what_is_lost_or_changed_is_missed(
    told: dict[str, Told], tmp_path: Path, damage: str, found: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as rows, rows:
        rows.execute(damage)
    (problem,) = missing(told, tmp_path / "journal.sqlite")
    assert found in problem


def test_an_answer_of_which_every_row_is_gone_is_missed(
    told: dict[str, Told], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as rows, rows:
        for table in ("idempotency", "lines", "receipts", "answers"):
            rows.execute(f"DELETE FROM {table}")
    assert len(missing(told, tmp_path / "journal.sqlite")) == 3


def change_receipt(told: Told) -> Told:
    return Told(told.answer_id, "0x" + "ab" * 32, told.owed)


def change_answer(told: Told) -> Told:
    return Told("ans_other", told.receipt_id, told.owed)


@pytest.mark.parametrize("change", [change_receipt, change_answer])
def test_another_answer_than_was_told_is_missed(
    told: dict[str, Told], tmp_path: Path, change: Callable[[Told], Told]
) -> None:
    assert len(missing({**told, "c": change(told["c"])}, tmp_path / "journal.sqlite")) == 1
