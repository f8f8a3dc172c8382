from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from footnote.errors import Misconfigured
from footnote.settings import Settings
from rag.models.embedder import Prefixes, SentenceTransformerEmbedder
from rag.text.sentences import sentences
from tests.conftest import CHECKOUT


@pytest.fixture(scope="module")
def passages() -> list[str]:
    """Real sentences, of the documents that the project ships."""
    found = []
    for path in sorted((CHECKOUT / "examples" / "handbook").glob("*.md")):
        text = path.read_text("utf-8")
        found += [s.span.of(text) for s in sentences(text) if s.span.end - s.span.start > 60][:16]
    return found


def test_the_same_question_finds_the_same_ten_alone_or_in_a_batch(
    embedder: SentenceTransformerEmbedder, passages: list[str]
) -> None:
    assert len(passages) > 300
    corpus = embedder.embed_documents(passages)
    questions = [text.rstrip(".") + "?" for text in passages[::8]]
    together = embedder.embed_documents(questions)
    alone = np.stack([embedder.embed_question(question) for question in questions])
    assert float(np.abs(together - alone).max()) < 1e-5
    for one, many in zip(alone @ corpus.T, together @ corpus.T, strict=True):
        assert np.argsort(-one, kind="stable")[:10].tolist() == np.argsort(
            -many, kind="stable"
        )[:10].tolist()  # fmt: skip


def test_a_text_has_one_vector_whatever_stands_beside_it(
    embedder: SentenceTransformerEmbedder, passages: list[str]
) -> None:
    text = passages[0]
    alone = embedder.embed_documents([text])[0]
    for others in ([], passages[1:40], [passages[5] * 9], ["a"]):
        beside = embedder.embed_documents([*others, text])[-1]
        assert float(np.abs(beside - alone).max()) < 1e-5


def test_vectors_come_in_the_order_of_their_texts_with_length_one(
    embedder: SentenceTransformerEmbedder,
) -> None:
    texts = ["A long sentence about cats and dogs and bees. " * 4, "Short.", "Cats."]
    vectors = embedder.embed_documents(texts)
    assert vectors.shape == (3, embedder.dimension) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        assert float(embedder.embed_question(text) @ vector) == pytest.approx(1, abs=1e-5)


def test_no_texts_have_no_vectors(embedder: SentenceTransformerEmbedder) -> None:
    assert embedder.embed_documents([]).shape == (0, 384)


def test_token_starts_lie_in_the_text_in_order(embedder: SentenceTransformerEmbedder) -> None:
    assert list(embedder.token_starts("Cats  sleep,\r\nnaïve.")) == [0, 6, 11, 14, 19]
    assert embedder.window == 254


def test_its_identity_names_the_model_and_the_hash_of_its_weights(
    embedder: SentenceTransformerEmbedder,
) -> None:
    body = embedder.definition.body
    assert (body["model"], body["dimension"]) == ("all-MiniLM-L6-v2", 384)
    assert len(body["weights_sha256"]) == 64


def test_a_model_that_cannot_be_loaded_names_the_setting(tmp_path: Path) -> None:
    for model in ("no/such/model", str(tmp_path)):
        with pytest.raises(Misconfigured, match="FOOTNOTE_EMBEDDING_MODEL"):
            SentenceTransformerEmbedder(model, for_questions=True)


def test_prefixes_stand_before_texts_and_are_part_of_the_identity(
    embedder: SentenceTransformerEmbedder,
) -> None:
    prefixed = SentenceTransformerEmbedder(
        for_questions=True, prefixes=Prefixes("query: ", "passage: ")
    )
    same = pytest.approx(1.0, abs=1e-5)
    question = prefixed.embed_question("What do cats eat?")
    assert question @ embedder.embed_question("query: What do cats eat?") == same
    (passage,) = prefixed.embed_documents(["Cats eat fish."])
    assert passage @ embedder.embed_documents(["passage: Cats eat fish."])[0] == same
    assert prefixed.window == 254 - 2, "the prefix takes two tokens of it"
    body = prefixed.definition.body
    assert (body["question_prefix"], body["document_prefix"]) == ("query: ", "passage: ")
    assert "question_prefix" not in embedder.definition.body


def test_the_settings_name_the_prefixes() -> None:
    settings = Settings(question_prefix="query: ")
    made = SentenceTransformerEmbedder.of(settings, for_questions=True)
    assert made.definition.body["question_prefix"] == "query: "
    assert made.definition.body["document_prefix"] == ""
