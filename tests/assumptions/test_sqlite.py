"""What we rely on in SQLite and its driver."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest


def opened(folder: Path, timeout: float = 0.1) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "x.sqlite", timeout=timeout, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def test_begin_immediate_lets_one_writer_in(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    one.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        two.execute("BEGIN IMMEDIATE")
    one.execute("COMMIT")
    two.execute("BEGIN IMMEDIATE")
    two.execute("COMMIT")
    one.close()
    two.close()


def test_a_reader_in_wal_mode_sees_one_state_and_blocks_nobody(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    one.execute("CREATE TABLE t (x)")
    two.execute("BEGIN")
    assert two.execute("SELECT count(*) FROM t").fetchone() == (0,)
    one.execute("INSERT INTO t VALUES (1)")
    assert two.execute("SELECT count(*) FROM t").fetchone() == (0,)
    two.execute("COMMIT")
    assert two.execute("SELECT count(*) FROM t").fetchone() == (1,)
    one.close()
    two.close()


def test_a_full_disk_is_an_operational_error_that_says_full(tmp_path: Path) -> None:
    connection = opened(tmp_path)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError, match="full") as error:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert error.value.sqlite_errorcode == sqlite3.SQLITE_FULL
    connection.close()


def test_integers_end_at_64_bits_and_so_amounts_are_text(tmp_path: Path) -> None:
    connection = opened(tmp_path)
    with pytest.raises(OverflowError):
        connection.execute("SELECT ?", (2**63,))
    connection.close()
