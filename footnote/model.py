"""The nouns of Footnote, frozen. See ``docs/design.md`` for what each word means.

Offsets count Unicode code points, 0-based and half-open. Scores are dimensionless; higher is
better. Hashes are 32 bytes, addresses 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from footnote.addresses import Address
from footnote.ids import content_id

OFFSET_UNIT = "unicode_code_point"
MAX_CONTRIBUTORS = 40
MAX_CITATIONS = 10
MAX_CITED_CODE_POINTS = 1_000


@dataclass(frozen=True, slots=True)
class Contributor:
    """Whoever is owed for a Document, with a share in basis points."""

    address: Address
    share_bps: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One contributed text of a Datanet, without its text; ``version`` is the text's SHA-256."""

    document_id: str
    version: bytes
    title: str
    url: str | None
    license: str
    contributors: tuple[Contributor, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The code points ``[start, end)`` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A Span of a Document version. ``text`` is exactly what the span covers;
    ``open_fence`` is the mark of the fenced code block that it begins in, if any."""

    chunk_id: int
    document: Document
    span: Span
    text: str
    open_fence: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """``dense`` is a cosine, ``lexical`` a BM25 score, ``fused`` their weighted mix in [0, 1]."""

    dense: float
    lexical: float
    fused: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A Chunk that retrieval found. ``rank`` counts from 1."""

    chunk: Chunk
    rank: int
    scores: Scores


class Verdict(Enum):
    """Whether a claim follows from the span it cites. Only SUPPORTED earns."""

    SUPPORTED = "supported"
    PARTIAL = "partial"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer. ``span`` lies in the answer's text."""

    claim_id: str
    span: Span
    text: str
    verdict: Verdict
    score: float
    citation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """A claim tied to the exact span of a Document version that supports it."""

    citation_id: str
    claim_id: str
    marker: int
    document: Document
    span: Span
    cited_text: str
    verdict: Verdict
    score: float
    weight_ppm: int


@dataclass(frozen=True, slots=True)
class Definition:
    """What exactly a model, adapter, verifier or policy is. Its id is the hash of its content."""

    body: Mapping[str, Any]

    @property
    def definition_id(self) -> bytes:
        return content_id(self.body)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a language model read and wrote; zero where none was asked."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation; ``role`` is user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """Text, Datanet, and how to answer it. ``turns`` came before it, oldest first."""

    datanet: str
    text: str
    k: int = 8
    answerer: str | None = None
    adapter: str | None = None
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Text with claims and citations, or a refusal. ``confidence`` is the calibrated probability
    that the Datanet holds the answer."""

    answer_id: str
    question: Question
    text: str
    refusal_reason: str | None
    confidence: float
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    retrieved: tuple[Hit, ...]
    used_chunk_ids: frozenset[int]
    snapshot_id: bytes
    model: Definition
    verifier: Definition
    adapter: Definition | None = None
    usage: Usage = field(default_factory=Usage)
    removed_markers: int = 0
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        return self.refusal_reason is not None
