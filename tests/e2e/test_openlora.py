"""The ``openlora`` answerer over real HTTP, against a small server that speaks OpenAI's chat API.

The server is deterministic and honest about what it is: it copies from the numbered sources that
the prompt shows it, or misquotes them on request, so that every rule between a model's output and
a receipt is walked.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from cli.stack import free_port
from footnote.errors import Invalid, NotFound, Unavailable
from footnote.model import Answer, Question, Verdict
from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.readers.files import find_files
from rag.answerer import MODEL_DECLINED, Answerer
from rag.answering.openlora import OpenLora
from rag.checking.verifier import Verifier
from rag.index.datanets import datanet_folder
from rag.index.library import Library
from rag.models.embedder import SentenceTransformerEmbedder
from rag.models.llm import OpenAIChatModel

ADDRESS = "0x31EAfdff73786e310324D6E97213ebF21C5eFD53"
TEXT = (
    "# The harbour bell\n\n"
    "The harbour bell was cast in 1871 by Ines Moreau. The bell rings twice at high tide. "
    "The bell is not rung during fog.\n"
)
QUESTION = "When was the harbour bell cast?"

_REPLIES = {
    "copier": "The harbour bell was cast in 1871 by Ines Moreau. [1]",
    "quoter": "The harbour bell was cast in 1871 by Ines Moreau. [1]",
    "misquoter": "The harbour bell was cast in 1932 by Ines Moreau. [1]",
    "denier": "The bell is rung during fog. [1]",
    "guesser": "The harbour bell was cast in 1871 by Ines Moreau. [7] [1998]",
    "bare": "# The bell\n\nHere is what I found:\n\n1. The harbour bell was cast in 1871.\n"
    "2. It was cast in 1932.\n\nIs that all?",
    "decliner": "NO ANSWER",
}


def _server() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions", response_model=None)
    def complete(body: dict[str, Any]) -> Any:
        model, shown = body["model"], body["messages"][-1]["content"]
        if model == "down":
            return JSONResponse({"error": {"message": "out of memory"}}, 503)
        if model not in _REPLIES:
            return JSONResponse({"error": {"message": "no such model"}}, 404)
        assert re.search(r"<source 1> The harbour bell", shown)
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": _REPLIES[model]},
                }
            ],
            "usage": {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132},
        }

    return app


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    port = free_port()
    running = uvicorn.Server(
        uvicorn.Config(_server(), host="127.0.0.1", port=port, log_level="warning")
    )
    thread = threading.Thread(target=running.run)
    thread.start()
    yield f"http://127.0.0.1:{port}/v1"
    running.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def answerer(
    server: str,
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
) -> Answerer:
    home = tmp_path_factory.mktemp("openlora")
    page: Path = home / "bell.md"
    page.write_text(TEXT)
    indexer = Indexer(datanet_folder(home, "harbour"), home / "c.sqlite", embedder, 5_000_000)
    indexer.ingest(find_files([page]), Defaults((ADDRESS,), "CC0-1.0"))
    model = OpenAIChatModel(server, "copier", api_key=None, timeout_seconds=10)
    drafters = {"openlora": OpenLora(model, Verifier(embedder))}
    return Answerer(Library(home), embedder, drafters, "openlora")


def ask(answerer: Answerer, adapter: str | None) -> Answer:
    return answerer.answer(Question("harbour", QUESTION, adapter=adapter))


def test_what_a_model_copies_is_cited_to_the_character_and_counts_its_tokens(
    answerer: Answerer,
) -> None:
    answer = ask(answerer, None)
    (citation,) = answer.citations
    assert answer.text == "The harbour bell was cast in 1871 by Ines Moreau. [1]"
    assert citation.span.of(TEXT) == citation.cited_text
    assert citation.cited_text == "The harbour bell was cast in 1871 by Ines Moreau."
    assert citation.verdict is Verdict.SUPPORTED
    assert citation.weight_ppm == 1_000_000
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (120, 12)


def test_an_adapter_is_asked_by_its_name_and_stands_in_the_answer(answerer: Answerer) -> None:
    answer = ask(answerer, "quoter")
    assert answer.adapter is not None
    assert answer.adapter.body == {"kind": "adapter", "name": "quoter"}


def test_the_base_is_no_adapter(answerer: Answerer) -> None:
    with pytest.raises(NotFound, match="the base model and no adapter"):
        ask(answerer, "copier")


@pytest.mark.parametrize("adapter", ["misquoter", "denier"])
def test_a_claim_that_its_source_contradicts_is_shown_so_and_earns_nothing(
    answerer: Answerer, adapter: str
) -> None:
    answer = ask(answerer, adapter)
    assert [claim.verdict for claim in answer.claims] == [Verdict.CONTRADICTED]
    assert [citation.weight_ppm for citation in answer.citations] == [0]


def test_a_marker_that_resolves_to_nothing_is_removed_and_counted(answerer: Answerer) -> None:
    answer = ask(answerer, "guesser")
    assert answer.removed_markers == 1
    assert answer.text == "The harbour bell was cast in 1871 by Ines Moreau. [1] [1998]"
    (citation,) = answer.citations  # found by its words, and checked like any other
    assert citation.cited_text == "The harbour bell was cast in 1871 by Ines Moreau."


def test_a_model_that_prints_no_marker_is_cited_where_its_claims_hold(answerer: Answerer) -> None:
    answer = ask(answerer, "bare")
    assert answer.text == (
        "# The bell\n\nHere is what I found:\n\n1. The harbour bell was cast in 1871. [1]\n"
        "2. It was cast in 1932.\n\nIs that all?"
    )
    assert [claim.verdict for claim in answer.claims] == [Verdict.SUPPORTED, Verdict.UNSUPPORTED]
    assert [citation.verdict for citation in answer.citations] == [Verdict.SUPPORTED]
    for claim in answer.claims:
        assert claim.span.of(answer.text) == claim.text


def test_a_model_that_finds_nothing_makes_a_refusal(answerer: Answerer) -> None:
    answer = ask(answerer, "decliner")
    assert answer.refused
    assert (answer.refusal_reason or "").startswith(MODEL_DECLINED)
    assert answer.citations == ()


def test_an_unknown_adapter_is_not_found_and_a_failing_server_is_unavailable(
    answerer: Answerer,
) -> None:
    with pytest.raises(NotFound):
        ask(answerer, "nobody")
    with pytest.raises(Unavailable):
        ask(answerer, "down")


@pytest.mark.parametrize("adapter", ["../secret", "a/../b", "/etc/passwd", "a b", ""])
def test_an_adapter_name_that_a_server_might_join_into_a_path_is_refused(
    answerer: Answerer, adapter: str
) -> None:
    with pytest.raises(Invalid):
        ask(answerer, adapter)
