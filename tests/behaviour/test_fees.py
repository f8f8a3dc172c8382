"""Nonces that must be freed, and gas that must be paid for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from footnote.addresses import format_address
from rewards.batch import NoncedBatch, PlannedBatch, Purpose, SentBatch
from rewards.chain import L1_FEE_ORACLE, Fees
from rewards.queue import Polling
from rewards.settler import Pace, Settler, Spending, lease_of
from rewards.worker import Worker
from tests.conftest import rpc
from tests.money import Place, Pool, deployed, journal_at, mined, new_key, place

SETTLE = 2
"""The pool's bit that pauses settling."""


@pytest.fixture
def here(instant_pool: Pool, tmp_path: Path) -> Place:
    return place(deployed(instant_pool.url, instant_pool.chain), tmp_path)


@pytest.fixture
def no_mining(here: Place) -> Iterator[Place]:
    rpc(here.pool.url, "evm_setAutomine", False)
    yield here
    rpc(here.pool.url, "evm_setAutomine", True)


def pool_call(at: Place, name: str, *arguments: object) -> None:
    """The pool's admin calls it, whose fee puts it before what waits already."""
    chain = at.pool.chain
    function = getattr(chain._pool(at.pool.ledger).functions, name)(*arguments)
    sent = chain._transact(at.pool.owner, function)
    rpc(at.pool.url, "evm_mine")
    mined(chain, sent)


def at_time(settler: Settler, seconds: float) -> Settler:
    return replace(settler, clock=lambda: time.time() + seconds)


def opened(at: Place) -> SentBatch:
    found = at.journal.open_batch(at.ledger_id, at.name)
    assert isinstance(found, SentBatch)
    return found


def stop_after(stage: str) -> Callable[[str], None]:
    def stop(point: str) -> None:
        if point == f"after {stage}":
            raise InterruptedError

    return stop


def test_a_transaction_that_can_no_longer_succeed_is_cancelled_and_its_batch_planned_again(
    no_mining: Place,
) -> None:
    at = no_mining
    at.record(1)
    patient = replace(at.settler(), pace=Pace(0, 0, 60))
    patient.settle(at.registration)
    (first,) = opened(at).signed.attempts
    rpc(at.pool.url, "anvil_dropTransaction", "0x" + first.tx_hash.hex())
    pool_call(at, "pause", SETTLE)
    at_time(patient, 61).settle(at.registration)
    _, cancelling = opened(at).signed.attempts
    assert cancelling.purpose is Purpose.CANCEL
    assert cancelling.max_fee * 1_000 >= first.max_fee * 1_125
    at_time(patient, 122).settle(at.registration)
    assert [one.purpose for one in opened(at).signed.attempts] == ["settle", "cancel", "cancel"]
    rpc(at.pool.url, "evm_mine")
    at.settle()
    (batch,) = at.journal.batches(at.ledger_id)
    assert (batch.stage, batch.held) == ("planned", "cancelled")
    assert at.pool.chain.nonce(at.distributor.address, "latest") == 1
    assert at.journal.fees_paid(at.ledger_id, at.distributor.address) > 0
    at.settle()
    assert "IsPaused" in (at.journal.batches(at.ledger_id)[0].held or "")
    pool_call(at, "unpause", SETTLE)
    rpc(at.pool.url, "evm_setAutomine", True)
    at.settle()
    assert at.journal.batches(at.ledger_id)[0].stage == "final"
    assert at.credited() == at.owed()


def test_whichever_of_settlement_and_cancellation_is_mined_decides(no_mining: Place) -> None:
    at = no_mining
    at.record(1)
    patient = replace(at.settler(), pace=Pace(0, 0, 60))
    patient.settle(at.registration)
    (first,) = opened(at).signed.attempts
    rpc(at.pool.url, "anvil_dropTransaction", "0x" + first.tx_hash.hex())
    pool_call(at, "pause", SETTLE)
    at_time(patient, 61).settle(at.registration)
    _, cancelling = opened(at).signed.attempts
    rpc(at.pool.url, "anvil_dropTransaction", "0x" + cancelling.tx_hash.hex())
    pool_call(at, "unpause", SETTLE)
    at.pool.chain.send(first.raw)
    rpc(at.pool.url, "evm_mine")
    at.settle()
    (batch,) = at.journal.batches(at.ledger_id)
    assert (batch.stage, batch.tx_hash) == ("final", first.tx_hash)
    assert at.credited() == at.owed()


def test_a_nonce_for_which_nothing_was_signed_is_given_back(here: Place) -> None:
    here.record(1)
    with pytest.raises(InterruptedError):
        replace(here.settler(), crash_point=stop_after("PlannedBatch")).settle(here.registration)
    assert isinstance(here.journal.open_batch(here.ledger_id, here.name), NoncedBatch)
    pool_call(here, "pause", SETTLE)
    here.settle()
    waiting = here.journal.open_batch(here.ledger_id, here.name)
    assert isinstance(waiting, PlannedBatch)
    assert "IsPaused" in (waiting.held or "")
    pool_call(here, "unpause", SETTLE)
    here.settle()
    assert here.credited() == here.owed()


def test_a_batch_of_a_worker_that_is_gone_for_good_goes_on_with_another_key(here: Place) -> None:
    here.record(1)
    chain, ledger, identity = here.pool.chain, here.pool.ledger, here.registration.datanet_id
    other = new_key()
    rpc(here.pool.url, "anvil_setBalance", format_address(other.address), hex(10**20))
    mined(chain, chain.set_distributor(here.pool.owner, ledger, identity, other.address))
    gone = replace(here.settler(), key=other, crash_point=stop_after("PlannedBatch"))
    with pytest.raises(InterruptedError):
        gone.settle(here.registration)
    here.journal.lead(lease_of(other.address), "the one that is gone", 10, time.time())
    here.settle()
    assert isinstance(here.journal.open_batch(here.ledger_id, here.name), NoncedBatch)
    at_time(here.settler(), 11).settle(here.registration)
    at_time(here.settler(), 11).settle(here.registration)
    assert here.credited() == here.owed()


def test_a_days_fees_stay_within_their_budget(here: Place) -> None:
    here.record(1)
    here.settle()
    spent = here.journal.fees_paid(here.ledger_id, here.distributor.address)
    receipt = here.pool.chain.receipt(here.journal.batches(here.ledger_id)[0].tx_hash or b"")
    assert receipt is not None
    assert spent == receipt.fee > 0
    here.record(2)
    ceiling = here.pool.chain.max_fee
    frugal = replace(here.settler(), spending=Spending(ceiling, spent + 1))
    frugal.settle(here.registration)
    waiting = here.journal.batches(here.ledger_id)[1]
    assert waiting.stage == "planned"
    assert "FeeBudget" in (waiting.held or "")
    tomorrow = replace(frugal, spending=Spending(ceiling, 10**16))
    at_time(tomorrow, 86_400).settle(here.registration)
    assert here.credited() == here.owed()


def test_what_the_chain_below_takes_must_be_there_too(here: Place) -> None:
    """A chain of the OP Stack: its oracle answers 10 coins for any transaction."""
    coins = 10 * 10**18
    returns_it = "0x69" + coins.to_bytes(10, "big").hex() + "60005260206000f3"
    oracle = format_address(L1_FEE_ORACLE)
    assert here.pool.chain.l1_fee(b"x") == 0
    rpc(here.pool.url, "anvil_setCode", oracle, returns_it)
    try:
        chain = type(here.pool.chain)(here.pool.url, confirmations=0)
        assert chain.l1_fee(b"x" * 300) == coins
        settler = replace(here.settler(), chain=chain)
        account = format_address(here.distributor.address)
        rpc(here.pool.url, "anvil_setBalance", account, hex(coins))
        here.record(1)
        settler.settle(here.registration)
        assert "NoGas" in (here.journal.batches(here.ledger_id)[0].held or "")
        rpc(here.pool.url, "anvil_setBalance", account, hex(11 * 10**18))
        settler.settle(here.registration)
        assert here.credited() == here.owed()
    finally:
        rpc(here.pool.url, "anvil_setCode", oracle, "0x")


def test_nothing_is_signed_below_what_the_chain_asks_or_above_the_ceiling(here: Place) -> None:
    here.record(1)
    cheap = replace(here.settler(), spending=Spending(1))
    cheap.settle(here.registration)
    waiting = here.journal.open_batch(here.ledger_id, here.name)
    assert isinstance(waiting, PlannedBatch)
    assert "FeeCeiling" in (waiting.held or "")
    asked = here.pool.chain.fees()
    assert asked.max_fee > asked.base_fee + asked.priority_fee
    least = Spending(asked.base_fee + asked.priority_fee)
    replace(here.settler(), spending=least).settle(here.registration)
    assert here.credited() == here.owed()
    assert isinstance(asked, Fees)


def test_one_worker_leads_and_another_takes_over(here: Place) -> None:
    first, second = (
        Worker(here.settler(journal_at(here.folder)), Polling(), 0.1, 5.0, name)
        for name in ("first", "second")
    )
    stop = threading.Event()
    assert first._leads()
    threads = [threading.Thread(target=one.run, args=(stop,)) for one in (first, second)]
    lease = lease_of(here.distributor.address)
    for thread in threads:
        thread.start()
    here.record(1, 2, 3)
    until = time.monotonic() + 30
    while here.journal.settled_to(here.ledger_id, "eips") < 3 and time.monotonic() < until:
        assert here.journal.leader(lease, time.time()) in ("first", None)  # None: it was slow
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert here.journal.leader(lease, time.time()) is None, "a worker that stops makes room"
    assert second._leads()
    assert here.credited() == here.owed()
