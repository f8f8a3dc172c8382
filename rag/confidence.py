"""How likely a Datanet holds the answer to a question, from what was found for it.

A question without an answer names plausible documents, and they are found with high scores. What
tells it apart are the words of it that the best of them does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from footnote.model import Hit
from rag.evidence import Evidence
from rag.lexical import terms
from rag.question import Asked, gives


@dataclass(frozen=True, slots=True)
class Signals:
    """What the confidence is computed from, all about the first document that was found."""

    similarity: float
    """The best cosine among its chunks."""
    coverage: float
    """The best coverage by one of its sentences that holds the kind of thing asked for."""
    uncovered: float
    """The rarities together of the words that its chunks and title lack."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of a logistic model over Signals, and the bar below which an answer is refused.

    The defaults were fitted by ``bench/calibrate.py`` for all-MiniLM-L6-v2, on the 600 questions of
    clapnq (half of them unanswerable) and the 55 in ``bench/handbook_questions.jsonl``: area under
    the curve 0.885 on clapnq, where at this bar 7 % of answerable questions are refused and 59 % of
    unanswerable ones.
    """

    bias: float = -3.38
    similarity: float = 8.07
    coverage: float = 0.85
    uncovered: float = -0.88
    bar: float = 0.30

    def confidence(self, signals: Signals) -> float:
        logit = (
            self.bias
            + self.similarity * signals.similarity
            + self.coverage * signals.coverage
            + self.uncovered * signals.uncovered
        )
        return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, logit))))

    @property
    def body(self) -> dict[str, str]:
        """As a manifest holds it: decimals as text, so that its JSON has one form."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def read(cls, body: Mapping[str, str]) -> Calibration:
        """What :attr:`body` wrote."""
        return cls(**{name: float(value) for name, value in body.items()})


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
