"""Every route over real HTTP: uvicorn, a small Datanet, a real journal, and hostile bodies."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from api import document_schemas, money_schemas, schemas
from api.app import build_app, build_services
from api.services import Services
from cli.stack import free_port
from footnote.addresses import format_address
from footnote.settings import Settings
from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.audit import Audit
from rewards.record import Recorder
from rewards.verify_batch import verify_batch
from tests.money import Place, Pool, deployed, place

ALICE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
BOB = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": "bees",
        "title": "How bees find their way",
        "text": "Bees find their way home by the sun. A bee tells the others of a meadow by "
        "dancing. 🐝 The waggle dance shows the direction of the meadow and its distance.",
        "license": "CC0-1.0",
        "contributors": [
            {"address": ALICE, "name": "Alice", "share_bps": 7_500},
            {"address": BOB, "share_bps": 2_500},
        ],
    },
    {
        "id": "tea",
        "title": "Brewing green tea",
        "text": "Green tea is brewed at seventy degrees. Boiling water makes green tea bitter.",
        "license": "CC0-1.0",
        "contributors": [{"address": BOB, "name": "Bob"}],
    },
    {
        "id": "granite",
        "title": "Granite",
        "text": "Granite forms when magma cools slowly below the surface of the earth.",
        "license": "CC0-1.0",
        "contributors": [{"address": ALICE}],
    },
]
QUESTION = "What does the waggle dance of a bee show?"


@dataclass(frozen=True)
class Service:
    http: httpx.Client
    services: Services
    url: str
    port: int

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers=headers)

    def ask(self, question: str = QUESTION, **more: Any) -> dict[str, Any]:
        response = self.post("/v1/answers", {"datanet": "nature", "question": question, **more})
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


def ingest(home: Path, embedder: SentenceTransformerEmbedder, name: str = "nature") -> None:
    source = home / f"{name}.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in DOCUMENTS), "utf-8")
    indexer = Indexer(datanet_folder(home, name), home / "cache.sqlite", embedder, 5_000_000)
    report = indexer.ingest(find_files([source]), Defaults())
    assert (report.added, report.refused) == (3, [])


def serving(services: Services, app: FastAPI | None = None) -> Iterator[Service]:
    port = free_port()
    config = uvicorn.Config(app or build_app(services), port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=url, timeout=30) as http:
            yield Service(http, services, url, port)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder) -> Path:
    folder = tmp_path_factory.mktemp("api")
    ingest(folder, embedder)
    return folder


@pytest.fixture(scope="module")
def service(home: Path, embedder: SentenceTransformerEmbedder) -> Iterator[Service]:
    """Without a chain; its Redis is dead."""
    settings = Settings(home=home, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    yield from serving(build_services(settings, embedder))


@pytest.fixture(scope="module")
def at(instant_pool: Pool, home: Path) -> Place:
    (home / "paid").mkdir()
    return place(deployed(instant_pool.url, instant_pool.chain), home / "paid", datanet="nature")


@pytest.fixture(scope="module")
def paying(at: Place, home: Path, embedder: SentenceTransformerEmbedder) -> Iterator[Service]:
    """With a Ledger, a signer, and a journal that a settler can settle."""
    settings = Settings(home=home, journal_url=f"sqlite:///{at.folder / 'journal.sqlite'}")
    services = build_services(settings, embedder)
    signing = Recorder(services.journal, at.signer)
    yield from serving(replace(services, recorder=signing))


def valid(model: type[BaseModel], response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    model.model_validate_json(response.content, strict=True)
    body: dict[str, Any] = response.json()
    return body


def problem(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """A problem document that says what to change and echoes nothing."""
    assert response.status_code == status, (response.status_code, response.text[:300])
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    schemas.Problem.model_validate(body)
    assert body["status"] == status
    assert len(body["detail"]) > 10
    if code is not None:
        assert body["type"].endswith(":" + code), body
    for forbidden in ("CANARY", "Traceback", "sqlite", "SELECT", "/tmp", ".py"):
        assert forbidden not in response.text
    return body


# Answers


def test_an_answer_has_the_shape_that_is_documented(service: Service) -> None:
    response = service.post("/v1/answers", {"datanet": "nature", "question": QUESTION})
    body = valid(schemas.Answer, response)
    assert body["refused"] is False
    assert body["citations"]


def assert_holds_to_the_character(service: Service, body: dict[str, Any]) -> None:
    for claim in body["claims"]:
        assert body["text"][claim["start"] : claim["end"]] == claim["text"]
        assert claim["citation_ids"]
    for citation in body["citations"]:
        source, span = citation["source"], citation["source_span"]
        stored = service.http.get(f"/v1/datanets/nature/texts/{source['version']}").content
        assert "sha256:" + hashlib.sha256(stored).hexdigest() == source["version"]
        assert stored.decode()[span["start"] : span["end"]] == citation["cited_text"]
        digest = hashlib.sha256(citation["cited_text"].encode()).hexdigest()
        assert digest == citation["cited_text_sha256"]
        given = next(one for one in DOCUMENTS if one["id"] == source["document_id"])
        assert stored.decode() == given["text"]
    weights = sum(citation["reward"]["weight_ppm"] for citation in body["citations"])
    assert weights == (1_000_000 if body["citations"] else 0)


@pytest.mark.parametrize(
    "question",
    [QUESTION, "At which temperature is green tea brewed?", "How does granite form?",
     "Who won the chess championship of 1972?", "bee 🐝?", "a" * 4_000],
)  # fmt: skip
def test_every_span_cuts_the_stored_text_to_the_character(service: Service, question: str) -> None:
    assert_holds_to_the_character(service, service.ask(question))


def test_the_right_document_is_cited_first(service: Service) -> None:
    for question, expected in [(QUESTION, "bees"), ("How does granite form?", "granite")]:
        assert service.ask(question)["citations"][0]["source"]["document_id"] == expected


def test_what_the_datanet_does_not_hold_is_refused_with_a_receipt(service: Service) -> None:
    body = service.ask("Who won the chess championship of 1972?")
    assert (body["refused"], body["claims"], body["citations"]) == (True, [], [])
    assert body["refusal_reason"] == body["text"]
    assert body["receipt"]["id"].startswith("0x")


def test_a_stored_answer_is_the_answer_that_was_given(service: Service) -> None:
    body = service.ask()
    again = valid(schemas.Answer, service.http.get(f"/v1/answers/{body['id']}"))
    assert again == body


def test_without_a_chain_answers_weigh_and_owe_nothing(service: Service) -> None:
    body = service.ask()
    assert (body["receipt"]["signature"], body["receipt"]["signer"]) == (None, None)
    for citation in body["citations"]:
        assert citation["reward"]["amount"] == "0"
        assert citation["reward"]["status"] == "ineligible"


def test_k_limits_what_is_retrieved(service: Service) -> None:
    assert len(service.ask(k=1)["retrieved"]) == 1
    assert len(service.ask(k=100)["retrieved"]) == 3


def test_the_same_question_is_answered_alike_twice(service: Service) -> None:
    one, two = service.ask(), service.ask()
    assert one["id"] != two["id"]
    assert [c["source_span"] for c in one["citations"]] == [
        c["source_span"] for c in two["citations"]
    ]
    assert two["receipt"]["seq"] == one["receipt"]["seq"] + 1


def test_search_finds_chunks_and_credits_nobody(service: Service) -> None:
    before = service.services.journal.next_seq(bytes(32), "nature")
    response = service.post("/v1/search", {"datanet": "nature", "question": "tea", "k": 2})
    body = valid(schemas.SearchResult, response)
    assert [hit["rank"] for hit in body["data"]] == [1, 2]
    first = body["data"][0]
    text = next(one["text"] for one in DOCUMENTS if one["id"] == first["document_id"])
    assert text[first["chunk"]["start"] : first["chunk"]["end"]] == first["chunk"]["text"]
    assert first["document_id"] == "tea"
    assert service.services.journal.next_seq(bytes(32), "nature") == before


# Idempotency


def test_the_same_key_and_body_give_the_same_answer_and_no_second_receipt(
    service: Service,
) -> None:
    body = {"datanet": "nature", "question": QUESTION}
    first = service.post("/v1/answers", body, **{"Idempotency-Key": "k-1"}).json()
    before = service.services.journal.next_seq(bytes(32), "nature")
    # Spelled out defaults are the same request.
    again = service.post("/v1/answers", {**body, "k": 8}, **{"Idempotency-Key": "k-1"})
    assert again.status_code == 200
    assert again.json() == first
    assert service.services.journal.next_seq(bytes(32), "nature") == before


def test_the_same_key_with_another_body_is_422(service: Service) -> None:
    body = {"datanet": "nature", "question": QUESTION}
    service.post("/v1/answers", body, **{"Idempotency-Key": "k-2"})
    other = service.post("/v1/answers", {**body, "k": 3}, **{"Idempotency-Key": "k-2"})
    problem(other, 409, "idempotency-key-reused")


def test_a_key_that_is_in_flight_is_409_with_retry_after(service: Service) -> None:
    journal, statuses = service.services.journal, []
    body = {"datanet": "nature", "question": QUESTION}

    def ask() -> None:
        response = service.post("/v1/answers", body, **{"Idempotency-Key": "k-3"})
        statuses.append(response.status_code)

    with journal._writing():  # nothing can be recorded meanwhile
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.7)
        second = service.post("/v1/answers", body, **{"Idempotency-Key": "k-3"})
    thread.join()
    problem(second, 409, "request-in-flight")
    assert int(second.headers["retry-after"]) >= 1
    assert statuses == [200]
    assert service.post("/v1/answers", body, **{"Idempotency-Key": "k-3"}).status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e9"])
def test_a_key_of_another_form_is_400(service: Service, key: str) -> None:
    response = service.http.post(
        "/v1/answers", json={"datanet": "nature", "question": QUESTION},
        headers=[(b"Idempotency-Key", key.encode("latin-1"))],
    )  # fmt: skip
    problem(response, 400, "invalid-idempotency-key")


def test_a_failed_request_stores_nothing_under_its_key(service: Service) -> None:
    key = {"Idempotency-Key": "k-4"}
    problem(service.post("/v1/answers", {"datanet": "no", "question": QUESTION}, **key), 404)
    good = service.post("/v1/answers", {"datanet": "nature", "question": QUESTION}, **key)
    assert good.status_code == 200


# Hostile bodies


def raw(service: Service, body: bytes, **headers: str) -> httpx.Response:
    return service.http.post(
        "/v1/answers", content=body, headers={"content-type": "application/json"} | headers
    )


def asked(**more: Any) -> bytes:
    return json.dumps({"datanet": "nature", "question": QUESTION, **more}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (asked(CANARY=1), 422),
        (asked()[:-1] + b', "question": "CANARY"}', 422),
        (asked()[:-1] + b', "k": NaN}', 400),
        (asked()[:-1] + b', "k": Infinity}', 400),
        (asked()[:-1] + b', "k": 1e400}', 400),
        (asked()[:-1] + b', "k": ' + b"9" * 5_000 + b"}", 400),
        (asked(question="\ud800 CANARY"), 422),
        (asked(question="CANARY \x00 ?"), 422),
        (asked(question=""), 422),
        (asked(question="  \n\t"), 422),
        (asked(question="\u200b\u200d\ufeff"), 422),
        (asked(question="?!…"), 422),
        (asked(question="CANARY" * 700), 422),
        (asked(question=None), 422),
        (asked(question=["CANARY"]), 422),
        (asked(k=0), 422),
        (asked(k=-1), 422),
        (asked(k=101), 422),
        (asked(k="5"), 422),
        (asked(k=True), 422),
        (asked(k=5.5), 422),
        (asked(k=None), 422),
        (asked(k=10**30), 422),
        (asked(stream="CANARY"), 422),
        (asked(answerer="CANARY"), 422),
        (asked(adapter="CANARY"), 404),
        (asked(datanet="x" * 64), 422),
        (asked(datanet=7), 422),
        (b'{"datanet": "nature"}', 422),
        (asked()[:-20], 400),
        (asked() + b"CANARY", 400),
        (b"", 400),
        (b"[]", 422),
        (b'"CANARY"', 422),
        (b"null", 422),
        (b"7", 422),
        (b"[" * 100_000, 400),
        (b'{"a":' * 40_000, 400),
        (asked()[:-1] + b', "x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}", 400),
        (b"\xff\xfe" + asked(), 400),
        (asked().replace(b"waggle", b"\xc3\x28"), 400),
        (asked().decode().encode("utf-16"), 400),
    ],
)
def test_a_hostile_body_gets_its_4xx(service: Service, body: bytes, status: int) -> None:
    before = service.services.journal.next_seq(bytes(32), "nature")
    problem(raw(service, body), status)
    assert service.services.journal.next_seq(bytes(32), "nature") == before
    assert service.http.get("/healthz").status_code == 200, "the process lives"


def test_unknown_and_duplicate_fields_are_named_as_such(service: Service) -> None:
    problem(raw(service, asked(CANARY=1)), 422, "unknown-field")
    problem(raw(service, asked()[:-1] + b', "k": 3, "k": 3}'), 422, "duplicate-field")
    body = problem(raw(service, asked(k=0)), 422)
    assert body["errors"][0]["pointer"] == "/k"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
     "application/jsonp", "application/json; charset=latin-1"],
)  # fmt: skip
def test_another_content_type_is_415(service: Service, content_type: str) -> None:
    problem(raw(service, asked(), **{"content-type": content_type}), 415)


def test_a_body_without_a_content_type_is_415(service: Service) -> None:
    problem(service.http.post("/v1/answers", content=asked()), 415)


def test_utf_8_may_be_said(service: Service) -> None:
    response = raw(service, asked(), **{"content-type": "application/json; charset=UTF-8"})
    assert response.status_code == 200


def test_a_compressed_body_is_415(service: Service) -> None:
    problem(raw(service, asked(), **{"content-encoding": "gzip"}), 415)


def test_a_body_over_256_kib_is_413_with_and_without_its_length(service: Service) -> None:
    huge = asked(question="x" * 300_000)
    problem(raw(service, huge), 413, "body-too-large")

    def parts() -> Iterator[bytes]:
        for start in range(0, len(huge), 10_000):
            yield huge[start : start + 10_000]

    response = service.http.post(
        "/v1/answers", content=parts(), headers={"content-type": "application/json"}
    )
    problem(response, 413, "body-too-large")


def test_a_body_of_just_256_kib_is_read(service: Service) -> None:
    body = asked()[:-1] + b" " * (256 * 1024 - len(asked())) + b"}"
    assert len(body) == 256 * 1024
    assert raw(service, body).status_code == 200
    problem(raw(service, body[:-1] + b" }"), 413)


def test_a_client_that_goes_away_in_the_middle_stores_nothing(service: Service) -> None:
    before = service.services.journal.next_seq(bytes(32), "nature")
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(
            b"POST /v1/answers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 500\r\n\r\n" + asked()[:30]
        )
    time.sleep(0.2)
    assert service.services.journal.next_seq(bytes(32), "nature") == before
    assert service.http.get("/healthz").status_code == 200


def test_a_body_that_never_ends_is_not_waited_for_where_nothing_takes_one(service: Service) -> None:
    for path, status in ((b"/nowhere", b"404"), (b"/healthz", b"405")):
        with socket.create_connection(("127.0.0.1", service.port), 10) as client:
            client.sendall(
                b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 500\r\n\r\n{"
            )
            assert client.recv(4_096).startswith(b"HTTP/1.1 " + status)


def test_a_client_that_hangs_up_is_no_error_of_ours(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (b"/v1/answers", b"/nowhere"):
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(
                b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 500\r\n\r\n{"
            )
    time.sleep(0.3)
    assert service.http.get("/healthz").status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# Addresses


@pytest.mark.parametrize(
    "path",
    ["/v1/answers/ans_CANARY", "/v1/datanets/CANARY", "/v1/datanets/..%2f..%2fetc",
     "/v1/receipts/0x" + "00" * 32, "/v1/receipts/CANARY", "/v1/batches/0x" + "11" * 32,
     "/v1/batches/CANARY", "/v1/contributors/CANARY", "/v1/contributors/" + ALICE.swapcase(),
     "/v1/datanets/nature/texts/" + "00" * 32, "/v1/datanets/nature/texts/CANARY",
     "/CANARY", "/v1"],
)  # fmt: skip
def test_what_does_not_exist_is_404(service: Service, path: str) -> None:
    problem(service.http.get(path), 404)


def test_an_unknown_datanet_is_404_for_questions_too(service: Service) -> None:
    for path in ("/v1/answers", "/v1/search"):
        for name in ("CANARY", "no-such", "", "..", "nature\u0000"):
            problem(service.post(path, {"datanet": name, "question": QUESTION}), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/answers"), ("DELETE", "/v1/answers"), ("PUT", "/v1/answers"),
     ("POST", "/v1/datanets"), ("POST", "/healthz"), ("PATCH", "/v1/datanets/nature"),
     ("DELETE", "/v1/datanets/nature"), ("POST", "/v1/answers/ans_1"), ("GET", "/v1/search")],
)  # fmt: skip
def test_another_method_is_405_and_says_which_is_right(
    service: Service, method: str, path: str
) -> None:
    response = service.http.request(method, path)
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] in ("GET", "POST")


def test_an_address_that_is_none_is_404_whatever_is_posted(service: Service) -> None:
    problem(service.http.post("/v1/nothing", content=b"x"), 404)


# What is published


def test_datanets_are_listed_and_shown(service: Service) -> None:
    listed = valid(document_schemas.DatanetList, service.http.get("/v1/datanets"))
    (one,) = listed["data"]
    shown = valid(document_schemas.Datanet, service.http.get("/v1/datanets/nature"))
    assert {key: shown[key] for key in one} == one
    assert (one["id"], one["documents"], one["paid"]) == ("nature", 3, False)
    assert shown["registration"] is None
    assert shown["policy"]["price_per_answer"] == "5000000000000000"


def test_it_is_ready_while_redis_and_chain_are_away(service: Service) -> None:
    body = valid(schemas.Readiness, service.http.get("/readyz"))
    assert body["status"] == "degraded"
    assert {one["part"] for one in body["degraded"]} == {"redis", "chain"}
    assert valid(schemas.Health, service.http.get("/healthz")) == {"status": "ok"}


def test_one_damaged_datanet_does_not_make_the_others_unready(
    tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    for name in ("nature", "other"):
        ingest(tmp_path, embedder, name)
    for file in datanet_folder(tmp_path, "other").snapshots.rglob("vectors.faiss"):
        file.write_bytes(file.read_bytes()[:-1] + b"\x00\x00")
    for service in serving(build_services(Settings(home=tmp_path), embedder)):
        body = valid(schemas.Readiness, service.http.get("/readyz"))
        assert "datanet" in {one["part"] for one in body["degraded"]}
        assert service.ask()["citations"]
        for file in datanet_folder(tmp_path, "nature").path.glob("current"):
            file.unlink()
        problem(service.http.get("/readyz"), 503, "index-corrupt")


def test_nothing_published_is_not_ready(
    tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    for service in serving(build_services(Settings(home=tmp_path), embedder)):
        problem(service.http.get("/readyz"), 503, "nothing-published")
        assert service.http.get("/healthz").status_code == 200


def test_the_api_describes_itself_with_examples(service: Service) -> None:
    described = service.http.get("/openapi.json").json()
    for name in ("AnswerRequest", "SearchRequest"):
        (example,) = described["components"]["schemas"][name]["examples"]
        assert example["question"]
    routes = {(method, path) for path, one in described["paths"].items() for method in one}
    assert {
        ("post", "/v1/answers"), ("get", "/v1/answers/{answer_id}"), ("post", "/v1/search"),
        ("get", "/v1/datanets"), ("get", "/v1/datanets/{datanet}"),
        ("get", "/v1/receipts/{receipt_id}"), ("get", "/v1/batches/{batch_id}"),
        ("get", "/v1/contributors/{address}"), ("get", "/healthz"), ("get", "/readyz"),
    } <= routes  # fmt: skip
    assert service.http.get("/docs").status_code == 200
    assert "Footnote" in service.http.get("/").text


def test_no_question_is_ever_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        service.ask("What does the SECRET waggle dance show?")
        service.post("/v1/answers", {"datanet": "nature", "question": "SECRET", "k": 0})
        with service.services.journal._writing() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER refuse BEFORE INSERT ON answers "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        broken = service.post("/v1/answers", {"datanet": "nature", "question": "SECRET dance?"})
        with service.services.journal._writing() as connection:
            connection.exec_driver_sql("DROP TRIGGER refuse")
    problem(broken, 500)
    assert any(record.levelno >= logging.ERROR for record in caplog.records)
    assert "SECRET" not in caplog.text


# Money


def test_a_contributors_sums_follow_their_answers_to_the_settled_end(
    paying: Service, at: Place
) -> None:
    bodies = [paying.ask(QUESTION), paying.ask("At which temperature is green tea brewed?")]
    owed: dict[str, int] = {}
    for body in bodies:
        assert body["receipt"]["signature"]
        for citation in body["citations"]:
            assert citation["reward"]["status"] == "pending"
            assert int(citation["reward"]["amount"]) == sum(
                int(c["amount"]) for c in citation["contributors"]
            )
            for one in citation["contributors"]:
                owed[one["address"]] = owed.get(one["address"], 0) + int(one["amount"])
    assert sum(owed.values()) == 2 * 2_500_000_000_000_000
    assert set(owed) == {ALICE, BOB}

    def earned(address: str) -> dict[str, Any]:
        path = f"/v1/contributors/{address}"
        return valid(money_schemas.Contributor, paying.http.get(path))

    for address, amount in owed.items():
        body = earned(address)
        assert (body["pending"], body["settled"], body["claimable"]) == (str(amount), "0", "0")
        assert sum(int(span["amount"]) for span in body["spans"]) == amount
    at.settle()
    for address, amount in owed.items():
        body = earned(address)
        assert (body["pending"], body["settled"], body["claimable"]) == (
            "0", str(amount), str(amount),
        )  # fmt: skip
        assert body["datanets"] == [{"id": "nature", "pending": "0", "settled": str(amount)}]
        assert {span["status"] for span in body["spans"]} == {"settled"}
        assert earned(address.lower()) == body
    again = paying.http.get(f"/v1/answers/{bodies[0]['id']}").json()
    assert {c["reward"]["status"] for c in again["citations"]} == {"settled"}
    receipt = valid(
        money_schemas.Receipt, paying.http.get(f"/v1/receipts/{bodies[0]['receipt']['id']}")
    )
    assert receipt["batch"]["status"] == "final"
    shown = valid(
        money_schemas.Batch, paying.http.get(f"/v1/batches/{receipt['batch']['batch_id']}")
    )
    assert {p["address"]: int(p["amount"]) for p in shown["payouts"]} == owed
    assert all(check.passed for check in verify_batch(shown, at.pool.chain))
    assert QUESTION not in json.dumps([receipt, shown])
    datanet = valid(document_schemas.Datanet, paying.http.get("/v1/datanets/nature"))
    assert datanet["paid"] is True
    assert datanet["registration"]["chain_id"] == 31337


def test_pages_of_spans_hold_each_once_and_keep_the_sums_whole(paying: Service) -> None:
    for _ in range(3):
        paying.ask()
    path = f"/v1/contributors/{ALICE}"
    whole = valid(money_schemas.Contributor, paying.http.get(path))
    count = len(whole["spans"])
    assert (whole["next"], count >= 3) == (None, True)
    spans: list[dict[str, Any]] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = valid(money_schemas.Contributor, paying.http.get(path, params=query))
        assert {**page, "spans": [], "next": None} == {**whole, "spans": []}
        spans, cursor, pages = spans + page["spans"], page["next"], pages + 1
        if pages == 1:
            paying.ask()
            whole = valid(money_schemas.Contributor, paying.http.get(path))
    assert len(spans) == count < len(whole["spans"])
    assert spans == whole["spans"][-count:]


@pytest.mark.parametrize("cursor", ["", "x", "00" * 32, "00" * 32 + ".0", "00" * 32 + ".-1"])
def test_a_cursor_that_leads_nowhere_is_422(paying: Service, cursor: str) -> None:
    path = f"/v1/contributors/{ALICE}"
    problem(paying.http.get(path, params={"cursor": cursor}), 422)


def test_an_address_that_nobody_cited_earned_nothing(paying: Service) -> None:
    body = valid(money_schemas.Contributor, paying.http.get("/v1/contributors/0x" + "ab" * 20))
    assert (body["pending"], body["settled"], body["spans"]) == ("0", "0", [])


def test_a_statement_is_downloaded_with_its_proofs(paying: Service, at: Place) -> None:
    paying.ask()
    at.settle()
    path = f"/v1/contributors/{ALICE}"
    earned = valid(money_schemas.Contributor, paying.http.get(path, params={"limit": 1_000}))
    (ledger,) = earned["ledgers"]
    assert (ledger["chain_id"], ledger["claimable"]) == (31337, earned["claimable"])
    assert sum(int(one["owed"]) for one in earned["days"]) == int(earned["settled"])
    told = paying.http.get(f"{path}/statement")
    assert told.headers["content-type"].startswith("text/csv")
    assert f"statement-{ALICE}.csv" in told.headers["content-disposition"]
    rows = list(csv.DictReader(told.text.splitlines()))
    assert sum(int(row["amount"]) for row in rows) == int(earned["settled"])
    whole = paying.http.get(f"{path}/statement", params={"format": "json"}).json()
    assert [one["receipt"] for one in whole["lines"]] == [row["receipt"] for row in rows]
    for line in whole["lines"]:
        leaf, proof = bytes.fromhex(line["leaf"][2:]), [bytes.fromhex(n[2:]) for n in line["proof"]]
        batch = bytes.fromhex(line["batch_id"][2:])
        assert at.pool.chain.verify_receipt(at.pool.ledger, batch, leaf, proof)
    problem(paying.http.get("/v1/contributors/0x12/statement"), 404)
    problem(paying.http.get(f"{path}/statement", params={"format": "pdf"}), 422)


def test_activity_and_contributors_follow_the_receipts(paying: Service, at: Place) -> None:
    path = "/v1/datanets/nature"
    paying.ask()
    before = valid(money_schemas.Activity, paying.http.get(f"{path}/activity"))
    paying.ask()
    after = valid(money_schemas.Activity, paying.http.get(f"{path}/activity"))
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert after["days"][-1]["date"] == today
    assert after["days"][-1]["answers"] == before["days"][-1]["answers"] + 1
    assert int(after["money"]["pending"]) == int(before["money"]["pending"]) + 5 * 10**15 // 2
    assert after["money"]["funds"] is None, "no worker has looked"
    at.journal.note_funds(at.ledger_id, "nature", 10**20, 1_800_000_000)
    seen = valid(money_schemas.Activity, paying.http.get(f"{path}/activity", params={"days": 1}))
    assert (seen["money"]["funds"], seen["money"]["funds_seen_at"]) == (str(10**20), 1_800_000_000)
    assert seen["money"]["answers_left"] > 10_000
    found = valid(document_schemas.DatanetContributors, paying.http.get(f"{path}/contributors"))
    assert [(one["name"], one["documents"]) for one in found["data"]] == [("Alice", 2), ("Bob", 2)]
    owed = {format_address(a): n for a, n in at.journal.owed_in(at.ledger_id).items()}
    assert {one["address"]: int(one["earned"]) for one in found["data"]} == owed
    least = paying.http.get(f"{path}/contributors", params={"limit": 1}).json()
    assert (len(least["data"]), least["total"]) == (1, 2)
    problem(paying.http.get("/v1/datanets/nobody/activity"), 404)
    problem(paying.http.get("/v1/datanets/nobody/contributors"), 404)


def test_an_operator_sees_the_queue_the_batches_and_the_audit(paying: Service, at: Place) -> None:
    paying.ask()
    at.settle()
    paying.ask()
    at.journal.note_audit(None, Audit(differences=["one"]).as_json(), 1_800_000_000)
    shown = valid(money_schemas.OperatorStatus, paying.http.get("/v1/status"))
    (place_,) = shown["datanets"]
    assert (place_["receipts"]["waiting"], place_["final_batches"]) == (1, len(shown["batches"]))
    newest = shown["batches"][0]
    assert (newest["stage"], newest["held"]) == ("final", None)
    assert int(newest["fee_paid_wei"]) > 0
    assert newest["last"] == place_["receipts"]["settled"] - 1
    (audit,) = shown["audits"]
    assert (audit["agrees"], audit["differences"], audit["datanet"]) == (False, ["one"], None)
