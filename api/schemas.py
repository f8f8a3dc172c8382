"""The shapes of requests and responses, for validation and for the API's documentation: asking, and
what all routes share. Documents' are in :mod:`api.document_schemas`, money's in
:mod:`api.money_schemas`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from rag.answerer import MAX_QUESTION_CODE_POINTS
from rag.answering.grounding import MAX_SOURCES
from rag.retrieval.retriever import MAX_K


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


DatanetName = Annotated[str, Field(max_length=63, description="The Datanet's name.")]


QuestionText = Annotated[
    str,
    Field(
        max_length=MAX_QUESTION_CODE_POINTS,
        description="The question, in plain words.",
        json_schema_extra={"pattern": r"^[^\x00]*[^\W_][^\x00]*$"},
    ),
]


def _whole(value: object) -> object:
    """JSON knows one kind of number: 8.0 is 8."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Responses = dict[int | str, dict[str, Any]]


Count = Annotated[int, BeforeValidator(_whole)]


IdempotencyKey = Annotated[
    str | None,
    Header(
        description="The same key and body give the same answer, once.",
        json_schema_extra={"pattern": r"^[\x21-\x7e]{1,255}$"},
    ),
]


class AnswerRequest(Strict):
    """How to answer a question."""

    datanet: DatanetName
    question: QuestionText
    k: Count = Field(8, ge=1, le=MAX_K, description="How many chunks to retrieve.")
    adapter: str | None = Field(
        None,
        max_length=128,
        description="Which LoRA adapter answers.",
        json_schema_extra={"pattern": r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"},
    )
    answerer: Literal["extractive", "openlora"] | None = Field(
        None, description="Which way to answer; the server's default if absent."
    )
    stream: bool = Field(False, description="Tell the answer as events while it is made.")

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"datanet": "footnote", "question": "Why is every citation verified?"}],
            "not": {
                "required": ["adapter", "answerer"],
                "properties": {"adapter": {"type": "string"}, "answerer": {"const": "extractive"}},
            },
        },
    )


class ChatPart(BaseModel):
    type: str = Field(max_length=64)
    text: str | None = None


class ChatMessage(BaseModel):
    role: str = Field(max_length=64)
    content: str | list[ChatPart] | None = None


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """What OpenAI's clients send. Settings of sampling are accepted and do nothing."""

    model: str = Field(max_length=192, description="A Datanet, or `datanet:adapter`.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=1_000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    answerer: Literal["extractive", "openlora"] | None = Field(
        None, description="Ours: which way to answer; the server's default if absent."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "footnote",
                    "messages": [{"role": "user", "content": "Why is a citation verified?"}],
                }
            ]
        },
    )


class SearchRequest(Strict):
    """What to search for."""

    datanet: DatanetName
    question: QuestionText
    k: Count = Field(10, ge=1, le=MAX_K, description="How many chunks to return.")

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"datanet": "footnote", "question": "finality", "k": 3}]},
    )


class Claim(Strict):
    id: str
    start: int
    end: int
    text: str
    verdict: Literal["supported", "partial", "contradicted", "unsupported"]
    score: float
    citation_ids: list[str]


class GivenSource(Strict):
    id: str | None = Field(None, max_length=200, description="Yours; its number if absent.")
    title: str = Field("", max_length=500)
    text: str = Field(min_length=1)


class VerifyRequest(Strict):
    """What to check against what."""

    text: str = Field(min_length=1, description="Marked with numbers of sources, like [1], or not.")
    sources: list[GivenSource] = Field(min_length=1, max_length=MAX_SOURCES)

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "text": "The bell was cast in 1871. [1]",
                    "sources": [{"text": "Ines Moreau cast the harbour bell in 1871."}],
                }
            ]
        },
    )


class NumberedSource(Strict):
    number: int
    id: str


class CheckedCitation(Strict):
    id: str
    claim_id: str
    marker: int
    source: NumberedSource
    source_span: Bounds
    cited_text: str
    verdict: Literal["supported", "partial", "contradicted", "unsupported"]
    score: float


class Verified(Strict):
    """The text, its markers numbered anew, with a verdict on each claim."""

    object: Literal["verification"]
    offset_unit: Literal["unicode_code_point"]
    text: str
    claims: list[Claim]
    citations: list[CheckedCitation]
    removed_markers: int
    verifier: dict[str, Any]


class Source(Strict):
    document_id: str
    version: str
    title: str
    url: str | None


class Bounds(Strict):
    start: int
    end: int


class PaidContributor(Strict):
    address: str
    name: str | None
    share_bps: int
    amount: str


class Reward(Strict):
    weight_ppm: int
    amount: str
    status: Literal["pending", "batched", "settled", "ineligible"]


class Citation(Strict):
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


class RetrievalScores(Strict):
    dense: float
    lexical: float
    fused: float


class FoundDocument(Strict):
    """A chunk that was retrieved, before it is known whether it will be used."""

    document_id: str
    title: str
    version: str
    chunk: Bounds
    rank: int
    scores: RetrievalScores


class Retrieved(FoundDocument):
    used: bool = Field(description="Whether a citation of the answer touches it.")


class AnswerReceipt(Strict):
    id: str
    seq: int
    signature: str | None
    signer: str | None
    salt: str
    snapshot: str
    model: str
    adapter: str | None
    issued_at: int


class TokenUsage(Strict):
    input_tokens: int
    output_tokens: int


class Answer(Strict):
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


class UnpaidContributor(Strict):
    address: str
    name: str | None
    share_bps: int


class VerifiedCitation(Strict):
    """A citation before it is known what it earns."""

    id: str
    claim_id: str
    marker: int
    source: Source
    source_span: Bounds
    cited_text: str
    cited_text_sha256: str
    verdict: Literal["supported", "partial", "contradicted", "unsupported"]
    score: float
    contributors: list[UnpaidContributor]


class _Event(Strict):
    sequence_number: int = Field(description="From 0, without gaps.")


class RetrievalEvent(_Event):
    type: Literal["retrieval"]
    answer_id: str
    datanet: str
    question: str
    confidence: float
    snapshot: str
    retrieved: list[FoundDocument]


class TextDeltaEvent(_Event):
    type: Literal["text.delta"]
    delta: str


class ClaimCompletedEvent(_Event):
    type: Literal["claim.completed"]
    claim: Claim


class CitationVerifiedEvent(_Event):
    type: Literal["citation.verified"]
    citation: VerifiedCitation


class AnswerCompletedEvent(_Event):
    type: Literal["answer.completed"]
    answer: Answer


class ErrorEvent(_Event):
    type: Literal["error"]
    problem: Problem


class AnswerEvent(
    RootModel[
        RetrievalEvent
        | TextDeltaEvent
        | ClaimCompletedEvent
        | CitationVerifiedEvent
        | AnswerCompletedEvent
        | ErrorEvent
    ]
):
    """The data of one event of a stream."""


class UrlCitation(Strict):
    url: str
    title: str
    start_index: int
    end_index: int


class Annotation(Strict):
    type: Literal["url_citation"]
    url_citation: UrlCitation


class ChatFootnote(Strict):
    """What of an answer has no place in a chat completion."""

    id: str
    datanet: str
    refused: bool
    refusal_reason: str | None
    confidence: float
    claims: list[Claim]
    citations: list[Citation]
    receipt: AnswerReceipt


class AssistantMessage(Strict):
    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Annotation]
    footnote: ChatFootnote


class ChatChoice(Strict):
    index: int
    message: AssistantMessage
    finish_reason: Literal["stop"]
    logprobs: None


class ChatUsage(Strict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Strict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class Model(Strict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Strict):
    object: Literal["list"]
    data: list[Model]


class FoundChunk(Strict):
    start: int
    end: int
    text: str


class SearchHit(Strict):
    document_id: str
    version: str
    title: str
    url: str | None
    chunk: FoundChunk
    rank: int
    scores: RetrievalScores


class SearchResult(Strict):
    object: Literal["list"]
    snapshot: str
    data: list[SearchHit]


class Health(Strict):
    status: Literal["ok"]


class Degraded(Strict):
    part: Literal["redis", "chain", "worker", "datanet"]
    reason: str


class Readiness(Strict):
    status: Literal["ready", "degraded"]
    datanets: int
    degraded: list[Degraded]


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    message: str = Field(description="The same, where OpenAI's clients look for it.")
    errors: list[dict[str, str]] | None = None


def streamed(description: str) -> Responses:
    """What a route answers that streams where it is asked to."""
    return {200: {"content": {"text/event-stream": {}}, "description": description}}


def problems(texts: Mapping[int, str]) -> Responses:
    return {status: {"model": Problem, "description": text} for status, text in texts.items()}


GUARDED = problems(
    {
        401: "A key is missing, or is not valid.",
        403: "The key does not allow this, or a page of another site sent it.",
        429: "Too many requests; Retry-After says when to ask again.",
        503: "Something that is needed does not answer now.",
    }
)
"""What any route may answer."""


PROBLEMS = GUARDED | problems(
    {
        400: "The body or a header cannot be read.",
        404: "No such thing.",
        408: "The body stopped in the middle.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "The request breaks a rule.",
    }
)


ANSWERING = problems(
    {
        409: "A request with this Idempotency-Key is still being answered.",
        507: "The disk has no room for the receipt.",
    }
)
