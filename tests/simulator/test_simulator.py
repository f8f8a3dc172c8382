"""A CI-sized part of ``make simulate``: the real thing over some seeds, each wrong variant over a
few, and whether the simulator is what it says."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import pytest

from footnote.ids import sha256
from rewards.batch import Batch, Payout
from rewards.chain import EvmChain, Fees
from tests.money import FAR, address, key_of
from tests.simulator.chain import Settlement, Transaction
from tests.simulator.faults import Disaster, Fault
from tests.simulator.run import run_seed
from tests.simulator.schedule import Outcome
from tests.simulator.variants import REAL, VARIANTS

SEEDS = range(40, 75)
VARIANT_SEEDS = range(1, 61)
LIKELY = {
    "fresh nonce on retry": 5,
    "errors are believed": 5,
    "never resends": 2,
    "no gap filled": 15,
    "a nonce given up before it is final": 3,
    "no high-water mark": 5,
}
"""A seed that caught the variant when this was written; it is tried first."""


@cache
def outcomes() -> list[Outcome]:
    clean = get_context("spawn")  # no copy of a process that other tests left threads in
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), clean) as pool:
        return list(pool.map(run_seed, SEEDS, chunksize=5))


def test_whatever_happens_each_answer_is_paid_once_or_payment_stops_and_alarms() -> None:
    failed = {outcome.seed: outcome.failures[:3] for outcome in outcomes() if outcome.failures}
    assert failed == {}, "replay with: python -m tests.simulator --seed N --trace"
    assert sum(outcome.receipts for outcome in outcomes()) > 300
    assert sum(outcome.batches for outcome in outcomes()) > 100


def test_every_fault_happens() -> None:
    counts: Counter[str] = Counter()
    for outcome in outcomes():
        counts.update(outcome.coverage.counts)
    happened = {name.split(": ")[0] for name in counts} | set(counts)
    wanted = [fault.value for fault in Fault]
    wanted += [disaster.value for disaster in Disaster if disaster is not Disaster.NONE]
    assert [name for name in wanted if name not in {h.split(" of ")[0] for h in happened}] == []


def test_a_crash_happens_at_every_named_point() -> None:
    counts: Counter[str] = Counter()
    for outcome in outcomes():
        counts.update(outcome.coverage.counts)
    points = [f"after {stage}Batch" for stage in ("Planned", "Nonced", "Signed", "Sent", "Mined")]
    points += ["after commit", "after mark", "after send"]
    assert [point for point in points if not counts[f"crash: {point}"]] == []


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != REAL.name])
def test_a_wrong_variant_is_caught(name: str) -> None:
    for seed in (LIKELY.get(name, 1), *VARIANT_SEEDS):
        if run_seed(seed, name).failures:
            return
    pytest.fail(f"no seed of {VARIANT_SEEDS} catches {name!r}")


def test_a_seed_gives_one_schedule() -> None:
    first, second = run_seed(5), run_seed(5)
    assert (first.fingerprint, first.points) == (second.fingerprint, second.points)
    assert first.coverage.counts == second.coverage.counts
    assert run_seed(6).fingerprint != first.fingerprint


def test_the_simulated_pool_reads_what_a_real_worker_signs() -> None:
    batch = Batch(3, 7, sha256(b"root"), (Payout(address(1), 5), Payout(address(2), 6)))
    chain, key = EvmChain("http://127.0.0.1:1"), key_of("any")
    call = chain.settle_transaction(FAR, sha256(b"datanet"), batch, 4, 300_000, Fees(20, 10))
    raw, tx_hash = key.sign_transaction(call)
    seen = Transaction.decoded(raw)
    assert (seen.tx_hash, seen.sender, seen.nonce) == (tx_hash, key.address, 4)
    assert (seen.max_fee, seen.priority_fee, seen.gas, seen.to) == (20, 10, 300_000, FAR.pool)
    asked = Settlement.of(sha256(b"datanet"), batch)
    assert seen.data == asked.data
    assert Settlement.decoded(seen.data) == asked
    assert asked.payouts == [(address(1), 5), (address(2), 6)]
