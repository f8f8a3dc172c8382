"""What an answering method proposes, and the text, Claims and Citations that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from footnote.model import Citation, Claim, Definition, Hit, Question, Span, Usage, Verdict
from footnote.shares import citation_weights
from rag.checking.verifier import Verification
from rag.retrieval.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Cited:
    """A span of a Hit's document that a claim points at, and what came of checking it."""

    hit: Hit
    span: Span
    verification: Verification


@dataclass(frozen=True, slots=True)
class DraftClaim:
    """``before`` is the text that precedes the claim: its place in a list, a heading, a space."""

    text: str
    cited: tuple[Cited, ...]
    before: str = " "


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answering method proposes; no claims means it declines. ``after`` is the text that
    follows the last claim."""

    claims: tuple[DraftClaim, ...]
    usage: Usage = field(default_factory=Usage)
    removed_markers: int = 0
    after: str = ""


Take = Callable[[DraftClaim | None], None]
"""Is handed each claim as it is complete; None now and then while nothing comes."""


class Drafter(Protocol):
    """One way to answer from evidence. With ``take``, one that writes hands over each claim while
    it writes on; its Draft holds them all the same."""

    @property
    def definition(self) -> Definition: ...

    def restated(self, question: Question) -> str:
        """The question's text, so put that it stands without its earlier turns."""

    def draft(
        self,
        question: Question,
        hits: Sequence[Hit],
        evidence: Sequence[Evidence],
        take: Take | None = None,
    ) -> Draft: ...


@dataclass(frozen=True, slots=True)
class Told:
    """What one claim adds to an answer: its text with all before it and its markers, the Claim, and
    its Citations, whose weights only the whole decides."""

    text: str
    claim: Claim
    citations: tuple[Citation, ...]


_ORDER = [Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.PARTIAL, Verdict.UNSUPPORTED]


class Composition:
    """An answer's text with its numbered markers, its Claims and its Citations, claim by claim."""

    def __init__(self) -> None:
        self._text = ""
        self._claims: list[Claim] = []
        self._citations: list[Citation] = []

    def add(self, draft_claim: DraftClaim) -> Told:
        """Append a claim; returns what it adds."""
        before = draft_claim.before if self._text else draft_claim.before.lstrip()
        start = len(self._text) + len(before)
        claim_id = f"clm_{len(self._claims) + 1}"
        cited = [
            _citation(f"cit_{marker}", claim_id, marker, one)
            for marker, one in enumerate(draft_claim.cited, start=len(self._citations) + 1)
        ]
        markers = "".join(f"[{citation.marker}]" for citation in cited)
        text = before + draft_claim.text + _apart(draft_claim.text, markers)
        checks = [one.verification for one in draft_claim.cited]
        best = min(checks, key=lambda v: (_ORDER.index(v.verdict), -v.score), default=None)
        claim = Claim(
            claim_id,
            Span(start, start + len(draft_claim.text)),
            draft_claim.text,
            best.verdict if best else Verdict.UNSUPPORTED,
            round(best.score, 4) if best else 0.0,
            tuple(citation.citation_id for citation in cited),
        )
        self._text += text
        self._claims.append(claim)
        self._citations += cited
        return Told(text, claim, tuple(cited))

    def whole(self, after: str) -> tuple[str, tuple[Claim, ...], tuple[Citation, ...]]:
        """Text, Claims and Citations with weights; ``after`` ends the text where it has claims."""
        text = self._text + (after if self._claims else "")
        return text, tuple(self._claims), _weighed(self._citations)


def compose(draft: Draft) -> tuple[str, tuple[Claim, ...], tuple[Citation, ...]]:
    """The text, Claims and Citations of a whole draft."""
    composition = Composition()
    for claim in draft.claims:
        composition.add(claim)
    return composition.whole(draft.after)


def _apart(claim: str, markers: str) -> str:
    """``markers`` set off from a claim; on the line that closes a block of code, they would not let
    it close."""
    if not markers:
        return ""
    return ("\n" if claim.endswith(("```", "~~~")) else " ") + markers


def _citation(citation_id: str, claim_id: str, marker: int, cited: Cited) -> Citation:
    chunk = cited.hit.chunk
    start = chunk.span.start
    return Citation(
        citation_id=citation_id,
        claim_id=claim_id,
        marker=marker,
        document=chunk.document,
        span=cited.span,
        cited_text=chunk.text[cited.span.start - start : cited.span.end - start],
        verdict=cited.verification.verdict,
        score=round(cited.verification.score, 4),
        weight_ppm=0,
    )


def _weighed(citations: Sequence[Citation]) -> tuple[Citation, ...]:
    supported = [c for c in citations if c.verdict is Verdict.SUPPORTED]
    weights = citation_weights([(c.claim_id, c.document.document_id) for c in supported])
    weight_of = {c.citation_id: w for c, w in zip(supported, weights, strict=True)}
    return tuple(replace(c, weight_ppm=weight_of.get(c.citation_id, 0)) for c in citations)
