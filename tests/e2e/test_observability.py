"""What operators see of a service: logs with request ids, metrics, and what is degraded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import build_services
from cli.stack import clean_environment, free_port
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from tests.conftest import CHECKOUT
from tests.e2e.test_api import QUESTION, Service, ingest, serving


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder) -> Path:
    folder = tmp_path_factory.mktemp("observed")
    ingest(folder, embedder)
    return folder


@pytest.fixture(scope="module")
def service(home: Path, embedder: SentenceTransformerEmbedder) -> Iterator[Service]:
    yield from serving(build_services(Settings(home=home), embedder))


def metrics(service: Service) -> dict[str, float]:
    lines = service.http.get("/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_a_request_has_an_id_which_the_caller_may_give(service: Service) -> None:
    fresh = service.http.get("/healthz").headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", fresh)
    given = service.http.get("/healthz", headers={"X-Request-ID": "trace-7.1"})
    assert given.headers["x-request-id"] == "trace-7.1"
    hostile = service.http.get("/healthz", headers={"X-Request-ID": 'a"b' * 99})
    assert re.fullmatch(r"[0-9a-f]{32}", hostile.headers["x-request-id"])
    refused = service.http.post("/v1/answers", content=b"{", headers={"X-Request-ID": "t"})
    assert (refused.status_code, refused.headers["x-request-id"]) == (415, "t")


def test_what_was_answered_is_counted_by_outcome_stage_and_verdict(service: Service) -> None:
    before = metrics(service)
    service.ask()
    service.ask("Who won the chess championship of 1972?")
    for _ in range(2):
        body = {"datanet": "nature", "question": QUESTION}
        service.post("/v1/answers", body, **{"Idempotency-Key": "counted"})
    service.http.get("/v1/answers/nothing")
    service.http.get("/nowhere")
    after = metrics(service)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more('footnote_answers_total{datanet="nature",outcome="answered"}') == 2
    assert more('footnote_answers_total{datanet="nature",outcome="refused"}') == 1
    assert more("footnote_answers_again_total") == 1
    assert more('footnote_claims_total{verdict="supported"}') >= 2
    for stage in ("retrieve", "evidence", "draft", "record"):
        assert more(f'footnote_answer_stage_seconds_count{{stage="{stage}"}}') == 3
    named = 'footnote_request_seconds_count{{method="{}",route="{}",status="{}"}}'
    assert more(named.format("POST", "/v1/answers", 200)) == 4
    assert more(named.format("GET", "/v1/answers/{answer_id}", 404)) == 1
    assert more(named.format("any", "none", 404)) == 1, "no path of a stranger becomes a label"
    assert after["footnote_answers_under_way"] == 0


def lines_of(home: Path, form: str, body: dict[str, Any]) -> list[str]:
    """What a service of its own logs while it answers and refuses."""
    port = free_port()
    environment = clean_environment() | {
        "FOOTNOTE_HOME": str(home), "FOOTNOTE_LOG_FORMAT": form, "FOOTNOTE_LOG_REQUESTS": "true",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port)],
        env=environment, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                httpx.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        headers = {"X-Request-ID": "asked-1"}
        assert httpx.post(f"{url}/v1/answers", json=body, headers=headers).status_code == 200
        assert httpx.post(f"{url}/v1/answers", json=body | {"x": QUESTION}).status_code == 422
    finally:
        process.terminate()
        _, logged = process.communicate(timeout=30)
    return [line for line in logged.splitlines() if line]


def test_a_log_tells_each_request_and_never_what_was_asked(home: Path) -> None:
    body = {"datanet": "nature", "question": "What does the waggle dance CANARY show?"}
    lines = lines_of(home, "json", body)
    assert not any("CANARY" in line or "waggle" in line for line in lines)
    told = [json.loads(line) for line in lines if line.startswith("{")]
    (asked,) = [one for one in told if one.get("request_id") == "asked-1"]
    assert asked["event"] == "request"
    assert (asked["method"], asked["route"], asked["status"]) == ("POST", "/v1/answers", 200)
    assert asked["milliseconds"] > 0
    assert asked["level"] == "info"
    as_text = [line for line in lines_of(home, "text", body) if "request_id=asked-1" in line]
    assert len(as_text) == 1
    assert "status=200" in as_text[0]


def test_a_model_server_that_is_away_is_named_as_degraded(
    home: Path, embedder: SentenceTransformerEmbedder
) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    settings = Settings(
        home=home, openlora_url=url, openlora_model="gone", openlora_timeout_seconds=0.2
    )
    for service in serving(build_services(settings, embedder)):

        def parts(running: Service = service) -> set[str]:
            return {one["part"] for one in running.http.get("/readyz").json()["degraded"]}

        assert "openlora" not in parts()
        body = {"datanet": "nature", "question": QUESTION, "answerer": "openlora"}
        assert [service.post("/v1/answers", body).status_code for _ in range(5)] == [503] * 5
        assert "openlora" in parts()
        assert service.ask()["citations"], "what needs no model is answered all the same"
