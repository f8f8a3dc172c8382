"""The worker killed again and again while answers are given.

    python -m bench.kills [--answers 200] [--kills 20] [--seed 1]

Starts a private chain, Redis, API and worker over the example Datanet, asks over HTTP, and ends the
worker with SIGKILL at random moments, starting it again each time. Then waits until every receipt
is final and audits: what every address is owed must be what it was credited.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from cli.demo import CHECKOUT
from cli.stack import (
    FOOTNOTE,
    Stack,
    address_of,
    free_port,
    fresh_home,
    give_coin,
    start_anvil,
    start_redis,
    throw_away_keys,
)
from rewards.audit import audit
from rewards.chain import EvmChain
from rewards.journal.journal import Journal

DATANET = "handbook"
QUIET_SECONDS = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = _run(Path(folder), arguments)
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def _run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    home = fresh_home(folder)
    environment = throw_away_keys(folder, home)
    environment["FOOTNOTE_BATCH_AGE_SECONDS"] = "1"
    with Stack(folder, environment) as stack:
        environment["FOOTNOTE_REDIS_URL"] = start_redis(stack)
        rpc_url = environment["FOOTNOTE_RPC_URL"] = start_anvil(stack, CHECKOUT)
        for name in ("owner", "distributor"):
            give_coin(rpc_url, address_of(folder, name), 10**21)
        stack.run(["ingest", DATANET, str(CHECKOUT / "examples" / "handbook")])
        for command in (["deploy"], ["register", DATANET], ["fund", DATANET, "10"]):
            stack.run(command)
        port = free_port()
        stack.start("api", [*FOOTNOTE, "serve", "--port", str(port)])
        stack.start("worker", [*FOOTNOTE, "worker"])
        stack.wait_http(f"http://127.0.0.1:{port}/readyz")
        asking = threading.Thread(
            target=_ask, args=(f"http://127.0.0.1:{port}", arguments.answers, arguments.seed)
        )
        asking.start()
        chance = random.Random(arguments.seed)
        for number in range(arguments.kills):
            time.sleep(chance.uniform(0.2, 3.5))
            os.kill(stack.pid("worker"), signal.SIGKILL)
            stack.replace("worker", [*FOOTNOTE, "worker"])
            print(f"killed {number + 1} of {arguments.kills}", file=sys.stderr)
        asking.join()
        journal = Journal(f"sqlite:///{home / 'journal.sqlite'}")
        quiet = _wait_quiet(journal)
        found = audit(journal, EvmChain(rpc_url))
        journal.close()
    return {
        **found.as_json(),
        "answers": arguments.answers,
        "kills": arguments.kills,
        "seed": arguments.seed,
        "passed": quiet and not found.differences and found.owed == found.credited > 0,
    }


def _ask(api: str, count: int, seed: int) -> None:
    chance = random.Random(seed)
    rows = (Path(__file__).parent / "handbook_questions.jsonl").read_text().splitlines()
    questions = [json.loads(row)["question"] for row in rows]
    with httpx.Client(base_url=api, timeout=60) as client:
        for _ in range(count):
            body = {"datanet": DATANET, "question": chance.choice(questions)}
            client.post("/v1/answers", json=body).raise_for_status()
            time.sleep(chance.uniform(0.0, 0.4))


def _wait_quiet(journal: Journal) -> bool:
    """Until every owing receipt is final; whether it came to that."""
    registration = journal.registration(DATANET)
    assert registration is not None
    ledger_id = registration.ledger.ledger_id
    until = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < until:
        first = journal.settled_to(ledger_id, DATANET)
        waiting = journal.payables(ledger_id, DATANET, first)
        if not any(amount for receipt in waiting for _, amount in receipt.owed):
            return True
        time.sleep(0.5)
    return False


if __name__ == "__main__":
    main()
