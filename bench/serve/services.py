"""Services under measurement: started, waited for, driven, and what they cost."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from cli.stack import free_port

Body = dict[str, Any]


@dataclass(slots=True)
class Service:
    """A process that answers searches.

    ``command`` ends where its port is to stand; ``body`` makes the body of a search for a question.
    """

    name: str
    command: Sequence[str]
    path: str
    fields: Body
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    ready_seconds: float = 0.0
    _process: subprocess.Popen[bytes] | None = None

    def body(self, question: str) -> Body:
        return {"question": question, **self.fields}

    def start(self, question: str) -> None:
        """Start, and wait until ``question`` is answered for the first time."""
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*self.command, str(self.port)],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        url = f"http://127.0.0.1:{self.port}{self.path}"
        with httpx.Client(timeout=60) as client:
            while True:
                if self._process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended by itself")
                try:
                    if client.post(url, json=self.body(question)).status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.02)
        self.ready_seconds = time.perf_counter() - began

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def cpu_seconds(self) -> float:
        return sum(sum(one.cpu_times()[:2]) for one in self._tree())

    def memory_mb(self) -> float:
        """Resident memory now; pages shared with others count in full."""
        return round(sum(one.memory_info().rss for one in self._tree()) / 1e6, 1)

    def _tree(self) -> list[psutil.Process]:
        assert self._process is not None, "the service was started"
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]


def drive(
    service: Service, bodies: list[Body], concurrency: int, seconds: float, first: int,
    path: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Throughput, latencies and server CPU a question under a closed loop."""
    before = service.cpu_seconds()
    result: dict[str, Any] = _client(
        {
            "port": service.port, "path": path or service.path, "bodies": bodies,
            "concurrency": concurrency, "seconds": seconds, "first": first,
        }
    )  # fmt: skip
    used = service.cpu_seconds() - before
    return {**result, "cpu_ms": round(used / result.pop("with_warm_up") * 1_000, 3)}


def collect(
    service: Service, questions: Sequence[str], concurrency: int, pick: list[list[str]]
) -> list[list[list[Any]]]:
    """For each question what ``pick`` names of each of its hits, best first."""
    found: list[list[list[Any]]] = _client(
        {
            "port": service.port, "path": service.path, "concurrency": concurrency, "pick": pick,
            "bodies": [service.body(question) for question in questions],
        }
    )  # fmt: skip
    return found


def _client(job: dict[str, Any]) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(job, file)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.serve.load", file.name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return json.loads(done.stdout)
    finally:
        Path(file.name).unlink()
