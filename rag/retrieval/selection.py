"""What of the Hits is looked at: without what only looks like an answer, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence

from footnote.model import Hit
from rag.retrieval.echoes import set_aside
from rag.retrieval.evidence import Evidence, find_evidence
from rag.retrieval.passages import distinct
from rag.retrieval.question import Asked


def select(question: str, asked: Asked, hits: Sequence[Hit]) -> tuple[list[Hit], list[Evidence]]:
    """``hits`` and their evidence, each best first.

    In this order, since a copy that opens with the question would else hide its source and then be
    set aside itself.
    """
    speaking, evidence = set_aside(question, asked, hits, find_evidence(asked, hits))
    shown = distinct(speaking)
    kept = {hit.chunk.chunk_id for hit in shown}
    return shown, [one for one in evidence if one.hit.chunk.chunk_id in kept]
