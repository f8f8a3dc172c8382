"""What is searched: documents of a corpus, cut to about as many passages as asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.judge.corpus import Corpus, Labelled
from footnote.settings import Settings
from indexer.splitter import ChunkSize, split_text
from rag.models.choice import indexing_embedder


@dataclass(frozen=True, slots=True)
class Chosen:
    """``documents`` is a file that ``footnote ingest`` reads."""

    documents: Path
    count: int
    questions: tuple[Labelled, ...]
    """Those with a right document; it is among the documents."""
    asked: tuple[str, ...]
    """The text of every question, with a right document or without."""


def choose(corpus: Corpus, others: Sequence[Corpus], passages: int, home: Path) -> Chosen:
    """The right documents of all questions of ``corpus`` first, then its others in their order, and
    those of ``others``, until they hold that many passages. Exports the model under ``home`` on the
    way."""
    questions = tuple(one for one in corpus.questions if one.relevant)
    right = {document for one in questions for document in one.relevant}
    rows = sorted(_rows(corpus), key=lambda row: row["id"] not in right)
    rows += [row for other in others for row in _rows(other)]
    token_starts = indexing_embedder(Settings(home=home)).token_starts
    chosen, held = [], 0
    for row in rows:
        if held >= passages and row["id"] not in right:
            break
        held += len(split_text(row["text"], token_starts, ChunkSize()))
        chosen.append(row)
    path = home / "documents.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in chosen), "utf-8")
    return Chosen(path, len(chosen), questions, tuple(one.text for one in corpus.questions))


def _rows(corpus: Corpus) -> list[dict[str, Any]]:
    return [json.loads(line) for line in corpus.documents.read_text("utf-8").splitlines()]


def reciprocal_rank(found: list[str], relevant: Mapping[str, int]) -> float:
    """One over the rank of the first right document among the hits, 0 where there is none."""
    return next((1 / i for i, one in enumerate(found, 1) if relevant.get(one, 0) > 0), 0.0)
