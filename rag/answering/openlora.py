"""Answers by a language model over numbered evidence, each claim checked."""

from __future__ import annotations

from collections.abc import Sequence

from footnote.model import Definition, Hit, Question
from rag.answering.alignment import CHECKS, CHECKS_PER_SOURCE, Verifies
from rag.answering.draft import Draft
from rag.answering.grounding import MAX_ALIGNED, ground
from rag.answering.prompt import NO_ANSWER, write_prompt
from rag.models.llm import ChatModel
from rag.reading.claims import read_output
from rag.retrieval.evidence import Evidence


class OpenLora:
    """Asks a language model over numbered evidence, and checks what it claims."""

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
        return ground(output, prompt.sources, evidence, self._verifier, reply.usage)


def _declines(reply: str) -> bool:
    first = reply.strip().split("\n")[0].strip(" \t.!*_`\"'")
    return first.upper() == NO_ANSWER or not first
