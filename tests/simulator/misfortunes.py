"""What happens to a schedule from outside: to the chain, the pool, the journal's disk, the clocks.

Each takes the schedule, does it, and counts it. What somebody took away is given back later.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from footnote.addresses import format_address
from footnote.ids import keccak
from rewards.batch import batch_of
from rewards.ledger import Registration
from tests.simulator import chain as model
from tests.simulator.faults import Disaster, Fault

if TYPE_CHECKING:
    from tests.simulator.schedule import Place, Schedule

Misfortune = Callable[["Schedule"], None]

RICH, FUNDED = 10**21, 10**12
DAY_SECONDS = 86_400
RECORDS = ("attempts", "batches", "lines", "idempotency", "receipts", "answers", "heads",
           "spending", "leases", "claims")  # fmt: skip


# The chain


def reorg(schedule: Schedule) -> None:
    depth = schedule.chance.randrange(1, schedule.net.finality + 1)
    _reorg(schedule, depth, schedule.chance.choice((0.0, 0.5, 1.0)))


def _reorg(schedule: Schedule, depth: int, back: float) -> None:
    net = schedule.net
    schedule.happened(Fault.REORG, f"of {'finality depth' if depth == net.finality else 'less'}")
    net.reorg(depth, int(schedule.now), schedule.chance, back)


def drop(schedule: Schedule) -> None:
    if schedule.net.drop(schedule.chance):
        schedule.happened(Fault.DROPPED)


def lie(schedule: Schedule) -> None:
    """Some nodes, or all, say that more blocks are final than they have."""
    nodes = schedule.net.nodes[:: schedule.chance.choice((1, 2))]
    for node in nodes:
        node.claims_ahead = schedule.net.finality + schedule.chance.randrange(1, 20)
    schedule.happened(Fault.LYING_HEAD)

    def stop() -> None:
        for node in nodes:
            node.claims_ahead = 0

    schedule.later(stop)


def stranger(schedule: Schedule) -> None:
    """Another process that holds our key spends a nonce; sometimes a reorg takes that back."""
    net, chance = schedule.net, schedule.chance
    key = chance.choice(schedule.keys)
    nonce = net.head.state.nonces.get(key.address, 0) + chance.randrange(2)
    fee = chance.choice((2, 200)) * net.base_fee
    raw = model.transfer(key, nonce, fee, schedule.other.address)
    try:
        net.producer.take(model.Transaction.decoded(raw))
    except model.NodeRefuses:
        return
    schedule.happened(Fault.STRANGER)
    if Fault.REORG in schedule.profile.faults and chance.random() < 0.5:
        schedule.later(lambda: _take_back(schedule, net), 4.0, 6.0, 9.0)


def _take_back(schedule: Schedule, net: model.Net) -> None:
    if schedule.turbulent and schedule.net is net:
        _reorg(schedule, net.finality, 0.0)


def spike(schedule: Schedule) -> None:
    net = schedule.net
    net.base_fee = schedule.chance.choice((5, 30, 80, 1_000)) * model.GWEI
    schedule.happened(Fault.FEE_SPIKE)

    def end() -> None:
        net.base_fee = model.GWEI

    schedule.later(end)


def claim(schedule: Schedule) -> None:
    place = schedule.places[-1]
    pool = schedule.net.head.state.pools.get(place.ledger.pool)
    if pool is None or not pool.credit:
        return
    account = schedule.chance.choice(sorted(pool.credit))
    schedule.happened(Fault.CLAIM)
    schedule.net.waiting.append(model.Claim(place.ledger.pool, account))


# Gas, funds, rights


def no_gas(schedule: Schedule) -> None:
    left = schedule.chance.choice((0, 10**13, 10**15))

    def take(state: model.State) -> None:
        for key in schedule.keys:
            state.balances[key.address] = left

    schedule.act(Fault.NO_GAS, take, gas_given(schedule))


def no_funds(schedule: Schedule) -> None:
    left, place = schedule.chance.choice((0, 1_000_000, 10_000_000)), schedule.places[-1]
    chosen = place.registrations[: schedule.chance.randrange(1, len(place.registrations) + 1)]

    def take(state: model.State) -> None:
        for one in chosen:
            state.pools[place.ledger.pool].funds[one.datanet_id] = left

    schedule.act(Fault.NO_FUNDS, take, everything_allowed(place, schedule))


def pause(schedule: Schedule) -> None:
    place = schedule.places[-1]

    def stop(state: model.State) -> None:
        state.pools[place.ledger.pool].paused = True

    schedule.act(Fault.PAUSE, stop, everything_allowed(place, schedule))


def caps(schedule: Schedule) -> None:
    place, chance = schedule.places[-1], schedule.chance
    batch = chance.choice((1_000_000, 2_400_000, 5_000_000, model.NO_LIMIT))
    window = chance.choice((2_400_000, 9_000_000, model.NO_LIMIT))

    def lower(state: model.State) -> None:
        state.pools[place.ledger.pool].max_batch = batch
        state.pools[place.ledger.pool].max_window = window

    schedule.act(Fault.CAPS, lower, everything_allowed(place, schedule))


def no_right(schedule: Schedule) -> None:
    place = schedule.places[-1]
    one = schedule.chance.choice(place.registrations)

    def withdraw(state: model.State) -> None:
        state.pools[place.ledger.pool].distributors[one.datanet_id] = ()

    schedule.act(Fault.NO_RIGHT, withdraw, everything_allowed(place, schedule))


def gas_given(schedule: Schedule) -> model.Act:
    """Every key of ours, and the other distributor's, has coin for gas."""

    def give(state: model.State) -> None:
        for key in (*schedule.keys, schedule.other):
            state.balances[key.address] = RICH

    return give


def everything_allowed(place: Place, schedule: Schedule) -> model.Act:
    """The pool is funded, not paused and without caps, and all distributors may settle."""
    everybody = tuple(key.address for key in (*schedule.keys, schedule.other))

    def allow(state: model.State) -> None:
        pool = state.pools[place.ledger.pool]
        pool.paused, pool.max_batch, pool.max_window = False, model.NO_LIMIT, model.NO_LIMIT
        for one in place.registrations:
            pool.funds[one.datanet_id] = FUNDED
            pool.distributors[one.datanet_id] = everybody

    return allow


# Others who may settle


def settled_by_others(schedule: Schedule) -> None:
    """Another distributor settles what the journal owes; sometimes less of it than we would."""
    place = schedule.places[-1]
    one = schedule.chance.choice(place.registrations)
    first = schedule.net.head.state.pools[place.ledger.pool].cursor.get(one.datanet_id, 0)
    with closing(schedule.journal()) as journal:
        waiting = journal.payables(place.ledger.ledger_id, one.datanet, first)
    if not waiting or waiting[0].seq != first:
        return
    batch = batch_of(waiting[: schedule.chance.randrange(1, len(waiting) + 1)])
    schedule.happened(Fault.SETTLED_BY_OTHERS)
    _settle(schedule, place, model.Settlement.of(one.datanet_id, batch))


def strange_batch(schedule: Schedule) -> None:
    """Somebody with the right to settle settles what nobody owes."""
    place = schedule.places[-1]
    one: Registration = schedule.chance.choice(place.registrations)
    first = schedule.net.head.state.pools[place.ledger.pool].cursor.get(one.datanet_id, 0)
    last = first + schedule.chance.randrange(3)
    entry = schedule.other.address + (777).to_bytes(12, "big")
    schedule.happened(Disaster.STRANGE_BATCH)
    schedule.say(f"   of {one.datanet}, {first}..{last}")
    asked = model.Settlement(one.datanet_id, first, last, keccak(b"lie"), 777, (entry,))
    _settle(schedule, place, asked)


def _settle(schedule: Schedule, place: Place, asked: model.Settlement) -> None:
    key, producer = schedule.other, schedule.net.producer
    raw, _ = key.sign_transaction(
        {
            "type": 2, "chainId": model.CHAIN_ID, "nonce": producer.pending_nonce(key.address),
            "to": format_address(place.ledger.pool), "value": 0, "data": "0x" + asked.data.hex(),
            "gas": 2_000_000, "maxFeePerGas": 2_000 * model.GWEI,
            "maxPriorityFeePerGas": model.GWEI,
        }
    )  # fmt: skip
    try:
        producer.take(model.Transaction.decoded(raw))
    except model.NodeRefuses as refusal:
        schedule.say(f"   the other distributor is refused: {refusal}")


# The journal, Redis, the clocks


def old_batches(schedule: Schedule) -> None:
    """Batches and their attempts become as they were a while ago; receipts are whole. The first
    time only the copy is made."""
    if schedule.backup is None:
        schedule.back_up()
        return
    schedule.happened(Fault.OLD_BATCHES)
    schedule.end_all()
    with closing(sqlite3.connect(schedule.folder / "journal.sqlite")) as live:
        live.execute("ATTACH ? AS old", (str(schedule.backup),))
        for table in ("batches", "attempts", "leases", "claims"):
            live.execute(f"DELETE FROM main.{table}")
            live.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
        live.commit()
    schedule.backup.unlink()
    schedule.backup = None


def old_journal(schedule: Schedule) -> None:
    """The whole journal becomes what it was; what was answered since is lost."""
    if schedule.backup is None:
        schedule.back_up()
    assert schedule.backup is not None
    schedule.happened(Disaster.OLD_JOURNAL)
    schedule.end_all()
    for suffix in ("", "-wal", "-shm"):
        (schedule.folder / f"journal.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copy(schedule.backup, schedule.folder / "journal.sqlite")


def lose_everything(schedule: Schedule) -> None:
    """Receipts, answers and batches are gone; the places where they are paid are known."""
    schedule.end_all()
    with closing(sqlite3.connect(schedule.folder / "journal.sqlite")) as live:
        for table in RECORDS:
            live.execute(f"DELETE FROM {table}")
        live.commit()


def redis(schedule: Schedule) -> None:
    """What was announced and not read is gone; sometimes Redis itself, for a while."""
    if schedule.chance.random() < 0.5:
        schedule.episode(Fault.REDIS)
    else:
        schedule.happened(Fault.REDIS)
    schedule.variant.wipe(schedule)


def jump(schedule: Schedule) -> None:
    """Some clocks are wrong for a while."""
    seconds = schedule.chance.choice((-3_600, -60, -7, 7, 60, 3_600, 2 * DAY_SECONDS))
    processes = list(schedule.processes)
    for process in processes if schedule.chance.random() < 0.5 else processes[:1]:
        process.skew = float(seconds)
    schedule.happened(Fault.CLOCK, f"{seconds} s")

    def right() -> None:
        for process in processes:
            process.skew = 0.0

    schedule.later(right)


def new_pool(schedule: Schedule) -> None:
    """A second Ledger, into which everything is issued from now on."""
    if len(schedule.places) == 1:
        schedule.happened(Fault.NEW_POOL)
        with closing(schedule.journal()) as journal:
            schedule.deploy(journal)


# What must stop payment


def deep_reorg(schedule: Schedule) -> None:
    net, chance = schedule.net, schedule.chance
    room = net.head.number - schedule.places[-1].ledger.deployment_block - 2
    depth = min(net.finality + chance.randrange(1, 6), room)
    schedule.happened(Disaster.DEEP_REORG)
    net.reorg(depth, int(schedule.now), chance, chance.choice((0.0, 0.3)))


def reset(schedule: Schedule) -> None:
    """The address of the chain leads to another one; sometimes only for a while."""
    schedule.happened(Disaster.RESET)
    before = schedule.net
    schedule.begin_net(f"{schedule.seed} reset", blocks=40)
    if schedule.chance.random() < 0.5:

        def back() -> None:
            schedule.say("** the chain is the right one again")
            schedule.net = before

        schedule.later(back)


ANYWHERE = (Fault.REFUSED, Fault.DISK_FULL, Fault.REDIS, Fault.CLOCK, Fault.REORG)
"""What may also happen while the chain is another one."""

EVENTS: Mapping[Fault, Misfortune] = {
    Fault.REFUSED: lambda schedule: schedule.episode(Fault.REFUSED),
    Fault.STALE_NODE: lambda schedule: schedule.episode(Fault.STALE_NODE),
    Fault.DISK_FULL: lambda schedule: schedule.episode(Fault.DISK_FULL),
    Fault.LYING_HEAD: lie,
    Fault.DROPPED: drop,
    Fault.REORG: reorg,
    Fault.STRANGER: stranger,
    Fault.FEE_SPIKE: spike,
    Fault.NO_GAS: no_gas,
    Fault.NO_FUNDS: no_funds,
    Fault.PAUSE: pause,
    Fault.CAPS: caps,
    Fault.NO_RIGHT: no_right,
    Fault.CLAIM: claim,
    Fault.REDIS: redis,
    Fault.CLOCK: jump,
    Fault.SETTLED_BY_OTHERS: settled_by_others,
    Fault.NEW_POOL: new_pool,
    Fault.OLD_BATCHES: old_batches,
}

DISASTERS: Mapping[Disaster, Misfortune] = {
    Disaster.DEEP_REORG: deep_reorg,
    Disaster.STRANGE_BATCH: strange_batch,
    Disaster.OLD_JOURNAL: old_journal,
    Disaster.RESET: reset,
}
