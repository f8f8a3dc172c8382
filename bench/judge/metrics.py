"""The measures, pure: rankings and spans in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from footnote.model import Span

RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over ``count`` questions with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int

    def as_json(self) -> dict[str, float | int]:
        return {
            "mean": round(self.mean, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "questions": self.count,
        }


def estimate(values: Sequence[float], seed: int = 1) -> Estimate | None:
    """Percentile bootstrap over questions; None where there is none."""
    if not values:
        return None
    drawn = np.array(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(drawn), (RESAMPLES, len(drawn)))
    low, high = np.quantile(drawn[picks].mean(axis=1), [0.025, 0.975])
    return Estimate(float(drawn.mean()), float(low), float(high), len(drawn))


def ndcg(ranked: Sequence[str], relevant: Mapping[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval computes it."""
    gained = sum(
        relevant.get(name, 0) / math.log2(place + 1)
        for place, name in enumerate(ranked[:depth], start=1)
    )
    grades = sorted(relevant.values(), reverse=True)[:depth]
    ideal = sum(grade / math.log2(place + 1) for place, grade in enumerate(grades, start=1))
    return gained / ideal if ideal else 0.0


def recall(ranked: Sequence[str], relevant: Iterable[str], depth: int) -> float:
    wanted = set(relevant)
    return len(wanted & set(ranked[:depth])) / len(wanted)


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative; ties count half."""
    scores = np.array([*positive, *negative])
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    wins = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


def holds(passage: tuple[str, Span], gold: tuple[str, Span]) -> bool:
    """Whether a passage holds the whole of a gold span."""
    (document, span), (gold_document, gold_span) = passage, gold
    return document == gold_document and span.start <= gold_span.start and gold_span.end <= span.end


def overlap(passage: tuple[str, Span], gold: tuple[str, Span]) -> int:
    """How many code points two spans share."""
    (document, span), (gold_document, gold_span) = passage, gold
    if document != gold_document:
        return 0
    return max(0, min(span.end, gold_span.end) - max(span.start, gold_span.start))
