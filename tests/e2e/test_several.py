"""Several hosts in small: two services and two workers over one PostgreSQL and one chain."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.keys import Wish, new_key
from cli.stack import (
    FOOTNOTE,
    Stack,
    address_of,
    free_port,
    fresh_home,
    give_coin,
    start_anvil,
    throw_away_keys,
)
from rewards.journal.journal import Journal
from tests.conftest import CHECKOUT
from tests.postgres import Postgres

DATANET = "handbook"
QUESTIONS = 40
SETTLE_SECONDS = 90.0


@dataclass(frozen=True)
class Hosts:
    stack: Stack
    urls: tuple[str, str]
    journal: Journal

    def ask(self, number: int, headers: dict[str, str]) -> httpx.Response:
        body = {"datanet": DATANET, "question": f"What is a receipt, and who signs it? ({number})"}
        address = f"{self.urls[number % 2]}/v1/answers"
        return httpx.post(address, json=body, headers=headers, timeout=60)

    def key(self, **wish: Any) -> dict[str, str]:
        shown, kept = new_key(Wish("a test", **wish))
        self.journal.create_key(kept)
        return {"Authorization": f"Bearer {shown}"}


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_url: str
) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("several")
    environment = throw_away_keys(folder, fresh_home(folder))
    with ExitStack() as ending:
        environment |= {
            "FOOTNOTE_JOURNAL_URL": ending.enter_context(postgres.database()),
            "FOOTNOTE_REDIS_URL": redis_url, "FOOTNOTE_BATCH_AGE_SECONDS": "1",
            "FOOTNOTE_POLL_SECONDS": "1", "FOOTNOTE_LEASE_SECONDS": "3",
        }  # fmt: skip
        stack = ending.enter_context(Stack(folder, environment))
        rpc_url = start_anvil(stack, CHECKOUT)
        environment["FOOTNOTE_RPC_URL"] = rpc_url
        for name in ("owner", "distributor"):
            give_coin(rpc_url, address_of(folder, name), 10**24)
        stack.run(["ingest", DATANET, str(CHECKOUT / "examples" / "handbook")])
        for command in (["deploy"], ["register", DATANET], ["fund", DATANET, "100000"]):
            stack.run(command)
        ports = free_port(), free_port()
        for port in ports:
            stack.start(f"api {port}", [*FOOTNOTE, "serve", "--port", str(port)])
        for number in range(2):
            stack.start(f"worker {number}", [*FOOTNOTE, "worker"])
        urls = f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
        for url in urls:
            stack.wait_http(f"{url}/readyz", seconds=120)
        journal = Journal(environment["FOOTNOTE_JOURNAL_URL"])
        ending.callback(journal.close)
        yield Hosts(stack, urls, journal)


def test_two_services_number_without_gaps_and_two_workers_pay_once(hosts: Hosts) -> None:
    headers = hosts.key()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: hosts.ask(number, headers), range(QUESTIONS)))
    assert [reply.status_code for reply in replies] == [200] * QUESTIONS
    answers = [reply.json() for reply in replies]
    assert sorted(answer["receipt"]["seq"] for answer in answers) == list(range(QUESTIONS))
    read = httpx.get(f"{hosts.urls[1]}/v1/answers/{answers[0]['id']}", headers=headers).json()
    assert read["text"] == answers[0]["text"], "what one service answered the other one shows"
    until = time.monotonic() + SETTLE_SECONDS
    while not all(_is_settled(hosts, answer) for answer in answers):
        assert time.monotonic() < until, hosts.stack.run(["status"])
        time.sleep(0.5)
    audited = json.loads(hosts.stack.run(["audit", "--json"]))
    assert audited["agrees"], audited
    assert audited["difference"] == "0"


def _is_settled(hosts: Hosts, answer: dict[str, Any]) -> bool:
    receipt = httpx.get(f"{hosts.urls[0]}/v1/receipts/{answer['receipt']['id']}").json()
    return receipt["batch"] is not None and receipt["batch"]["status"] == "final"


def test_limits_are_of_all_services_together(hosts: Hosts) -> None:
    minute = hosts.key(questions_per_minute=4)
    assert [hosts.ask(number, minute).status_code for number in range(6)] == [200] * 4 + [429] * 2
    day = hosts.key(questions_per_day=4)
    assert [hosts.ask(number, day).status_code for number in range(6)] == [200] * 4 + [429] * 2
