"""A service under steady load: its memory, its errors, and whether what it said is in the journal.

    python -m bench.soak [--minutes 60] [--share 0.5]

Serves the example Datanet, finds how many answers a second it gives at its best, then asks at a
``share`` of that for so long: answers with a FULL journal commit, searches and readings in turn.
Memory is flat where its middle over the last quarter lies no more than 5 % and 8 MB above that over
the second. Ends with one JSON object, and with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.serve.load import Connection
from cli.demo import CHECKOUT
from cli.stack import FOOTNOTE, Stack, clean_environment, free_port
from footnote.ids import ZERO_HASH
from rewards.journal.journal import Journal

DATANET = "handbook"
CONNECTIONS = 8
PEAK_SECONDS = 8.0
GROWTH, SLACK_BYTES = 1.05, 8_000_000
SAMPLES = 240
"""Of the memory, over the whole."""


@dataclass(slots=True)
class Load:
    """What was asked, what came back, and how much memory the service held."""

    answers: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), arguments.minutes * 60, arguments.share)
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def run(folder: Path, seconds: float, share: float) -> dict[str, Any]:
    """A soak of so many seconds in ``folder``."""
    environment = clean_environment() | {"FOOTNOTE_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    with Stack(folder, environment) as stack:
        stack.run(["ingest", DATANET, str(CHECKOUT / "examples" / "handbook"), "--json"])
        port = free_port()
        stack.start("api", [*FOOTNOTE, "serve", "--port", str(port)])
        stack.wait_port(port)
        questions = _questions(CHECKOUT / "examples" / "handbook")
        peak = asyncio.run(_peak(port, questions))
        load = Load()
        process = psutil.Process(stack.pid("api"))
        asyncio.run(_soak(port, questions, peak * share, seconds, process, load))
    return _judged(load, peak, share, seconds, Journal(f"sqlite:///{folder / 'journal.sqlite'}"))


async def _peak(port: int, questions: Sequence[str]) -> float:
    """Answers a second with as many clients as there are connections."""
    until = time.perf_counter() + PEAK_SECONDS
    given = 0

    async def ask() -> None:
        nonlocal given
        connection = await Connection.open(port)
        while time.perf_counter() < until:
            await connection.post("/v1/answers", _body(random.choice(questions)))
            given += 1
        connection.close()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return given / PEAK_SECONDS


async def _soak(
    port: int,
    questions: Sequence[str],
    rate: float,
    seconds: float,
    process: psutil.Process,
    load: Load,
) -> None:
    """``rate`` requests a second at even distances, however long each takes."""
    began = time.perf_counter()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(4 * CONNECTIONS):
        free.put_nowait(await Connection.open(port))
    running: set[asyncio.Task[None]] = set()
    number = 0
    while (now := time.perf_counter() - began) < seconds:
        if len(load.memory) < SAMPLES * now / seconds:
            load.memory.append(_memory(process))
        if number < now * rate:
            task = asyncio.create_task(_one(free, number, random.choice(questions), load))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        else:
            await asyncio.sleep(min(0.05, number / rate - now))
    await asyncio.gather(*running)
    while not free.empty():
        free.get_nowait().close()
    await asyncio.sleep(0)


async def _one(free: asyncio.Queue[Connection], number: int, question: str, load: Load) -> None:
    connection = await free.get()
    asked = time.perf_counter()
    try:
        path = "/v1/search" if number % 4 == 3 else "/v1/answers"
        answer = json.loads(await connection.post(path, _body(question)))
        if path == "/v1/answers":
            load.answers.append(answer["id"])
        load.latencies.append(time.perf_counter() - asked)
    except (RuntimeError, OSError, ValueError, asyncio.IncompleteReadError) as error:
        load.errors[str(error)[:200]] += 1
    free.put_nowait(connection)


def _judged(
    load: Load, peak: float, share: float, seconds: float, journal: Journal
) -> dict[str, Any]:
    quarter = len(load.memory) // 4
    early = statistics.median(load.memory[quarter : 2 * quarter])
    late = statistics.median(load.memory[3 * quarter :])
    missing = [one for one in load.answers if not _is_stored(journal, one)]
    issued = journal.next_seq(ZERO_HASH, DATANET)
    flat = late <= early * GROWTH + SLACK_BYTES
    ordered = sorted(load.latencies)
    return {
        "seconds": seconds,
        "peak_answers_per_second": round(peak, 1),
        "asked_per_second": round(peak * share, 1),
        "answers": len(load.answers),
        "searches": len(load.latencies) - len(load.answers),
        "errors": dict(load.errors),
        "p50_ms": round(ordered[len(ordered) // 2] * 1_000, 1),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1_000, 1),
        "memory_second_quarter_mb": round(early / 1e6, 1),
        "memory_last_quarter_mb": round(late / 1e6, 1),
        "missing_from_the_journal": len(missing),
        "receipts": issued,
        "passed": flat and not missing and not load.errors and issued >= len(load.answers),
    }


def _is_stored(journal: Journal, answer_id: str) -> bool:
    return bool(journal.answer(answer_id))


def _memory(process: psutil.Process) -> int:
    """Bytes that the service and its children hold for themselves."""
    return sum(one.memory_full_info().uss for one in [process, *process.children(True)])


def _questions(folder: Path) -> list[str]:
    """One of each heading."""
    titles = [
        line.lstrip("# ").strip()
        for file in sorted(folder.glob("*.md"))
        for line in file.read_text("utf-8").splitlines()
        if line.startswith("#")
    ]
    return [f"What is said of {title}?" for title in titles] + ["Who won the cup of 1954?"]


def _body(question: str) -> bytes:
    return json.dumps({"datanet": DATANET, "question": question}).encode()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=0.5, help="of the peak")
    return parser.parse_args()


if __name__ == "__main__":
    main()
