"""A service that was told to expect strangers: everything published, and one key that may all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from api.keys import Scope, Wish, new_key
from cli.stack import clean_environment, free_port
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.journal.journal import Journal
from tests.conftest import CHECKOUT
from tests.e2e.test_api import ingest

START_SECONDS = 90.0


@dataclass(frozen=True)
class Served:
    url: str
    key: str
    log: Path


@contextmanager
def served(home: Path) -> Iterator[Served]:
    """``footnote serve`` as a process of its own."""
    embedder = SentenceTransformerEmbedder(for_questions=True)
    for name in ("nature", "footnote"):
        ingest(home, embedder, name)
    shown, kept = new_key(Wish("fuzz", list(Scope), questions_per_minute=1_000_000_000))
    Journal(Settings(home=home).journal).create_key(kept)
    port = free_port()
    environment = clean_environment() | {
        "FOOTNOTE_HOME": str(home), "OMP_NUM_THREADS": "1",
        "FOOTNOTE_QUESTIONS_PER_MINUTE_ADDRESS": "1000000000",
    }  # fmt: skip
    log = home / "log"
    with log.open("wb") as opened:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "serve", "--port", str(port)],
            env=environment, cwd=CHECKOUT, stdout=opened, stderr=opened,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield Served(url, shown, log)
    finally:
        process.terminate()
        process.wait(30)


def fuzz(served: Served, examples: int, report: Path, seed: int | None = None) -> int:
    """All checks of schemathesis over every route; its exit status."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(Path(__file__).with_name("schemathesis.toml")),
        "run", f"{served.url}/openapi.json", "--continue-on-failure",
        "--max-examples", str(examples), "--request-timeout", "60", "--no-color",
        "--header", f"Authorization: Bearer {served.key}",
        *(["--seed", str(seed)] if seed is not None else []),
    ]  # fmt: skip
    with report.open("wb") as opened:
        return subprocess.run(
            command, stdout=opened, stderr=opened, cwd=report.parent, check=False,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        ).returncode  # fmt: skip


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the service ended at once"
        try:
            httpx.get(f"{url}/healthz", timeout=1)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("the service does not start")
