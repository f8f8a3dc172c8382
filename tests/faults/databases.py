"""The database under a schedule's journal: its copies, and what happens to it alone."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from rewards.journal.tables import metadata
from tests.money import journal_url
from tests.postgres import Postgres

OF_BATCHES = ("batches", "attempts", "leases", "claims")
"""The tables that say what is on its way, and nothing of what is owed."""


class Database(Protocol):
    """``restore`` puts tables, or the whole journal, back to the last copy; nobody else uses it."""

    backed_up: bool

    def back_up(self) -> None: ...
    def restore(self, tables: Sequence[str] | None = None) -> None: ...
    def close(self) -> None: ...


class SqliteFile:
    def __init__(self, folder: Path) -> None:
        self._file, self._copy = folder / "journal.sqlite", folder / "backup.sqlite"
        self.backed_up = False

    def back_up(self) -> None:
        with (
            closing(sqlite3.connect(self._file)) as live,
            closing(sqlite3.connect(self._copy)) as copy,
        ):
            live.backup(copy)
        self.backed_up = True

    def restore(self, tables: Sequence[str] | None = None) -> None:
        if tables is None:
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            shutil.copy(self._copy, self._file)
            return
        with closing(sqlite3.connect(self._file, timeout=30)) as live:
            live.execute("ATTACH ? AS old", (str(self._copy),))
            for table in tables:
                live.execute(f"DELETE FROM main.{table}")
                live.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
            live.commit()

    def close(self) -> None:
        """The folder goes with the schedule."""


class PostgresDatabase:
    """A database of its own on the site's server; its copy is a schema beside the live one."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self._server = server
        self._ends = ExitStack()
        self._url = self._ends.enter_context(server.database())
        (folder / "journal.url").write_text(self._url)
        assert journal_url(folder) == self._url
        self.backed_up = False

    def back_up(self) -> None:
        copies = [
            sql.SQL("CREATE TABLE old.{0} AS TABLE public.{0}").format(sql.Identifier(table))
            for table in metadata.tables
        ]
        self._run("DROP SCHEMA IF EXISTS old CASCADE", "CREATE SCHEMA old", *copies)
        self.backed_up = True

    def restore(self, tables: Sequence[str] | None = None) -> None:
        chosen = [sql.Identifier(table) for table in tables or metadata.tables]
        self._run(
            "SET LOCAL session_replication_role = replica",  # in whatever order keys refer
            *[sql.SQL("DELETE FROM public.{}").format(table) for table in chosen],
            *[
                sql.SQL("INSERT INTO public.{0} SELECT * FROM old.{0}").format(table)
                for table in chosen
            ],
        )

    def close(self) -> None:
        self._ends.close()

    def end_connections(self) -> None:
        self._server.end_connections(self._url)

    def crash(self) -> None:
        """The whole server ends at once, and comes back from its log."""
        self._server.stop(signal.SIGQUIT)
        self._server.start()

    def _run(self, *statements: str | sql.Composed) -> None:
        """All of one moment."""
        with psycopg.connect(self._url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            for statement in statements:
                connection.execute(
                    statement if isinstance(statement, sql.Composed) else statement.encode()
                )
