"""Vectors that were computed before, under the hash of their text. A cache: losing it costs time.

It is what lets a killed ingest go on where it stopped and a rebuild embed nothing. Vectors are kept
in half precision, which is what the exact index stores too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footnote.errors import Broken, StorageFull, Unavailable
from rag.models.embedder import Embedder, Vectors

_SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (
    embedder BLOB NOT NULL, text_sha256 BLOB NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (embedder, text_sha256)
) STRICT, WITHOUT ROWID
"""
_BLOCK = 4_096


class CachedEmbeddings:
    """Computes vectors of texts once."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self._path = path
        self._embedder = embedder
        self._key = embedder.definition.definition_id
        self._beside = ThreadPoolExecutor(1)
        self._computing: tuple[int, Future[None]] | None = None

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        """Opened when it is needed: what embeds nothing needs no cache."""
        return self._opened()

    def _opened(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=60)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
        except (OSError, sqlite3.OperationalError) as error:
            raise Unavailable(
                "the embedding cache cannot be opened", f"check the disk, then try again ({error})"
            ) from error
        except sqlite3.DatabaseError as error:
            raise Broken(
                "the embedding cache cannot be used", f"delete {self._path.name} ({error})"
            ) from error
        return connection

    def compute(self, texts: Sequence[tuple[bytes, str]]) -> int:
        """Compute and keep the vectors of those ``texts``, given with their hashes, that are not
        there yet; returns how many those were."""
        return self.begin(texts) + self.finish()

    def begin(self, texts: Sequence[tuple[bytes, str]]) -> int:
        """Compute and keep the vectors of ``texts`` while the caller goes on. Waits for those of an
        earlier call, and returns how many they were."""
        kept = self.finish()
        missing = {sha: text for sha, text in texts if not self.has(sha)}
        if missing:
            self._computing = len(missing), self._beside.submit(self._compute_and_keep, missing)
        return kept

    @property
    def pending(self) -> int:
        """How many vectors are being computed."""
        return self._computing[0] if self._computing else 0

    def finish(self) -> int:
        """Wait for what is being computed; returns how many vectors those were."""
        if self._computing is None:
            return 0
        count, computing = self._computing
        self._computing = None
        computing.result()
        return count

    def _compute_and_keep(self, missing: Mapping[bytes, str]) -> None:
        """In a thread of its own, so that nothing is lost where the caller does not come back."""
        vectors = self._embedder.embed_documents(list(missing.values())).astype(np.float16)
        try:
            with closing(self._opened()) as connection, connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO embeddings VALUES (?,?,?)",
                    (
                        (self._key, sha, vector.tobytes())
                        for sha, vector in zip(missing, vectors, strict=True)
                    ),
                )
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageFull(
                    "no room in the embedding cache", "free some disk space"
                ) from error
            raise Unavailable(
                "the embedding cache cannot be written", f"try again ({error})"
            ) from error

    def blocks(
        self, rows: Iterable[tuple[int, bytes]]
    ) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """The vectors of (id, text hash) pairs, some thousands at a time."""
        block: list[tuple[int, bytes]] = []
        for row in rows:
            block.append(row)
            if len(block) == _BLOCK:
                yield self._block(block)
                block = []
        if block:
            yield self._block(block)

    def close(self) -> None:
        """What is being computed is kept all the same, beside whatever the process does next."""
        self._beside.shutdown(wait=False)
        if "_connection" in self.__dict__:
            self._connection.close()

    def _block(self, block: list[tuple[int, bytes]]) -> tuple[NDArray[np.int64], Vectors]:
        vectors = np.stack([self._get(sha) for _, sha in block]).astype(np.float32)
        # Every vector has length one: what a damaged page left of them has not.
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=0.01):
            raise Broken("the embedding cache is damaged", f"delete {self._path}, then try again")
        return np.array([i for i, _ in block], np.int64), vectors

    def has(self, sha: bytes) -> bool:
        """Whether the vector of that text hash is there."""
        return self._row("SELECT 1", sha) is not None

    def _get(self, sha: bytes) -> NDArray[np.float16]:
        row = self._row("SELECT vector", sha)
        if row is None:
            raise Broken("the embedding cache lost a vector", "run the command again")
        return np.frombuffer(row[0], np.float16)

    def _row(self, select: str, sha: bytes) -> tuple[bytes] | None:
        row: tuple[bytes] | None = self._connection.execute(
            f"{select} FROM embeddings WHERE embedder = ? AND text_sha256 = ?", (self._key, sha)
        ).fetchone()
        return row
