"""A question to an Answer, told in :meth:`Answerer.answer`."""

from __future__ import annotations

import re
import time
from asyncio import wrap_future
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from footnote.errors import Invalid, NotFound, Unavailable
from footnote.ids import new_answer_id
from footnote.model import Answer, Citation, Claim, Hit, Question
from rag.adapters.routing import BASE, AdapterRouter, Route
from rag.adapters.store import AdapterStore
from rag.answering.draft import Composition, Draft, DraftClaim, Drafter, Told
from rag.answering.priority import Origins
from rag.checking.verifier import Verifier
from rag.index.calibration import Calibration
from rag.index.library import Library
from rag.models.embedder import Embedder
from rag.retrieval.confidence import signals
from rag.retrieval.desk import SearchDesk
from rag.retrieval.evidence import Evidence
from rag.retrieval.passages import joined
from rag.retrieval.question import read_question
from rag.retrieval.retriever import MAX_K, Reranker
from rag.retrieval.selection import select

MAX_QUESTION_CODE_POINTS = 4_000
_SURROGATE = re.compile("[\ud800-\udfff]")

WEAK_EVIDENCE = (
    "The Datanet does not seem to hold the answer: no passage fits the question well enough."
)
MODEL_DECLINED = "The model found no answer in the passages that were retrieved."
NEAREST = 3
"""How many documents a refusal names."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer begins with, before a word of it is written."""

    answer_id: str
    question: Question
    confidence: float
    snapshot_id: bytes
    retrieved: tuple[Hit, ...]


Listener = Callable[[Found | Told | None], None]
"""Hears an answer while it is made: what was found, then each claim once it was checked, and None
now and then while nothing comes. What it raises ends the answer."""


class Answerer:
    """Answers questions over every Datanet in a library."""

    def __init__(
        self,
        library: Library,
        embedder: Embedder,
        drafters: Mapping[str, Drafter],
        default: str,
        calibration: Calibration | None = None,
        reranker: Reranker | None = None,
        router: AdapterRouter | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self._library = library
        self._desk = SearchDesk(library, embedder, reranker)
        self._drafters = drafters
        self._default = default
        self._verifier = verifier or Verifier(embedder)
        self._calibration = calibration
        self._router = router or AdapterRouter(AdapterStore(library.home))

    @property
    def verifier(self) -> Verifier:
        """What claims are checked by."""
        return self._verifier

    def search(self, datanet: str, question: str, k: int) -> tuple[bytes, list[Hit]]:
        """The snapshot's id and the ``k`` best Hits in it."""
        found = self._desk.submit(datanet, question, k).result()
        return found.snapshot.manifest.snapshot_id, found.hits

    async def search_soon(self, datanet: str, question: str, k: int) -> tuple[bytes, list[Hit]]:
        """What :meth:`search` gives, for an event loop."""
        found = await wrap_future(self._desk.submit(datanet, question, k))
        return found.snapshot.manifest.snapshot_id, found.hits

    def answer(self, question: Question, listener: Listener | None = None) -> Answer:
        """Retrieve, draft, check, weigh.

        With a listener a model's claims are told while it writes on, and stand as told.

        Raises:
            Invalid: a question that cannot be asked so.
            NotFound: no such Datanet.
            Unavailable: the model server does not answer.
        """
        check_question(question)
        name = question.answerer or ("openlora" if question.adapter else self._default)
        drafter = self._drafter(name, question.adapter)
        clock = _Clock()
        answer_id = new_answer_id()
        self._library.snapshot(question.datanet)  # before a model restates a question to nobody
        if question.turns:
            question = replace(question, text=drafter.restated(question))
            clock.lap("restate")
        looked_up = self._desk.submit(question.datanet, question.text, question.k).result()
        snapshot, hits = looked_up.snapshot, looked_up.hits
        clock.lap("retrieve")
        asked = read_question(question.text, snapshot.lexical.rarity)
        shown, evidence = select(question.text, asked, hits)
        calibration = self._calibration or snapshot.manifest.calibration or Calibration()
        confidence = round(calibration.confidence(signals(asked, shown, evidence)), 4)
        strong = bool(evidence) and confidence >= calibration.bar
        clock.lap("evidence")
        passages = joined(shown, snapshot.text)
        if listener is not None:
            found = Found(
                answer_id, question, confidence, snapshot.manifest.snapshot_id, tuple(hits)
            )
            listener(found)
        origins = Origins(snapshot, self._verifier.verify, quotes=name == "extractive")
        telling = _Telling(origins, listener)
        draft, route = Draft(()), BASE
        if strong and name == "extractive":
            draft = drafter.draft(question, passages, evidence)
        elif strong:
            draft, route = self._drafted(drafter, question, passages, evidence, telling)
        telling.take_rest(draft)
        clock.lap("draft")
        text, claims, citations = telling.whole(draft)
        reason = None if claims else _why_not(MODEL_DECLINED if strong else WEAK_EVIDENCE, hits)
        return Answer(
            answer_id=answer_id,
            question=question,
            text=text if claims else reason or "",
            refusal_reason=reason,
            confidence=confidence,
            claims=claims,
            citations=citations,
            retrieved=tuple(hits),
            used_chunk_ids=frozenset(_used(hits, citations)),
            snapshot_id=snapshot.manifest.snapshot_id,
            model=drafter.definition,
            adapter=route.definition,
            verifier=self._verifier.definition,
            usage=draft.usage,
            removed_markers=draft.removed_markers,
            timings_ms=clock.laps,
        )

    def _drafted(
        self,
        drafter: Drafter,
        question: Question,
        passages: Sequence[Hit],
        evidence: Sequence[Evidence],
        telling: _Telling,
    ) -> tuple[Draft, Route]:
        """By the adapter that the Datanet wants. What was told cannot be taken back, so that then
        no other adapter is tried."""

        def draft(adapter: str | None) -> Draft:
            if telling.taken:
                raise Unavailable("the model server broke off", "try again shortly")
            take = telling.take if telling.listener else None
            return drafter.draft(replace(question, adapter=adapter), passages, evidence, take)

        return self._router.answer(question.datanet, question.adapter, draft)

    def _drafter(self, name: str, adapter: str | None) -> Drafter:
        if name not in self._drafters:
            raise NotFound(
                f"the answerer {name} is not set up here",
                "ask for extractive, or have its operator set FOOTNOTE_OPENLORA_URL",
                code="answerer-not-configured",
            )
        if adapter is not None and name == "extractive":
            raise Invalid("the extractive answerer has no adapters", "leave adapter out")
        return self._drafters[name]


class _Telling:
    """An answer's claims on their way from the draft into the text, and to a listener."""

    def __init__(self, origins: Origins, listener: Listener | None) -> None:
        self._origins = origins
        self.listener = listener
        self._composition = Composition()
        self.taken = 0

    def take(self, claim: DraftClaim | None) -> None:
        if claim is None:
            if self.listener is not None:
                self.listener(None)
            return
        self.taken += 1
        for moved in self._origins.move(claim):
            told = self._composition.add(moved)
            if self.listener is not None:
                self.listener(told)

    def take_rest(self, draft: Draft) -> None:
        """The claims that were not taken while they were written."""
        for claim in draft.claims[self.taken :]:
            self.take(claim)

    def whole(self, draft: Draft) -> tuple[str, tuple[Claim, ...], tuple[Citation, ...]]:
        return self._composition.whole(draft.after)


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
    if _SURROGATE.search(question.text):
        raise Invalid("a lone surrogate in the question, which is no character", "take it out")
    if not 1 <= question.k <= MAX_K:
        raise Invalid("k out of range", f"give 1 to {MAX_K}")


def _used(hits: Sequence[Hit], citations: Sequence[Citation]) -> Iterator[int]:
    """The ids of the retrieved chunks that a citation touches."""
    for hit in hits:
        chunk = hit.chunk
        if any(
            c.document.document_id == chunk.document.document_id
            and c.span.start < chunk.span.end
            and chunk.span.start < c.span.end
            for c in citations
        ):
            yield chunk.chunk_id


def _why_not(reason: str, hits: Sequence[Hit]) -> str:
    """A refusal's reason, with the documents that come nearest."""
    titles = dict.fromkeys(hit.chunk.document.title for hit in hits)
    if not titles:
        return reason
    return f"{reason} The nearest documents: {'; '.join(list(titles)[:NEAREST])}."


class _Clock:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1_000, 2)
        self._last = now
