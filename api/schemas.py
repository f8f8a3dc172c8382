"""The shapes of requests and responses, for validation and for the API's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from rag.answerer import MAX_QUESTION_CODE_POINTS
from rag.answering.grounding import MAX_SOURCES
from rag.retrieval.retriever import MAX_K


class _Strict(BaseModel):
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


class AnswerRequest(_Strict):
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


class SearchRequest(_Strict):
    """What to search for."""

    datanet: DatanetName
    question: QuestionText
    k: Count = Field(10, ge=1, le=MAX_K, description="How many chunks to return.")

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


class GivenSource(_Strict):
    id: str | None = Field(None, max_length=200, description="Yours; its number if absent.")
    title: str = Field("", max_length=500)
    text: str = Field(min_length=1)


class VerifyRequest(_Strict):
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


class NumberedSource(_Strict):
    number: int
    id: str


class CheckedCitation(_Strict):
    id: str
    claim_id: str
    marker: int
    source: NumberedSource
    source_span: Bounds
    cited_text: str
    verdict: Literal["supported", "partial", "contradicted", "unsupported"]
    score: float


class Verified(_Strict):
    """The text, its markers numbered anew, with a verdict on each claim."""

    object: Literal["verification"]
    offset_unit: Literal["unicode_code_point"]
    text: str
    claims: list[Claim]
    citations: list[CheckedCitation]
    removed_markers: int
    verifier: dict[str, Any]


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


class FoundDocument(_Strict):
    """A chunk that was retrieved, before it is known whether it will be used."""

    document_id: str
    title: str
    version: str
    chunk: Bounds
    rank: int
    scores: RetrievalScores


class Retrieved(FoundDocument):
    used: bool = Field(description="Whether a citation of the answer touches it.")


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


class UnpaidContributor(_Strict):
    address: str
    name: str | None
    share_bps: int


class VerifiedCitation(_Strict):
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


class _Event(_Strict):
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


class UrlCitation(_Strict):
    url: str
    title: str
    start_index: int
    end_index: int


class Annotation(_Strict):
    type: Literal["url_citation"]
    url_citation: UrlCitation


class ChatFootnote(_Strict):
    """What of an answer has no place in a chat completion."""

    id: str
    datanet: str
    refused: bool
    refusal_reason: str | None
    confidence: float
    claims: list[Claim]
    citations: list[Citation]
    receipt: AnswerReceipt


class AssistantMessage(_Strict):
    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Annotation]
    footnote: ChatFootnote


class ChatChoice(_Strict):
    index: int
    message: AssistantMessage
    finish_reason: Literal["stop"]
    logprobs: None


class ChatUsage(_Strict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(_Strict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class Model(_Strict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Strict):
    object: Literal["list"]
    data: list[Model]


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


class DatanetSummary(_Strict):
    id: str
    object: Literal["datanet"]
    snapshot: str
    published: str
    documents: int
    chunks: int
    paid: bool


class DatanetList(_Strict):
    object: Literal["list"]
    data: list[DatanetSummary]


class Registration(_Strict):
    datanet_id: str
    owner: str
    ledger_id: str
    chain_id: int
    pool: str
    signers: list[str]


class Datanet(DatanetSummary):
    embedder: dict[str, Any]
    chunker: dict[str, Any]
    vectors: str
    content_root: str
    policy: dict[str, Any]
    registry_version: int | None = Field(description="Of this snapshot on chain; null if none.")
    registration: Registration | None


class Line(_Strict):
    part: Literal["data", "model_host", "stakers", "platform"]
    citation_id: str | None
    document_id: str | None
    document_hash: str
    version_hash: str
    start: int
    end: int
    cited_text_hash: str
    account: str
    weight_ppm: int
    share_bps: int
    amount: str
    withheld: bool


class SignedReceipt(_Strict):
    """EIP-712 domain and message, and the lines under its ``citationsRoot``."""

    domain: dict[str, Any]
    message: dict[str, Any]
    digest: str
    signature: str | None
    signer: str | None
    lines: list[Line]


class SettledIn(_Strict):
    batch_id: str
    first: int
    last: int
    receipts_root: str
    digest: str
    tx_hash: str | None
    status: str


class Receipt(SignedReceipt):
    """What ``footnote verify`` reads."""

    object: Literal["receipt"]
    policy: dict[str, Any] | None
    verifier: dict[str, Any] | None
    model: dict[str, Any] | None
    adapter: dict[str, Any] | None
    ledger: dict[str, Any] | None
    batch: SettledIn | None
    proof: list[str] | None


class Payout(_Strict):
    address: str
    amount: str


class AbandonedRange(_Strict):
    """Numbers whose receipts were lost, and owe nothing any more."""

    first: int
    last: int
    previous: str
    digest: str
    at: int


class Batch(SettledIn):
    """Everything from which its root and entries can be rebuilt."""

    object: Literal["batch"]
    datanet: str
    datanet_id: str
    ledger: dict[str, Any] | None
    total: str
    held: str | None
    payouts: list[Payout]
    policies: dict[str, dict[str, Any] | None]
    adapters: dict[str, dict[str, Any] | None]
    receipts: list[SignedReceipt]
    abandoned: list[AbandonedRange]
    checksum: str


class EarnedIn(_Strict):
    id: str
    pending: str
    settled: str


class EarnedSpan(_Strict):
    datanet: str
    seq: int
    receipt: str
    issued_at: int
    part: str
    document_id: str | None
    version: str
    span: Bounds
    share_bps: int
    weight_ppm: int
    amount: str
    status: Literal["pending", "batched", "settled", "ineligible"]


class EarnedFrom(_Strict):
    """What a pool owes, and what was withdrawn from it by the final block seen last."""

    ledger_id: str
    chain_id: int
    pool: str
    pending: str
    settled: str
    withdrawn: str
    claimable: str


class EarnedDay(_Strict):
    date: str
    owed: str


class Contributor(_Strict):
    object: Literal["contributor"]
    address: str
    pending: str
    settled: str
    claimable: str
    datanets: list[EarnedIn]
    ledgers: list[EarnedFrom]
    days: list[EarnedDay] = Field(description="UTC days of the last 90 that earned.")
    spans: list[EarnedSpan]
    next: str | None


class Health(_Strict):
    status: Literal["ok"]


class Degraded(_Strict):
    part: Literal["redis", "chain", "worker", "datanet"]
    reason: str


class Readiness(_Strict):
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


def _problems(texts: Mapping[int, str]) -> Responses:
    return {status: {"model": Problem, "description": text} for status, text in texts.items()}


GUARDED = _problems(
    {
        401: "A key is missing, or is not valid.",
        403: "The key does not allow this, or a page of another site sent it.",
        429: "Too many requests; Retry-After says when to ask again.",
        503: "Something that is needed does not answer now.",
    }
)
"""What any route may answer."""

PROBLEMS = GUARDED | _problems(
    {
        400: "The body or a header cannot be read.",
        404: "No such thing.",
        408: "The body stopped in the middle.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "The request breaks a rule.",
    }
)
ANSWERING = _problems(
    {
        409: "A request with this Idempotency-Key is still being answered.",
        507: "The disk has no room for the receipt.",
    }
)


class SentFile(_Strict):
    name: str
    bytes: int


class JobProgress(_Strict):
    """The stage that runs now: reading, embedding or comparing."""

    stage: str
    done: int
    total: int
    unit: str


class JobCounts(_Strict):
    added: int
    changed: int
    unchanged: int
    refused: int


class RefusedDocument(_Strict):
    file: str
    document_id: str
    code: str
    detail: str
    what_to_do: str


class JobError(_Strict):
    code: str
    detail: str
    what_to_do: str


class Job(_Strict):
    """How documents that were sent are indexed."""

    id: str
    object: Literal["job"]
    datanet: str
    created: str
    files: list[SentFile]
    state: Literal["queued", "running", "done", "failed"]
    started: str | None
    finished: str | None
    progress: JobProgress | None
    counts: JobCounts
    refused: list[RefusedDocument] = Field(description="The first 1,000; `counts` has all.")
    snapshot: str | None = Field(description="The snapshot that was published.")
    error: JobError | None
    can_retry: bool


class JobList(_Strict):
    object: Literal["list"]
    data: list[Job]


class DocumentContributor(_Strict):
    address: str
    name: str | None
    share_bps: int


class DocumentFlags(_Strict):
    """What the Datanet's owner may want to look at. A flag is no verdict."""

    near_duplicates: int = Field(description="Other documents that share much text with it.")
    sentences_of_others: int = Field(description="Its sentences that stood first in others.")
    marks: dict[str, int] = Field(description="Passages that were marked, by kind.")


class ListedDocument(_Strict):
    id: str
    object: Literal["document"]
    version: str
    title: str
    url: str | None
    license: str
    flags: DocumentFlags


class DocumentList(_Strict):
    object: Literal["list"]
    snapshot: str
    data: list[ListedDocument]
    next: str | None


class Document(ListedDocument):
    """A document with its text."""

    contributors: list[DocumentContributor]
    versions: list[str] = Field(description="All it ever had, the newest first.")
    text: str


class Clustered(_Strict):
    id: str
    title: str
    arrival: int = Field(description="The lower, the earlier.")
    ruled_first: bool
    ruled_first_before_change: bool
    sentences_of_others: int
    sentences_in_others: int


class SharingPair(_Strict):
    one: str
    other: str
    containment: float = Field(description="What part of the shorter the other holds.")


class Cluster(_Strict):
    """Documents that share much text. Of what they share, the first is paid."""

    first: str
    documents: list[Clustered]
    pairs: list[SharingPair]


class Review(_Strict):
    object: Literal["review"]
    snapshot: str
    clusters: list[Cluster]
    total: int = Field(description="Of all clusters.")
    unrelated: list[list[str]] = Field(description="Pairs that were ruled to be no copies.")


PairOfDocuments = Annotated[list[str], Field(min_length=2, max_length=2)]


class Ruling(_Strict):
    """What the owner says of near-duplicates, for answers from now on."""

    first: list[str] = Field([], max_length=100, description="These came before all others.")
    unrelated: list[PairOfDocuments] = Field([], max_length=100, description="No copies.")
    related: list[PairOfDocuments] = Field([], max_length=100, description="Withdraws that.")

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"unrelated": [["erc-721", "erc-1155"]]}]},
    )


class DatanetContributor(_Strict):
    address: str
    name: str | None
    documents: int
    earned: str = Field(description="Ever, settled or not, in base units.")


class DatanetContributors(_Strict):
    object: Literal["list"]
    data: list[DatanetContributor]
    total: int = Field(description="Of all contributors.")


class ActiveDay(_Strict):
    date: str = Field(description="A UTC day.")
    answers: int
    owed: str = Field(description="Fees of that day's answers, in base units.")


class Money(_Strict):
    """Amounts in base units. Funds are those that a worker saw last."""

    owed: str
    settled: str
    pending: str
    in_flight: str
    funds: str | None
    funds_seen_at: int | None
    answers_left: int | None = Field(description="As dear as those so far on the average.")


class Activity(_Strict):
    object: Literal["activity"]
    days: list[ActiveDay]
    money: Money | None = Field(description="Null where nothing pays.")


class ReceiptCounts(_Strict):
    issued: int
    settled: int
    waiting: int
    abandoned: int


class StatusHold(_Strict):
    name: str
    reason: str
    what_to_do: str


class StatusBatch(_Strict):
    stage: str
    first: int
    last: int
    total: str
    addresses: int
    key: str | None
    nonce: int | None
    attempts: int
    tx_hash: str | None
    purpose: str | None
    max_fee_wei: str | None
    priority_fee_wei: str | None
    sent_at: int | None
    held: StatusHold | None


class StatusDatanet(_Strict):
    datanet: str
    ledger_id: str
    pool: str
    lost: str | None
    receipts: ReceiptCounts
    owed: str
    settled: str
    pending: str
    in_flight: str
    final_batches: int
    oldest_unsettled_seconds: int | None
    batch: StatusBatch | None
    funds: str | None
    answers_left: int | None


class StatusLedger(_Strict):
    ledger_id: str
    chain_id: int
    pool: str
    fees_spent_wei: str
    lost: str | None


class NewestBatch(_Strict):
    batch_id: str
    datanet: str
    first: int
    last: int
    total: str
    stage: str
    held: StatusHold | None
    tx_hash: str | None
    sent_at: int | None
    fee_paid_wei: str | None


class StatusAudit(_Strict):
    datanet: str | None = Field(description="Null: all of them.")
    made_at: int
    agrees: bool
    difference: str
    differences: list[str]
    unchecked: list[str]


class OperatorStatus(_Strict):
    """What `footnote status` shows, the newest batches, and what audits found."""

    object: Literal["status"]
    at: int
    datanets: list[StatusDatanet]
    unpaid: dict[str, int]
    ledgers: list[StatusLedger]
    leaders: dict[str, str]
    batches: list[NewestBatch]
    audits: list[StatusAudit]


_DOCUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["id", "text"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "text": {"type": "string", "minLength": 1},
        "title": {"description": "Its title; the job refuses what is no text."},
        "url": {"description": "Where it is published."},
        "license": {"description": "Its licence, as SPDX has it."},
        "contributors": {"description": "A list of objects with address, name and share_bps."},
    },
    "not": {"required": ["documents"]},
}
_DEFAULTS: dict[str, Any] = {
    "contributors": {
        "type": "array",
        "maxItems": 40,
        "items": {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
        "description": "Addresses that share what names no contributor.",
    },
    "license": {
        "type": ["string", "null"],
        "pattern": "^[ -~]{0,200}$",
        "description": "Licence of what names none, as SPDX has it.",
    },
}
UPLOAD_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 200,
                        "items": {"type": "string", "format": "binary"},
                    },
                    "contributor": _DEFAULTS["contributors"],
                    "license": _DEFAULTS["license"],
                },
            }
        },
        "application/json": {
            "schema": {
                "anyOf": [
                    _DOCUMENT,
                    {"type": "array", "minItems": 1, "items": _DOCUMENT},
                    {
                        "type": "object",
                        "required": ["documents"],
                        "additionalProperties": False,
                        "properties": {
                            "documents": {"type": "array", "minItems": 1, "items": _DOCUMENT},
                            **_DEFAULTS,
                        },
                    },
                ]
            }
        },
    },
}
UPLOAD_PROBLEMS = _problems(
    {
        409: "Too many jobs wait, or the job is being worked on.",
        507: "The disk has no room for the upload.",
    }
)
