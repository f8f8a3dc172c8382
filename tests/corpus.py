"""Small inputs that several tests share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from footnote.addresses import Address
from footnote.ids import sha256, version_of
from footnote.model import Chunk, Contributor, Definition, Document, Hit, Scores, Span
from indexer.ingest import Indexer
from indexer.splitter import ChunkSize
from rag.index.datanets import datanet_folder
from rag.index.snapshot import open_current
from rag.models.embedder import Embedder, Vectors

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20

_PIECES = """
a The quick e.g. Dr. 3.14 1998 U.S. don't naïve cafe\u0301 ⇒ 🙂 👩‍👩‍👧 🇫🇷 שלום مرحبا؟
日本語。 「はい。」 हिन्दी।
. ! ? … , ; : " ' ( ) [1] [2,3] [[1]] 【1】 # ## - * 1. 2) | |a|b| === --- ``` ~~~ \ufeff \u200b ﷺ
""".split()
_WHITE = [" ", "  ", "\n", "\r\n", "\r", "\n\n", "\t", "\u2028", "\u3000", "\x0b", "\x85"]

TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(_PIECES + _WHITE * 2), max_size=120).map("".join),
    st.tuples(
        st.lists(st.sampled_from(_PIECES + _WHITE), max_size=12).map("".join),
        st.integers(1, 40),
    ).map(lambda pair: pair[0] * pair[1]),
)
"""Texts that splitting has gone wrong on: Unicode, CRLF, combining marks, emoji, right to left,
repetition."""


class WordEmbedder:
    """A small real Embedder: one dimension for each word, by hash. Meaning plays no part."""

    dimension = 32
    window = 254

    def __init__(self, name: str = "words") -> None:
        self.definition = Definition({"kind": "embedder", "model": name, "dimension": 32})

    def token_starts(self, text: str) -> Sequence[int]:
        return [match.start() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([self.embed_question(text) for text in texts])

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)

    def embed_question(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 0.01, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[sha256(word.encode())[0] % self.dimension] += 1
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def document(document_id: str, text: str, title: str | None = None, by: str = ALICE) -> Document:
    contributor = Contributor(Address(bytes.fromhex(by[2:])), 10_000)
    return Document(
        document_id, version_of(text), title or document_id, None, "CC0-1.0", (contributor,)
    )


def hit(
    text: str, *, chunk_id: int = 0, rank: int = 1, of: Document | None = None,
    start: int = 0, dense: float = 0.8, fused: float = 1.0,
) -> Hit:  # fmt: skip
    """A Hit whose chunk is ``text`` at ``start`` of a document."""
    span = Span(start, start + len(text))
    chunk = Chunk(chunk_id, of or document(f"d{chunk_id}", text), span, text)
    return Hit(chunk, rank, Scores(dense, 1.0, fused))


def fields(document_id: str, text: str, **others: Any) -> dict[str, Any]:
    """One line of JSON input."""
    return {
        "id": document_id, "text": text, "license": "CC0-1.0",
        "contributors": [{"address": ALICE, "share_bps": 10_000}], **others,
    }  # fmt: skip


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def indexer(
    home: Path, embedder: Embedder, *, datanet: str = "tales", size: ChunkSize | None = None
) -> Indexer:
    return Indexer(
        datanet_folder(home, datanet), home / "cache" / "embeddings.sqlite", embedder, 5_000_000,
        size or ChunkSize(),
    )  # fmt: skip


def stored_texts(home: Path, datanet: str = "tales") -> dict[str, str]:
    """Every document's text by id, put together from the published chunks and checked."""
    snapshot = open_current(datanet_folder(home, datanet))
    rows = list(snapshot.catalogue.chunks())
    for row, chunk in zip(rows, snapshot.chunks([row.chunk_id for row in rows]), strict=True):
        assert chunk.text == row.span.of(snapshot.text(chunk.document.version))
        assert sha256(chunk.text.encode()) == row.text_sha256
    assert len(snapshot.vectors) == len(snapshot.lexical) == len(rows) == snapshot.manifest.chunks
    return {d.document_id: snapshot.text(d.version) for d in snapshot.catalogue.documents()}
