"""The embedding model in OpenVINO: one vector for a text, torch's, whoever asks beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from api.app import build_embedder, build_services
from cli.stack import FOOTNOTE, clean_environment
from footnote.settings import Settings
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.index.library import Library, exports_named
from rag.index.snapshot import current_manifest
from rag.models.choice import export_id_of, indexing_embedder, models_folder, serving_embedder
from rag.models.embedder import (
    EMBEDDED_MODEL,
    Embedder,
    Prefixes,
    SentenceTransformerEmbedder,
    Vectors,
)
from rag.models.engines import Engines
from rag.models.export import Export
from rag.models.exported import ExportedEmbedder
from rag.models.exporting import LEAST_COSINE, export
from rag.retrieval.desk import SearchDesk
from rag.retrieval.retriever import retrieve
from tests.conftest import CHECKOUT, required
from tests.corpus import fields, indexer, write_lines

QUESTIONS = 256
PASSAGES = (CHECKOUT / "examples" / "handbook").glob("*.md")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models_folder(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def exported(models: Path) -> Export:
    found = export(models, EMBEDDED_MODEL)
    if found is None:
        required("openvino")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def fast(exported: Export) -> ExportedEmbedder:
    return ExportedEmbedder(exported, EMBEDDED_MODEL, threads=1)


@pytest.fixture(scope="module")
def passages() -> list[str]:
    """Stretches of the project's own handbook, of many lengths."""
    words = " ".join(path.read_text("utf-8") for path in sorted(PASSAGES)).split()
    lengths = [3 + (7 * i) % 90 for i in range(400)]
    ends = np.cumsum(lengths) % (len(words) - 100)
    return [" ".join(words[end : end + n]) for end, n in zip(ends, lengths, strict=True)]


@pytest.fixture(scope="module")
def questions(passages: list[str]) -> list[str]:
    cut = [" ".join(text.split()[: 4 + i % 17]) + "?" for i, text in enumerate(passages)]
    return list(dict.fromkeys(cut))[:QUESTIONS]


def cosines(some: Vectors, others: Vectors) -> list[float]:
    found: list[float] = np.sum(some * others, axis=1).tolist()
    return found


def test_its_vectors_are_those_of_torch(
    fast: ExportedEmbedder, embedder: SentenceTransformerEmbedder, passages: list[str]
) -> None:
    assert min(cosines(fast.embed_documents(passages), embedder.embed_documents(passages))) >= (
        LEAST_COSINE
    )
    odd = ["", "?", "日本語のテキスト。", "naïve café 🙂", "word " * 2_000]
    reference = np.stack([embedder.embed_question(text) for text in odd])
    assert min(cosines(fast.embed_questions(odd), reference)) >= LEAST_COSINE
    assert np.linalg.norm(fast.embed_questions(odd), axis=1) == pytest.approx(1, abs=1e-3)


def test_it_is_the_same_embedder_by_name_and_tokens(
    fast: ExportedEmbedder, embedder: SentenceTransformerEmbedder, passages: list[str]
) -> None:
    assert fast.definition == embedder.definition
    assert (fast.dimension, fast.window) == (embedder.dimension, embedder.window)
    for text in [*passages[:40], "Cats  sleep,\r\nnaïve. 🙂 日本", ""]:
        assert list(fast.token_starts(text)) == list(embedder.token_starts(text))


def test_prefixes_stand_before_texts(exported: Export, fast: ExportedEmbedder) -> None:
    given = Prefixes("query: ", "passage: ")
    prefixed = ExportedEmbedder(exported, EMBEDDED_MODEL, threads=1, prefixes=given)
    assert (prefixed.embed_question("Why?") == fast.embed_question("query: Why?")).all()
    (passage,) = prefixed.embed_documents(["Cats eat fish."])
    assert (passage == fast.embed_question("passage: Cats eat fish.")).all()
    assert prefixed.window == fast.window - 2
    assert prefixed.definition.body["question_prefix"] == "query: "


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_vector_is_the_same_to_the_last_bit_alone_and_in_any_batch(
    exported: Export, threads: int, questions: list[str], passages: list[str]
) -> None:
    assert len(questions) == QUESTIONS
    fast = ExportedEmbedder(exported, EMBEDDED_MODEL, threads=threads)
    alone = np.stack([fast.embed_question(question) for question in questions])
    for size in (2, 8, 31, QUESTIONS):
        for start in range(0, QUESTIONS, size):
            together = fast.embed_questions(questions[start : start + size])
            assert (together == alone[start : start + size]).all()
    among = fast.embed_questions([*questions[::-1], *passages])[:QUESTIONS]
    assert (among[::-1] == alone).all()


def test_documents_too_have_one_vector_in_any_batch_and_number_of_threads(
    exported: Export, fast: ExportedEmbedder, passages: list[str]
) -> None:
    two = ExportedEmbedder(exported, EMBEDDED_MODEL, threads=2)
    alone = np.concatenate([fast.embed_documents([text]) for text in passages[:120]])
    assert (two.embed_documents(passages[:120]) == alone).all()
    assert two.embed_documents([]).shape == (0, 384)


def test_threads_that_embed_at_once_get_what_they_get_alone(
    exported: Export, fast: ExportedEmbedder, questions: list[str]
) -> None:
    shared = ExportedEmbedder(exported, EMBEDDED_MODEL, threads=2)
    expected = fast.embed_questions(questions)
    wrong: list[int] = []

    def ask(number: int) -> None:
        for start in range(number, 200, 5):
            size = (start % 3) * 4 + 1
            found = shared.embed_questions(questions[start : start + size])
            if (found != expected[start : start + size]).any():
                wrong.append(start)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(ask, range(5)))
    assert wrong == []


def test_an_inference_that_fails_spoils_none_after_it(exported: Export) -> None:
    def inputs(tokens: int) -> list[NDArray[np.int64]]:
        ids = np.full((1, tokens), 1_000, np.int64)
        return [{"input_ids": ids, "attention_mask": ids // 1_000}.get(n, ids * 0) for n in names]

    names = exported.body["inputs"]
    engines = Engines(exported.folder / "model.xml", 2, inputs(8), wide=True)
    expected = engines.infer(inputs(16), alone=True)
    with pytest.raises(RuntimeError):
        engines.infer(inputs(4_000), alone=True)
    for alone in (True, True, False):
        assert (engines.infer(inputs(16), alone=alone) == expected).all()


def test_a_model_may_compute_on_every_core_so_that_two_share_none(fast: ExportedEmbedder) -> None:
    ready, done = threading.Event(), threading.Event()
    thread_ids: list[int] = []

    def compute() -> None:
        thread_ids.append(threading.get_native_id())
        ready.set()
        while not done.is_set():
            fast.embed_documents(["word " * 300] * 4)

    computing = threading.Thread(target=compute)
    computing.start()
    ready.wait()
    allowed = set()
    for _ in range(200):
        allowed.add(frozenset(os.sched_getaffinity(thread_ids[0])))
        time.sleep(0.001)
    done.set()
    computing.join()
    assert allowed == {frozenset(os.sched_getaffinity(0))}


def ask_together(desk: SearchDesk, questions: list[str]) -> list[list[tuple[int, float]]]:
    waiting = [desk.submit("tales", question, 10) for question in questions]
    return [
        [(hit.chunk.chunk_id, hit.scores.fused) for hit in one.result(60).hits] for one in waiting
    ]


def test_no_question_finds_another_top_ten_because_others_ask_beside_it(
    home: Path, fast: ExportedEmbedder, questions: list[str], passages: list[str]
) -> None:
    lines = [fields(f"d{i}", text) for i, text in enumerate(passages)]
    indexer(home, fast).ingest(find_files([write_lines(home / "in.jsonl", lines)]), Defaults())
    library = Library(home)
    snapshot = library.snapshot("tales")
    alone = [
        [(hit.chunk.chunk_id, hit.scores.fused) for hit in retrieve(snapshot, fast, text, 10)]
        for text in questions
    ]
    assert ask_together(SearchDesk(library, fast), questions) == alone


def publish(home: Path, models: Path, lines: list[dict[str, object]]) -> Settings:
    """Ingest in a process of its own, with an export that is there already."""
    shutil.copytree(models, models_folder(home), dirs_exist_ok=True)
    path = write_lines(home / "in.jsonl", lines)
    command = [*FOOTNOTE, "ingest", "tales", str(path)]
    subprocess.run(command, check=True, env=clean_environment(HOME=str(home)), capture_output=True)
    return Settings(home=home)


def served(settings: Settings) -> Embedder:
    return serving_embedder(settings, exports_named(settings.home))


def test_an_ingest_exports_the_model_and_names_it_for_the_processes_that_serve(
    home: Path, models: Path, exported: Export
) -> None:
    settings = publish(home, models, [fields("cats", "Cats sleep all day.")])
    manifest = current_manifest(datanet_folder(home, "tales"))
    assert manifest is not None
    assert exports_named(home) == {manifest.export}
    embedder = served(settings)
    assert export_id_of(embedder) == manifest.export
    snapshot = Library(home).snapshot("tales")
    (hit,) = retrieve(snapshot, embedder, "When do cats rest?", 1)
    assert hit.chunk.text == "Cats sleep all day."
    before = manifest.snapshot_id
    publish(home, models, [fields("cats", "Cats sleep all day.")])
    again = current_manifest(datanet_folder(home, "tales"))
    assert again is not None
    assert again.snapshot_id == before, "what did not change is not published again"


def test_an_export_that_was_changed_or_never_named_is_not_loaded(
    home: Path, models: Path, exported: Export
) -> None:
    settings = publish(home, models, [fields("cats", "Cats sleep all day.")])
    (folder,) = models_folder(home).iterdir()
    for name in ("model.bin", "model.xml", "tokenizer.json"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert export_id_of(served(settings)) is None
        (folder / name).write_bytes(whole)
    assert export_id_of(serving_embedder(settings, {"00" * 32})) is None
    described = json.loads((folder / "export.json").read_bytes())
    (folder / "export.json").write_text(json.dumps({**described, "max_tokens": 8}))
    assert export_id_of(served(settings)) is None
    (folder / "export.json").unlink()
    fallen_back = served(settings)
    assert isinstance(fallen_back, SentenceTransformerEmbedder)
    snapshot = Library(home).snapshot("tales")
    assert len(retrieve(snapshot, fallen_back, "When do cats rest?", 1)) == 1


def test_a_damaged_export_is_written_anew_by_the_next_ingest(
    models: Path, exported: Export
) -> None:
    settings = Settings(home=models.parent)
    (exported.folder / "model.xml").write_bytes(b"<net/>")
    mended = indexing_embedder(settings)
    assert export_id_of(mended) is not None
    assert mended.embed_documents(["Cats."]).shape == (1, 384)


_SERVE_ONCE = """
import sys
from pathlib import Path
from footnote.settings import Settings
from rag.index.library import exports_named
from rag.models.choice import serving_embedder
home = Path(sys.argv[1])
serving_embedder(Settings(home=home), exports_named(home)).embed_question("Why?")
import api.commands
heavy = {"torch", "transformers", "sentence_transformers", "web3", "openai", "openvino_telemetry",
         "langchain_core", "sklearn", "scipy"}
print(sorted(name for name in heavy if sys.modules.get(name) is not None))
"""


def test_a_serving_process_loads_neither_torch_nor_anything_that_reports_its_use(
    home: Path, models: Path, exported: Export
) -> None:
    publish(home, models, [fields("cats", "Cats sleep all day.")])
    done = subprocess.run(
        [sys.executable, "-c", _SERVE_ONCE, str(home)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_service_that_starts_before_anything_is_published_loads_no_model_until_there_is(
    home: Path, models: Path, exported: Export
) -> None:
    services = build_services(Settings(home=home))
    publish(home, models, [fields("cats", "Cats sleep all day.")])
    _, hits = services.answerer.search("tales", "When do cats rest?", 1)
    assert hits[0].chunk.text == "Cats sleep all day."
    embedder = build_embedder(Settings(home=home), services.library)
    assert export_id_of(embedder) in exports_named(home)


def test_questions_from_many_threads_each_get_their_own_hits(
    home: Path, fast: ExportedEmbedder
) -> None:
    lines = [fields(f"d{i}", f"The number of this text is {i}{i}{i}.") for i in range(40)]
    indexer(home, fast).ingest(find_files([write_lines(home / "in.jsonl", lines)]), Defaults())
    desk = SearchDesk(Library(home), fast)
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        text = f"Which text has the number {number}{number}{number}?"
        (hit,) = desk.submit("tales", text, 1).result(60).hits
        found[number] = hit.chunk.document.document_id

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"d{number}" for number in range(40)}
