"""Refits the logistic model behind an answer's confidence.

    python -m bench.calibrate CORPUS_DIR

Asks every question of a labelled corpus with unanswerable ones among them, and those in
``handbook_questions.jsonl`` over the example Datanet (each of those weighs three), fits, and
prints the weights for ``rag.index.calibration``, the area under the curve (ten-fold), and what
refusing at several bars would do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from bench.answers import labelled
from bench.ingested import ingest
from rag.index.library import Library
from rag.models.embedder import SentenceTransformerEmbedder
from rag.retrieval.confidence import signals
from rag.retrieval.question import read_question
from rag.retrieval.retriever import retrieve
from rag.retrieval.selection import select

HERE = Path(__file__).resolve().parent
HANDBOOK_WEIGHT = 3.0
K = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    corpus = parser.parse_args().corpus
    rows = (HERE / "handbook_questions.jsonl").read_text().splitlines()
    handbook = [(row["question"], bool(row["document"])) for row in map(json.loads, rows)]
    asked = [(question, bool(documents)) for question, documents in labelled(corpus)]
    with tempfile.TemporaryDirectory() as home:
        library = Library(Path(home))
        for name, path in (
            ("corpus", corpus / "documents.jsonl"),
            ("handbook", HERE.parent / "examples" / "handbook"),
        ):
            ingest(Path(home), name, path)
        embedder = SentenceTransformerEmbedder(for_questions=True)
        features = _features(library, embedder, "corpus", [q for q, _ in asked])
        more = _features(library, embedder, "handbook", [q for q, _ in handbook])
    labels = np.array([answerable for _, answerable in asked])
    model = LogisticRegression(C=10.0)
    held_out = cross_val_predict(model, features, labels, cv=10, method="predict_proba")[:, 1]
    model.fit(
        np.vstack([features, more]),
        np.concatenate([labels, [answerable for _, answerable in handbook]]),
        sample_weight=[1.0] * len(asked) + [HANDBOOK_WEIGHT] * len(handbook),
    )
    confidence = model.predict_proba(features)[:, 1]
    similarity, coverage, uncovered = model.coef_[0]
    result = {
        "bias": round(float(model.intercept_[0]), 2),
        "similarity": round(float(similarity), 2),
        "coverage": round(float(coverage), 2),
        "uncovered": round(float(uncovered), 2),
        "area_under_curve": round(float(roc_auc_score(labels, held_out)), 4),
        "bars": [
            {
                "bar": bar,
                "answerable_refused": round(float((confidence[labels] < bar).mean()), 3),
                "unanswerable_refused": round(float((confidence[~labels] < bar).mean()), 3),
            }
            for bar in (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
        ],
    }
    print(json.dumps(result))


def _features(
    library: Library, embedder: SentenceTransformerEmbedder, datanet: str, questions: list[str]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Shape (questions, 3)."""
    snapshot = library.snapshot(datanet)
    found = []
    for question in questions:
        hits = retrieve(snapshot, embedder, question, K)
        asked = read_question(question, snapshot.lexical.rarity)
        one = signals(asked, *select(question, asked, hits))
        found.append((one.similarity, one.coverage, one.uncovered))
    return np.array(found)


if __name__ == "__main__":
    main()
