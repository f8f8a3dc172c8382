"""Datanets made for a measurement, in this process."""

from __future__ import annotations

import sys
from pathlib import Path

from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.models.embedder import SentenceTransformerEmbedder


def ingest(home: Path, datanet: str, source: Path) -> None:
    """Ingest a file or folder; what is there already costs little."""
    print(f"ingesting {datanet}", file=sys.stderr)
    indexer = Indexer(
        datanet_folder(home, datanet),
        home / "cache" / "embeddings.sqlite",
        SentenceTransformerEmbedder(for_questions=False),
        5_000_000,
    )
    indexer.ingest(find_files([source]), Defaults())
