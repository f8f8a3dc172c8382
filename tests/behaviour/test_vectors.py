"""What every kind of vector index must do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from footnote.errors import Broken, Unavailable
from rag.index.vectors import EXACT_LIMIT, VectorIndex, VectorKind, kind_for
from rag.models.embedder import Vectors

DIMENSION, COUNT = 48, 3_000
IDS = np.arange(COUNT, dtype=np.int64) * 7 + 3
"""Ids that are no positions."""


def unit(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    normal: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normal


VECTORS = unit(COUNT, 1)
QUERIES = unit(64, 2)


def blocks() -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    for start in range(0, COUNT, 1_000):
        yield IDS[start : start + 1_000], VECTORS[start : start + 1_000]


@pytest.fixture(scope="module", params=list(VectorKind), ids=lambda kind: kind.value)
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """Written and read back, as it is served."""
    path = tmp_path_factory.mktemp("vectors") / "vectors.faiss"
    VectorIndex.build(DIMENSION, COUNT, blocks, request.param).save(path)
    return VectorIndex.load(path, request.param)


def search(index: VectorIndex, query: Vectors, k: int) -> list[tuple[int, float]]:
    """Pairs of id and cosine."""
    ids, scores = index.search(query, k)
    return list(zip(ids.tolist(), scores.tolist(), strict=True))


def exact_top(query: Vectors, k: int) -> set[int]:
    return {int(IDS[i]) for i in np.argsort(-(VECTORS @ query))[:k]}


def test_the_nearest_vectors_are_found_under_their_ids(index: VectorIndex) -> None:
    recall = [
        len({i for i, _ in search(index, query, 10)} & exact_top(query, 10)) for query in QUERIES
    ]
    least = 0.999 if index.kind is VectorKind.EXACT_FP16 else 0.9
    assert sum(recall) / (10 * len(QUERIES)) >= least


def test_scores_are_cosines_best_first(index: VectorIndex) -> None:
    for query in QUERIES:
        row = search(index, query, 20)
        assert row == sorted(row, key=lambda pair: (-pair[1], pair[0]))
        for found, score in row:
            assert score == pytest.approx(float(VECTORS[(found - 3) // 7] @ query), abs=0.02)


def test_a_vector_is_its_own_nearest_neighbour(index: VectorIndex) -> None:
    for vector, own in zip(VECTORS[:200], IDS[:200].tolist(), strict=True):
        assert [found for found, _ in search(index, vector, 1)] == [own]


def test_the_score_of_a_named_vector_is_the_one_that_search_gives(index: VectorIndex) -> None:
    ids, scores = index.search(QUERIES[0], 30)
    assert index.scores_of(QUERIES[0], ids) == pytest.approx(scores, abs=1e-3)
    assert index.scores_of(QUERIES[0], ids[:0]).shape == (0,)


def test_fewer_vectors_than_asked_for_are_no_error(index: VectorIndex) -> None:
    row = search(index, QUERIES[0], COUNT + 50)
    assert len({i for i, _ in row}) == len(row) <= COUNT
    assert {i for i, _ in row} <= set(IDS.tolist())
    assert len(index) == COUNT


@pytest.mark.parametrize("kind", list(VectorKind))
@pytest.mark.parametrize("count", [1, 2, 70])
def test_a_few_vectors_are_enough(kind: VectorKind, count: int) -> None:
    index = VectorIndex.build(
        DIMENSION, count, lambda: iter([(IDS[:count], VECTORS[:count])]), kind
    )
    assert search(index, VECTORS[0], 5)[0][0] == 3
    assert len(search(index, VECTORS[0], 500)) == count


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    VectorIndex.build(DIMENSION, 0, lambda: iter(())).save(tmp_path / "v")
    index = VectorIndex.load(tmp_path / "v", VectorKind.EXACT_FP16)
    assert search(index, QUERIES[0], 10) == []


def test_equal_scores_stand_by_the_lower_id() -> None:
    ids = np.array([9, 4, 7], np.int64)
    index = VectorIndex.build(DIMENSION, 3, lambda: iter([(ids, np.repeat(VECTORS[:1], 3, 0))]))
    assert [i for i, _ in search(index, VECTORS[0], 3)] == [4, 7, 9]


def test_the_search_is_exact_up_to_two_hundred_thousand_chunks() -> None:
    assert kind_for(0) is kind_for(EXACT_LIMIT) is VectorKind.EXACT_FP16
    assert kind_for(EXACT_LIMIT + 1) is VectorKind.IVF_SQ8
    assert EXACT_LIMIT == 200_000


def test_a_file_that_faiss_cannot_read_is_broken(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"nothing of the kind")
    with pytest.raises(Broken) as caught:
        VectorIndex.load(tmp_path / "v", VectorKind.EXACT_FP16)
    assert caught.value.code == "index-corrupt"


def test_a_file_that_cannot_be_written_is_told_as_such(index: VectorIndex, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="a vector index cannot be written"):
        index.save(tmp_path / "no" / "such" / "folder")
