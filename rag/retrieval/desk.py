"""Where questions are handed in, and embedded together with those that wait beside them.

A few threads take turns: whose turn it is takes all that waits, embeds it and searches. So a
question that comes alone is taken at once, and those that come while all are busy gather and go as
one batch. A vector does not depend on its batch
(:mod:`rag.models.exported`), so nobody's Hits depend on who else asks.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from footnote.model import Hit
from rag.index.library import Library
from rag.index.snapshot import Snapshot
from rag.models.embedder import Embedder, Vectors
from rag.retrieval.retriever import Reranker, check_embedder, retrieve_by

MOST_TOGETHER = 32
"""Questions that are embedded in one turn: beyond these a batch saves nothing and only delays."""

THREADS = 2
"""They keep two cores busy; more processes use more cores."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The Hits of a question, best first, and the Snapshot that they are of."""

    snapshot: Snapshot
    hits: list[Hit]


@dataclass(frozen=True, slots=True)
class _Waiting:
    datanet: str
    question: str
    k: int
    result: Future[Retrieved]


class SearchDesk:
    """Retrieves for any number of threads and event loops at once."""

    def __init__(
        self, library: Library, embedder: Embedder, reranker: Reranker | None = None
    ) -> None:
        self._library = library
        self._embedder = embedder
        self._reranker = reranker
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._started = False

    def submit(self, datanet: str, question: str, k: int) -> Future[Retrieved]:
        """The Hits to be; its ``result()`` raises NotFound where there is no such Datanet, and
        what :func:`rag.retrieval.retriever.retrieve` raises."""
        waiting = _Waiting(datanet, question, k, Future())
        if not self._started:
            self._start()
        self._queue.put(waiting)
        return waiting.result

    def _start(self) -> None:
        with self._starting:
            if not self._started:
                for number in range(THREADS):
                    name = f"search-{number}"
                    threading.Thread(target=self._work, name=name, daemon=True).start()
                self._started = True

    def _work(self) -> None:
        while True:
            with self._turn:
                taken = self._taken()
            for snapshot, waiting, vector in self._embedded(taken):
                self._search(snapshot, waiting, vector)

    def _taken(self) -> list[_Waiting]:
        """What waits, once something does."""
        taken = [self._queue.get()]
        while len(taken) < MOST_TOGETHER:
            try:
                taken.append(self._queue.get_nowait())
            except Empty:
                break
        return [one for one in taken if one.result.set_running_or_notify_cancel()]

    def _embedded(self, taken: list[_Waiting]) -> list[tuple[Snapshot, _Waiting, Vectors]]:
        """Each with its Snapshot and vector, without those that failed and were told so."""
        found: list[tuple[Snapshot, _Waiting]] = []
        for waiting in taken:
            try:
                snapshot = self._library.snapshot(waiting.datanet)
                check_embedder(snapshot, self._embedder)
            except Exception as error:
                waiting.result.set_exception(error)
            else:
                found.append((snapshot, waiting))
        try:
            vectors = self._embedder.embed_questions([waiting.question for _, waiting in found])
        except Exception as error:
            for _, waiting in found:
                waiting.result.set_exception(error)
            return []
        return [(*pair, vector) for pair, vector in zip(found, vectors, strict=True)]

    def _search(self, snapshot: Snapshot, waiting: _Waiting, vector: Vectors) -> None:
        try:
            hits = retrieve_by(snapshot, waiting.question, vector, waiting.k, self._reranker)
        except Exception as error:
            waiting.result.set_exception(error)
        else:
            waiting.result.set_result(Retrieved(snapshot, hits))
