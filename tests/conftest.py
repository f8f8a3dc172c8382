"""What tests share: the real model, and real services on free ports.

A service that is missing skips a test on a laptop and fails it where ``CI=true``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Browser

from cli.stack import Stack, clean_environment, free_port, redis_path, start_anvil_with
from footnote.errors import Misconfigured
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.chain import EvmChain
from tests.browsing import browsing, chromium
from tests.money import InstantChain, Pool, deployed
from tests.postgres import Postgres, server_program

if TYPE_CHECKING:
    from tests.stage import Stage

CHECKOUT = Path(__file__).resolve().parent.parent


def required(service: str) -> None:
    """Skip the test for want of ``service``, or fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{service} is missing, and CI must have it")
    pytest.skip(f"{service} is not installed")


@pytest.fixture(scope="session")
def embedder() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(for_questions=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: as long as it runs, nothing else here can run an event loop."""
    if chromium() is None:
        required("chromium")
    with browsing() as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Processes that end with the test session."""
    with Stack(tmp_path_factory.mktemp("stack"), clean_environment()) as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(stack: Stack) -> str:
    """A private Redis."""
    try:
        executable = redis_path()
    except Misconfigured:
        required("redis-server")
    port = free_port()
    stack.start(
        f"redis-{port}",
        [executable, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
         "no", "--dir", str(stack.folder)],
    )  # fmt: skip
    stack.wait_port(port)
    return f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private PostgreSQL server."""
    if server_program("postgres") is None:
        required("postgresql")
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def journal_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder whose journal (``tests.money.journal_at``) is in SQLite, then in PostgreSQL."""
    if request.param == "sqlite":
        yield tmp_path
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        (tmp_path / "journal.url").write_text(url)
        yield tmp_path


def start_chain(stack: Stack, *options: str) -> str:
    """A private development chain; returns its address."""
    try:
        return start_anvil_with(stack, CHECKOUT, *options)
    except Misconfigured:
        required("anvil")
        raise


@pytest.fixture(scope="session")
def finalizing_chain(stack: Stack) -> str:
    """A chain with a block a second, final after two."""
    return start_chain(stack, "--block-time", "1", "--slots-in-an-epoch", "1")


def rpc(url: str, method: str, *parameters: object) -> object:
    """One JSON-RPC call, such as anvil's own methods."""
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
    body = httpx.post(url, json=call, timeout=30).json()
    assert "error" not in body, body
    return body["result"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty FOOTNOTE_HOME."""
    path = tmp_path / "home"
    path.mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def instant_pool(stack: Stack) -> Pool:
    """A pool on a chain where every transaction is mined at once and final at once."""
    past = int(time.time()) - 10_000  # a block for each transaction: its clock runs ahead
    url = start_chain(stack, "--timestamp", str(past))
    return deployed(url, InstantChain(url, confirmations=0))


@pytest.fixture(scope="session")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    instant_pool: Pool,
) -> Iterator[Stage]:
    """Everything that the page shows."""
    from tests.stage import staged  # it uses what is here

    with staged(tmp_path_factory.mktemp("stage"), embedder, instant_pool) as running:
        yield running


@pytest.fixture(scope="session")
def final_pool(stack: Stack) -> Pool:
    """A pool on a chain with five blocks a second and a ``finalized`` tag two blocks behind."""
    past = int(time.time()) - 10_000
    url = start_chain(
        stack, "--timestamp", str(past), "--block-time", "0.2", "--slots-in-an-epoch", "1"
    )
    return deployed(url, EvmChain(url))
