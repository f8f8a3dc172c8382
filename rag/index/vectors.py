"""Nearest vectors by cosine. The door of FAISS.

Up to ``EXACT_LIMIT`` vectors the search is exact, in half precision: a reward then needs no apology
for an approximate neighbour. Above it, an inverted file with 8-bit scalars. A GPU is used where
FAISS sees one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from footnote.errors import Broken, Misconfigured, Unavailable

if TYPE_CHECKING:
    from rag.models.embedder import Vectors

EXACT_LIMIT = 200_000
TRAINING_POINTS = 64
"""Vectors for each inverted list that training looks at."""

NOTHING = -1
"""FAISS's id for "fewer neighbours than asked"."""


Blocks = Callable[[], Iterator[tuple[NDArray[np.int64], "Vectors"]]]


class VectorKind(Enum):
    """How vectors are stored and searched; the value stands in the manifest."""

    EXACT_FP16 = "exact-fp16"
    IVF_SQ8 = "ivf-sq8"


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise Misconfigured(
            "faiss is not installed", "install footnote[cpu], or footnote[gpu] for a GPU"
        ) from error
    return faiss


def kind_for(count: int) -> VectorKind:
    return VectorKind.EXACT_FP16 if count <= EXACT_LIMIT else VectorKind.IVF_SQ8


class VectorIndex:
    """An immutable set of vectors under int64 ids, searched by inner product."""

    def __init__(self, index: Any, kind: VectorKind) -> None:
        self._index = index
        self._searched = index  # on a GPU if there is one; single vectors are read from the other
        self._turn: AbstractContextManager[Any] = nullcontext()
        self.kind = kind

    @classmethod
    def build(
        cls, dimension: int, count: int, blocks: Blocks, kind: VectorKind | None = None
    ) -> VectorIndex:
        """An index over the ``count`` vectors that ``blocks()`` yields.

        ``blocks`` is called once or twice and yields pairs of ids, shape (n,), and vectors, shape
        (n, dimension); only one block need be in memory at a time.
        """
        faiss = _faiss()
        kind = kind or kind_for(count)
        if kind is VectorKind.EXACT_FP16:
            inner = faiss.IndexScalarQuantizer(
                dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            )
        else:
            lists = max(1, min(4 * int(count**0.5), count // TRAINING_POINTS))
            inner = faiss.IndexIVFScalarQuantizer(
                faiss.IndexFlatIP(dimension), dimension, lists, faiss.ScalarQuantizer.QT_8bit,
                faiss.METRIC_INNER_PRODUCT,
            )  # fmt: skip
            inner.nprobe = min(96, lists)
            step = max(1, count // (lists * TRAINING_POINTS))
            inner.train(np.concatenate([vectors[::step] for _, vectors in blocks()]))
        index = faiss.IndexIDMap2(inner)
        for ids, vectors in blocks():
            index.add_with_ids(vectors, ids)
        if kind is VectorKind.IVF_SQ8:
            inner.make_direct_map()  # else no vector can be read back by its id
        return cls(index, kind)

    @classmethod
    def load(cls, path: Path, kind: VectorKind) -> VectorIndex:
        """Read a file that :meth:`save` wrote and whose hash the caller has checked."""
        faiss = _faiss()
        # Mapped, so that several processes over one snapshot keep one copy of it.
        how = faiss.IO_FLAG_MMAP_IFC if kind is VectorKind.EXACT_FP16 else 0
        try:
            index = faiss.read_index(str(path), how)
        except RuntimeError as error:
            raise Broken(
                "a vector index cannot be read", "run footnote rebuild", code="index-corrupt"
            ) from error
        opened = cls(index, kind)
        if faiss.get_num_gpus() > 0:
            opened._to_gpu()
        return opened

    def _to_gpu(self) -> None:
        """Search on the first GPU from now on, one caller at a time, as FAISS demands there."""
        faiss = _faiss()
        self._resources = faiss.StandardGpuResources()
        self._searched = faiss.index_cpu_to_gpu(self._resources, 0, self._index)
        self._turn = threading.Lock()

    def save(self, path: Path) -> None:
        """Write the index; Unavailable where the disk takes no more."""
        try:
            _faiss().write_index(self._index, str(path))
        except RuntimeError as error:
            raise Unavailable(
                "a vector index cannot be written", "free some disk space, then try again"
            ) from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, query: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """At most ``k`` ids with their cosines to ``query``, shape (d,), best first; equal ones by
        the lower id."""
        # Searches run side by side; spinning OpenMP threads of each would only hinder the others.
        _faiss().omp_set_num_threads(1)
        with self._turn:
            (scores,), (ids,) = self._searched.search(query[np.newaxis], min(k, max(len(self), 1)))
        if len(ids) and ids[-1] == NOTHING:
            ids, scores = ids[ids != NOTHING], scores[ids != NOTHING]
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]

    def scores_of(self, query: Vectors, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosine of ``query``, shape (d,), with each vector of ``ids``."""
        if not len(ids):
            return np.empty(0, np.float32)
        scores: NDArray[np.float32] = self._index.reconstruct_batch(ids) @ query
        return scores
