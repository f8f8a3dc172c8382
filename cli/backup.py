"""A copy of everything that cannot be made again, and the way back.

    FOLDER/manifest.json       what is in it, with the SHA-256 of every file
    FOLDER/journal.sqlite      what is owed
    FOLDER/datanets/…          snapshots, and the texts that citations rest on

Keys are not in it: a copy of a key is a key. High-water marks are not either, for they say what the
copy lacks. The journal is copied first, so that all it cites is in what is copied after.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout

from footnote import strict_json
from footnote.errors import Busy, Conflict, Invalid, NotFound, StorageFull, Unavailable
from footnote.files import file_sha256, sync
from footnote.settings import Settings, read_settings
from rewards.commands.common import say
from rewards.journal.databases import sqlite_file
from rewards.journal.journal import Journal
from rewards.marks import Marks, RolledBack
from rewards.record import Recorder

FORMAT = 1
JOURNAL, MANIFEST, DATANETS = "journal.sqlite", "manifest.json", "datanets"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def backup(folder: Path) -> None:
    """Copy journal, snapshots and texts to a new FOLDER, while everything goes on running.

    Keys are not copied, nor high-water marks, nor the embedding cache.
    """
    settings = read_settings()
    if folder.exists():
        raise Conflict(f"{folder} is there already", "name a new folder")
    journal = _journal_path(settings)
    building = folder.with_name(f".{folder.name}.building-{os.getpid()}")
    building.mkdir(parents=True, mode=0o700)
    try:
        say("copying the journal")
        Journal(settings.journal).back_up(building / JOURNAL)
        for path in _datanet_files(settings.home):
            _copy(path, building / path.relative_to(settings.home))
        files = {name: file_sha256(building / name) for name in _names(building)}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        body = {"format": FORMAT, "created": created, "files": files}
        (building / MANIFEST).write_text(json.dumps(body, indent=2))
        for path in [*building.rglob("*"), building]:
            sync(path)
        building.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(json.dumps({"folder": str(folder), "files": len(files), "bytes": size}))
    say(f"the journal was {journal}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Put what is there into HOME/before-restore-….")
def restore(folder: Path, replace: bool) -> None:
    """Bring a backup back to FOOTNOTE_HOME. Stop API, worker and ingest first.

    Every file is checked before anything is changed. Receipts that were issued after the backup are
    missed by the high-water mark: issuing stops until footnote journal resume.
    """
    settings = read_settings()
    _check(folder)
    journal = _journal_path(settings)
    datanets = settings.home / DATANETS
    there = [path for path in (*_with_companions(journal), datanets) if path.exists()]
    if there and not replace:
        raise Conflict(f"{there[0]} is there already", "give --replace to put it aside")
    for parent in {journal.parent, settings.home}:
        parent.mkdir(parents=True, exist_ok=True)
    incoming = _incoming(folder, settings.home)
    try:
        if there:
            _put_aside(there, settings.home)
        if (incoming / DATANETS).is_dir():
            (incoming / DATANETS).rename(datanets)
        (incoming / JOURNAL).rename(journal)
        sync(journal.parent)
        sync(settings.home)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    restored = Journal(settings.journal)
    waiting = _rolled_back(restored, Marks(settings.marks_path))
    for datanet, what in waiting.items():
        say(f"{what}: nothing of {datanet} is issued until footnote journal resume {datanet}")
    click.echo(json.dumps({"journal": str(journal), "resume": sorted(waiting)}))


def _journal_path(settings: Settings) -> Path:
    file = sqlite_file(settings.journal)
    if file is None:
        raise Invalid("this journal is in PostgreSQL", "copy it with pg_dump, then FOOTNOTE_HOME")
    return file


def _rolled_back(journal: Journal, marks: Marks) -> dict[str, str]:
    """What the marks miss, by Datanet."""
    recorder, found = Recorder(journal, None, marks), {}
    for datanet in {registration.datanet for registration in journal.registrations(lost=True)}:
        try:
            recorder.check_marks(datanet)
        except RolledBack as error:
            found[datanet] = error.what
    return found


def _datanet_files(home: Path) -> Iterator[Path]:
    """All files of all Datanets, each Datanet while nobody ingests into it."""
    for datanet in sorted((home / DATANETS).glob("*/")):
        say(f"copying {datanet.name}")
        try:
            with FileLock(datanet / "ingest.lock", timeout=60):
                for folder, folders, names in os.walk(datanet, followlinks=True):
                    folders[:] = [name for name in folders if not name.startswith(".building-")]
                    skipped = (".lock", "-wal", "-shm")
                    yield from (Path(folder, n) for n in names if not n.endswith(skipped))
        except Timeout:
            raise Busy(f"{datanet.name} is being ingested", "try again after that") from None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if source.suffix != ".sqlite" or "snapshots" in source.parts:  # a snapshot never changes
        shutil.copy2(source, target)
        return
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
    except sqlite3.Error as error:
        raise Unavailable(f"{source} cannot be copied", f"try again ({error})") from error


def _check(folder: Path) -> None:
    """Raise unless every file of the backup is there and is what was written."""
    try:
        body: Any = strict_json.loads((folder / MANIFEST).read_bytes())
        files = dict(body["files"])
        if body["format"] != FORMAT or JOURNAL not in files:
            raise ValueError
    except FileNotFoundError:
        raise NotFound(f"{folder} holds no backup", "name a folder of footnote backup") from None
    except (ValueError, KeyError, TypeError):
        raise Invalid(f"{folder / MANIFEST} is damaged", "use another backup") from None
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise Invalid(f"{path} is damaged or missing", "use another backup")
    if set(_names(folder)) - {MANIFEST} != set(files):
        raise Invalid(f"{folder} holds files that are not of the backup", "use another backup")


def _names(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _with_companions(journal: Path) -> list[Path]:
    names = (journal.name, f"{journal.name}-wal", f"{journal.name}-shm")
    return [path for path in (journal.with_name(name) for name in names) if path.exists()]


def _incoming(folder: Path, home: Path) -> Path:
    """A whole synced copy of the backup beside its place, so that what follows are renames."""
    incoming = home / f".restore-{os.getpid()}"
    try:
        shutil.copytree(folder, incoming)
        (incoming / JOURNAL).chmod(0o600)
        for path in [*incoming.rglob("*"), incoming]:
            sync(path)
    except OSError as error:  # shutil.Error too, which gathers several
        shutil.rmtree(incoming, ignore_errors=True)
        raise StorageFull("the backup cannot be copied back", "free some space") from error
    return incoming


def _put_aside(paths: list[Path], home: Path) -> None:
    """Into one folder under their own names: SQLite finds a journal's log by its name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = home / f"before-restore-{stamp}"
    aside.mkdir()
    for path in paths:
        path.rename(aside / path.name)
    say(f"what was there is in {aside}")
