"""OpenAI's own client against the service, unchanged: whole, streamed, refused and wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from api import schemas
from api.app import build_services
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from tests.e2e.test_api import QUESTION, Service, ingest, serving


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder
) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("chat")
    ingest(home, embedder)
    yield from serving(build_services(Settings(home=home), embedder))


@pytest.fixture(scope="module")
def client(service: Service) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)


def asked(text: object = QUESTION) -> Any:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


def stored(service: Service, answer_id: str) -> dict[str, Any]:
    body: dict[str, Any] = service.http.get(f"/v1/answers/{answer_id}").json()
    return body


def test_a_completion_is_the_stored_answer_with_its_citations_as_annotations(
    service: Service, client: openai.OpenAI
) -> None:
    reply = client.chat.completions.create(model="nature", messages=asked(), temperature=0.2)
    (choice,) = reply.choices
    answer = stored(service, reply.id)
    assert choice.message.content == answer["text"]
    assert "[1]" in answer["text"]
    assert choice.message.annotations is not None
    assert len(choice.message.annotations) == len(answer["citations"]) >= 1
    for annotation, citation in zip(choice.message.annotations, answer["citations"], strict=True):
        cited = annotation.url_citation
        assert cited.title == citation["source"]["title"] == "How bees find their way"
        assert answer["text"][cited.start_index : cited.end_index].endswith(
            f"[{citation['marker']}]"
        )
        assert cited.url == f"{service.url}/evidence/{reply.id}/{citation['id']}"
        assert "<title>Footnote</title>" in httpx.get(cited.url).text
    extra = choice.message.model_extra
    assert extra is not None
    assert extra["footnote"]["receipt"] == answer["receipt"]


def test_a_stream_folds_into_the_stored_answer(service: Service, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="nature", messages=asked(), stream=True, stream_options={"include_usage": True}
    )
    text, seen, last, usage, ids = "", [], None, None, set()
    for chunk in stream:
        ids.add(chunk.id)
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            extra = choice.delta.model_extra or {}
            if choice.finish_reason is None:
                seen += extra.get("annotations", [])
            else:
                last = extra
    (answer_id,) = ids
    answer = stored(service, answer_id)
    assert text == answer["text"]
    assert last is not None
    assert last["annotations"] == seen
    assert last["footnote"]["claims"] == answer["claims"]
    assert usage is not None
    assert usage.total_tokens == 0


def test_a_conversation_asks_its_last_message_and_parts_of_text_are_joined(
    service: Service, client: openai.OpenAI
) -> None:
    turns = [*asked("How hot is green tea brewed?"), {"role": "assistant", "content": "Hot."}]
    parts = [
        {"type": "text", "text": "What does the waggle dance"},
        {"type": "text", "text": "show?"},
    ]
    reply = client.chat.completions.create(model="nature", messages=[*turns, *asked(parts)])
    assert stored(service, reply.id)["question"] == "What does the waggle dance\nshow?"


def test_a_refusal_is_a_message_that_says_why(client: openai.OpenAI) -> None:
    question = "Who won the cup final of 1954?"
    reply = client.chat.completions.create(model="nature", messages=asked(question))
    message = reply.choices[0].message
    assert message.annotations == []
    assert message.model_extra is not None
    assert message.model_extra["footnote"]["refused"] is True
    assert message.content == message.model_extra["footnote"]["refusal_reason"]


def test_the_same_key_gives_the_same_answer(client: openai.OpenAI) -> None:
    headers = {"Idempotency-Key": "chat-1"}
    one, other = (
        client.chat.completions.create(model="nature", messages=asked(), extra_headers=headers)
        for _ in range(2)
    )
    assert one.id == other.id


def test_what_cannot_be_answered_is_a_clear_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no such Datanet"):
        client.chat.completions.create(model="nobody", messages=asked())
    with pytest.raises(openai.NotFoundError, match="is not set up here"):
        client.chat.completions.create(model="nature:lora", messages=asked())
    with pytest.raises(openai.UnprocessableEntityError, match="no message of a user"):
        client.chat.completions.create(model="nature", messages=asked()[:1])
    picture = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(openai.UnprocessableEntityError, match="a message that is no text"):
        client.chat.completions.create(model="nature", messages=asked(picture))
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="nature", messages=asked(), n=2)


def test_the_datanets_are_the_models(service: Service, client: openai.OpenAI) -> None:
    (model,) = client.models.list()
    assert model.id == "nature"
    assert model.created > 1_700_000_000
    schemas.ModelList.model_validate_json(service.http.get("/v1/models").content, strict=True)


def test_a_completion_keeps_to_its_schema(service: Service) -> None:
    body = {"model": "nature", "messages": asked()}
    response = service.post("/v1/chat/completions", body)
    schemas.ChatCompletion.model_validate_json(response.content, strict=True)
    streamed = service.post("/v1/chat/completions", body | {"stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.endswith("data: [DONE]\n\n")


def test_langchains_client_reads_the_answer_and_its_citations(
    service: Service,
) -> None:
    model = ChatOpenAI(model="nature", base_url=f"{service.url}/v1", api_key=SecretStr("none"))
    whole = model.invoke(QUESTION)
    assert "[1]" in str(whole.content)
    answer = stored(service, str(whole.response_metadata["id"]))
    assert whole.text == answer["text"]
    assert "".join(chunk.text for chunk in model.stream(QUESTION)) == answer["text"]
