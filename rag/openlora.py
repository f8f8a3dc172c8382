"""Answers by a language model over numbered evidence, each claim checked."""

from __future__ import annotations

from collections.abc import Sequence

from footnote.model import MAX_CITATIONS, Definition, Hit, Question
from rag.alignment import CHECKS, CHECKS_PER_SOURCE, Candidates, Checks, Verifies
from rag.claims import read_output
from rag.draft import Cited, Draft, DraftClaim
from rag.evidence import Evidence
from rag.lexical import content_terms
from rag.llm import ChatModel
from rag.prompt import NO_ANSWER, write_prompt

MAX_ALIGNED = 20
"""Claims of one answer for which evidence is looked for beyond what they were marked with."""


class OpenLora:
    """Asks a language model over numbered evidence, and checks what it claims.

    A claim cites the sources that its markers name. Where none of those supports it, the sentence
    of the evidence that fits it best is proposed, and cited only if the verifier says that it
    supports the claim. So answers cite well even where a model does not keep to the form.
    """

    def __init__(self, model: ChatModel, verifier: Verifies) -> None:
        self._model = model
        self._verifier = verifier

    @property
    def definition(self) -> Definition:
        return Definition(
            {
                "kind": "openlora",
                "version": 2,
                "base": self._model.base,
                "checks": CHECKS,
                "checks_per_source": CHECKS_PER_SOURCE,
                "max_aligned": MAX_ALIGNED,
            }
        )

    def draft(self, question: Question, hits: Sequence[Hit], evidence: Sequence[Evidence]) -> Draft:
        prompt = write_prompt(question.text, hits)
        reply = self._model.complete(prompt.messages, question.adapter)
        if _declines(reply.text):
            return Draft((), reply.usage)
        output = read_output(reply.text, prompt.sources.keys())
        candidates = Candidates(evidence)
        claims: list[DraftClaim] = []
        left = MAX_CITATIONS
        for position, claim in enumerate(output.claims):
            named = [prompt.sources[number] for number in claim.numbers[:left]]
            seek = left > 0 and position < MAX_ALIGNED
            cited = self._cite(claim.text, named, candidates, hits if seek else ())[:left]
            left -= len(cited)
            claims.append(DraftClaim(claim.text, cited, claim.before))
        return Draft(tuple(claims), reply.usage, output.removed, output.after)

    def _cite(
        self, claim: str, named: Sequence[Hit], candidates: Candidates, others: Sequence[Hit]
    ) -> tuple[Cited, ...]:
        """The citations that a claim's markers name, with whatever verdicts; and where none of
        those supports it, one that does from the ``others``, if there is one."""
        wanted = content_terms(claim)
        checks = Checks(claim, self._verifier)
        cited = checks.named([candidates.within(wanted, hit) for hit in named])
        if others and not checks.supported:
            cited += checks.aligned(candidates.among(wanted, others))
        return tuple(cited)


def _declines(reply: str) -> bool:
    first = reply.strip().split("\n")[0].strip(" \t.!*_`\"'")
    return first.upper() == NO_ANSWER or not first
