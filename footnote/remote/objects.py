"""What the service tells, as frozen objects with the field names of its JSON.

Fields that a service adds later are ignored, and texts such as verdicts stay texts, so that a newer
service does not break an older client. Amounts are whole base units: ``int`` here, text in JSON.
Offsets count Unicode code points, 0-based and half-open. ``None`` where JSON has null.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class Told(BaseModel):
    """The base of them all."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _amount(value: object) -> object:
    """Decimal digits as ``int``; pydantic alone would take ``1.0`` and ``1_000`` as well."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise ValueError("an amount is decimal digits")


Amount = Annotated[int, BeforeValidator(_amount), PlainSerializer(str, str, when_used="json")]
"""Base units of the token that pays."""


class Bounds(Told):
    """The code points ``[start, end)`` of a text."""

    start: int
    end: int


class Claim(Told):
    """One sentence of an answer. ``verdict``: supported, partial, contradicted or unsupported."""

    id: str
    start: int
    end: int
    text: str
    verdict: str
    score: float
    citation_ids: tuple[str, ...]


class Source(Told):
    """A version of a document; ``version`` is ``sha256:`` and the hash of its text."""

    document_id: str
    version: str
    title: str
    url: str | None


class UnpaidContributor(Told):
    address: str
    name: str | None
    share_bps: int


class PaidContributor(UnpaidContributor):
    amount: Amount


class Reward(Told):
    """``status``: pending, batched, settled or ineligible."""

    weight_ppm: int
    amount: Amount
    status: str


class VerifiedCitation(Told):
    """A citation before it is known what it earns."""

    id: str
    claim_id: str
    marker: int
    source: Source
    source_span: Bounds
    cited_text: str
    cited_text_sha256: str
    verdict: str
    score: float
    contributors: tuple[UnpaidContributor, ...]


class Citation(Told):
    """A claim tied to the exact span that supports it, and what that earns."""

    id: str
    claim_id: str
    marker: int
    source: Source
    source_span: Bounds
    cited_text: str
    cited_text_sha256: str
    verdict: str
    score: float
    contributors: tuple[PaidContributor, ...]
    reward: Reward


class RetrievalScores(Told):
    dense: float
    lexical: float
    fused: float


class FoundDocument(Told):
    """A chunk that was retrieved."""

    document_id: str
    title: str
    version: str
    chunk: Bounds
    rank: int
    scores: RetrievalScores


class Retrieved(FoundDocument):
    """``used``: whether a citation of the answer touches it."""

    used: bool


class AnswerReceipt(Told):
    id: str
    seq: int
    signature: str | None
    signer: str | None
    salt: str
    snapshot: str
    model: str
    adapter: str | None
    issued_at: int


class TokenUsage(Told):
    input_tokens: int
    output_tokens: int


class Answer(Told):
    """An answer with its claims, citations and receipt, or a refusal."""

    id: str
    object: str
    datanet: str
    question: str
    text: str
    refused: bool
    refusal_reason: str | None
    confidence: float
    offset_unit: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    retrieved: tuple[Retrieved, ...]
    receipt: AnswerReceipt
    usage: TokenUsage
    removed_markers: int
    timings_ms: dict[str, float]


class FoundChunk(Told):
    start: int
    end: int
    text: str


class SearchHit(Told):
    document_id: str
    version: str
    title: str
    url: str | None
    chunk: FoundChunk
    rank: int
    scores: RetrievalScores


class SearchResult(Told):
    """Chunks, best first. Nobody is credited for them."""

    object: str
    snapshot: str
    data: tuple[SearchHit, ...]


class GivenSource(Told):
    """A source to check a text against. ``id`` is yours; its number where it has none."""

    id: str | None = None
    title: str = ""
    text: str


class NumberedSource(Told):
    number: int
    id: str


class CheckedCitation(Told):
    id: str
    claim_id: str
    marker: int
    source: NumberedSource
    source_span: Bounds
    cited_text: str
    verdict: str
    score: float


class Verified(Told):
    """A text, its markers numbered anew, with a verdict on each claim."""

    object: str
    offset_unit: str
    text: str
    claims: tuple[Claim, ...]
    citations: tuple[CheckedCitation, ...]
    removed_markers: int
    verifier: dict[str, Any]


class DatanetSummary(Told):
    id: str
    object: str
    snapshot: str
    published: str
    documents: int
    chunks: int
    paid: bool


class DatanetList(Told):
    object: str
    data: tuple[DatanetSummary, ...]


class Registration(Told):
    datanet_id: str
    owner: str
    ledger_id: str
    chain_id: int
    pool: str
    signers: tuple[str, ...]


class Datanet(DatanetSummary):
    """A Datanet with its policy, and where its answers are paid."""

    embedder: dict[str, Any]
    chunker: dict[str, Any]
    vectors: str
    content_root: str
    policy: dict[str, Any]
    registry_version: int | None
    registration: Registration | None


class DocumentContributor(Told):
    address: str
    name: str | None
    share_bps: int


class DocumentFlags(Told):
    """What the Datanet's owner may want to look at; ``marks`` are passages by kind."""

    near_duplicates: int
    sentences_of_others: int
    marks: dict[str, int]


class ListedDocument(Told):
    id: str
    object: str
    version: str
    title: str
    url: str | None
    license: str
    flags: DocumentFlags


class DocumentList(Told):
    object: str
    snapshot: str
    data: tuple[ListedDocument, ...]
    next: str | None


class Document(ListedDocument):
    """A document as it stands now, with its whole text."""

    contributors: tuple[DocumentContributor, ...]
    versions: tuple[str, ...]
    text: str


class SentFile(Told):
    name: str
    bytes: int


class JobProgress(Told):
    stage: str
    done: int
    total: int
    unit: str


class JobCounts(Told):
    added: int
    changed: int
    unchanged: int
    refused: int


class RefusedDocument(Told):
    file: str
    document_id: str
    code: str
    detail: str
    what_to_do: str


class JobError(Told):
    code: str
    detail: str
    what_to_do: str


class Job(Told):
    """How documents that were sent are indexed. ``state``: queued, running, done or failed."""

    id: str
    object: str
    datanet: str
    created: str
    files: tuple[SentFile, ...]
    state: str
    started: str | None
    finished: str | None
    progress: JobProgress | None
    counts: JobCounts
    refused: tuple[RefusedDocument, ...]
    snapshot: str | None
    error: JobError | None
    can_retry: bool

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ("done", "failed")


class JobList(Told):
    object: str
    data: tuple[Job, ...]
