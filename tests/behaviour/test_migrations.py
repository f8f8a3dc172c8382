"""A journal of any age comes to the schema of this Footnote, in both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner, Result

from footnote.errors import Broken
from rewards.commands.journal import migrate as migrate_command
from rewards.journal.databases import engine_at, writing
from rewards.journal.journal import Journal
from rewards.journal.schema import MIGRATIONS, known_version, migrate
from rewards.journal.tables import SCHEMA_VERSION, metadata
from rewards.record import Recorder
from tests.money import journal_url, paying
from tests.postgres import Postgres

OLDER = list(range(1, SCHEMA_VERSION))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield journal_url(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database("template0") as made:
        yield made


def made_by(version: int, url: str) -> None:
    """A journal as the Footnote of that schema made it, which knew of no migrations."""
    engine = engine_at(url)
    with writing(engine) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, f"{version:04}")
        connection.execute(sa.text("DROP TABLE alembic_version"))
        connection.execute(sa.text(f"INSERT INTO meta VALUES ('schema_version', '{version}')"))
        connection.execute(
            sa.text("INSERT INTO answers (answer_id, datanet, body, created_at) "
                    "VALUES ('ans_old', 'eips', '{\"id\": \"ans_old\"}', 1700000000)")
        )  # fmt: skip
    engine.dispose()


def differences(url: str) -> list[object]:
    """Where the database's schema is not that of the tables."""
    engine = engine_at(url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    return list(found)


def rows_of(url: str, query: str) -> list[tuple[object, ...]]:
    engine = engine_at(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return rows


def test_migrations_make_the_very_schema_that_a_new_journal_has(url: str) -> None:
    made_by(1, url)
    migrate(url)
    assert differences(url) == []


def test_a_new_journal_has_the_newest_schema_and_says_so(url: str) -> None:
    assert known_version(url) is None
    Journal(url).close()
    assert known_version(url) == SCHEMA_VERSION
    assert differences(url) == []
    assert rows_of(url, "SELECT version_num FROM alembic_version") == [(f"{SCHEMA_VERSION:04}",)]


def test_the_comparison_sees_a_column_that_is_missing(url: str) -> None:
    Journal(url).close()
    engine = engine_at(url)
    with writing(engine) as connection:
        connection.execute(sa.text("ALTER TABLE answers DROP COLUMN tenant"))
    engine.dispose()
    assert len(differences(url)) == 1


def test_every_schema_has_its_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert sorted(revisions) == [f"{version:04}" for version in range(1, SCHEMA_VERSION + 1)]


@pytest.mark.parametrize("version", OLDER)
def test_a_journal_of_an_older_schema_keeps_what_it_holds_and_goes_on(
    url: str, version: int
) -> None:
    made_by(version, url)
    migrate(url)
    migrate(url)
    assert differences(url) == []
    with closing(Journal(url)) as journal:
        assert journal.answer("ans_old", "anonymous") == {"id": "ans_old"}
        assert journal.lead("settle", "me", 10, 0)
        assert Recorder(journal, None).record(paying())["receipt"]["seq"] == 0


@pytest.mark.parametrize("version", OLDER)
def test_a_sqlite_journal_comes_up_to_date_when_it_is_opened(tmp_path: Path, version: int) -> None:
    url = journal_url(tmp_path)
    made_by(version, url)
    for _ in range(2):
        with closing(Journal(url)) as journal:
            assert journal.answer("ans_old") == {"id": "ans_old"}
    assert known_version(url) == SCHEMA_VERSION


def test_a_server_that_others_use_is_only_migrated_when_somebody_says_so(
    postgres: Postgres,
) -> None:
    with postgres.database("template0") as url:
        made_by(2, url)
        with pytest.raises(Broken, match="run footnote migrate"):
            Journal(url)
        assert known_version(url) == 2
        migrate(url)
        Journal(url).close()


def test_a_migration_that_fails_leaves_the_journal_as_it_was(url: str) -> None:
    made_by(2, url)
    engine = engine_at(url)
    with writing(engine) as connection:  # what the last step of 0003 wants to make
        connection.execute(sa.text("CREATE TABLE api_keys (x INTEGER)"))
    with pytest.raises(Exception, match="journal"):
        migrate(url)
    assert known_version(url) == 2
    with writing(engine) as connection:
        connection.execute(sa.text("DROP TABLE api_keys"))
    engine.dispose()
    migrate(url)
    assert differences(url) == []


def test_a_newer_journal_is_refused_and_left_alone(url: str) -> None:
    Journal(url).close()
    engine = engine_at(url)
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE meta SET value = '99' WHERE name = 'schema_version'"))
    engine.dispose()
    for act in (migrate, Journal):
        with pytest.raises(Broken, match="newer Footnote"):
            act(url)
    assert known_version(url) == 99


def migrated(url: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("FOOTNOTE_JOURNAL_URL", url)
    return CliRunner().invoke(migrate_command, arguments)


def test_the_command_shows_from_where_to_where_and_checks_first(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by(1, url)
    looked = migrated(url, monkeypatch, "--check")
    assert isinstance(looked.exception, Broken)
    assert json.loads(looked.stdout) == {"from": 1, "to": SCHEMA_VERSION}
    assert known_version(url) == 1
    done = migrated(url, monkeypatch)
    assert json.loads(done.stdout) == {"from": 1, "to": SCHEMA_VERSION}
    for arguments in ((), ("--check",)):
        again = migrated(url, monkeypatch, *arguments)
        assert again.exit_code == 0
        assert json.loads(again.stdout) == {"from": SCHEMA_VERSION, "to": SCHEMA_VERSION}


def test_checking_makes_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = migrated(f"sqlite:///{tmp_path}/new/j.sqlite", monkeypatch, "--check")
    assert isinstance(looked.exception, Broken)
    assert not (tmp_path / "new").exists()
