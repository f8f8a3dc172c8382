"""How the field decides that a source supports a claim, written afresh from what is described of
each, beside our verifier. Every scheme sees a claim and one source, and says whether it would show
the source as the claim's citation.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from bench.mutations.generator import Case
from footnote.model import Verdict
from rag.checking.verifier import Verifier
from rag.models.embedder import Embedder, Vectors

Scheme = Callable[[Case], bool]

FIRST_THRESHOLD, FALL, ROUNDS = 0.63, 0.8, 4
"""Similarity asked for at first, and the factor by which it falls while nothing cites."""
LEAST_OVERLAP = 0.35
"""The part of a quote that its longest block found in the source must exceed."""


class Remembering:
    """An Embedder that has embedded every text beforehand, so that what is timed is the rest."""

    def __init__(self, embedder: Embedder, texts: Sequence[str]) -> None:
        self._embedder = embedder
        self.definition, self.dimension = embedder.definition, embedder.dimension
        self.window = embedder.window
        distinct = list(dict.fromkeys(texts))
        vectors = embedder.embed_documents(distinct)
        self._vector_of = dict(zip(distinct, vectors, strict=True))

    def token_starts(self, text: str) -> Sequence[int]:
        return self._embedder.token_starts(text)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_documents(texts)

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        rows: Vectors = np.stack([self.embed_question(text) for text in texts])
        return rows

    def embed_question(self, text: str) -> Vectors:
        vector: Vectors | None = self._vector_of.get(text)
        return self._embedder.embed_question(text) if vector is None else vector


@dataclass(slots=True)
class Ours:
    """The verifier, and what each call cost."""

    verifier: Verifier
    milliseconds: list[float]

    def __call__(self, case: Case) -> bool:
        start = time.perf_counter()
        found = self.verifier.verify(case.claim, case.cited, case.title)
        self.milliseconds.append((time.perf_counter() - start) * 1000)
        return found.verdict is Verdict.SUPPORTED


def falling_threshold(embedder: Embedder) -> Scheme:
    """Nearest chunk by similarity; where nothing reaches the threshold, the threshold falls."""

    def cites(case: Case) -> bool:
        a, b = embedder.embed_question(case.claim), embedder.embed_question(case.cited)
        threshold = FIRST_THRESHOLD
        for _ in range(ROUNDS):
            if float(a @ b) >= threshold:
                return True
            threshold *= FALL
        return False

    return cites


def longest_block(case: Case) -> bool:
    """Fuzzy quote match: the longest common block is more than a third of the claim."""
    matcher = SequenceMatcher(None, case.claim, case.cited, autojunk=False)
    return matcher.find_longest_match().size > LEAST_OVERLAP * len(case.claim)


def marker_only(case: Case) -> bool:
    """The marker names a source that was there; no more is asked."""
    return True


def verbatim(case: Case) -> bool:
    """The claim stands in the source, white space, case and the shape of quotes aside."""
    return _plain(case.claim) in _plain(case.cited)


def _plain(text: str) -> str:
    text = text.lower().translate(str.maketrans("“”‘’", "\"\"''"))
    return re.sub(r"\s+", " ", text).strip().rstrip(".").strip()


def schemes_of_the_field(embedder: Embedder) -> Mapping[str, Scheme]:
    return {
        "falling threshold": falling_threshold(embedder),
        "longest block": longest_block,
        "marker only": marker_only,
        "verbatim": verbatim,
    }
