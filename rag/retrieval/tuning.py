"""What fits one Datanet's questions: how much meaning weighs against words, and when to refuse.

The door of scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from rag.index.calibration import Calibration, Signals
from rag.index.snapshot import Snapshot
from rag.models.embedder import Embedder
from rag.retrieval.confidence import signals
from rag.retrieval.question import read_question
from rag.retrieval.retriever import MIN_CANDIDATES, Candidates, candidates, fuse, hits, rank
from rag.retrieval.selection import select

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
K = 8
MIN_OF_EACH = 20
"""A bar fitted on fewer answerable or unanswerable questions means little."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """``documents`` names those that answer it; none says that the Datanet does not hold it."""

    text: str
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What the two searches found for a question, with the Document of each chunk."""

    question: LabelledQuestion
    candidates: Candidates
    document_of: Mapping[int, str]

    def without_its_documents(self) -> Found:
        """As if the Documents that answer it were not there: a question without an answer that
        names what the Datanet is about."""
        documents = [self.document_of[chunk_id] for chunk_id in self.candidates.ids.tolist()]
        others = np.array([one not in self.question.documents for one in documents], np.bool_)
        return Found(
            LabelledQuestion(self.question.text, frozenset()),
            self.candidates.where(others),
            self.document_of,
        )

    def ndcg(self, dense_weight: float, depth: int = 10) -> float:
        """Of Documents by their best chunk, each that answers counting one."""
        found = self.candidates
        best = found.ids[rank(found.ids, fuse(found, dense_weight))].tolist()
        ranked = list(dict.fromkeys(self.document_of[chunk_id] for chunk_id in best))[:depth]
        right = self.question.documents
        gained = sum(
            1 / math.log2(place + 1) for place, d in enumerate(ranked, start=1) if d in right
        )
        ideal = sum(1 / math.log2(place + 1) for place in range(1, min(len(right), depth) + 1))
        return gained / ideal


def find(
    snapshot: Snapshot, embedder: Embedder, questions: Sequence[LabelledQuestion]
) -> Iterator[Found]:
    """Search for each question once."""
    for question in questions:
        found = candidates(snapshot, embedder, question.text, MIN_CANDIDATES)
        spans = snapshot.catalogue.spans_of(found.ids.tolist())
        yield Found(question, found, {i: document_id for i, (document_id, _) in spans.items()})


@dataclass(frozen=True, slots=True)
class WeightFit:
    """nDCG@10 over the labelled questions; ``held_out`` is of questions that took no part."""

    dense_weight: float
    before: float
    after: float
    held_out: float
    dense_alone: float
    lexical_alone: float


def fit_weight(found: Sequence[Found], current: float) -> WeightFit:
    """The weight under which documents that answer rank best; where several do, the one nearest to
    the current."""
    answerable = [f for f in found if f.question.documents]
    table = np.array([[f.ndcg(weight) for weight in WEIGHTS] for f in answerable])
    held_out = [
        table[fold :: FOLDS, _best(np.delete(table, np.s_[fold::FOLDS], axis=0), current)].sum()
        for fold in range(FOLDS)
    ]  # fmt: skip
    best = _best(table, current)
    return WeightFit(
        dense_weight=WEIGHTS[best],
        before=float(np.mean([f.ndcg(current) for f in answerable])),
        after=float(table[:, best].mean()),
        held_out=float(sum(held_out) / len(answerable)),
        dense_alone=float(table[:, -1].mean()),
        lexical_alone=float(table[:, 0].mean()),
    )


def _best(table: Any, current: float) -> int:
    means = table.mean(axis=0)
    close = np.flatnonzero(means >= means.max() - 1e-9)
    return int(min(close, key=lambda i: (abs(WEIGHTS[i] - current), i)))


@dataclass(frozen=True, slots=True)
class RefusalFit:
    """Rates at the bar, of questions that took no part in the fit of their fold."""

    calibration: Calibration
    area_under_curve: float
    false_refusals: float
    unanswerable_refused: float
    answerable: int
    unanswerable: int
    made_up: bool
    """Whether the unanswerable ones were made by hiding the documents that answer."""


def fit_refusal(
    snapshot: Snapshot, found: Sequence[Found], dense_weight: float, false_refusals: float
) -> RefusalFit | None:
    """A logistic model over Signals, and the highest bar that refuses no more than
    ``false_refusals`` of the answerable questions; None where too few are labelled."""
    answerable = [f for f in found if f.question.documents]
    unanswerable = [f for f in found if not f.question.documents]
    made_up = len(unanswerable) < MIN_OF_EACH
    if made_up:
        unanswerable += [f.without_its_documents() for f in answerable]
    if min(len(answerable), len(unanswerable)) < MIN_OF_EACH:
        return None
    rows = np.array(
        [_features(snapshot, f, dense_weight) for f in (*answerable, *unanswerable)]
    )  # fmt: skip
    labels = np.array([True] * len(answerable) + [False] * len(unanswerable))
    model = LogisticRegression(C=10.0, class_weight="balanced")
    held_out = cross_val_predict(model, rows, labels, cv=FOLDS, method="predict_proba")[:, 1]
    model.fit(rows, labels)
    allowed = math.floor(false_refusals * len(answerable))
    bar = float(np.sort(held_out[labels])[allowed])
    (similarity, coverage, uncovered), bias = model.coef_[0], model.intercept_[0]
    wins = held_out[labels][:, None] - held_out[~labels][None, :]
    return RefusalFit(
        Calibration(
            round(float(bias), 4), round(float(similarity), 4), round(float(coverage), 4),
            round(float(uncovered), 4), round(bar, 4),
        ),
        area_under_curve=float(((wins > 0) + 0.5 * (wins == 0)).mean()),
        false_refusals=float((held_out[labels] < bar).mean()),
        unanswerable_refused=float((held_out[~labels] < bar).mean()),
        answerable=len(answerable),
        unanswerable=len(unanswerable),
        made_up=made_up,
    )  # fmt: skip


def _features(snapshot: Snapshot, found: Found, dense_weight: float) -> tuple[float, float, float]:
    one = signals_of(snapshot, found, dense_weight)
    return one.similarity, one.coverage, one.uncovered


def signals_of(snapshot: Snapshot, found: Found, dense_weight: float) -> Signals:
    """As the Answerer computes them."""
    scores = fuse(found.candidates, dense_weight)
    best = rank(found.candidates.ids, scores)[:K]
    asked = read_question(found.question.text, snapshot.lexical.rarity)
    found_hits = hits(snapshot, found.candidates, scores, best)
    return signals(asked, *select(found.question.text, asked, found_hits))
