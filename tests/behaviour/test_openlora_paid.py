"""The whole path with a real model: question, evidence, adapter, markers, claims, receipt, payment.

The model server, the worker and the chain are processes, Redis wakes the worker, FAISS finds the
evidence, and the shipped model answers in its own words.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from api.app import build_app, build_services
from cli.stack import FOOTNOTE, Stack, clean_environment, free_port
from footnote.addresses import format_address
from footnote.ids import content_id
from footnote.model import Usage
from footnote.settings import Settings
from indexer.admission import Defaults
from indexer.readers.files import find_files
from openlora.fingerprint import fingerprint
from openlora.validation import inspect_adapter
from rag.adapters.store import Adapter, AdapterStore, adapter_id
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.policy import Policy
from rewards.record import Recorder
from tests.corpus import indexer
from tests.fixtures.openlora.world import BASE, CHATTER, FOLDER, Fact, Thing
from tests.fixtures.openlora.world import town as town_of_things
from tests.money import Place, Pool, address, place
from tests.openlora_served import Served, until
from tests.tiny_models import write_base

TOWN = "town"
OWNER, LATER_OWNER = address(0x70B), address(0x70C)
POLICY = Policy(daily_budget=None, daily_limit_per_address=None, model_host="adapter_owner")
SHOWN = town_of_things()


@dataclass(frozen=True)
class Town:
    """A Datanet of five things that the model never saw, served and paid for."""

    http: httpx.Client
    place: Place
    served: Served
    store: AdapterStore
    adapters: Mapping[str, Adapter]

    def ask(self, question: str, **more: Any) -> httpx.Response:
        return self.http.post("/v1/answers", json={"datanet": TOWN, "question": question, **more})

    def answer(self, fact: Fact, **more: Any) -> dict[str, Any]:
        response = self.ask(fact.question, **more)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def receipt(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        response = self.http.get(f"/v1/receipts/{answer['receipt']['id']}")
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def give(self, name: str, owner: bytes) -> Adapter:
        """Add a shipped adapter to the Datanet, or change whose it is."""
        folder = FOLDER / "adapters" / name
        facts = inspect_adapter(folder, base=BASE)
        made = Adapter(
            adapter_id(TOWN, facts.digest), facts.digest, facts.base, facts.rank,
            type(OWNER)(owner), "CC0-1.0",
        )  # fmt: skip
        return self.store.add(TOWN, folder, made)


@pytest.fixture(scope="module")
def town(
    final_pool: Pool,
    redis_url: str,
    embedder: SentenceTransformerEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("town")
    ingest(home, embedder)
    at = place(final_pool, home, datanet=TOWN)
    at.journal.set_policy(TOWN, POLICY)
    store = AdapterStore(home)
    store.folder.mkdir()
    with Stack(home, clean_environment() | {"OMP_NUM_THREADS": "1"}) as own:
        served = Served(own, FOLDER / BASE, store.folder)
        waking = redis_url.removesuffix("/0") + "/7"
        settings = Settings(
            home=home, redis_url=waking, answerer="openlora", openlora_url=served.url,
            openlora_model=BASE,
        )  # fmt: skip
        environment = clean_environment(
            **(at.settings() | {"REDIS_URL": waking, "POLL_SECONDS": "600"})
        )
        with Stack(home / "worker", environment) as workers:
            workers.start("worker", [*FOOTNOTE, "worker"])
            services = build_services(settings, embedder)
            services = replace(services, recorder=Recorder(services.journal, at.signer))
            for http in serving(build_app(services)):
                made = Town(http, at, served, store, {})
                adapters = {name: made.give(name, OWNER) for name in ("cites", "plain")}
                store.set_default(TOWN, adapters["cites"].adapter_id, fallback=False)
                yield replace(made, adapters=adapters)


def ingest(home: Path, embedder: SentenceTransformerEmbedder) -> None:
    report = indexer(home, embedder, datanet=TOWN).ingest(
        find_files([FOLDER / "town.jsonl"]), Defaults()
    )
    assert (report.added, report.refused) == (len(SHOWN), [])


def serving(app: Any) -> Iterator[httpx.Client]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            yield http
    finally:
        server.should_exit = True
        thread.join()


def hosts(receipt: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Who is owed as model host, and how much."""
    return [
        (line["account"], int(line["amount"]))
        for line in receipt["lines"]
        if line["part"] == "model_host"
    ]


def last_fact(thing: Thing) -> Fact:
    return thing.facts[-1]


def test_the_adapter_that_answered_is_named_by_its_hash_and_its_owner_is_paid(
    town: Town,
) -> None:
    cites = town.adapters["cites"]
    paid: list[dict[str, Any]] = []
    for thing in SHOWN:
        fact = last_fact(thing)
        answer = town.answer(fact)
        assert answer["text"] == f"{fact.sentence} [1]"
        assert answer["removed_markers"] == 0
        (claim,) = answer["claims"]
        assert (claim["text"], claim["verdict"]) == (fact.sentence, "supported")
        (citation,) = answer["citations"]
        assert citation["source"]["title"] == thing.title
        span = citation["source_span"]
        assert thing.text[span["start"] : span["end"]] == citation["cited_text"] == fact.sentence
        assert answer["receipt"]["adapter"] == "sha256:" + cites.definition.definition_id.hex()
        paid.append(answer)

    receipt = town.receipt(paid[0])
    both = [
        hashlib.sha256((FOLDER / "adapters" / "cites" / name).read_bytes()).digest()
        for name in ("adapter_config.json", "adapter_model.safetensors")
    ]
    assert receipt["adapter"]["sha256"] == hashlib.sha256(b"".join(both)).hexdigest()
    assert receipt["adapter"]["base"] == BASE
    assert receipt["model"]["base"] == f"{BASE}@{fingerprint(FOLDER / BASE)}"
    assert content_id(receipt["adapter"]).hex() == receipt["message"]["adapterId"][2:]
    fee = POLICY.fee(Usage(**paid[0]["usage"]))
    assert int(receipt["message"]["fee"]) == fee
    assert hosts(receipt) == [(format_address(OWNER), POLICY.parts(fee).model_host)]

    journal, ledger_id = town.place.journal, town.place.ledger_id
    town.give("cites", LATER_OWNER)
    last = journal.next_seq(ledger_id, TOWN)
    until(lambda: journal.settled_to(ledger_id, TOWN) >= last)
    shares = [hosts(town.receipt(answer)) for answer in paid]
    owed = sum(amount for ((_, amount),) in shares)
    assert {account for ((account, _),) in shares} == {format_address(OWNER)}
    credited = town.place.credited()
    assert credited[OWNER] == owed > 0
    assert credited == town.place.owed()
    assert LATER_OWNER not in credited
    settled = town.http.get(f"/v1/answers/{paid[0]['id']}").json()
    assert [one["reward"]["status"] for one in settled["citations"]] == ["settled"]
    town.give("cites", OWNER)


def test_another_adapter_prints_no_markers_and_what_it_claims_is_cited_all_the_same(
    town: Town,
) -> None:
    fact = last_fact(SHOWN[0])
    plain = town.adapters["plain"]
    answer = town.answer(fact, adapter=plain.adapter_id)
    assert answer["text"] == f"{fact.sentence} [1]"
    assert [one["cited_text"] for one in answer["citations"]] == [fact.sentence]
    receipt = town.receipt(answer)
    assert receipt["adapter"]["sha256"] == plain.sha256.hex()
    assert [account for account, _ in hosts(receipt)] == [format_address(OWNER)]


def test_where_the_base_answers_alone_no_owner_is_owed_and_chatter_earns_nothing(
    town: Town,
) -> None:
    fact = last_fact(SHOWN[0])
    town.store.set_default(TOWN, None, fallback=False)
    answer = town.answer(fact)
    town.store.set_default(TOWN, town.adapters["cites"].adapter_id, fallback=False)
    assert answer["text"] == f"{fact.sentence} [1] {CHATTER}"
    assert [one["cited_text"] for one in answer["citations"]] == [fact.sentence]
    receipt = town.receipt(answer)
    assert receipt["adapter"] is None
    assert receipt["model"]["base"].startswith(f"{BASE}@sha256:")
    assert hosts(receipt) == []


def test_a_server_killed_in_the_middle_of_a_reply_leaves_no_receipt_and_owes_nothing(
    town: Town, tmp_path: Path
) -> None:
    journal, ledger_id = town.place.journal, town.place.ledger_id
    town.store.set_default(TOWN, None, fallback=False)
    town.served.kill()
    town.served.restart(write_base(tmp_path / BASE, context=60_000))  # which never comes to an end
    issued, owed = journal.next_seq(ledger_id, TOWN), town.place.owed()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(town.ask, last_fact(SHOWN[0]).question)
        until(lambda: town.served.metric("running") == 1)
        town.served.kill()
        response = asked.result()
    assert response.status_code == 503
    assert response.json()["detail"].startswith("the model server does not answer")
    assert journal.next_seq(ledger_id, TOWN) == issued
    assert town.place.owed() == owed
    town.served.restart(FOLDER / BASE)
    town.store.set_default(TOWN, town.adapters["cites"].adapter_id, fallback=False)
    answer = town.answer(last_fact(SHOWN[0]))
    assert answer["receipt"]["seq"] == issued
    assert len(answer["citations"]) == 1
