from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footnote.errors import Misconfigured
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.index.snapshot import Snapshot, open_current
from rag.models.embedder import SentenceTransformerEmbedder
from rag.retrieval.retriever import Candidates, fuse, rank, retrieve
from tests.corpus import WordEmbedder, fields, indexer, write_lines

SCORES = st.dictionaries(st.integers(0, 30), st.floats(-1, 1, allow_nan=False), max_size=20)


def found(dense: dict[int, float], lexical: dict[int, float]) -> Candidates:
    ids = sorted(dense.keys() | lexical.keys())
    return Candidates(
        np.array(ids, np.int64),
        np.array([dense.get(i, 0.0) for i in ids], np.float64),
        np.array([lexical.get(i, 0.0) for i in ids], np.float64),
    )


def ranked(candidates: Candidates, weight: float) -> list[int]:
    order: list[int] = candidates.ids[rank(candidates.ids, fuse(candidates, weight))].tolist()
    return order


@given(SCORES, st.dictionaries(st.integers(0, 30), st.floats(0, 50)), st.floats(0, 1))
def test_fused_scores_lie_between_zero_and_one_for_every_candidate(
    dense: dict[int, float], lexical: dict[int, float], weight: float
) -> None:
    candidates = found(dense, lexical)
    fused = fuse(candidates, weight)
    assert fused.shape == candidates.ids.shape
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in fused)


def test_scores_are_stretched_to_their_range_and_mixed_by_weight() -> None:
    fused = fuse(found({1: 0.9, 2: 0.5, 3: 0.1}, {2: 8.0, 3: 4.0}), 0.25)
    assert fused.tolist() == pytest.approx([0.25, 0.25 * 0.5 + 0.75, 0.75 * 0.5])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_one_candidate_of_both_searches_has_the_full_score(weight: float) -> None:
    assert fuse(found({4: 0.3}, {4: 2.0}), weight).tolist() == pytest.approx([1.0])


def test_candidates_that_all_contradict_are_stretched_like_others() -> None:
    assert fuse(found({1: -0.2, 2: -0.6}, {}), 1.0).tolist() == pytest.approx([1.0, 0.0])


def test_a_weight_of_one_ranks_by_meaning_and_of_zero_by_words() -> None:
    both = found({1: 0.9, 2: 0.5, 3: 0.1}, {3: 9.0, 2: 3.0})
    assert ranked(both, 1.0) == [1, 2, 3]
    assert ranked(both, 0.0) == [3, 2, 1]


def test_nothing_found_is_nothing_fused() -> None:
    assert fuse(found({}, {}), 0.5).shape == (0,)


def test_equal_scores_stand_by_the_lower_id_and_last_bits_decide_nothing() -> None:
    ids, scores = np.array([1, 2, 5, 9]), np.array([0.2, 0.3 + 1e-9, 0.3, 0.3 - 1e-9])
    assert ids[rank(ids, scores)].tolist() == [2, 5, 9, 1]


@pytest.fixture(scope="module")
def snapshot(
    embedder: SentenceTransformerEmbedder, tmp_path_factory: pytest.TempPathFactory
) -> Snapshot:
    home = tmp_path_factory.mktemp("home")
    path = write_lines(
        home / "in.jsonl",
        [
            fields("cats", "Cats sleep sixteen hours a day."),
            fields("rust", "Iron that stands in water corrodes."),
            fields("code", "Error E1234 means that the disk is full."),
            *[fields(f"n{i}", f"Filler text number {i}.") for i in range(20)],
        ],
    )
    indexer(home, embedder).ingest(find_files([path]), Defaults())
    return open_current(datanet_folder(home, "tales"))


def test_meaning_and_words_both_find_their_chunk(
    snapshot: Snapshot, embedder: SentenceTransformerEmbedder
) -> None:
    def first(question: str) -> str:
        return retrieve(snapshot, embedder, question, 1)[0].chunk.document.document_id

    assert first("How long do felines rest?") == "cats"
    assert first("E1234") == "code"
    assert first("Why does metal oxidise?") == "rust"


def test_hits_are_ranked_from_one_and_their_text_is_the_documents(
    snapshot: Snapshot, embedder: SentenceTransformerEmbedder
) -> None:
    hits = retrieve(snapshot, embedder, "cats sleep", 7)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5, 6, 7]
    fused = [hit.scores.fused for hit in hits]
    assert fused == sorted(fused, reverse=True)
    assert fused[0] == pytest.approx(1.0)
    for hit in hits:
        whole = snapshot.text(hit.chunk.document.version)
        assert hit.chunk.span.of(whole) == hit.chunk.text
        vector = embedder.embed_question(hit.chunk.text)
        cosine = float(vector @ embedder.embed_question("cats sleep"))
        assert hit.scores.dense == pytest.approx(cosine, abs=5e-3)


def test_fewer_chunks_than_asked_for_are_all_given(
    snapshot: Snapshot, embedder: SentenceTransformerEmbedder
) -> None:
    assert len(retrieve(snapshot, embedder, "anything", 100)) == 23


class ByLength:
    """A Reranker to whom the shorter passage is the better."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        self.read += passages
        return [1 / (1 + len(passage)) for passage in passages]


def test_a_reranker_has_the_last_word(tmp_path: Path) -> None:
    lines = [fields(f"d{i}", "A quokka sleeps." + " It eats." * i, title="T") for i in range(5)]
    path = write_lines(tmp_path / "in.jsonl", lines)
    embedder = WordEmbedder()
    indexer(tmp_path, embedder).ingest(find_files([path]), Defaults())
    snapshot = open_current(datanet_folder(tmp_path, "tales"))
    reranker = ByLength()
    hits = retrieve(snapshot, embedder, "What does it eat?", 3, reranker)
    assert [h.chunk.document.document_id for h in hits] == ["d0", "d1", "d2"]
    assert [h.scores.fused for h in hits] == [1 / (1 + len(f"T\n{h.chunk.text}")) for h in hits]
    assert len(reranker.read) == 5, "it reads more than it keeps"


class Short:
    """A Reranker that forgets passages."""

    def relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        return [0.5]


def test_a_reranker_that_forgets_passages_is_noticed(
    snapshot: Snapshot, embedder: SentenceTransformerEmbedder
) -> None:
    with pytest.raises(ValueError, match="one relevance for each passage"):
        retrieve(snapshot, embedder, "cats sleep", 3, Short())


def test_vectors_of_another_model_are_not_searched(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", [fields("d", "A quokka sleeps.")])
    indexer(tmp_path, WordEmbedder()).ingest(find_files([path]), Defaults())
    snapshot = open_current(datanet_folder(tmp_path, "tales"))
    with pytest.raises(Misconfigured, match="another embedding model"):
        retrieve(snapshot, WordEmbedder("others"), "quokka", 3)
