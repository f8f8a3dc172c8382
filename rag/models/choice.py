"""Which engine computes an embedding model: OpenVINO where it was exported, else torch."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from footnote.settings import Settings
from rag.models.embedder import (
    Embedder,
    SentenceTransformerEmbedder,
    given_prefixes,
    model_path,
    weights_sha256,
)
from rag.models.export import Export, open_export
from rag.models.exported import ExportedEmbedder
from rag.models.exporting import export

SERVING_THREADS = 2
"""For questions, as many as search; more processes use more cores."""
MOST_THREADS = 8
"""For documents; each holds the model's weights once more."""

log = logging.getLogger(__name__)


def models_folder(home: Path) -> Path:
    """Where exports lie."""
    return home / "models"


def serving_embedder(settings: Settings, named: Collection[str]) -> Embedder:
    """What embeds questions.

    Args:
        named: the ids of exports that published manifests name; no other is trusted.
    """
    if named and _on_cpu(settings):
        weights = weights_sha256(model_path(settings.embedding_model))
        found = open_export(models_folder(settings.home), weights)
        if found is not None and found.export_id in named:
            loaded = _loaded(found, settings, SERVING_THREADS, for_questions=True)
            if loaded is not None:
                return loaded
        else:
            log.warning("questions are embedded by torch: no export is the one that is published")
    return SentenceTransformerEmbedder.of(settings, for_questions=True)


def indexing_embedder(settings: Settings) -> Embedder:
    """What embeds documents; exports the model for the processes that serve, where it can."""
    if _on_cpu(settings) and not (settings.device is None and _may_have_gpu()):
        written = export(models_folder(settings.home), settings.embedding_model)
        if written is not None:
            loaded = _loaded(written, settings, MOST_THREADS, for_questions=False)
            if loaded is not None:
                return loaded
    return SentenceTransformerEmbedder.of(settings, for_questions=False)


def export_id_of(embedder: Embedder) -> str | None:
    """The export that an Embedder computes with, for a manifest to name."""
    return embedder.export_id if isinstance(embedder, ExportedEmbedder) else None


def _on_cpu(settings: Settings) -> bool:
    return settings.device in (None, "cpu")


def _may_have_gpu() -> bool:
    """Told without importing torch; documents are embedded on a GPU where there is one."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def _loaded(
    found: Export, settings: Settings, most_threads: int, *, for_questions: bool
) -> ExportedEmbedder | None:
    """An Embedder over the export, or None where OpenVINO is missing or cannot read it."""
    try:
        return ExportedEmbedder(
            found,
            settings.embedding_model,
            threads=min(os.cpu_count() or 1, most_threads),
            for_questions=for_questions,
            prefixes=given_prefixes(settings),
        )
    except (ImportError, RuntimeError) as error:
        log.warning("the embedding model is computed by torch: %s", error)
        return None
