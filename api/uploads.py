"""Documents as they arrive: bounded while they stream, and kept under names of our own.

A name that a client gives is what a document is called, and never a path. Nothing here looks into
a file: that is for a process with limits.

    Refused
    ├── TooLarge       more than one upload may be    413
    ├── WrongKind      neither files nor JSON         415
    ├── TooSlow        nothing came for a while       408
    └── Malformed      the form cannot be read        400
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from footnote import strict_json
from footnote.addresses import parse_address
from footnote.errors import Invalid, Refused, StorageFull
from footnote.files import sync
from footnote.ids import canonical_json, sha256
from footnote.jobs import uploads_folder
from footnote.model import MAX_CONTRIBUTORS

MAX_FILES = 200
MAX_JSON_BYTES = 10_000_000
"""Of documents as JSON, which is parsed here; as a file of JSON lines there may be more."""
MAX_JSON_BRACKETS = 50_000
MAX_NAME_CHARACTERS = 200
MAX_LICENSE_CHARACTERS = 200
_ENDING = re.compile(r"\.[a-z0-9]{1,10}")
_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TooLarge(Refused):
    """More than one upload may be."""

    status = 413
    default_code = "body-too-large"


class WrongKind(Refused):
    """Neither files nor JSON."""

    status = 415
    default_code = "unsupported-media-type"


class TooSlow(Refused):
    """Nothing came for a while, or the client left."""

    status = 408
    default_code = "upload-interrupted"


class Malformed(Refused):
    """The body cannot be read."""

    status = 400
    default_code = "malformed-upload"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """``name`` is the client's and ``stored`` ours."""

    name: str
    stored: str
    size: int
    sha256: str


@dataclass(slots=True)
class Incoming:
    """An upload while it arrives, in a folder that nobody else sees."""

    path: Path
    files: list[UploadedFile] = field(default_factory=list)
    contributors: list[str] = field(default_factory=list)
    license: str | None = None
    ruling: dict[str, Any] | None = None
    _open: BinaryIO | None = None
    _name: str = ""
    _size: int = 0
    _hash: Any = None

    def begin(self, name: str) -> None:
        """A file of that name follows. Raises Invalid for a name that is none."""
        if len(self.files) >= MAX_FILES:
            raise Invalid(
                f"more than {MAX_FILES} files", "send them in several uploads", code="too-many"
            )
        self._name, self._size, self._hash = checked_name(name), 0, hashlib.sha256()
        self._open = (self.path / "files" / self._stored()).open("xb")

    def write(self, data: bytes) -> None:
        """More of the file."""
        assert self._open is not None
        self._open.write(data)
        self._hash.update(data)
        self._size += len(data)

    def end(self) -> None:
        """The file is whole; it is durable when this returns."""
        assert self._open is not None
        self._open.flush()
        os.fsync(self._open.fileno())
        self._open.close()
        self.files.append(
            UploadedFile(self._name, self._stored(), self._size, self._hash.hexdigest())
        )
        self._open = None

    def rule(self, ruling: dict[str, Any]) -> None:
        """Take the owner's ruling on near-duplicates in the place of documents."""
        self.ruling = ruling
        sync(self.path / "files")

    def finish(self) -> None:
        """Everything arrived. Raises Invalid where that is not enough."""
        if not self.files:
            raise Invalid("no document was sent", "send at least one file", code="no-file")
        self.contributors = _checked_contributors(self.contributors)
        self.license = _checked_license(self.license)
        sync(self.path / "files")

    def close(self) -> None:
        """Let go of a file that will never be whole."""
        if self._open is not None:
            self._open.close()

    @property
    def digest(self) -> bytes:
        """What was sent: equal for equal documents under equal names."""
        files = [[one.name, one.sha256] for one in self.files]
        body = {
            "files": files, "contributors": self.contributors, "license": self.license,
            "ruling": self.ruling,
        }  # fmt: skip
        return sha256(canonical_json(body))

    def _stored(self) -> str:
        """The ending is kept where it is plain, since readers go by it."""
        ending = os.path.splitext(self._name)[1].lower()
        return f"{len(self.files):04}{ending if _ENDING.fullmatch(ending) else ''}"


@contextmanager
def incoming(home: Path) -> Iterator[Incoming]:
    """A folder for one upload; gone afterwards unless it was moved away.

    Raises:
        StorageFull: the disk has no room for it.
    """
    path = uploads_folder(home) / "incoming" / secrets.token_hex(16)
    upload = Incoming(path)
    try:
        with room():
            (path / "files").mkdir(parents=True)
            yield upload
    finally:
        with room():
            upload.close()
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def room() -> Iterator[None]:
    """A full disk as StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _ROOM:
            raise StorageFull("no room for the upload", "free some disk space") from error
        raise


def checked_name(name: str) -> str:
    """The name of a file as its document's id: folders may stand before it, as in ``guide/a.md``.

    Raises:
        Invalid: for what a person could take for another name, or a system for a way out.
    """
    name = unicodedata.normalize("NFC", name)
    parts = name.split("/")
    wrong = (
        not 1 <= len(name) <= MAX_NAME_CHARACTERS
        or "\\" in name
        or any(part in ("", ".", "..") or part != part.strip() for part in parts)
        or re.match(r"[A-Za-z]:", name) is not None
        # C: control, format (which turns the direction of text), surrogate, private, unassigned
        or any(unicodedata.category(one)[0] == "C" for one in name)
        or any(unicodedata.category(one) in ("Zl", "Zp") for one in name)
    )
    if wrong:
        raise Invalid(
            "a file's name cannot be used",
            f"give a relative one of 1 to {MAX_NAME_CHARACTERS} printable characters",
            code="file-name",
        )
    return name


def take_json(upload: Incoming, body: bytes) -> None:
    """Take documents that were sent as JSON: one, a list, or an object with ``documents``,
    ``contributors`` and ``license`` for those that name none.

    Raises:
        Malformed: not JSON.
        Invalid: not documents.
    """
    if body.count(b"[") + body.count(b"{") > MAX_JSON_BRACKETS:
        raise Invalid("too many lists and objects", "send the documents as a .jsonl file")
    try:
        value = strict_json.loads(body)
    except ValueError as error:
        raise Malformed(
            "the body cannot be read", f"send JSON ({error})", code="malformed-json"
        ) from None
    documents = _documents(upload, value)
    upload.begin("documents.jsonl")
    for document in documents:
        upload.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")
    upload.end()


def _documents(upload: Incoming, value: object) -> list[Mapping[str, Any]]:
    if isinstance(value, dict) and "documents" in value:
        if unknown := value.keys() - {"documents", "contributors", "license"}:
            raise Invalid(
                f"{len(unknown)} unknown fields",
                "give documents, contributors and license",
                code="unknown-field",
            )
        given, license_ = value.get("contributors", []), value.get("license")
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise Invalid("contributors is no list of addresses", "give addresses as text")
        if not isinstance(license_, str | None):
            raise Invalid("license is no text", "name it as SPDX has it")
        upload.contributors, upload.license = given, license_
        value = value["documents"]
    documents: list[Any] = value if isinstance(value, list) else [value]
    if not documents:
        raise Invalid("no document was sent", "send at least one", code="no-file")
    for number, document in enumerate(documents):
        if not isinstance(document, dict):
            raise Invalid(f"document {number} is no object", "give id, text and title of each")
        for name in ("id", "text"):
            if not isinstance(document.get(name), str) or not document[name]:
                raise Invalid(f"document {number} has no {name}", f"give its {name} as text")
    return documents


def _checked_contributors(given: list[str]) -> list[str]:
    addresses = [parse_address(one.strip()) for one in given]
    if len(addresses) > MAX_CONTRIBUTORS or len(set(addresses)) != len(addresses):
        raise Invalid(
            "the contributors cannot be used",
            f"name at most {MAX_CONTRIBUTORS} addresses, each once",
        )
    return [one.strip() for one in given]


def _checked_license(given: str | None) -> str | None:
    if given is None or not given.strip():
        return None
    if len(given) > MAX_LICENSE_CHARACTERS or not (given.isascii() and given.isprintable()):
        raise Invalid("the licence is not one short line", "name it as SPDX has it")
    return given.strip()
