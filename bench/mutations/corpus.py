"""What the benchmark reads of a corpus: source sentences, and what people wrote about them.

A corpus is a folder with ``documents.jsonl`` and, where people answered questions over it,
``queries.jsonl`` and ``evidence.jsonl``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.text.sentences import Kind, sentences

SENTENCES_PER_DOCUMENT = 12
"""So that a corpus of long documents does not speak for all."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_MARKUP = re.compile(r"[`\[\]{}<>|\\=*_#~^]|https?:|\.md\b|→|\d/\d{4}|\n")
_MIN_WORDS, _MAX_WORDS = 8, 60


@dataclass(frozen=True, slots=True)
class Statement:
    """A source sentence, and those before and after it in its document (empty at the ends)."""

    document_id: str
    title: str
    text: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence that a person wrote and the source sentences it rests on; ``label`` is
    ``answer`` or ``support`` where they support it, ``contradict`` where they refute it."""

    document_id: str
    title: str
    text: str
    cited: str
    label: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """``names`` are capitalised words that the corpus never writes in lower case."""

    name: str
    statements: tuple[Statement, ...]
    written: tuple[Written, ...]
    names: frozenset[str]


def read_corpus(folder: Path, seed: int) -> Corpus:
    """The corpus in ``folder``; ``seed`` decides which sentences are looked at, in which order."""
    documents = {str(line["id"]): line for line in _lines(folder / "documents.jsonl")}
    statements = [one for line in documents.values() for one in _statements(line, seed)]
    written = list(_written(folder, documents))
    return Corpus(
        folder.name,
        tuple(sorted(statements, key=lambda s: _rank(seed, s.document_id, s.text))),
        tuple(sorted(written, key=lambda w: _rank(seed, w.document_id, w.text, w.cited))),
        _names(str(line["text"]) for line in documents.values()),
    )


def words(text: str) -> list[str]:
    """The words of ``text`` as they stand there, digits aside."""
    return _WORD.findall(text)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)


def _rank(seed: int, *parts: str) -> bytes:
    return hashlib.sha256("\0".join([str(seed), *parts]).encode()).digest()


def _statements(line: dict[str, Any], seed: int) -> list[Statement]:
    document_id, text = str(line["id"]), str(line["text"])
    units = [s.span.of(text) for s in sentences(text) if s.kind in (Kind.PROSE, Kind.LIST)]
    around = zip(["", *units], units, [*units[1:], ""], strict=False)
    found = [
        Statement(document_id, str(line.get("title") or ""), unit, before, after)
        for before, unit, after in around
        if is_statement(unit)
    ]
    return sorted(found, key=lambda s: _rank(seed, document_id, s.text))[:SENTENCES_PER_DOCUMENT]


def is_statement(text: str) -> bool:
    """A whole sentence of prose: it begins with a capital, ends with a full stop, has no markup."""
    return (
        text[0].isupper()
        and text.endswith(".")
        and not _MARKUP.search(text)
        and _MIN_WORDS <= len(words(text)) <= _MAX_WORDS
    )


def _written(folder: Path, documents: dict[str, dict[str, Any]]) -> Iterator[Written]:
    cited: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in _lines(folder / "evidence.jsonl"):
        cited.setdefault((str(line["query_id"]), str(line["corpus_id"])), []).append(line)
    queries = {str(line["_id"]): line for line in _lines(folder / "queries.jsonl")}
    for (query_id, document_id), spans in cited.items():
        query = queries[query_id]
        spans.sort(key=lambda line: int(line["start"]))
        evidence = " ".join(dict.fromkeys(str(line["text"]) for line in spans))
        title = str(documents[document_id].get("title") or "")
        label = str(spans[0].get("label") or "answer").lower()
        texts = query.get("answers") or [] if label == "answer" else [str(query["text"])]
        for text in dict.fromkeys(unit for whole in texts for unit in _units(str(whole))):
            yield Written(document_id, title, text, evidence, label)


def _units(text: str) -> list[str]:
    found = [s.span.of(text) for s in sentences(text) if s.kind in (Kind.PROSE, Kind.LIST)]
    return [unit for unit in found if len(words(unit)) >= 4]


def _names(texts: Iterator[str]) -> frozenset[str]:
    capital: Counter[str] = Counter()
    lower: set[str] = set()
    for text in texts:
        for match in re.finditer(r"(?<![\w'’-])[^\W\d_]{3,}(?![\w'’-])", text):
            word = match.group()
            if word.islower():
                lower.add(word)
            elif word[0].isupper() and text[max(match.start() - 2, 0) : match.start()] not in (
                ". ", "? ", "! ", ": ", "\n\n", "",
            ):  # fmt: skip
                capital[word] += 1
    return frozenset(w for w, n in capital.items() if n >= 2 and w.lower() not in lower)
