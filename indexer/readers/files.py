"""Paths to Submissions: walks folders, picks the reader by a file's ending, adds fields from
``datanet.toml``."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from footnote.errors import Invalid, NotFound
from indexer.readers import json_lines, plain
from indexer.readers.isolation import IsolatedReader
from indexer.readers.submission import Submission, Unreadable

SETTINGS_FILE = "datanet.toml"

PLAIN = frozenset({".md", ".markdown", ".rst", ".txt"})
"""Read here: a text costs no more than its size, and front matter has limits of its own."""
PACKED = frozenset({".html", ".htm", ".pdf", ".docx"})
"""Read in a process with limits."""
JSON_LINES = ".jsonl"
KINDS = frozenset({*PLAIN, *PACKED, JSON_LINES})
UNKNOWN = "unknown-kind"

_MANY_BRACKETS = 20_000
"""A line with more of them may take thirty times its size, so it is read with limits too."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: ``name`` is its path relative to what the command named. Where it is a link,
    it may lead out of ``root`` only if it was ``named`` itself."""

    path: Path
    name: str
    root: Path
    named: bool = False

    @property
    def size(self) -> int:
        """In bytes; 0 for what is no file, and is refused when it is read."""
        try:
            found = self.path.stat()
        except OSError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0


def find_files(paths: list[Path]) -> list[SourceFile]:
    """All readable files under ``paths``, sorted within each; hidden ones are left out.

    Raises:
        NotFound: for a path that does not exist.
        Invalid: for a named file of a kind that no reader knows, and for what is no file at all.
    """
    found: list[SourceFile] = []
    known = sorted(KINDS)
    for path in paths:
        if path.is_dir():
            found.extend(_files_below(path))
        elif path.is_file():
            if path.suffix.lower() not in known:
                raise Invalid(
                    f"{path.name} is of a kind that no reader knows", f"give {' '.join(known)}"
                )
            found.append(SourceFile(path, path.name, path.parent, named=True))
        elif path.exists():
            raise Invalid(f"{path.name} is neither a file nor a folder", "name one of them")
        else:
            raise NotFound(f"{path} does not exist", "name a file or a folder")
    return found


def _files_below(root: Path) -> Iterator[SourceFile]:
    """Readable files, and folders that cannot be looked into, which :func:`read_file` then says."""
    closed: list[Path] = []
    for parent, folders, names in os.walk(root, onerror=lambda e: closed.append(Path(e.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent) / name
            if file.suffix.lower() in KINDS and not name.startswith("."):
                yield SourceFile(file, file.relative_to(root).as_posix(), root)
    for folder in closed:
        yield SourceFile(folder, folder.relative_to(root).as_posix(), root)


def read_file(
    file: SourceFile, max_bytes: int, isolated: IsolatedReader
) -> Iterator[Submission | Unreadable]:
    """The Submissions in one file; what cannot be read is said, never raised."""
    kind = file.path.suffix.lower()
    try:
        with _opened(file) as opened:
            if kind not in KINDS:
                what_to_do = "send " + " ".join(sorted(KINDS))
                yield Unreadable(file.name, "of a kind that no reader knows", UNKNOWN, what_to_do)
            elif kind == JSON_LINES:
                yield from _read_json_lines(file, opened, max_bytes, isolated)
            else:
                yield _read_whole(file, kind, opened, max_bytes, isolated)
    except ValueError as error:
        yield Unreadable(file.name, str(error))
    except OSError as error:
        yield Unreadable(file.name, f"it cannot be read ({error.strerror})")


def _opened(file: SourceFile) -> BinaryIO:
    """The file, where it is one: a pipe would be waited for, and a device never ends.

    Raises ValueError for those, and for a link out of its folder."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(file.path, flags)
    except OSError:
        if file.path.is_dir():
            raise ValueError("a folder that cannot be read") from None
        if not file.path.is_symlink():
            raise
        target = file.path.resolve()
        if not file.named and not target.is_relative_to(file.root.resolve()):
            raise ValueError("a link that leads out of its folder") from None
        descriptor = os.open(target, flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return open(descriptor, "rb")
    os.close(descriptor)
    if file.path.is_dir():
        raise ValueError("a folder that cannot be read")
    raise ValueError("not a file, but a pipe, a socket or a device")


def _read_whole(
    file: SourceFile, kind: str, opened: BinaryIO, max_bytes: int, isolated: IsolatedReader
) -> Submission | Unreadable:
    size = os.fstat(opened.fileno()).st_size
    data = opened.read(min(size, max_bytes) + 1)
    if len(data) > max_bytes:
        return Unreadable(file.name, f"over {max_bytes:,} bytes")
    if kind in PACKED:
        return isolated.read(kind, file.name, data)
    return plain.read(file.name, data)


def _read_json_lines(
    file: SourceFile, lines: BinaryIO, max_bytes: int, isolated: IsolatedReader
) -> Iterator[Submission | Unreadable]:
    # JSON may write one byte of text as six; what is longer cannot be within the limit.
    longest = 6 * max_bytes + 100_000
    number = 0
    while line := lines.readline(longest + 1):
        number += 1
        where = f"{file.name}:{number}"
        if len(line) > longest:
            while line and not line.endswith(b"\n"):
                line = lines.readline(longest)
            yield Unreadable(where, f"a line over {longest:,} bytes")
        elif not line.strip():
            continue
        elif line.count(b"[") + line.count(b"{") > _MANY_BRACKETS:
            yield isolated.read(JSON_LINES, where, line)
        else:
            yield json_lines.read(where, line)


class FolderSettings:
    """The ``datanet.toml`` files beside the documents, read once each.

    ``[defaults]`` holds fields for all files of its folder and below; ``[files."name"]`` those of
    one file, by its path relative to the ``datanet.toml``. What stands nearer to a file wins, and
    what the file says itself wins over all.
    """

    def __init__(self) -> None:
        self._read: dict[Path, Mapping[str, Any]] = {}

    def apply(self, file: SourceFile, submission: Submission) -> Submission:
        fields: dict[str, Any] = {}
        specific: dict[str, Any] = {}
        inside = [file.root / p for p in reversed(file.path.relative_to(file.root).parents)]
        for folder in inside:
            settings = self._settings(folder)
            fields.update(settings.get("defaults", {}))
            name = file.path.relative_to(folder).as_posix()
            specific.update(settings.get("files", {}).get(name, {}))
        own = {key: value for key, value in submission.fields.items() if value is not None}
        renamed = "id" in specific and "id" not in own
        return replace(
            submission,
            document_id=str(specific["id"]) if renamed else submission.document_id,
            fields={**fields, **specific, **own},
        )

    def _settings(self, folder: Path) -> Mapping[str, Any]:
        if folder not in self._read:
            path = folder / SETTINGS_FILE
            try:
                self._read[folder] = tomllib.loads(path.read_text("utf-8"))
            except FileNotFoundError:
                self._read[folder] = {}
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise Invalid(f"{path} is not valid TOML", f"mend it: {error}") from error
            _check_settings(path, self._read[folder])
        return self._read[folder]


def _check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    files = settings.get("files", {})
    tables = [settings.get("defaults", {}), *(files.values() if isinstance(files, dict) else [0])]
    if not all(isinstance(table, dict) for table in tables):
        raise Invalid(
            f"{path} is not laid out as it must be", 'use [defaults] and [files."name"] tables'
        )
