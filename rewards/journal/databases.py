"""The door to SQLAlchemy and its drivers: how each of the two databases is opened, locked and
written to, and what its errors mean.

SQLite has one writer at a time, so whatever a transaction reads stays true until it commits. On
PostgreSQL only what a :func:`lock` names is held still: a transaction that writes what follows from
what it read takes one first.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url

from footnote.errors import Broken, Misconfigured, StorageFull, Unavailable
from footnote.ids import sha256

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

log = logging.getLogger(__name__)

WAIT_SECONDS = 30
"""How long a transaction waits for what another one holds."""

STATEMENT_SECONDS = 60
"""How long PostgreSQL works on one statement, or waits within a transaction for the next one."""


class Contended(Unavailable):
    """Two transactions stood in each other's way, and this one was undone: do it again."""


# Opening


def engine_at(url: str) -> Engine:
    """The engine for ``sqlite:///PATH`` or ``postgresql://…``; makes SQLite's file.

    Raises:
        Misconfigured: the address is no database's, or that of one that is not supported.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed)
    return _sqlite(parsed)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite journal; None for another database, or one in memory."""
    parsed = _parsed(url)
    in_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if in_file else None


def is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _parsed(url: str) -> URL:
    if url.startswith("postgres://"):  # an old name that SQLAlchemy no longer knows
        url = "postgresql" + url.removeprefix("postgres")
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise _misconfigured("FOOTNOTE_JOURNAL_URL is no database's address") from error
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise _misconfigured(f"FOOTNOTE_JOURNAL_URL names {parsed.drivername}")
    return parsed


def _misconfigured(what: str) -> Misconfigured:
    return Misconfigured(what, "set it to sqlite:///PATH or postgresql://USER@HOST/NAME")


def _sqlite(url: URL) -> Engine:
    if url.database:
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # questions, answers and salts are the asker's
    engine = sa.create_engine(
        url,
        connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False},
        hide_parameters=True,  # its errors are logged, and parameters hold questions and answers
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        wait = f"busy_timeout = {WAIT_SECONDS * 1000}"
        erasing = "secure_delete = ON"  # what is erased is overwritten in the file
        for pragma in (wait, "synchronous = FULL", "foreign_keys = ON", erasing):
            connection.execute(f"PRAGMA {pragma}")
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _use_wal(connection: Any) -> None:
    """Of several that open a new journal at once SQLite refuses some at once, without waiting."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _postgresql(url: URL) -> Engine:
    from psycopg.types.string import StrDumperUnknown

    class WithoutNul(StrDumperUnknown):
        """PostgreSQL keeps no NUL, which a request may hold: what is named so is not there."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    engine = sa.create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,  # a connection that the server closed meanwhile is no error
        pool_timeout=WAIT_SECONDS,
        connect_args={
            "connect_timeout": 10,
            "application_name": "footnote",
            "keepalives_idle": 10,  # a server that vanished is noticed while we wait for it
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": WAIT_SECONDS * 1000,
        },
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.adapters.register_dumper(str, WithoutNul)
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
        connection.commit()

    return engine


_SESSION = f"""
SELECT set_config('statement_timeout', '{STATEMENT_SECONDS}s', false),
       set_config('lock_timeout', '{WAIT_SECONDS}s', false),
       set_config('idle_in_transaction_session_timeout', '{STATEMENT_SECONDS}s', false),
       set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('synchronous_commit',
           CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                ELSE current_setting('synchronous_commit') END, false)
"""
"""A commit returns when it is on disk, or on the standby's too where the server says so. A client
that vanished gives up its locks within 25 seconds."""


# Transactions


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one state of the whole journal."""
    with translated(), engine.connect() as connection:
        if is_postgresql(connection):
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that commits when the block ends."""
    with (
        translated(),
        engine.connect() as connection,
        connection.execution_options(writing=True).begin(),
    ):
        yield connection


@contextmanager
def apart(connection: Connection) -> Iterator[None]:
    """A part of a transaction that is undone alone when the block fails, but for what the database
    itself cannot do: then nothing of the transaction may be committed."""
    with translated():
        part = connection.begin_nested()
        try:
            yield
        except sa.exc.OperationalError:  # SQLite undoes the whole transaction on a full disk
            raise
        except BaseException:
            part.rollback()
            raise
        part.commit()


def lock(connection: Connection, *names: str | bytes) -> None:
    """Hold whatever ``names`` stand for until this transaction ends. SQLite's writer has it all.

    Not within :func:`apart`: PostgreSQL gives a lock back with what is undone.
    """
    if is_postgresql(connection):
        parts = (name if isinstance(name, bytes) else name.encode() for name in names)
        number = int.from_bytes(sha256(b"".join(map(sha256, parts)))[:8], "big", signed=True)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


# Writing


def replace_row(
    connection: Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Update the row of that primary key, or insert it."""
    replace_rows(connection, table, list(key), [{**key, **values}])


def replace_rows(
    connection: Connection,
    table: sa.Table,
    key: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Update the rows of those primary keys, or insert them; all rows name the same columns."""
    if not rows:
        return
    statement = _insert(connection, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=changed),
        [dict(row) for row in rows],
    )


def insert_missing(connection: Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    """Insert ``row`` unless there is one of its primary key; whether it did."""
    statement = _insert(connection, table).values(**row).on_conflict_do_nothing()
    inserted = connection.execute(statement.execution_options(preserve_rowcount=True))
    return inserted.rowcount == 1


def _insert(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    if is_postgresql(connection):
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


# Errors

_UNDONE = ("40001", "40P01")  # serialization failure, deadlock
_FULL = ("53100",)
_LATER = ("25", "53", "57", "08")
"""A standby or a lost transaction, no resources, an operator's doing, a lost connection."""


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the database become Footnote's."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise Unavailable("all connections to the journal are in use", "try again") from error
    except sa.exc.DatabaseError as error:
        raise _meaning(error) from error


def _meaning(error: sa.exc.DatabaseError) -> Unavailable | Broken:
    state = getattr(error.orig, "sqlstate", None) or ""
    operational = isinstance(error, sa.exc.OperationalError)
    said = str(error.orig).lower()
    if operational or state.startswith(_LATER):
        log.warning("the journal: %s", error.orig)
    if state in _UNDONE:
        return Contended("the journal is in heavy use", "try again")
    if state in _FULL or (operational and not state and "full" in said):
        return StorageFull("no room in the journal", "free some disk space")
    if state.startswith("42") or (operational and "no such" in said):  # a column or a table
        log.warning("the journal: %s", error.orig)
        return Broken("the journal does not fit this Footnote", "restart it")
    if operational or state.startswith(_LATER):
        return Unavailable("the journal cannot be used now", "try again")
    return Broken("the journal refused a change", f"see the log ({type(error.orig).__name__})")
