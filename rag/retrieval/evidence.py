"""Which sentences of the retrieved chunks answer the question.

A sentence covers the words that it shares with the question, by their rarity. One that holds the
kind of thing that is asked for, such as a date, counts a little more. Nothing is embedded at
question time but the question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from footnote.model import Hit, Span
from rag.index.lexical import terms
from rag.retrieval.question import Asked, gives
from rag.text.sentences import Kind, Sentence, sentences

MIN_WORDS = 4
LENGTH_FREE_CODE_POINTS = 350
"""A sentence longer than this loses in proportion: the best evidence is short."""
GIVES_WHAT_IS_ASKED = 0.1

KEPT_PASSAGES, KEPT_SENTENCES = 2_048, 16_384
"""Of how many passages and sentences it is remembered what they are, whatever was asked."""

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


def find_evidence(asked: Asked, hits: Sequence[Hit]) -> list[Evidence]:
    """Every citable sentence of ``hits`` once, best first."""
    found: dict[tuple[str, Span], Evidence] = {}
    for hit in hits:
        title = set(terms(hit.chunk.document.title))
        for span in _statements(hit.chunk.text, hit.chunk.open_fence):
            text = span.of(hit.chunk.text)
            coverage = asked.coverage(_stems(text), title)
            place = Span(hit.chunk.span.start + span.start, hit.chunk.span.start + span.end)
            found.setdefault(
                (hit.chunk.document.document_id, place),
                Evidence(hit, place, text, coverage, _score(asked, hit, coverage, text)),
            )
    return sorted(
        found.values(), key=lambda e: (-round(e.score, 6), e.hit.rank, e.span.start, e.span.end)
    )


def _score(asked: Asked, hit: Hit, coverage: float, text: str) -> float:
    brevity = math.sqrt(min(1.0, LENGTH_FREE_CODE_POINTS / max(len(text), 1)))
    given = GIVES_WHAT_IS_ASKED if gives(text, asked.wanted) else 0.0
    score = 0.5 * hit.scores.fused + 0.5 * coverage * brevity + given
    return score / (1.0 + GIVES_WHAT_IS_ASKED)


@lru_cache(KEPT_SENTENCES)
def _stems(text: str) -> frozenset[str]:
    return frozenset(terms(text))


@lru_cache(KEPT_PASSAGES)
def _statements(text: str, fence: str | None) -> tuple[Span, ...]:
    """The sentences of a chunk that say something, without list bullets; all units where there is
    none. ``fence`` is the mark of the code block that the chunk begins in, if any."""
    units = _units(text, fence)
    spoken = [
        _without_bullet(text, unit.span) for unit in units if unit.kind in (Kind.PROSE, Kind.LIST)
    ]
    stated = [span for span in spoken if _is_statement(span.of(text))]
    return tuple(stated or (unit.span for unit in units))


def _units(text: str, fence: str | None) -> list[Sentence]:
    """The sentences of a chunk, read as the inside of the code block that it begins in."""
    if fence is None:
        return sentences(text)
    opening = fence + "\n"
    moved = (
        (Span(max(u.span.start - len(opening), 0), u.span.end - len(opening)), u.kind)
        for u in sentences(opening + text)
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
