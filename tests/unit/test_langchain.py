"""A Datanet as a LangChain retriever."""

from __future__ import annotations

from pathlib import Path

from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.langchain import DatanetRetriever
from rag.models.embedder import SentenceTransformerEmbedder

ADDRESS = "0x31EAfdff73786e310324D6E97213ebF21C5eFD53"


def test_langchain_gets_each_chunk_with_its_span_and_contributors(
    home: Path, tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    text = "# Tides\n\nThe moon pulls the sea. A spring tide follows a full moon.\n"
    (tmp_path / "tides.md").write_text(text)
    folder = datanet_folder(home, "sea")
    indexer = Indexer(folder, home / "cache.sqlite", embedder, 5_000_000)
    indexer.ingest(find_files([tmp_path / "tides.md"]), Defaults((ADDRESS,), "CC0-1.0"))

    retriever = DatanetRetriever.open(home, "sea", k=3, embedder=embedder)
    (found,) = retriever.invoke("Why are there tides?")

    assert found.page_content == text[found.metadata["start"] : found.metadata["end"]]
    assert found.metadata["document_id"] == "tides.md"
    assert found.metadata["contributors"] == [
        {"address": ADDRESS, "name": None, "share_bps": 10_000}
    ]
