"""Whose a sentence is: a citation of a near-duplicate moves to where the sentence stood first.

Source, quote and contributors move together, whichever of the two ranked higher. What the cited
Document alone says stays with it. A claim of an answer that quotes then quotes the origin; a claim
that a model wrote is checked again against it, and where it does not hold there, nobody is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from footnote.model import MAX_CITATIONS, MAX_CITED_CODE_POINTS, Chunk, Hit, Span, Verdict
from rag.answering.draft import Cited, DraftClaim
from rag.checking.verifier import Verification
from rag.index.lineage import Origin
from rag.index.snapshot import Snapshot

Verify = Callable[[str, str, str], Verification]
"""A claim, the text it cites and the title of the document, to a verdict."""

OWN_LETTERS = 20
"""Letters and digits outside all moved sentences from which a rest is cited for itself."""

_GAP = 8
"""Code points of white space and bullets between two sentences that are cited as one."""


class Origins:
    """Moves the citations of one answer, claim by claim, to where their sentences stood first, each
    place once a claim.

    Where the answer ``quotes``, a claim whose text is its one cited span becomes one of each place
    it moves to, and no place is quoted twice. Any other claim keeps its text, and of its places
    those that support it stay, or else the best, which earns nothing.
    """

    def __init__(self, snapshot: Snapshot, verify: Verify, *, quotes: bool) -> None:
        self._snapshot = snapshot
        self._verify = verify
        self._quotes = quotes
        self._quoted: list[list[tuple[str, Span, str]]] = []
        self._left = MAX_CITATIONS

    def move(self, claim: DraftClaim) -> list[DraftClaim]:
        """The next claim, or those that take its place."""
        places = [list(_places(cited, self._snapshot)) for cited in claim.cited]
        if self._quotes and len(claim.cited) == 1 and _text(claim.cited[0]) == claim.text:
            moved = _quotations(claim, places[0])
            new = [one for one in moved if _place_of(one) not in self._quoted]
        else:
            new = [replace(claim, cited=_checked(claim, places, self._verify))]
        kept = []
        for one in new:
            if self._left or not one.cited:
                kept.append(replace(one, cited=one.cited[: self._left]))
                self._left -= len(kept[-1].cited)
                self._quoted.append(_place_of(kept[-1]))
        return kept


def _quotations(claim: DraftClaim, places: Sequence[Cited]) -> list[DraftClaim]:
    if places == list(claim.cited):
        return [claim]
    return [replace(claim, text=_text(place), cited=(place,)) for place in places]


def _checked(claim: DraftClaim, places: Sequence[list[Cited]], verify: Verify) -> tuple[Cited, ...]:
    found: dict[tuple[str, Span], Cited] = {}
    for cited, moved in zip(claim.cited, places, strict=True):
        for one in _supporting(claim.text, cited, moved, verify):
            found.setdefault((one.hit.chunk.document.document_id, one.span), one)
    return tuple(found.values())


def _supporting(claim: str, cited: Cited, places: list[Cited], verify: Verify) -> list[Cited]:
    """Those of ``places``, where ``cited`` moved to, that support the claim; or else the best."""
    if places == [cited]:
        return places
    checked = [
        replace(place, verification=verify(claim, _text(place), place.hit.chunk.document.title))
        for place in places
    ]
    supporting = [one for one in checked if one.verification.verdict is Verdict.SUPPORTED]
    return supporting or [max(checked, key=lambda one: one.verification.score)]


def _places(cited: Cited, snapshot: Snapshot) -> Iterator[Cited]:
    """Where the sentences of a citation stood first, in their order; itself where they are new."""
    found = snapshot.origins(cited.hit.chunk.document.document_id, cited.span)
    known = [origin for origin in found if _of_others(cited, origin, snapshot)]
    if not known:
        yield cited
        return
    for rest in _rests(cited, known):
        yield replace(cited, span=rest)
    for document_id, span in _joined(known):
        chunk = snapshot.passage(document_id, span)
        yield replace(cited, hit=Hit(chunk, cited.hit.rank, cited.hit.scores), span=span)


def _of_others(cited: Cited, origin: Origin, snapshot: Snapshot) -> bool:
    """Whether an origin is other people's: else the same are paid, and what was found stays."""
    first = snapshot.passage(origin.origin_id, origin.origin_span).document
    return first.contributors != cited.hit.chunk.document.contributors


def _rests(cited: Cited, known: list[Origin]) -> Iterator[Span]:
    """What of the cited span no origin accounts for, where that says something."""
    chunk = cited.hit.chunk
    edges = [cited.span.start, *(e for o in known for e in (o.span.start, o.span.end))]
    edges.append(cited.span.end)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        text = _within(chunk, Span(start, end)) if start < end else ""
        if sum(character.isalnum() for character in text) >= OWN_LETTERS:
            inner = text.strip()
            first = start + text.index(inner)
            yield Span(first, first + len(inner))


def _joined(known: list[Origin]) -> list[tuple[str, Span]]:
    """Documents and spans of origins, neighbouring sentences as one."""
    found: list[tuple[str, Span]] = []
    for origin in known:
        document_id, span = found[-1] if found else ("", origin.origin_span)
        joined = Span(span.start, origin.origin_span.end)
        follows = 0 <= origin.origin_span.start - span.end <= _GAP
        if origin.origin_id == document_id and follows and _length(joined) <= MAX_CITED_CODE_POINTS:
            found[-1] = (document_id, joined)
        elif (origin.origin_id, origin.origin_span) not in found:
            found.append((origin.origin_id, origin.origin_span))
    return found


def _length(span: Span) -> int:
    return span.end - span.start


def _text(cited: Cited) -> str:
    return _within(cited.hit.chunk, cited.span)


def _within(chunk: Chunk, span: Span) -> str:
    """What of a span stands in a chunk."""
    start = chunk.span.start
    return chunk.text[max(span.start - start, 0) : max(span.end - start, 0)]


def _place_of(claim: DraftClaim) -> list[tuple[str, Span, str]]:
    return [(c.hit.chunk.document.document_id, c.span, claim.text) for c in claim.cited]
