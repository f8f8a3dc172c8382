"""How a Datanet weighs the signs that it holds an answer, as its manifest keeps it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass


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
