"""A question to an Answer, told in :meth:`Answerer.answer`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from footnote.errors import Invalid
from footnote.ids import new_answer_id
from footnote.model import (
    MAX_CITATIONS,
    MAX_CITED_CODE_POINTS,
    Answer,
    Citation,
    Claim,
    Definition,
    Hit,
    Question,
    Span,
    Usage,
    Verdict,
)
from footnote.shares import citation_weights
from rag.claims import read_output
from rag.embedder import Embedder
from rag.evidence import Calibration, Evidence, find_evidence, signals
from rag.library import Library
from rag.llm import ChatModel
from rag.prompt import NO_ANSWER, write_prompt
from rag.retriever import MAX_K, retrieve
from rag.verifier import Verification, Verifier

MAX_QUESTION_CODE_POINTS = 4_000

WEAK_EVIDENCE = (
    "The Datanet does not seem to hold the answer: no passage fits the question well enough."
)
MODEL_DECLINED = "The model found no answer in the passages that were retrieved."


@dataclass(frozen=True, slots=True)
class Cited:
    """A span of a Hit's document that a claim points at, and what came of checking it."""

    hit: Hit
    span: Span
    verification: Verification


@dataclass(frozen=True, slots=True)
class DraftClaim:
    text: str
    cited: tuple[Cited, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answering method proposes; no claims means it declines."""

    claims: tuple[DraftClaim, ...]
    usage: Usage = field(default_factory=Usage)
    removed_markers: int = 0


class Drafter(Protocol):
    """One way to answer from evidence."""

    @property
    def definition(self) -> Definition: ...

    def draft(
        self, question: Question, hits: Sequence[Hit], evidence: Sequence[Evidence]
    ) -> Draft: ...


class Extractive:
    """Quotes the sentences that answer best. Needs no language model."""

    MAX_CLAIMS = 3
    SAME_DOCUMENT = 0.85
    OTHER_DOCUMENT = 0.95

    definition = Definition(
        {
            "kind": "extractive",
            "version": 1,
            "max_claims": MAX_CLAIMS,
            "same_document": str(SAME_DOCUMENT),
            "other_document": str(OTHER_DOCUMENT),
        }
    )

    def draft(self, question: Question, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Draft:
        """The best sentence of the best document, then others nearly as good."""
        first_document = hits[0].chunk.document.document_id
        best = next(e for e in evidence if e.hit.chunk.document.document_id == first_document)
        chosen = [best]
        for other in evidence:
            same = other.hit.chunk.document.document_id == first_document
            bar = self.SAME_DOCUMENT if same else self.OTHER_DOCUMENT
            if len(chosen) == self.MAX_CLAIMS:
                break
            if other.score >= bar * best.score and not any(
                _folded(other.text) == _folded(e.text) for e in chosen
            ):
                chosen.append(other)
        return Draft(
            tuple(
                DraftClaim(
                    e.text, (Cited(e.hit, e.span, Verification(Verdict.SUPPORTED, e.score)),)
                )
                for e in chosen
            )
        )


class OpenLora:
    """Asks a language model over numbered evidence, and checks what it claims."""

    def __init__(self, model: ChatModel, verifier: Verifier) -> None:
        self._model = model
        self._verifier = verifier

    @property
    def definition(self) -> Definition:
        return Definition({"kind": "openlora", "base": self._model.base})

    def draft(self, question: Question, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Draft:
        prompt = write_prompt(question.text, hits)
        reply = self._model.complete(prompt.messages, question.adapter)
        if reply.text.strip().rstrip(".").upper() == NO_ANSWER or not reply.text.strip():
            return Draft((), reply.usage)
        output = read_output(reply.text, prompt.sources.keys())
        claims = []
        left = MAX_CITATIONS
        for claim in output.claims:
            numbers = claim.numbers[:left]
            left -= len(numbers)
            cited = tuple(self._cite(claim.text, prompt.sources[n], evidence) for n in numbers)
            claims.append(DraftClaim(claim.text, cited))
        return Draft(tuple(claims), reply.usage, output.removed)

    def _cite(self, claim: str, hit: Hit, evidence: Sequence[Evidence]) -> Cited:
        """The one or two sentences of ``hit`` that support ``claim`` best."""
        # By place and not by Hit: a sentence that two chunks share is evidence of the first alone.
        chunk = hit.chunk
        spans = sorted(
            (
                e.span
                for e in evidence
                if e.hit.chunk.document.document_id == chunk.document.document_id
                and chunk.span.start <= e.span.start
                and e.span.end <= chunk.span.end
            ),
            key=lambda s: (s.start, s.end),
        )
        pairs = [Span(a.start, b.end) for a, b in pairwise(spans)]
        offered = [s for s in spans + pairs if s.end - s.start <= MAX_CITED_CODE_POINTS]
        title = hit.chunk.document.title
        best: Cited | None = None
        for span in offered:
            start = hit.chunk.span.start
            text = hit.chunk.text[span.start - start : span.end - start]
            checked = Cited(hit, span, self._verifier.verify(claim, text, title))
            if best is None or _better(checked, best):
                best = checked
        assert best is not None, "a chunk has at least one sentence"
        return best


_ORDER = [Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.PARTIAL, Verdict.UNSUPPORTED]


def _better(a: Cited, b: Cited) -> bool:
    """Supported before all else, then the higher score, then the shorter span."""

    def key(cited: Cited) -> tuple[int, float, int]:
        supported = 0 if cited.verification.verdict is Verdict.SUPPORTED else 1
        return supported, -round(cited.verification.score, 6), cited.span.end - cited.span.start

    return key(a) < key(b)


class Answerer:
    """Answers questions over every Datanet in a library."""

    def __init__(
        self,
        library: Library,
        embedder: Embedder,
        drafters: Mapping[str, Drafter],
        default: str,
        calibration: Calibration | None = None,
    ) -> None:
        self._library = library
        self._embedder = embedder
        self._drafters = drafters
        self._default = default
        self._verifier = Verifier(embedder)
        self._calibration = calibration or Calibration()

    def search(self, datanet: str, question: str, k: int) -> tuple[bytes, list[Hit]]:
        """The snapshot's id and the ``k`` best Hits in it."""
        snapshot = self._library.snapshot(datanet)
        return snapshot.manifest.snapshot_id, retrieve(snapshot, self._embedder, question, k)

    def answer(self, question: Question) -> Answer:
        """Retrieve, draft, check, weigh.

        Raises:
            Invalid: a question that cannot be asked so.
            NotFound: no such Datanet.
            Unavailable: the model server does not answer.
        """
        check_question(question)
        drafter = self._drafter(question.answerer or self._default, question.adapter)
        clock = _Clock()
        snapshot = self._library.snapshot(question.datanet)
        hits = retrieve(snapshot, self._embedder, question.text, question.k)
        clock.lap("retrieve")
        rarity = snapshot.lexical.rarity
        evidence = find_evidence(question.text, hits, rarity)
        found = signals(question.text, hits, evidence, rarity)
        confidence = round(self._calibration.confidence(found), 4)
        strong = bool(evidence) and confidence >= self._calibration.bar
        clock.lap("evidence")
        draft = drafter.draft(question, hits, evidence) if strong else Draft(())
        clock.lap("draft")
        text, claims, citations = compose(draft)
        reason = None if claims else MODEL_DECLINED if strong else WEAK_EVIDENCE
        cited = {c.hit.chunk.chunk_id for claim in draft.claims for c in claim.cited}
        return Answer(
            answer_id=new_answer_id(),
            question=question,
            text=text if claims else reason or "",
            refusal_reason=reason,
            confidence=confidence,
            claims=claims,
            citations=citations,
            retrieved=tuple(hits),
            used_chunk_ids=frozenset(cited),
            snapshot_id=snapshot.manifest.snapshot_id,
            model=drafter.definition,
            adapter=_adapter(question.adapter),
            verifier=self._verifier.definition,
            usage=draft.usage,
            removed_markers=draft.removed_markers,
            timings_ms=clock.laps,
        )

    def _drafter(self, name: str, adapter: str | None) -> Drafter:
        if name not in self._drafters:
            raise Invalid(
                f"the answerer {name} is not set up here",
                "ask for extractive, or have its operator set FOOTNOTE_OPENLORA_URL",
                code="answerer-not-configured",
            )
        if adapter is not None and name == "extractive":
            raise Invalid("the extractive answerer has no adapters", "leave adapter out")
        return self._drafters[name]


def check_question(question: Question) -> None:
    """Raise Invalid unless ``question`` can be asked."""
    if not any(character.isalnum() for character in question.text):
        raise Invalid("an empty question", "write a question", code="empty-question")
    if len(question.text) > MAX_QUESTION_CODE_POINTS:
        raise Invalid(
            "a question that is too long",
            f"keep it within {MAX_QUESTION_CODE_POINTS} characters",
            code="question-too-long",
        )
    if "\x00" in question.text:
        raise Invalid("a NUL character in the question", "take it out")
    if any("\ud800" <= character <= "\udfff" for character in question.text):
        raise Invalid("a lone surrogate in the question, which is no character", "take it out")
    if not 1 <= question.k <= MAX_K:
        raise Invalid("k out of range", f"give 1 to {MAX_K}")


def compose(draft: Draft) -> tuple[str, tuple[Claim, ...], tuple[Citation, ...]]:
    """The answer's text with its numbered markers, its Claims and its Citations with weights."""
    text = ""
    claims: list[Claim] = []
    unweighed: list[Citation] = []
    for number, draft_claim in enumerate(draft.claims, start=1):
        start = len(text) + (1 if text else 0)
        claim_id = f"clm_{number}"
        cited = [
            _citation(f"cit_{marker}", claim_id, marker, one)
            for marker, one in enumerate(draft_claim.cited, start=len(unweighed) + 1)
        ]
        unweighed.extend(cited)
        span = Span(start, start + len(draft_claim.text))
        markers = "".join(f"[{citation.marker}]" for citation in cited)
        text += (" " if text else "") + draft_claim.text + (f" {markers}" if markers else "")
        checks = [one.verification for one in draft_claim.cited]
        best = min(checks, key=lambda v: (_ORDER.index(v.verdict), -v.score), default=None)
        claims.append(
            Claim(
                claim_id,
                span,
                draft_claim.text,
                best.verdict if best else Verdict.UNSUPPORTED,
                round(best.score, 4) if best else 0.0,
                tuple(citation.citation_id for citation in cited),
            )
        )
    return text, tuple(claims), _weighed(unweighed)


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


def _adapter(name: str | None) -> Definition | None:
    return None if name is None else Definition({"kind": "adapter", "name": name})


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


class _Clock:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1_000, 2)
        self._last = now
