"""Settlement against a real chain: whatever happens, owed equals credited in the end."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
import redis

from cli.stack import FOOTNOTE, Stack, clean_environment, free_port, give_coin
from footnote.addresses import Address, format_address
from footnote.errors import Misconfigured, Unavailable
from footnote.ids import keccak
from rewards.answered import with_live_status
from rewards.audit import audit
from rewards.batch import Attempt, Batch, SentBatch, batch_of
from rewards.chain import EvmChain
from rewards.keys import Key
from rewards.ledger import Ledger
from rewards.queue import Polling, RedisWakeUps, WakeUps
from rewards.settler import Alarm, Pace, Settler, Spending
from rewards.worker import Worker
from tests.behaviour.test_chain import settle as settle_directly
from tests.conftest import rpc, start_chain
from tests.money import (
    InstantChain,
    Place,
    Pool,
    address,
    answer,
    deployed,
    document,
    journal_at,
    mined,
    new_key,
    paying,
    place,
    refusal,
    supported,
)


@pytest.fixture
def here(instant_pool: Pool, tmp_path: Path) -> Place:
    """Mined at once, final at once; in a Ledger of its own."""
    return place(deployed(instant_pool.url, instant_pool.chain), tmp_path)


@pytest.fixture
def there(final_pool: Pool, tmp_path: Path) -> Place:
    """Mined in a moment, final later; in a Ledger of its own."""
    return place(deployed(final_pool.url, final_pool.chain), tmp_path)


@pytest.fixture
def shallow(here: Place) -> Place:
    """Final after two more blocks, which only ``rpc`` mines."""
    return replace(
        here, pool=replace(here.pool, chain=InstantChain(here.pool.url, confirmations=2))
    )


def worker(at: Place, wake_ups: WakeUps | None = None) -> Worker:
    """A worker as another process has one: its own journal connection."""
    return Worker(at.settler(journal_at(at.folder)), wake_ups or Polling(), 0.2)


def until_settled(at: Place, seconds: float = 30.0) -> None:
    """Run a fresh worker until every receipt is in a final Batch."""
    running, until = worker(at), time.monotonic() + seconds
    while at.journal.settled_to(at.ledger_id, at.name) < at.journal.next_seq(at.ledger_id, at.name):
        assert time.monotonic() < until, at.journal.batches(at.ledger_id)
        running.pass_once()
        time.sleep(0.05)


def assert_paid_exactly(at: Place) -> None:
    """Owed equals credited for every address, and the audit agrees."""
    owed = at.owed()
    assert owed
    assert at.credited() == owed
    assert at.cursor() == at.journal.next_seq(at.ledger_id, at.name)
    stages = {batch.stage for batch in at.journal.batches(at.ledger_id)}
    assert stages == {"final"}
    assert audit(at.journal, at.pool.chain).differences == []


def held(at: Place) -> str:
    (batch,) = [b for b in at.journal.batches(at.ledger_id) if b.stage != "final"]
    assert batch.stage == "planned"
    return batch.held or ""


def as_admin(at: Place, name: str, *arguments: object) -> None:
    """The pool's admin calls it."""
    chain = at.pool.chain
    function = getattr(chain._pool(at.pool.ledger).functions, name)(*arguments)
    mined(chain, chain._transact(at.pool.owner, function))


def as_owner(at: Place, name: str, *arguments: object) -> None:
    """The Datanet's owner calls the registry."""
    chain = at.pool.chain
    function = getattr(chain._registry(at.pool.ledger).functions, name)(
        at.registration.datanet_id, *arguments
    )
    mined(chain, chain._transact(at.pool.owner, function))


# The path


def test_receipts_become_one_final_batch_that_credits_what_they_owe(here: Place) -> None:
    here.record(1, 2, 3)
    here.recorder.record(refusal())
    assert here.settle()
    assert_paid_exactly(here)
    (batch,) = here.journal.batches(here.ledger_id)
    assert (batch.batch.first, batch.batch.last) == (0, 3)
    assert batch.tx_hash is not None
    assert here.pool.chain.settlement_tx(here.pool.ledger, batch.batch_id) == batch.tx_hash
    assert not here.settle(), "nothing is left to do"


def test_later_receipts_go_into_later_batches(here: Place) -> None:
    for number in (1, 2, 3):
        here.record(number)
        here.settle()
    assert [(b.batch.first, b.batch.last) for b in here.journal.batches(here.ledger_id)] == [
        (0, 0), (1, 1), (2, 2),
    ]  # fmt: skip
    assert_paid_exactly(here)


def test_a_batch_is_final_only_at_the_finalized_tag(there: Place) -> None:
    there.record(1)
    running = there.settler()
    seen: list[str] = []
    until = time.monotonic() + 20
    while not seen or seen[-1] != "final":
        assert time.monotonic() < until
        running.settle(there.registration)
        (batch,) = there.journal.batches(there.ledger_id)
        if batch.stage not in seen:
            seen.append(batch.stage)
        time.sleep(0.02)
    assert seen in (["sent", "mined", "final"], ["mined", "final"], ["sent", "final"])
    assert there.pool.chain.cursor(
        there.pool.ledger, there.registration.datanet_id, there.pool.chain.finalized()
    ) == 1  # fmt: skip
    assert_paid_exactly(there)


def test_nothing_is_sent_before_it_is_due(here: Place) -> None:
    here.record(1)
    patient = replace(here.settler(), pace=Pace(3_600, 86_400, 30))
    assert not patient.settle(here.registration)
    assert here.journal.batches(here.ledger_id) == []
    assert replace(patient, clock=lambda: time.time() + 3_601).settle(here.registration)
    assert_paid_exactly(here)


def test_refusals_alone_settle_with_total_zero(here: Place) -> None:
    here.recorder.record(refusal())
    here.settle()
    (batch,) = here.journal.batches(here.ledger_id)
    assert (batch.stage, batch.batch.total, here.cursor()) == ("final", 0, 1)


def test_the_status_of_a_reward_is_read_live(shallow: Place) -> None:
    body = shallow.recorder.record(paying())

    def status() -> str:
        shown = with_live_status(shallow.journal, shallow.journal.answer(body["id"]))
        return str(shown["citations"][0]["reward"]["status"])

    assert status() == "pending"
    shallow.settle()
    assert status() == "batched"
    rpc(shallow.pool.url, "anvil_mine", "0x2")
    shallow.settle()
    assert status() == "settled"


def test_more_than_500_addresses_take_several_batches(here: Place) -> None:
    for start in range(0, 560, 40):
        shares = [(1_000 + start + i, 250) for i in range(40)]
        here.recorder.record(answer([supported(1, document(f"d{start}", *shares))]))
    until_settled(here)
    assert [len(b.batch.payouts) for b in here.journal.batches(here.ledger_id)] == [480, 80]
    assert_paid_exactly(here)


# Crashes

POINTS = ["PlannedBatch", "NoncedBatch", "SignedBatch", "SentBatch", "MinedBatch"]


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_ends_at_any_step_pays_once_after_its_restart(
    there: Place, point: str
) -> None:
    there.record(1, 2, 3)
    environment = clean_environment(**there.settings(), CRASH_AT=f"after {point}")
    crashed = subprocess.run(
        [*FOOTNOTE, "worker"], env=environment, capture_output=True, timeout=60, check=False
    )
    assert crashed.returncode == 137, crashed.stderr.decode()
    there.record(4)
    until_settled(there)
    assert_paid_exactly(there)


@pytest.mark.parametrize("point", POINTS)
def test_a_step_that_is_interrupted_before_it_is_noted_is_taken_again(
    shallow: Place, point: str
) -> None:
    """As above, in this process, at each point on the way, again and again."""

    class Crash(Exception):
        pass

    def crash(name: str) -> None:
        if name == f"after {point}":
            raise Crash

    shallow.record(1, 2)
    with pytest.raises(Crash):
        replace(shallow.settler(), crash_point=crash).settle(shallow.registration)
    for _ in range(3):
        shallow.settler(journal_at(shallow.folder)).settle(shallow.registration)
        rpc(shallow.pool.url, "anvil_mine", "0x2")
    assert_paid_exactly(shallow)


NURSERY = """
import os, signal, sys, threading
from footnote.settings import read_settings
from rewards.worker import build_worker
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        build_worker(read_settings()).run(threading.Event())
        os._exit(0)
    print(pid, flush=True)
"""
"""Forks workers, so that killing twenty of them does not cost twenty imports."""


@dataclass
class Nursery:
    process: subprocess.Popen[str]

    def worker(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def nursery(there: Place) -> Iterator[Nursery]:
    with (there.folder / "workers.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], env=clean_environment(**there.settings()),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        with process:
            made = Nursery(process)
            assert made.line() == "ready"
            yield made


def test_kill_9_of_the_worker_at_20_random_moments_never_pays_twice_or_too_little(
    there: Place, nursery: Nursery
) -> None:
    chance = random.Random(20)
    recorded = threading.Event()

    def ask() -> None:
        for number in range(60):
            there.recorder.record(refusal() if number % 9 == 8 else paying(number % 7 + 1))
            time.sleep(0.08)
        recorded.set()

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(20):
        pid = nursery.worker()
        time.sleep(chance.uniform(0.05, 0.45))
        os.kill(pid, signal.SIGKILL)
    asking.join()
    assert recorded.is_set()
    batches_then = len(there.journal.batches(there.ledger_id))
    assert batches_then > 1, "the workers did something before they were killed"
    until_settled(there)
    assert there.journal.next_seq(there.ledger_id, "eips") == 60
    assert_paid_exactly(there)
    assert "Traceback" not in (there.folder / "workers.log").read_text()
    audited = subprocess.run(
        [*FOOTNOTE, "audit", "--json"], env=clean_environment(**there.settings()),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert audited.returncode == 0, audited.stdout + audited.stderr
    shown = json.loads(audited.stdout)
    assert (shown["difference"], shown["pending"], shown["receipts"]) == ("0", "0", 60)
    assert shown["owed"] == shown["settled"] == shown["credited"] != "0"


# Races


def test_two_workers_at_once_with_the_same_key_pay_once(there: Place) -> None:
    stop, failed = threading.Event(), []

    def run() -> None:
        running = worker(there)
        try:
            while not stop.is_set():
                running.pass_once()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(12):
        there.record(number % 5 + 1)
        time.sleep(0.15)
    until = time.monotonic() + 30
    while there.journal.settled_to(there.ledger_id, "eips") < 12 and time.monotonic() < until:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert_paid_exactly(there)


def another_distributor(at: Place) -> Key:
    key = new_key()
    give_coin(at.pool.url, format_address(key.address), 10**20)
    as_owner(at, "setDistributor", format_address(key.address), True)
    return key


def ours(at: Place, first: int, last: int) -> Batch:
    return batch_of(at.journal.payables(at.ledger_id, at.name, first, last))


def test_a_batch_that_somebody_else_settled_with_the_same_content_is_adopted(here: Place) -> None:
    here.record(1, 2, 3)
    theirs = settle_directly(here, ours(here, 0, 1), another_distributor(here))
    mined(here.pool.chain, theirs)
    here.settle()
    here.settle()
    first, second = here.journal.batches(here.ledger_id)
    assert (first.batch.last, first.tx_hash, first.stage) == (1, theirs, "final")
    assert (second.batch.first, second.batch.last) == (2, 2)
    assert_paid_exactly(here)


class Stop(Exception):
    pass


def stopping(name: str) -> Callable[[str], None]:
    def crash(point: str) -> None:
        if point == name:
            raise Stop

    return crash


def signed_only(at: Place) -> None:
    """Our batch has its bytes, and nobody has seen them."""
    with pytest.raises(Stop):
        replace(at.settler(), crash_point=stopping("after NoncedBatch")).settle(at.registration)


def test_a_batch_settled_by_another_key_while_ours_was_under_way_names_their_transaction(
    here: Place,
) -> None:
    here.record(1, 2)
    signed_only(here)
    theirs = settle_directly(here, ours(here, 0, 1), another_distributor(here))
    mined(here.pool.chain, theirs)
    here.settle()
    (batch,) = here.journal.batches(here.ledger_id)
    assert batch.stage == "final"
    assert batch.tx_hash == theirs, "not our own transaction, which reverted"
    assert_paid_exactly(here)


def test_a_shorter_batch_settled_by_another_key_while_ours_was_under_way_is_adopted(
    here: Place,
) -> None:
    here.record(1, 2, 3)
    signed_only(here)
    mined(here.pool.chain, settle_directly(here, ours(here, 0, 0), another_distributor(here)))
    until_settled(here)
    assert [(b.batch.first, b.batch.last) for b in here.journal.batches(here.ledger_id)] == [
        (0, 0), (1, 2),
    ]  # fmt: skip
    assert_paid_exactly(here)


def test_a_batch_settled_with_other_content_stops_settlement_and_alarms(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    here.record(1, 2)
    lie = replace(ours(here, 0, 0), payouts=ours(here, 0, 0).payouts[:1])
    mined(here.pool.chain, settle_directly(here, lie, another_distributor(here)))
    for _ in range(2):
        with pytest.raises(Alarm, match="otherwise than the journal owes"):
            here.settle()
    worker(here).pass_once()
    assert any("ALARM eips" in record.message for record in caplog.records)
    assert here.cursor() == 1, "nothing more is paid"
    here.record(3)
    assert here.journal.next_seq(here.ledger_id, "eips") == 3, "answers go on"
    assert any("is not the journal's" in text
               for text in audit(here.journal, here.pool.chain).differences)  # fmt: skip


def test_a_journal_that_lacks_settled_receipts_stops_payment_and_alarms(
    here: Place, tmp_path: Path
) -> None:
    here.record(1, 2, 3)
    here.settle()
    (tmp_path / "older").mkdir()
    older = journal_at(tmp_path / "older")
    older.add_ledger(here.pool.ledger)
    older.register(here.registration)
    replace(here.recorder, journal=older).record(paying())
    with pytest.raises(Alarm, match="lacks some"):
        here.settler(older).settle(here.registration)
    assert here.cursor() == 3
    older.close()


def test_a_datanet_that_alarms_never_holds_up_another(
    here: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    other = place(here.pool, tmp_path / "other", datanet="rfcs")
    as_owner(other, "setDistributor", format_address(here.distributor.address), True)
    here.journal.register(other.registration)
    replace(other.recorder, journal=here.journal).record(paying(1, "rfcs"))
    here.record(1)
    mined(here.pool.chain, settle_directly(here, Batch(0, 0, keccak(b"lie"), ())))
    worker(here).pass_once()
    assert any("ALARM eips" in record.message for record in caplog.records)
    assert here.journal.settled_to(here.ledger_id, "rfcs") == 1
    assert other.cursor() == 1


# What blocks holds the batch, says so, and resumes by itself


def test_an_empty_pool_holds_the_batch_until_it_is_funded(
    instant_pool: Pool, tmp_path: Path
) -> None:
    at = place(deployed(instant_pool.url, instant_pool.chain), tmp_path, funds=0)
    at.record(1)
    assert not at.settle()
    assert held(at) == "InsufficientFunds: fund the Datanet's pool"
    at.record(2)
    at.settle()
    assert at.cursor() == 0
    chain = at.pool.chain
    mined(chain, chain.fund(at.pool.owner, at.pool.ledger, at.registration.datanet_id, 10**18))
    at.settle()
    assert_paid_exactly(at)
    assert [b.held for b in at.journal.batches(at.ledger_id)] == [None]


def test_a_paused_pool_holds_the_batch_until_it_is_not(here: Place) -> None:
    here.record(1)
    as_admin(here, "pause", 2)
    try:
        here.settle()
        assert held(here).startswith("IsPaused")
    finally:
        as_admin(here, "unpause", 2)
    here.settle()
    assert_paid_exactly(here)


def test_a_distributor_without_the_right_waits_for_it(here: Place) -> None:
    here.record(1)
    as_owner(here, "setDistributor", format_address(here.distributor.address), False)
    here.settle()
    assert held(here).startswith("NotDistributor")
    as_owner(here, "setDistributor", format_address(here.distributor.address), True)
    here.settle()
    assert_paid_exactly(here)


def test_a_distributor_without_coin_for_gas_waits_for_it(here: Place) -> None:
    account = format_address(here.distributor.address)
    give_coin(here.pool.url, account, 1_000)
    here.record(1)
    here.settle()
    assert held(here) == f"NoGas: send coin for gas to {account}"
    give_coin(here.pool.url, account, 10**20)
    here.settle()
    assert_paid_exactly(here)


def test_a_cap_makes_batches_smaller(here: Place) -> None:
    here.record(1, 2, 3)
    each = sum(here.owed().values()) // 3
    no_limit = 2**256 - 1
    as_admin(here, "setCaps", 2 * each, no_limit, 86_400)
    try:
        until_settled(here)
    finally:
        as_admin(here, "setCaps", no_limit, no_limit, 86_400)
    assert [b.batch.last for b in here.journal.batches(here.ledger_id)] == [1, 2]
    assert_paid_exactly(here)


def test_a_transaction_that_reverts_spends_its_nonce_and_the_batch_is_planned_again(
    here: Place,
) -> None:
    here.record(1)
    signed_only(here)
    as_admin(here, "pause", 2)
    try:
        here.settle()
        assert held(here) == "the transaction reverted"
        here.settle()
        assert held(here).startswith("IsPaused")
    finally:
        as_admin(here, "unpause", 2)
    here.settle()
    assert_paid_exactly(here)
    assert here.pool.chain.nonce(here.distributor.address, "latest") == 2


# What a chain may do


@pytest.fixture
def no_mining(here: Place) -> Iterator[Place]:
    rpc(here.pool.url, "evm_setAutomine", False)
    yield here
    rpc(here.pool.url, "evm_setAutomine", True)


def attempts(at: Place) -> list[Attempt]:
    opened = at.journal.open_batch(at.ledger_id, at.name)
    assert isinstance(opened, SentBatch)
    return list(opened.signed.attempts)


def later(settler: Settler, seconds: float) -> Settler:
    return replace(settler, clock=lambda: time.time() + seconds)


def test_a_dropped_transaction_is_sent_again(no_mining: Place) -> None:
    at = no_mining
    at.record(1)
    patient = replace(at.settler(), pace=Pace(0, 0, 60))
    patient.settle(at.registration)
    rpc(at.pool.url, "anvil_dropTransaction", "0x" + attempts(at)[-1].tx_hash.hex())
    patient.settle(at.registration)
    rpc(at.pool.url, "evm_mine")
    assert at.cursor() == 0, "not before its time"
    replace(patient, clock=lambda: time.time() + 61).settle(at.registration)
    rpc(at.pool.url, "evm_mine")
    at.settle()
    assert_paid_exactly(at)
    assert at.pool.chain.nonce(at.distributor.address, "latest") == 1


def test_a_transaction_is_sent_once_until_it_is_late(no_mining: Place) -> None:
    at = no_mining
    at.record(1)
    patient = replace(at.settler(), pace=Pace(0, 0, 60))
    for _ in range(3):
        patient.settle(at.registration)
    later(patient, 59).settle(at.registration)
    assert len(attempts(at)) == 1
    rpc(at.pool.url, "evm_mine")
    at.settle()
    assert_paid_exactly(at)


def test_a_transaction_that_is_late_is_replaced_for_more_with_the_same_nonce(
    no_mining: Place,
) -> None:
    at = no_mining
    at.record(1)
    patient = replace(at.settler(), pace=Pace(0, 0, 60))
    for round_ in range(3):
        later(patient, 61 * round_).settle(at.registration)
    made = attempts(at)
    assert len(made) == 3
    for before, after in pairwise(made):
        assert after.max_fee * 1_000 >= before.max_fee * 1_125
        assert after.priority_fee * 1_000 >= before.priority_fee * 1_125
    rpc(at.pool.url, "evm_mine")
    at.settle()
    assert at.journal.batches(at.ledger_id)[0].tx_hash == made[-1].tx_hash
    assert_paid_exactly(at)
    assert at.pool.chain.nonce(at.distributor.address, "latest") == 1


def test_fees_never_rise_above_the_ceiling(no_mining: Place) -> None:
    at = no_mining
    at.record(1)
    fees = at.pool.chain.fees()
    spending = Spending(fees.max_fee + fees.max_fee // 10)
    settler = replace(at.settler(), pace=Pace(0, 0, 60), spending=spending)
    for round_ in range(3):
        later(settler, 61 * round_).settle(at.registration)
    assert len(attempts(at)) == 1
    (batch,) = at.journal.batches(at.ledger_id)
    assert batch.held
    assert "FeeCeiling" in batch.held
    rpc(at.pool.url, "evm_mine")
    at.settle()
    assert_paid_exactly(at)


def test_a_reorg_that_undoes_a_mined_batch_pays_it_again_once(shallow: Place) -> None:
    shallow.record(1, 2)
    shallow.settle()
    (batch,) = shallow.journal.batches(shallow.ledger_id)
    assert batch.stage == "mined"
    rpc(shallow.pool.url, "anvil_reorg", 1, [])
    assert shallow.cursor() == 0
    for round_ in range(1, 6):
        later(shallow.settler(), 60 * round_).settle(shallow.registration)
        rpc(shallow.pool.url, "anvil_mine", "0x2")
    assert_paid_exactly(shallow)


def test_a_reorg_that_undoes_an_adopted_batch_makes_it_ours(shallow: Place) -> None:
    shallow.record(1)
    mined(shallow.pool.chain, settle_directly(shallow, ours(shallow, 0, 0)))
    shallow.settle()
    assert shallow.journal.batches(shallow.ledger_id)[0].stage == "mined"
    rpc(shallow.pool.url, "anvil_reorg", 1, [])
    for round_ in range(1, 6):
        later(shallow.settler(), 60 * round_).settle(shallow.registration)
        rpc(shallow.pool.url, "anvil_mine", "0x2")
    assert_paid_exactly(shallow)


def test_a_nonce_that_another_transaction_spent_is_given_up(here: Place) -> None:
    here.record(1)
    signed_only(here)
    mined(
        here.pool.chain,
        here.pool.chain._sign_and_send(
            here.distributor, {"to": format_address(address(5)), "value": 1, "data": "0x"}
        ),
    )
    here.settle()
    assert held(here) == "its nonce was spent by another transaction"
    here.settle()
    assert_paid_exactly(here)


def test_a_chain_that_is_away_for_a_while_loses_nothing(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    here.record(1)
    away = EvmChain(f"http://127.0.0.1:{free_port()}")
    running = worker(here)
    assert not replace(running, settler=replace(running.settler, chain=away)).pass_once()
    assert any("does not answer" in record.message for record in caplog.records)
    assert here.journal.ledgers() == [here.pool.ledger]
    until_settled(here)
    assert_paid_exactly(here)


def test_a_node_that_lags_behind_the_deployment_loses_no_ledger(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A load balancer may hand out a node that is still syncing."""
    ahead = replace(here.pool.ledger, deployment_block=10**9)
    journal = journal_at(here.folder)
    journal.add_ledger(ahead)
    worker(here).pass_once()
    assert ahead.ledger_id in {ledger.ledger_id for ledger in journal.ledgers()}
    assert not any("ALARM" in record.message for record in caplog.records)
    journal.close()


def test_after_a_reset_of_the_chain_the_ledger_is_lost_and_answers_owe_nothing(
    stack: Stack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = start_chain(stack, "--timestamp", str(int(time.time()) - 10_000))
    at = place(deployed(url, InstantChain(url, confirmations=0)), tmp_path)
    at.record(1)
    at.settle()
    at.record(2)
    rpc(url, "anvil_reset")
    rpc(url, "anvil_mine", hex(at.pool.ledger.deployment_block + 1))
    worker(at).pass_once()
    assert any("ALARM" in record.message and record.levelno == logging.CRITICAL
               for record in caplog.records)  # fmt: skip
    assert at.journal.registration("eips") is None
    body = at.recorder.record(paying())
    assert body["receipt"]["signature"] is None
    assert body["citations"][0]["reward"] == {
        "weight_ppm": 1_000_000, "amount": "0", "status": "ineligible",
    }  # fmt: skip
    worker(at).pass_once()
    assert at.pool.chain.nonce(at.distributor.address, "latest") == 0, "nothing is sent"


# Redis holds nothing that cannot be lost


def running(at: Place, wake_ups: WakeUps, poll: float) -> tuple[threading.Thread, threading.Event]:
    stop = threading.Event()
    one = replace(worker(at, wake_ups), poll_seconds=poll)
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    return thread, stop


def wait_for(at: Place, count: int, seconds: float) -> float:
    began = time.monotonic()
    while at.journal.settled_to(at.ledger_id, at.name) < count:
        assert time.monotonic() - began < seconds, "not settled in time"
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_wake_up_through_redis_settles_at_once_and_its_loss_only_delays(
    here: Place, redis_url: str
) -> None:
    api = RedisWakeUps(redis_url, "api")
    thread, stop = running(here, RedisWakeUps(redis_url, "w"), poll=3.0)
    try:
        time.sleep(0.3)
        here.record(1)
        api.announce("eips")
        wait_for(here, 1, 2.5)
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        here.record(2)
        api.announce("eips")
        wait_for(here, 2, 2.9)
        here.record(3)  # its wake-up is lost
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        wait_for(here, 3, 8.0)
    finally:
        stop.set()
        thread.join()
    assert_paid_exactly(here)


def test_without_redis_the_worker_polls(here: Place) -> None:
    dead = RedisWakeUps(f"redis://127.0.0.1:{free_port()}/0", "w")
    thread, stop = running(here, dead, poll=0.3)
    try:
        here.record(1)
        wait_for(here, 1, 5.0)
    finally:
        stop.set()
        thread.join()
    assert_paid_exactly(here)


# The audit


def test_an_audit_counts_what_was_withdrawn(here: Place) -> None:
    contributor = new_key()
    give_coin(here.pool.url, format_address(contributor.address), 10**18)
    cited = document("d")
    ours_ = replace(cited.contributors[0], address=contributor.address)
    here.recorder.record(answer([supported(1, replace(cited, contributors=(ours_,)))]))
    here.settle()
    chain = here.pool.chain
    claim = chain._pool(here.pool.ledger).functions.claim(format_address(contributor.address))
    mined(chain, chain._transact(contributor, claim))
    found = audit(here.journal, chain)
    assert (found.differences, found.difference) == ([], 0)
    assert found.credited == found.owed > 0
    worker(here).pass_once()
    assert here.journal.claimed(here.ledger_id, contributor.address) == found.owed


def changed(at: Place, statement: str) -> list[str]:
    with at.journal._writing() as connection:
        assert connection.exec_driver_sql(statement).rowcount >= 1
    return audit(at.journal, at.pool.chain).differences


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "waiting"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lines SET amount = '1' WHERE rowid = 1",
        "UPDATE lines SET account = x'00000000000000000000000000000000000000ff' WHERE rowid = 1",
        "UPDATE lines SET body = replace(body, '\"start\": 47', '\"start\": 48') WHERE rowid = 1",
        "DELETE FROM lines WHERE rowid = 1",
        "UPDATE receipts SET leaf = zeroblob(32) WHERE seq = 1",
        'UPDATE receipts SET message = replace(message, \'"fee": "5\', \'"fee": "6\') '
        "WHERE seq = 1",
        "UPDATE receipts SET signature = zeroblob(65) WHERE seq = 1",
        "UPDATE receipts SET domain = replace(domain, '31337', '31338') WHERE seq = 1",
        "UPDATE receipts SET seq = 9 WHERE seq = 2",
        "UPDATE heads SET next_seq = 2",
    ],
)
def test_an_audit_notices_a_changed_journal(here: Place, statement: str, settled: bool) -> None:
    here.record(1, 2, 3)
    if settled:
        here.settle()
    assert audit(here.journal, here.pool.chain).differences == []
    assert changed(here, statement)


def test_an_audit_notices_a_tail_that_is_gone(here: Place) -> None:
    here.record(1, 2, 3)
    assert changed(here, "DELETE FROM lines WHERE digest IN "
                         "(SELECT digest FROM receipts WHERE seq = 2)")  # fmt: skip
    assert changed(here, "DELETE FROM receipts WHERE seq = 2")


def test_an_audit_of_another_chain_says_that_it_cannot_compare(
    here: Place, final_pool: Pool
) -> None:
    found = audit(here.journal, final_pool.chain)
    assert found.ledgers == 0
    assert "does not hold the pool" in found.differences[0]


# What a new user's attacks found


def test_a_receipt_that_somebody_changed_in_the_journal_is_not_paid(here: Place) -> None:
    here.record(1, 2)
    with here.journal._writing() as connection:
        connection.exec_driver_sql("UPDATE lines SET amount = '999000000000000000' WHERE rowid = 1")
    with pytest.raises(Alarm, match="is not what was signed"):
        here.settle()
    assert here.cursor() == 0


def test_what_comes_before_a_changed_receipt_is_still_paid(here: Place) -> None:
    here.record(1, 2)
    with here.journal._writing() as connection:
        connection.exec_driver_sql(
            "UPDATE lines SET amount = '1' WHERE digest = (SELECT digest FROM receipts WHERE seq=1)"
        )
    here.settle()
    assert here.cursor() == 1


def test_what_a_revoked_key_signed_waits_for_the_owner(here: Place) -> None:
    here.record(1)
    as_owner(here, "revokeSigner", format_address(here.signer.address))
    running = worker(here)
    running.pass_once()
    running.pass_once()
    assert here.cursor() == 0
    assert here.journal.registrations()[0].signers[0].compromised
    with pytest.raises(Alarm, match="signed by a revoked key"):
        here.settler().settle(here.journal.registrations()[0])
    with pytest.raises(Misconfigured, match="not registered for this Datanet"):
        here.record(2)


def test_a_worker_on_another_chain_for_a_while_costs_nobody_anything(
    here: Place, stack: Stack
) -> None:
    here.record(1)
    elsewhere = start_chain(stack, "--timestamp", "1700000000")
    strayed = Worker(
        replace(here.settler(journal_at(here.folder)), chain=EvmChain(elsewhere)), Polling(), 0.2
    )
    strayed.pass_once()
    assert here.journal.ledgers() == []
    assert any(
        "does not hold the pool" in d for d in audit(here.journal, EvmChain(elsewhere)).differences
    )
    until_settled_again = worker(here)
    until_settled_again.pass_once()
    assert [ledger.ledger_id for ledger in here.journal.ledgers()] == [here.ledger_id]
    until_settled(here)
    assert_paid_exactly(here)


def test_a_window_with_little_room_takes_smaller_batches(here: Place) -> None:
    here.record(1, 2, 3)
    each = sum(here.owed().values()) // 3
    as_admin(here, "setCaps", 2**256 - 1, 2 * each, 86_400)
    here.settle()
    (batch,) = [b for b in here.journal.batches(here.ledger_id) if b.stage == "final"]
    assert (batch.batch.first, batch.batch.last) == (0, 1)


class _NoLogs(EvmChain):
    """A node that answers everything but ``eth_getLogs``."""

    def claims(
        self, ledger: Ledger, first_block: int, last_block: int
    ) -> list[tuple[Address, int]]:
        raise Unavailable("the chain answers Web3RPCError", "try again")


def test_a_node_that_gives_no_logs_holds_nothing_up(here: Place) -> None:
    here.record(1)
    chain = _NoLogs(here.pool.url, confirmations=0)
    Worker(replace(here.settler(journal_at(here.folder)), chain=chain), Polling(), 0.2).pass_once()
    assert here.cursor() == 1
