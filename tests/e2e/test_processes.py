"""Several processes behind one port, over one journal and one snapshot."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli.stack import FOOTNOTE, Stack, clean_environment, free_port
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.models.embedder import SentenceTransformerEmbedder
from tests.corpus import fields, indexer, write_lines


@pytest.fixture
def service(home: Path, embedder: SentenceTransformerEmbedder) -> Iterator[tuple[str, int]]:
    """Two processes that answer; yields their address and the process that watches them."""
    lines = [fields(f"d{i}", f"The number of this text is {i}{i}{i}.") for i in range(8)]
    indexer(home, embedder).ingest(find_files([write_lines(home / "in.jsonl", lines)]), Defaults())
    port = free_port()
    with Stack(home, clean_environment(HOME=str(home))) as stack:
        stack.start("api", [*FOOTNOTE, "serve", "--port", str(port), "--processes", "2"])
        stack.wait_http(f"http://127.0.0.1:{port}/readyz", seconds=120)
        yield f"http://127.0.0.1:{port}", stack.pid("api")


def ask(url: str, number: int) -> tuple[str, dict[str, Any]]:
    question = f"Which text has the number {number}{number}{number}?"
    with httpx.Client(base_url=url, timeout=60) as client:  # its own connection, to either process
        asked = {"datanet": "tales", "question": question}
        found = client.post("/v1/search", json={**asked, "k": 1}).raise_for_status().json()
        answer = client.post("/v1/answers", json=asked).raise_for_status().json()
    return found["data"][0]["document_id"], answer


def mapping(watcher: int, vectors: Path) -> list[psutil.Process]:
    """The processes below ``watcher`` that hold the vectors of the snapshot mapped."""
    return [
        process
        for process in psutil.Process(watcher).children(recursive=True)
        if any(mapped.path == str(vectors) for mapped in process.memory_maps())
    ]


def test_every_process_answers_into_one_journal_and_ends_with_its_parent(
    service: tuple[str, int], home: Path
) -> None:
    url, watcher = service
    (vectors,) = datanet_folder(home, "tales").snapshots.glob("*/vectors.faiss")
    until = time.monotonic() + 60
    while len(serving := mapping(watcher, vectors)) < 2 and time.monotonic() < until:
        ask(url, 0)  # whoever started later takes its part of new connections
    assert len(serving) == 2, "each maps the vectors, so that they share one copy"
    numbers = [i % 8 for i in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: ask(url, number), numbers))
    assert [document for document, _ in found] == [f"d{number}" for number in numbers]
    ids = {answer["id"] for _, answer in found}
    assert len(ids) == 24
    for one in ids:
        assert httpx.get(f"{url}/v1/answers/{one}").json()["id"] == one
    psutil.Process(watcher).terminate()
    gone, alive = psutil.wait_procs(serving, timeout=30)
    assert (len(gone), alive) == (2, [])


def test_whichever_process_is_asked_counts_for_all(service: tuple[str, int]) -> None:
    url, _ = service
    for number in range(12):
        ask(url, number % 8)
    counted = [httpx.get(f"{url}/metrics").text for _ in range(6)]
    answers = [
        sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("footnote_answers_total")
        )
        for text in counted
    ]
    assert answers == [12.0] * 6


def test_a_head_without_an_end_is_refused_and_no_other_request_is(service: tuple[str, int]) -> None:
    url, _ = service
    port = httpx.URL(url).port
    assert port is not None
    for line in (b"X-Filler: %s\r\n" % (b"a" * 4_000), b"a" * 4_000):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-First: ")
            with suppress(OSError):  # it hangs up before all is sent
                for _ in range(1_000):
                    client.sendall(line)
            with suppress(ConnectionResetError):
                assert client.recv(4_096).startswith(b"HTTP/1.1 431 ")
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"nothing of the kind\r\n\r\n")
        refused = client.recv(4_096)
    assert refused.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in refused
    assert b"malformed-request" in refused
    with httpx.Client(base_url=url, timeout=30) as client:
        for size in (0, 50_000):
            assert client.get("/healthz", headers={"X-Filler": "a" * size}).status_code == 200
        text = "x" * 200_000  # a body is not a head
        asked = client.post("/v1/search", json={"datanet": "tales", "question": text})
        assert asked.status_code == 422
