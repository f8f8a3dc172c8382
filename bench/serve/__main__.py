"""The service under load, beside plain LangChain services over the same passages.

    python -m bench.serve CORPUS_DIR… [--passages 5000] [--rounds 3] [--seconds 4] [--json FILE]

Starts ``footnote serve`` and two peers (LangChain with FAISS, and its ensemble with BM25), and
drives each in turn at concurrency 1, 8 and 32, round by round; ``/v1/answers`` too, each answer
committed. The client shares the machine, so throughput is a lower bound for whoever is fast, and
CPU a question is the steadiest figure. Ends with one JSON object; exit code 1 where a bar is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.judge.corpus import read_corpus
from bench.serve.passages import Chosen, choose, reciprocal_rank
from bench.serve.services import Service, collect, drive
from bench.serve.verdict import ANSWERS, DENSE, ENSEMBLE, OURS, Measured, bars, middle
from cli.stack import FOOTNOTE, clean_environment
from rag.index.datanets import datanet_folder
from rag.index.snapshot import current_manifest
from rag.models.embedder import cpu_computes_bfloat16

DATANET = "bench"
LEVELS = (1, 8, 32)
ALONE = 256
"""Questions whose top ten are compared between alone and batched."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Load, beside plain LangChain services.")
    parser.add_argument(
        "corpora", type=Path, nargs="+", help="questions of the first; the others fill up"
    )
    parser.add_argument("--passages", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def measure(arguments: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Prepare, measure, judge."""
    first, *others = map(read_corpus, arguments.corpora)
    chosen = choose(first, others, arguments.passages, home)
    state = {OURS: _ingest_ours(home, chosen), DENSE: _ingest_peer(home, chosen), ENSEMBLE: {}}
    manifest = current_manifest(datanet_folder(home, DATANET))
    passages = manifest.chunks if manifest else 0
    _note(f"{chosen.count} documents, {passages} passages, {len(chosen.questions)} questions")
    services = _services(home)
    opening = chosen.questions[0].text
    try:
        for service in services:
            service.start(opening)
            state[service.name]["ready_seconds"] = round(service.ready_seconds, 2)
        found = _quality(services, chosen, state)
        measured = _rounds(services, chosen, arguments.rounds, arguments.seconds)
        for service in services:
            state[service.name]["memory_mb"] = service.memory_mb()
    finally:
        for service in services:
            service.stop()
    judged = bars(measured, state, found, cpu_computes_bfloat16())
    _show(measured, state)
    for bar in judged:
        _note(bar.line)
    return {
        "passages": passages,
        "documents": chosen.count,
        "bfloat16": cpu_computes_bfloat16(),
        "services": state,
        "load": {name: {str(c): rows for c, rows in by.items()} for name, by in measured.items()},
        "bars": {bar.name: [round(bar.value, 4), bar.bound, bar.holds] for bar in judged},
        "passed": all(bar.holds for bar in judged),
    }


def _environment(home: Path) -> dict[str, str]:
    settings = clean_environment(HOME=str(home), QUESTIONS_PER_MINUTE_ADDRESS="1000000")
    return settings | {"PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}


def _services(home: Path) -> list[Service]:
    plain = {**os.environ, "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}
    ours = [*FOOTNOTE, "serve", "--port"]
    peers = [
        Service(
            name, [*_peer("serve", kind, home / "peer")], "/search", {},
            plain,
        )
        for name, kind in ((DENSE, "dense"), (ENSEMBLE, "ensemble"))
    ]  # fmt: skip
    return [Service(OURS, ours, "/v1/search", {"datanet": DATANET}, _environment(home)), *peers]


def _ingest_ours(home: Path, chosen: Chosen) -> dict[str, float]:
    command = [*FOOTNOTE, "ingest", DATANET, str(chosen.documents), "--json"]
    took = _run("ingesting", command, _environment(home))
    return {"documents_per_second": round(chosen.count / took, 2)}


def _ingest_peer(home: Path, chosen: Chosen) -> dict[str, float]:
    took = _run("ingesting with LangChain", _peer("ingest", chosen.documents, home / "peer"))
    return {"documents_per_second": round(chosen.count / took, 2)}


def _peer(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "bench.serve.peers", *(str(one) for one in arguments)]


def _run(what: str, command: list[str], environment: dict[str, str] | None = None) -> float:
    """Seconds that a command takes from start to end."""
    _note(what)
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _quality(services: list[Service], chosen: Chosen, state: dict[str, dict[str, float]]) -> int:
    """Note each service's MRR@10; returns how many questions found another ten in a batch."""
    texts = [one.text for one in chosen.questions]
    for service in services:
        hits = collect(service, texts, 1, [["document_id"]])
        ranks = [
            reciprocal_rank([name for (name,) in row], one.relevant)
            for row, one in zip(hits, chosen.questions, strict=True)
        ]
        state[service.name]["mrr"] = round(sum(ranks) / len(ranks), 4)
    ten = [["document_id"], ["chunk", "start"]]
    asked = chosen.asked[:ALONE]
    alone = collect(services[0], asked, 1, ten)
    together = collect(services[0], asked, 32, ten)
    state[OURS]["compared"] = len(asked)
    return sum(one != other for one, other in zip(alone, together, strict=True))


def _rounds(services: list[Service], chosen: Chosen, rounds: int, seconds: float) -> Measured:
    texts = chosen.asked
    measured: Measured = {one.name: {level: [] for level in LEVELS} for one in services}
    measured[ANSWERS] = {8: []}
    for number in range(rounds):
        for level in LEVELS:
            for service in services:
                bodies = [service.body(text) for text in texts]
                first = 37 * number + level
                measured[service.name][level].append(
                    drive(service, bodies, level, seconds, first)
                )  # fmt: skip
            if level == 8:
                bodies = [services[0].body(text) for text in texts]
                measured[ANSWERS][8].append(
                    drive(services[0], bodies, 8, seconds, number, "/v1/answers")
                )
        _note(f"round {number + 1} of {rounds} done")
    return measured


def _show(measured: Measured, state: dict[str, dict[str, float]]) -> None:
    columns = ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms")
    _note(f"{'service':<20} {'at':>3} " + " ".join(f"{name:>11}" for name in columns))
    for name, by_level in measured.items():
        for level in by_level:
            values = " ".join(f"{middle(measured, name, level, c):>11.2f}" for c in columns)
            _note(f"{name:<20} {level:>3} {values}")
    for name, about in state.items():
        _note(f"{name:<20} " + ", ".join(f"{key} {value}" for key, value in about.items()))


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
