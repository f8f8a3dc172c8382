"""Several RPC endpoints as one: what is believed, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from footnote.errors import Misconfigured, Unavailable
from rewards.endpoints import (
    AWAY_SECONDS,
    LOOK_SECONDS,
    PATIENCE_SECONDS,
    STALE_SECONDS,
    Endpoints,
    urls_of,
)


@dataclass
class Node:
    """A node of a chain whose blocks are named by number and ``fork``."""

    chain_id: int = 1
    head: int = 100
    lag: int = 10
    fork: str = "true"
    forked_at: int = 10**9
    balance: int = 7
    away: bool = False
    full: bool = False
    asked: list[str] = field(default_factory=list)

    def block(self, number: int) -> dict[str, str] | None:
        if number > self.head:
            return None
        fork = self.fork if number >= self.forked_at else "true"
        return {"number": hex(number), "hash": f"{self.chain_id}-{fork}-{number}"}

    def answer(self, method: str, parameters: Sequence[Any]) -> object:
        self.asked.append(method)
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_getBlockByNumber":
                named = {"latest": self.head, "finalized": self.head - self.lag}
                number = named.get(parameters[0])
                return self.block(int(parameters[0], 16) if number is None else number)
            case "eth_sendRawTransaction" if self.full:
                raise ValueError("txpool is full")
            case "eth_call" if int(parameters[1], 16) > self.head:
                raise ValueError("header not found")
            case _:
                return hex(self.balance)


@dataclass
class Net:
    """Nodes by their URLs, and time."""

    nodes: dict[str, Node]
    now: float = 1_000.0

    def post(self, url: str, body: bytes) -> bytes:
        node, request = self.nodes[url], json.loads(body)
        if node.away:
            raise requests.ConnectionError("refused")
        try:
            shown: dict[str, object] = {"result": node.answer(request["method"], request["params"])}
        except ValueError as error:
            shown = {"error": {"code": -32000, "message": str(error)}}
        return json.dumps({"jsonrpc": "2.0", "id": 1, **shown}).encode()

    def endpoints(self) -> Endpoints:
        return Endpoints(list(self.nodes), self.post, lambda: self.now)


def net(*nodes: Node) -> Net:
    return Net({f"https://node{i}.example/key": node for i, node in enumerate(nodes)})


def ask(endpoints: Endpoints, method: str = "eth_getBalance", *parameters: object) -> Any:
    body = json.dumps({"method": method, "params": parameters}).encode()
    return json.loads(endpoints.ask(method, parameters, body))


def reasons(endpoints: Endpoints) -> dict[int, str]:
    return {int(url[12]): reason for url, reason in endpoints.left_out().items()}


def test_the_endpoint_with_the_newest_block_answers() -> None:
    world = net(Node(head=99, balance=1), Node(head=100, balance=2))
    assert ask(world.endpoints())["result"] == "0x2"
    even = net(Node(balance=1), Node(balance=2))
    assert ask(even.endpoints())["result"] == "0x1", "the first of equals"


def test_an_endpoint_that_is_away_is_replaced_at_once_and_comes_back() -> None:
    first, second = Node(balance=1), Node(balance=2)
    world = net(first, second)
    endpoints = world.endpoints()
    assert ask(endpoints)["result"] == "0x1"
    first.away = True
    assert ask(endpoints)["result"] == "0x2"
    assert "does not answer" in reasons(endpoints)[0]
    first.away = False
    world.now += AWAY_SECONDS + LOOK_SECONDS
    assert ask(endpoints)["result"] == "0x1"
    assert reasons(endpoints) == {}


def test_where_all_are_away_the_error_says_so_and_the_first_to_return_answers() -> None:
    only = Node()
    world = net(only, Node(away=True))
    endpoints = world.endpoints()
    only.away = True
    with pytest.raises(requests.ConnectionError):
        ask(endpoints)
    only.away = False
    assert ask(endpoints)["result"] == "0x7", "without waiting"


def test_an_endpoint_far_behind_is_left_out_for_a_while() -> None:
    behind = Node(head=90, balance=1)
    world = net(behind, Node(balance=2))
    endpoints = world.endpoints()
    assert ask(endpoints)["result"] == "0x2"
    assert reasons(endpoints) == {0: "is 10 blocks behind"}
    world.nodes["https://node1.example/key"].away = True
    with pytest.raises(Unavailable, match="100 was seen already"):
        ask(endpoints)
    behind.head = 101
    world.now += STALE_SECONDS
    assert ask(endpoints)["result"] == "0x1"


def test_no_head_below_one_that_was_seen_is_acted_on_until_it_lasts() -> None:
    node = Node()
    world = net(node)
    endpoints = world.endpoints()
    ask(endpoints)
    node.head = 98
    for _ in range(5):
        world.now += LOOK_SECONDS
        with pytest.raises(Unavailable, match="newest block is 98, and 100 was seen"):
            ask(endpoints)
    world.now += PATIENCE_SECONDS
    assert ask(endpoints)["result"] == "0x7"


def test_an_endpoint_of_another_chain_is_never_asked() -> None:
    wrong = Node(chain_id=2, head=500, balance=1)
    endpoints = net(Node(balance=2), wrong, Node(balance=2)).endpoints()
    assert ask(endpoints)["result"] == "0x2"
    assert reasons(endpoints) == {1: "is another chain (2)"}
    assert "eth_getBalance" not in wrong.asked


def test_a_chain_that_was_seen_first_stays_the_one() -> None:
    first = Node(balance=1)
    world = net(first, Node(chain_id=2, away=True), Node(chain_id=2, away=True))
    endpoints = world.endpoints()
    ask(endpoints)
    for node in world.nodes.values():
        node.away = False
    world.now += 20
    assert ask(endpoints)["result"] == "0x1"


def test_a_chain_that_was_reset_is_taken_for_what_it_is() -> None:
    world = net(Node())
    endpoints = world.endpoints()
    ask(endpoints)
    world.nodes = dict.fromkeys(world.nodes, Node(chain_id=3, head=2, balance=4))
    world.now += LOOK_SECONDS
    assert ask(endpoints)["result"] == "0x4"


def test_an_endpoint_that_rewrites_what_was_final_is_left_out() -> None:
    liar = Node(head=102, balance=1)
    world = net(liar, Node(balance=2))
    endpoints = world.endpoints()
    ask(endpoints)
    liar.fork, liar.forked_at = "lie", 80
    world.now += LOOK_SECONDS
    liar.head, world.nodes["https://node1.example/key"].head = 110, 109
    assert ask(endpoints)["result"] == "0x2"
    assert reasons(endpoints) == {0: "contradicts what was final"}


def test_two_that_contradict_each_other_from_the_start_are_both_not_believed() -> None:
    endpoints = net(Node(), Node(fork="lie", forked_at=80)).endpoints()
    with pytest.raises(Unavailable, match=r"node0\.example, node1\.example contradict"):
        ask(endpoints)


def test_of_three_the_two_that_agree_are_believed() -> None:
    endpoints = net(Node(fork="lie", forked_at=80, balance=1), Node(), Node()).endpoints()
    assert ask(endpoints)["result"] == "0x7"
    assert reasons(endpoints) == {0: "contradicts what was final"}


def test_what_is_read_at_a_numbered_block_must_be_the_same_everywhere() -> None:
    call = ("eth_call", {"to": "0x"}, hex(50))
    assert ask(net(Node(), Node()).endpoints(), *call)["result"] == "0x7"
    with pytest.raises(Unavailable, match="contradict each other"):
        ask(net(Node(balance=1), Node()).endpoints(), *call)
    three = net(Node(balance=1), Node(), Node()).endpoints()
    assert ask(three, *call)["result"] == "0x7"
    assert 0 in reasons(three)


def test_one_that_does_not_know_the_block_yet_or_is_away_hinders_nobody() -> None:
    call = ("eth_call", {"to": "0x"}, hex(100))
    world = net(Node(head=99), Node(), Node(), Node(away=True))
    assert ask(world.endpoints(), *call)["result"] == "0x7"


def test_one_that_runs_ahead_alone_is_not_believed_about_anything_final() -> None:
    """A fork of the chain with blocks of its own, as one endpoint of three."""
    liar = Node(head=200, fork="lie", forked_at=101, balance=1)
    world = net(liar, Node(balance=2), Node(balance=2))
    endpoints = world.endpoints()
    assert ask(endpoints)["result"] == "0x2"
    assert reasons(endpoints) == {0: "is 100 blocks ahead of the others"}
    call = ("eth_call", {"to": "0x"}, hex(190))
    with pytest.raises(Unavailable, match="contradict each other"):
        ask(endpoints, *call)
    assert ask(endpoints, "eth_sendRawTransaction", "0x02")["result"]
    assert all("eth_sendRawTransaction" in node.asked for node in world.nodes.values())


def test_of_two_the_one_that_is_behind_still_has_its_voice() -> None:
    world = net(Node(head=90), Node(balance=2))
    endpoints = world.endpoints()
    assert ask(endpoints)["result"] == "0x2"
    with pytest.raises(Unavailable):
        ask(endpoints, "eth_call", {"to": "0x"}, hex(95))


@pytest.mark.parametrize(
    "body", [b'"rate limited"', b"[]", b"null", b'{"error":"slow"}', b"<html>"]
)
def test_an_endpoint_that_answers_oddly_is_as_good_as_away(body: bytes) -> None:
    world = net(Node(), Node(balance=2))
    first = next(iter(world.nodes))

    def post(url: str, request: bytes) -> bytes:
        return body if url == first else world.post(url, request)

    endpoints = Endpoints(list(world.nodes), post, lambda: world.now)
    assert ask(endpoints)["result"] == "0x2"
    assert "does not answer" in reasons(endpoints)[0]
    with pytest.raises(requests.RequestException):
        ask(Endpoints([first], post, lambda: world.now))


def test_where_only_another_chain_answers_nothing_is_believed() -> None:
    good = Node()
    world = net(good, Node(chain_id=2))
    world.nodes["https://node1.example/key"].away = True
    endpoints = world.endpoints()
    ask(endpoints)
    good.away = True
    world.nodes["https://node1.example/key"].away = False
    world.now += 400
    with pytest.raises(Unavailable, match="another chain"):
        ask(endpoints)
    good.away = False
    world.now += 400
    assert ask(endpoints)["result"] == "0x7"
    with pytest.raises(Unavailable, match="of several"):
        ask(net(Node(), Node(chain_id=2)).endpoints())


def test_a_block_that_nobody_knows_is_the_nodes_own_error() -> None:
    answer = ask(net(Node(), Node()).endpoints(), "eth_call", {"to": "0x"}, hex(500))
    assert answer["error"]["message"] == "header not found"


def test_a_transaction_is_given_to_all_and_one_that_takes_it_is_enough() -> None:
    nodes = [Node(full=True), Node(), Node(away=True)]
    answer = ask(net(*nodes).endpoints(), "eth_sendRawTransaction", "0x02")
    assert answer["result"] == "0x7"
    assert [node.asked.count("eth_sendRawTransaction") for node in nodes] == [1, 1, 0]
    refused = ask(net(Node(full=True), Node(full=True)).endpoints(), "eth_sendRawTransaction", "0x")
    assert refused["error"]["message"] == "txpool is full"


def test_one_endpoint_alone_is_asked_once_for_each_question() -> None:
    node = Node()
    endpoints = net(node).endpoints()
    ask(endpoints)
    node.asked.clear()
    for _ in range(5):
        ask(endpoints, "eth_call", {"to": "0x"}, hex(50))
    assert node.asked == ["eth_call"] * 5


def test_the_log_names_an_endpoint_without_the_key_in_its_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ask(net(Node(), Node(head=10)).endpoints())
    (said,) = [record.getMessage() for record in caplog.records]
    assert "node1.example" in said
    assert "key" not in said


def test_addresses_are_separated_by_commas() -> None:
    assert urls_of("http://a, https://b,,http://a") == ["http://a", "https://b"]
    for wrong in ("", " , ", "ws://a", "http://a,b"):
        with pytest.raises(Misconfigured, match="FOOTNOTE_RPC_URL"):
            urls_of(wrong)
