"""How likely a Datanet holds the answer to a question, from what was found for it.

A question without an answer names plausible documents, and they are found with high scores. What
tells it apart are the words of it that the best of them does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from footnote.model import Hit
from rag.index.calibration import Signals
from rag.index.lexical import terms
from rag.retrieval.evidence import Evidence
from rag.retrieval.question import Asked, gives


def signals(asked: Asked, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Signals:
    """The Signals of a question over what was found for it, best first."""
    if not hits:
        return Signals(0.0, 0.0, sum(asked.rarities.values()))
    document = hits[0].chunk.document
    chunks = [hit for hit in hits if hit.chunk.document.document_id == document.document_id]
    present = set(terms(document.title)).union(*(terms(hit.chunk.text) for hit in chunks))
    stated = (
        e.coverage
        for e in evidence
        if e.hit.chunk.document.document_id == document.document_id and gives(e.text, asked.wanted)
    )
    return Signals(
        similarity=max(hit.scores.dense for hit in chunks),
        coverage=max(stated, default=0.0),
        uncovered=sum(rarity for term, rarity in asked.rarities.items() if term not in present),
    )
