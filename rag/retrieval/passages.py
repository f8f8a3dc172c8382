"""Hits as a reader sees them: near-identical ones once, neighbours joined.

What was retrieved stays as it is; this is what evidence is looked for in and what a model is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from footnote.model import Hit, Span
from rag.index.documents import chunk_of
from rag.index.lexical import terms

SHINGLE = 5
KEPT = 1_024
"""Of how many passages the word sequences are remembered."""
SAME = 0.9
"""Chunks that share this part of the shorter one's word sequences say the same."""


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """``hits`` without those that say what an earlier one from another document says."""
    kept: list[tuple[Hit, frozenset[int]]] = []
    for hit in hits:
        shingles = _shingles(hit.chunk.text)
        if not any(_repeats(hit, shingles, other, theirs) for other, theirs in kept):
            kept.append((hit, shingles))
    return [hit for hit, _ in kept]


@lru_cache(KEPT)
def _shingles(text: str) -> frozenset[int]:
    """Hashes of the word sequences of ``text``: these are compared, not read."""
    words = terms(text)
    if len(words) <= SHINGLE:
        return frozenset([hash(tuple(words))])
    return frozenset(hash(tuple(words[i : i + SHINGLE])) for i in range(len(words) - SHINGLE + 1))


def _repeats(hit: Hit, shingles: frozenset[int], other: Hit, theirs: frozenset[int]) -> bool:
    if hit.chunk.document.document_id == other.chunk.document.document_id:
        return False  # neighbours overlap on purpose
    return len(shingles & theirs) >= SAME * min(len(shingles), len(theirs))


def joined(hits: Sequence[Hit], text_of: Callable[[bytes], str]) -> list[Hit]:
    """``hits`` with neighbouring chunks of a document as one, at the best rank among them.

    Args:
        text_of: the whole text of a Document version.
    """
    groups: list[list[Hit]] = []
    ordered = sorted(hits, key=lambda h: (h.chunk.document.document_id, h.chunk.span.start))
    for hit in ordered:
        if groups and _adjoin(groups[-1], hit, text_of):
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return sorted((_whole(group, text_of) for group in groups), key=lambda h: h.rank)


def _adjoin(group: Sequence[Hit], hit: Hit, text_of: Callable[[bytes], str]) -> bool:
    """Whether nothing but white space lies between a group and the Hit after it."""
    last, chunk = group[-1].chunk, hit.chunk
    if last.document != chunk.document:
        return False
    end = max(h.chunk.span.end for h in group)
    if chunk.span.start <= end:
        return True
    return not text_of(chunk.document.version)[end : chunk.span.start].strip()


def _whole(group: Sequence[Hit], text_of: Callable[[bytes], str]) -> Hit:
    if len(group) == 1:
        return group[0]
    best = min(group, key=lambda h: h.rank)
    span = Span(
        min(h.chunk.span.start for h in group), max(h.chunk.span.end for h in group)
    )  # fmt: skip
    document = best.chunk.document
    chunk = chunk_of(best.chunk.chunk_id, document, span, text_of(document.version))
    return replace(best, chunk=chunk)
