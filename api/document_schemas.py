"""The shapes of Datanets, documents, the jobs that index them, and rulings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Strict, problems


class DatanetSummary(Strict):
    id: str
    object: Literal["datanet"]
    snapshot: str
    published: str
    documents: int
    chunks: int
    paid: bool


class DatanetList(Strict):
    object: Literal["list"]
    data: list[DatanetSummary]


class Registration(Strict):
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


class SentFile(Strict):
    name: str
    bytes: int


class JobProgress(Strict):
    """The stage that runs now: reading, embedding or comparing."""

    stage: str
    done: int
    total: int
    unit: str


class JobCounts(Strict):
    added: int
    changed: int
    unchanged: int
    refused: int


class RefusedDocument(Strict):
    file: str
    document_id: str
    code: str
    detail: str
    what_to_do: str


class JobError(Strict):
    code: str
    detail: str
    what_to_do: str


class Job(Strict):
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


class JobList(Strict):
    object: Literal["list"]
    data: list[Job]


class DocumentContributor(Strict):
    address: str
    name: str | None
    share_bps: int


class DocumentFlags(Strict):
    """What the Datanet's owner may want to look at. A flag is no verdict."""

    near_duplicates: int = Field(description="Other documents that share much text with it.")
    sentences_of_others: int = Field(description="Its sentences that stood first in others.")
    marks: dict[str, int] = Field(description="Passages that were marked, by kind.")


class ListedDocument(Strict):
    id: str
    object: Literal["document"]
    version: str
    title: str
    url: str | None
    license: str
    flags: DocumentFlags


class DocumentList(Strict):
    object: Literal["list"]
    snapshot: str
    data: list[ListedDocument]
    next: str | None


class Document(ListedDocument):
    """A document with its text."""

    contributors: list[DocumentContributor]
    versions: list[str] = Field(description="All it ever had, that of now first.")
    text: str


class Clustered(Strict):
    id: str
    title: str
    arrival: int = Field(description="The lower, the earlier.")
    ruled_first: bool
    ruled_first_before_change: bool
    sentences_of_others: int
    sentences_in_others: int


class SharingPair(Strict):
    one: str
    other: str
    containment: float = Field(description="What part of the shorter the other holds.")


class Cluster(Strict):
    """Documents that share much text. Of what they share, the first is paid."""

    first: str
    documents: list[Clustered]
    pairs: list[SharingPair]


class Review(Strict):
    object: Literal["review"]
    snapshot: str
    clusters: list[Cluster]
    total: int = Field(description="Of all clusters.")
    unrelated: list[list[str]] = Field(description="Pairs that were ruled to be no copies.")


PairOfDocuments = Annotated[
    list[str],
    Field(min_length=2, max_length=2, json_schema_extra={"uniqueItems": True}),
]


class Ruling(Strict):
    """What the owner says of near-duplicates, for answers from now on."""

    first: list[str] = Field([], max_length=100, description="These came before all others.")
    unrelated: list[PairOfDocuments] = Field([], max_length=100, description="No copies.")
    related: list[PairOfDocuments] = Field([], max_length=100, description="Withdraws that.")

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"unrelated": [["erc-721", "erc-1155"]]}],
            "anyOf": [
                {"required": [name], "properties": {name: {"minItems": 1}}}
                for name in ("first", "unrelated", "related")
            ],
        },
    )


class DatanetContributor(Strict):
    address: str
    name: str | None
    documents: int
    earned: str = Field(description="Ever, settled or not, in base units.")


class DatanetContributors(Strict):
    object: Literal["list"]
    data: list[DatanetContributor]
    total: int = Field(description="Of all contributors.")


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


UPLOAD_PROBLEMS = problems(
    {
        409: "Too many jobs wait, or the job is being worked on.",
        507: "The disk has no room for the upload.",
    }
)
