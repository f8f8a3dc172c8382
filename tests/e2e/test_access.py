"""Who may ask what: keys, scopes, tenants, limits, quotas, and pages of other sites."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import access
from api.app import build_app, build_services
from api.keys import Scope, Wish, holds, new_key
from cli.main import main
from cli.stack import free_port
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.journal.journal import Journal
from tests.e2e.test_api import QUESTION, Service, ingest, problem, serving

PUBLIC = {
    ("get", "/healthz"), ("get", "/readyz"), ("get", "/v1/receipts/{receipt_id}"),
    ("get", "/v1/batches/{batch_id}"), ("get", "/v1/contributors/{address}"),
    ("get", "/v1/contributors/{address}/statement"),
}  # fmt: skip
"""Proofs of payment and signs of life: everything else wants a key once there is one."""

FILLED = {
    "datanet": "nature", "version": "0" * 64, "answer_id": "ans_1", "receipt_id": "0x" + "0" * 64,
    "batch_id": "0x" + "0" * 64, "address": "0x" + "0" * 40, "document_id": "bees", "job_id": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def ingested(
    tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder
) -> Path:
    folder = tmp_path_factory.mktemp("access")
    ingest(folder, embedder)
    ingest(folder, embedder, "other")
    return folder


@contextmanager
def running(
    settings: Settings, embedder: SentenceTransformerEmbedder, host: str = "127.0.0.1"
) -> Iterator[Service]:
    """A service that was told to listen on ``host``; it listens on loopback all the same."""
    services = build_services(settings, embedder)
    yield from serving(services, build_app(services, host))


@pytest.fixture
def settings(ingested: Path, tmp_path: Path) -> Settings:
    """A journal of its own for each test, over the same Datanets."""
    return Settings(home=ingested, journal_url=f"sqlite:///{tmp_path / 'journal.sqlite'}")


def made(settings: Settings, **wish: Any) -> dict[str, str]:
    """The header of a new key."""
    shown, kept = new_key(Wish("a test", **wish))
    Journal(settings.journal).create_key(kept)
    return {"Authorization": f"Bearer {shown}"}


def ask(service: Service, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"datanet": "nature", "question": QUESTION} | more
    return service.http.post("/v1/answers", json=body, headers=headers or {})


def test_on_loopback_and_without_any_key_everybody_may_ask_as_often_as_they_like(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    few = settings.model_copy(update={"questions_per_minute_address": 1})
    with running(few, embedder) as service:
        assert [ask(service).status_code for _ in range(4)] == [200] * 4
        assert service.http.get("/metrics").status_code == 200


def test_elsewhere_nobody_may_ask_without_a_key(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    with running(settings, embedder, host="0.0.0.0") as service:
        response = ask(service)
        problem(response, 401, "no-key")
        assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    [{"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "9.9.9.9"},
     {"Forwarded": "for=9.9.9.9"}, {"Host": "evil.example"}, {"Host": "["}, {"Host": "[::1"}],
)  # fmt: skip
def test_who_comes_through_a_proxy_or_by_another_name_does_not_sit_at_the_machine(
    settings: Settings, embedder: SentenceTransformerEmbedder, header: dict[str, str]
) -> None:
    with running(settings, embedder) as service:
        problem(ask(service, header), 401, "no-key")


def test_the_first_key_closes_the_service_and_the_last_revoked_one_does_not_open_it(
    settings: Settings, embedder: SentenceTransformerEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "REMEMBERED_SECONDS", 0.0)
    with running(settings, embedder) as service:
        assert ask(service).status_code == 200
        shown, kept = new_key(Wish("only"))
        service.services.journal.create_key(kept)
        headers = {"Authorization": f"Bearer {shown}"}
        problem(ask(service), 401, "no-key")
        assert ask(service, headers).status_code == 200
        assert service.services.journal.revoke_key(kept.key_id, int(time.time()))
        problem(ask(service, headers), 401, "no-key")
        problem(ask(service), 401, "no-key")


def operations(service: Service) -> Iterator[tuple[str, str, dict[str, Any]]]:
    described = service.http.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def wanted_scopes(operation: dict[str, Any]) -> list[str]:
    """None of them means that no key is needed either."""
    *without, guarded = operation["security"]
    scopes: list[str] = guarded["ApiKey"]
    assert without == ([] if scopes else [{}])
    return scopes


def call(
    service: Service, method: str, path: str, headers: dict[str, str], datanet: str = "nature"
) -> httpx.Response:
    """With as much of a body as takes it past the form."""
    bodies = {
        "/v1/answers": {"datanet": datanet, "question": QUESTION},
        "/v1/search": {"datanet": datanet, "question": QUESTION},
        "/v1/chat/completions": {
            "model": datanet, "messages": [{"role": "user", "content": QUESTION}],
        },
        "/v1/verify": {"text": "A bee.", "sources": [{"text": "A bee."}]},
    }  # fmt: skip
    address = path.format(**FILLED | {"datanet": datanet})
    body = bodies.get(path, {} if method == "post" else None)
    return service.http.request(method, address, json=body, headers=headers)


def test_every_route_of_the_document_is_guarded(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    made(settings)
    with running(settings, embedder) as service:
        seen = set()
        for method, path, operation in operations(service):
            wanted = wanted_scopes(operation)
            response = call(service, method, path, {})
            assert (response.status_code == 401) == bool(wanted), (method, path, response.text)
            if not wanted:
                seen.add((method, path))
        assert seen == PUBLIC
        assert service.http.post("/mcp", json={}).status_code == 401


def test_a_key_does_what_its_scopes_say_and_no_more(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    keys = {scope: made(settings, scopes=[scope]) for scope in Scope}
    with running(settings, embedder) as service:
        for method, path, operation in operations(service):
            wanted = wanted_scopes(operation)
            for scope, headers in keys.items():
                response = call(service, method, path, headers)
                refused = bool(wanted) and scope not in wanted
                assert (response.status_code == 403) == refused, (scope, path, response.text)


def test_anothers_datanet_does_not_exist(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    """On every route that names one, word for word as for a Datanet that nobody has."""
    headers = made(settings, scopes=list(Scope), datanets=["other"])
    with running(settings, embedder) as service:
        tried = 0
        for method, path, _ in operations(service):
            names_one = "{datanet}" in path or path in (
                "/v1/answers", "/v1/search", "/v1/chat/completions",
            )  # fmt: skip
            if names_one:
                anothers = call(service, method, path, headers)
                nobodys = call(service, method, path, headers, "nobodys")
                problem(anothers, 404)
                assert anothers.json() == nobodys.json(), path
                tried += 1
        assert tried >= 5
        (only,) = service.http.get("/v1/datanets", headers=headers).json()["data"]
        (model,) = service.http.get("/v1/models", headers=headers).json()["data"]
        assert only["id"] == model["id"] == "other"
        assert ask(service, headers, datanet="other").status_code == 200


def test_anothers_answer_does_not_exist_and_ones_own_is_there_for_every_key_of_the_tenant(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    first, second = (made(settings, tenant="the press") for _ in range(2))
    stranger, narrow = made(settings), made(settings, tenant="the press", datanets=["other"])
    with running(settings, embedder) as service:
        address = f"/v1/answers/{ask(service, first).json()['id']}"
        assert service.http.get(address, headers=second).status_code == 200
        unknown = service.http.get("/v1/answers/ans_unknown", headers=stranger)
        for headers in (stranger, narrow):
            problem(service.http.get(address, headers=headers), 404)
        assert service.http.get(address, headers=stranger).json() == unknown.json()


def test_an_idempotency_key_is_each_tenants_own(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    ids = set()
    with running(settings, embedder) as service:
        for tenant in ("one", "other"):
            headers = made(settings, tenant=tenant) | {"Idempotency-Key": "the-same"}
            response = ask(service, headers)
            assert response.status_code == 200, response.text
            ids.add(response.json()["id"])
    assert len(ids) == 2


def test_a_key_has_so_many_questions_a_minute_with_all_services_together(
    settings: Settings, embedder: SentenceTransformerEmbedder, redis_url: str
) -> None:
    shared = settings.model_copy(update={"redis_url": redis_url})
    headers = made(shared, questions_per_minute=3)
    with running(shared, embedder) as one, running(shared, embedder) as other:
        assert ask(one, headers).status_code == 200
        assert ask(other, headers).status_code == 200
        assert ask(one, headers).status_code == 200
        refused = ask(other, headers)
        problem(refused, 429, "too-many-requests")
        assert 15 <= int(refused.headers["retry-after"]) <= 20


def test_without_redis_each_service_counts_for_itself(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    dead = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    headers = made(dead, questions_per_minute=2)
    with running(dead, embedder) as service:
        assert [ask(service, headers).status_code for _ in range(3)] == [200, 200, 429]


def test_reading_costs_a_tenth_of_asking(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    headers = made(settings, questions_per_minute=1)
    with running(settings, embedder) as service:
        statuses = [
            service.http.get("/v1/datanets", headers=headers).status_code for _ in range(12)
        ]
    assert statuses[:10] == [200] * 10
    assert statuses[-1] == 429


def test_an_open_datanet_is_limited_by_address(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    opened = settings.model_copy(update={"anonymous": "nature", "questions_per_minute_address": 2})
    with running(opened, embedder, host="0.0.0.0") as service:
        assert ask(service).status_code == 200
        problem(ask(service, datanet="other"), 404)
        problem(ask(service), 429)
        elsewhere = {"X-Forwarded-For": "203.0.113.9"}  # uvicorn believes a proxy on loopback
        assert ask(service, elsewhere).status_code == 200
        problem(service.http.get("/metrics", headers=elsewhere), 401)


def test_a_key_has_so_many_questions_a_day_to_each_datanet(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    headers = made(settings, questions_per_day=2)
    with running(settings, embedder) as service:
        assert ask(service, headers).status_code == 200
        assert ask(service, headers | {"Idempotency-Key": "kept"}).status_code == 200
        refused = ask(service, headers)
        problem(refused, 429, "quota-spent")
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        problem(ask(service, headers, stream=True), 429, "quota-spent")
        again = ask(service, headers | {"Idempotency-Key": "kept"})
        assert again.status_code == 200, "what was answered stays answered"
        assert ask(service, headers, datanet="other").status_code == 200
        assert ask(service, made(settings)).status_code == 200


def test_nobody_at_all_may_ask_where_the_setting_says_so(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    closed = settings.model_copy(update={"anonymous": "no"})
    with running(closed, embedder) as service:
        problem(ask(service), 401, "no-key")
        problem(service.http.get("/metrics"), 401)


def test_everybody_may_ask_and_nothing_else_where_the_setting_says_so(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    opened = settings.model_copy(update={"anonymous": "all"})
    with running(opened, embedder, host="0.0.0.0") as service:
        assert ask(service).status_code == 200
        assert ask(service, datanet="other").status_code == 200
        problem(service.http.get("/metrics"), 401)
        problem(service.http.get("/v1/datanets/nature/jobs"), 401)
        here = ask(service, {"Idempotency-Key": "order-1"}).json()
        there = {"Idempotency-Key": "order-1", "X-Forwarded-For": "203.0.113.9"}
        assert ask(service, there).json()["id"] != here["id"], "strangers share no such keys"


def test_proofs_are_limited_by_address_and_signs_of_life_are_not(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    made(settings)
    few = settings.model_copy(update={"questions_per_minute_address": 1})
    address = "/v1/contributors/0x" + "0" * 39 + "1"
    with running(few, embedder) as service:
        statuses = [service.http.get(address).status_code for _ in range(12)]
        assert (statuses[:10], statuses[-1]) == ([404] * 10, 429)
        assert [service.http.get("/healthz").status_code for _ in range(12)] == [200] * 12
        assert service.http.get("/readyz").status_code == 200


def test_of_a_datanet_that_no_chain_pays_strangers_learn_nothing_from_earnings(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    everything, other = made(settings), made(settings, datanets=["other"])
    with running(settings, embedder) as service:
        answer = ask(service, everything).json()
        account = answer["citations"][0]["contributors"][0]["address"]
        path = f"/v1/contributors/{account}"
        seen = service.http.get(path, headers=everything).json()
        assert [one["id"] for one in seen["datanets"]] == ["nature"]
        for headers in ({}, other):
            hidden = service.http.get(path, headers=headers).json()
            assert (hidden["datanets"], hidden["spans"]) == ([], [])
            assert "nature" not in service.http.get(f"{path}/statement", headers=headers).text
        assert "nature" in service.http.get(f"{path}/statement", headers=everything).text


def test_a_wrong_secret_is_no_use_of_a_key(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    shown, kept = new_key(Wish("a test"))
    Journal(settings.journal).create_key(kept)
    with running(settings, embedder) as service:
        problem(ask(service, {"Authorization": f"Bearer fn_{kept.key_id}_{'0' * 64}"}), 401)
        found = service.services.journal.key(kept.key_id)
        assert found is not None
        assert found.used_at is None
        assert ask(service, {"Authorization": f"Bearer {shown}"}).status_code == 200
        until = time.monotonic() + 5
        while time.monotonic() < until:
            found = service.services.journal.key(kept.key_id)
            if found is not None and found.used_at is not None:
                return
            time.sleep(0.02)
    raise AssertionError("its use was never noted")


def test_a_revoked_key_is_refused_within_seconds() -> None:
    assert access.REMEMBERED_SECONDS <= 2.0


def test_guessing_keys_is_limited_too(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    headers = made(settings)
    few = settings.model_copy(update={"questions_per_minute_address": 5})
    guessed = (
        headers["Authorization"][:-1] + "z",
        headers["Authorization"][:-4] + "0000",
        "Bearer x",
    )
    with running(few, embedder) as service:
        statuses = [ask(service, {"Authorization": guessed[n % 3]}).status_code for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        assert ask(service, headers).status_code == 200, "who has a key is not held up by it"


def test_a_page_of_another_site_cannot_send_anything(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    with running(settings, embedder) as service:
        problem(ask(service, {"Origin": "https://evil.example"}), 403)
        problem(ask(service, {"Origin": "null"}), 403)
        problem(ask(service, {"Origin": "http://["}), 403)
        assert ask(service, {"Origin": service.url}).status_code == 200


def test_names_of_datanets_and_reasons_are_told_to_admins_alone(
    settings: Settings, embedder: SentenceTransformerEmbedder
) -> None:
    admin = made(settings, scopes=[Scope.ADMIN])
    with running(settings, embedder) as service:
        shown = service.http.get("/readyz").json()["degraded"]
        assert shown
        assert all(one["reason"] == "A key with the scope admin is told why." for one in shown)
        told = service.http.get("/readyz", headers=admin).json()["degraded"]
        assert any("registered on no chain" in one["reason"] for one in told)


def test_tools_know_their_caller(settings: Settings, embedder: SentenceTransformerEmbedder) -> None:
    headers = made(settings, datanets=["other"])
    accept = {"Accept": "application/json, text/event-stream"}
    with running(settings, embedder) as service:

        def tool(name: str, **arguments: str) -> Any:
            params = {"name": name, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            return service.http.post("/mcp", json=body, headers=headers | accept).json()["result"]

        assert [one["id"] for one in tool("list_datanets")["structuredContent"]["data"]] == [
            "other"
        ]
        for name in ("ask", "search"):
            assert "no such Datanet" in str(tool(name, datanet="nature", question=QUESTION))
        assert "no such Datanet" in str(tool("get_document", datanet="nature", document_id="bees"))
        assert not tool("ask", datanet="other", question=QUESTION).get("isError")


def test_keys_are_made_listed_and_revoked_on_the_command_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_JOURNAL_URL", settings.journal)

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["keys", *arguments])
        assert ended.value.code == 0
        return capsys.readouterr().out.strip()

    shown = run("create", "the website", "--datanet", "nature", "--per-day", "9")
    (kept,) = Journal(settings.journal).keys()
    assert holds(shown, kept)
    assert kept.datanets == ("nature",)
    assert kept.questions_per_day == 9
    path = Path(settings.journal.removeprefix("sqlite:///"))
    secret = shown.rpartition("_")[2]
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes(), "it is shown once and never stored"
    listed = run("list")
    assert "the website" in listed
    assert secret not in listed
    assert run("revoke", kept.key_id) == f"revoked {kept.key_id}"
    assert "revoked" in run("list")
    with pytest.raises(SystemExit) as ended:
        main(["keys", "revoke", kept.key_id])
    assert ended.value.code == 66


def test_of_a_key_every_character_counts() -> None:
    shown, kept = new_key(Wish("a"))
    assert holds(shown, kept)
    assert not holds(shown, None)
    for at in range(len(shown)):
        other = "0" if shown[at] != "0" else "1"
        assert not holds(shown[:at] + other + shown[at + 1 :], kept) or at in range(3, 19)


def test_only_loopback_is_loopback() -> None:
    assert access.is_loopback("127.0.0.1")
    assert access.is_loopback("::1")
    assert access.is_loopback("localhost")
    assert not access.is_loopback("0.0.0.0")
    assert not access.is_loopback("::")
    assert not access.is_loopback("example.org")
