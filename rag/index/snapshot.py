"""One immutable published state of a Datanet's index.

    snapshots/<first 16 hex digits of its id>/
        manifest.json        what it is, and the SHA-256 of every other file
        catalogue.sqlite     documents, contributors, chunk spans
        vectors.faiss        one vector for each chunk
        lexical/             the BM25 index

A snapshot is written beside the old one, synced, and made current by one rename. A FAISS file has
no checksum of its own, so every file is hashed when a snapshot is opened, and a damaged one makes
room for the one before it. Readers notice a new snapshot without a restart; questions that are
running finish on the old one.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from footnote.errors import Broken, NotFound, StorageFull, Unavailable
from footnote.files import file_sha256, sync
from footnote.ids import abi_encode, canonical_json, double_hash, keccak, sha256
from footnote.merkle import merkle_root
from footnote.model import Chunk, Document, Span
from rag.index.calibration import Calibration
from rag.index.datanets import DatanetFolder
from rag.index.documents import RECENT_CODE_POINTS, Catalogue, Texts, chunk_of
from rag.index.lexical import LexicalIndex
from rag.index.lineage import Origin
from rag.index.recent import Recent
from rag.index.vectors import VectorIndex, VectorKind

log = logging.getLogger(__name__)

FORMAT = 2
READABLE = (1, FORMAT)
"""Format 1 lacks arrivals and origins; its next ingest or rebuild finds them."""
KEPT = 3
"""How many published snapshots stay on disk."""

MANIFEST, CATALOGUE, VECTORS, LEXICAL = (
    "manifest.json", "catalogue.sqlite", "vectors.faiss", "lexical",
)  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """What a snapshot is made of; its id is the SHA-256 of its canonical JSON."""

    body: dict[str, Any]

    @cached_property
    def snapshot_id(self) -> bytes:
        return sha256(canonical_json(self.body))

    @property
    def snapshot_hex(self) -> str:
        return "sha256:" + self.snapshot_id.hex()

    @property
    def folder_name(self) -> str:
        return self.snapshot_id.hex()[:16]

    @property
    def embedder(self) -> dict[str, Any]:
        return dict(self.body["embedder"])

    @property
    def export(self) -> str | None:
        """The id of the embedding model's export that processes may serve with."""
        export = self.body.get("export")
        return None if export is None else str(export)

    @property
    def chunker(self) -> dict[str, Any]:
        return dict(self.body["chunker"])

    @property
    def vector_kind(self) -> VectorKind:
        return VectorKind(self.body["vectors"])

    @property
    def dense_weight(self) -> float:
        return float(self.body["fusion"]["dense_weight"])

    @property
    def calibration(self) -> Calibration | None:
        """The Datanet's own, where ``footnote tune`` fitted one."""
        body = self.body.get("calibration")
        return Calibration.read(body) if body else None

    @property
    def documents(self) -> int:
        return int(self.body["counts"]["documents"])

    @property
    def chunks(self) -> int:
        return int(self.body["counts"]["chunks"])

    @property
    def next_chunk_id(self) -> int:
        return int(self.body["next_chunk_id"])

    @property
    def content_root(self) -> bytes:
        return bytes.fromhex(self.body["content_root"])


def content_root(documents: Iterable[Document]) -> bytes:
    """The Merkle root over documents by id; a leaf names id, version and contributors."""
    return merkle_root(
        [
            double_hash(
                abi_encode(
                    ["bytes32", "bytes32", "address[]", "uint16[]"],
                    [
                        keccak(document.document_id.encode()),
                        document.version,
                        [c.address for c in document.contributors],
                        [c.share_bps for c in document.contributors],
                    ],
                )
            )
            for document in sorted(documents, key=lambda d: d.document_id)
        ]
    )


class Snapshot:
    """An open snapshot. Safe to use from several threads."""

    def __init__(self, folder: Path, manifest: Manifest, texts: Texts) -> None:
        self.folder = folder
        self.manifest = manifest
        self.catalogue = Catalogue(folder / CATALOGUE)
        self.vectors = VectorIndex.load(folder / VECTORS, manifest.vector_kind)
        self.lexical = LexicalIndex.open(folder / LEXICAL)
        self._texts = texts
        self._recent: Recent[int, Chunk] = Recent(RECENT_CODE_POINTS)

    def text(self, version: bytes) -> str:
        """The whole text of a Document version, checked against its hash."""
        return self._texts.get(version)

    def passage(self, document_id: str, span: Span) -> Chunk:
        """The stretch of a Document that holds ``span``: its chunk, or as many as it touches."""
        document = self.catalogue.document(document_id)
        within = self.catalogue.chunks_within(document_id, span)
        whole = [(i, c) for i, c in within if c.start <= span.start and span.end <= c.end]
        chosen = whole[:1] or within
        start = min([span.start, *(c.start for _, c in chosen)])
        end = max([span.end, *(c.end for _, c in chosen)])
        text = self._texts.get(document.version)
        return chunk_of(chosen[0][0], document, Span(start, end), text)

    def origins(self, document_id: str, span: Span) -> list[Origin]:
        """Where the sentences stood first that ``span`` of a Document touches."""
        return self.catalogue.origins(document_id, span)

    def chunks(self, chunk_ids: Sequence[int]) -> list[Chunk]:
        """The chunks of those ids, in their order; their text was checked when it was read."""
        found = {i: self._recent.get(i) for i in chunk_ids}
        missing = [i for i, chunk in found.items() if chunk is None]
        for chunk in self._read(missing) if missing else ():
            self._recent.put(chunk.chunk_id, chunk, len(chunk.text))
            found[chunk.chunk_id] = chunk
        return [chunk for chunk in (found[i] for i in chunk_ids) if chunk is not None]

    def _read(self, chunk_ids: Sequence[int]) -> list[Chunk]:
        spans = self.catalogue.spans_of(chunk_ids)
        documents = {
            name: self.catalogue.document(name) for name in {name for name, _ in spans.values()}
        }
        texts = {d.version: self._texts.get(d.version) for d in documents.values()}
        found = []
        for chunk_id in chunk_ids:
            name, span = spans[chunk_id]
            document = documents[name]
            found.append(chunk_of(chunk_id, document, span, texts[document.version]))
        return found


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a snapshot's folder; Broken if it is damaged or of another format."""
    try:
        manifest = Manifest(json.loads((folder / MANIFEST).read_bytes()))
        known = manifest.body["format"] in READABLE
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Broken(
            "a manifest cannot be read", "run footnote rebuild", code="index-corrupt"
        ) from error
    if not known or manifest.folder_name != folder.name:
        raise Broken(
            "a manifest is damaged or from another version",
            "run footnote rebuild",
            code="index-corrupt",
        )
    return manifest


def published_names(folder: DatanetFolder) -> list[str]:
    """The folder names of published snapshots, newest first."""
    try:
        return folder.current.read_text("utf-8", errors="replace").split()
    except FileNotFoundError:
        return []


def current_manifest(folder: DatanetFolder, *, whole: bool = True) -> Manifest | None:
    """The manifest of the newest snapshot whose catalogue is whole, or None before the first.

    Args:
        whole: check the catalogue; without it the newest manifest that can be read is given.

    Raises:
        Broken: there are snapshots, and no catalogue is whole.
    """
    for name in published_names(folder):
        with suppress(Broken):
            manifest = read_manifest(folder.snapshots / name)
            if not whole or is_whole(folder.snapshots / name, manifest, CATALOGUE):
                return manifest
    if folder.current.exists():
        raise _nothing_whole(folder)
    return None


def is_whole(path: Path, manifest: Manifest, part: str) -> bool:
    """Whether the files of one part of the snapshot in ``path`` all match their hashes."""

    def of_part(names: Iterable[str]) -> set[str]:
        return {name for name in names if name == part or name.startswith(part + "/")}

    files = manifest.body["files"]
    names = of_part(files)
    return names == of_part(_file_names(path)) and all(
        file_sha256(path / name) == files[name] for name in names
    )


def _nothing_whole(folder: DatanetFolder) -> Broken:
    return Broken(
        f"no snapshot of {folder.name} is whole",
        "run footnote rebuild, or restore it from a backup",
        code="index-corrupt",
    )


def open_current(folder: DatanetFolder) -> Snapshot:
    """Open the newest snapshot whose files all match their hashes.

    Raises:
        NotFound: the Datanet has published none.
        Broken: none of them is whole.
    """
    names = published_names(folder)
    if not names and not folder.current.exists():
        raise NotFound("no such Datanet", "list them with footnote datanets")
    for name in names:
        try:
            return _open(folder, folder.snapshots / name)
        except Broken as error:
            log.error("datanet %s: snapshot %s is damaged: %s", folder.name, name, error.what)
    raise _nothing_whole(folder)


def _open(folder: DatanetFolder, path: Path) -> Snapshot:
    manifest = read_manifest(path)
    files = manifest.body["files"]
    present = {name for name in _file_names(path) if name != MANIFEST}
    if present != set(files):
        raise Broken("files are missing or strange", "run footnote rebuild", code="index-corrupt")
    for name, sha in files.items():
        if file_sha256(path / name) != sha:
            raise Broken(
                f"{name} does not match its hash", "run footnote rebuild", code="index-corrupt"
            )
    return Snapshot(path, manifest, Texts(folder.texts))


class CurrentSnapshot:
    """The newest snapshot of a Datanet, reopened when another is published."""

    def __init__(self, folder: DatanetFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._snapshot: Snapshot | None = None

    def get(self) -> Snapshot:
        """The Snapshot to answer the next question from."""
        try:
            status = self._folder.current.stat()
        except FileNotFoundError:
            raise NotFound("no such Datanet", "list them with footnote datanets") from None
        stamp = (status.st_ino, status.st_mtime_ns)
        snapshot = self._snapshot
        if snapshot is not None and stamp == self._stamp:
            return snapshot
        # Whoever comes while another opens the new one is answered from the one before.
        if not self._lock.acquire(blocking=snapshot is None):
            assert snapshot is not None
            return snapshot
        try:
            if self._snapshot is None or stamp != self._stamp:
                self._snapshot = open_current(self._folder)
                self._stamp = stamp
            return self._snapshot
        finally:
            self._lock.release()


@contextmanager
def building_folder(folder: DatanetFolder) -> Iterator[Path]:
    """A fresh folder to write the next snapshot into, gone again where that fails; what a killed
    process left there goes too."""
    for stale in folder.snapshots.glob(".building-*"):
        shutil.rmtree(stale, ignore_errors=True)
    path = folder.snapshots / f".building-{os.getpid()}"
    path.mkdir(parents=True)
    try:
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def publish(folder: DatanetFolder, building: Path, body: dict[str, Any]) -> Manifest:
    """Make what was written to ``building`` the current snapshot.

    Every file is hashed and synced first; the last step is one rename.
    """
    try:
        files = {name: file_sha256(building / name) for name in _file_names(building)}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest({"format": FORMAT, **body, "files": files, "created": created})
        (building / MANIFEST).write_text(json.dumps(manifest.body, indent=2, sort_keys=True))
        for name in [*files, MANIFEST]:
            sync(building / name)
        sync(building)
        final = folder.snapshots / manifest.folder_name
        if final.exists():
            shutil.rmtree(building)
        else:
            building.rename(final)
        sync(folder.snapshots)
        names = [manifest.folder_name]
        names += [n for n in published_names(folder) if n != manifest.folder_name]
        pointer = folder.path / ".current.new"
        pointer.write_text("\n".join(names[:KEPT]) + "\n")
        sync(pointer)
        pointer.replace(folder.current)
        sync(folder.path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull("no room for the new snapshot", "free some disk space") from error
        raise Unavailable("the new snapshot cannot be written", f"try again ({error})") from error
    for path in folder.snapshots.iterdir():
        if path.name not in names[:KEPT]:
            shutil.rmtree(path, ignore_errors=True)
    return manifest


def _file_names(folder: Path) -> list[str]:
    """Names relative to ``folder`` of all its files, but for lock files, which hold nothing."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    )
