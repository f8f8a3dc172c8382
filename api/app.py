"""The HTTP application: what it is made of, and nothing of what it does."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from api import problems
from api.access import Door, is_loopback
from api.agents import PATH, Agents
from api.bodies import StrictJsonBodies
from api.described import describe
from api.headers import Unframed
from api.idempotency import InFlight
from api.limits import Limits
from api.observed import Observed
from api.quotas import Quotas
from api.routes import (
    answers,
    chat,
    datanets,
    documents,
    health,
    page,
    review,
    rewards,
    search,
    status,
    verify,
)
from api.services import JournalCheck, Services
from api.telemetry import Telemetry
from api.turns import Turns
from footnote.errors import Misconfigured
from footnote.settings import Settings
from rag.adapters.admin import admin_of
from rag.adapters.routing import AdapterRouter
from rag.adapters.store import AdapterStore
from rag.answerer import Answerer
from rag.answering.draft import Drafter
from rag.answering.extractive import Extractive
from rag.answering.openlora import OpenLora
from rag.checking.verifier import Verifier
from rag.index.library import Library, exports_named
from rag.models.choice import serving_embedder
from rag.models.crossencoder import CrossEncoderEntailment, CrossEncoderReranker
from rag.models.embedder import Embedder
from rag.models.late import LateEmbedder
from rag.models.llm import ChatModel, OpenAIChatModel
from rewards.crash import crash_at
from rewards.journal.journal import Journal
from rewards.keys import read_key
from rewards.marks import Marks
from rewards.queue import wake_ups
from rewards.record import Recorder

ROUTES = (
    answers, search, chat, verify, datanets, documents, review, rewards, status, health, page,
)  # fmt: skip
CHECKS_AT_ONCE = 4

DESCRIPTION = """Answers from a Datanet, with citations that hold to the character, and receipts
that pay the people behind them. Errors are `application/problem+json`."""


def build_model(settings: Settings) -> OpenAIChatModel | None:
    """The model server that the settings name, if any."""
    if settings.openlora_url is None:
        return None
    if settings.openlora_model is None:
        raise Misconfigured("no base model is named", "set FOOTNOTE_OPENLORA_MODEL")
    key_file = settings.openlora_api_key_file
    return OpenAIChatModel(
        settings.openlora_url,
        settings.openlora_model,
        api_key=key_file.read_text().strip() if key_file else None,
        timeout_seconds=settings.openlora_timeout_seconds,
        at_once=settings.openlora_at_once,
    )


def build_answerer(
    settings: Settings, library: Library, embedder: Embedder, model: ChatModel | None
) -> Answerer:
    """The answerer that the settings describe."""
    verifier = build_verifier(settings, embedder)
    drafters: dict[str, Drafter] = {"extractive": Extractive()}
    if model is not None:
        drafters["openlora"] = OpenLora(model, verifier)
    reranker = (
        CrossEncoderReranker(settings.reranker_model, settings.device)
        if settings.reranker_model
        else None
    )
    return Answerer(
        library,
        embedder,
        drafters,
        settings.answerer,
        router=build_router(settings),
        reranker=reranker,
        verifier=verifier,
    )


def build_embedder(settings: Settings, library: Library) -> Embedder:
    """What embeds questions: loaded now, or, where nothing is published yet, when it is needed."""

    def make() -> Embedder:
        return serving_embedder(settings, exports_named(settings.home))

    return make() if library.names() else LateEmbedder(make)


def build_verifier(settings: Settings, embedder: Embedder) -> Verifier:
    """With a model of entailment where one is named."""
    if settings.nli_model is None:
        return Verifier(embedder)
    return Verifier(embedder, CrossEncoderEntailment(settings.nli_model, settings.device))


def build_router(settings: Settings) -> AdapterRouter:
    """Which adapter answers for which Datanet."""
    store = AdapterStore(settings.home)
    admin = admin_of(
        settings.openlora_admin, settings.openlora_url or "", settings.openlora_admin_token_file
    )
    return AdapterRouter(store, admin, settings.openlora_adapters)


def build_recorder(settings: Settings, journal: Journal) -> Recorder:
    """Signs with the receipt signer's key where one is set up."""
    if settings.signer_keystore is None:
        return Recorder(journal, None, Marks(settings.marks_path))
    key = read_key(
        settings.signer_keystore, settings.signer_passphrase_file, "FOOTNOTE_SIGNER_KEYSTORE"
    )
    return Recorder(journal, key, Marks(settings.marks_path), crash_point=crash_at)


def build_services(settings: Settings, embedder: Embedder | None = None) -> Services:
    """Everything the routes call."""
    library = Library(settings.home)
    journal = Journal(settings.journal)
    telemetry = Telemetry()
    model = build_model(settings)
    embedder = embedder or build_embedder(settings, library)
    return Services(
        settings=settings,
        library=library,
        answerer=build_answerer(settings, library, embedder, model),
        model=model,
        journal=journal,
        recorder=build_recorder(settings, journal),
        journal_check=JournalCheck(journal),
        wake_ups=wake_ups(settings.redis_url, f"{socket.gethostname()}-{os.getpid()}-api"),
        in_flight=InFlight(settings.request_deadline_seconds),
        turns=Turns(settings.answers_at_once, under_way=telemetry.under_way),
        checks=Turns(CHECKS_AT_ONCE),
        quotas=Quotas(journal),
        telemetry=telemetry,
    )


def build_app(services: Services, host: str = "127.0.0.1") -> FastAPI:
    """The application over ``services``, to be reached at ``host``."""
    door = Door(
        services.settings, services.journal, Limits(services.settings.redis_url), is_loopback(host)
    )
    agents = Agents(services, host)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with agents.running():
            yield
        await door.limits.close()

    # The documentation page comes from here, not from a third party's host.
    app = FastAPIOffline(
        title="Footnote",
        version="0.1.0",
        description=DESCRIPTION,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.router.routes.append(Route(PATH, agents))
    app.state.services = services
    app.state.door = door
    problems.install(app)
    app.add_middleware(StrictJsonBodies)
    app.add_middleware(Unframed)
    app.add_middleware(Observed, telemetry=services.telemetry, every=services.settings.log_requests)
    for module in ROUTES:
        app.include_router(module.router)

    describe(app)
    return app
