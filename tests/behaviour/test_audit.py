"""An audit tells every difference between journal and chain, and none that is not there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli.main import footnote
from cli.stack import Stack, give_coin
from footnote.addresses import format_address
from footnote.errors import NotFound, Unavailable
from footnote.ids import ZERO_HASH, keccak
from rewards.audit import Audit, _parts, audit
from rewards.batch import Batch, Payout
from rewards.chain import EvmChain, Settlement
from rewards.journal.records import Abandoned
from rewards.ledger import Ledger
from rewards.record import Recorder
from tests.behaviour.test_chain import settle as settle_directly
from tests.behaviour.test_verify_batch import abandon
from tests.conftest import rpc, start_chain
from tests.money import (
    InstantChain,
    Place,
    Pool,
    address,
    deployed,
    mined,
    paying,
    place,
    refusal,
)


@pytest.fixture
def at(instant_pool: Pool, tmp_path: Path) -> Place:
    return place(deployed(instant_pool.url, instant_pool.chain), tmp_path)


def differences(at: Place, chain: EvmChain | None = None) -> list[str]:
    return audit(at.journal, chain or at.pool.chain).differences


def change(at: Place, statement: str) -> None:
    with at.journal._writing() as connection:
        assert connection.exec_driver_sql(statement).rowcount >= 1


# What agrees


def test_events_funds_and_credits_agree_after_several_batches(at: Place) -> None:
    for numbers in ((1, 2), (3,), (4, 5, 6)):
        at.record(*numbers)
        at.settle()
    at.recorder.record(refusal())
    at.record(7)
    found = audit(at.journal, at.pool.chain)
    assert (found.differences, found.unchecked) == ([], [])
    assert (found.batches, found.events, found.receipts) == (3, 3, 6)
    assert found.funded == 10**21
    assert found.funds == found.funded - found.settled
    assert found.credited == found.settled == 6 * 25 * 10**14
    assert found.owed == 7 * 25 * 10**14


@pytest.mark.parametrize("settled", [False, True], ids=["waiting", "settled"])
def test_abandoned_numbers_are_passed_over_and_counted(at: Place, settled: bool) -> None:
    abandon(at, 1)  # nothing before it
    at.record(1, 2)
    abandon(at, 6)
    at.record(3)
    abandon(at, 8, keccak(b"nothing after it"))
    if settled:
        at.settle()
    found = audit(at.journal, at.pool.chain)
    assert found.differences == []
    assert (found.abandoned, found.receipts) == (6, 3 if settled else 0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE abandoned SET previous = zeroblob(32) WHERE first = 1",
        "UPDATE abandoned SET digest = zeroblob(32) WHERE first = 1",
        "UPDATE abandoned SET last = 3 WHERE first = 1",
        "UPDATE abandoned SET first = 2 WHERE first = 1",
        "DELETE FROM abandoned",
    ],
)
def test_a_changed_range_of_abandoned_numbers_is_noticed(at: Place, statement: str) -> None:
    at.record(1)
    abandon(at, 2)
    at.record(2)
    assert differences(at) == []
    change(at, statement)
    assert differences(at)


def test_pages_and_ranges_cover_every_number_once() -> None:
    gaps = [Abandoned(first, last, ZERO_HASH, ZERO_HASH, 0) for first, last in
            ((0, 4), (5, 5), (2_006, 2_007))]  # fmt: skip
    numbers: list[int] = []
    for part in _parts(gaps, 3_500):
        first, last = (part.first, part.last) if isinstance(part, Abandoned) else part
        numbers += range(first, last + 1)
    assert numbers == list(range(3_500))


def test_what_an_owner_takes_back_is_no_difference(stack: Stack, tmp_path: Path) -> None:
    """On a chain of its own, whose clock goes ahead."""
    url = start_chain(stack, "--timestamp", str(int(time.time()) - 30 * 86_400))
    at = place(deployed(url, InstantChain(url, confirmations=0)), tmp_path)
    at.record(1)
    at.settle()
    pool, identity = at.pool.chain._pool(at.pool.ledger).functions, at.registration.datanet_id

    def owner(function: Any) -> None:
        mined(at.pool.chain, at.pool.chain._transact(at.pool.owner, function))

    owner(pool.requestDefunding(identity, 10**18))
    rpc(at.pool.url, "evm_increaseTime", 8 * 86_400)
    rpc(at.pool.url, "anvil_mine", "0x1")
    owner(pool.defund(identity, format_address(at.pool.owner.address)))
    found = audit(at.journal, at.pool.chain)
    assert found.differences == []
    assert found.funded == 10**21 - 10**18


def other_operator(at: Place, folder: Path) -> Place:
    """A Datanet in the same pool, of which this journal knows nothing."""
    folder.mkdir()
    return place(at.pool, folder, datanet="rfcs")


def test_another_operator_in_the_same_pool_is_no_difference(at: Place, tmp_path: Path) -> None:
    other = other_operator(at, tmp_path / "other")
    for one in (at, other):
        one.record(1)
        one.settle()
    found = audit(at.journal, at.pool.chain)
    assert found.differences == []
    assert found.events == 1
    (unchecked,) = found.unchecked
    assert "were credited by others" in unchecked


def test_a_credit_that_nobody_settled_is_one(at: Place, tmp_path: Path) -> None:
    """More than others' batches can have given, though one of theirs was settled."""
    other = other_operator(at, tmp_path / "other")
    for one in (at, other):
        one.record(1)
        one.settle()
    at.record(1)
    at.settle()

    class Generous(EvmChain):
        def credits(self, ledger: Ledger, accounts: Any, block: Any) -> Any:
            found = super().credits(ledger, accounts, block)
            return {account: amount + 25 * 10**14 for account, amount in found.items()}

    assert all(
        "was credited" in one for one in differences(at, Generous(at.pool.url, confirmations=0))
    )
    assert len(differences(at, Generous(at.pool.url, confirmations=0))) == 2


# What differs


def test_a_batch_that_the_journal_does_not_make_is_one(at: Place) -> None:
    at.record(1)
    batch = Batch(0, 0, keccak(b"root"), (Payout(address(1), 7),))
    mined(at.pool.chain, settle_directly(at, batch))
    assert any("is not the journal's" in one for one in differences(at))


class _Telling(EvmChain):
    """A chain whose events of settlements were changed."""

    def __init__(self, url: str, change: Any) -> None:
        super().__init__(url, confirmations=0)
        self._change = change

    def settlements(self, ledger: Ledger, last_block: int) -> Iterator[Settlement]:
        yield from self._change(list(super().settlements(ledger, last_block)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found[1:], "batch 0..0 has no event"),
        (lambda found: [*found, found[0]], "batch 0..0 is of no batch, or a second one"),
        (lambda found: [*found, replace(found[0], batch_id=bytes(32))], "is of no batch"),
        (lambda found: [replace(found[0], total=1), found[1]], "batch 0..0 is not what was"),
        (lambda found: [replace(found[0], count=9), found[1]], "batch 0..0 is not what was"),
        (lambda found: [replace(found[0], last=5), found[1]], "batch 0..5 is not what was"),
        (lambda found: [replace(found[0], receipts_root=bytes(32)), found[1]], "is not what was"),
    ],
)
def test_an_event_that_is_missing_strange_or_twice_is_one(
    at: Place, change: Any, told: str
) -> None:
    for number in (1, 2):
        at.record(number)
        at.settle()
    assert any(told in one for one in differences(at, _Telling(at.pool.url, change)))


def test_funds_that_are_gone_are_one(at: Place) -> None:
    at.record(1)
    at.settle()

    class Poorer(EvmChain):
        def funds(self, ledger: Ledger, datanet_id: bytes, block: Any = "latest") -> int:
            return super().funds(ledger, datanet_id, block) - 1

    (told,) = differences(at, Poorer(at.pool.url, confirmations=0))
    assert "eips: the pool holds" in told


def test_a_journal_behind_the_chain_is_said_once_and_not_for_every_event(at: Place) -> None:
    for number in (1, 2, 3):
        at.record(number)
        at.settle()
    change(at, "DELETE FROM lines WHERE digest IN (SELECT digest FROM receipts WHERE seq > 0)")
    change(at, "DELETE FROM receipts WHERE seq > 0")
    told = [one for one in differences(at) if "event" in one or "lacks" in one]
    assert told == ["eips: the journal lacks receipts of batch 1..1"]


# A chain that cannot be asked


@contextmanager
def node_without_logs(url: str, answer: dict[str, Any]) -> Iterator[str]:
    """A node that answers like the one at ``url``, but ``eth_getLogs`` with ``answer``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            call = json.loads(body)
            if call["method"] == "eth_getLogs":
                said = json.dumps({"jsonrpc": "2.0", "id": call["id"], **answer}).encode()
            else:
                as_json = {"content-type": "application/json"}
                said = httpx.post(url, content=body, headers=as_json).content
            self.send_response(200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -32601, "message": "the method eth_getLogs is not available"}},
        {"error": {"code": -32005, "message": "query returned more than 10000 results"}},
        {"result": []},
    ],
    ids=["refused", "too many", "forgotten"],
)
def test_a_node_without_logs_is_an_error_and_no_difference(
    at: Place, answer: dict[str, Any]
) -> None:
    at.record(1)
    at.settle()
    with (
        node_without_logs(at.pool.url, answer) as url,
        pytest.raises(Unavailable, match="the chain gives no logs of block"),
    ):
        audit(at.journal, EvmChain(url, confirmations=0))


# One Datanet, and the command


def test_one_datanet_is_compared_alone_and_credits_are_left_out(at: Place, tmp_path: Path) -> None:
    other = other_operator(at, tmp_path / "other")
    at.journal.register(other.registration)
    both = replace(other, journal=at.journal)
    Recorder(at.journal, other.signer).record(paying(3, "rfcs"))
    at.record(1, 2)
    both.settle()
    at.settle()
    found = audit(at.journal, at.pool.chain, datanet="rfcs")
    assert (found.differences, found.receipts, found.events, found.batches) == ([], 1, 1, 1)
    assert (found.owed, found.settled, found.credited) == (25 * 10**14, 25 * 10**14, 0)
    assert "credits" in found.unchecked[0]
    whole = audit(at.journal, at.pool.chain)
    assert (whole.differences, whole.receipts, whole.credited) == ([], 3, 75 * 10**14)
    change(at, "UPDATE lines SET amount = '1' WHERE rowid = 1")
    assert audit(at.journal, at.pool.chain, datanet="rfcs").differences
    assert audit(at.journal, at.pool.chain, datanet="eips").differences == []
    with pytest.raises(NotFound):
        audit(at.journal, at.pool.chain, datanet="peps")


def test_it_says_how_far_it_is(at: Place) -> None:
    at.record(1)
    at.settle()
    said: list[str] = []
    audit(at.journal, at.pool.chain, said.append)
    assert [text.split(":")[-1].split()[0] for text in said] == [
        "batches", "receipts", "events", "at", "funds", "credits",
    ]  # fmt: skip


def test_the_command_ends_with_a_verdict(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    give_coin(at.pool.url, format_address(at.distributor.address), 10**18)
    at.record(1)
    at.settle()
    rpc(at.pool.url, "anvil_mine", "0x1")
    for name, value in (("HOME", str(at.folder)), ("RPC_URL", at.pool.url), ("CONFIRMATIONS", "1")):
        monkeypatch.setenv(f"FOOTNOTE_{name}", value)
    told = CliRunner().invoke(footnote, ["audit"])
    assert (told.exit_code, told.output.splitlines()[-1]) == (0, "journal and chain agree")
    change(at, "UPDATE lines SET amount = '1' WHERE rowid = 1")
    told = CliRunner().invoke(footnote, ["audit", "--datanet", "eips"])
    assert told.exit_code == 70
    assert told.output.splitlines()[-1].startswith("journal and chain DIFFER in ")
    shown = json.loads(CliRunner().invoke(footnote, ["audit", "--json"]).stdout)
    assert shown["agrees"] is False
    assert shown.keys() == Audit().as_json().keys()
    kept = {one.datanet: one.body["agrees"] for one in at.journal.audits()}
    assert kept == {"eips": False, None: False}
