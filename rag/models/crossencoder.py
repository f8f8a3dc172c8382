"""Models that read two texts together, through sentence-transformers: rerankers and judges of
entailment. Neither comes with Footnote; both are directories that an operator names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from footnote.errors import Misconfigured
from footnote.model import Definition
from rag.models.embedder import weights_sha256
from rag.models.entailment import Entailed

_LABELS = ("entailment", "neutral", "contradiction")


class _CrossEncoder:
    def __init__(
        self, path: Path, kind: str, setting: str, labels: int, device: str | None
    ) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from sentence_transformers import CrossEncoder

        if not path.is_dir():
            raise Misconfigured(f"{path} is no directory", f"set {setting} to a model's directory")
        try:
            self.model: Any = CrossEncoder(str(path), device=device, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise Misconfigured(
                f"the model in {path} cannot be loaded",
                f"set {setting} to a cross-encoder in sentence-transformers' format",
            ) from error
        if int(self.model.num_labels) != labels:
            raise Misconfigured(
                f"the model in {path} has {self.model.num_labels} labels",
                f"{setting} needs one with {labels}",
            )
        self.definition = Definition(
            {"kind": kind, "model": path.name, "weights_sha256": weights_sha256(path)}
        )


class CrossEncoderReranker(_CrossEncoder):
    """Orders passages by how well each answers the question."""

    def __init__(self, path: Path, device: str | None = None) -> None:
        super().__init__(path, "reranker", "FOOTNOTE_RERANKER_MODEL", 1, device)

    def relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        """In [0, 1]."""
        if not passages:
            return []
        import torch

        pairs = [(question, passage) for passage in passages]
        found = self.model.predict(
            pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
        )  # fmt: skip
        return [float(score) for score in found]


class CrossEncoderEntailment(_CrossEncoder):
    """A natural-language-inference model of three labels, in whatever order it names them."""

    def __init__(self, path: Path, device: str | None = None) -> None:
        super().__init__(path, "entailment", "FOOTNOTE_NLI_MODEL", 3, device)
        named = {str(name).lower(): int(i) for i, name in self.model.config.id2label.items()}
        if set(named) != set(_LABELS):
            raise Misconfigured(
                f"the model in {path} names its labels {', '.join(sorted(named))}",
                f"FOOTNOTE_NLI_MODEL needs {', '.join(_LABELS)}",
            )
        self._order = [named[label] for label in _LABELS]

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailed]:
        found = self.model.predict(list(pairs), apply_softmax=True, show_progress_bar=False)
        return [Entailed(*(float(row[i]) for i in self._order)) for row in found]
