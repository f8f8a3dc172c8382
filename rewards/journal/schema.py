"""The journal's schema: how it is made, what version it has, and how an older one is brought up to
date.

A new journal is made whole. An older SQLite journal comes up to date by itself when it is opened; a
PostgreSQL one, which other hosts may be using, only by ``footnote migrate``. Versions are those of
``migrations/versions``; ``meta.schema_version`` is what Footnotes before there were migrations look
at.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from footnote.errors import Broken
from rewards.journal.databases import (
    engine_at,
    is_postgresql,
    lock,
    reading,
    replace_row,
    sqlite_file,
    writing,
)
from rewards.journal.tables import SCHEMA_VERSION, meta, metadata

MIGRATIONS = Path(__file__).parent / "migrations"

_revision = sa.Table(
    "alembic_version",
    sa.MetaData(),  # alembic's own, so not one of the journal's
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def make_current(connection: Connection) -> None:
    """Make the schema where there is none, and bring up to date what may come by itself.

    Raises:
        Broken: it is older or newer than this Footnote can use.
    """
    if version(connection) == SCHEMA_VERSION:
        return
    lock(connection, "schema")
    known = version(connection)
    if known is None:
        metadata.create_all(connection)
        _note(connection, SCHEMA_VERSION)
    elif known < SCHEMA_VERSION and is_postgresql(connection):
        raise Broken("the journal is of an older Footnote", "run footnote migrate")
    else:
        _upgrade(connection, known)


def known_version(url: str) -> int | None:
    """The version of the journal at ``url``; None where there is none yet. Changes nothing."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None
    engine = engine_at(url)
    try:
        with reading(engine) as connection:
            return version(connection)
    finally:
        engine.dispose()


def migrate(url: str) -> None:
    """Make the schema at ``url``, or bring it up to date.

    Raises:
        Broken: it is newer than this Footnote.
    """
    engine = engine_at(url)
    try:
        with writing(engine) as connection:
            lock(connection, "schema")
            known = version(connection)
            if known is None:
                make_current(connection)
            else:
                _upgrade(connection, known)
    finally:
        engine.dispose()


def version(connection: Connection) -> int | None:
    """The schema's version; None where there is no schema."""
    if not sa.inspect(connection).has_table(meta.name):
        return None
    found = connection.execute(
        sa.select(meta.c.value).where(meta.c.name == "schema_version")
    ).scalar()
    return None if found is None else int(found)


def _upgrade(connection: Connection, known: int) -> None:
    if known > SCHEMA_VERSION:
        raise Broken("the journal is of a newer Footnote", "use the Footnote that wrote it")
    if known == SCHEMA_VERSION:
        return
    from alembic import command
    from alembic.config import Config

    _note(connection, known)  # which journals of before there were migrations lack
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
    _note(connection, SCHEMA_VERSION)


def _note(connection: Connection, number: int) -> None:
    _revision.create(connection, checkfirst=True)
    connection.execute(_revision.delete())
    connection.execute(_revision.insert().values(version_num=f"{number:04}"))
    replace_row(connection, meta, {"name": "schema_version"}, {"value": str(number)})
