"""Paths to Submissions: walks folders, picks the reader by a file's ending, adds fields from
``datanet.toml``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from footnote import strict_json
from footnote.errors import Invalid, NotFound
from indexer.readers import docx, html, pdf, plain
from indexer.readers.submission import Submission, Unreadable

SETTINGS_FILE = "datanet.toml"

READERS: Mapping[str, Callable[[str, bytes], Submission]] = {
    ".md": plain.read,
    ".markdown": plain.read,
    ".rst": plain.read,
    ".txt": plain.read,
    ".html": html.read,
    ".htm": html.read,
    ".pdf": pdf.read,
    ".docx": docx.read,
}
JSON_LINES = ".jsonl"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: ``name`` is its path relative to what the command named."""

    path: Path
    name: str
    root: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def find_files(paths: list[Path]) -> list[SourceFile]:
    """All readable files under ``paths``, sorted within each; hidden ones are left out.

    Raises:
        NotFound: for a path that does not exist.
        Invalid: for a named file of a kind that no reader knows.
    """
    found: list[SourceFile] = []
    known = sorted({*READERS, JSON_LINES})
    for path in paths:
        if path.is_dir():
            found.extend(_files_below(path))
        elif path.is_file():
            if path.suffix.lower() not in known:
                raise Invalid(
                    f"{path.name} is of a kind that no reader knows", f"give {' '.join(known)}"
                )
            found.append(SourceFile(path, path.name, path.parent))
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
            known = file.suffix.lower() in READERS or file.suffix.lower() == JSON_LINES
            if known and not name.startswith(".") and file.is_file():
                yield SourceFile(file, file.relative_to(root).as_posix(), root)
    for folder in closed:
        yield SourceFile(folder, folder.relative_to(root).as_posix(), root)


def read_file(file: SourceFile, max_bytes: int) -> Iterator[Submission | Unreadable]:
    """The Submissions in one file; what cannot be read is said, never raised."""
    if file.path.suffix.lower() == JSON_LINES:
        yield from _read_json_lines(file, max_bytes)
        return
    try:
        if file.path.is_dir():
            yield Unreadable(file.name, "a folder that cannot be read")
            return
        if file.size > max_bytes:
            yield Unreadable(file.name, f"over {max_bytes:,} bytes")
            return
        yield READERS[file.path.suffix.lower()](file.name, file.path.read_bytes())
    except ValueError as error:
        yield Unreadable(file.name, str(error))
    except OSError as error:
        yield Unreadable(file.name, f"it cannot be read ({error.strerror})")


def _read_json_lines(file: SourceFile, max_bytes: int) -> Iterator[Submission | Unreadable]:
    # JSON may write one byte of text as six; what is longer cannot be within the limit.
    longest = 6 * max_bytes + 100_000
    try:
        with file.path.open("rb") as lines:
            number = 0
            while line := lines.readline(longest + 1):
                number += 1
                where = f"{file.name}:{number}"
                if len(line) > longest:
                    while line and not line.endswith(b"\n"):
                        line = lines.readline(longest)
                    yield Unreadable(where, f"a line over {longest:,} bytes")
                elif line.strip():
                    yield _from_json(where, line)
    except OSError as error:
        yield Unreadable(file.name, f"it cannot be read ({error.strerror})")


def _from_json(where: str, line: bytes) -> Submission | Unreadable:
    try:
        fields = strict_json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        return Unreadable(where, str(error))
    if not isinstance(fields, dict):
        return Unreadable(where, "a line must hold one JSON object")
    document_id, text = fields.get("id"), fields.get("text")
    if not isinstance(document_id, str) or not document_id:
        return Unreadable(where, "no id; give each document one that stays the same")
    if not isinstance(text, str):
        return Unreadable(document_id, "no text")
    return Submission(document_id, text, fields)


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
