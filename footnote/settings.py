"""Settings, read once from the environment. ``docs/settings.md`` lists them; a test holds the two
together. An error names the variable. Secrets are files, never values, and have no defaults.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from footnote.errors import Misconfigured

PREFIX = "FOOTNOTE_"

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """One field for each variable; its description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("footnote"),
        description="Where Datanets, the journal and keys live.",
    )
    cache: Path | None = Field(None, description="The embedding cache; HOME/cache by default.")
    journal_url: str | None = Field(
        None, description="The journal, as an SQLAlchemy URL; HOME/journal.sqlite by default."
    )
    marks: Path | None = Field(
        None,
        description="Folder of the high-water marks, best on another disk than the journal; "
        "HOME/marks by default.",
    )
    redis_url: str | None = Field(
        None, description="Redis for waking the worker, as redis://…; without it the worker polls."
    )
    rpc_url: str | None = Field(
        None,
        description="JSON-RPC address of the chain that pays; or several, with commas between.",
    )
    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        description="all-MiniLM-L6-v2, or the directory of a sentence-transformers model.",
    )
    question_prefix: str | None = Field(
        None,
        description="What the embedding model wants before a question, such as 'query: '; the "
        "model's own by default.",
    )
    document_prefix: str | None = Field(
        None,
        description="What it wants before a passage, such as 'passage: '; the model's own by "
        "default.",
    )
    reranker_model: Path | None = Field(
        None,
        description="Directory of a sentence-transformers cross-encoder that orders what was "
        "found; none by default.",
    )
    nli_model: Path | None = Field(
        None,
        description="Directory of one that judges entailment, to join the verifier; none by "
        "default.",
    )
    device: str | None = Field(
        None, description="Device of the embedder: cpu, cuda, cuda:1 …; the first GPU if any."
    )
    max_document_bytes: int = Field(
        5_000_000, gt=0, description="The largest document that is admitted, in bytes."
    )
    max_upload_bytes: int = Field(
        50_000_000, gt=0, description="The largest upload of documents over HTTP, in bytes."
    )
    answerer: Literal["extractive", "openlora"] = Field(
        "extractive", description="Which answerer serves a question that names none."
    )
    openlora_url: str | None = Field(
        None, description="Base address of an OpenAI-compatible multi-LoRA server, ending in /v1."
    )
    openlora_model: str | None = Field(
        None, description="The base model's name there, used where no adapter is asked for."
    )
    openlora_api_key_file: Path | None = Field(
        None, description="File with the key of that server, where it wants one."
    )
    openlora_admin: Literal["none", "vllm", "lorax"] = Field(
        "none",
        description="How that server is told of new adapters: vllm's routes, which ours has too; "
        "lorax and none find them themselves.",
    )
    openlora_admin_token_file: Path | None = Field(
        None, description="File with the token that those routes want."
    )
    openlora_adapters: Path | None = Field(
        None, description="HOME/adapters as that server sees it, where it runs elsewhere."
    )
    openlora_timeout_seconds: Seconds = Field(60.0, description="The longest wait for a model.")
    openlora_at_once: int = Field(
        16, ge=1, description="How many questions one process puts to that server at a time."
    )
    answers_at_once: int = Field(
        16, ge=1, description="How many answers one process makes at a time; others wait."
    )
    anonymous: str = Field(
        "loopback",
        description="Who may ask without an API key: loopback is everybody on this machine while "
        "no key exists, no is nobody, all is everybody; or names of Datanets, with commas between.",
    )
    questions_per_minute_address: int = Field(
        60, ge=1, description="Questions a minute from one address without a key."
    )
    questions_per_minute_key: int = Field(
        600, ge=1, description="Questions a minute with one key that has no limit of its own."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines to read, or JSON, one object a line."
    )
    log_requests: bool = Field(
        False, description="Log every request: route, status, time, key; never what was asked."
    )
    request_deadline_seconds: Seconds = Field(
        120.0, description="After this an unfinished request gives up its Idempotency-Key."
    )
    signer_keystore: Path | None = Field(
        None, description="Encrypted keystore of the receipt signer; the API's alone."
    )
    signer_passphrase_file: Path | None = Field(None, description="Its passphrase.")
    distributor_keystore: Path | None = Field(
        None, description="Encrypted keystore of the account that settles; the worker's alone."
    )
    distributor_passphrase_file: Path | None = Field(None, description="Its passphrase.")
    owner_keystore: Path | None = Field(
        None, description="Encrypted keystore of the account that deploys, registers and funds."
    )
    owner_passphrase_file: Path | None = Field(None, description="Its passphrase.")
    batch_age_seconds: float = Field(
        60.0, ge=0, description="A batch is due this long after its first owing receipt."
    )
    idle_batch_age_seconds: float = Field(
        86_400.0, ge=0, description="Receipts that owe nothing are settled after this."
    )
    confirmations: int | None = Field(
        None,
        ge=1,
        description="Blocks after which a block counts as final, on a chain without the "
        "finalized tag.",
    )
    poll_seconds: Seconds = Field(5.0, description="How often the worker looks without a wake-up.")
    lease_seconds: Seconds = Field(
        10.0,
        description="Of several workers with one key another leads when the leader is silent for "
        "so long.",
    )
    resend_seconds: Seconds = Field(
        30.0, description="A transaction that is not mined by then is sent again, for more."
    )
    max_fee_gwei: float = Field(
        500.0,
        gt=0,
        allow_inf_nan=False,
        description="The most that one unit of gas may cost, in gwei.",
    )

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port on loopback where the worker serves Prometheus metrics; none without it.",
    )
    max_daily_fees: Decimal | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The most that transactions may cost in a UTC day, in whole coins.",
    )

    @property
    def max_daily_fees_wei(self) -> int | None:
        return None if self.max_daily_fees is None else int(self.max_daily_fees * 10**18)

    @property
    def cache_path(self) -> Path:
        return (self.cache or self.home / "cache") / "embeddings.sqlite"

    @property
    def marks_path(self) -> Path:
        return self.marks or self.home / "marks"

    @property
    def journal(self) -> str:
        return self.journal_url or f"sqlite:///{(self.home / 'journal.sqlite').absolute()}"


def read_settings() -> Settings:
    """The settings of this process.

    Raises:
        Misconfigured: names each variable that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise Misconfigured(f"a setting cannot be used ({wrong})", "see docs/settings.md") from None
