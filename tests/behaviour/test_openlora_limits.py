"""Our own server at its limits: clients that go, too many at once, too late, stopped and killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from cli.stack import Stack, clean_environment
from footnote.errors import Unavailable
from rag.models.breaker import CircuitBreaker
from rag.models.llm import OpenAIChatModel
from tests.openlora_served import PATIENCE_SECONDS, Served, until
from tests.tiny_models import BASE, write_adapter, write_base

CONTEXT = 60_000
ENDLESS = CONTEXT - 100
"""More tokens than any test waits for."""
ADAPTERS = 6
ASKED = [("user", "Tell me.")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    base = write_base(folder / BASE, context=CONTEXT)
    for number in range(ADAPTERS):
        write_adapter(folder / "adapters" / f"adapter-{number}", base, seed=number)
    return folder


Serve = Callable[..., Served]


@pytest.fixture
def serve(models: Path, tmp_path: Path) -> Iterator[Serve]:
    with Stack(tmp_path, clean_environment() | {"OMP_NUM_THREADS": "1"}) as stack:
        yield lambda *options: Served(stack, models / BASE, models / "adapters", *options)


@pytest.fixture(scope="module")
def shared(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shared")
    with Stack(folder, clean_environment() | {"OMP_NUM_THREADS": "1"}) as stack:
        yield Served(stack, models / BASE, models / "adapters")


@pytest.fixture
def server(shared: Served, models: Path) -> Served:
    """A server without options, started again where another test ended it."""
    if not shared.answers:
        shared.restart(models / BASE)
    return shared


def test_few_places_serve_many_adapters_and_many_who_ask(serve: Serve) -> None:
    server = serve("--max-adapters", "2", "--max-rows", "1", "--max-waiting", "2")
    names = [f"adapter-{number}" for number in range(ADAPTERS)]
    first = [server.say(name, 8) for name in names]
    assert [server.say(name, 8) for name in names] == first
    assert len(set(first)) == ADAPTERS
    assert server.metric("resident ") == 2
    assert server.metric("loads_total") == 2 * ADAPTERS
    assert server.metric("evictions_total") == 2 * ADAPTERS - 2
    assert server.metric("load_failures_total") == 0

    running = server.stream(BASE, ENDLESS)
    assert next(running) is not None
    with ThreadPoolExecutor(2) as pool:
        waiting: list[Future[str]] = []
        for _ in range(2):
            waiting.append(pool.submit(server.say, BASE, 2))
        until(lambda: server.metric("waiting") == 2)
        for _ in range(3):
            with pytest.raises(openai.RateLimitError) as refused:
                server.say(BASE, 2)
            assert refused.value.response.headers["retry-after"] == "1"
        running.close()
        assert [len(one.result()) > 0 for one in waiting] == [True, True]
    assert server.metric('requests_total{end="429"}') == 3
    assert server.metric('requests_total{end="cancelled"}') == 1


def test_a_client_that_goes_takes_its_row_with_it(server: Served) -> None:
    gone = server.metric('requests_total{end="cancelled"}')
    stream = server.stream("adapter-0", ENDLESS)
    assert next(stream) is not None
    until(lambda: server.metric("running") == 1)
    stream.close()
    until(lambda: server.metric("running") == 0)
    assert server.metric('requests_total{end="cancelled"}') == gone + 1

    impatient = server.client.with_options(timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        impatient.completions.create(
            model="adapter-0", prompt="Tell", max_tokens=ENDLESS, extra_body={"ignore_eos": True}
        )
    until(lambda: server.metric('requests_total{end="cancelled"}') == gone + 2)
    assert server.metric("running") == 0

    with pytest.raises(openai.BadRequestError, match=f"maximum context length is {CONTEXT} tokens"):
        server.say(BASE, CONTEXT)
    for route in ("load_lora_adapter", "unload_lora_adapter"):
        reply = httpx.post(f"{server.url}/{route}", json={"lora_name": "x", "lora_path": "x"})
        assert reply.status_code == 404, "off without a token"


def test_what_takes_too_long_is_ended_with_one_clear_error(serve: Serve) -> None:
    server = serve("--deadline-seconds", "1")
    with pytest.raises(openai.InternalServerError) as raised:
        server.say(BASE, ENDLESS)
    assert (raised.value.status_code, raised.value.type) == (504, "TimeoutError")
    stream = server.stream(BASE, ENDLESS)
    assert next(stream) is not None
    with pytest.raises(openai.APIError, match="longer than 1 seconds"):
        "".join(stream)
    assert server.metric('requests_total{end="504"}') == 2
    assert server.metric("running") == 0


def test_a_stop_signal_lets_running_replies_end(server: Served) -> None:
    whole = server.say("adapter-1", 600)
    stream = server.stream("adapter-1", 600)
    first = next(stream)
    os.kill(server.stack.pid(server.process), signal.SIGTERM)
    assert first + "".join(stream) == whole
    with pytest.raises(openai.APIConnectionError):
        server.say(BASE, 1)


def test_a_server_killed_in_a_stream_is_one_clear_error_and_left_alone_until_it_is_back(
    server: Served, models: Path
) -> None:
    time = [0.0]
    breaker = CircuitBreaker("the model server", failures=2, clock=lambda: time[0])
    model = OpenAIChatModel(
        server.url, BASE, api_key=None, timeout_seconds=PATIENCE_SECONDS, breaker=breaker
    )
    read: list[str] = []
    pieces = iter(model.stream(ASKED, "adapter-0"))
    read.append(next(pieces))
    assert server.metric("running") == 1
    server.kill()
    with pytest.raises(Unavailable, match=r"the model server (broke off|does not answer)"):
        read.extend(pieces)
    with pytest.raises(Unavailable, match="does not answer"):
        model.score("Tell ", "me.", "adapter-0")
    server.restart(models / BASE)
    with pytest.raises(Unavailable, match="failed 2 times in a row"):
        model.score("Tell ", "me.", "adapter-0")
    time[0] += breaker.rest_seconds + 1
    assert model.score("Tell ", "me.", "adapter-0") < 0
    assert model.score("Tell ", "me.") < 0
