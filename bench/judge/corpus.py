"""A corpus with gold evidence, as a folder holds it.

    documents.jsonl    what ``footnote ingest`` reads
    queries.jsonl      _id, text; a label NOT_ENOUGH_INFO says that the corpus holds no answer
    qrels.tsv          query-id, corpus-id, score; qrels.dev.tsv instead where it is there
    evidence.jsonl     query_id, corpus_id, start, end in code points; may be absent

A question without a relevant document has no answer here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footnote.model import Span

NOT_ENOUGH_INFO = "NOT_ENOUGH_INFO"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with its relevant Documents by grade, and the spans that answer it."""

    query_id: str
    text: str
    relevant: Mapping[str, int]
    evidence: tuple[tuple[str, Span], ...]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Corpus:
    name: str
    documents: Path
    questions: tuple[Labelled, ...]


def read_corpus(folder: Path) -> Corpus:
    """Raises FileNotFoundError where one of the three necessary files is missing."""
    split = folder / "qrels.dev.tsv"
    relevant: dict[str, dict[str, int]] = {}
    labels = split if split.exists() else folder / "qrels.tsv"
    for line in labels.read_text("utf-8").splitlines()[1:]:
        query_id, document_id, grade = line.split("\t")
        relevant.setdefault(query_id, {})[document_id] = int(grade)
    evidence: dict[str, list[tuple[str, Span]]] = {}
    for row in _rows(folder / "evidence.jsonl", optional=True):
        span = Span(row["start"], row["end"])
        evidence.setdefault(row["query_id"], []).append((row["corpus_id"], span))
    questions = tuple(
        _labelled(row, relevant.get(row["_id"], {}), evidence.get(row["_id"], []))
        for row in _rows(folder / "queries.jsonl")
        if not split.exists() or row["_id"] in relevant
    )
    return Corpus(folder.name, folder / "documents.jsonl", questions)


def _labelled(
    row: dict[str, Any], relevant: dict[str, int], evidence: list[tuple[str, Span]]
) -> Labelled:
    answerable = bool(relevant) and row.get("label") != NOT_ENOUGH_INFO
    return Labelled(row["_id"], row["text"], relevant, tuple(evidence), answerable)


def _rows(path: Path, *, optional: bool = False) -> Iterator[dict[str, Any]]:
    if optional and not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
