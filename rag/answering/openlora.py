"""Answers by a language model over numbered evidence, each claim checked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing

from footnote.model import Definition, Hit, Question
from rag.answering.alignment import CHECKS, CHECKS_PER_SOURCE, Verifies
from rag.answering.conversation import standing_alone
from rag.answering.draft import Draft, DraftClaim, Take
from rag.answering.grounding import MAX_ALIGNED, Grounding, ground
from rag.answering.prompt import NO_ANSWER, write_prompt
from rag.models.llm import ChatModel, Streamed
from rag.reading.claims import ClaimReader, Event, ReadClaim, read_output
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

    def restated(self, question: Question) -> str:
        return standing_alone(question.text, question.turns, self._model)

    def draft(
        self,
        question: Question,
        hits: Sequence[Hit],
        evidence: Sequence[Evidence],
        take: Take | None = None,
    ) -> Draft:
        prompt = write_prompt(question.text, hits)
        grounding = Grounding(prompt.sources, evidence, self._verifier)
        if take is not None:
            reply = self._model.stream(prompt.messages, question.adapter)
            return _grounded(reply, prompt.sources.keys(), grounding, take)
        whole = self._model.complete(prompt.messages, question.adapter)
        if _declines(whole.text):
            return Draft((), whole.usage)
        return ground(read_output(whole.text, prompt.sources.keys()), grounding, whole.usage)


def _grounded(reply: Streamed, known: Collection[int], grounding: Grounding, take: Take) -> Draft:
    """The claims of a reply, each held against its sources and handed over as soon as it ends."""
    reader = ClaimReader(known)
    claims: list[DraftClaim] = []
    after: list[str] = []
    text = ""

    def read(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, ReadClaim):
                claims.append(grounding.cite(event))
                after.clear()
                take(claims[-1])
            else:
                after.append(event)

    answers, pending = False, ""
    with closing(reply):
        for piece in reply:
            if not piece:
                take(None)
                continue
            text += piece
            pending += piece
            answers = answers or not NO_ANSWER.startswith(_first_line(text).upper())
            if answers:
                read(reader.feed(pending))
                pending = ""
    if not answers and _declines(text):
        return Draft((), reply.usage)
    read([*reader.feed(pending), *reader.finish()])
    return Draft(tuple(claims), reply.usage, reader.removed, "".join(after))


def _declines(reply: str) -> bool:
    first = _first_line(reply)
    return first.upper() == NO_ANSWER or not first


def _first_line(reply: str) -> str:
    return reply.strip().split("\n")[0].strip(" \t.!*_`\"'")
