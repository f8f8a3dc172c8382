"""A Datanet as a LangChain retriever. The door of langchain-core."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from footnote.addresses import format_address
from footnote.model import Hit
from footnote.settings import read_settings
from rag.index.library import Library, exports_named
from rag.models.choice import serving_embedder
from rag.models.embedder import Embedder
from rag.retrieval.retriever import MAX_K, retrieve


class DatanetRetriever(BaseRetriever):
    """Retrieves chunks of one Datanet, each with its exact span and its contributors.

    Retrieval alone credits nobody: only a verified citation in an Answer does. A chain may call it
    from any number of threads; ``ainvoke`` runs it in one.

    Invoking raises:
        NotFound: there is no such Datanet.
        Misconfigured: the Datanet was indexed with another embedding model.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    library: Library
    embedder: Any = Field(description="An rag.models.embedder.Embedder.")
    datanet: str
    k: int = Field(8, ge=1, le=MAX_K)

    @classmethod
    def open(cls, home: Path, datanet: str, k: int = 8, embedder: Embedder | None = None) -> Self:
        """A retriever over the Datanet under ``home``.

        Args:
            k: how many chunks to retrieve, at most.
            embedder: the one that the settings name where None, as ``footnote serve`` has it.

        Raises:
            Misconfigured: a setting cannot be used.
        """
        if embedder is None:
            settings = read_settings().model_copy(update={"home": home})
            embedder = serving_embedder(settings, exports_named(home))
        return cls(library=Library(home), embedder=embedder, datanet=datanet, k=k)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[LangChainDocument]:
        snapshot = self.library.snapshot(self.datanet)
        hits = retrieve(snapshot, self.embedder, query, self.k)
        return [_document(self.datanet, hit) for hit in hits]


def _document(datanet: str, hit: Hit) -> LangChainDocument:
    chunk, document = hit.chunk, hit.chunk.document
    version = "sha256:" + document.version.hex()
    return LangChainDocument(
        id=f"{datanet}/{version}/{chunk.span.start}-{chunk.span.end}",
        page_content=chunk.text,
        metadata={
            "datanet": datanet,
            "document_id": document.document_id,
            "version": version,
            "title": document.title,
            "source": document.url,
            "license": document.license,
            "start": chunk.span.start,
            "end": chunk.span.end,
            "rank": hit.rank,
            "score": hit.scores.fused,
            "contributors": [
                {
                    "address": format_address(contributor.address),
                    "name": contributor.name,
                    "share_bps": contributor.share_bps,
                }
                for contributor in document.contributors
            ],
        },
    )
