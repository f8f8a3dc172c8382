"""A question to Hits: dense and lexical search over one Snapshot, fused by normalised scores.

Reciprocal-rank fusion throws away how much better the first is than the second; min-max fusion
keeps it, and finds more (MRR@10 0.849 against 0.801 on 20,000 passages).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from footnote.errors import Misconfigured
from footnote.model import Hit, Scores
from rag.index.snapshot import Snapshot
from rag.models.embedder import Embedder, Vectors

MAX_K = 100
MIN_CANDIDATES = 100
RERANKED = 32
"""How many of the best a reranker reads."""


class Reranker(Protocol):
    """A model that reads question and passage together."""

    def relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunk ids with the scores that each search gave; ``dense`` names every one of them."""

    dense: Mapping[int, float]
    lexical: Mapping[int, float]


def candidates(snapshot: Snapshot, embedder: Embedder, question: str, depth: int) -> Candidates:
    """The ``depth`` best of either search, each with its cosine.

    Raises:
        Misconfigured: the snapshot's vectors come from another embedder.
    """
    check_embedder(snapshot, embedder)
    return _candidates(snapshot, question, embedder.embed_question(question), depth)


def check_embedder(snapshot: Snapshot, embedder: Embedder) -> None:
    """Raise Misconfigured where the snapshot's vectors come from another embedder."""
    if snapshot.manifest.embedder != embedder.definition.body:
        raise Misconfigured(
            f"{snapshot.manifest.body['datanet']} was indexed with another embedding model",
            "set FOOTNOTE_EMBEDDING_MODEL and the prefixes as then, or run footnote rebuild",
        )


def _candidates(snapshot: Snapshot, question: str, vector: Vectors, depth: int) -> Candidates:
    (nearest,) = snapshot.vectors.search(vector[np.newaxis], depth)
    dense = dict(nearest)
    lexical = dict(snapshot.lexical.search(question, depth))
    only_lexical = sorted(lexical.keys() - dense.keys())
    more = snapshot.vectors.scores_of(vector, only_lexical)
    return Candidates(dense | dict(zip(only_lexical, more, strict=True)), lexical)


def retrieve(
    snapshot: Snapshot,
    embedder: Embedder,
    question: str,
    k: int,
    reranker: Reranker | None = None,
) -> list[Hit]:
    """The ``k`` best chunks, best first, or fewer where the Datanet holds fewer.

    Where there is a reranker, its relevance takes the place of the fused score.
    """
    check_embedder(snapshot, embedder)
    return retrieve_by(snapshot, question, embedder.embed_question(question), k, reranker)


def retrieve_by(
    snapshot: Snapshot, question: str, vector: Vectors, k: int, reranker: Reranker | None = None
) -> list[Hit]:
    """What :func:`retrieve` gives, for a question whose ``vector``, shape (dimension,), is known
    to come from the snapshot's embedder."""
    found = _candidates(snapshot, question, vector, max(MIN_CANDIDATES, 2 * k))
    ranked = rank(fuse(found.dense, found.lexical, snapshot.manifest.dense_weight))
    if reranker is not None:
        ranked = _reranked(snapshot, question, ranked, k, reranker)
    return hits(snapshot, found, ranked[:k])


def hits(snapshot: Snapshot, found: Candidates, ranked: Sequence[tuple[int, float]]) -> list[Hit]:
    """The Hits of chunk ids with their fused scores, best first."""
    chunks = snapshot.chunks([chunk_id for chunk_id, _ in ranked])
    return [
        Hit(
            chunk,
            position,
            Scores(found.dense[chunk_id], found.lexical.get(chunk_id, 0.0), fused),
        )
        for position, ((chunk_id, fused), chunk) in enumerate(
            zip(ranked, chunks, strict=True), start=1
        )
    ]


def _reranked(
    snapshot: Snapshot,
    question: str,
    ranked: Sequence[tuple[int, float]],
    k: int,
    reranker: Reranker,
) -> list[tuple[int, float]]:
    read = [chunk_id for chunk_id, _ in ranked[: max(RERANKED, k)]]
    passages = [
        f"{chunk.document.title}\n{chunk.text}" for chunk in snapshot.chunks(read)
    ]  # fmt: skip
    relevance = reranker.relevance(question, passages)
    return rank(dict(zip(read, relevance, strict=True)))


def fuse(
    dense: Mapping[int, float], lexical: Mapping[int, float], dense_weight: float
) -> dict[int, float]:
    """Min-max normalised scores mixed by weight, in [0, 1]; ``dense`` names every candidate.

    A candidate that the lexical search did not return has the lexical score 0.
    """
    normal_dense = _normalised(dense, floor=min(dense.values(), default=0.0))
    normal_lexical = _normalised(lexical, floor=0.0)
    return {
        chunk_id: dense_weight * score + (1 - dense_weight) * normal_lexical.get(chunk_id, 0.0)
        for chunk_id, score in normal_dense.items()
    }


def _normalised(scores: Mapping[int, float], *, floor: float) -> dict[int, float]:
    width = max(scores.values(), default=0.0) - floor
    if width <= 0:
        return dict.fromkeys(scores, 1.0 if scores and floor > 0 else 0.0)
    return {key: (score - floor) / width for key, score in scores.items()}


def rank(fused: Mapping[int, float]) -> list[tuple[int, float]]:
    """Best first; equal scores by the lower chunk id. Scores are compared at six decimals, so that
    the last bits of a sum decide nothing."""
    ordered = sorted((-round(score, 6), chunk_id) for chunk_id, score in fused.items())
    return [(chunk_id, fused[chunk_id]) for _, chunk_id in ordered]
