"""Documents to chunks, and chunks to vectors, a block at a time beside the caller's own work."""

from __future__ import annotations

from dataclasses import dataclass, field

from footnote.ids import sha256
from footnote.model import Document
from indexer.contents import Contents
from indexer.embeddings import CachedEmbeddings
from indexer.splitter import ChunkSize, split_text
from rag.index.documents import ChunkRow, Texts
from rag.models.embedder import Embedder

EMBED_BLOCK = 512
"""Chunks embedded between two commits of the cache."""


@dataclass(slots=True)
class Blocks:
    """Splits the documents of ``contents``; at most one block is computed at a time.

    ``begun``: a block was. ``documents``: how many were split, ``untold`` of them since somebody
    was told. ``embedded``: how many vectors were computed.
    """

    cache: CachedEmbeddings
    embedder: Embedder
    size: ChunkSize
    contents: Contents
    begun: bool = False
    documents: int = 0
    untold: int = 0
    embedded: int = 0
    _waiting: list[tuple[bytes, str]] = field(default_factory=list)

    def add(self, document: Document, text: str) -> bool:
        """Give ``document`` its chunks; returns whether a block was begun by that."""
        rows = []
        for span in split_text(text, self.embedder.token_starts, self.size):
            piece = span.of(text)
            number, text_sha256 = self.contents.next_chunk_id, sha256(piece.encode("utf-8"))
            rows.append(ChunkRow(number, document.document_id, span, text_sha256))
            self.contents.next_chunk_id += 1
            self._waiting.append((text_sha256, piece))
        self.contents.chunks[document.document_id] = rows
        self.documents += 1
        self.untold += 1
        full = len(self._waiting) >= EMBED_BLOCK
        while len(self._waiting) >= EMBED_BLOCK:
            self._begin(EMBED_BLOCK)
        return full

    def rest(self) -> None:
        """Begin what is less than a block."""
        self._begin(len(self._waiting))

    def finish(self, texts: Texts) -> None:
        """Wait until the vector of every chunk is in the cache."""
        self.embedded += self.cache.finish()
        # What another run put there may be gone since: the cache is only a cache.
        for document_id, rows in self.contents.chunks.items():
            lost = [row for row in rows if not self.cache.has(row.text_sha256)]
            if lost:
                text = texts.get(self.contents.documents[document_id].version)
                pieces = [(row.text_sha256, row.span.of(text)) for row in lost]
                self.embedded += self.cache.compute(pieces)

    def _begin(self, count: int) -> None:
        self.begun = True
        self.embedded += self.cache.begin(self._waiting[:count])
        del self._waiting[:count]
