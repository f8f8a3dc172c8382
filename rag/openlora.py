"""Answers by a language model over numbered evidence, each claim checked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from footnote.model import (
    MAX_CITATIONS,
    MAX_CITED_CODE_POINTS,
    Definition,
    Hit,
    Question,
    Span,
    Verdict,
)
from rag.claims import read_output
from rag.draft import Cited, Draft, DraftClaim
from rag.evidence import Evidence
from rag.llm import ChatModel
from rag.prompt import NO_ANSWER, write_prompt
from rag.verifier import Verifier


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


def _better(a: Cited, b: Cited) -> bool:
    """Supported before all else, then the higher score, then the shorter span."""

    def key(cited: Cited) -> tuple[int, float, int]:
        supported = 0 if cited.verification.verdict is Verdict.SUPPORTED else 1
        return supported, -round(cited.verification.score, 6), cited.span.end - cited.span.start

    return key(a) < key(b)
