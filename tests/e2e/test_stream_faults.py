"""Streams whose client, model server or time runs out: nothing hangs, leaks or is owed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from api import streaming
from api.app import build_services
from api.keys import Wish, new_key
from api.turns import Turns
from footnote.settings import Settings
from rag.answerer import Found
from rag.answering.draft import Told
from rag.models.embedder import SentenceTransformerEmbedder
from tests.e2e.test_api import QUESTION, Service, ingest, problem, serving
from tests.e2e.test_streaming import DANCE, asking, events_of, read
from tests.scripted_model import BASE, COMMENT, ScriptedModel, scripted

PATIENCE_SECONDS = 2.0


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted() as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    ingest(folder, embedder)
    return folder


@pytest.fixture
def service(
    home: Path, tmp_path: Path, embedder: SentenceTransformerEmbedder, model: ScriptedModel
) -> Iterator[Service]:
    settings = Settings(
        home=home, openlora_url=model.url, openlora_model=BASE,
        openlora_timeout_seconds=PATIENCE_SECONDS,
        journal_url=f"sqlite:///{tmp_path / 'journal.sqlite'}",
    )  # fmt: skip
    services = replace(build_services(settings, embedder), turns=Turns(2, waiting=4))
    yield from serving(services)


def hearing() -> int:
    return sum(thread.name == "hear the model" for thread in threading.enumerate())


def settles(seconds: float, is_so: Any) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.05)
    return False


def test_json_without_end_from_a_model_server_is_an_error_and_not_the_end_of_the_service(
    service: Service, model: ScriptedModel
) -> None:
    model.first = "data: " + "[" * 100_000 + "\n\n"
    assert events_of(service, asking())[-1]["type"] == "error"
    assert service.http.get("/healthz").status_code == 200


def test_a_line_that_only_comments_is_cut_at_the_deadline(
    service: Service, model: ScriptedModel
) -> None:
    model.first = COMMENT
    before = len(psutil.Process().net_connections())
    began = time.monotonic()
    events = events_of(service, asking())
    assert events[-1]["type"] == "error"
    assert time.monotonic() - began < 3 * PATIENCE_SECONDS
    assert model.left.wait(5), "the model server was not told"
    assert settles(5, lambda: hearing() == 0), "a thread still listens"
    assert settles(5, lambda: len(psutil.Process().net_connections()) <= before + 1)


def test_whoever_leaves_before_the_first_claim_frees_the_turn_at_once(
    service: Service, model: ScriptedModel
) -> None:
    model.first = COMMENT
    for _ in range(2):
        with service.http.stream("POST", "/v1/answers", json=asking()) as response:
            next(read(response))
    assert model.left.wait(5)
    began = time.monotonic()
    assert service.post("/v1/answers", asking("extractive", stream=False)).status_code == 200
    assert time.monotonic() - began < PATIENCE_SECONDS


def test_a_question_whose_asker_left_before_its_turn_is_never_asked(
    service: Service, model: ScriptedModel
) -> None:
    model.first = COMMENT
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(service.post, "/v1/answers", asking(stream=False)) for _ in range(2)]
        assert settles(5, lambda: len(model.asked) == 2)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{service.url}/v1/answers", json=asking(stream=False), timeout=0.7)
        for one in waiting:
            problem(one.result(), 503)
    model.first = None
    time.sleep(0.5)
    assert len(model.asked) == 2


def test_half_of_the_turns_are_for_others(
    service: Service, model: ScriptedModel, embedder: SentenceTransformerEmbedder
) -> None:
    model.first = COMMENT
    keys = []
    for _ in range(2):
        shown, kept = new_key(Wish("a test"))
        service.services.journal.create_key(kept)
        keys.append({"Authorization": f"Bearer {shown}"})
    greedy, modest = keys
    time.sleep(2.1)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(
                httpx.post, f"{service.url}/v1/answers", json=asking(stream=False),
                headers=greedy, timeout=30,
            )  # fmt: skip
        assert settles(5, lambda: len(model.asked) == 1)
        began = time.monotonic()
        body = asking("extractive", stream=False)
        answer = httpx.post(f"{service.url}/v1/answers", json=body, headers=modest, timeout=30)
        assert answer.status_code == 200
        assert time.monotonic() - began < PATIENCE_SECONDS / 2
        model.first = None


def test_who_leaves_before_the_end_has_asked_all_the_same(
    service: Service, model: ScriptedModel
) -> None:
    model.replies, model.pause_seconds = [f"{DANCE} " * 20], 0.01
    shown, kept = new_key(Wish("a test", questions_per_day=2))
    service.services.journal.create_key(kept)
    headers = {"Authorization": f"Bearer {shown}"}
    for _ in range(2):
        with service.http.stream("POST", "/v1/answers", json=asking(), headers=headers) as response:
            for event in read(response):
                if event["type"] == "claim.completed":
                    break
    model.left.wait(5)
    problem(service.http.post("/v1/answers", json=asking(), headers=headers), 429, "quota-spent")


def test_of_many_at_once_no_more_are_told_than_the_quota_allows(
    service: Service, model: ScriptedModel
) -> None:
    model.replies = [DANCE]
    shown, kept = new_key(Wish("a test", questions_per_day=1))
    service.services.journal.create_key(kept)
    headers = {"Authorization": f"Bearer {shown}"}

    def ask(_: int) -> int:
        return httpx.post(
            f"{service.url}/v1/answers", json=asking(), headers=headers, timeout=30
        ).status_code

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(ask, range(3))) == [200, 429, 429]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Bees dance in the meadow. It also shows the", "Bees dance in the meadow."),
        (f"{DANCE} Bees", DANCE),
        ("\n\nThe bees dance", None),
    ],
)
def test_a_reply_that_was_cut_off_is_the_same_streamed_or_not(
    service: Service, model: ScriptedModel, finish: str, reply: str, text: str | None
) -> None:
    model.finish, model.replies = finish, [reply]
    *_, last = events_of(service, asking())
    whole = service.post("/v1/answers", asking(stream=False))
    if text is None:
        assert last["type"] == "error"
        problem(whole, 500)
    else:
        assert last["answer"]["text"] == whole.json()["text"]
        assert last["answer"]["text"].startswith(text[:20])
        assert last["answer"]["text"][-9:] != "shows the"


def test_a_quiet_line_is_kept_open(
    service: Service, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "QUIET_SECONDS", 0.1)
    model.replies, model.pause_seconds = [DANCE], 0.05
    with service.http.stream("POST", "/v1/answers", json=asking()) as response:
        lines = list(response.iter_lines())
    assert ": still at it" in lines
    assert lines[-2:] == ["data: [DONE]", ""]


def test_whoever_leaves_between_the_last_claim_and_the_commit_owes_nothing(
    service: Service, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.replies = [DANCE]
    check, hear = streaming.Telling.check, streaming.Telling.hear
    told = threading.Event()

    def heard(self: streaming.Telling, part: Found | Told | None) -> None:
        hear(self, part)
        if isinstance(part, Told):
            told.set()

    def slow(self: streaming.Telling) -> None:
        if told.is_set():
            self.left.wait(10)
        check(self)

    monkeypatch.setattr(streaming.Telling, "hear", heard)
    monkeypatch.setattr(streaming.Telling, "check", slow)
    with service.http.stream("POST", "/v1/answers", json=asking()) as response:
        events = read(response)
        answer_id = next(events)["answer_id"]
        while next(events)["type"] != "claim.completed":
            pass
    time.sleep(0.5)
    problem(service.http.get(f"/v1/answers/{answer_id}"), 404)


def test_the_same_key_at_once_gives_one_answer(service: Service, model: ScriptedModel) -> None:
    model.replies, model.pause_seconds = [DANCE], 0.02
    headers = {"Idempotency-Key": "at-once"}

    def ask(_: int) -> httpx.Response:
        return httpx.post(
            f"{service.url}/v1/answers", json={"datanet": "nature", "question": QUESTION,
            "answerer": "openlora"}, headers=headers, timeout=30,
        )  # fmt: skip

    with ThreadPoolExecutor(3) as pool:
        statuses = sorted(reply.status_code for reply in pool.map(ask, range(3)))
    assert statuses[0] == 200
    assert set(statuses) <= {200, 409}
    assert len(model.asked) == 1
