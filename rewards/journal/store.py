"""The database under the journal: its engine, its transactions, its errors."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url

from footnote.errors import Broken, Invalid, Misconfigured, StorageFull, Unavailable
from rewards.journal.tables import SCHEMA_VERSION, attempts, batches, leases, meta, metadata

log = logging.getLogger(__name__)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        log.warning("the journal: %s", error.orig)
        if "full" in str(error.orig).lower():
            raise StorageFull("no room in the journal", "free some disk space") from error
        if "no such" in str(error.orig):  # a column or a table
            raise Broken("the journal does not fit this Footnote", "restart it") from error
        raise Unavailable("the journal cannot be used now", "try again") from error
    except sa.exc.DatabaseError as error:
        raise Broken(
            "the journal refused a change", f"see the log ({type(error.orig).__name__})"
        ) from error


LONGEST_LEASE_SECONDS = 600.0


class Store:
    """One database. Safe to use from several threads and processes; every method of the classes
    above it is one transaction, durable when it returns."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with self._writing() as connection:
            metadata.create_all(connection)
            known = connection.execute(
                sa.select(meta.c.value).where(meta.c.name == "schema_version")
            ).scalar()
            if known is None:
                connection.execute(
                    meta.insert().values(name="schema_version", value=str(SCHEMA_VERSION))
                )
            elif int(known) > SCHEMA_VERSION:
                raise Broken("the journal is of a newer Footnote", "use the Footnote that wrote it")
            elif int(known) < SCHEMA_VERSION:
                _migrate(connection, int(known))

    def close(self) -> None:
        self._engine.dispose()

    def check(self) -> None:
        """Raise unless a transaction can be committed now: only a write finds a full disk."""
        with self._writing() as connection:
            replace_row(connection, meta, {"name": "checked"}, {"value": str(int(time.time()))})

    def back_up(self, copy: Path) -> None:
        """Write a whole copy of the journal as it is now, while others go on using it.

        Raises:
            Invalid: there is a file already.
        """
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
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with (
            _translated(),
            self._engine.connect() as connection,
            connection.execution_options(writing=True).begin(),
        ):
            yield connection


def _migrate(connection: Connection, known: int) -> None:
    """Bring a journal of an older schema up to this one; new tables are there already."""
    new = (attempts.c.purpose, attempts.c.fee_paid, batches.c.final_at) if known == 1 else ()
    for column in new:
        added = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
        connection.execute(sa.text(f"ALTER TABLE {column.table.name} ADD COLUMN {added}"))
    replace_row(connection, meta, {"name": "schema_version"}, {"value": str(SCHEMA_VERSION)})


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise Misconfigured(
            "FOOTNOTE_JOURNAL_URL is no database's address", "set it to sqlite:///PATH"
        ) from error
    if parsed.get_backend_name() != "sqlite":
        raise Broken("this journal is not SQLite", "set FOOTNOTE_JOURNAL_URL to sqlite:///PATH")
    if parsed.database:
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # questions, answers and salts are the asker's
    engine = sa.create_engine(
        parsed,
        connect_args={"timeout": 30, "check_same_thread": False},
        hide_parameters=True,  # its errors are logged, and parameters hold questions and answers
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        for pragma in ("busy_timeout = 30000", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _use_wal(connection: Any) -> None:
    """Of several that open a new journal at once SQLite refuses some at once, without waiting."""
    until = time.monotonic() + 30.0
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def replace_row(
    connection: Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Update the row of that key, or insert it."""
    where = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(table.update().where(where).values(**values)).rowcount == 0:
        connection.execute(table.insert().values(**key, **values))
