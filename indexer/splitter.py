"""Text to chunks: whole sentences, kept under headings, within the embedder's window.

Spans are computed here and nowhere else: ``text[start:end]`` is the chunk, always. Splitting
libraries report offsets that come out wrong on repeated text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from footnote.model import Span
from rag.text.sentences import Kind, Sentence, sentences

CHUNKER = "sentences-2"
"""Name and version of this algorithm, recorded in a snapshot's manifest."""

TokenStarts = Callable[[str], Sequence[int]]
"""Maps a text to the ascending code-point offsets at which its tokens start."""


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """Sizes in tokens of the embedder. ``budget`` must fit its window, special tokens aside."""

    budget: int = 200
    overlap: int = 40
    minimum: int = 60


def split_text(text: str, token_starts: TokenStarts, size: ChunkSize) -> list[Span]:
    """Chunks of ``text`` in order: each within the budget, none blank, together covering all of it
    but white space.

    A chunk repeats the last sentence of the one before where that is within ``overlap`` tokens.
    A heading opens a new chunk once the open one holds ``minimum`` tokens.
    """
    starts = token_starts(text)

    def tokens(span: Span) -> int:
        return bisect_left(starts, span.end) - bisect_left(starts, span.start)

    units = [
        Sentence(piece, unit.kind)
        for unit in sentences(text)
        for piece in _fit(text, unit.span, starts, size.budget)
    ]
    chunks: list[Span] = []
    opened: list[Sentence] = []
    fresh = False  # whether the open chunk holds more than what it repeats
    for unit in units:
        grown = Span(opened[0].span.start, unit.span.end) if opened else unit.span
        heading_break = (
            unit.kind is Kind.HEADING
            and fresh
            and tokens(Span(opened[0].span.start, opened[-1].span.end)) >= size.minimum
        )
        if fresh and (heading_break or tokens(grown) > size.budget):
            chunks.append(Span(opened[0].span.start, opened[-1].span.end))
            opened = [] if heading_break else _repeated(opened, unit, tokens, size)
        elif opened and not fresh and tokens(grown) > size.budget:
            opened = []
        opened.append(unit)
        fresh = True
    if fresh:
        chunks.append(Span(opened[0].span.start, opened[-1].span.end))
    return chunks


def _repeated(
    closed: list[Sentence], following: Sentence, tokens: Callable[[Span], int], size: ChunkSize
) -> list[Sentence]:
    """The closed chunk's last sentence, where it is short prose and leaves room for the next."""
    last = closed[-1]
    if len(closed) < 2 or last.kind is not Kind.PROSE or tokens(last.span) > size.overlap:
        return []
    if tokens(Span(last.span.start, following.span.end)) > size.budget:
        return []
    return [last]


def _fit(text: str, span: Span, starts: Sequence[int], budget: int) -> list[Span]:
    """``span`` cut at token starts so that each piece is within the budget."""
    pieces: list[Span] = []
    begin = span.start
    first = bisect_left(starts, begin)
    last = bisect_left(starts, span.end)
    while last - first > budget:
        cut = starts[first + budget]
        if cut <= begin:  # several tokens share one code point: nothing to cut between
            break
        end = cut
        while end > begin and text[end - 1].isspace():
            end -= 1
        if end > begin:
            pieces.append(Span(begin, end))
        begin, first = cut, first + budget
    if begin < span.end:
        pieces.append(Span(begin, span.end))
    return pieces
