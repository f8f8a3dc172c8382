"""Which sentences of the evidence a claim may rest on, and the few that are checked.

Candidates are put in order by the words they share with the claim, which costs next to nothing; the
verifier, which embeds, is then asked about a bounded number of them. The order decides only what is
asked first: whether a claim is supported is the verifier's to say.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

from footnote.model import MAX_CITED_CODE_POINTS, Hit, Span, Verdict
from rag.answering.draft import Cited
from rag.checking.verifier import Verification
from rag.index.lexical import terms
from rag.retrieval.evidence import Evidence

CHECKS = 6
"""Spans that are checked for one claim, unless more sources than that are named."""

CHECKS_PER_SOURCE = 3
"""Spans of one named source that are checked."""

DENIES = 0.8
"""The score from which a span that nobody named is shown as one that denies the claim."""

_GAP = 8
"""Code points of white space and bullets between two sentences that are cited as one span."""


class Verifies(Protocol):
    """The one thing that is asked of a Verifier here."""

    def verify(self, claim: str, cited_text: str, title: str = "") -> Verification: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One or two sentences of a Hit. ``shared`` is the weight of the claim's words in them."""

    hit: Hit
    span: Span
    text: str
    shared: float
    parts: int

    @property
    def order(self) -> tuple[float, int, int, int]:
        """What shares most comes first, then the shorter one."""
        length = self.span.end - self.span.start
        return -round(self.shared, 6), length, self.hit.rank, self.span.start


class Candidates:
    """The citable sentences that were retrieved for one question."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = evidence

    @cached_property
    def _terms(self) -> dict[str, frozenset[str]]:
        """The stems of each sentence, and of each title."""
        texts = {e.text for e in self._evidence} | {
            e.hit.chunk.document.title for e in self._evidence
        }
        return {text: frozenset(terms(text)) for text in texts}

    @cached_property
    def _rarity(self) -> dict[str, float]:
        """How telling a stem is among these sentences."""
        counts = Counter(term for e in self._evidence for term in self._terms[e.text])
        return {term: math.log1p(len(self._evidence) / n) for term, n in counts.items()}

    @cached_property
    def _by_document(self) -> dict[str, list[Evidence]]:
        groups: dict[str, list[Evidence]] = {}
        for one in self._evidence:
            groups.setdefault(one.hit.chunk.document.document_id, []).append(one)
        return groups

    def among(self, wanted: Sequence[str], hits: Sequence[Hit]) -> list[Candidate]:
        """Spans of any of ``hits`` that share one of the stems ``wanted``, best first."""
        found = [one for hit in hits for one in self.within(wanted, hit) if one.shared > 0]
        return sorted(found, key=lambda candidate: candidate.order)

    def within(self, wanted: Sequence[str], hit: Hit) -> list[Candidate]:
        """Spans of ``hit``, best first."""
        # By place and not by Hit: a sentence that two chunks share is evidence of the first alone.
        chunk = hit.chunk
        group = [
            e
            for e in self._by_document.get(chunk.document.document_id, [])
            if chunk.span.start <= e.span.start and e.span.end <= chunk.span.end
        ]
        return sorted(self._offered(wanted, hit, group), key=lambda candidate: candidate.order)

    def _offered(
        self, wanted: Sequence[str], hit: Hit, group: Sequence[Evidence]
    ) -> Iterator[Candidate]:
        """Each sentence, and each two neighbours that share more with the claim than either."""
        title = self._terms.get(hit.chunk.document.title, frozenset())
        by_place = {e.span: e for e in group if e.span.end - e.span.start <= MAX_CITED_CODE_POINTS}
        ordered = sorted(by_place.values(), key=lambda e: (e.span.start, e.span.end))
        for one in ordered:
            yield self._candidate(hit, one.span, wanted, self._terms[one.text], title, 1)
        for a, b in pairwise(ordered):
            first, second = self._terms[a.text], self._terms[b.text]
            shared = [(term in first, term in second) for term in wanted]
            span = Span(a.span.start, b.span.end)
            short = span.end - span.start <= MAX_CITED_CODE_POINTS
            if short and (True, False) in shared and (False, True) in shared and _adjoin(hit, a, b):
                yield self._candidate(hit, span, wanted, first | second, title, 2)

    def _candidate(
        self, hit: Hit, span: Span, wanted: Sequence[str], present: frozenset[str],
        title: frozenset[str], parts: int,
    ) -> Candidate:  # fmt: skip
        """A stem that only the title holds counts half: sentences speak of their subject without
        naming it."""
        shared = sum(
            self._rarity.get(term, 1.0) * (1.0 if term in present else 0.5)
            for term in wanted
            if term in present or (term in title and present)
        )
        start = hit.chunk.span.start
        text = hit.chunk.text[span.start - start : span.end - start]
        return Candidate(hit, span, text, shared, parts)


class Checks:
    """The spans that were checked for one claim, none of them twice."""

    def __init__(self, claim: str, verifier: Verifies) -> None:
        self._claim = claim
        self._verifier = verifier
        self._made: dict[tuple[str, Span], Verification] = {}

    @property
    def supported(self) -> bool:
        """Whether some span that was checked supports the claim."""
        return any(made.verdict is Verdict.SUPPORTED for made in self._made.values())

    def named(self, sources: Sequence[Sequence[Candidate]]) -> list[Cited]:
        """For each source the first span that supports the claim, or else the one that comes
        nearest; a span that several sources share is cited once."""
        cited: dict[tuple[str, Span], Cited] = {}
        for candidates in sources:
            share = max(1, min(CHECKS_PER_SOURCE, CHECKS // len(sources)))
            checked = self._until_supported(candidates, share)
            if checked:
                best = max(checked, key=_goodness)
                cited.setdefault(_place(best), best)
        return list(cited.values())

    def aligned(
        self, candidates: Sequence[Candidate], *, with_denials: bool = False
    ) -> list[Cited]:
        """The first span that supports the claim, if one does before the checks are used up; else,
        where denials are asked for and nothing was named, one that says the very thing otherwise.
        """
        fresh = [candidate for candidate in candidates if _place(candidate) not in self._made]
        named = bool(self._made)
        checked = self._until_supported(fresh, CHECKS - len(self._made))
        supports = [one for one in checked if one.verification.verdict is Verdict.SUPPORTED]
        return supports or (_denials(checked) if with_denials and not named else [])

    def _until_supported(self, candidates: Sequence[Candidate], limit: int) -> list[Cited]:
        """Check single sentences, then two together, up to one that supports the claim."""
        checked: list[Cited] = []
        pairs = max(limit, 0) // 3
        for parts, most in ((1, limit - pairs), (2, pairs)):
            for candidate in [c for c in candidates if c.parts == parts][: max(most, 0)]:
                checked.append(Cited(candidate.hit, candidate.span, self._check(candidate)))
                if checked[-1].verification.verdict is Verdict.SUPPORTED:
                    return checked
        return checked

    def _check(self, candidate: Candidate) -> Verification:
        place = _place(candidate)
        if place not in self._made:
            title = candidate.hit.chunk.document.title
            self._made[place] = self._verifier.verify(self._claim, candidate.text, title)
        return self._made[place]


def _denials(checked: Sequence[Cited]) -> list[Cited]:
    """The span that denies the claim and is nearest to it, if one is near enough to be shown."""
    denying = [
        one
        for one in checked
        if one.verification.verdict is Verdict.CONTRADICTED and one.verification.score >= DENIES
    ]
    return [max(denying, key=_goodness)] if denying else []


def _place(one: Candidate | Cited) -> tuple[str, Span]:
    return one.hit.chunk.document.document_id, one.span


def _goodness(cited: Cited) -> tuple[bool, float, int]:
    """Supported before all else, then the higher score, then the shorter span."""
    supported = cited.verification.verdict is Verdict.SUPPORTED
    length = cited.span.end - cited.span.start
    return supported, round(cited.verification.score, 6), -length


def _adjoin(hit: Hit, a: Evidence, b: Evidence) -> bool:
    """Whether nothing but white space or a bullet stands between two sentences."""
    start = hit.chunk.span.start
    between = hit.chunk.text[a.span.end - start : b.span.start - start]
    return len(between) <= _GAP and not any(character.isalpha() for character in between)
