"""Every question of a corpus put to the real Answerer, and what came back, in numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.judge.corpus import Labelled
from bench.judge.metrics import holds, ndcg, overlap, recall
from footnote.model import Answer, Citation, Hit, Question, Span
from rag.answerer import Answerer
from rag.index.snapshot import Snapshot
from rag.models.embedder import Embedder
from rag.retrieval.retriever import retrieve

K = 8
DEPTH = 100
NAIVE_DEPTH = 5
RRF_CONSTANT = 60

WAYS = ("fused", "dense", "lexical", "rrf")


@dataclass(slots=True)
class Asked:
    """What one question showed; lists by measure are gathered over questions."""

    labelled: Labelled
    answer: Answer
    rankings: dict[str, list[tuple[str, Span]]]
    addresses: dict[str, dict[bytes, int]] = field(repr=False)

    @property
    def answered(self) -> bool:
        return not self.answer.refused

    @property
    def has_gold(self) -> bool:
        return self.labelled.answerable and bool(self.labelled.relevant)

    def documents(self, way: str) -> list[str]:
        """Documents by their best passage."""
        return list(dict.fromkeys(name for name, _ in self.rankings[way]))

    def retrieval(self, way: str) -> dict[str, float]:
        ranked, relevant = self.documents(way), self.labelled.relevant
        found = {
            "ndcg@10": ndcg(ranked, relevant),
            "recall@5": recall(ranked, relevant, 5),
            "recall@20": recall(ranked, relevant, 20),
            "p@1": float(bool(ranked) and ranked[0] in relevant),
        }
        if self.labelled.evidence:
            for depth in (1, 5, 10):
                hits = self.rankings[way][:depth]
                found[f"passage_hit@{depth}"] = float(
                    any(holds(hit, gold) for hit in hits for gold in self.labelled.evidence)
                )
        return found

    def citations(self) -> dict[str, float]:
        """Against the gold spans; only where there are citations and gold."""
        cited = [(c.document.document_id, c.span) for c in self.answer.citations]
        gold = self.labelled.evidence
        touching = [any(overlap(c, g) for g in gold) for c in cited]
        touched = [any(overlap(c, g) for c in cited) for g in gold]
        inside = sum(overlap(c, g) for c in cited for g in gold)
        return {
            "evidence_found": float(any(touching)),
            "citation_precision": sum(touching) / len(touching),
            "citation_recall": sum(touched) / len(touched),
            "cited_code_points_in_gold": inside / sum(s.end - s.start for _, s in cited),
            "citations": float(len(cited)),
        }

    def payout(self) -> dict[str, float]:
        """Which share of the data pool reaches contributors of relevant Documents."""
        right = {a for d in self.labelled.relevant for a in self.addresses.get(d, {})}
        naive = self.documents("fused")[:NAIVE_DEPTH]
        found = {
            "payout_precision": sum(self._reaching(c, right) for c in self.answer.citations),
            "naive_payout_precision": sum(self._share(d, right) for d in naive) / len(naive),
        }
        if len(self.labelled.relevant) > 1:
            paid = {c.document.document_id for c in self.answer.citations if c.weight_ppm}
            named = self.labelled.relevant.keys()
            found["payout_recall"] = len(paid & named) / len(named)
            found["naive_payout_recall"] = len(set(naive) & named) / len(named)
        return found

    def _reaching(self, citation: Citation, right: set[bytes]) -> float:
        share = self._share(citation.document.document_id, right)
        return citation.weight_ppm / 1_000_000 * share

    def _share(self, document_id: str, right: set[bytes]) -> float:
        return sum(b for a, b in self.addresses[document_id].items() if a in right) / 10_000


@dataclass(frozen=True, slots=True)
class Costs:
    """Medians over the questions, in milliseconds."""

    search_ms: float
    answer_ms: float


def ask(
    answerer: Answerer,
    snapshot: Snapshot,
    embedder: Embedder,
    datanet: str,
    questions: Sequence[Labelled],
) -> Iterator[Asked]:
    """One after the other, in the order given."""
    addresses = {
        d.document_id: {bytes(c.address): c.share_bps for c in d.contributors}
        for d in snapshot.catalogue.documents()
    }
    for labelled in questions:
        answer = answerer.answer(Question(datanet, labelled.text, k=K))
        yield Asked(labelled, answer, _rankings(snapshot, embedder, labelled.text), addresses)


def costs(answerer: Answerer, datanet: str, questions: Sequence[Labelled]) -> Costs:
    """An answer beside the bare search for the same question, in turn."""
    times: dict[str, list[float]] = {"search": [], "answer": []}
    for labelled in questions:
        began = time.perf_counter()
        answerer.search(datanet, labelled.text, K)
        searched = time.perf_counter()
        answerer.answer(Question(datanet, labelled.text, k=K))
        times["search"].append(searched - began)
        times["answer"].append(time.perf_counter() - searched)
    return Costs(median(times["search"]) * 1_000, median(times["answer"]) * 1_000)


def _rankings(
    snapshot: Snapshot, embedder: Embedder, question: str
) -> dict[str, list[tuple[str, Span]]]:
    """Passages, best first, in the product's way and by its parts."""
    query = embedder.embed_question(question)
    dense = snapshot.vectors.search(query, DEPTH)[0].tolist()
    lexical = [i for i, _ in snapshot.lexical.search(question, DEPTH)]
    points: dict[int, float] = {}
    for ranked in (dense, lexical):
        for place, chunk_id in enumerate(ranked, start=1):
            points[chunk_id] = points.get(chunk_id, 0.0) + 1 / (RRF_CONSTANT + place)
    rrf = sorted(points, key=lambda i: (-points[i], i))[:DEPTH]
    places = snapshot.catalogue.spans_of(sorted({*dense, *lexical}))
    by_part = {"dense": dense, "lexical": lexical, "rrf": rrf}
    return {
        "fused": [_place(hit) for hit in retrieve(snapshot, embedder, question, DEPTH)],
        **{way: [places[i] for i in ids] for way, ids in by_part.items()},
    }


def _place(hit: Hit) -> tuple[str, Span]:
    return hit.chunk.document.document_id, hit.chunk.span
