"""Whether a claim follows from the span it cites: the verdict.

On the CPU and without another model: details must agree, words and clauses must be covered
(:mod:`rag.checking.agreement`), and the meaning must be close. A model that judges entailment may
join; it can only take away. Half supported is not supported, and no threshold is ever lowered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from typing import Any

from footnote.model import Definition, Verdict
from rag.checking import vocabulary
from rag.checking.agreement import Agreement, agreement
from rag.models.embedder import Embedder, Vectors
from rag.models.entailment import Entailment


@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict, and how well the span covers the claim, in [0, 1]."""

    verdict: Verdict
    score: float


@cache
def _lists() -> bytes:
    """The SHA-256 of the closed lists that the rules use, as sorted JSON."""
    lists = {name: value for name, value in vars(vocabulary).items() if name.isupper()}
    return sha256(json.dumps(lists, default=sorted, sort_keys=True).encode()).digest()


@dataclass(frozen=True)
class Verifier:
    """Checks claims against spans. The thresholds and word lists are part of its identity; the
    thresholds were chosen on one half of the cases of ``bench/mutations`` and hold on the other.
    """

    embedder: Embedder
    entailment: Entailment | None = None
    partial_coverage: float = 0.4
    supported_coverage: float = 0.65
    supported_clause: float = 0.5
    missing_in_a_row: int = 3
    supported_similarity: float = 0.45
    supported_entailment: float = 0.5
    _vector: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_vector", lru_cache(maxsize=1_024)(self.embedder.embed_question))

    @cached_property
    def definition(self) -> Definition:
        """What a receipt names; asks the embedder who it is, which may load it."""
        body: dict[str, Any] = {
            "kind": "verifier",
            "name": "agreement-3",
            "lists": _lists().hex(),
            "partial_coverage": str(self.partial_coverage),
            "supported_coverage": str(self.supported_coverage),
            "supported_clause": str(self.supported_clause),
            "missing_in_a_row": self.missing_in_a_row,
            "supported_similarity": str(self.supported_similarity),
            "embedder": self.embedder.definition.definition_id.hex(),
        }
        if self.entailment is not None:
            body["entailment"] = self.entailment.definition.definition_id.hex()
            body["supported_entailment"] = str(self.supported_entailment)
        return Definition(body)

    def verify(self, claim: str, cited_text: str, title: str = "") -> Verification:
        """The verdict on ``claim``, given the span it cites and the title of its document."""
        found = agreement(claim, cited_text, title)
        if found.coverage < self.partial_coverage:
            return Verification(Verdict.UNSUPPORTED, found.coverage)
        if any(one.denies for one in found.disagreements):
            return Verification(Verdict.CONTRADICTED, found.coverage)
        if found.disagreements or not self._covers(found):
            return Verification(Verdict.PARTIAL, found.coverage)
        similarity = self._similarity(claim, cited_text)
        score = (found.coverage + similarity) / 2
        if similarity < self.supported_similarity:
            return Verification(Verdict.PARTIAL, score)
        return Verification(self._entailed(claim, cited_text, title), score)

    def _covers(self, found: Agreement) -> bool:
        return (
            found.coverage >= self.supported_coverage
            and found.weakest >= self.supported_clause
            and found.missing <= self.missing_in_a_row
        )

    def _entailed(self, claim: str, cited_text: str, title: str) -> Verdict:
        if self.entailment is None:
            return Verdict.SUPPORTED
        source = f"{title}. {cited_text}" if title else cited_text
        (judged,) = self.entailment.judge([(source, claim)])
        if judged.entailment >= self.supported_entailment:
            return Verdict.SUPPORTED
        contradicts = judged.contradiction > max(judged.entailment, judged.neutral)
        return Verdict.CONTRADICTED if contradicts else Verdict.PARTIAL

    def _similarity(self, claim: str, cited_text: str) -> float:
        vector: Vectors = self._vector(claim)  # type: ignore[operator]
        other: Vectors = self._vector(cited_text)  # type: ignore[operator]
        return max(0.0, min(1.0, float(vector @ other)))
