"""The shapes of requests and responses, for validation and for the API's documentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.answerer import MAX_QUESTION_CODE_POINTS
from rag.retriever import MAX_K


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


DatanetName = Annotated[str, Field(max_length=63, description="The Datanet's name.")]
QuestionText = Annotated[
    str, Field(max_length=MAX_QUESTION_CODE_POINTS, description="The question, in plain words.")
]


class AnswerRequest(_Strict):
    """How to answer a question."""

    datanet: DatanetName
    question: QuestionText
    k: int = Field(8, ge=1, le=MAX_K, description="How many chunks to retrieve.")
    adapter: str | None = Field(None, max_length=128, description="Which LoRA adapter answers.")
    answerer: Literal["extractive", "openlora"] | None = Field(
        None, description="Which way to answer; the server's default if absent."
    )
    stream: Literal[False] = Field(False, description="Streaming is not offered yet.")

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"datanet": "footnote", "question": "Why is every citation verified?"}]
        },
    )


class SearchRequest(_Strict):
    """What to search for."""

    datanet: DatanetName
    question: QuestionText
    k: int = Field(10, ge=1, le=MAX_K, description="How many chunks to return.")

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"datanet": "footnote", "question": "finality", "k": 3}]},
    )


class Claim(_Strict):
    id: str
    start: int
    end: int
    text: str
    verdict: Literal["supported", "partial", "contradicted", "unsupported"]
    score: float
    citation_ids: list[str]


class Source(_Strict):
    document_id: str
    version: str
    title: str
    url: str | None


class Bounds(_Strict):
    start: int
    end: int


class PaidContributor(_Strict):
    address: str
    name: str | None
    share_bps: int
    amount: str


class Reward(_Strict):
    weight_ppm: int
    amount: str
    status: Literal["pending", "batched", "settled", "ineligible"]


class Citation(_Strict):
    id: str
    claim_id: str
    marker: int
    source: Source
    source_span: Bounds
    cited_text: str
    cited_text_sha256: str
    verdict: Literal["supported", "partial", "contradicted", "unsupported"]
    score: float
    contributors: list[PaidContributor]
    reward: Reward


class RetrievalScores(_Strict):
    dense: float
    lexical: float
    fused: float


class Retrieved(_Strict):
    document_id: str
    title: str
    version: str
    chunk: Bounds
    rank: int
    scores: RetrievalScores
    used: bool


class AnswerReceipt(_Strict):
    id: str
    seq: int
    signature: str | None
    signer: str | None
    salt: str
    snapshot: str
    model: str
    adapter: str | None
    issued_at: int


class TokenUsage(_Strict):
    input_tokens: int
    output_tokens: int


class Answer(_Strict):
    """An answer with its claims, citations and receipt, or a refusal."""

    id: str
    object: Literal["answer"]
    datanet: str
    question: str
    text: str
    refused: bool
    refusal_reason: str | None
    confidence: float
    offset_unit: Literal["unicode_code_point"]
    claims: list[Claim]
    citations: list[Citation]
    retrieved: list[Retrieved]
    receipt: AnswerReceipt
    usage: TokenUsage
    removed_markers: int
    timings_ms: dict[str, float]


class FoundChunk(_Strict):
    start: int
    end: int
    text: str


class SearchHit(_Strict):
    document_id: str
    version: str
    title: str
    url: str | None
    chunk: FoundChunk
    rank: int
    scores: RetrievalScores


class SearchResult(_Strict):
    object: Literal["list"]
    snapshot: str
    data: list[SearchHit]


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}, "description": text}
    for status, text in {
        400: "The body or a header cannot be read.",
        404: "No such thing.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "The request breaks a rule.",
        503: "Something that is needed does not answer now.",
    }.items()
}
