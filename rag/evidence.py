"""Which sentences of the retrieved chunks answer the question, and how likely one does.

A question is a set of words with weights: how rare each is in the Datanet. A sentence covers the
words it shares; words in its document's title count half, since sentences speak of their subject
without naming it. Nothing is embedded at question time but the question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from footnote.model import Chunk, Hit, Span
from rag.lexical import content_terms, terms
from rag.sentences import Kind, Sentence, sentences

MIN_WORDS = 4
TITLE_WEIGHT = 0.5
LENGTH_FREE_CODE_POINTS = 350
"""A sentence longer than this loses in proportion: the best evidence is short."""

_BULLET = re.compile(r"(?:[-*+•‣]|\(?\d{1,3}[.)])\s+")
_FIELD = re.compile(r"^[A-Z][\w-]{0,30}:\s", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a Hit. ``span`` lies in the document; ``coverage`` and ``score`` in [0, 1]."""

    hit: Hit
    span: Span
    text: str
    coverage: float
    score: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What the confidence that a Datanet holds the answer is computed from."""

    similarity: float
    """The best cosine of a chunk."""
    passage_coverage: float
    """The best coverage by a whole chunk."""
    sentence_coverage: float
    """The best coverage by one sentence."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of a logistic model over Signals, and the bar below which an answer is refused.

    The defaults were fitted by ``bench/calibrate.py`` for all-MiniLM-L6-v2, on the 600 questions of
    clapnq (half of them unanswerable) and the 55 in ``bench/handbook_questions.jsonl``: area under
    the curve 0.876 on clapnq, where at this bar 7 % of answerable questions are refused and 58 % of
    unanswerable ones.
    """

    bias: float = -6.70
    similarity: float = 8.70
    passage_coverage: float = 0.79
    sentence_coverage: float = 3.34
    bar: float = 0.30

    def confidence(self, signals: Signals) -> float:
        logit = (
            self.bias
            + self.similarity * signals.similarity
            + self.passage_coverage * signals.passage_coverage
            + self.sentence_coverage * signals.sentence_coverage
        )
        return 1.0 / (1.0 + math.exp(-logit))


def find_evidence(
    question: str, hits: Sequence[Hit], rarity: Callable[[str], float]
) -> list[Evidence]:
    """Every citable sentence of ``hits`` once, best first."""
    weights = {term: rarity(term) for term in content_terms(question)}
    found: dict[tuple[str, Span], Evidence] = {}
    for hit in hits:
        title = set(terms(hit.chunk.document.title))
        for span in _statements(hit.chunk):
            text = span.of(hit.chunk.text)
            coverage = _coverage(weights, set(terms(text)), title)
            place = Span(hit.chunk.span.start + span.start, hit.chunk.span.start + span.end)
            found.setdefault(
                (hit.chunk.document.document_id, place),
                Evidence(hit, place, text, coverage, _score(hit, coverage, len(text))),
            )
    return sorted(
        found.values(), key=lambda e: (-round(e.score, 6), e.hit.rank, e.span.start, e.span.end)
    )


def signals(
    question: str,
    hits: Sequence[Hit],
    evidence: Sequence[Evidence],
    rarity: Callable[[str], float],
) -> Signals:
    """The Signals of a question over what was found for it; all zero where nothing was."""
    weights = {term: rarity(term) for term in content_terms(question)}
    passages = (
        _coverage(weights, set(terms(hit.chunk.text)), set(terms(hit.chunk.document.title)))
        for hit in hits
    )
    return Signals(
        similarity=max((hit.scores.dense for hit in hits), default=0.0),
        passage_coverage=max(passages, default=0.0),
        sentence_coverage=max((e.coverage for e in evidence), default=0.0),
    )


def _score(hit: Hit, coverage: float, length: int) -> float:
    brevity = math.sqrt(min(1.0, LENGTH_FREE_CODE_POINTS / max(length, 1)))
    return 0.5 * hit.scores.fused + 0.5 * coverage * brevity


def _coverage(weights: dict[str, float], present: set[str], title: set[str]) -> float:
    total = sum(weights.values())
    if total <= 0:
        return 0.0
    covered = sum(
        weight * (1.0 if term in present else TITLE_WEIGHT if term in title else 0.0)
        for term, weight in weights.items()
    )
    return covered / total


def _statements(chunk: Chunk) -> list[Span]:
    """The sentences that say something, without list bullets; all units where there is none."""
    text, units = chunk.text, _units(chunk)
    spoken = [
        _without_bullet(text, unit.span) for unit in units if unit.kind in (Kind.PROSE, Kind.LIST)
    ]
    stated = [span for span in spoken if _is_statement(span.of(text))]
    return stated or [unit.span for unit in units]


def _units(chunk: Chunk) -> list[Sentence]:
    """The sentences of a chunk, read as the inside of the code block that it begins in."""
    if chunk.open_fence is None:
        return sentences(chunk.text)
    opening = chunk.open_fence + "\n"
    moved = (
        (Span(max(u.span.start - len(opening), 0), u.span.end - len(opening)), u.kind)
        for u in sentences(opening + chunk.text)
    )
    return [Sentence(span, kind) for span, kind in moved if span.end > 0]


def _is_statement(text: str) -> bool:
    """Some words, and not a list of fields such as heads a proposal."""
    lines = text.count("\n") + 1
    fields = lines >= 3 and 2 * len(_FIELD.findall(text)) >= lines
    return not fields and len(_WORD.findall(text)) >= MIN_WORDS


def _without_bullet(text: str, span: Span) -> Span:
    match = _BULLET.match(text, span.start, span.end)
    return Span(match.end(), span.end) if match and match.end() < span.end else span
