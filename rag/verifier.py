"""Whether a claim follows from the span it cites.

A first honest check, on the CPU and without another model: the numbers, names and negations of a
claim must stand in the span, its words must be covered, and its meaning must be close. Half
supported is not supported. No threshold is ever lowered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from footnote.model import Definition, Verdict
from rag.embedder import Embedder
from rag.lexical import content_terms, terms

_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?%?")
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)(?<![\w])[A-Z][\w-]*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nor|neither|without|cannot|nobody|nothing|\w+n['’]t)\b", re.IGNORECASE
)
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        """
    zero one two three four five six seven eight nine ten eleven twelve
    """.split()
    )
}


@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict, and how well the span covers the claim, in [0, 1]."""

    verdict: Verdict
    score: float


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks claims against spans. The thresholds are part of its identity."""

    embedder: Embedder
    supported_coverage: float = 0.75
    supported_similarity: float = 0.55
    partial_coverage: float = 0.4
    definition: Definition = field(init=False)

    def __post_init__(self) -> None:
        body = {
            "kind": "verifier",
            "name": "agreement-1",
            "supported_coverage": str(self.supported_coverage),
            "supported_similarity": str(self.supported_similarity),
            "partial_coverage": str(self.partial_coverage),
            "embedder": self.embedder.definition.definition_id.hex(),
        }
        object.__setattr__(self, "definition", Definition(body))

    def verify(self, claim: str, cited_text: str, title: str = "") -> Verification:
        """The verdict on ``claim``, given the span it cites and the title of its document."""
        coverage = _coverage(claim, f"{title}\n{cited_text}")
        if coverage < self.partial_coverage:
            return Verification(Verdict.UNSUPPORTED, coverage)
        if _negated(claim) != _negated(cited_text):
            return Verification(Verdict.CONTRADICTED, coverage)
        if not _numbers(claim) <= _numbers(cited_text) | _numbers(title):
            wrong = bool(_numbers(cited_text))
            return Verification(Verdict.CONTRADICTED if wrong else Verdict.PARTIAL, coverage)
        if not _names(claim) <= set(terms(cited_text)) | set(terms(title)):
            return Verification(Verdict.PARTIAL, coverage)
        if coverage < self.supported_coverage:
            return Verification(Verdict.PARTIAL, coverage)
        similarity = self._similarity(claim, cited_text)
        score = (coverage + similarity) / 2
        if similarity < self.supported_similarity:
            return Verification(Verdict.PARTIAL, score)
        return Verification(Verdict.SUPPORTED, score)

    def _similarity(self, claim: str, cited_text: str) -> float:
        a, b = self.embedder.embed_question(claim), self.embedder.embed_question(cited_text)
        return max(0.0, min(1.0, float(a @ b)))


def _coverage(claim: str, source: str) -> float:
    wanted = content_terms(claim)
    present = set(terms(source))
    return sum(term in present for term in wanted) / len(wanted) if wanted else 0.0


def _numbers(text: str) -> set[str]:
    digits = {match.group().replace(",", "").rstrip(".") for match in _NUMBER.finditer(text)}
    words = {
        _NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _NUMBER_WORDS
    }
    return digits | (words - {"1"})


def _names(text: str) -> set[str]:
    """Stems of capitalised words that do not merely open a sentence."""
    return {stem for match in _NAME.finditer(text) for stem in terms(match.group())}


def _negated(text: str) -> bool:
    return len(_NEGATION.findall(text)) % 2 == 1
