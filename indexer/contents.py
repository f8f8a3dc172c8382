"""A Datanet's documents and chunks while a change of them is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from footnote.model import Document
from rag.index.documents import ChunkRow
from rag.index.lineage import Lineage


@dataclass(slots=True)
class Contents:
    """The state of a Datanet while an ingest changes it, by document id."""

    documents: dict[str, Document]
    chunks: dict[str, list[ChunkRow]]
    next_chunk_id: int
    lexical: Path | None = None
    """The published lexical index while it can still be added to; None once an entry in it went
    or changed."""
    lineage: Lineage = field(default_factory=Lineage)
    arrivals: dict[tuple[str, bytes], int] = field(init=False)
    next_arrival: int = field(init=False)
    marks: dict[str, Mapping[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.arrivals = dict(self.lineage.arrivals)
        self.marks = dict(self.lineage.marks)
        self.next_arrival = max(self.arrivals.values(), default=0) + 1
        for document in self.documents.values():
            self.arrive(document)

    def arrive(self, document: Document) -> None:
        """Give a version that never came before the next number."""
        number = self.arrivals.setdefault(
            (document.document_id, document.version), self.next_arrival
        )
        self.next_arrival = max(self.next_arrival, number + 1)

    def drop(self, document_id: str) -> None:
        del self.documents[document_id]
        self.marks.pop(document_id, None)
        if self.chunks.pop(document_id, None):
            self.lexical = None
