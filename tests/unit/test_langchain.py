"""A Datanet as a LangChain retriever."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from pydantic import ValidationError

from footnote.errors import Misconfigured, NotFound
from footnote.ids import version_of
from rag.langchain import DatanetRetriever
from rag.models.embedder import SentenceTransformerEmbedder
from tests.e2e.test_api import ALICE, BOB, DOCUMENTS, QUESTION, ingest

OTHERS = ["At which temperature is green tea brewed?", "How does granite form?"]


@pytest.fixture
def retriever(home: Path, embedder: SentenceTransformerEmbedder) -> DatanetRetriever:
    ingest(home, embedder)
    return DatanetRetriever.open(home, "nature", k=2, embedder=embedder)


def test_langchain_gets_each_chunk_with_its_span_and_contributors(
    retriever: DatanetRetriever,
) -> None:
    found, _ = retriever.invoke(QUESTION)
    text, metadata = DOCUMENTS[0]["text"], found.metadata
    assert found.page_content == text[metadata["start"] : metadata["end"]]
    assert (metadata["datanet"], metadata["document_id"]) == ("nature", "bees")
    assert metadata["version"] == "sha256:" + version_of(text).hex()
    assert metadata["contributors"] == [
        {"address": ALICE, "name": "Alice", "share_bps": 7_500},
        {"address": BOB, "name": None, "share_bps": 2_500},
    ]
    assert json.loads(json.dumps(metadata)) == metadata
    assert found.id == f"nature/{metadata['version']}/{metadata['start']}-{metadata['end']}"


def test_a_batch_and_many_at_once_find_what_one_alone_finds(retriever: DatanetRetriever) -> None:
    questions = [QUESTION, *OTHERS] * 4
    alone = [retriever.invoke(question) for question in questions]
    assert [found[0].metadata["document_id"] for found in alone[:3]] == ["bees", "tea", "granite"]
    assert retriever.batch(questions, config={"max_concurrency": 4}) == alone

    async def together() -> list[list[Document]]:
        return await asyncio.gather(*(retriever.ainvoke(question) for question in questions))

    assert asyncio.run(together()) == alone
    assert asyncio.run(retriever.abatch(questions[:3])) == alone[:3]


def test_a_chain_gets_the_passages_into_its_prompt(retriever: DatanetRetriever) -> None:
    def passages(found: list[Document]) -> str:
        return "\n".join(f"[{n}] {one.page_content}" for n, one in enumerate(found, start=1))

    prompt = ChatPromptTemplate.from_template("{passages}\n\nQuestion: {question}")
    chain: Runnable[str, Any] = {
        "passages": retriever | RunnableLambda(passages),
        "question": RunnablePassthrough(),
    } | prompt
    written = chain.invoke(QUESTION).to_string()
    assert "[1] Bees find their way home by the sun." in written
    assert written.endswith(f"Question: {QUESTION}")
    assert asyncio.run(chain.ainvoke(QUESTION)).to_string() == written


def test_who_listens_to_a_chain_is_told_what_was_found(retriever: DatanetRetriever) -> None:
    heard: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_retriever_end(self, documents: Any, **_: Any) -> None:
            heard.extend(documents)

    assert retriever.invoke(QUESTION, config={"callbacks": [Listener()]}) == heard != []


def test_the_model_that_the_settings_name_embeds_the_question(
    retriever: DatanetRetriever, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = DatanetRetriever.open(home, "nature", k=2)
    assert [one.id for one in opened.invoke(QUESTION)] == [
        one.id for one in retriever.invoke(QUESTION)
    ]
    monkeypatch.setenv("FOOTNOTE_EMBEDDING_MODEL", str(home / "nowhere"))
    with pytest.raises(Misconfigured, match="embedding model"):
        DatanetRetriever.open(home, "nature")


def test_what_cannot_be_retrieved_is_told(
    home: Path, retriever: DatanetRetriever, embedder: SentenceTransformerEmbedder
) -> None:
    with pytest.raises(NotFound):
        DatanetRetriever.open(home, "nobodys", embedder=embedder).invoke(QUESTION)
    with pytest.raises(ValidationError):
        DatanetRetriever.open(home, "nature", k=0, embedder=embedder)
