"""The database under the journal: its transactions, its copy, and who leads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from footnote.errors import Invalid, StorageFull
from rewards.journal.databases import engine_at, lock, reading, replace_row, writing
from rewards.journal.schema import make_current
from rewards.journal.tables import leases, meta

LONGEST_LEASE_SECONDS = 600.0


class Store:
    """One database. Safe to use from several threads, processes and, where the database is a
    server, hosts; every method of the classes above it is one transaction, durable when it
    returns."""

    def __init__(self, url: str) -> None:
        self._engine = engine_at(url)
        try:
            with self._writing() as connection:
                make_current(connection)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        self._engine.dispose()

    def check(self) -> None:
        """Raise unless a transaction can be committed now: only a write finds a full disk."""
        with self._writing() as connection:
            replace_row(connection, meta, {"name": "checked"}, {"value": str(int(time.time()))})

    def overwrite_what_was_deleted(self) -> None:
        """Let SQLite's log take over what was written, and begin anew: it holds deleted bytes until
        then. A server does so in its own time (VACUUM)."""
        if self._engine.dialect.name == "sqlite":
            with self._reading() as connection:
                connection.rollback()
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def flushes(self) -> bool:
        """Whether the database really waits for the disk when it commits. A PostgreSQL server that
        was told not to loses what it promised when its host loses power."""
        if self._engine.dialect.name != "postgresql":
            return True
        with self._reading() as connection:
            names = ("fsync", "full_page_writes")
            return all(
                connection.execute(sa.select(sa.func.current_setting(name))).scalar() == "on"
                for name in names
            )

    def back_up(self, copy: Path) -> None:
        """Write a whole copy of the journal as it is now, while others go on using it.

        Raises:
            Invalid: there is a file already, or this journal is in PostgreSQL.
        """
        if self._engine.dialect.name != "sqlite":
            raise Invalid("this journal is in PostgreSQL", "copy it with pg_dump")
        if copy.exists():
            raise Invalid(f"{copy} is there already", "name a new file")
        copy.touch(mode=0o600)
        connection = self._engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM INTO ?", (str(copy),))
        except self._engine.dialect.loaded_dbapi.Error as error:
            copy.unlink(missing_ok=True)
            raise StorageFull(f"the copy {copy} cannot be written", "free some space") from error
        finally:
            connection.close()

    def lead(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """Take or keep a lease until ``seconds`` from ``now``; False while another holds it. It
        saves work and guards nothing: clocks jump."""
        with self._writing() as connection:
            lock(connection, "lease", name)
            found = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
            if found and found.holder != holder and now < found.until <= now + seconds:
                return False
            values = {"holder": holder, "until": now + seconds}
            replace_row(connection, leases, {"name": name}, values)
            return True

    def stop_leading(self, name: str, holder: str) -> None:
        with self._writing() as connection:
            connection.execute(
                leases.delete().where(leases.c.name == name, leases.c.holder == holder)
            )

    def leader(self, name: str, now: float) -> str | None:
        """Who holds a lease now. One that ends far ahead was taken by a clock that was wrong."""
        with self._reading() as connection:
            found = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
        return found.holder if found and now < found.until <= now + LONGEST_LEASE_SECONDS else None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with reading(self._engine) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with writing(self._engine) as connection:
            yield connection
