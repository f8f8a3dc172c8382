"""Answers by quoting the sentences that answer best."""

from __future__ import annotations

from collections.abc import Sequence

from footnote.model import Definition, Hit, Question, Verdict
from rag.answering.draft import Cited, Draft, DraftClaim, Take
from rag.checking.verifier import Verification
from rag.retrieval.evidence import Evidence


class Extractive:
    """Quotes the sentences that answer best. Needs no language model."""

    MAX_CLAIMS = 3
    SAME_DOCUMENT = 0.8
    OTHER_DOCUMENT = 0.95

    definition = Definition(
        {
            "kind": "extractive",
            "version": 2,
            "max_claims": MAX_CLAIMS,
            "same_document": str(SAME_DOCUMENT),
            "other_document": str(OTHER_DOCUMENT),
        }
    )

    def restated(self, question: Question) -> str:
        return question.text

    def draft(
        self,
        question: Question,
        hits: Sequence[Hit],
        evidence: Sequence[Evidence],
        take: Take | None = None,
    ) -> Draft:
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


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
