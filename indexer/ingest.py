"""Files to a published Snapshot: read → admit → split → embed → write → publish.

Nothing here changes what is published until the last rename. What a killed run embedded stays in
the cache, what it stored of texts stays under their hashes, and the rerun picks both up.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from footnote.errors import Busy, Invalid, NotFound
from footnote.model import Document
from indexer.admission import Defaults, admit, marks_of
from indexer.blocks import Blocks
from indexer.contents import Contents
from indexer.embeddings import CachedEmbeddings
from indexer.progress import Reporter, Silent
from indexer.readers.files import FolderSettings, SourceFile, read_file
from indexer.readers.isolation import IsolatedReader
from indexer.readers.limits import Limits
from indexer.readers.submission import Submission, Unreadable
from indexer.report import Refusal, Report
from indexer.splitter import CHUNKER, ChunkSize
from indexer.tracing import RECIPE, trace
from rag.index.calibration import Calibration
from rag.index.datanets import DatanetFolder
from rag.index.documents import Catalogue, ChunkRow, Texts
from rag.index.lexical import LexicalEntry, LexicalIndex
from rag.index.lineage import Lineage
from rag.index.snapshot import (
    CATALOGUE,
    LEXICAL,
    VECTORS,
    Manifest,
    building_folder,
    content_root,
    current_manifest,
    is_whole,
    publish,
)
from rag.index.vectors import VectorIndex, kind_for
from rag.models.embedder import Embedder

TEXT_BLOCK_BYTES = 8_000_000
"""Text stored between two commits of the text store."""

DENSE_WEIGHT = 0.5
"""Of a new Datanet: the optimum is flat between 0.4 and 0.6."""


@dataclass(frozen=True, slots=True)
class Indexer:
    """Everything an ingest needs, built once by its caller."""

    folder: DatanetFolder
    cache: Path
    embedder: Embedder
    max_document_bytes: int
    size: ChunkSize = field(default_factory=ChunkSize)
    report_to: Reporter = field(default_factory=Silent)
    dense_weight: float | None = None
    """Weight of dense against lexical scores, in [0, 1]; None keeps the Datanet's own."""
    calibration: Calibration | None = None
    """What confidence is computed by; None keeps the Datanet's own, or the default."""
    export: str | None = None
    """The export of the embedding model that the manifest names, for the processes that serve."""

    def ingest(self, files: list[SourceFile], defaults: Defaults, *, prune: bool = False) -> Report:
        """Add and update the documents in ``files``; with ``prune`` remove those not in them.

        Where a file or line could not be read nothing is removed, since nobody knows what it held.
        """

        def change(contents: Contents, texts: Texts, report: Report, blocks: Blocks) -> None:
            seen = self._admit_all(files, defaults, contents, texts, report, blocks)
            report.prune_skipped = prune and report.unreadable > 0
            gone = sorted(contents.documents.keys() - seen)
            for document_id in gone if prune and not report.prune_skipped else ():
                contents.drop(document_id)
                report.removed += 1

        return self._changed(change)

    def remove(self, document_ids: Iterable[str]) -> Report:
        """Take documents out; NotFound names the first that is not there."""

        def change(contents: Contents, texts: Texts, report: Report, _: Blocks) -> None:
            for document_id in document_ids:
                if document_id not in contents.documents:
                    raise NotFound(f"no document {document_id!r}", "list them with footnote show")
                contents.drop(document_id)
                report.removed += 1
            report.unchanged = len(contents.documents)

        return self._changed(change)

    def rebuild(self) -> Report:
        """Index all documents again from their stored text."""

        def change(contents: Contents, texts: Texts, report: Report, _: Blocks) -> None:
            contents.chunks.clear()
            contents.next_chunk_id, contents.lexical = 0, None
            report.unchanged = len(contents.documents)

        return self._changed(change, always=True)

    def review(self, ruling: Callable[[Lineage, Mapping[str, Document]], Lineage]) -> Report:
        """Publish the owner's ruling about who said what first, for answers from now on.

        Args:
            ruling: the Lineage as ruled, from what it was and the Documents by id.
        """

        def change(contents: Contents, texts: Texts, report: Report, _: Blocks) -> None:
            before = replace(contents.lineage, arrivals=contents.arrivals)
            contents.lineage = ruling(before, contents.documents)
            contents.arrivals = dict(contents.lineage.arrivals)
            report.unchanged = len(contents.documents)

        return self._changed(change, always=True)

    def _changed(self, change: Any, *, always: bool = False) -> Report:
        """Apply ``change`` under the Datanet's lock and publish what came of it."""
        began = time.monotonic()
        report = Report()
        with (
            _exclusive(self.folder),
            closing(CachedEmbeddings(self.cache, self.embedder)) as cache,
        ):
            texts = Texts(self.folder.texts)
            manifest, contents = self._load()
            blocks = Blocks(cache, self.embedder, self.size, contents)
            change(contents, texts, report, blocks)
            changed = always or report.added or report.updated or report.removed
            if manifest is None and not contents.documents:
                report.seconds = round(time.monotonic() - began, 3)
                return report  # nothing was admitted, so there is nothing to publish
            tuned = self._tuned(manifest)
            changed = changed or manifest is None or not tuned.items() <= manifest.body.items()
            changed = changed or manifest is None or manifest.body.get("attribution") != RECIPE
            if self.export is not None and manifest is not None:
                changed = changed or manifest.export != self.export
            if changed or manifest is None or self._recipe_differs(manifest):
                self._index(contents, texts, blocks)
                manifest = self._publish(contents, texts, blocks, tuned)
                report.chunks_embedded = blocks.embedded
            report.chunks = manifest.chunks
            report.snapshot = manifest.snapshot_hex
        report.seconds = round(time.monotonic() - began, 3)
        return report

    def _load(self) -> tuple[Manifest | None, Contents]:
        manifest = current_manifest(self.folder)
        if manifest is None:
            return None, Contents({}, {}, 0)
        published = self.folder.snapshots / manifest.folder_name
        catalogue = Catalogue(published / CATALOGUE)
        documents = {document.document_id: document for document in catalogue.documents()}
        lineage = catalogue.lineage()
        if manifest.body.get("attribution") != RECIPE:
            lineage = replace(lineage, sketches={}, clusters={})
        if self._recipe_differs(manifest):
            return manifest, Contents(documents, {}, 0, None, lineage)
        lexical = published / LEXICAL if is_whole(published, manifest, LEXICAL) else None
        contents = Contents(documents, {}, manifest.next_chunk_id, lexical, lineage)
        for row in catalogue.chunks():
            contents.chunks.setdefault(row.document_id, []).append(row)
        return manifest, contents

    def _tuned(self, manifest: Manifest | None) -> dict[str, Any]:
        """What ``footnote tune`` may change, as a manifest holds it."""
        weight = manifest.dense_weight if manifest else DENSE_WEIGHT
        weight = self.dense_weight if self.dense_weight is not None else weight
        tuned: dict[str, Any] = {"fusion": {"dense_weight": str(weight)}}
        calibration = self.calibration or (manifest.calibration if manifest else None)
        return tuned if calibration is None else {**tuned, "calibration": calibration.body}

    def _recipe_differs(self, manifest: Manifest) -> bool:
        """Whether the published chunks or vectors come from another splitter or model."""
        return manifest.embedder != self._embedder_body or manifest.chunker != self._chunker_body

    @property
    def _embedder_body(self) -> dict[str, Any]:
        return dict(self.embedder.definition.body)

    @property
    def _chunker_body(self) -> dict[str, Any]:
        return {
            "name": CHUNKER,
            "budget": self.size.budget,
            "overlap": self.size.overlap,
            "minimum": self.size.minimum,
        }

    def _admit_all(
        self,
        files: list[SourceFile],
        defaults: Defaults,
        contents: Contents,
        texts: Texts,
        report: Report,
        blocks: Blocks,
    ) -> set[str]:
        """Take every submission in; returns the ids that the files name, refused ones too."""
        seen: dict[str, bytes | None] = {}
        waiting: list[str] = []
        size = 0
        # Where others lack chunks too, theirs come first, as in any other run.
        ahead = contents.documents.keys() <= contents.chunks.keys()
        self.report_to.stage("reading", sum(file.size for file in files), "bytes")
        for file, submission in self._submissions(files):
            if isinstance(submission, Unreadable):
                report.unreadable += 1
                seen.setdefault(submission.document_id, None)
                report.refusals.append(_refusal(file, submission))
                continue
            try:
                document = admit(submission, defaults, self.max_document_bytes)
            except Invalid as error:
                seen.setdefault(submission.document_id, None)
                report.refusals.append(_refusal(file, submission, error))
                continue
            earlier = seen.get(document.document_id)
            if earlier is not None:
                if earlier != document.version:
                    report.refusals.append(_refusal(file, submission, _Twice("text")))
                elif document != contents.documents[document.document_id]:
                    report.refusals.append(_refusal(file, submission, _Twice("fields")))
                continue
            seen[document.document_id] = document.version
            before = contents.documents.get(document.document_id)
            new_text = _take(contents, document, report)
            if before != document:
                contents.marks.pop(document.document_id, None)
                if marks := marks_of(submission, document.title):
                    contents.marks[document.document_id] = marks
                    report.marked.append({"id": document.document_id, **marks})
            if new_text:
                waiting.append(submission.text)
                size += len(submission.text)
                if ahead and not blocks.begun:  # embedded while the others are still read
                    blocks.add(document, submission.text)
            if size > TEXT_BLOCK_BYTES:
                texts.put(waiting)
                waiting.clear()
                size = 0
        texts.put(waiting)
        return set(seen)

    def _submissions(
        self, files: list[SourceFile]
    ) -> Iterator[tuple[SourceFile, Submission | Unreadable]]:
        settings = FolderSettings()
        with IsolatedReader(Limits.of(self.max_document_bytes)) as isolated:
            for file in files:
                for submission in read_file(file, self.max_document_bytes, isolated):
                    if isinstance(submission, Submission):
                        yield file, settings.apply(file, submission)
                    else:
                        yield file, submission
                self.report_to.advance(file.size, file.name)

    def _index(self, contents: Contents, texts: Texts, blocks: Blocks) -> None:
        """Split and embed every document that has no chunks yet; the last vectors may still be
        computed when this returns."""
        missing = [d for d in contents.documents.values() if d.document_id not in contents.chunks]
        self.report_to.stage("embedding", blocks.documents + len(missing), "documents")
        for document in missing:
            if blocks.add(document, texts.get(document.version)):
                self._tell(blocks)
        blocks.rest()

    def _tell(self, blocks: Blocks) -> None:
        self.report_to.advance(blocks.untold, f"{blocks.embedded:,} chunks")
        blocks.untold = 0

    def _published_next_chunk_id(self) -> int:
        manifest = current_manifest(self.folder)
        return manifest.next_chunk_id if manifest else 0

    def _publish(
        self, contents: Contents, texts: Texts, blocks: Blocks, tuned: Mapping[str, Any]
    ) -> Manifest:
        rows = sorted(
            (row for rows in contents.chunks.values() for row in rows), key=lambda r: r.chunk_id
        )
        with building_folder(self.folder) as building:
            self._write(building, contents, rows, texts, blocks)
            body = {
                "datanet": self.folder.name,
                "embedder": self._embedder_body,
                **({} if self.export is None else {"export": self.export}),
                "metric": "inner-product",
                "chunker": self._chunker_body,
                "vectors": kind_for(len(rows)).value,
                "attribution": dict(RECIPE),
                **tuned,
                "counts": {"documents": len(contents.documents), "chunks": len(rows)},
                "next_chunk_id": contents.next_chunk_id,
                "content_root": content_root(contents.documents.values()).hex(),
            }
            return publish(self.folder, building, body)

    def _write(
        self,
        building: Path,
        contents: Contents,
        rows: list[ChunkRow],
        texts: Texts,
        blocks: Blocks,
    ) -> None:
        """All parts of a snapshot, the vectors last, since they may still be computed."""
        beside = blocks.cache.pending > 0
        if not beside:
            self._tell(blocks)
            self.report_to.stage("comparing", len(contents.documents), "documents")
        before = replace(contents.lineage, arrivals=contents.arrivals, marks=contents.marks)
        lineage = trace(contents.documents, before, texts.get)
        Catalogue.write(building / CATALOGUE, contents.documents.values(), rows, lineage)
        first_new = 0
        if contents.lexical is not None:
            shutil.copytree(
                contents.lexical, building / LEXICAL, ignore=shutil.ignore_patterns("*.lock")
            )
            first_new = self._published_next_chunk_id()
        new_rows = [row for row in rows if row.chunk_id >= first_new]
        LexicalIndex.write(building / LEXICAL, _lexical_entries(contents, new_rows, texts))
        blocks.finish(texts)
        if beside:
            self._tell(blocks)
        vectors = VectorIndex.build(
            self.embedder.dimension,
            len(rows),
            lambda: blocks.cache.blocks((row.chunk_id, row.text_sha256) for row in rows),
        )
        vectors.save(building / VECTORS)


class _Twice(Invalid):
    """One id was given to two documents."""

    def __init__(self, what_differs: str) -> None:
        super().__init__(
            f"one id twice with different {what_differs}",
            "give each document an id of its own",
            code="id-twice",
        )


def _refusal(
    file: SourceFile, refused: Submission | Unreadable, error: Invalid | None = None
) -> Refusal:
    """Why what was read, or could not be read, of ``file`` is not taken."""
    if isinstance(refused, Unreadable):
        reason, code, what_to_do = refused.reason, refused.code, refused.what_to_do
    else:
        assert error is not None
        reason, code, what_to_do = error.what, error.code, error.what_to_do
    return Refusal(refused.document_id, reason, file.name, code, what_to_do)


def _take(contents: Contents, document: Document, report: Report) -> bool:
    """Put ``document`` into ``contents``; returns whether its text is new there."""
    before = contents.documents.get(document.document_id)
    if before == document:
        report.unchanged += 1
        return False
    if before is None:
        report.added += 1
    else:
        report.updated += 1
        if before.version == document.version:
            contents.documents[document.document_id] = document
            if before.title != document.title:
                contents.lexical = None
            return False
        contents.drop(document.document_id)
    contents.documents[document.document_id] = document
    contents.arrive(document)
    return True


def _lexical_entries(
    contents: Contents, rows: list[ChunkRow], texts: Texts
) -> Iterator[LexicalEntry]:
    document: Document | None = None
    text = ""
    for row in rows:
        if document is None or document.document_id != row.document_id:
            document = contents.documents[row.document_id]
            text = texts.get(document.version)
        yield LexicalEntry(row.chunk_id, document.title, row.span.of(text))


@contextmanager
def _exclusive(folder: DatanetFolder) -> Iterator[None]:
    """The Datanet's lock, which the system releases however a process ends."""
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.lock, timeout=0):
            yield
    except Timeout:
        raise Busy(
            f"another process is ingesting into {folder.name}", "wait for it, then try again"
        ) from None
