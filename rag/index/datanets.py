"""Where Datanets live on disk.

FOOTNOTE_HOME/datanets/<name>/
    current              names of published snapshots, newest first
    snapshots/<name>/    one immutable snapshot
    texts.sqlite         every version of every document, by hash
    ingest.lock          held while one process ingests
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from footnote.errors import Invalid, NotFound

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class DatanetFolder:
    """The files of one Datanet."""

    name: str
    path: Path

    @property
    def current(self) -> Path:
        return self.path / "current"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def texts(self) -> Path:
        return self.path / "texts.sqlite"

    @property
    def lock(self) -> Path:
        return self.path / "ingest.lock"


def datanet_folder(home: Path, name: str) -> DatanetFolder:
    """The folder of the Datanet ``name``, whether or not it exists; Invalid for what is no name."""
    return DatanetFolder(name, home / "datanets" / check_name(name))


def check_name(name: str) -> str:
    """``name``, if it is one of a Datanet.

    Raises:
        Invalid: it is not.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(
            "not a Datanet's name",
            "use 1 to 63 lower-case letters, digits and inner hyphens",
            code="invalid-datanet",
        )
    return name


def published_folder(home: Path, name: str) -> DatanetFolder:
    """The folder of a Datanet with a published snapshot; NotFound otherwise."""
    try:
        folder = datanet_folder(home, name)
    except Invalid as error:
        raise NotFound("no such Datanet", "list them with footnote datanets") from error
    if not folder.current.exists():
        raise NotFound("no such Datanet", "list them with footnote datanets")
    return folder


def datanet_names(home: Path) -> list[str]:
    """The names of all Datanets with a published snapshot, sorted."""
    root = home / "datanets"
    if not root.is_dir():
        return []
    return sorted(folder.name for folder in root.iterdir() if (folder / "current").exists())
