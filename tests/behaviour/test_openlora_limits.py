"""Our own server at its limits: clients that go, too many at once, too late, stopped and killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from cli.stack import FOOTNOTE, Stack, clean_environment, free_port
from tests.tiny_models import BASE, write_adapter, write_base

CONTEXT = 30_000
ADAPTERS = 6


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    base = write_base(folder / BASE, context=CONTEXT)
    for number in range(ADAPTERS):
        write_adapter(folder / "adapters" / f"adapter-{number}", base, seed=number)
    return folder


class Running:
    """One server process and a client of it."""

    def __init__(self, stack: Stack, models: Path, *options: str) -> None:
        self.stack = stack
        self.port = free_port()
        self.command = [
            *FOOTNOTE, "openlora", "serve", "--base", str(models / BASE), "--adapters",
            str(models / "adapters"), "--port", str(self.port), *options,
        ]  # fmt: skip
        self.url = f"http://127.0.0.1:{self.port}"
        stack.start("openlora", self.command)
        stack.wait_http(f"{self.url}/health")
        self.client = openai.OpenAI(
            base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=60
        )

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"openlora_{name}"))

    def say(self, model: str, tokens: int) -> str:
        reply = self.client.completions.create(
            model=model,
            prompt="Tell",
            max_tokens=tokens,
            temperature=0,
            extra_body={"ignore_eos": True},
        )
        return reply.choices[0].text

    def stream(self, model: str, tokens: int) -> Iterator[str]:
        chunks = self.client.completions.create(
            model=model,
            prompt="Tell",
            max_tokens=tokens,
            temperature=0,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        with chunks:
            for chunk in chunks:
                yield chunk.choices[0].text


Serve = Callable[..., Running]


@pytest.fixture
def serve(models: Path, tmp_path: Path) -> Iterator[Serve]:
    with Stack(tmp_path, clean_environment() | {"OMP_NUM_THREADS": "1"}) as stack:
        yield lambda *options: Running(stack, models, *options)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_few_adapters_in_memory_serve_many_and_loading_is_off_without_a_token(
    serve: Serve,
) -> None:
    server = serve("--max-adapters", "2")
    names = [f"adapter-{number}" for number in range(ADAPTERS)]
    first = [server.say(name, 8) for name in names]
    with ThreadPoolExecutor(24) as pool:
        again = list(pool.map(lambda name: server.say(name, 8), names * 4))
    assert again == first * 4
    assert server.metric("resident ") == 2
    assert server.metric("evictions_total") >= ADAPTERS - 2
    assert server.metric("load_failures_total") == 0
    for route in ("load_lora_adapter", "unload_lora_adapter"):
        reply = httpx.post(f"{server.url}/v1/{route}", json={"lora_name": "x", "lora_path": "x"})
        assert reply.status_code == 404


def test_a_client_that_goes_takes_its_row_with_it(serve: Serve) -> None:
    server = serve()
    stream = server.stream("adapter-0", CONTEXT - 10)
    assert next(stream) is not None
    assert server.metric("running") == 1
    stream.close()  # type: ignore[attr-defined]  # a generator
    until(lambda: server.metric("running") == 0)
    with pytest.raises(openai.APITimeoutError):
        server.client.with_options(timeout=0.5).completions.create(
            model="adapter-0", prompt="Tell", max_tokens=CONTEXT - 10, temperature=0
        )
    until(lambda: server.metric("running") == 0)
    assert server.metric('requests_total{end="cancelled"}') == 2


def test_more_than_may_wait_are_told_to_come_back(serve: Serve) -> None:
    server = serve("--max-rows", "1", "--max-waiting", "2")
    stream = server.stream(BASE, CONTEXT - 10)
    next(stream)

    def ask(_: int) -> int:
        try:
            server.client.with_options(timeout=2).completions.create(
                model=BASE, prompt="Tell", max_tokens=2
            )
        except openai.RateLimitError as error:
            assert error.type == "RateLimitError"
            assert error.response.headers["retry-after"] == "1"
            return 429
        except openai.APITimeoutError:
            return 0
        return 200

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(ask, range(6)))
    assert statuses == [0, 0, 429, 429, 429, 429]
    stream.close()  # type: ignore[attr-defined]  # a generator
    until(lambda: server.metric("running") == 0)
    assert ask(0) == 200


def test_what_takes_too_long_is_ended_with_one_clear_error(serve: Serve) -> None:
    server = serve("--deadline-seconds", "1")
    with pytest.raises(openai.InternalServerError) as raised:
        server.say(BASE, CONTEXT - 10)
    assert raised.value.status_code == 504
    assert raised.value.type == "TimeoutError"
    pieces = []
    with pytest.raises(openai.APIError, match="longer than 1 seconds"):
        for piece in server.stream(BASE, CONTEXT - 10):
            pieces.append(piece)
    assert pieces
    assert server.say(BASE, 4)


def test_a_stop_signal_lets_running_replies_end(serve: Serve) -> None:
    server = serve()
    whole = server.say("adapter-1", 1_500)
    stream = server.stream("adapter-1", 1_500)
    first = next(stream)
    os.kill(server.stack.pid("openlora"), signal.SIGTERM)
    assert first + "".join(stream) == whole
    with pytest.raises(openai.APIConnectionError):
        server.say(BASE, 1)


def test_a_killed_server_is_one_clear_error_and_a_new_one_goes_on(serve: Serve) -> None:
    server = serve()
    errors: list[Exception] = []
    begun = threading.Event()

    def listen() -> None:
        try:
            for _ in server.stream("adapter-0", CONTEXT - 10):
                begun.set()
        except (openai.APIError, httpx.HTTPError) as error:
            errors.append(error)

    def wait() -> None:
        try:
            server.say("adapter-1", CONTEXT - 10)
        except openai.APIConnectionError as error:
            errors.append(error)

    clients = [threading.Thread(target=listen), threading.Thread(target=wait)]
    for client in clients:
        client.start()
    assert begun.wait(30)
    until(lambda: server.metric("running") == 2)
    os.kill(server.stack.pid("openlora"), signal.SIGKILL)
    for client in clients:
        client.join(30)
    assert len(errors) == 2
    server.stack.replace("openlora", server.command)
    server.stack.wait_http(f"{server.url}/health")
    assert server.say("adapter-0", 4)
