"""Answers told while they are made: the order of events, the fold, leaving, and what goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from api import schemas
from api.app import build_services
from api.turns import Turns
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from tests.e2e.test_api import QUESTION, Service, ingest, problem, serving
from tests.scripted_model import BASE, ScriptedModel, scripted

DANCE = "The waggle dance shows the direction of the meadow and its distance [1]."
WRONG = "Bees find their way home by the moon [1]."
REPLY = f"{DANCE} {WRONG} Who would not dance?"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(model: ScriptedModel) -> None:
    model.replies, model.pause_seconds, model.breaks_after = [REPLY], 0.0, None
    model.asked, model.words_sent = [], 0
    model.left.clear()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    model: ScriptedModel,
) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("streaming")
    ingest(home, embedder)
    settings = Settings(
        home=home, openlora_url=model.url, openlora_model=BASE, openlora_timeout_seconds=10
    )
    yield from serving(build_services(settings, embedder))


def read(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, which ends with [DONE]; numbered and named as their data say."""
    for number, block in enumerate(_blocks(response)):
        if block == ["data: [DONE]"]:
            return
        shown = dict(line.split(": ", 1) for line in block)
        body = json.loads(shown["data"])
        assert (shown["id"], shown["event"]) == (str(number), body["type"])
        assert body["sequence_number"] == number
        schemas.AnswerEvent.model_validate(body)
        yield body
    raise AssertionError("no [DONE]")


def _blocks(response: httpx.Response) -> Iterator[list[str]]:
    block: list[str] = []
    for line in response.iter_lines():
        if line:
            block.append(line)
        elif block:
            yield block
            block = []


def asking(answerer: str = "openlora", **more: Any) -> dict[str, Any]:
    body = {"datanet": "nature", "question": QUESTION, "answerer": answerer, "stream": True}
    return body | more


def events_of(service: Service, body: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    with service.http.stream("POST", "/v1/answers", json=body, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(read(response))


def without_rewards(citation: dict[str, Any]) -> dict[str, Any]:
    people = [{k: v for k, v in p.items() if k != "amount"} for p in citation["contributors"]]
    return {k: v for k, v in citation.items() if k != "reward"} | {"contributors": people}


def assert_folds(events: list[dict[str, Any]], service: Service) -> dict[str, Any]:
    """The events add up to the answer that is stored, which the last of them holds."""
    first, *middle, last = events
    assert (first["type"], last["type"]) == ("retrieval", "answer.completed")
    answer: dict[str, Any] = last["answer"]
    stored = service.http.get(f"/v1/answers/{answer['id']}").json()
    for citation in [*stored["citations"], *answer["citations"]]:
        citation["reward"].pop("status")
    assert answer == stored
    assert first["answer_id"] == answer["id"]
    assert [hit | {"used": None} for hit in first["retrieved"]] == [
        hit | {"used": None} for hit in answer["retrieved"]
    ]
    assert "".join(e["delta"] for e in middle if e["type"] == "text.delta") == answer["text"]
    assert [e["claim"] for e in middle if e["type"] == "claim.completed"] == answer["claims"]
    told = [e["citation"] for e in middle if e["type"] == "citation.verified"]
    assert told == [without_rewards(one) for one in answer["citations"]]
    return answer


@pytest.mark.parametrize("answerer", ["openlora", "extractive"])
def test_the_folded_stream_is_the_stored_answer(service: Service, answerer: str) -> None:
    answer = assert_folds(events_of(service, asking(answerer)), service)
    assert answer["citations"]


def test_events_come_in_one_order(service: Service) -> None:
    types = [event["type"] for event in events_of(service, asking())]
    a_claim = ["text.delta", "claim.completed", "citation.verified"]
    assert types == ["retrieval", *a_claim, *a_claim, "text.delta", "answer.completed"]
    verdicts = [
        e["citation"]["verdict"]
        for e in events_of(service, asking())
        if e["type"] == "citation.verified"
    ]
    assert verdicts[0] == "supported"
    assert verdicts[1] != "supported", "a claim that does not hold is told as what it is"


def test_a_refusal_is_told_as_a_stream_too(service: Service, model: ScriptedModel) -> None:
    model.replies = ["NO ANSWER"]
    events = events_of(service, asking())
    assert [e["type"] for e in events] == ["retrieval", "text.delta", "answer.completed"]
    assert assert_folds(events, service)["refused"]


def test_a_claim_is_told_while_the_model_writes_on(service: Service, model: ScriptedModel) -> None:
    model.pause_seconds = 0.05
    model.replies = [f"{DANCE} " * 8]
    with service.http.stream("POST", "/v1/answers", json=asking()) as response:
        for event in read(response):
            if event["type"] == "claim.completed":
                break
        assert model.words_sent < 40, "of more than a hundred"


def test_whoever_leaves_early_ends_the_model_and_owes_nothing(
    service: Service, model: ScriptedModel
) -> None:
    model.pause_seconds = 0.02
    model.replies = [f"{DANCE} " * 100]
    with service.http.stream("POST", "/v1/answers", json=asking()) as response:
        events = read(response)
        answer_id = next(events)["answer_id"]
        while next(events)["type"] != "citation.verified":
            pass
    assert model.left.wait(5), "the model was left alone"
    assert model.words_sent < 200
    time.sleep(0.2)
    problem(service.http.get(f"/v1/answers/{answer_id}"), 404)


def test_a_model_that_breaks_off_ends_the_stream_with_an_error_and_owes_nothing(
    service: Service, model: ScriptedModel
) -> None:
    model.breaks_after = 20
    model.replies = [f"{DANCE} " * 8]
    events = events_of(service, asking())
    assert events[-1]["type"] == "error"
    assert events[-1]["problem"]["type"].endswith("unavailable")
    assert "answer.completed" not in [event["type"] for event in events]
    problem(service.http.get(f"/v1/answers/{events[0]['answer_id']}"), 404)


def test_what_cannot_be_asked_has_a_status_of_its_own(service: Service) -> None:
    problem(service.post("/v1/answers", asking(datanet="nobody")), 404)
    problem(service.post("/v1/answers", asking(question=" ")), 422, "empty-question")


def test_the_same_key_tells_the_stored_answer_again(service: Service) -> None:
    for answerer in ("openlora", "extractive"):
        key = {"Idempotency-Key": f"stream-{answerer}"}
        first = events_of(service, asking(answerer), **key)
        again = events_of(service, asking(answerer), **key)
        for events in (first, again):
            assert_folds(events, service)
        assert first == again


def test_an_openai_client_reads_a_models_words_while_they_come(
    service: Service, model: ScriptedModel
) -> None:
    model.pause_seconds = 0.02
    model.replies = [f"{DANCE} " * 5]
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)
    settings = service.services.settings
    assert settings.answerer == "extractive"
    stream = client.chat.completions.create(
        model="nature", messages=[{"role": "user", "content": QUESTION}], stream=True,
        extra_body={"answerer": "openlora"},
    )  # fmt: skip
    seen_at: list[int] = []
    text, annotations = "", []
    for chunk in stream:
        delta = chunk.choices[0].delta
        if delta.content:
            seen_at.append(model.words_sent)
            text += delta.content
        if chunk.choices[0].finish_reason is None:
            annotations += (delta.model_extra or {}).get("annotations", [])
    assert seen_at[0] < 30
    answer = service.http.get(f"/v1/answers/{chunk.id}").json()
    assert text == answer["text"]
    assert [one["url_citation"]["url"].rpartition("/")[2] for one in annotations] == [
        one["id"] for one in answer["citations"]
    ]


def test_a_stream_that_fails_raises_in_an_openai_client(
    service: Service, model: ScriptedModel
) -> None:
    model.breaks_after = 20
    model.replies = [f"{DANCE} " * 8]
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)
    stream = client.chat.completions.create(
        model="nature", messages=[{"role": "user", "content": QUESTION}], stream=True,
        extra_body={"answerer": "openlora"},
    )  # fmt: skip
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)


def test_earlier_turns_say_what_the_last_question_means(
    service: Service, model: ScriptedModel
) -> None:
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)
    model.replies = [QUESTION, REPLY]
    reply = client.chat.completions.create(
        model="nature",
        messages=[
            {"role": "user", "content": "Tell me of the waggle dance of a bee."},
            {"role": "assistant", "content": "It is a dance."},
            {"role": "user", "content": "What does it show?"},
        ],
        extra_body={"answerer": "openlora"},
    )
    restating, answering = model.asked
    assert "It is a dance." in restating[-1]["content"]
    assert QUESTION in answering[-1]["content"]
    assert service.http.get(f"/v1/answers/{reply.id}").json()["question"] == QUESTION
    model.replies = ["???", REPLY]
    messages = [{"role": "user", "content": "Hello."}, {"role": "user", "content": QUESTION}]
    body = {"model": "nature", "messages": messages, "answerer": "openlora"}
    reply_id = service.post("/v1/chat/completions", body).json()["id"]
    stored = service.http.get(f"/v1/answers/{reply_id}").json()
    assert stored["question"] == QUESTION, "what is no question is not asked"


def test_too_many_who_wait_are_told_so_at_once(
    service: Service, model: ScriptedModel, embedder: SentenceTransformerEmbedder
) -> None:
    narrow = replace(service.services, turns=Turns(1, waiting=0))
    model.pause_seconds = 0.05
    for running in serving(narrow):
        with running.http.stream("POST", "/v1/answers", json=asking()) as response:
            next(read(response))
            refused = httpx.post(f"{running.url}/v1/answers", json=asking())
            body = problem(refused, 503, "overloaded")
            assert "Retry-After" in refused.headers, body
