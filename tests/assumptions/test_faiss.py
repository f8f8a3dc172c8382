"""What ``rag.index.vectors`` takes for granted about FAISS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

VECTORS = np.random.default_rng(3).normal(size=(500, 16)).astype(np.float32)


def index() -> Any:
    inner = faiss.IndexScalarQuantizer(
        16, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    found = faiss.IndexIDMap2(inner)
    found.add_with_ids(VECTORS, np.arange(500, dtype=np.int64) + 1_000)
    return found


def test_an_id_of_minus_one_means_that_there_is_nothing_more() -> None:
    _, ids = index().search(VECTORS[:1], 503)
    assert ids[0, -3:].tolist() == [-1, -1, -1]
    assert -1 not in ids[0, :500]


def test_a_damaged_file_may_load_and_answer_otherwise_so_we_hash_it(tmp_path: Path) -> None:
    path = tmp_path / "v"
    faiss.write_index(index(), str(path))
    data = bytearray(path.read_bytes())
    data[4_096:8_192] = bytes(4_096)
    path.write_bytes(data)
    damaged = faiss.read_index(str(path))
    _, before = index().search(VECTORS, 1)
    _, after = damaged.search(VECTORS, 1)
    assert before.tolist() != after.tolist()


def test_an_inverted_file_gives_vectors_back_only_with_a_direct_map() -> None:
    inner = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(16), 16, 4, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    inner.train(VECTORS)
    found = faiss.IndexIDMap2(inner)
    found.add_with_ids(VECTORS, np.arange(500, dtype=np.int64))
    with pytest.raises(RuntimeError, match="direct map not initialized"):
        found.reconstruct(7)
    inner.make_direct_map()
    assert found.reconstruct(7) == pytest.approx(VECTORS[7], abs=0.05)


def test_the_number_of_probes_is_written_with_the_index(tmp_path: Path) -> None:
    inner = faiss.IndexIVFFlat(faiss.IndexFlatIP(16), 16, 8, faiss.METRIC_INNER_PRODUCT)
    inner.train(VECTORS)
    inner.nprobe = 5
    faiss.write_index(inner, str(tmp_path / "v"))
    read: Any = faiss.read_index(str(tmp_path / "v"))
    assert read.nprobe == 5


def test_half_precision_keeps_unit_vectors_to_a_thousandth() -> None:
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    found = faiss.IndexScalarQuantizer(
        16, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    found.add(unit)
    assert float(np.abs(found.reconstruct_n(0, 500) - unit).max()) < 1e-3
