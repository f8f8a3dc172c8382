"""What any multi-LoRA server must do for Footnote, asked with the official ``openai`` client.

Runs over our own server with random tiny models. To ask another one, name it:

    OPENLORA_URL=http://…/v1 OPENLORA_BASE=… OPENLORA_ADAPTERS=one,two [OPENLORA_ADMIN_TOKEN=…]
    [OPENLORA_ADAPTER_PATH=…, a third adapter's folder as that server sees it]
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from cli.stack import FOOTNOTE, Stack, clean_environment, free_port
from footnote.errors import Broken
from rag.models.llm import OpenAIChatModel
from tests.tiny_models import BASE, write_adapter, write_base

TOKEN = "let-me-in"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``spare`` is an adapter's folder that no name stands for yet, ``models``
    where our own server's models lie."""

    url: str
    base: str
    adapters: tuple[str, ...]
    admin_token: str
    spare: str
    models: Path | None = None

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    def admin(self, route: str, **body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return httpx.post(f"{self.url}/{route}", json=body, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if url := os.environ.get("OPENLORA_URL"):
        yield Server(
            url,
            os.environ["OPENLORA_BASE"],
            tuple(os.environ["OPENLORA_ADAPTERS"].split(",")),
            os.environ.get("OPENLORA_ADMIN_TOKEN", ""),
            os.environ.get("OPENLORA_ADAPTER_PATH", ""),
        )
        return
    folder = tmp_path_factory.mktemp("openlora")
    base = write_base(folder / BASE)
    for number in range(4):
        write_adapter(folder / "adapters" / f"adapter-{number}", base, seed=number)
    write_adapter(folder / "spare", base, seed=9)
    (folder / "token").write_text(TOKEN + "\n")
    port = free_port()
    with Stack(folder, clean_environment() | {"OMP_NUM_THREADS": "1"}) as stack:
        stack.start(
            "openlora",
            [*FOOTNOTE, "openlora", "serve", "--base", str(base), "--adapters",
             str(folder / "adapters"), "--port", str(port), "--admin-token-file",
             str(folder / "token")],
        )  # fmt: skip
        stack.wait_http(f"http://127.0.0.1:{port}/health")
        names = tuple(f"adapter-{number}" for number in range(4))
        url = f"http://127.0.0.1:{port}/v1"
        yield Server(url, BASE, names, TOKEN, str(folder / "spare"), folder)


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def said(client: openai.OpenAI, model: str, text: str = "Tell me.", most: int = 12) -> str:
    reply = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        max_tokens=most,
        temperature=0,
    )
    return reply.choices[0].message.content or ""


def test_the_base_and_each_adapter_answer_under_their_names_and_differ(
    client: openai.OpenAI, server: Server
) -> None:
    replies = {name: said(client, name) for name in (server.base, *server.adapters)}
    assert len(set(replies.values())) == len(replies)
    again = {name: said(client, name) for name in reversed((server.base, *server.adapters))}
    assert again == replies


def test_models_are_listed_with_their_folder_and_their_base(
    client: openai.OpenAI, server: Server
) -> None:
    said(client, server.adapters[0])
    cards = {card.id: card.model_dump() for card in client.models.list()}
    assert cards[server.base]["parent"] is None
    assert cards[server.adapters[0]]["parent"] == server.base
    assert cards[server.adapters[0]]["root"].endswith(server.adapters[0])
    assert cards[server.adapters[0]]["object"] == "model"


def test_a_reply_counts_its_tokens_and_says_why_it_ended(
    client: openai.OpenAI, server: Server
) -> None:
    reply = client.chat.completions.create(
        model=server.adapters[0],
        messages=[{"role": "user", "content": "Tell me."}],
        max_tokens=5,
        temperature=0,
        extra_body={"ignore_eos": True},
    )
    assert reply.object == "chat.completion"
    assert reply.model == server.adapters[0]
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 5
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + 5


def test_every_reply_names_the_bases_files_by_hash(client: openai.OpenAI, server: Server) -> None:
    if server.models is None:
        pytest.skip("only our own server does")
    whole = hashlib.sha256()
    files = sorted((server.models / BASE).iterdir())
    assert {"chat_template.jinja", "config.json", "tokenizer.json"} < {one.name for one in files}
    for file in files:
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    for model in (server.base, server.adapters[0]):
        reply = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Tell me."}], max_tokens=1
        )
        assert reply.system_fingerprint == f"sha256:{whole.hexdigest()}"
    asked = OpenAIChatModel(server.url, server.base, api_key=None, timeout_seconds=60)
    assert asked.base == BASE
    asked.complete([("user", "Tell me.")], server.adapters[0])
    assert asked.base == f"{BASE}@sha256:{whole.hexdigest()}"
    heard = OpenAIChatModel(server.url, server.base, api_key=None, timeout_seconds=60)
    with suppress(Broken):  # what it says may have no end
        list(heard.stream([("user", "Tell me.")], server.adapters[0]))
    assert heard.base == asked.base, "a receipt names the same model, streamed or not"


def test_a_stream_says_the_same_in_pieces_and_ends_with_its_usage(
    client: openai.OpenAI, server: Server
) -> None:
    whole = said(client, server.adapters[1], most=20)
    chunks = list(
        client.chat.completions.create(
            model=server.adapters[1],
            messages=[{"role": "user", "content": "Tell me."}],
            max_tokens=20,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole
    assert len([piece for piece in pieces if piece]) > 1
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert [reason for reason in reasons if reason] in (["length"], ["stop"])
    assert len({chunk.id for chunk in chunks}) == 1
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_many_at_once_get_what_each_gets_alone(client: openai.OpenAI, server: Server) -> None:
    asked = [
        (name, "Tell me about " + "bells " * count)
        for name in (server.base, *server.adapters)
        for count in range(6)
    ]
    alone = [said(client, name, text) for name, text in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(lambda pair: said(client, *pair), asked))
    assert together == alone


def test_a_seed_repeats_what_it_drew_whoever_shares_the_batch(
    client: openai.OpenAI, server: Server
) -> None:
    def drawn(seed: int) -> str:
        reply = client.completions.create(
            model=server.adapters[0], prompt="Tell", max_tokens=12, temperature=1.0, seed=seed
        )
        return reply.choices[0].text

    first = drawn(7)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(drawn, [7, 8, 9, 10, 7]))[0::4] == [first, first]
    assert len({drawn(seed) for seed in range(5)}) > 1


def test_a_stop_string_ends_a_reply_before_itself(client: openai.OpenAI, server: Server) -> None:
    def completed(stop: list[str] | None) -> tuple[str, str]:
        (choice,) = client.completions.create(
            model=server.base, prompt="Tell me", max_tokens=24, temperature=0, stop=stop
        ).choices
        return choice.text, choice.finish_reason

    whole, _ = completed(None)
    middle = whole[len(whole) // 2 :][:3]
    assert completed([middle]) == (whole[: whole.index(middle)], "stop")


def test_log_probabilities_name_the_chosen_token_and_the_likeliest(
    client: openai.OpenAI, server: Server
) -> None:
    reply = client.chat.completions.create(
        model=server.adapters[0],
        messages=[{"role": "user", "content": "Tell me."}],
        max_tokens=3,
        temperature=0,
        logprobs=True,
        top_logprobs=2,
    )
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content
    for token in logprobs.content:
        assert token.logprob <= 0
        assert token.top_logprobs[0].logprob == token.logprob
        assert len(token.top_logprobs) == 2


def test_a_prompt_is_scored_without_generating(client: openai.OpenAI, server: Server) -> None:
    reply = client.completions.create(
        model=server.adapters[0], prompt="Tell me about bells.", max_tokens=0, echo=True, logprobs=1
    )
    (choice,) = reply.choices
    assert choice.text == "Tell me about bells."
    assert choice.logprobs is not None
    assert choice.logprobs.tokens is not None
    assert choice.logprobs.token_logprobs is not None
    assert "".join(choice.logprobs.tokens) == choice.text
    assert choice.logprobs.token_logprobs[0] is None
    assert all(value < 0 for value in choice.logprobs.token_logprobs[1:])
    assert choice.logprobs.text_offset == [
        len("".join(choice.logprobs.tokens[:n])) for n in range(len(choice.logprobs.tokens))
    ]


def merged(models: Path, adapter: str | None) -> torch.nn.Module:
    """The base with an adapter's products added to its weights, by nobody's code but this."""
    model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
        models / BASE, dtype=torch.float32
    )
    if adapter is not None:
        folder = models / "adapters" / adapter
        config = json.loads((folder / "adapter_config.json").read_text())
        weights = load_file(folder / "adapter_model.safetensors")
        for name in [name for name in weights if name.endswith("lora_A.weight")]:
            a, b = weights[name], weights[name.replace("lora_A", "lora_B")]
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            model.get_submodule(module).weight.data += config["lora_alpha"] / config["r"] * (b @ a)
    return model.eval()


@pytest.mark.parametrize("adapter", [None, "adapter-0", "adapter-3"])
def test_a_completions_score_is_what_the_weights_say_token_by_token(
    server: Server, client: openai.OpenAI, adapter: str | None
) -> None:
    if server.models is None:
        pytest.skip("another server's weights are not at hand")
    prompt, completion = "Tell me about ", "bells, and the tower in which they hang."
    tokenizer = AutoTokenizer.from_pretrained(server.models / BASE)
    coded = tokenizer(prompt + completion, return_offsets_mapping=True)
    ids, spans = coded["input_ids"], coded["offset_mapping"]
    with torch.inference_mode():
        logits = merged(server.models, adapter)(torch.tensor([ids])).logits[0]
    logprobs = torch.log_softmax(logits.double(), dim=-1)
    expected = [float(logprobs[at, token]) for at, token in enumerate(ids[1:])]

    told = client.completions.create(
        model=adapter or BASE, prompt=prompt + completion, max_tokens=0, echo=True, logprobs=0
    )
    found = told.choices[0].logprobs
    assert found is not None
    assert found.token_logprobs is not None
    assert found.token_logprobs[1:] == pytest.approx(expected, abs=1e-4)

    model = OpenAIChatModel(server.url, server.base, api_key=None, timeout_seconds=60)
    own = [value for value, (_, end) in zip(expected, spans[1:], strict=True) if end > len(prompt)]
    assert len(own) > 10
    assert model.score(prompt, completion, adapter) == pytest.approx(sum(own), abs=1e-4 * len(own))


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [
        ("Das Café heißt ", "é, schön."),
        ("日本語 ", "日本語で。"),
        ("Bells 🔔", "🏯 ring"),
        ("Bells", " ring — «so»"),
    ],
)
def test_a_score_counts_characters_whatever_bytes_they_take(
    server: Server, client: openai.OpenAI, prompt: str, completion: str
) -> None:
    if server.models is None:
        pytest.skip("another server's weights are not at hand")
    tokenizer = AutoTokenizer.from_pretrained(server.models / BASE)
    coded = tokenizer(prompt + completion, return_offsets_mapping=True)
    ids, spans = coded["input_ids"], coded["offset_mapping"]
    with torch.inference_mode():
        logits = merged(server.models, None)(torch.tensor([ids])).logits[0]
    logprobs = torch.log_softmax(logits.double(), dim=-1)
    own = [
        float(logprobs[at, token])
        for at, (token, (_, end)) in enumerate(zip(ids[1:], spans[1:], strict=True))
        if end > len(prompt)
    ]
    model = OpenAIChatModel(server.url, server.base, api_key=None, timeout_seconds=60)
    assert model.score(prompt, completion) == pytest.approx(sum(own), abs=1e-4 * len(own))
    for given in (prompt + completion, ids):
        reply = client.completions.create(
            model=BASE, prompt=given, max_tokens=0, echo=True, logprobs=0
        )
        found = reply.choices[0].logprobs
        assert found is not None
        assert found.text_offset == [start for start, _ in spans]


def test_several_prompts_of_one_request_are_answered_in_their_order(
    client: openai.OpenAI, server: Server
) -> None:
    def completed(prompt: str | list[str]) -> list[str]:
        reply = client.completions.create(
            model=server.adapters[2], prompt=prompt, max_tokens=6, temperature=0
        )
        assert [choice.index for choice in reply.choices] == list(range(len(reply.choices)))
        return [choice.text for choice in reply.choices]

    if len(server.adapters) < 3:
        pytest.skip("OPENLORA_ADAPTERS names fewer than three")
    prompts = ["Tell me", "Bells ring at noon", "Who"]
    assert completed(prompts) == [text for prompt in prompts for text in completed(prompt)]


@pytest.mark.parametrize(
    "name", ["nobody", "../adapters/adapter-0", "a/../b", "/etc", "", "a" * 999]
)
def test_an_unknown_model_is_not_found_and_no_name_is_a_path(
    client: openai.OpenAI, name: str
) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        said(client, name)
    assert raised.value.status_code == 404
    assert raised.value.type == "NotFoundError"
    if name == "nobody":
        assert raised.value.body == {
            "message": "The model `nobody` does not exist.",
            "type": "NotFoundError",
            "param": "model",
            "code": 404,
        }


def test_what_does_not_fit_into_the_context_is_refused_with_the_numbers(
    client: openai.OpenAI, server: Server
) -> None:
    cards = {card.id: card.model_dump() for card in client.models.list()}
    context = cards[server.base]["max_model_len"]
    with pytest.raises(openai.BadRequestError, match=f"maximum context length is {context} tokens"):
        client.completions.create(model=server.base, prompt="Tell me", max_tokens=context)
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.completions.create(model=server.base, prompt=[5] * (context + 1), max_tokens=1)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": "Hi"}], "temperature": -1},
        {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": "many"},
        {"messages": [{"role": "user", "content": "Hi"}], "top_p": 0},
        {},
    ],
)
def test_a_malformed_request_is_a_bad_request_in_openais_shape(
    server: Server, body: dict[str, object]
) -> None:
    reply = httpx.post(f"{server.url}/chat/completions", json={"model": server.base} | body)
    assert reply.status_code == 400
    assert reply.json()["error"].keys() == {"message", "type", "param", "code"}
    assert reply.json()["error"]["type"] == "BadRequestError"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"model": "x", "prompt": "\\ud800"}', 400),
        (b'{"model": "\\ud800", "prompt": "x"}', 400),
        (b'{"model": null, "prompt": "x", "stop": "\\udfff", "other": ["\\ud900"]}', 400),
        (b'{"prompt": "\xed\xa0\x80"}', 400),
        (b'{"prompt": "' + b"a" * 100_000 + b'"}', 400),
        (b'{"prompt": "' + b"a" * (1 << 20) + b'"}', 413),
    ],
)
def test_what_is_no_text_or_too_much_is_refused_before_it_is_read(
    server: Server, body: bytes, status: int
) -> None:
    if server.models is None:
        pytest.skip("only our own server bounds a body so")
    headers = {"content-type": "application/json"}
    reply = httpx.post(f"{server.url}/completions", content=body, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, status)


def test_a_path_longer_than_any_is_a_bad_request(server: Server) -> None:
    if server.models is None:
        pytest.skip("another server may look elsewhere")
    for path, status in (("/" + "x" * 5_000, 400), ("/x\0y", 404)):
        reply = server.admin("load_lora_adapter", lora_name="long", lora_path=path)
        assert reply.status_code == status


def test_an_adapter_is_loaded_and_unloaded_by_name_in_vllms_words(
    client: openai.OpenAI, server: Server
) -> None:
    if not server.spare:
        pytest.skip("OPENLORA_ADAPTER_PATH names no adapter to load")
    loaded = server.admin("load_lora_adapter", lora_name="newcomer", lora_path=server.spare)
    assert loaded.status_code == 200
    assert "Success: LoRA adapter 'newcomer' added successfully." in loaded.text
    assert said(client, "newcomer") != said(client, server.base)
    again = server.admin("load_lora_adapter", lora_name="newcomer", lora_path=server.spare)
    assert again.status_code == 400
    assert again.json()["error"]["type"] == "InvalidUserInput"
    assert "'newcomer' has already been loaded" in again.json()["error"]["message"]
    unloaded = server.admin("unload_lora_adapter", lora_name="newcomer")
    assert unloaded.status_code == 200
    assert "Success: LoRA adapter 'newcomer' removed successfully." in unloaded.text
    with pytest.raises(openai.NotFoundError):
        said(client, "newcomer")
    gone = server.admin("unload_lora_adapter", lora_name="newcomer")
    assert (gone.status_code, gone.json()["error"]["type"]) == (404, "NotFoundError")
    assert gone.json()["error"]["message"] == "The lora adapter 'newcomer' cannot be found."


def test_loading_says_what_is_missing_or_wrong(server: Server) -> None:
    if not server.spare:
        pytest.skip("OPENLORA_ADAPTER_PATH names no adapter to load")
    missing = server.admin("load_lora_adapter", lora_name="", lora_path="")
    assert missing.status_code == 400
    assert missing.json()["error"]["message"] == (
        "Both 'lora_name' and 'lora_path' must be provided."
    )
    nameless = server.admin("unload_lora_adapter", lora_name="")
    assert nameless.status_code == 400
    base = server.admin("load_lora_adapter", lora_name=server.base, lora_path=server.spare)
    assert base.status_code == 400
    nowhere = server.admin("load_lora_adapter", lora_name="x", lora_path="/nowhere/at/all")
    assert nowhere.status_code == 404


def test_the_server_tells_how_it_does(server: Server) -> None:
    assert httpx.get(f"{server.root}/health").status_code == 200
    metrics = httpx.get(f"{server.root}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "_requests" in metrics.text


def test_a_chat_is_turned_into_the_tokens_that_are_scored(
    client: openai.OpenAI, server: Server
) -> None:
    messages = [{"role": "user", "content": "Tell me."}]
    told = httpx.post(
        f"{server.root}/tokenize", json={"model": server.base, "messages": messages}
    ).json()
    reply = client.completions.create(
        model=server.base, prompt=told["tokens"], max_tokens=12, temperature=0
    )
    assert told["count"] == len(told["tokens"])
    assert reply.choices[0].text == said(client, server.base)


def test_loading_needs_the_administrators_token(server: Server) -> None:
    if os.environ.get("OPENLORA_URL"):
        pytest.skip("only our own server has one")
    body = {"lora_name": "thief", "lora_path": server.spare}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
        for route in ("load_lora_adapter", "unload_lora_adapter"):
            reply = httpx.post(f"{server.url}/{route}", json=body, headers=headers)
            assert reply.status_code == 401
            assert reply.json()["error"]["message"] == "Unauthorized"


def test_what_would_change_a_reply_and_is_not_served_is_refused_by_name(
    client: openai.OpenAI, server: Server
) -> None:
    if os.environ.get("OPENLORA_URL"):
        pytest.skip("other servers may serve it")
    with pytest.raises(openai.BadRequestError, match="response_format is not served"):
        client.chat.completions.create(
            model=server.base,
            messages=[{"role": "user", "content": "Hi"}],
            response_format={"type": "json_object"},
        )
    with pytest.raises(openai.BadRequestError, match="n is not served"):
        client.completions.create(model=server.base, prompt="Hi", n=2)
