"""What happens to a schedule: to the chain, the pool, Redis, the journal, and to the line between.

Each takes the schedule, does it, and counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import redis

from cli.stack import give_coin
from footnote.addresses import format_address
from footnote.errors import FootnoteError
from footnote.ids import datanet_id, keccak
from rewards.batch import Batch, Payout, batch_of
from rewards.chain import EvmChain, Fees
from rewards.keys import Key
from rewards.ledger import Registration
from tests.conftest import rpc
from tests.faults.databases import OF_BATCHES, PostgresDatabase
from tests.faults.proxy import Mood
from tests.money import deployed

if TYPE_CHECKING:
    from tests.faults.schedule import Schedule

RICH = 10**21
FUNDED = 10**12
NO_LIMIT = 2**256 - 1


def moody(mood: Mood) -> Callable[[Schedule], None]:
    def strike(schedule: Schedule) -> None:
        proxy = schedule.chance.choice(schedule.proxies)
        proxy.mood, proxy.share = mood, schedule.chance.choice((0.2, 0.6, 1.0))
        schedule.lied = schedule.lied or mood in (Mood.LIES, Mood.LAGS)

        def end() -> None:
            proxy.mood = Mood.HONEST
            if mood is Mood.LIES:  # a worker believes nothing lower for a minute: start it again
                schedule.end_all()

        schedule.later(end)

    return strike


def kill_worker(schedule: Schedule) -> None:
    if schedule.running:
        schedule.note("kill -9")
        schedule.kill(schedule.chance.choice(sorted(schedule.running)))


def drop(schedule: Schedule) -> None:
    schedule.note("transaction dropped")
    rpc(schedule.site.url, "anvil_dropAllTransactions")


def reorg(schedule: Schedule, depth: int | None = None) -> None:
    """anvil forgets what was in the blocks; what comes back is what somebody sends again."""
    chosen = depth or schedule.chance.randrange(1, schedule.depth + 1)
    schedule.note("reorg to finality depth" if chosen == schedule.depth else "reorg")
    rpc(schedule.site.url, "anvil_reorg", chosen, [])


def stranger(schedule: Schedule) -> None:
    """Another process that holds our key."""
    url, key = schedule.site.url, schedule.place.distributor
    nonce = EvmChain(url).nonce(key.address, "latest")
    send_transfer(schedule, key, nonce, 300 * 10**9)
    schedule.note("nonce used by a stranger")


def send_transfer(schedule: Schedule, key: Key, nonce: int, fee: int) -> None:
    chain = EvmChain(schedule.site.url)
    call = chain.empty_transfer(
        schedule.place.pool.ledger, schedule.other.address, nonce, Fees(fee, fee)
    )
    raw, _ = key.sign_transaction(call)
    with suppress(FootnoteError):
        chain.send(raw)


def spike(schedule: Schedule) -> None:
    schedule.note("fee spike")
    schedule.base_fee = schedule.chance.choice((20, 60, 500)) * 10**9

    def end() -> None:
        schedule.base_fee = 10**9

    schedule.later(end)


def no_gas(schedule: Schedule) -> None:
    schedule.note("empty gas account")
    account = format_address(schedule.place.distributor.address)
    give_coin(schedule.site.url, account, schedule.chance.choice((0, 10**14)))
    schedule.later(lambda: give_coin(schedule.site.url, account, RICH))


def pause(schedule: Schedule) -> None:
    schedule.note("pause")
    at = schedule.place
    schedule.as_owner(at, schedule.pool(at).pause(2))
    schedule.later(lambda: schedule.as_owner(at, schedule.pool(at).unpause(2)))


def caps(schedule: Schedule) -> None:
    """The most that one batch may credit falls below what is owed."""
    schedule.note("caps")
    at = schedule.place
    schedule.as_owner(at, schedule.pool(at).setCaps(3_000_000, NO_LIMIT, 86_400))
    raised = schedule.pool(at).setCaps(NO_LIMIT, NO_LIMIT, 86_400)
    schedule.later(lambda: schedule.as_owner(at, raised))


def no_right(schedule: Schedule) -> None:
    schedule.note("right to settle withdrawn")
    at, account = schedule.place, schedule.place.distributor.address
    schedule.as_owner(at, schedule.allow(at, account, False))
    schedule.later(lambda: schedule.as_owner(at, schedule.allow(at, account, True)))


def flush(schedule: Schedule) -> None:
    schedule.note("redis wiped")
    with redis.Redis.from_url(schedule.site.redis_url) as client:
        client.flushall()


def by_others(schedule: Schedule) -> None:
    at = schedule.place
    first = at.cursor()
    waiting = at.journal.payables(at.ledger_id, at.name, first)
    if waiting:
        batch = batch_of(waiting[: schedule.chance.randrange(1, len(waiting) + 1)])
        schedule.note("same content settled by others")
        settle(schedule, batch)


def settle(schedule: Schedule, batch: Batch) -> None:
    at, chain = schedule.place, EvmChain(schedule.site.url)
    nonce = chain.nonce(schedule.other.address, "pending")
    fees = Fees(600 * 10**9, 10**9)
    call = chain.settle_transaction(
        at.pool.ledger, at.registration.datanet_id, batch, nonce, 3_000_000, fees
    )
    raw, _ = schedule.other.sign_transaction(call)
    with suppress(FootnoteError):
        chain.send(raw)


def old_batches(schedule: Schedule) -> None:
    """Workers stop; Batches become as they were at the last copy; receipts are whole."""
    if not schedule.database.backed_up or schedule.chance.random() < 0.5:
        schedule.database.back_up()
        return
    schedule.note("journal restored, receipts whole")
    schedule.end_all()
    schedule.database.restore(OF_BATCHES)


def new_pool(schedule: Schedule) -> None:
    """A second Ledger, into which everything is issued from now on. It is deployed at once, for the
    schedule itself makes the blocks."""
    if len(schedule.places) > 1:
        return
    schedule.note("new pool")
    url, before = schedule.site.url, schedule.place
    rpc(url, "evm_setAutomine", True)
    pool = deployed(url, EvmChain(url, confirmations=0))
    chain, ledger, owner = pool.chain, pool.ledger, pool.owner
    salt = schedule.chance.randbytes(32)
    identity = datanet_id(ledger.chain_id, ledger.registry, owner.address, salt)
    chain.wait_mined(chain.create_datanet(owner, ledger, salt, "https://x.org"))
    for account in (before.distributor.address, schedule.other.address):
        chain.wait_mined(chain.set_distributor(owner, ledger, identity, account))
    chain.wait_mined(chain.add_signer(owner, ledger, identity, before.signer.address))
    chain.wait_mined(chain.fund(owner, ledger, identity, FUNDED))
    rpc(url, "evm_setAutomine", False)
    rpc(url, "anvil_mine", hex(schedule.depth + 1))
    term = chain.signer_term(ledger, identity, before.signer.address)
    assert term is not None
    registration = Registration(before.name, ledger, identity, owner.address, (term,))
    before.journal.add_ledger(ledger)
    before.journal.register(registration)
    schedule.places.append(replace(before, pool=pool, registration=registration))


def end_connections(schedule: Schedule) -> None:
    """Every connection to the journal ends, whatever it was in the middle of."""
    assert isinstance(schedule.database, PostgresDatabase)
    schedule.note("connections ended")
    schedule.database.end_connections()


def crash_server(schedule: Schedule) -> None:
    assert isinstance(schedule.database, PostgresDatabase)
    schedule.note("postgresql crashed")
    schedule.database.crash()


def nothing(schedule: Schedule) -> None:
    """Drawn when a schedule or a worker starts."""


EVENTS: Mapping[str, Callable[[Schedule], None]] = {
    "crash": nothing,
    "clock jump": nothing,
    "disk full": nothing,
    "empty pool": nothing,
    "new pool": new_pool,
    "kill -9": kill_worker,
    "rpc refused": moody(Mood.REFUSES),
    "rpc timed out": moody(Mood.TIMES_OUT),
    "rpc accepted but errored": moody(Mood.SWALLOWS),
    "stale node": moody(Mood.LAGS),
    "lying head": moody(Mood.LIES),
    "transaction dropped": drop,
    "reorg": reorg,
    "nonce used by a stranger": stranger,
    "fee spike": spike,
    "empty gas account": no_gas,
    "pause": pause,
    "caps": caps,
    "right to settle withdrawn": no_right,
    "redis wiped": flush,
    "same content settled by others": by_others,
    "journal restored, receipts whole": old_batches,
}

POSTGRESQL_EVENTS: Mapping[str, Callable[[Schedule], None]] = {
    "connections ended": end_connections,
    "postgresql crashed": crash_server,
}
"""What happens to the journal's server, where it has one."""


# Disasters


def deep_reorg(schedule: Schedule) -> None:
    reorg(schedule, schedule.depth + 3)


def strange_batch(schedule: Schedule) -> None:
    first = schedule.place.cursor()
    lie = Batch(first, first + 1, keccak(b"lie"), (Payout(schedule.other.address, 777),))
    settle(schedule, lie)


def old_journal(schedule: Schedule) -> None:
    """Everybody stops, the API too, and finds the journal as it was at the last copy."""
    schedule.end_all()
    schedule.place.journal.close()
    schedule.database.restore()
    for ask in schedule.asks[-1:]:
        with suppress(FootnoteError):
            schedule.recorder.check(ask.datanet)
    schedule.ask()  # on a slow machine the turbulence may end before anybody else does


def reset(schedule: Schedule) -> None:
    """The node comes back with an empty chain."""
    rpc(schedule.site.url, "anvil_reset")
    rpc(schedule.site.url, "evm_setAutomine", False)
    rpc(schedule.site.url, "anvil_mine", hex(60))
    schedule.undo.clear()
    schedule.faults = [name for name in schedule.faults if name in ("crash", "kill -9")]


DISASTERS: Mapping[str, Callable[[Schedule], None]] = {
    "reorg past finality": deep_reorg,
    "strange batch": strange_batch,
    "journal restored": old_journal,
    "reset chain": reset,
}
