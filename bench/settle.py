"""How fast receipts become credits, where the time goes, and how much memory a queue takes.

    python -m bench.settle [--receipts 100000] [--contributors 1000] [--popularity 1.0]

Fills a journal through the Recorder, then lets the worker drain it on a chain with a block a second
that is final after two. The filling is measured at full durability over ``--durable`` receipts; the
rest is filled with SQLite's flushes off, which changes no row. ``--popularity`` is the exponent of
Zipf's law over the documents: 0 cites all alike, which is the worst case, since a Batch holds at
most 500 addresses.

The peer, on the same node: a loop that pushes every payout as a transfer of its own, as fast as the
node takes them, looking at nothing but the last one. It survives no crash, and is compared for gas.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cli.demo import CHECKOUT
from cli.stack import Stack, clean_environment, give_coin, start_anvil
from footnote.addresses import format_address
from rewards.chain import EvmChain
from tests.money import Place, address, answer, deployed, document, new_key, place, supported
from tests.money import Pool as PayingPool

DATANET = "handbook"
FEE_PAID = 10**15
"""What a payout of the push loop is, in base units: anything."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--receipts", type=int, default=100_000)
    parser.add_argument("--contributors", type=int, default=1_000)
    parser.add_argument("--popularity", type=float, default=1.0)
    parser.add_argument("--durable", type=int, default=500)
    parser.add_argument("--payouts", type=int, default=500, help="transfers of the push loop")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--growth-mib", type=float, default=32.0, help="the most memory may grow")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), arguments)
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    environment = clean_environment()
    with Stack(folder, environment) as stack:
        url = start_anvil(stack, CHECKOUT)
        pool = deployed(url, EvmChain(url))
        at = place(pool, folder, funds=10**23, datanet=DATANET)
        filled = fill(at, arguments)
        drained = _drain(at, environment)
        settled = _settled(at)
        pushed = push(pool, arguments.payouts)
    receipts = arguments.receipts
    gas = settled["gas"] / receipts
    payouts_per_receipt = filled.pop("lines") / receipts
    return {
        "seed": arguments.seed,
        "receipts": receipts,
        "contributors": arguments.contributors,
        "popularity": arguments.popularity,
        **filled,
        "receipts_per_second": round(receipts / drained["seconds"], 1),
        **drained,
        **settled,
        "seconds_per_batch": round(drained["seconds"] / settled["batches"], 2),
        "gas_per_receipt": round(gas),
        "push_gas_per_receipt": round(pushed["gas"] * payouts_per_receipt),
        "gas_ratio": round(pushed["gas"] * payouts_per_receipt / gas, 1),
        "push_receipts_per_second": round(pushed["per_second"] / payouts_per_receipt, 1),
        "passed": settled["owed_is_credited"] and drained["growth_mib"] <= arguments.growth_mib,
    }


# Filling


def fill(at: Place, arguments: argparse.Namespace) -> dict[str, Any]:
    """Record so many Answers; each cites one Document, which two contributors share."""
    documents = [
        document(f"d{n}", (n + 1, 7_000), ((n + 1) % arguments.contributors + 1, 3_000))
        for n in range(arguments.contributors)
    ]
    chosen = _by_popularity(arguments)
    durable = min(arguments.durable, arguments.receipts)
    began = time.perf_counter()
    for number in itertools.islice(chosen, durable):
        at.recorder.record(answer([supported(1, documents[number])], datanet=at.name))
    rate = durable / (time.perf_counter() - began)
    with _unflushed():
        for count, number in enumerate(chosen, start=durable + 1):
            at.recorder.record(answer([supported(1, documents[number])], datanet=at.name))
            if count % 10_000 == 0:
                print(f"{count} receipts", file=sys.stderr)
    return {"durable_receipts_per_second": round(rate, 1), "lines": 2 * arguments.receipts}


def _by_popularity(arguments: argparse.Namespace) -> Iterator[int]:
    """A Document's number for each receipt."""
    chance = random.Random(arguments.seed)
    weights = [1 / rank**arguments.popularity for rank in range(1, arguments.contributors + 1)]
    cumulative = list(itertools.accumulate(weights))
    for _ in range(arguments.receipts):
        yield bisect(cumulative, chance.random() * cumulative[-1])


@contextmanager
def _unflushed() -> Iterator[None]:
    """SQLite without flushes, on connections taken from now on. Only to fill a journal faster."""

    def configure(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Pool, "checkout", configure)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", configure)


# Draining


def _drain(at: Place, environment: dict[str, str]) -> dict[str, Any]:
    settings = {f"FOOTNOTE_{name}": value for name, value in at.settings().items()}
    done = subprocess.run(
        [sys.executable, "-m", "bench.drain"],
        env={**environment, **settings, "FOOTNOTE_RESEND_SECONDS": "30"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return shown


def _settled(at: Place) -> dict[str, Any]:
    """Batches, their gas, and whether every address was credited what it is owed."""
    batches = at.journal.batches(at.ledger_id, at.name)
    gas = sum(_gas(at.pool, batch.tx_hash) for batch in batches if batch.tx_hash)
    return {
        "batches": len(batches),
        "gas": gas,
        "owed_is_credited": at.owed() == at.credited() != {},
    }


def _gas(pool: PayingPool, tx_hash: bytes) -> int:
    return int(_call(pool.url, "eth_getTransactionReceipt", "0x" + tx_hash.hex())["gasUsed"], 16)


# The peer


def push(pool: PayingPool, payouts: int) -> dict[str, float]:
    """One transfer for each payout, to accounts that exist; until the last is final."""
    key, chain = new_key(), pool.chain
    give_coin(pool.url, format_address(key.address), 10**24)
    for number in range(payouts):
        give_coin(pool.url, format_address(address(number + 1)), 1)
    fees, chain_id = chain.fees(), chain.identity().chain_id
    began = time.perf_counter()
    for nonce in range(payouts):
        raw, tx_hash = key.sign_transaction(
            {
                "type": 2, "chainId": chain_id, "nonce": nonce, "gas": 21_000, "data": "0x",
                "to": format_address(address(nonce + 1)), "value": FEE_PAID,
                "maxFeePerGas": 10 * fees.max_fee, "maxPriorityFeePerGas": fees.priority_fee,
            }
        )  # fmt: skip
        chain.send(raw)
    chain.wait_final(tx_hash)
    return {"per_second": payouts / (time.perf_counter() - began), "gas": _gas(pool, tx_hash)}


def _call(url: str, method: str, *parameters: object) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    return httpx.post(url, json=body, timeout=30.0).json()["result"]


if __name__ == "__main__":
    main()
